"""The marks that the overlay is made of: plates, boxes, labels, circumplexes, trails. OpenCV on RGB arrays, in place.

Lengths are for a frame whose shorter side is UNIT_SIDE_PX; a mark's `unit` scales them.
"""

import math
from functools import lru_cache

import cv2
import numpy as np

from tracker.drawing import letters
from tracker.types import EXPRESSIONS

UNIT_SIDE_PX = 360
LEAST_UNIT = 0.4
"""Below it nothing could be read: on smaller frames the marks do not shrink further."""
RADIUS, LEAST_RADIUS = 40, 18
MARGIN, LEAST_MARGIN = 13, 9
"""Radius of the unit circle, and the margin about it that holds the names of the axes."""
PAD, TEXT_PX, LEAST_TEXT_PX = 6, 13.2, 9
AXIS_PX, LEAST_AXIS_PX = 9.5, 8
"""Letters of a label and of an axis."""

BARS, BARS_TEXT = 3, 0.85
"""Expressions that are named, and the size of their letters as a share of a label's."""
BAR, LEAST_BAR = 44, 24
"""Length of the bar of a certain expression."""
SPREAD_OPACITY = 0.3

PLATE = (18, 20, 24)
PLATE_OPACITY = 0.68
INK = (240, 242, 245)
MUTED = (176, 181, 188)
SUBPIXEL = 4
"""Bits of a pixel's fraction that OpenCV's drawing takes."""
BLUR_CELLS = 8
"""What is left of a blurred face: so many cells across."""

Colour = tuple[int, int, int]
Ink = tuple[int, ...]
"""A value for each channel of an image."""
Rect = tuple[int, int, int, int]
"""x0, y0, x1, y1 px; x1 and y1 lie outside."""
Point = tuple[float, float, float]
"""time s, valence, arousal."""
Pair = tuple[float, float]
"""Of valence and of arousal."""


def rect(box: np.ndarray) -> Rect:
    """A box (4,) xyxy in whole pixels."""
    x0, y0, x1, y1 = (round(float(v)) for v in box)
    return x0, y0, x1, y1


def area(a: Rect) -> int:
    """Pixels in a rectangle."""
    return max(0, a[2] - a[0]) * max(0, a[3] - a[1])


def overlap(a: Rect, b: Rect) -> int:
    """Pixels that two rectangles share."""
    return area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))


def around(image: np.ndarray, box: Rect, size: tuple[int, int], gap: int) -> list[Rect]:
    """Twelve places for a mark of size (height, width): four above and below the box, four beside it, four at corners.

    Each is moved into the image where it would leave it.
    """
    (height, width), (x0, y0, x1, y1) = size, box
    above, below, right, left = y0 - gap - height, y1 + gap, x1 + gap, x0 - gap - width
    corners = [(x0, above), (x0, below), (x1 - width, above), (x1 - width, below)]
    corners += [(right, y0), (left, y0), (right, y1 - height), (left, y1 - height)]
    corners += [(right, above), (left, above), (right, below), (left, below)]
    return [_moved_inside(image, (x, y, x + width, y + height)) for x, y in corners]


def _moved_inside(image: np.ndarray, a: Rect) -> Rect:
    height, width = image.shape[:2]
    x = max(0, min(a[0], width - (a[2] - a[0])))
    y = max(0, min(a[1], height - (a[3] - a[1])))
    return x, y, x + a[2] - a[0], y + a[3] - a[1]


def _cut_inside(image: np.ndarray, a: Rect) -> Rect:
    height, width = image.shape[:2]
    return max(0, a[0]), max(0, a[1]), min(width, a[2]), min(height, a[3])


def blend(image: np.ndarray, place: Rect, colour: np.ndarray | Ink, opacity: np.ndarray | float) -> None:
    """Lay a colour, or a picture (h, w, C) of the place's size, over the image; opacity in [0, 1] or (h, w) of it."""
    x0, y0, x1, y1 = _cut_inside(image, place)
    if x0 >= x1 or y0 >= y1:
        return
    cut, part = np.s_[y0 - place[1] : y1 - place[1], x0 - place[0] : x1 - place[0]], image[y0:y1, x0:x1]
    rows = part.reshape(y1 - y0, -1)  # channels side by side: numpy is slow along an axis of three
    over = colour[cut] if isinstance(colour, np.ndarray) else np.full(part.shape, colour, np.float32)
    share = np.repeat(opacity[cut], image.shape[2], 1) if isinstance(opacity, np.ndarray) else np.float32(opacity)
    part[:] = (rows + (over.reshape(rows.shape) - rows) * share + np.float32(0.5)).reshape(part.shape)


