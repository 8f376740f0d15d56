"""Where a person is filmed: camera, light and background, drawn from a seed."""

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Camera:
    """A pinhole camera that looks at the face; metres, in a world with x to the person's left, y away, z up."""

    eye: np.ndarray
    """(3,): where it stands."""
    target: np.ndarray
    """(3,): what it looks at, amid the picture."""
    degrees: float
    """Angle of view over the picture's height."""

    def project(self, points: np.ndarray, size: int) -> np.ndarray:
        """(..., 3): x and y in pixels of a square picture, its first pixel's middle at 0.5, and the depth, metres."""
        forward = self.target - self.eye
        forward = forward / np.linalg.norm(forward)
        right = np.cross(forward, (0, 0, 1.0))
        right /= np.linalg.norm(right)
        up = np.cross(right, forward)
        seen = np.asarray(points, np.float64) - self.eye
        depth = seen @ forward
        scale = size / 2 / np.tan(np.radians(self.degrees / 2)) / depth
        return np.stack([size / 2 + scale * (seen @ right), size / 2 - scale * (seen @ up), depth], axis=-1)


@dataclass(frozen=True)
class Lamp:
    """A light so far away that its rays are parallel."""

    towards: np.ndarray
    """(3,): the way to it, of length 1."""
    colour: np.ndarray
    """(3,) 0 to 1, its strength included."""


@dataclass(frozen=True)
class Scene:
    """Camera, lamps, the light that comes from everywhere, and what lies behind."""

    camera: Camera
    lamps: tuple[Lamp, ...]
    ambient: float
    """0 to 1."""
    background: np.ndarray
    """(side, side, 3) uint8 sRGB."""
    exposure: tuple[float, float]
    """Gain and gamma of the camera."""


def draw_scene(rng: np.random.Generator, size: int) -> Scene:
    """A lens of 40 to 100 mm (of a 36 mm picture), two or three lamps, a plain or a textured background."""
    fills = rng.uniform(0.30, 0.36)
    focal = float(np.exp(rng.uniform(np.log(40), np.log(100))))
    degrees = float(np.degrees(2 * np.arctan(18 / focal)))
    distance = fills / 2 / np.tan(np.radians(degrees / 2))
    target = np.array([rng.normal(0, 0.008), 0.0, -0.028 + rng.normal(0, 0.008)])
    eye = target + np.array([rng.normal(0, 0.03), -1.0, rng.normal(0, 0.04)]) * distance
    plain = bool(rng.random() < 0.5)
    lamps, ambient, behind = _lamps(rng), float(rng.uniform(0.28, 0.4)), _background(rng, size, plain)
    exposure = (float(rng.uniform(0.92, 1.08)), float(rng.uniform(0.9, 1.1)))
    return Scene(Camera(eye, target, degrees), lamps, ambient, behind, exposure)


def _lamps(rng: np.random.Generator) -> tuple[Lamp, ...]:
    """A key light from the front, a weaker one from the other side, and one for some from behind."""
    side = rng.choice([-1, 1])
    warm = rng.normal(0, 0.035)
    tint = np.array([1 + warm, 1.0, 1 - warm])
    key = _lamp(side * rng.uniform(5, 60), rng.uniform(5, 50), rng.uniform(0.58, 0.8) * tint)
    fill = _lamp(-side * rng.uniform(15, 70), rng.uniform(-10, 25), rng.uniform(0.12, 0.34) * (2 - tint))
    back = _lamp(-side * rng.uniform(120, 160), rng.uniform(10, 45), rng.uniform(0.2, 0.5) * np.ones(3))
    return (key, fill, back) if rng.random() < 0.5 else (key, fill)


def _lamp(azimuth: float, height: float, colour: np.ndarray) -> Lamp:
    """At degrees to the person's left of the face's front, and above it."""
    a, h = np.radians([azimuth, height])
    return Lamp(np.array([np.sin(a) * np.cos(h), -np.cos(a) * np.cos(h), np.sin(h)]), colour)


def _background(rng: np.random.Generator, size: int, plain: bool) -> np.ndarray:
    """One colour with a fall of light, or soft shapes out of focus."""
    base = rng.uniform(30, 215) + rng.normal(0, 14, 3)
    left, right = (1 + rng.uniform(-0.1, 0.1, 2)).tolist()
    fall = np.linspace(1.12, 0.88, size)[:, None] * np.linspace(left, right, size)[None]
    image = base * fall[..., None]
    if not plain:
        for _ in range(int(rng.integers(5, 16))):
            image = _with_shape(image, rng, size)
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), size * rng.uniform(0.008, 0.03)), np.float64)
        rough = cv2.resize(rng.standard_normal((size // 6, size // 6)), (size, size), interpolation=cv2.INTER_CUBIC)
        image = image * (1 + 0.03 * rough[..., None])
    return np.rint(image.clip(0, 255)).astype(np.uint8)


def _with_shape(image: np.ndarray, rng: np.random.Generator, size: int) -> np.ndarray:
    """A rectangle or a disc of some colour."""
    layer = image.copy()
    colour = tuple((rng.uniform(15, 240) + rng.normal(0, 30, 3)).clip(0, 255).tolist())
    x, y = rng.uniform(0, size, 2)
    if rng.random() < 0.6:
        w, h = rng.uniform(0.05, 0.5, 2) * size
        cv2.rectangle(layer, (round(x - w / 2), round(y - h)), (round(x + w / 2), round(y + h)), colour, -1)
    else:
        cv2.circle(layer, (round(x), round(y)), round(rng.uniform(0.02, 0.12) * size), colour, -1)
    return image + rng.uniform(0.3, 0.9) * (layer - image)
