"""The colours of a skin, painted on a map around the head: tone, flush, brows, lips, lids, stubble, freckles, folds.

The map is the side of a cylinder about the head: its columns are angles, the face in the middle, its rows heights. Its
coordinates are those of the mean head, so that what is painted moves with the vertices.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from scipy.interpolate import PchipInterpolator

from train.synthesis.anatomy import landmark_rows, of_mediapipe
from train.synthesis.head import Head
from train.synthesis.persons import Person

HEIGHT, WIDTH = 768, 1152
AXIS_Y = 0.075
"""Of the cylinder's axis, metres behind the eyes."""
TOP, BOTTOM = 0.125, -0.275
"""Heights of the map's edges over the eyes, metres."""
UPPER_LIP, LOWER_LIP = (61, 40, 37, 0, 267, 270, 291), (321, 314, 17, 84, 91)
RIGHT_BROW, LEFT_BROW = (
    ((70, 63, 105, 66, 107), (55, 65, 52, 53, 46)),
    ((300, 293, 334, 296, 336), (285, 295, 282, 283, 276)),
)


@dataclass(frozen=True, eq=False)
class SkinMap:
    """Where the parts of the face lie on the map."""

    points: np.ndarray
    """(83, 2) float64 pixels, x and y: the landmarks."""

    @classmethod
    def of(cls, head: Head) -> "SkinMap":
        """For the mean head."""
        coordinates = coordinates_of(mean_head(head))
        return cls((coordinates * (WIDTH, -HEIGHT) + (0, HEIGHT))[landmark_rows(head)])

    def at(self, *mediapipe: int) -> np.ndarray:
        """(K, 2) pixels of the points that MediaPipe calls so."""
        return self.points[of_mediapipe(*mediapipe)]

    @cached_property
    def unit(self) -> float:
        """Pixels of a millimetre at the face."""
        return float(np.linalg.norm(self.at(133)[0] - self.at(362)[0])) / 35.0


def mean_head(head: Head) -> np.ndarray:
    """(V, 3): the mean of all corners, the point between the eyes at the origin."""
    points = head.corners.mean(axis=0)
    eyes = np.concatenate([np.unique(head.faces[f"helper-{side}-eye"]) for side in "lr"])
    return points - points[eyes].mean(axis=0)


def coordinates_of(points: np.ndarray) -> np.ndarray:
    """(N, 2) float32 in [0, 1]: where points (N, 3) of the mean head lie on the map, from its lower left corner."""
    angle = np.arctan2(points[:, 0], AXIS_Y - points[:, 1])
    height = (points[:, 2] - BOTTOM) / (TOP - BOTTOM)
    return np.stack([angle / (2 * np.pi) + 0.5, height], axis=1).astype(np.float32)


def paint(person: Person, places: SkinMap) -> np.ndarray:
    """(HEIGHT, WIDTH, 3) float32 sRGB 0 to 255: the person's skin at rest."""
    rng = np.random.default_rng((person.seed, person.index, 1))
    image = np.empty((HEIGHT, WIDTH, 3), np.float32)
    image[:] = person.skin
    image = _flushed(image, places, rng)
    image *= _mottled(rng, person)[..., None]
    _freckle(image, person, rng)
    _lids(image, person, places)
    _mix(
        image,
        0.45 * person.skin,
        0.5 * blob(places.at(152)[0] + (0, 20 * places.unit), (48 * places.unit, 17 * places.unit)),
    )
    _stubble(image, person, places, rng)
    _lips(image, person, places, rng)
    _brows(image, person, places, rng)
    _dress(image, person, rng)
    return image.clip(0, 255)


def blob(centre: np.ndarray, radii_px: Sequence[float]) -> np.ndarray:
    """(HEIGHT, WIDTH) float32: 1 at the centre, falling like a bell with radii in x and y."""
    x = np.exp(-(((np.arange(WIDTH) - centre[0]) / radii_px[0]) ** 2)).astype(np.float32)
    y = np.exp(-(((np.arange(HEIGHT) - centre[1]) / radii_px[1]) ** 2)).astype(np.float32)
    return y[:, None] * x


def area(outline: np.ndarray, soft_px: float) -> np.ndarray:
    """(HEIGHT, WIDTH) float32: 1 within an outline (K, 2) in pixels, 0 without, with a soft edge."""
    mask = np.zeros((HEIGHT, WIDTH), np.float32)
    cv2.fillPoly(mask, [np.rint(outline * 16).astype(np.int32)], (1.0,), cv2.LINE_AA, 4)
    return cv2.GaussianBlur(mask, (0, 0), soft_px)


