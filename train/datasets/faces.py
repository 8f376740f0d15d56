"""FACES (Ebner, Riediger and Lindenberger 2010): 171 people of three ages, six expressions, two pictures of each.

Files beneath ROOT, at any depth, called 004_o_m_a_a.jpg: the person's number, which is the subject; the age group (y
young, m middle, o old); the sex (f, m); the expression (a anger, d disgust, f fear, h happiness, n neutral, s sadness);
and the set (a, b).

The counts, ages, expressions and sets were read off the data set's own pages (faces.mpdl.mpg.de); the order of the
parts and the letters off public code that lists or reads the files. Not verified with the data, which we do not hold.
"""

import re
from pathlib import Path

from train.datasets.expressions import named
from train.datasets.parts import Listing
from train.prepared import LabelScale

SCALE = LabelScale()
EXPECTED = "files such as 004_o_m_a_a.jpg (FACES)"
WORDS = {"A": "anger", "D": "disgust", "F": "fear", "H": "happiness", "N": "neutral", "S": "sadness"}
NAME = re.compile(r"(?P<person>\d{3})_[ymo]_[fm]_(?P<expression>[adfhns])_[ab]", re.IGNORECASE)


def read(root: Path, scale: LabelScale = SCALE) -> Listing:
    """Both pictures of every person and expression; DataError where the layout is another."""
    return named(root, NAME, WORDS, EXPECTED)
