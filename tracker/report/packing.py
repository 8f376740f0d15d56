"""Columns as short text: exact, compressed, and quick for a browser to unpack (page/columns.js)."""

import zlib
from base64 import b64encode
from typing import Any

import numpy as np

MOST_DECIMALS = 9
LARGEST = 2.0**52
"""Whole numbers up to here are exact in a browser's numbers."""


def pack_column(name: str, values: np.ndarray) -> dict[str, Any]:
    """A column of R rows as JSON can hold it.

    Text is packed as the places of its words. Numbers are whole multiples of 10 ** -decimals, kept as the differences
    from row to row; a number is found again to the last decimal. Numbers that are no such multiples stay float64.
    """
    if values.dtype.kind not in "fiu":
        words, places = np.unique(values, return_inverse=True)
        return {"name": name, "kind": "words", "words": words.tolist(), **_pack_whole(places.astype(np.float64))}
    there = np.isfinite(values)
    missing = {} if there.all() else {"missing": _squeezed(np.packbits(~there, bitorder="little").tobytes())}
    filled = _filled_forward(values, there)
    for decimals in range(MOST_DECIMALS + 1):
        scaled = filled * 10.0**decimals
        whole = np.rint(scaled)
        if np.abs(whole).max(initial=0.0) < LARGEST and np.array_equal(whole / 10.0**decimals, filled):
            return {"name": name, "kind": "fixed", "decimals": decimals, **_pack_whole(whole), **missing}
    return {"name": name, "kind": "float64", "data": _squeezed(_planes(filled, 8)), **missing}


def _filled_forward(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """The values, each missing one the same as that before it, so that differences stay small."""
    last = np.maximum.accumulate(np.where(there, np.arange(len(values)), -1))
    return np.where(last < 0, 0.0, values[last])


def _pack_whole(whole: np.ndarray) -> dict[str, Any]:
    """Differences as zigzag numbers (0, -1, 1, -2, ... are 0, 1, 2, 3, ...), byte by byte: all lowest bytes first."""
    steps = np.diff(whole.astype(np.int64), prepend=0)
    zigzag = ((steps << 1) ^ (steps >> 63)).astype("<u8")  # type: ignore[operator]
    width = max(1, (int(zigzag.max(initial=0)).bit_length() + 7) // 8)
    return {"width": width, "data": _squeezed(_planes(zigzag, width))}


def _planes(values: np.ndarray, width: int) -> bytes:
    """The first byte of every value, then the second of every value, and so on."""
    return values.view(np.uint8).reshape(-1, 8)[:, :width].T.tobytes()


def _squeezed(data: bytes) -> str:
    return b64encode(zlib.compress(data, 9)).decode()