def tint(image: np.ndarray, place: Rect, outline: np.ndarray, colour: Colour, opacity: float) -> None:
    """Lay a faint colour over the polygon (n, 2) px, as far as it lies in a place of the image."""
    x0, y0, x1, y1 = _cut_inside(image, place)
    left, top = np.floor(outline.min(axis=0)).astype(int)
    right, low = np.ceil(outline.max(axis=0)).astype(int) + 1
    x0, y0, x1, y1 = max(x0, left), max(y0, top), min(x1, right), min(y1, low)
    if x0 >= x1 or y0 >= y1:
        return
    part = image[y0:y1, x0:x1]
    over = part.copy()
    spots = np.rint((outline - (x0, y0)) * 2**SUBPIXEL).astype(np.int32)
    cv2.fillPoly(over, [spots], colour, cv2.LINE_AA, SUBPIXEL)
    cv2.addWeighted(over, opacity, part, 1 - opacity, 0, part)


def ellipse(centre: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """The outline (n, 2) px of an upright ellipse."""
    angle = np.linspace(0, 2 * np.pi, 49)[:-1]
    return centre + radii * np.column_stack([np.cos(angle), np.sin(angle)])


def write(image: np.ndarray, spot: tuple[float, float], text: str, px: int, colour: Ink, align: float = 0.0) -> None:
    """A line of text: spot (x, y) is the middle of its capitals' height, at its left (align 0) to its right end (1)."""
    ink = letters.ink(text, px)
    x, y = round(spot[0] - align * ink.shape[1]), round(spot[1] - letters.capital_middle(px))
    blend(image, (x, y, x + ink.shape[1], y + ink.shape[0]), colour, ink)


@lru_cache(maxsize=64)
def rounded(width: int, height: int, radius: int, opacity: float = 1.0) -> np.ndarray:
    """(height, width) float32: the opacity within a rectangle with rounded, smooth corners, 0 outside."""
    mask = np.zeros((4 * height, 4 * width), np.uint8)
    r = 4 * max(1, min(radius, (width - 1) // 2, (height - 1) // 2))
    cv2.rectangle(mask, (r, 0), (4 * width - r - 1, 4 * height - 1), (255,), -1)
    cv2.rectangle(mask, (0, r), (4 * width - 1, 4 * height - r - 1), (255,), -1)
    for x in (r, 4 * width - r - 1):
        for y in (r, 4 * height - r - 1):
            cv2.circle(mask, (x, y), r, (255,), -1)
    return cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) * (opacity / 255)


def draw_box(image: np.ndarray, box: Rect, colour: Colour, unit: float) -> None:
    """A thin, half-transparent frame with strong corners."""
    x0, y0, x1, y1 = box
    line = stroke(1.3 * unit)
    sides = [(x0, y0, x1, y0 + line), (x0, y1 - line, x1, y1), (x0, y0, x0 + line, y1), (x1 - line, y0, x1, y1)]
    for side in sides:
        blend(image, side, colour, 0.6)
    arm = round(0.17 * min(x1 - x0, y1 - y0))
    for x, dx in ((x0, arm), (x1 - 1, -arm)):
        for y, dy in ((y0, arm), (y1 - 1, -arm)):
            corner = np.array([[x + dx, y], [x, y], [x, y + dy]])
            cv2.polylines(image, [corner], False, colour, round(2.2 * line), cv2.LINE_AA)


def label_size(lines: tuple[str, ...], unit: float) -> tuple[int, int]:
    """(height, width) of the plate for lines of text; the width in steps, so that it does not tremble."""
    (px, height), pad = _text(unit), round(PAD * unit)
    width, step = max(letters.width(text, px) for text in lines), 3 * pad
    return height * len(lines) + pad, (width + 3 * pad + step - 1) // step * step


def draw_label(image: np.ndarray, place: Rect, lines: tuple[str, ...], colour: Colour, unit: float) -> None:
    """Lines of text on a plate with a stripe of colour; the first line is bright, the others muted."""
    (px, height), pad = _text(unit), round(PAD * unit)
    x0, y0, x1, y1 = place
    blend(image, place, PLATE, rounded(x1 - x0, y1 - y0, pad, PLATE_OPACITY))
    blend(image, (x0, y0 + pad, x0 + max(2, pad // 3), y1 - pad), colour, 1.0)
    for row, text in enumerate(lines):
        write(image, (x0 + 2 * pad, y0 + pad / 2 + height * (row + 0.5)), text, px, MUTED if row else INK)


def _text(unit: float) -> tuple[int, int]:
    """The size of the label's letters and the height of its lines."""
    px = round(max(LEAST_TEXT_PX, TEXT_PX * unit))
    return px, round(1.36 * px)


def stroke(width: float) -> int:
    """The width of a line in whole pixels, at least one."""
    return max(1, round(width))


def dial_size(unit: float) -> tuple[int, int]:
    """(height, width) of a circumplex."""
    size = 2 * sum(_dial_px(unit)) + 1
    return size, size


def draw_dial(image: np.ndarray, place: Rect, quadrant: np.ndarray, colour: Colour, unit: float) -> None:
    """The circumplex, each sector shaded by its quadrant's probability (4,)."""
    radius, size = _dial_px(unit)[0], place[2] - place[0]
    blend(image, place, *_empty_dial(unit))
    shade = np.zeros((size, size), np.float32)
    for k, probability in enumerate(np.nan_to_num(quadrant).tolist()):
        angle = -90 * (k + 1)
        cv2.ellipse(shade, (size // 2, size // 2), (radius, radius), 0, angle, angle + 90, (0.45 * probability,), -1)
    blend(image, place, colour, shade)


def _dial_px(unit: float) -> tuple[int, int]:
    """Radius of the unit circle and margin about it."""
    return round(max(LEAST_RADIUS, RADIUS * unit)), round(max(LEAST_MARGIN, MARGIN * unit))


@lru_cache(maxsize=32)
def _empty_dial(unit: float) -> tuple[np.ndarray, np.ndarray]:
    """Picture (S, S, 3) and opacity (S, S), float32."""
    (radius, margin), (size, _) = _dial_px(unit), dial_size(unit)
    ink, line = np.zeros((size, size), np.uint8), stroke(0.9 * unit)
    cv2.circle(ink, (size // 2, size // 2), radius, (165,), line, cv2.LINE_AA)
    cv2.line(ink, (margin, size // 2), (size - margin - 1, size // 2), (80,), line)
    cv2.line(ink, (size // 2, margin), (size // 2, size - margin - 1), (80,), line)
    px = round(max(LEAST_AXIS_PX, AXIS_PX * unit))
    for name, spot in (("V", (size - margin / 2, size / 2)), ("A", (size / 2, margin / 2))):
        write(ink[..., None], spot, name, px, (225,), 0.5)
    strength = ink.astype(np.float32)[..., None] / 255
    picture = np.array(PLATE, np.float32) * (1 - strength) + np.array(INK, np.float32) * strength
    return picture, np.maximum(rounded(size, size, margin, PLATE_OPACITY), strength[..., 0])


def draw_spread(image: np.ndarray, place: Rect, point: Point, deviation: Pair, colour: Colour, unit: float) -> None:
    """A faint ellipse of one standard deviation of valence and of arousal about a point of a circumplex."""
    centre = np.array(_spot(place, point, unit)) / 2**SUBPIXEL
    outline = ellipse(centre, np.array(deviation) * _dial_px(unit)[0])
    tint(image, place, outline, colour, SPREAD_OPACITY)


def bars_size(unit: float) -> tuple[int, int]:
    """(height, width) of a plate for BARS expressions; as wide as the longest name of all, so that it stays."""
    (px, height), pad = _text(BARS_TEXT * unit), round(PAD * unit)
    name = max(letters.width(name, px) for name in EXPRESSIONS)
    return height * BARS + pad, name + _bar_px(unit) + 4 * max(pad, 2)


def draw_bars(image: np.ndarray, place: Rect, expressions: np.ndarray, colour: Colour, unit: float) -> None:
    """The BARS likeliest expressions by name on a plate, a bar as long as each is probable (8,)."""
    (px, height), pad = _text(BARS_TEXT * unit), round(PAD * unit)
    (x0, y0, x1, y1), gap, longest = place, max(pad, 2), _bar_px(unit)
    blend(image, place, PLATE, rounded(x1 - x0, y1 - y0, pad, PLATE_OPACITY))
    left, thick = x1 - gap - longest, max(3, round(0.42 * px))
    for row, which in enumerate(np.argsort(-expressions, kind="stable")[:BARS].tolist()):
        y = y0 + pad / 2 + height * (row + 0.5)
        write(image, (x0 + gap, y), EXPRESSIONS[which], px, MUTED if row else INK)
        top = round(y - thick / 2)
        blend(image, (left, top, left + longest, top + thick), INK, 0.16)
        blend(image, (left, top, left + round(longest * float(expressions[which])), top + thick), colour, 0.95)


def _bar_px(unit: float) -> int:
    """Length of a bar that stands for 1."""
    return round(max(LEAST_BAR, BAR * unit))


def draw_trail(image: np.ndarray, place: Rect, runs: list[list[Point]], colour: Colour, unit: float) -> None:
    """Lines through runs of points (a gap parts them), fading into the plate with age, and a dot at the newest."""
    oldest, newest = runs[0][0][0], runs[-1][-1][0]
    for run in runs:
        spots = [_spot(place, point, unit) for point in run]
        for point, start, end in zip(run[1:], spots, spots[1:], strict=False):
            ink = faded(colour, (point[0] - oldest) / max(newest - oldest, 1e-9))
            cv2.line(image, start, end, ink, stroke(1.5 * unit), cv2.LINE_AA, SUBPIXEL)
    for radius, ink in ((4.6, INK), (3.4, colour)):
        dot = round(radius * max(unit, 0.8) * 2**SUBPIXEL)
        cv2.circle(image, _spot(place, runs[-1][-1], unit), dot, ink, -1, cv2.LINE_AA, SUBPIXEL)


def _spot(place: Rect, point: Point, unit: float) -> tuple[int, int]:
    """Where a point stands on a circumplex, in OpenCV's fractions of a pixel."""
    centre, radius = (place[2] - place[0] - 1) / 2, _dial_px(unit)[0]
    x, y = place[0] + centre + radius * point[1], place[1] + centre - radius * point[2]
    return round(x * 2**SUBPIXEL), round(y * 2**SUBPIXEL)


def faded(colour: Colour, strength: float, ground: Colour = PLATE, least: float = 0.15) -> Colour:
    """A colour sunk into the ground's: 1 is the colour itself, 0 leaves the least share of it."""
    r, g, b = (round(p + (c - p) * (least + (1 - least) * strength)) for p, c in zip(ground, colour, strict=True))
    return r, g, b


def blur_face(image: np.ndarray, box: Rect) -> None:
    """Make the ellipse around a box unrecognisable: BLUR_CELLS across are left of it."""
    x0, y0, x1, y1 = box
    dx, dy = round(0.2 * (x1 - x0)), round(0.25 * (y1 - y0))
    left, top, right, low = _cut_inside(image, (x0 - dx, y0 - dy, x1 + dx, y1 + dy))
    if left >= right or top >= low:
        return
    part, (height, width) = image[top:low, left:right], (low - top, right - left)
    cells = cv2.resize(part, (min(BLUR_CELLS, width), min(BLUR_CELLS, height)), interpolation=cv2.INTER_AREA)
    mask = np.zeros((height, width), np.uint8)
    centre = (x0 + x1) // 2 - left, (y0 + y1) // 2 - top
    axes = math.ceil((x1 - x0) / 2 + dx), math.ceil((y1 - y0) / 2 + dy)
    cv2.ellipse(mask, centre, axes, 0, 0, 360, (255,), -1)
    part[mask > 0] = cv2.resize(cells, (width, height), interpolation=cv2.INTER_LINEAR)[mask > 0]
