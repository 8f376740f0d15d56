"""The marks that the overlay is made of: plates, boxes, labels, circumplexes, trails. OpenCV on RGB arrays, in place.

Lengths are for a frame whose shorter side is UNIT_SIDE_PX; a mark's `unit` scales them.
"""

import math
from functools import lru_cache

import cv2
import numpy as np

UNIT_SIDE_PX = 360
LEAST_UNIT = 0.4
"""Below it nothing could be read: on smaller frames the marks do not shrink further."""
RADIUS, LEAST_RADIUS = 40, 18
MARGIN, LEAST_MARGIN = 13, 9
"""Radius of the unit circle, and the margin about it that holds the names of the axes."""
PAD, TEXT, LEAST_TEXT = 6, 0.46, 0.33

PLATE = (18, 20, 24)
PLATE_OPACITY = 0.68
INK = (240, 242, 245)
MUTED = (176, 181, 188)
FONT = cv2.FONT_HERSHEY_SIMPLEX
SUBPIXEL = 4
"""Bits of a pixel's fraction that OpenCV's drawing takes."""
BLUR_CELLS = 8
"""What is left of a blurred face: so many cells across."""

Colour = tuple[int, int, int]
Rect = tuple[int, int, int, int]
"""x0, y0, x1, y1 px; x1 and y1 lie outside."""
Point = tuple[float, float, float]
"""time s, valence, arousal."""


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


def blend(image: np.ndarray, place: Rect, colour: np.ndarray | Colour, opacity: np.ndarray | float) -> None:
    """Lay a colour, or a picture (h, w, 3) of the place's size, over the image; opacity in [0, 1] or (h, w) of it."""
    x0, y0, x1, y1 = _cut_inside(image, place)
    if x0 >= x1 or y0 >= y1:
        return
    cut = np.s_[y0 - place[1] : y1 - place[1], x0 - place[0] : x1 - place[0]]
    over = colour[cut] if isinstance(colour, np.ndarray) else np.array(colour, np.float32)
    share = opacity[cut][..., None] if isinstance(opacity, np.ndarray) else np.float32(opacity)
    part = image[y0:y1, x0:x1]
    part[:] = part + (over - part) * share + 0.5


