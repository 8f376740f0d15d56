"""Oulu-CASIA NIR&VIS (Zhao et al. 2011): 80 people, six expressions, each from neutral to its peak in a sequence.

Beneath ROOT, at any depth, folders P001/Anger (Disgust, Fear, Happiness, Sadness, Surprise) with frames 000.jpeg,
001.jpeg, ... The data set has them by camera (VL visible light, NI near infrared) and light (Strong, Weak, Dark):
VL/Strong/P001/Anger/000.jpeg. All that lies beneath ROOT is read, so give VL/Strong for the usual protocol of 480
sequences. A sequence gives its last three frames as its expression and its first as neutral; P001 is the subject, the
same in every light.

People, expressions and frame rate were read off the data set's description (paperswithcode.com), the folders and file
names off public code that reads them. Not verified with the data, which we do not hold; that a sequence begins neutral
and ends at its peak is how papers use it.
"""

import re
from pathlib import Path

from train.datasets.expressions import SHORTEST, known, listing_of, pictures_in, rising
from train.datasets.parts import Listing
from train.prepared import LabelScale

SCALE = LabelScale()
EXPECTED = "sequences such as VL/Strong/P001/Anger/000.jpeg (Oulu-CASIA)"
PERSON = re.compile(r"P\d{3}")


def read(root: Path, scale: LabelScale = SCALE) -> Listing:
    """The frames of every sequence; DataError for a folder that is no expression, and where the layout is another."""
    people = sorted(path for path in (root, *root.rglob("P*")) if PERSON.fullmatch(path.name) and path.is_dir())
    folders = [folder for person in people for folder in sorted(person.iterdir()) if folder.is_dir()]
    frames = {folder: pictures_in(folder) for folder in folders}
    portraits = [
        portrait
        for folder, paths in frames.items()
        if len(paths) >= SHORTEST
        for portrait in rising(paths, folder.parent.name, known(folder.name, folder))
    ]
    short = sum(len(paths) < SHORTEST for paths in frames.values())
    return listing_of(portraits, root, EXPECTED, {f"sequences of fewer than {SHORTEST} frames": short})
