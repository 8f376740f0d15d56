"""A face of 83 points as lines: brows, lids, nose, lips and jaw."""

import numpy as np

from tracker.faces.shape import MEDIAPIPE_83
from train.synthesis.anatomy import of_mediapipe

OPEN = {
    "right brow": (70, 63, 105, 66, 107),
    "right brow below": (46, 53, 52, 65, 55),
    "left brow": (300, 293, 334, 296, 336),
    "left brow below": (276, 283, 282, 295, 285),
    "bridge": (168, 6, 197, 5, 4, 1, 2),
    "nostrils": (64, 98, 2, 327, 294),
    "jaw": (132, 58, 172, 136, 150, 149, 176, 152, 400, 378, 379, 365, 397, 288, 361),
}
CLOSED = {
    "right eye": (33, 160, 159, 158, 133, 153, 145, 144),
    "left eye": (362, 385, 386, 387, 263, 373, 374, 380),
    "lips": (61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91),
    "mouth": (61, 78, 81, 13, 311, 308, 291, 308, 402, 14, 178, 78),
}
"""MediaPipe's indices, from point to point; the closed ones go back to their first."""
LINES = tuple(
    of_mediapipe(*line) for line in (*OPEN.values(), *((*line, line[0]) for line in CLOSED.values()))
)  # fmt: skip
"""Places among the 83 landmarks."""


def lines_of(face: np.ndarray, layout: str) -> list[np.ndarray]:
    """The lines (P, 2) of a face (N, 2); a dot a point, a line to itself, where the layout is of another data set."""
    return [face[line] for line in LINES] if layout == MEDIAPIPE_83.name else list(np.stack([face, face], axis=1))
