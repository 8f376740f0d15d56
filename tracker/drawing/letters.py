"""Letters as pictures: DejaVu Sans, which matplotlib brings along and which the plots are written in too."""

from functools import lru_cache
from pathlib import Path
from threading import Lock

import numpy as np
from matplotlib import get_data_path
from matplotlib.ft2font import FT2Font

FONT = Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
CAPITAL = 0.73
"""Height of a capital letter, as a share of the size."""
ABOVE, BELOW = 0.98, 0.28
"""What a line takes above and below its baseline, likewise."""
UNKNOWN, ELLIPSIS = "?", "…"
ONE_THREAD = Lock()
"""matplotlib's FT2Font corrupts memory where two threads use it: the window and a recording write at the same time."""


@lru_cache(maxsize=1024)
def ink(text: str, px: int) -> np.ndarray:
    """How much ink a line of text puts on each pixel, (line height, width) float32 in [0, 1]; px is the font's size.

    A character that the font lacks becomes a question mark. The middle of the capitals is at capital_middle(px).
    """
    with ONE_THREAD:
        return np.concatenate([_glyph(px, _known(px, character)) for character in text or " "], axis=1)


def width(text: str, px: int) -> int:
    """How many pixels wide a line of text is."""
    return ink(text, px).shape[1]


def capital_middle(px: int) -> float:
    """The row of ink() that is the middle of the capital letters."""
    return round(ABOVE * px) - CAPITAL * px / 2


def fitted(text: str, px: int, most: int) -> str:
    """The text, or as much of its beginning and end as fits into `most` pixels; nothing where not even that fits."""
    if width(text, px) <= most:
        return text
    for kept in range(len(text) - 1, 1, -1):
        shorter = text[: (kept + 1) // 2] + ELLIPSIS + text[len(text) - kept // 2 :]
        if width(shorter, px) <= most:
            return shorter
    return ""


@lru_cache(maxsize=32)
def _font(px: int) -> FT2Font:
    font = FT2Font(str(FONT))
    font.set_size(px, 72)
    return font


def _known(px: int, character: str) -> str:
    return character if _font(px).get_char_index(ord(character)) else UNKNOWN


@lru_cache(maxsize=2048)
def _glyph(px: int, character: str) -> np.ndarray:
    """(line height, advance) float32 in [0, 1]."""
    box = _font(px).load_char(ord(character))
    drawn = _drawn(px, character)
    cell = np.zeros((_line(px), max(1, round(box.linearHoriAdvance / 2**16))), np.float32)
    left, top = max(0, box.bbox[0] // 64), max(0, round(ABOVE * px) + (-box.bbox[3] // 64))
    part = cell[top : top + drawn.shape[0], left : left + drawn.shape[1]]
    part[:] = drawn[: part.shape[0], : part.shape[1]]
    return cell


def _drawn(px: int, character: str) -> np.ndarray:
    """The pixels with ink alone, float32 in [0, 1]."""
    font = _font(px)
    font.set_text(character, 0.0)
    font.draw_glyphs_to_bitmap(antialiased=True)
    drawn = np.asarray(font.get_image(), np.float32) / 255
    rows, columns = np.flatnonzero(drawn.any(1)), np.flatnonzero(drawn.any(0))
    return drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if rows.size else drawn[:0, :0]


def _line(px: int) -> int:
    return round(ABOVE * px) + round(BELOW * px)
