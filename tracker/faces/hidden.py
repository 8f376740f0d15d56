"""Whether a face is upside down, or its eyes or its mouth are hidden: linear in a small picture of it.

The weights are made by `affect train hidden`, from faces of FER+ that were turned or covered: see docs/identity.md.
"""

from functools import cache
from pathlib import Path

import cv2
import numpy as np

MODEL = Path(__file__).parent / "models" / "face_hidden.npy"
SIDE = 32
"""Pixels of the picture that is looked at: a grey crop by the template of the models that ship."""
CELLS = 16
"""Side to which light and edges are averaged."""
KINDS = ("upside down", "eyes hidden", "mouth hidden")


def hidden(small: np.ndarray) -> np.ndarray:
    """(3,): of a crop (SIDE, SIDE) uint8, how surely each of KINDS holds: about 0 where not, 1 where it does."""
    return features(small) @ _weights()


def features(small: np.ndarray) -> np.ndarray:
    """(2 * CELLS ** 2 + 1,) float32: light and edges of a crop (SIDE, SIDE) uint8, whatever its contrast; and 1."""
    edges = cv2.convertScaleAbs(cv2.Laplacian(small, cv2.CV_16S))
    light, edge = (
        cv2.resize(part, (CELLS, CELLS), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
        for part in (small, edges)
    )
    light -= light.mean()
    return np.concatenate([light / (light.std() + 2), edge / (edge.mean() + 1), [1]], dtype=np.float32)


@cache
def _weights() -> np.ndarray:
    weights: np.ndarray = np.load(MODEL).astype(np.float32)
    return weights
