"""What the tracker sees in a set's pictures, MediaPipe's landmarks first of all: looked for once, kept in a file."""

from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
from tqdm import tqdm

from nets.card import find, read_card
from nets.files import write_whole
from tracker.config import DEFAULT_MODEL, TrackerConfig
from tracker.engine import Engine
from tracker.errors import DataError, SinkError
from tracker.faces.landmarks import FaceLandmarker
from tracker.faces.shape import MEDIAPIPE_83
from tracker.types import Frame
from train.synthesis.checking import read_picture, read_set
from train.synthesis.works import packed


class Seen(NamedTuple):
    """What the tracker says of N pictures, each by itself."""

    points: np.ndarray
    """(N, 83, 3) float32, pixels; NaN where no face is found."""
    affect: np.ndarray | None
    """(N, 2) float32: valence and arousal by the model that ships, NaN where no face is seen well; None where that was
    another one when the file was made."""


def find_faces(data: Path, file: Path) -> Seen:
    """What the tracker sees in a set's pictures; from the file, else looked for and kept there.

    DataError where the file holds other pictures or cannot be read; SinkError where it cannot be written.
    """
    paths = [row["path"] for row in read_set(data)[0]]
    if not file.is_file():
        _keep(file, _look(data, paths))
    return _read(file, data, paths)


def _look(data: Path, paths: list[str]) -> dict[str, np.ndarray]:
    """What the file holds."""
    config, mesh = TrackerConfig(faces=1), list(MEDIAPIPE_83.mediapipe)
    points, affect = (np.full((len(paths), *shape), np.nan, np.float32) for shape in ((len(mesh), 3), (2,)))
    with Engine(config=config, landmarker=FaceLandmarker(config, still=True)) as engine:
        for i, path in enumerate(tqdm(paths, "looking", unit="face")):
            engine.reset()
            (tracked,) = engine.step(Frame(read_picture(data / path), 0.0, 0))
            for face, sample in zip(tracked.faces, tracked.samples, strict=True):
                points[i] = face.landmarks[mesh]
                if sample.status == "ok":
                    affect[i] = sample.valence, sample.arousal
        model = np.array(engine.runtime.card.sha256)
    return {"points": points, "affect": affect, "paths": np.array(paths), "model": model}


def _keep(file: Path, arrays: dict[str, np.ndarray]) -> None:
    try:
        write_whole(file, packed(**arrays))
    except OSError as error:
        raise SinkError(f"{file} cannot be written: {error.strerror}; choose another file with --found") from error


def _read(file: Path, data: Path, paths: list[str]) -> Seen:
    try:
        with np.load(file, allow_pickle=False) as archive:
            points, known = archive["points"], archive["paths"].tolist()
            same = "model" in archive and archive["model"].item() == read_card(find(DEFAULT_MODEL)).sha256
            affect = archive["affect"] if same else None
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise DataError(f"{file} holds no found landmarks ({error}); delete it, and they are found again") from error
    if known != paths or len(points) != len(paths) or (affect is not None and len(affect) != len(paths)):
        raise DataError(f"{file} holds landmarks of other pictures than {data}; give another file with --found")
    return Seen(points, affect)