@lru_cache(maxsize=64)
def _plate(width: int, height: int, radius: int) -> np.ndarray:
    """Opacity (height, width) float32 of a plate with rounded, smooth corners."""
    mask = np.zeros((4 * height, 4 * width), np.uint8)
    r = 4 * max(1, min(radius, (width - 1) // 2, (height - 1) // 2))
    cv2.rectangle(mask, (r, 0), (4 * width - r - 1, 4 * height - 1), (255,), -1)
    cv2.rectangle(mask, (0, r), (4 * width - 1, 4 * height - r - 1), (255,), -1)
    for x in (r, 4 * width - r - 1):
        for y in (r, 4 * height - r - 1):
            cv2.circle(mask, (x, y), r, (255,), -1)
    return cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) * (PLATE_OPACITY / 255)


def draw_box(image: np.ndarray, box: Rect, colour: Colour, unit: float) -> None:
    """A thin, half-transparent frame with strong corners."""
    x0, y0, x1, y1 = box
    line = _stroke(1.3 * unit)
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
    (scale, stroke, height), pad = _text(unit), round(PAD * unit)
    width = max(cv2.getTextSize(text, FONT, scale, stroke)[0][0] for text in lines)
    step = 3 * pad
    return height * len(lines) + pad, (width + 3 * pad + step - 1) // step * step


def draw_label(image: np.ndarray, place: Rect, lines: tuple[str, ...], colour: Colour, unit: float) -> None:
    """Lines of text on a plate with a stripe of colour; the first line is bright, the others muted."""
    (scale, stroke, height), pad = _text(unit), round(PAD * unit)
    x0, y0, x1, y1 = place
    blend(image, place, PLATE, _plate(x1 - x0, y1 - y0, pad))
    blend(image, (x0, y0 + pad, x0 + max(2, pad // 3), y1 - pad), colour, 1.0)
    for row, text in enumerate(lines):
        corner = (x0 + 2 * pad, y0 + pad // 2 + round(height * (row + 0.76)))
        cv2.putText(image, text, corner, FONT, scale, MUTED if row else INK, stroke, cv2.LINE_AA)


def _text(unit: float) -> tuple[float, int, int]:
    """The label's font scale, stroke and line height."""
    scale, stroke = max(LEAST_TEXT, TEXT * unit), _stroke(1.1 * unit)
    return scale, stroke, round(1.75 * cv2.getTextSize("0", FONT, scale, stroke)[0][1])


def _stroke(width: float) -> int:
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
    ink, line = np.zeros((size, size), np.uint8), _stroke(0.9 * unit)
    cv2.circle(ink, (size // 2, size // 2), radius, (165,), line, cv2.LINE_AA)
    cv2.line(ink, (margin, size // 2), (size - margin - 1, size // 2), (80,), line)
    cv2.line(ink, (size // 2, margin), (size // 2, size - margin - 1), (80,), line)
    _write_centred(ink, "V", (size - margin / 2, size / 2), unit)
    _write_centred(ink, "A", (size / 2, margin / 2), unit)
    strength = ink.astype(np.float32)[..., None] / 255
    picture = np.array(PLATE, np.float32) * (1 - strength) + np.array(INK, np.float32) * strength
    return picture, np.maximum(_plate(size, size, margin), strength[..., 0])


def _write_centred(ink: np.ndarray, text: str, centre: tuple[float, float], unit: float) -> None:
    scale, stroke = max(0.27, 0.33 * unit), _stroke(0.9 * unit)
    (width, height), _ = cv2.getTextSize(text, FONT, scale, stroke)
    corner = (round(centre[0] - width / 2), round(centre[1] + height / 2 - 0.5))
    cv2.putText(ink, text, corner, FONT, scale, (225,), stroke, cv2.LINE_AA)


def draw_trail(image: np.ndarray, place: Rect, runs: list[list[Point]], colour: Colour, unit: float) -> None:
    """Lines through runs of points (a gap parts them), fading into the plate with age, and a dot at the newest."""
    oldest, newest = runs[0][0][0], runs[-1][-1][0]
    for run in runs:
        spots = [_spot(place, point, unit) for point in run]
        for point, start, end in zip(run[1:], spots, spots[1:], strict=False):
            ink = _faded(colour, (point[0] - oldest) / max(newest - oldest, 1e-9))
            cv2.line(image, start, end, ink, _stroke(1.5 * unit), cv2.LINE_AA, SUBPIXEL)
    for radius, ink in ((4.6, INK), (3.4, colour)):
        dot = round(radius * max(unit, 0.8) * 2**SUBPIXEL)
        cv2.circle(image, _spot(place, runs[-1][-1], unit), dot, ink, -1, cv2.LINE_AA, SUBPIXEL)


def _spot(place: Rect, point: Point, unit: float) -> tuple[int, int]:
    """Where a point stands on a circumplex, in OpenCV's fractions of a pixel."""
    centre, radius = (place[2] - place[0] - 1) / 2, _dial_px(unit)[0]
    x, y = place[0] + centre + radius * point[1], place[1] + centre - radius * point[2]
    return round(x * 2**SUBPIXEL), round(y * 2**SUBPIXEL)


def _faded(colour: Colour, strength: float) -> Colour:
    """A colour sunk into the plate's: 1 is the colour itself."""
    r, g, b = (round(p + (c - p) * (0.15 + 0.85 * strength)) for p, c in zip(PLATE, colour, strict=True))
    return r, g, b


def blur_face(image: np.ndarray, box: Rect) -> None:
    """Make the ellipse around a box unrecognisable: BLUR_CELLS across are left of it."""
    x0, y0, x1, y1 = box
    dx, dy = round(0.2 * (x1 - x0)), round(0.25 * (y1 - y0))
    x0, y0, x1, y1 = _cut_inside(image, (x0 - dx, y0 - dy, x1 + dx, y1 + dy))
    if x0 >= x1 or y0 >= y1:
        return
    part, (height, width) = image[y0:y1, x0:x1], (y1 - y0, x1 - x0)
    cells = cv2.resize(part, (min(BLUR_CELLS, width), min(BLUR_CELLS, height)), interpolation=cv2.INTER_AREA)
    mask = np.zeros((height, width), np.uint8)
    axes = (math.ceil(width / 2), math.ceil(height / 2))
    cv2.ellipse(mask, (width // 2, height // 2), axes, 0, 0, 360, (255,), -1)
    part[mask > 0] = cv2.resize(cells, (width, height), interpolation=cv2.INTER_LINEAR)[mask > 0]
