"""The data sets that can be prepared; each module is imported when its data set is asked for.

A module has SCALE, the range and threshold of its labels, and read(root, scale, ...), which lists what lies on disk.
"""

import importlib
from typing import Any, NamedTuple

from tracker.errors import UsageError


class Entry(NamedTuple):
    """Where a data set is read, and its line in the help."""

    module: str
    help: str


DATA_SETS = {
    "afew-va": Entry("train.datasets.afew_va", "AFEW-VA: a folder of clip folders 001, 002, ..."),
    "sewa": Entry("train.datasets.sewa", "SEWA: videos with CSVs of valence and of arousal."),
    "affectnet": Entry("train.datasets.affectnet", "AffectNet: training.csv and validation.csv, or the .npy release."),
    "aff-wild2": Entry("train.datasets.aff_wild2", "Aff-Wild2: annotation text files with videos or frames."),
    "ferplus": Entry("train.datasets.ferplus_set", "FER+: the .npz, or the folder with fer2013new.csv."),
    "ck-plus": Entry("train.datasets.ck_plus", "CK+: cohn-kanade-images with Emotion."),
    "ck-plus-48": Entry("train.datasets.ck_plus_48", "CK+48: a folder an expression, pictures of 48 pixels."),
    "oulu-casia": Entry("train.datasets.oulu_casia", "Oulu-CASIA: all beneath --root; VL/Strong is usual."),
    "rafd": Entry("train.datasets.rafd", "RaFD: files Rafd090_01_Caucasian_female_angry_frontal.jpg."),
    "faces": Entry("train.datasets.faces", "FACES: files 004_o_m_a_a.jpg."),
    "kdef": Entry("train.datasets.kdef", "KDEF: files AF01ANS.JPG."),
    "persons": Entry("train.datasets.persons", "Known people, any: PERSON/EXPRESSION/*.png."),
    "table": Entry("train.datasets.table", "Anything else: a CSV of path (or video,frame), valence, arousal."),
}


def module_of(name: str) -> Any:
    """The module that reads a data set; UsageError for a name that is none."""
    if name not in DATA_SETS:
        raise UsageError(f"there is no data set {name}; there are {', '.join(DATA_SETS)}")
    return importlib.import_module(DATA_SETS[name].module)
