"""The manifest of a run: a line of JSON for each source that came to its end, added by any number of processes.

The first line tells what run it is. A process that was killed leaves at most a line that breaks off, which readers
pass over; of several lines for one source the last holds.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

import tracker
from tracker.config import BatchConfig
from tracker.errors import SinkError, UsageError
from tracker.outputs import Job, Sheet, private, read_sheet, settings
from tracker.sheets import Outcome
from tracker.sources import find_pictures

try:
    import fcntl
except ImportError:  # Windows, where an added line is whole too
    fcntl = None  # type: ignore[assignment]

FORM = 1
"""Of what a manifest says, for those who read it."""
TOLD = 3
"""Differences between two runs that are named."""


def begin_manifest(path: Path, config: BatchConfig, models: Mapping[str, str], sources: int) -> None:
    """Write the first line of a manifest, or see that it is this run's.

    sources is their number in all shards; a later call that finds another number notes it in a line of its own.
    Raises UsageError for a file that is none and for the manifest of another run, SinkError where it cannot be written.
    """
    folder = str(Path(config.output.folder).resolve())
    run = {"folder": private(folder), "models": dict(models), "options": settings(config)}
    with _opened(path) as file:
        begun = _runs(file)
        if not begun:
            if file.seek(0, os.SEEK_END):
                raise UsageError(f"{path} is no manifest, and nothing is added to it; give --manifest another file")
            _add(path, file, [{"manifest": FORM, "version": tracker.__version__, **run, "sources": sources}])
            return
        was, now = _flat(begun), _flat(run)
        names = sorted(name for name in was | now if name.partition(".")[0] in run)
        other = [name for name in names if was.get(name) != now.get(name)]
        if other:
            told = ", ".join(f"{name} {was.get(name)}, here {now.get(name)}" for name in other[:TOLD])
            raise UsageError(f"{path} is the manifest of another run ({told}); give --manifest another file")
        if begun.get("sources") != sources:
            _add(path, file, [{"sources": sources}])


def add_lines(path: Path, lines: Iterable[Mapping[str, Any]], unless_there: bool = False) -> None:
    """Add lines of sources, whole or not at all; unless_there: those alone whose source has none. Raises SinkError."""
    with _opened(path) as file:
        there = _lines(file).keys() if unless_there else ()
        _add(path, file, [line for line in lines if line["source"] not in there])


def read_manifest(path: Path) -> tuple[Sheet, dict[str, Sheet]]:
    """What run it is, with the number of its sources, and the last line of each source by the source.

    Raises UsageError for a file that is not there or is no manifest.
    """
    try:
        with path.open("rb") as file:
            run, lines = _runs(file), _lines(file)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from error
    if not run:
        raise UsageError(f"{path} is no manifest; expected what `affect track --manifest` writes")
    return run, lines


def line_of(outcome: Outcome, job: Job | None = None, config: BatchConfig | None = None) -> dict[str, Any]:
    """The line of a source; with its job, what the sheet tells of it, and SHA-256 of the source and its outputs.

    Several pictures have the SHA-256 of what sha256sum tells of them, in their order.
    """
    sheet = read_sheet(job.sheet) if job else {}
    told = sheet if "version" in sheet and outcome.state in ("skipped", "done", "truncated", "failed") else {}
    state = told.get("state", "done" if told.get("complete") else outcome.state)
    digests: dict[str, str | None] = {}
    if job and config:
        paths = job.outputs(config.output) if told and state in ("done", "truncated") else {}
        files = {kind: Path(path) for kind, path in paths.items() if Path(path).is_file() or Path(path).is_dir()}
        digests = {"source": _digest_of_source(job.uri)} | {kind: digest_of(path) for kind, path in files.items()}
    line = {
        "source": source_key(job) if job else outcome.uri,
        "state": state,
        "output": outcome.output or (str(job.folder / job.stem) if job else ""),
        "rows": told.get("rows", outcome.rows),
        "faces": told.get("faces_seen", outcome.faces),
        "seconds": told.get("seconds", outcome.seconds),
        "tries": told.get("tries", outcome.tries),
        "sha256": digests,
        "detail": "; ".join(told.get("warnings", [])) or outcome.detail,
    }
    return private(line)


def source_key(job: Job) -> str:
    """What the manifest calls a source: its absolute path, ~ for the home folder, or its address as it may be shown."""
    return job.source["path"] or job.name


def digest_of(path: Path) -> str:
    """SHA-256 of a file; of a folder, that of what sha256sum tells of the files in it."""
    if path.is_dir():
        return _digest_of_files(sorted(each for each in path.iterdir() if each.is_file()))
    digest = sha256()
    with path.open("rb") as file:
        while data := file.read(1 << 20):
            digest.update(data)
    return digest.hexdigest()


def _digest_of_source(uri: str) -> str | None:
    files = [Path(each) for each in find_pictures(uri) or [uri]]
    if not all(each.is_file() for each in files):
        return None
    return digest_of(files[0]) if len(files) == 1 else _digest_of_files(files)


def _digest_of_files(files: Iterable[Path]) -> str:
    return sha256("".join(f"{digest_of(file)}  {file.name}\n" for file in files).encode(errors="replace")).hexdigest()


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The file, made where it is missing, which no other process of these functions has meanwhile."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b", buffering=0) as file:
            if fcntl:
                with suppress(OSError):  # where a file system has no locks, added lines are whole nevertheless
                    fcntl.flock(file, fcntl.LOCK_EX)
            yield file  # type: ignore[misc]
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SinkError(f"cannot write {path}: {reason}; give --manifest another file") from error


def _add(path: Path, file: BinaryIO, lines: Iterable[Mapping[str, Any]]) -> None:
    """Add lines behind what is there, in one piece; a line that a killed process left half is ended first."""
    text = "".join(json.dumps(line) + "\n" for line in lines).encode()
    end = file.seek(0, os.SEEK_END)
    if not text:
        return
    if end:
        file.seek(-1, os.SEEK_END)
        text = text if file.read(1) == b"\n" else b"\n" + text
    if file.write(text) != len(text):
        file.truncate(end)
        raise SinkError(f"cannot write {path}: no space left on device; what is complete is noted by the next run")
    os.fsync(file.fileno())


def _each(file: BinaryIO) -> Iterator[Sheet]:
    """The whole lines."""
    file.seek(0)
    for line in file.read().splitlines():
        try:
            told = json.loads(line)
        except ValueError:
            continue
        if isinstance(told, dict):
            yield told


def _runs(file: BinaryIO) -> Sheet:
    """What the manifest says of its run; nothing where it is none."""
    lines = _each(file)
    run = next(lines, {})
    if run.get("manifest") != FORM:
        return {}
    for line in lines:
        if "source" not in line:
            run |= line
    return run


def _lines(file: BinaryIO) -> dict[str, Sheet]:
    return {line["source"]: line for line in _each(file) if "source" in line}


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    """The leaves of nested tables by their dotted names."""
    if not isinstance(value, dict):
        return {name: value}
    leaves: dict[str, Any] = {}
    for key, inner in value.items():
        leaves |= _flat(inner, f"{name}.{key}" if name else key)
    return leaves
