"""Where things are on the head: 83 landmarks at fixed vertices of MakeHuman's base mesh, and what MediaPipe calls them.

Eye and mouth corners are vertices of their edges. Brows, lids, outer lips, parts of the nose and the jaw have no edge
on a mesh: their vertices were chosen where MediaPipe's mesh lies on average on the first drawn heads, and the brows are
drawn through them.
"""

from typing import NamedTuple

import numpy as np

from train.synthesis.head import Head


class Landmark(NamedTuple):
    """A point of the face."""

    region: str
    mediapipe: int
    """Index in MediaPipe's mesh of 468 points."""
    vertex: int
    """Of MakeHuman's base mesh hm08."""


REGIONS = ("eye corners", "lids", "brows", "nose", "lips", "mouth corners", "chin", "jaw")
PAIRS = {
    "eye corners": ((33, 6783, 263, 13379), (133, 4870, 362, 11488)),
    "lids": ((160, 6, 387, 6790), (159, 1, 386, 6785), (158, 54, 385, 6838),
             (153, 6771, 380, 13367), (145, 1069, 374, 7761), (144, 1068, 373, 7760)),
    "brows": ((70, 255, 300, 7024), (63, 225, 293, 6999), (105, 224, 334, 6998), (66, 205, 296, 6980),
              (107, 208, 336, 6983), (46, 212, 276, 6987), (53, 207, 283, 6982), (52, 176, 282, 6952),
              (65, 177, 295, 6953), (55, 209, 285, 6984)),
    "nose": ((98, 358, 327, 7119), (64, 337, 294, 7099)),
    "lips": ((40, 447, 270, 7207), (37, 456, 267, 7215), (84, 490, 314, 7245), (91, 477, 321, 7232),
             (78, 413, 308, 7173), (81, 459, 311, 7218), (178, 470, 402, 7226)),
    "mouth corners": ((61, 407, 291, 7167),),
    "jaw": ((132, 869, 361, 7574), (58, 5241, 288, 11850), (172, 5240, 397, 11849), (136, 5298, 365, 11903),
            (150, 3698, 379, 10366), (149, 5223, 378, 11833), (176, 5222, 400, 11832)),
}  # fmt: skip
"""MediaPipe's index and the vertex of the person's right side, then of the left."""
MIDDLE = {
    "nose": ((168, 132), (6, 134), (197, 131), (5, 201), (4, 294), (1, 297), (2, 312)),
    "lips": ((0, 466), (17, 496), (13, 468), (14, 474)),
    "chin": ((152, 5225), (199, 5162)),
}
LANDMARKS = tuple(
    Landmark(region, *point)
    for region in REGIONS
    for point in (*(p for pair in PAIRS.get(region, ()) for p in (pair[:2], pair[2:])), *MIDDLE.get(region, ()))
)
"""In the order of the rows of a set's landmarks."""
EYES = ((33, 133), (263, 362))
"""MediaPipe's corners of the right and the left eye."""


def landmark_rows(head: Head) -> np.ndarray:
    """(83,) int: the landmarks' places among the head's vertices."""
    return np.array([head.index(point.vertex) for point in LANDMARKS])


def of_mediapipe(*indices: int) -> list[int]:
    """Places in LANDMARKS of MediaPipe's indices."""
    places = {point.mediapipe: i for i, point in enumerate(LANDMARKS)}
    return [places[index] for index in indices]
