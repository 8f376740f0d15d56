"""CK+ (Lucey et al. 2010): 593 sequences of 123 people from neutral to an expression, 327 of them labelled.

Beneath ROOT, at any depth, the frames S005_001_00000001.png, ... (in cohn-kanade-images/S005/001) and for a labelled
sequence one file S005_001_00000011_emotion.txt (in Emotion/S005/001) with one number: 0 neutral, 1 anger, 2 contempt,
3 disgust, 4 fear, 5 happiness, 6 sadness, 7 surprise. A labelled sequence gives its last three frames as its
expression and its first as neutral; S005 is the subject.

Names, numbers and that a sequence goes from neutral to the peak were read off the data set's own description (of 2010,
as kept on public pages). Not verified with the data, which we do not hold.
"""

import re
from pathlib import Path

from tracker.errors import DataError
from train.datasets.expressions import PICTURES, SHORTEST, listing_of, rising
from train.datasets.parts import Listing, number, walk_files
from train.prepared import LabelScale

SCALE = LabelScale()
EXPECTED = "cohn-kanade-images/S005/001/*.png with Emotion/S005/001/*_emotion.txt (CK+)"
NUMBERS = ("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")


def read(root: Path, scale: LabelScale = SCALE) -> Listing:
    """The frames of the labelled sequences; DataError where a label is wrong, or the layout is another."""
    frames = _by_sequence(walk_files(root, PICTURES))
    labels = _by_sequence(walk_files(root, (".txt",)), "_emotion")
    long = {name: paths for name, paths in frames.items() if name in labels and len(paths) >= SHORTEST}
    portraits = [
        portrait
        for name, paths in long.items()
        for portrait in rising(paths, name.partition("_")[0], _expression_in(labels[name][0]))
    ]
    counts = {
        "sequences without a label": len(frames.keys() - labels.keys()),
        "labels without a sequence": len(labels.keys() - frames.keys()),
        f"labelled sequences of fewer than {SHORTEST} frames": len(frames.keys() & labels.keys()) - len(long),
    }
    return listing_of(portraits, root, EXPECTED, counts)


def _by_sequence(files: dict[str, Path], end: str = "") -> dict[str, list[Path]]:
    """The files of each sequence, such as S005_001, by the frames' numbers, whose names end so."""
    named = {name: re.fullmatch(rf"(S\d+_\d+)_\d+{end}", name) for name in sorted(files)}
    sequences: dict[str, list[Path]] = {}
    for name, match in named.items():
        if match:
            sequences.setdefault(match[1], []).append(files[name])
    return sequences


def _expression_in(file: Path) -> str:
    value = number(file.read_text(encoding="utf-8", errors="replace"), str(file))
    if value not in range(len(NUMBERS)):
        raise DataError(f"{file} holds {value:g}; expected a whole number from 0 to {len(NUMBERS) - 1}")
    return NUMBERS[int(value)]
