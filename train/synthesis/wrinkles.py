"""Folds of the skin that come with facial actions: brow, forehead, nose, from nose to mouth, about the eyes.

A mesh of a few millimetres cannot fold; shaded lines on the skin's map stand for what it cannot show.
"""

from collections.abc import Mapping
from functools import lru_cache

import cv2
import numpy as np

from train.synthesis.persons import Person
from train.synthesis.skin import HEIGHT, WIDTH, SkinMap, stroke

DEPTH = 0.30
"""By how much a deep fold darkens the skin."""
FACE = slice(WIDTH // 3, WIDTH - WIDTH // 3)
"""Columns of the map that hold folds."""


def wrinkled(skin: np.ndarray, actions: Mapping[str, float], person: Person, places: SkinMap) -> np.ndarray:
    """(H, W, 3) uint8: the skin (H, W, 3) uint8 with the folds of facial actions; older skins fold deeper."""
    strengths = _strengths(actions)
    resting = 0.55 * person.age
    folds = np.zeros((HEIGHT, FACE.stop - FACE.start), np.float32)
    for name, fold in _folds(places).items():
        strength = strengths[name] * (0.8 + 0.6 * person.age) + resting * (name != "bridge")
        folds += fold[:, FACE] * np.float32(min(1.3, strength))
    dark = 1 - DEPTH * folds
    folded = skin.copy()
    factors = np.stack([dark, dark**1.15, dark**1.15], axis=2)
    folded[:, FACE] = np.rint((skin[:, FACE] * factors).clip(0, 255))
    return folded


def _strengths(a: Mapping[str, float]) -> dict[str, float]:
    """0 to about 1 for each fold."""

    def pair(name: str) -> float:
        return (a[f"{name}Left"] + a[f"{name}Right"]) / 2

    raised = max(a["browInnerUp"], pair("browOuterUp")) * (1 - 0.4 * pair("browDown"))
    lifted = 0.8 * pair("mouthSmile") + 0.8 * pair("noseSneer")
    return {
        "forehead": raised,
        "glabella": max(pair("browDown"), 0.5 * a["browInnerUp"] * (pair("browDown") > 0.1)),
        "bridge": pair("noseSneer"),
        "cheeks": min(1.0, lifted + 0.5 * pair("mouthUpperUp") + 0.4 * pair("mouthStretch")),
        "eyes": max(pair("cheekSquint"), 0.6 * pair("eyeSquint")),
        "chin": max(a["mouthShrugLower"], 0.4 * pair("mouthFrown")),
    }


@lru_cache(maxsize=2)
def _folds(places: SkinMap) -> dict[str, np.ndarray]:
    """(H, W) float32 each: 1 in the depth of the fold, negative on its lit edge."""
    mm = places.unit
    between = places.at(107, 336).mean(axis=0)
    width = float(np.linalg.norm(places.at(70)[0] - places.at(300)[0]))

    def off(place: np.ndarray, x_mm: float, y_mm: float) -> np.ndarray:
        return place + np.array([x_mm, y_mm]) * mm

    forehead = [_arc(off(between, 0, -(14 + 8 * i)), 0.36 * width, (-3 + i) * mm) for i in range(4)]
    glabella = [[off(between, side * 5, 3), off(between, side * 6.5, -9)] for side in (-1, 1)]
    bridge = [_arc(off(places.at(6)[0], 0, -3 + 3.5 * i), 8 * mm, 1.5 * mm) for i in range(3)]
    cheeks, eyes = [], []
    for side, wing, mouth, eye in ((-1, 64, 61, 33), (1, 294, 291, 263)):
        nose, lip, corner = places.at(wing, mouth, eye)
        cheeks.append([off(nose, side * 3, -4), off(nose, side * 11, 8), off(lip, side * 9, 1)])
        eyes += [[off(corner, side * 4, y), off(corner, side * 15, 2.6 * y)] for y in (-2.2, 0.6, 3.2)]
    chin = [_arc(off(places.at(17)[0], 0, 8), 13 * mm, -3 * mm)]
    soft = {"forehead": 1.1, "glabella": 1.3, "bridge": 0.9, "cheeks": 1.8, "eyes": 0.8, "chin": 2.0}
    lines = {"forehead": forehead, "glabella": glabella, "bridge": bridge, "cheeks": cheeks, "eyes": eyes, "chin": chin}
    return {name: _drawn(each, soft[name] * mm) for name, each in lines.items()}


def _arc(middle: np.ndarray, half_width: float, sag: float) -> list[np.ndarray]:
    steps = np.linspace(-1, 1, 13)
    return [middle + np.array([half_width * s, sag * s * s]) for s in steps]


def _drawn(lines: list[list[np.ndarray]], soft_px: float) -> np.ndarray:
    """Soft dark lines with a light one below each, fading to their ends."""
    image = np.zeros((HEIGHT, WIDTH), np.float32)
    for points in lines:
        path = np.array(points, np.float64)
        at = np.linspace(0, len(path) - 1, 60)
        path = np.stack([np.interp(at, np.arange(len(path)), path[:, i]) for i in range(2)], axis=1)
        fade = np.sin(np.linspace(0.15, np.pi - 0.15, 60))
        for start, end, strength in zip(path[:-1], path[1:], fade, strict=False):
            stroke(image, start, end, float(strength), max(1, round(soft_px)))
    deep = cv2.GaussianBlur(image, (0, 0), soft_px)
    lit = np.roll(deep, round(2.2 * soft_px), axis=0)
    return (deep - 0.35 * lit) / max(float(deep.max()), 1e-6)
