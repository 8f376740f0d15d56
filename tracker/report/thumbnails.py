"""A small picture of each face of a trace, from the frame in which it was found best."""

import io
from base64 import b64encode
from pathlib import Path

import numpy as np
from PIL import Image

from tracker.config import SourceOptions
from tracker.errors import DataError
from tracker.sources import open_source
from tracker.traces.reading import Trace

SIDE_PX = 96
MARGIN = 0.2
"""Added around a face's box, as a share of its longer side."""
BOX = ("FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight")
MOST = 32
"""The longest of many faces."""


def thumbnails_of(trace: Trace, video: Path, starts_at: float) -> dict[str, str]:
    """A JPEG of each face as a data: address, by the face's id; starts_at is the trace's time at the video's beginning.

    Raises SourceError where the video cannot be read, DataError where the trace has no boxes or the video ends early.
    """
    lacking = [name for name in (*BOX, "confidence") if name not in trace.columns]
    if lacking:
        raise DataError(f"{trace.file} has no column {', '.join(lacking)}; --thumbnails needs the faces' boxes")
    ids, times, sure = (trace.columns[name] for name in ("face_id", "timestamp", "confidence"))
    boxes = np.stack([trace.columns[name] for name in BOX], axis=1)
    faces, counts = np.unique(ids[np.isfinite(ids)], return_counts=True)
    longest = faces[np.argsort(-counts)][:MOST]
    rows = sorted((int(np.where(ids == face, sure, -1.0).argmax()) for face in longest), key=lambda row: times[row])
    pictures: dict[str, str] = {}
    if not rows:
        return pictures
    with open_source(str(video), SourceOptions(start=max(0.0, times[rows[0]] - starts_at - 0.001))) as source:
        for frame in source:
            while rows and frame.time >= times[rows[0]] - starts_at - 1e-4:
                row = rows.pop(0)
                pictures[str(int(ids[row]))] = _picture(frame.image, boxes[row])
            if not rows:
                return pictures
    raise DataError(f"{video} ends before the frames of {trace.file}; expected the video that it was made of")


def _picture(image: np.ndarray, box: np.ndarray) -> str:
    """A square about a box (x, y, width, height, px) of an image (H, W, 3) RGB."""
    x, y, width, height = box.tolist()
    reach = max(width, height) * (0.5 + MARGIN)
    edges = [round(edge) for edge in (x + width / 2 - reach, y + height / 2 - reach)]
    square = Image.fromarray(image).crop((*edges, *(edge + max(1, round(2 * reach)) for edge in edges)))
    data = io.BytesIO()
    square.resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX).save(data, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{b64encode(data.getvalue()).decode()}"
