"""Aff-Wild2 (Kollias and Zafeiriou 2019), as the ABAW challenges hand it out.

Beneath ROOT, at any depth: VA_Estimation_Challenge/Train_Set/NAME.txt (also Validation_Set, Test_Set; VA_Set in the
older ones), a first line "valence,arousal", then a line a frame, -5 where there is no label; and the frames: NAME.mp4
or NAME.avi, or cropped_aligned/NAME/00001.jpg (counted from 1, faces cut out at 112 px). NAME_left and NAME_right are
two people in the video NAME; their cropped frames are preferred to it, and where only the video is there, the largest
face in that half of the picture is taken (our reading of the names). Cropped frames carry no time: without their
video they count as 30 a second. The files name no person: each NAME is a subject of its own.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from tracker.errors import DataError, SourceError
from tracker.sources import open_source
from train.datasets.parts import Listing, Part, checked, number, require_pictures
from train.datasets.shots import PictureFiles, VideoFrames
from train.prepared import SPLITS, LabelScale

SCALE = LabelScale()
ABSENT = -5.0
RATE_HZ = 30.0
VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm")
CROPPED = ("cropped_aligned", "cropped")
FOLDERS = {"Train_Set": "train", "Validation_Set": "validation", "Test_Set": "test"}
EXPECTED = (
    "VA_Estimation_Challenge/Train_Set/NAME.txt and Validation_Set/NAME.txt, with NAME.mp4 or"
    " cropped_aligned/NAME/00001.jpg (Aff-Wild2)"
)


@dataclass
class _Files:
    """What lies beneath ROOT."""

    labels: list[tuple[Path, str]] = field(default_factory=list)
    """Annotation files and their splits."""
    videos: dict[str, Path] = field(default_factory=dict)
    cropped: list[Path] = field(default_factory=list)


def read(root: Path, scale: LabelScale = SCALE) -> Listing:
    """Every annotated person; DataError where the layout is another, a label is wrong, or no frame is there."""
    files = _files_of(root)
    if not files.labels:
        raise DataError(f"{root} holds no annotation of Aff-Wild2; expected {EXPECTED}")
    parts = [_part_of(path, split, scale, files) for path, split in files.labels]
    require_pictures(_paths_of(parts), EXPECTED)
    return Listing(parts)


def _files_of(root: Path) -> _Files:
    files = _Files()
    for name, inner, names in os.walk(root):
        folder = Path(name)
        files.cropped += [folder / each for each in inner if each in CROPPED]
        inner[:] = sorted(each for each in inner if each not in CROPPED)
        if folder.name in FOLDERS and folder.parent.name.startswith("VA_"):
            files.labels += [(folder / each, FOLDERS[folder.name]) for each in sorted(names) if each.endswith(".txt")]
        for each in sorted(names):
            if Path(each).suffix.lower() in VIDEOS:
                files.videos.setdefault(Path(each).stem, folder / each)
    return files


def _part_of(path: Path, split: str, scale: LabelScale, files: _Files) -> Part:
    name, side = path.stem, _side_of(path.stem)
    labels = checked(_labels_of(path), scale, lambda row: f"{path}, frame {row}", ABSENT)
    video = files.videos.get(name) or files.videos.get(name.removesuffix(f"_{side}"))
    frames = next((folder / name for folder in files.cropped if (folder / name).is_dir()), None)
    kind = np.full(len(labels), SPLITS[split], np.uint8)
    if frames is not None and (side or video is None):
        rate = _rate_of(video)
        paths = tuple(frames / f"{row + 1:05d}.jpg" for row in range(len(labels)))
        pictures = PictureFiles(paths, tuple(row / rate for row in range(len(labels))))
        return Part(pictures, labels, (name,), (name,), kind, still=True)
    seen = VideoFrames(video or path.with_suffix(".mp4"), range(len(labels)))
    return Part(seen, labels, (name,), (name,), kind, side=side)


def _side_of(name: str) -> Literal["", "left", "right"]:
    return "left" if name.endswith("_left") else "right" if name.endswith("_right") else ""


def _labels_of(path: Path) -> np.ndarray:
    """(T, 2) as the file has them; DataError where a line is not two numbers."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if not lines or lines[0].replace(" ", "").lower() != "valence,arousal":
        raise DataError(f"{path} begins with {lines[0][:40] if lines else 'nothing'}; expected valence,arousal")
    rows = [line.split(",") for line in lines[1:] if line.strip()]
    if not rows:
        raise DataError(f"{path} has no line below its first; expected one a frame")
    for row, cells in enumerate(rows):
        if len(cells) != 2:
            raise DataError(f"{path}, frame {row}: {','.join(cells)[:40]}; expected valence,arousal")
    return np.array([[number(cell, f"{path}, frame {row}") for cell in cells] for row, cells in enumerate(rows)])


def _rate_of(video: Path | None) -> float:
    """Frames a second as the video says."""
    try:
        if video is not None:
            with open_source(str(video)) as source:
                return source.info.rate_hz or RATE_HZ
    except SourceError:
        pass
    return RATE_HZ


def _paths_of(parts: list[Part]) -> Iterator[Path]:
    for part in parts:
        if isinstance(part.pictures, PictureFiles):
            yield from part.pictures.paths
        elif isinstance(part.pictures, VideoFrames):
            yield part.pictures.path
