"""KDEF (Lundqvist, Flykt and Öhman 1998): 70 people, seven expressions, two sessions, five angles.

Files beneath ROOT, at any depth, called AF01ANS.JPG: the session (A, B), the sex (F, M) and the person's number among
the 35 of that sex (01 to 35), the expression (AF afraid, AN angry, DI disgusted, HA happy, NE neutral, SA sad, SU
surprised) and the angle (FL, HL full and half left, S straight, HR, FR). Sex and number are the subject: F01. By
default only straight pictures are read.

The letters of expression and angle were read off the data set's own site (kdef.se, on its averaged pictures); the order
of the parts, the sessions and the numbers off public code that reads the files. Not verified with the data, which we do
not hold; files that are called otherwise are left out and counted.
"""

import re
from pathlib import Path

from train.datasets.expressions import named
from train.datasets.parts import Listing
from train.prepared import LabelScale

SCALE = LabelScale()
EXPECTED = "files such as AF01ANS.JPG (KDEF)"
WORDS = {
    "AF": "afraid", "AN": "angry", "DI": "disgusted", "HA": "happy", "NE": "neutral", "SA": "sad", "SU": "surprised",
}  # fmt: skip
NAME = "[AB](?P<person>[FM][0-9]{{2}})(?P<expression>{words}){angle}"
STRAIGHT, ALL = (
    re.compile(NAME.format(words="|".join(WORDS), angle=angle), re.IGNORECASE) for angle in ("S", "(?:S|[HF][LR])")
)


def read(root: Path, scale: LabelScale = SCALE, all_views: bool = False) -> Listing:
    """The straight pictures, or all; DataError where the layout is another."""
    return named(root, ALL if all_views else STRAIGHT, WORDS, EXPECTED)
