"""Folds of the skin that come with facial actions: brow, forehead, nose, from nose to mouth, about the eyes.

A mesh of a few millimetres cannot fold; shaded lines on the skin's map stand for what it cannot show.
"""

from functools import lru_cache

import cv2
import numpy as np

from train.synthesis.persons import Person
from train.synthesis.skin import HEIGHT, WIDTH, SkinMap

DEPTH = 0.30
"""By how much a deep fold darkens the skin."""
FACE = slice(WIDTH // 3, WIDTH - WIDTH // 3)
"""Columns of the map that hold folds."""


def wrinkled(skin: np.ndarray, actions: np.ndarray, person: Person, places: SkinMap, names: tuple[str, ...]) -> np.ndarray:
    """(H, W, 3) uint8: the skin (H, W, 3) uint8 with the folds of facial actions (52,); older skins fold deeper."""
    strengths = _strengths(dict(zip(names, actions.tolist(), strict=True)))
    resting = 0.55 * person.age
    folds = np.zeros((HEIGHT, FACE.stop - FACE.start), np.float32)
    for name, fold in _folds(places).items():
        folds += fold[:, FACE] * np.float32(min(1.3, strengths[name] * (0.8 + 0.6 * person.age) + resting * (name != "bridge")))
    dark = 1 - DEPTH * folds
    folded = skin.copy()
    factors = np.stack([dark, dark**1.15, dark**1.15], axis=2)
    folded[:, FACE] = np.rint((skin[:, FACE] * factors).clip(0, 255))
    return folded


def _strengths(a: dict[str, float]) -> dict[str, float]:
    """0 to about 1 for each fold."""

    def pair(name: str) -> float:
        return (a[f"{name}Left"] + a[f"{name}Right"]) / 2

    raised = max(a["browInnerUp"], pair("browOuterUp")) * (1 - 0.4 * pair("browDown"))
    return {
        "forehead": raised,
        "glabella": max(pair("browDown"), 0.5 * a["browInnerUp"] * (pair("browDown") > 0.1)),
        "bridge": pair("noseSneer"),
        "cheeks": min(1.0, 0.8 * pair("mouthSmile") + 0.8 * pair("noseSneer") + 0.5 * pair("mouthUpperUp") + 0.4 * pair("mouthStretch")),
        "eyes": max(pair("cheekSquint"), 0.6 * pair("eyeSquint")),
        "chin": max(a["mouthShrugLower"], 0.4 * pair("mouthFrown")),
    }  # fmt: skip


@lru_cache(maxsize=2)
def _folds(places: SkinMap) -> dict[str, np.ndarray]:
    """(H, W) float32 each: 1 in the depth of the fold, negative on its lit edge."""
    mm = places.unit
    between = places.at(107, 336).mean(axis=0)
    width = float(np.linalg.norm(places.at(70)[0] - places.at(300)[0]))
    forehead = [_arc(between + (0, -(14 + 8 * i) * mm), 0.36 * width, (-3 + i) * mm) for i in range(4)]
    glabella = [[between + (side * 5 * mm, 3 * mm), between + (side * 6.5 * mm, -9 * mm)] for side in (-1, 1)]
    nose = places.at(6)[0]
    bridge = [_arc(nose + (0, (-3 + 3.5 * i) * mm), 8 * mm, 1.5 * mm) for i in range(3)]
    cheeks = [[places.at(wing)[0] + (side * 3 * mm, -4 * mm), places.at(wing)[0] + (side * 11 * mm, 8 * mm),
               places.at(corner)[0] + (side * 9 * mm, 1 * mm)] for wing, corner, side in ((64, 61, -1), (294, 291, 1))]  # fmt: skip
    eyes = [[c + (side * 4 * mm, dy * mm), c + (side * 15 * mm, 2.6 * dy * mm)]
            for corner, side in ((33, -1), (263, 1)) for c in (places.at(corner)[0],) for dy in (-2.2, 0.6, 3.2)]  # fmt: skip
    chin = [_arc(places.at(17)[0] + (0, 8 * mm), 13 * mm, -3 * mm)]
    soft = {"forehead": 1.1, "glabella": 1.3, "bridge": 0.9, "cheeks": 1.8, "eyes": 0.8, "chin": 2.0}
    lines = {"forehead": forehead, "glabella": glabella, "bridge": bridge, "cheeks": cheeks, "eyes": eyes, "chin": chin}
    return {name: _drawn(each, soft[name] * mm) for name, each in lines.items()}


def _arc(middle: np.ndarray, half_width: float, sag: float) -> list[np.ndarray]:
    steps = np.linspace(-1, 1, 13)
    return [middle + (half_width * s, sag * s * s) for s in steps]


def _drawn(lines: list[list[np.ndarray]], soft_px: float) -> np.ndarray:
    """Soft dark lines with a light one below each, fading to their ends."""
    image = np.zeros((HEIGHT, WIDTH), np.float32)
    for points in lines:
        path = np.array(points, np.float64)
        at = np.linspace(0, len(path) - 1, 60)
        path = np.stack([np.interp(at, np.arange(len(path)), path[:, i]) for i in range(2)], axis=1)
        fade = np.sin(np.linspace(0.15, np.pi - 0.15, 60))
        for start, end, strength in zip(path[:-1], path[1:], fade, strict=False):
            ends = [tuple(np.rint(16 * point).astype(int).tolist()) for point in (start, end)]
            cv2.line(image, *ends, float(strength), max(1, round(soft_px)), cv2.LINE_AA, 4)
    deep = cv2.GaussianBlur(image, (0, 0), soft_px)
    lit = np.roll(deep, round(2.2 * soft_px), axis=0)
    return (deep - 0.35 * lit) / max(float(deep.max()), 1e-6)