def curve(points: np.ndarray, count: int = 40) -> np.ndarray:
    """(count, 2): a smooth curve through points (K, 2)."""
    way = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    return PchipInterpolator(way, points)(np.linspace(0, way[-1], count))


def noise(rng: np.random.Generator, cell_px: float) -> np.ndarray:
    """(HEIGHT, WIDTH) float32 of standard deviation about 1, smooth over about cell_px."""
    size = (max(2, round(HEIGHT / cell_px)), max(2, round(WIDTH / cell_px)))
    small = rng.standard_normal(size, np.float32)
    return cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC) * np.float32(1.2)


def _mix(image: np.ndarray, colour: np.ndarray, share: np.ndarray) -> None:
    """Lay a colour (3,) over the image where share (H, W) in [0, 1] says."""
    image += share[..., None] * (np.asarray(colour, np.float32) - image)


def _flushed(image: np.ndarray, places: SkinMap, rng: np.random.Generator) -> np.ndarray:
    """Red cheeks, nose and chin, each as strong as it happens to be."""
    mm = places.unit
    cheeks = [places.at(corner)[0] + (side * 14 * mm, 17 * mm) for corner, side in ((133, -1), (362, 1))]
    spots = [(c, (17 * mm, 14 * mm), 0.9) for c in cheeks] + [(places.at(1)[0], (11 * mm, 9 * mm), 0.8),
             (places.at(199)[0], (14 * mm, 10 * mm), 0.4)]  # fmt: skip
    red = sum(strength * blob(centre, radii) for centre, radii, strength in spots) * rng.uniform(0.3, 1.0)
    return image * (1 - np.asarray(red)[..., None] * np.array([0.02, 0.13, 0.12], np.float32))


def _mottled(rng: np.random.Generator, person: Person) -> np.ndarray:
    """A factor about 1 over the map: patches, blotches and pores; more with age."""
    rough = 1 + person.age
    patches = 0.025 * noise(rng, 120) + 0.018 * noise(rng, 30) * rough
    return 1 + patches + (0.008 * noise(rng, 6) + 0.014 * noise(rng, 2)) * rough


def _freckle(image: np.ndarray, person: Person, rng: np.random.Generator) -> None:
    """Freckles on some light skins, age spots on old ones, moles on all."""
    freckles = int(rng.integers(0, 260) * (rng.random() < 0.35) * (person.tone < 0.45))
    count = freckles + int(120 * person.age * rng.random())
    x, y = rng.normal(WIDTH / 2, 0.08 * WIDTH, count), rng.normal(0.37 * HEIGHT, 0.07 * HEIGHT, count)
    share = np.zeros(image.shape[:2], np.float32)
    for place, radius in zip(np.column_stack([x, y]), rng.uniform(0.5, 1.7, count), strict=True):
        _dot(share, place, radius, 0.4)
    for _ in range(int(rng.integers(0, 7))):
        place = np.array([rng.normal(WIDTH / 2, 0.13 * WIDTH), rng.uniform(0.23, 0.68) * HEIGHT])
        _dot(share, place, rng.uniform(0.9, 2.2), 0.75)
    _mix(image, person.skin * (0.55, 0.45, 0.4), cv2.GaussianBlur(share, (0, 0), 0.8))


def _dot(share: np.ndarray, centre: np.ndarray, radius: float, strength: float) -> None:
    x, y = np.rint(16 * centre).astype(int).tolist()
    cv2.circle(share, (x, y), round(16 * radius), (strength,), -1, cv2.LINE_AA, 4)


def _lids(image: np.ndarray, person: Person, places: SkinMap) -> None:
    """Darker about the eyes and under them."""
    mm = places.unit
    for corners, side in (((33, 133), -1), ((362, 263), 1)):
        middle = places.at(*corners).mean(axis=0)
        lid, bag = middle - np.array([0, mm]), middle + np.array([-side * 3, 9]) * mm
        shade = 0.30 * blob(lid, (15 * mm, 6 * mm)) + 0.22 * blob(bag, (13 * mm, 5 * mm))
        _mix(image, person.skin * (0.72, 0.55, 0.54), shade * (0.8 + 0.4 * person.age))


def _stubble(image: np.ndarray, person: Person, places: SkinMap, rng: np.random.Generator) -> None:
    """On chin, jaw and above the lip."""
    grain = rng.random((HEIGHT, WIDTH), np.float32)
    if person.beard < 0.15:
        return
    mm = places.unit
    chin, lip, jaws = places.at(152)[0], places.at(0)[0], places.at(172, 397)
    spots = [(chin, (30 * mm, 17 * mm)), (lip - (0, 4 * mm), (21 * mm, 7 * mm))] + [
        (jaw, (24 * mm, 26 * mm)) for jaw in jaws
    ]
    where = np.max([blob(centre, radii) for centre, radii in spots], axis=0)
    dots = cv2.GaussianBlur((grain < 0.55 * person.beard).astype(np.float32), (0, 0), 0.8)
    _mix(image, 0.75 * person.hair + 12, (where * (0.25 * person.beard + 0.75 * dots * person.beard)).clip(0, 0.85))


