"""What is done of a preparation: rows written in place, and a note beside them for each part that is whole."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from nets.files import write_whole
from tracker.errors import SinkError, UsageError
from tracker.faces.align import Template
from train.datasets.parts import Listing
from train.prepared import LabelScale

NOTES = "parts"
"""Folder of the notes, beside crops.npy, until all is done."""
KEY = "prepare.json"
"""What a folder is made of; another preparation does not write into it."""


@dataclass(frozen=True)
class Note:
    """What became of the T rows of one part."""

    found: np.ndarray
    """(T,) bool."""
    time: np.ndarray
    """(T,) float64 seconds."""
    missing: tuple[str, ...] = ()
    """Pictures that are not there."""
    corrupt: tuple[str, ...] = ()
    """Pictures that cannot be read."""
    left_out: int = 0
    """Frames of the video without annotation, which are no rows."""

    def write(self, path: Path) -> None:
        """Whole or not at all."""
        temporary = path.with_suffix(".new")
        facts = {"missing": self.missing, "corrupt": self.corrupt, "left_out": self.left_out}
        with temporary.open("wb") as file:
            np.savez(file, found=self.found, time=self.time, facts=np.array(json.dumps(facts)))
        temporary.replace(path)

    @classmethod
    def read(cls, path: Path) -> "Note":
        """The note in a file; OSError where there is none, ValueError where it is damaged."""
        with np.load(path, allow_pickle=False) as archive:
            facts = json.loads(str(archive["facts"]))
            found, time = archive["found"], archive["time"]
        return cls(found, time, tuple(facts["missing"]), tuple(facts["corrupt"]), facts["left_out"])


class Rows:
    """Writes rows of an .npy file in place. A full disk raises OSError here; in a memory map it would kill the process.

    Context manager; what was put is in the file after it.
    """

    def __init__(self, path: Path) -> None:
        rows = np.load(path, mmap_mode="r")
        self._start, self._stride = rows.offset, rows.strides[0]
        self._shape, self._kind = rows.shape[1:], rows.dtype
        self._path = path

    def __enter__(self) -> "Rows":
        self._file = self._path.open("r+b", buffering=1 << 20)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def put(self, row: int, values: np.ndarray) -> None:
        """Write one row."""
        if values.shape != self._shape or values.dtype != self._kind:
            raise ValueError(f"got {values.shape} {values.dtype}; expected {self._shape} {self._kind}")
        self._file.seek(self._start + row * self._stride)
        self._file.write(np.ascontiguousarray(values).data)


@contextmanager
def writing(folder: Path, option: str = "") -> Iterator[None]:
    """Within, a failing write into the folder is a SinkError in one plain line; option: what makes a command go on."""
    try:
        yield
    except OSError as error:
        raise SinkError(
            f"{folder} cannot be written: {error.strerror or error}; free space and run the same command again{option},"
            " which goes on where it stopped, or choose another folder with --out"
        ) from error


def key_of(name: str, template: Template, scale: LabelScale, listing: Listing) -> dict[str, Any]:
    """What tells one preparation from another."""
    digest = hashlib.sha256(str(listing.faces).encode() + ",".join(listing.classes).encode())
    for part in listing.parts:
        arrays = {"labels": part.labels, "boxes": part.boxes, "split": part.split, **part.extra}
        digest.update(repr((part.pictures, part.clips, part.subjects, part.side, part.still)).encode())
        for column, values in arrays.items():
            digest.update(column.encode() + (b"" if values is None else np.ascontiguousarray(values).tobytes()))
    crop = {**template.card(), "margin": template.margin}
    return {"name": name, "template": crop, "scale": asdict(scale), "listing": digest.hexdigest()}


def claim(folder: Path, key: Mapping[str, Any]) -> None:
    """Make the folder, or go on in it; UsageError where it holds another preparation."""
    path = folder / KEY
    text = json.dumps(key, indent=2) + "\n"
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            _check_same(folder, path.read_text(encoding="utf-8"), text)
        elif any(folder.iterdir()):
            raise UsageError(f"{folder} holds other files; choose a new or empty folder with --out")
        (folder / NOTES).mkdir(exist_ok=True)
        write_whole(path, text)


def _check_same(folder: Path, old: str, new: str) -> None:
    if old == new:
        return
    try:
        before, now = json.loads(old), json.loads(new)
        parts = [key for key in now if before.get(key) != now[key]]
    except (ValueError, AttributeError):
        parts = [KEY]
    told = {"listing": "files or labels", "scale": "label range", "template": "crops", "name": "data set"}
    raise UsageError(
        f"{folder} holds another preparation: its {' and '.join(told.get(part, part) for part in parts)} differ;"
        " choose another folder with --out, or delete it"
    )
