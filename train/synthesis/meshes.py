"""What a renderer draws, coloured surfaces and strands of hair, and what comes of it."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


@dataclass(frozen=True)
class Mesh:
    """A coloured surface of W vertices and F quads; metres."""

    points: np.ndarray
    """(W, 3) float32."""
    faces: np.ndarray
    """(F, 4) int32."""
    normals: np.ndarray
    """(W, 3) float32."""
    colours: np.ndarray | None = None
    """(W, 3) uint8 sRGB; None where there is a texture."""
    texture: np.ndarray | None = None
    """(H, W, 3) uint8 sRGB."""
    coordinates: np.ndarray | None = None
    """(W, 2) float32: of the texture, from its lower left corner."""
    gloss: tuple[float, float] = (0.12, 14.0)
    """Strength and sharpness of the highlights."""
    opacity: float = 1.0


@dataclass(frozen=True)
class Strands:
    """Hairs, already lit."""

    points: np.ndarray
    """(S, K, 3) float32."""
    colours: np.ndarray
    """(S, K, 3) uint8."""


@dataclass(frozen=True)
class Figure:
    """What is drawn, and where its landmarks are."""

    meshes: dict[str, Mesh | Strands]
    landmarks: np.ndarray
    """(83, 3) float32 metres, in the scene."""


class Portrait(NamedTuple):
    """A picture and where the face's landmarks are in it."""

    image: np.ndarray
    """(size, size, 3) uint8 sRGB."""
    points: np.ndarray
    """(83, 3) float32 metres, x to the person's left, y away from the camera, z up; the head's turn included."""
    pixels: np.ndarray
    """(83, 2) float32: x and y, the middle of the first pixel at 0.5."""
