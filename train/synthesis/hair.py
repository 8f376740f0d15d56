"""Hair: thousands of strands that grow from the scalp, are combed, fall, and are lit one by one.

The light on a strand is that of Kajiya and Kay (1989).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from train.synthesis.meshes import Strands
from train.synthesis.persons import Person
from train.synthesis.skin import AXIS_Y, BOTTOM, HEIGHT, TOP, WIDTH

if TYPE_CHECKING:
    from train.synthesis.figure import Anatomist

HAIRLINE = np.array([(0, 62), (25, 60), (48, 46), (62, 18), (78, -8), (95, -14), (115, -30), (180, -62)], np.float64)
"""Degrees from the face's middle, and millimetres over the eyes: hair grows above."""
COUNTS = {"cropped": 8000, "short": 8000, "bob": 6000, "long": 6000}
LENGTHS_MM = {"cropped": (5, 12), "short": (18, 38), "bob": (120, 180), "long": (210, 280)}
STEPS = {"cropped": 2, "short": 5, "bob": 9, "long": 11}
LIFTS = {"cropped": 0.03, "short": 0.12, "bob": 0.22, "long": 0.2}
PULLS = {"cropped": 0.0, "short": 0.1, "bob": 0.3, "long": 0.3}
"""By how much a strand is drawn to its layer in one step."""
"""By how much the outermost hair stands off, of the skull's radius."""


@dataclass(frozen=True)
class Hair:
    """The strands of a head that looks straight on."""

    points: np.ndarray
    """(S, K, 3) float32 metres."""
    colours: np.ndarray
    """(S, K, 3) float64 sRGB, unlit."""
    scalp: np.ndarray
    """(HEIGHT, WIDTH) float32: how much of the hair's colour the skin's map has."""
    colour: np.ndarray

    def shaded(self, skin: np.ndarray) -> np.ndarray:
        """The skin's map with the hair's colour where hair grows."""
        return skin + self.scalp[..., None] * (0.55 * self.colour.astype(np.float32) - skin)


def grow(person: Person, points: np.ndarray, shared: "Anatomist") -> Hair | None:
    """The hair of a person whose smooth surface has points (W, 3); None for the bald."""
    if person.style == "bald":
        return None
    rng = np.random.default_rng((person.seed, person.index, 3))
    recede = float(rng.uniform(-4, 6) + 10 * rng.random() * person.age * (person.female < 0.5))
    roots, normals = _roots(rng, points, shared, recede, COUNTS[person.style])
    strands = _grown(rng, person, roots, normals)
    tints = rng.normal(1, 0.13, (len(strands), 1, 1)) * np.linspace(0.55, 1.05, strands.shape[1])[:, None]
    scalp = _scalp(recede) * (0.5 if person.style == "cropped" else 0.92)
    return Hair(strands, person.hair * tints, scalp, person.hair)


def lit_strands(hair: Hair, turn: np.ndarray, pivot: np.ndarray, light: np.ndarray, eye: np.ndarray) -> Strands:
    """The strands of a turned head in a light that lies towards light (3,), seen from towards eye (3,)."""
    points = ((hair.points - pivot) @ turn.T + pivot).astype(np.float32)
    along = np.gradient(points, axis=1)
    along /= np.maximum(np.linalg.norm(along, axis=2, keepdims=True), 1e-9)
    to_light, to_eye = along @ light, along @ eye
    across, seen = np.sqrt(np.maximum(1 - to_light**2, 0)), np.sqrt(np.maximum(1 - to_eye**2, 0))
    shine = np.maximum(across * seen - to_light * to_eye, 0) ** 24
    outside = points - points.mean(axis=(0, 1))
    facing = 0.5 + 0.5 * (outside @ light) / np.maximum(np.linalg.norm(outside, axis=2), 1e-6)
    bright = (0.35 + 0.75 * across * facing)[..., None] * hair.colours + (70 * shine * facing)[..., None]
    return Strands(points, np.rint(bright.clip(0, 255)).astype(np.uint8))


def _line(degrees: np.ndarray, recede: float) -> np.ndarray:
    """Height of the hairline in metres; a receding one goes up at the front."""
    line = np.interp(np.abs(degrees), *HAIRLINE.T)
    return (line + recede * np.interp(np.abs(degrees), [0, 40, 60], [1, 1.6, 0])) / 1000


def _scalp(recede: float) -> np.ndarray:
    degrees = (np.arange(WIDTH) / WIDTH - 0.5) * 360
    row = HEIGHT * (TOP - _line(degrees, recede)) / (TOP - BOTTOM)
    mask = (np.arange(HEIGHT)[:, None] < row[None]).astype(np.float32)
    return cv2.GaussianBlur(mask, (0, 0), 7.0)