def _lips(image: np.ndarray, person: Person, places: SkinMap, rng: np.random.Generator) -> None:
    outline = np.concatenate([curve(places.at(*UPPER_LIP)), curve(places.at(291, *LOWER_LIP, 61))])
    furrows = cv2.GaussianBlur(rng.standard_normal((HEIGHT, WIDTH), np.float32), (0, 0), 1.0, sigmaY=5.0)
    _mix(image, person.lips, area(outline, 1.6 * places.unit))
    image *= 1 + 0.25 * area(outline, places.unit)[..., None] * furrows[..., None]


def _brows(image: np.ndarray, person: Person, places: SkinMap, rng: np.random.Generator) -> None:
    """Hairs about the line between the lower and the upper edge, leaning outwards."""
    share = np.zeros(image.shape[:2], np.float32)
    thick = rng.uniform(0.35, 0.7) * (1.1 - 0.3 * person.female)
    for upper, lower in (RIGHT_BROW, LEFT_BROW):
        top, bottom = curve(places.at(*upper), 100), curve(places.at(*lower)[::-1], 100)
        taper = thick * np.interp(np.linspace(0, 1, 100), [0, 0.35, 1], [0.35, 1, 1.1])[:, None]
        middle = (top + bottom) / 2
        _hairs(share, middle + taper * (top - middle), middle + taper * (bottom - middle), places.unit, rng)
    colour = 0.15 * person.skin + 0.85 * np.minimum(person.hair, 0.55 * person.skin)
    _mix(image, colour, cv2.GaussianBlur(share, (0, 0), 0.8).clip(0, 0.9))


def _hairs(share: np.ndarray, top: np.ndarray, bottom: np.ndarray, unit: float, rng: np.random.Generator) -> None:
    """Draw hairs between two curves (100, 2) that run from the outer end to the inner one; unit: pixels of a mm."""
    share += 0.45 * area(np.concatenate([top, bottom[::-1]]), 1.0 * unit)
    count = int(rng.uniform(140, 240))
    for place, across, length in zip(rng.random(count), rng.random(count), rng.uniform(2.5, 5, count), strict=True):
        at = int(place * 99)
        start = bottom[at] + across * (top[at] - bottom[at])
        along = top[max(at - 6, 0)] - top[min(at + 6, 99)]
        lean = along / max(float(np.linalg.norm(along)), 1e-6) * (1.1 - 0.6 * place) + (0, 0.15 - 0.65 * place)
        stroke(share, start, start + lean * length * unit, 0.6)


def stroke(share: np.ndarray, start: np.ndarray, end: np.ndarray, strength: float, width: int = 1) -> None:
    """Draw a line on share (H, W); places (2,) in pixels, to a sixteenth."""
    (x0, y0), (x1, y1) = (np.rint(16 * point).astype(int).tolist() for point in (start, end))
    cv2.line(share, (x0, y0), (x1, y1), (strength,), width, cv2.LINE_AA, 4)


def worn(points: np.ndarray) -> np.ndarray:
    """(N,) float32: 1 where points (N, 3) of the mean head are under a shirt, 0 above its collar."""
    below = -0.166 + 0.33 * (points[:, 1] - 0.05) - points[:, 2]
    return np.clip(below / 0.004, 0, 1).astype(np.float32)


def _dress(image: np.ndarray, person: Person, rng: np.random.Generator) -> None:
    """The shirt, with a seam at its collar; the collar's height over the map follows the shoulders."""
    angle = (np.arange(WIDTH) / WIDTH - 0.5) * 2 * np.pi
    depth = AXIS_Y - 0.07 * np.cos(angle)
    height = -0.166 + 0.33 * (depth - 0.05)
    edge = HEIGHT * (TOP - height) / (TOP - BOTTOM)
    below = np.arange(HEIGHT)[:, None] - edge[None]
    seam = 1 - 0.3 * np.exp(-(((below - 12) / 3) ** 2))
    weave = 1 + 0.04 * noise(rng, 3)
    share = np.clip(below / 2, 0, 1).astype(np.float32)
    image += share[..., None] * (person.cloth.astype(np.float32) * (seam * weave)[..., None].astype(np.float32) - image)
