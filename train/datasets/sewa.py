"""SEWA DB (Kossaifi et al. 2019): people watching adverts and talking of them in a video chat, labelled all the time.

Read beneath ROOT, at any depth: a video NAME.avi (or .mp4) such as SSL_C2_S055_P109_VC1_004803_005542.avi, and with it
NAME_Valence_AV_Aligned.csv and NAME_Arousal_AV_Aligned.csv: what raters of sound and picture said; V in place of AV
stands for the picture alone, A for the sound alone. The value is the column named valence or arousal, or the last one
where no line of names comes first. A column time, timestamp or seconds is used where there is one; else it is a row a
video frame where the video has (within 1 %) as many, and rows spread evenly over the video where it has not. P109 in
the name is the subject.

Not verified, because we do not hold SEWA: the names come from its web site and
from public code that reads it; that it is a row a video frame is our guess from the names (first and last frame).
Nor is the range: the authors of ANCLaF bin it on [0, 1], so that is the default, while the errors that they print, and
other readers of the files, suggest [-1, 1]. A label below 0 ends the reading with a line that says so.
"""

import csv
import re
from pathlib import Path

import numpy as np

from tracker.errors import DataError, SourceError
from tracker.sources import open_source
from train.datasets.parts import AXES, Listing, Part, checked, number, walk_files
from train.datasets.shots import VideoFrames
from train.prepared import LabelScale

SCALE = LabelScale(0.0, 1.0, 0.5)
RATINGS = ("AV", "V", "A")
TIMES = ("time", "timestamp", "seconds")
EXPECTED = "videos NAME.avi with NAME_Valence_AV_Aligned.csv and NAME_Arousal_AV_Aligned.csv (SEWA)"


def read(root: Path, scale: LabelScale = SCALE, rating: str = RATINGS[0]) -> Listing:
    """Every video with labels of both axes, by raters of sound and picture (AV), picture (V) or sound (A)."""
    videos, tables = walk_files(root, (".avi", ".mp4", ".mkv")), walk_files(root, (".csv",))
    ends = [f"_{axis.title()}_{rating}_Aligned" for axis in AXES]
    named = {name: (tables.get(name + ends[0]), tables.get(name + ends[1])) for name in videos}
    both = {name: (valence, arousal) for name, (valence, arousal) in named.items() if valence and arousal}
    if not both:
        expected = EXPECTED.replace("_AV_", f"_{rating}_")
        raise DataError(f"{root} holds no video of SEWA with its labels; expected {expected}")
    counts = {
        "videos without annotation": len(videos) - len(both),
        "annotations without video": sum(name.endswith(ends[0]) for name in tables) - len(both),
    }
    return Listing([_part_of(videos[name], *both[name], scale) for name in both], counts)


def _part_of(video: Path, valence: Path, arousal: Path, scale: LabelScale) -> Part:
    traces = [_trace_of(path, axis) for path, axis in zip((valence, arousal), AXES, strict=True)]
    frames, rate = _length_of(video, len(traces[0][0]))
    labels = [_on_frames(values, times, frames, rate) for values, times in traces]
    if len(labels[0]) != len(labels[1]):
        raise DataError(f"{valence} has {len(labels[0])} rows, {arousal.name} has {len(labels[1])}; expected as many")
    person = re.search(r"(?:^|_)(P\d+)(?:_|$)", video.stem)
    return Part(
        VideoFrames(video, range(len(labels[0]))),
        checked(np.stack(labels, axis=1), scale, lambda row: f"{valence} and {arousal.name}, frame {row}"),
        (video.stem,),
        (person[1] if person else video.stem,),
        still=len(labels[0]) == 1,
    )


def _trace_of(path: Path, axis: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Values (R,) and, where the file has them, their times (R,) in seconds."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        rows = [row for row in csv.reader(text.splitlines(), delimiter=";" if ";" in text else ",") if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as a CSV: {error}") from error
    names = [cell.strip().lower() for cell in rows[0]] if rows else []
    named = any(re.search("[a-z]", name) and name != "nan" for name in names)
    if len(rows) <= named:
        raise DataError(f"{path} has no row of labels; expected one a frame")
    at = names.index(axis) if axis in names else -1
    clock = next((i for i, name in enumerate(names) if name in TIMES), None)
    return _column(path, rows[named:], at), None if clock is None else _column(path, rows[named:], clock)


def _column(path: Path, rows: list[list[str]], at: int) -> np.ndarray:
    return np.array([number(row[at] if at < len(row) else "", f"{path}, frame {i}") for i, row in enumerate(rows)])


def _length_of(video: Path, rows: int) -> tuple[int, float | None]:
    """Frames that the video declares (the number of labels where it does not, or is damaged) and frames a second."""
    try:
        with open_source(str(video)) as source:
            return source.info.frames or rows, source.info.rate_hz
    except SourceError:
        return rows, None


def _on_frames(values: np.ndarray, times: np.ndarray | None, frames: int, rate_hz: float | None) -> np.ndarray:
    """The trace's value at each frame of the video: (T,); NaN beyond the times."""
    if times is not None and rate_hz:
        return np.interp(np.arange(frames) / rate_hz, times, values, left=np.nan, right=np.nan)
    if abs(len(values) - frames) <= max(2, len(values) // 100):
        return values
    return values[((np.arange(frames) + 0.5) * len(values) / frames).astype(int)]