def _roots(
    rng: np.random.Generator, points: np.ndarray, shared: "Anatomist", recede: float, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Places (S, 3) on the scalp, by area, and its normals there."""
    mean, faces = shared.mean, shared.surface.faces[shared.islands[shared.surface.parents] == "head"]
    middle = mean[faces].mean(axis=1)
    degrees = np.degrees(np.arctan2(middle[:, 0], AXIS_Y - middle[:, 1]))
    edge = _line(degrees, recede) + rng.normal(0, 0.002, len(middle))
    ears = (np.abs(middle[:, 0]) > 0.068) & (middle[:, 2] < 0.012) & (middle[:, 1] > 0.055) & (middle[:, 1] < 0.115)
    faces = faces[(middle[:, 2] > edge) & ~ears]
    corners = points[faces]
    sizes = np.linalg.norm(np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1]), axis=1)
    chosen = rng.choice(len(faces), count, p=sizes / sizes.sum())
    u, v = rng.random((2, count, 1))
    a, b, c, d = (corners[chosen, i] for i in range(4))
    roots = (1 - u) * (1 - v) * a + u * (1 - v) * b + u * v * c + (1 - u) * v * d
    return roots, shared.surface.normals(points)[faces[chosen, 0]]


def _grown(rng: np.random.Generator, person: Person, roots: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(S, K, 3) float32: each strand goes on in small steps, by its comb, its weight and the skull below it."""
    steps, (least, most) = STEPS[person.style], LENGTHS_MM[person.style]
    length = rng.uniform(least, most) * rng.normal(1, 0.07, (len(roots), 1)).clip(0.7, 1.3) / 1000
    centre, radii = _skull(roots)
    lift = LIFTS[person.style] * rng.uniform(0.75, 1.25) * rng.random((len(roots), 1)) ** 0.6
    comb = _combed(rng, person, roots, normals)
    way = {"cropped": 0.7, "short": 0.45}.get(person.style, 0.2) * normals + comb
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    fall = {"cropped": 0.0, "short": 0.10, "bob": 0.30, "long": 0.34}[person.style]
    strand = [roots]
    bend = rng.normal(0, 0.06, (len(roots), 3)) * rng.uniform(0.3, 1.6)
    for _ in range(steps - 1):
        way = way + fall * np.array([0, 0, -1.0]) + 0.12 * comb + bend
        way /= np.linalg.norm(way, axis=1, keepdims=True)
        after = _clear_of_face(_laid(strand[-1] + length / (steps - 1) * way, centre, radii, lift, PULLS[person.style]))
        way = after - strand[-1]
        way /= np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-9)
        strand.append(after)
    return np.stack(strand, axis=1).astype(np.float32)


def _skull(roots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centre and radii of an ellipsoid about the scalp."""
    low, high = roots.min(axis=0), roots.max(axis=0)
    half = (high[0] - low[0]) / 2
    centre = np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, high[2] - 1.02 * half * 1.15])
    return centre, np.array([half, (high[1] - low[1]) / 2, high[2] - centre[2]]) * 0.985


def _laid(points: np.ndarray, centre: np.ndarray, radii: np.ndarray, lift: np.ndarray, pull: float) -> np.ndarray:
    """Points (S, 3) brought near their layer of hair about the skull; below its middle, about a narrowing tube."""
    rel = (points - centre) / radii
    high = rel[:, 2:] > 0
    level = np.where(high, rel, rel * (1, 1, 0))
    far = np.maximum(np.linalg.norm(level, axis=1, keepdims=True), 1e-6)
    layer = np.clip(1 + 0.05 * np.minimum(rel[:, 2:], 0), 0.92, 1) + lift
    near = np.where(far < layer, layer, far + pull * (layer - far))
    return centre + np.where(high, rel * near / far, rel * (1, 1, 0) * near / far + rel * (0, 0, 1)) * radii


def _clear_of_face(points: np.ndarray) -> np.ndarray:
    """Points (S, 3) turned about the head's axis until they hang beside the face, the more the lower they are."""
    x, y = points[:, 0], AXIS_Y - points[:, 1]
    angle, far = np.arctan2(x, y), np.hypot(x, y)
    least = np.radians(np.interp(points[:, 2], [0.0, 0.03, 0.055], [68.0, 50.0, 0.0]))
    angle = np.where(angle < 0, -1, 1) * np.maximum(np.abs(angle), least)
    return np.stack([far * np.sin(angle), AXIS_Y - far * np.cos(angle), points[:, 2]], axis=1)


def _combed(rng: np.random.Generator, person: Person, roots: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(S, 3): the way the comb went, along the scalp: from a parting to the sides and back, or forwards when short."""
    parting = rng.choice([-1, 1]) * rng.uniform(0.0, 0.03)
    side = np.tanh((roots[:, 0] - parting) / 0.018)
    if person.style in ("bob", "long"):
        wish = np.stack([1.0 * side, np.full(len(roots), 0.55), np.full(len(roots), -0.35)], axis=1)
    else:
        sweep, forwards = rng.uniform(-0.7, 0.7), rng.uniform(-0.7, 0.9)
        wish = np.stack([sweep + 0.4 * side, np.full(len(roots), -forwards), np.full(len(roots), -0.35)], axis=1)
    wish = wish + rng.normal(0, 0.12, wish.shape)
    flat = wish - (wish * normals).sum(axis=1, keepdims=True) * normals
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
