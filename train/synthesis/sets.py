"""`affect synth set`: pictures of known persons, expressions and degrees, with their landmarks and a table."""

import csv
import hashlib
import io
import json
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from nets.files import write_whole
from train.synthesis.anatomy import LANDMARKS
from train.synthesis.config import SetConfig
from train.synthesis.expressions import DEGREES, EXPRESSIONS, PLACES, units_of
from train.synthesis.protocol import Picture, attitude_of, person_of, pictures_of, scene_of, splits_of
from train.synthesis.works import Open, begin, do, packed, tidy, unpacked, write_picture, writing

NAME = "synthetic faces"
TABLE, POINTS, MANIFEST = "table.csv", "landmarks.npz", "set.json"
COLUMNS = ("path", "subject", "valence", "arousal", "expression", "degree", "split", "yaw", "pitch", "roll")


@dataclass(frozen=True)
class Maker:
    """Makes one person's pictures; goes to the worker processes."""

    folder: Path
    config: SetConfig

    def __call__(self, studio: Any, index: int) -> bytes:
        """Write the pictures of person number `index`; the note holds landmarks, turns and the pictures' SHA-256."""
        person, scene = person_of(self.config, index), scene_of(self.config, index)
        points, pixels, turns, digests = [], [], [], []
        for picture in pictures_of(self.config, index):
            attitude = attitude_of(self.config, picture, studio.action_names)
            portrait = studio.take(person, scene, attitude)
            write_picture(self.folder / picture.path, portrait.image)
            points.append(portrait.points)
            pixels.append(portrait.pixels)
            turns.append(attitude.turn)
            digests.append(hashlib.sha256(portrait.image.tobytes()).hexdigest())
        return packed(points=np.stack(points), pixels=np.stack(pixels), turns=np.array(turns, np.float32),
                      digests=np.array(digests))  # fmt: skip


def open_studio(size: int) -> Any:
    """A Studio, opened in the process that calls."""
    from train.synthesis.studio import Studio

    return Studio(size)


def make_set(
    out: Path, config: SetConfig, workers: int = 2, resume: bool = False, studio: Open | None = None
) -> dict[str, Any]:
    """Write a set and return its manifest, set.json, which is written last.

    UsageError: an expression is not in the table, or `out` holds something else; SinkError: it cannot be written.
    """
    for name in config.expressions:
        units_of(name)
    begin(out, {"name": NAME, "settings": config.card()}, resume)
    manifest = out / MANIFEST
    if not manifest.is_file():
        open_place = studio or partial(open_studio, config.size)
        notes = do(out, config.persons, open_place, Maker(out, config), workers, "person")
        _finish(out, config, [unpacked(note) for note in notes])
    tidy(out)
    return json.loads(manifest.read_text(encoding="utf-8"))


def _finish(out: Path, config: SetConfig, notes: list[dict[str, np.ndarray]]) -> None:
    pictures = [picture for person in range(config.persons) for picture in pictures_of(config, person)]
    columns = {name: np.concatenate([note[name] for note in notes]) for name in notes[0]}
    digest = hashlib.sha256("".join(columns.pop("digests").tolist()).encode()).hexdigest()
    rows = [_row(config, picture, turn) for picture, turn in zip(pictures, columns["turns"], strict=True)]
    with writing(out):
        write_whole(out / TABLE, table_text(COLUMNS, rows))
        write_whole(out / POINTS, packed(
            **columns, paths=np.array([picture.path for picture in pictures]), **landmark_columns()))  # fmt: skip
        write_whole(out / MANIFEST, json.dumps(_manifest(config, pictures, digest), indent=2) + "\n")


def landmark_columns() -> dict[str, np.ndarray]:
    """What the rows of landmarks are: their regions, MediaPipe's indices and MakeHuman's vertices."""
    return {
        "mediapipe": np.array([point.mediapipe for point in LANDMARKS]),
        "vertices": np.array([point.vertex for point in LANDMARKS]),
        "regions": np.array([point.region for point in LANDMARKS]),
    }


def table_text(columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    """A CSV."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return buffer.getvalue()


def _row(config: SetConfig, picture: Picture, turn: np.ndarray) -> tuple[Any, ...]:
    valence, arousal = picture.affect
    split = splits_of(config.persons, config.seed)[picture.person]
    subject = f"person-{picture.person:03d}"
    degrees = tuple(f"{value:.2f}" for value in turn.tolist())
    return (
        picture.path,
        subject,
        f"{valence:.4f}",
        f"{arousal:.4f}",
        picture.expression,
        picture.degree,
        split,
        *degrees,
    )


def _manifest(config: SetConfig, pictures: list[Picture], digest: str) -> dict[str, Any]:
    splits, names = splits_of(config.persons, config.seed), ("neutral", *config.expressions)
    return {
        "name": NAME,
        "settings": config.card(),
        "pictures": len(pictures),
        "persons": {split: splits.count(split) for split in ("train", "validation", "test")},
        "sha256_of_pixels": digest,
        "degrees": list(DEGREES),
        "action_units": {name: {str(unit): share for unit, share in EXPRESSIONS[name].items()} for name in names},
        "affect": {name: PLACES[name] for name in names},
        "landmarks": "landmarks.npz: points (N, 83, 3) m, pixels (N, 83, 2), turns (N, 3) degrees; mediapipe (83,)",
        "made_with": made_with(),
    }


def made_with() -> dict[str, str]:
    """Releases of the packages that decide the pixels, where they are installed."""
    from importlib.metadata import PackageNotFoundError

    found = {}
    for package in ("anny", "pyvista", "vtk", "numpy", "opencv-contrib-python"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
