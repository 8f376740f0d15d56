"""CK+48: the faces of CK+ cut out, grey, 48 by 48 pixels, as they go round on the web.

Files beneath ROOT called EXPRESSION/S010_004_00000017.png, the folders being anger, contempt, disgust, fear, happy,
sadness and surprise: the last three frames of each labelled sequence. There is no neutral. S010 is the subject.

The names were read off public code that lists or reads the files, among it code that counts 118 subjects and three
frames a sequence. Not verified with the data, which we do not hold: above all not in how many of so small pictures
MediaPipe finds the face (of FER+'s, which are as small, in 96 %); the report tells.
"""

import re
from pathlib import Path

from train.datasets.expressions import LEFT_OUT, PICTURES, Portrait, known, listing_of
from train.datasets.parts import Listing, walk_files
from train.prepared import LabelScale

SCALE = LabelScale()
EXPECTED = "folders of expressions with files such as happy/S010_004_00000017.png (CK+48)"
NAME = re.compile(r"(?P<person>S\d+)_\d+_\d+", re.IGNORECASE)


def read(root: Path, scale: LabelScale = SCALE) -> Listing:
    """Every picture; DataError for a folder that is no expression, and where the layout is another."""
    pictures = walk_files(root, PICTURES)
    portraits = [
        Portrait(path, match["person"].upper(), known(path.parent.name, path.parent))
        for name, path in pictures.items()
        if (match := NAME.fullmatch(name))
    ]
    return listing_of(portraits, root, EXPECTED, {LEFT_OUT: len(pictures) - len(portraits)})
