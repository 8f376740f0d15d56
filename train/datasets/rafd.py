"""RaFD (Langner et al. 2010): 67 people, eight expressions, three directions of gaze, five cameras at once.

Files beneath ROOT, at any depth, called Rafd090_01_Caucasian_female_angry_frontal.jpg: the camera's angle (000, 045,
090 from the front, 135, 180), the person's number (1 to 73 with gaps), Caucasian, Moroccan or Kid, sex, expression
(happy, contemptuous, disgusted, fearful, neutral, angry, surprised, sad), and gaze (left, frontal, right). The person's
number is the subject. By default only pictures from the front with frontal gaze are read.

The counts and expressions were read off the data set's own site (rafd.socsci.ru.nl); the parts of the name off a public
repository that repeats that site's answers, and off others that list files. Not verified with the data, which we do
not hold.
"""

import re
from pathlib import Path

from train.datasets.expressions import named
from train.datasets.parts import Listing
from train.prepared import LabelScale

SCALE = LabelScale()
EXPECTED = "files such as Rafd090_01_Caucasian_female_angry_frontal.jpg (RaFD)"
NAME = r"Rafd{camera}_(?P<person>\d+)_[a-z]+_(?:fe)?male_(?P<expression>[a-z]+)_{gaze}"
FRONT = re.compile(NAME.format(camera="090", gaze="frontal"), re.IGNORECASE)
ALL = re.compile(NAME.format(camera=r"\d{3}", gaze="(?:left|frontal|right)"), re.IGNORECASE)


def read(root: Path, scale: LabelScale = SCALE, all_views: bool = False) -> Listing:
    """The pictures from the front with frontal gaze, or all; DataError for another layout, or an unknown expression."""
    return named(root, ALL if all_views else FRONT, {}, EXPECTED)
