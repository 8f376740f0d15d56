"""Arrays as the frames that the tracker takes."""

from typing import Any

import numpy as np

from tracker.errors import UsageError

COLORS = ("bgr", "rgb")


def as_rgb(picture: Any, color: str | None) -> np.ndarray:
    """(H, W, 3) uint8 RGB of an array (H, W, 3) uint8 whose order of colours is named. Raises UsageError."""
    if not isinstance(picture, np.ndarray):
        raise UsageError(f"a picture is of type {type(picture).__name__}; expected a numpy array (H, W, 3) uint8")
    shape = " x ".join(map(str, picture.shape))
    if picture.ndim == 2 or (picture.ndim == 3 and picture.shape[2] == 1):
        raise UsageError(f"a picture is grey ({shape}); expected (H, W, 3): cv2.cvtColor(it, cv2.COLOR_GRAY2BGR)")
    if picture.ndim == 3 and picture.shape[2] == 4:
        raise UsageError(f"a picture has four channels ({shape}); expected three: leave alpha out with it[..., :3]")
    if picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise UsageError(f"a picture has the shape {shape}; expected (H, W, 3)")
    if picture.dtype != np.uint8:
        raise UsageError(
            f"a picture is of {picture.dtype}; expected uint8, levels from 0 to 255: of shares from 0 to 1, "
            '(255 * it).astype("uint8")'
        )
    if color not in COLORS:
        got = "" if color is None else f"color is {color!r}; "
        raise UsageError(
            f'{got}the order of an array\'s colours has to be named: color="bgr" for what OpenCV reads, color="rgb" '
            "for Pillow, imageio and the like"
        )
    return np.ascontiguousarray(picture[..., ::-1]) if color == "bgr" else picture
