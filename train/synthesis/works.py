"""Work done piece by piece by several processes, which goes on where it was stopped; a piece is whole or not there."""

import io
import json
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from nets.files import write_whole
from tracker.errors import DataError, UsageError
from train.preparing import blocks

KEY = "synth.json"
"""What a folder is made of; nothing else is written into it."""
NOTES = "parts"
"""Folder of the pieces that are done, until all are."""

Open = Callable[[], Any]
"""Opens what a process needs to make pieces (a studio)."""
Make = Callable[[Any, int], bytes]
"""Makes piece number i, writes its files, and returns its note, which is written last."""


writing = partial(blocks.writing, option=" with --resume")
"""Within writing(folder), a failing write is a SinkError in one plain line."""


def begin(folder: Path, key: Mapping[str, Any], resume: bool) -> None:
    """Make the folder, or go on in it; UsageError where it holds something else, or a begun work without `resume`."""
    path, text = folder / KEY, json.dumps(key, indent=2) + "\n"
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            _check_same(folder, path.read_text(encoding="utf-8"), text, resume)
        elif any(folder.iterdir()):
            raise UsageError(f"{folder} holds other files; choose a new or empty folder with --out")
        (folder / NOTES).mkdir(exist_ok=True)
        write_whole(path, text)


def _check_same(folder: Path, old: str, new: str, resume: bool) -> None:
    if old != new:
        raise UsageError(f"{folder} was begun with other settings (see {KEY}); choose another folder with --out")
    if not resume:
        raise UsageError(f"{folder} was begun before; add --resume to go on, or choose another folder with --out")


def do(folder: Path, count: int, open_place: Open, make: Make, workers: int, unit: str) -> list[bytes]:
    """The notes of `count` pieces in order; those that have one already are not made again."""
    left = [i for i in range(count) if not _note(folder, i).is_file()]
    with tqdm(total=count, initial=count - len(left), unit=unit) as bar:
        for _ in _done(folder, left, open_place, make, min(workers, len(left))):
            bar.update()
    with writing(folder):
        return [_note(folder, i).read_bytes() for i in range(count)]


def tidy(folder: Path) -> None:
    """Remove the notes, after all that they say stands elsewhere."""
    with writing(folder):
        shutil.rmtree(folder / NOTES, ignore_errors=True)


def write_picture(path: Path, image: np.ndarray) -> None:
    """A PNG of an image (H, W, 3) uint8 RGB, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coded = cv2.imencode(".png", image[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 6])[1]
    write_whole(path, coded.tobytes())


def packed(**arrays: np.ndarray) -> bytes:
    """Arrays as the bytes of an .npz, the same for the same arrays."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def unpacked(note: bytes) -> dict[str, np.ndarray]:
    """The arrays of packed()."""
    with np.load(io.BytesIO(note), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _note(folder: Path, index: int) -> Path:
    return folder / NOTES / f"{index:06d}.npz"


def _done(folder: Path, left: Sequence[int], open_place: Open, make: Make, workers: int) -> Iterator[None]:
    if workers <= 1:
        place = open_place() if left else None
        for index in left:
            _make(folder, index, place, make)
            yield
        return
    facts = (folder, open_place, make)
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _start, facts)
    try:
        yield from pool.map(_work, left)
    except BrokenProcessPool as error:
        raise DataError(
            "a worker process died, perhaps for want of memory or of a graphics library; run the same command again"
            " with --resume and --workers 1"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _make(folder: Path, index: int, place: Any, make: Make) -> None:
    with writing(folder):
        write_whole(_note(folder, index), make(place, index))


class _Worker:
    """What a worker process keeps from one piece to the next."""

    folder: Path
    place: Any = None
    open_place: Open
    make: Make


def _start(folder: Path, open_place: Open, make: Make) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    _Worker.folder, _Worker.open_place, _Worker.make = folder, staticmethod(open_place), staticmethod(make)


def _work(index: int) -> None:
    if _Worker.place is None:
        _Worker.place = _Worker.open_place()
    _make(_Worker.folder, index, _Worker.place, _Worker.make)
