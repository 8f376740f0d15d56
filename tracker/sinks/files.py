"""Files that bear a temporary name until they are complete; shared by the sinks, standard library only."""

import contextlib
import json
import os
import re
import sys
import uuid
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from tracker.errors import SinkError

JOURNAL = ".arrows"
"""Suffix of a Parquet table's journal: an Arrow IPC stream, which is readable up to wherever it breaks off."""
DRAFT = ".draft"


class Output(Protocol):
    """Where bytes go: a file that is not complete yet, or standard output."""

    def write(self, data: bytes) -> int:
        """Write all of data, or nothing and raise SinkError."""

    def finish(self) -> None:
        """Complete the output and give it its name."""

    def abort(self) -> None:
        """Close the output as it is; never raises, and does nothing after finish."""


def open_output(path: Path | str, first: bytes = b"") -> Output:
    """Standard output for "-", else a PartFile; first is what it begins with, from the moment that it has a name."""
    if str(path) != "-":
        return PartFile(Path(path), first)
    output = StandardOutput()
    output.write(first)
    return output


def part_path(path: Path, number: int = 1) -> Path:
    """The temporary name, which keeps the type: clip.mp4 is clip.part.mp4 until it is complete, or clip.part-2.mp4."""
    return path.with_name(f"{path.stem}.part{'' if number == 1 else f'-{number}'}{path.suffix}")


def parts_of(path: Path) -> list[Path]:
    """What runs that broke off left of an output, or one that goes on is writing."""
    name = re.compile(rf"{re.escape(path.stem)}\.part(-\d+)?{re.escape(path.suffix)}")
    return sorted(each for each in path.parent.iterdir() if name.fullmatch(each.name)) if path.parent.is_dir() else []


def draft_path(path: Path) -> Path:
    """The name of a file that nobody shall see yet; no two are the same."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}{DRAFT}")


def drafts_of(path: Path) -> list[Path]:
    """What killed runs left of an output before it was worth a name, or one that goes on is making."""
    name = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{8}}{re.escape(DRAFT)}")
    return [each for each in path.parent.iterdir() if name.fullmatch(each.name)] if path.parent.is_dir() else []


def write_meta(path: Path | str, meta: dict[str, Any]) -> None:
    """Write meta as indented JSON, atomically; numpy scalars become numbers, anything unknown its text.

    A byte of a file's name that is not UTF-8 becomes a \\udcXX, by which JSON gives the name back.
    """
    text = json.dumps(meta, indent=2, ensure_ascii=False, default=_plain)
    write_whole(Path(path), text.encode("utf-8", "backslashreplace") + b"\n")


def write_whole(path: Path, data: bytes) -> None:
    """Write a file at once, atomically. Raises SinkError."""
    file = PartFile(path, hidden=True)
    try:
        file.write(data)
        file.finish()
    except BaseException:
        file.discard()
        raise


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


class PartFile:
    """A binary file under a temporary name that no other has; finish() gives it its own, abort() leaves it.

    A write that fails (a full disk) is undone, and every later one fails alike: what stays are whole writes.
    A path that is not a regular file (a device, a named pipe) is written directly.
    Raises SinkError wherever the operating system refuses.
    """

    def __init__(self, path: Path, first: bytes = b"", hidden: bool = False) -> None:
        """Open it with what it begins with. A hidden one is a draft until show(): nothing yet that a reader could open.

        A process that is killed meanwhile leaves the draft, which the next run removes.
        """
        self.path = path
        self._hidden = True
        self._direct = path.exists() and not path.is_file()
        self.fault: SinkError | None = None
        """The first write that failed."""
        self._end = 0
        if path.is_dir():
            raise SinkError(f"cannot write {path}: it is a folder; give a file's name")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.part = path if self._direct else draft_path(path)
            self._file = self.part.open("wb" if self._direct else "xb", buffering=0)
        except OSError as error:
            reason = f"{path.parent} is not a folder" if path.parent.is_file() else _reason(error)
            raise SinkError(f"cannot write {path}: {reason}; choose another output folder") from error
        try:
            self.write(first)
            if self._direct or not hidden:
                self.show()
        except SinkError:
            self.discard()
            raise

    @property
    def name(self) -> str:
        """The temporary name."""
        return str(self.part)

    @property
    def closed(self) -> bool:
        """Whether finish or abort was called."""
        return self._file.closed

    def write(self, data: bytes) -> int:
        """Write all of data, or nothing and raise SinkError."""
        if self.fault is not None:
            raise self.fault
        start = 0 if self._direct else self._file.tell()
        try:
            self._write_whole(data)
        except OSError as error:
            self._undo(start)
            raise self._fail(error) from error
        self._end = max(self._end, start + len(data))
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move within what is written; returns the new position."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The position, bytes from the start."""
        return self._file.tell()

    def flush(self) -> None:
        """Nothing to do: each write goes to the operating system at once."""

    def show(self) -> None:
        """Give a hidden file the first temporary name that is free; it goes on being written."""
        if self._hidden and not self._direct:
            try:
                self.part = _shown(self.part, self.path)
            except OSError as error:
                raise self._fail(error) from error
        self._hidden = False

    def finish(self) -> None:
        """Close the file and give it its own name, replacing what bore it; SinkError if a write had failed."""
        if self.fault is not None:
            raise self.fault
        try:
            self._settle()
            if not self._direct:
                self.part.replace(self.path)
        except OSError as error:
            raise self._fail(error) from error
        self._hidden = False

    def abort(self) -> None:
        """Close the file and leave it under its temporary name."""
        self._close()
        with contextlib.suppress(SinkError):
            self.show()

    def discard(self) -> None:
        """Close the file and remove it."""
        self._close()
        self._hidden = False
        if not self._direct:
            self.part.unlink(missing_ok=True)

    def _write_whole(self, data: bytes) -> None:
        rest = memoryview(data)
        while len(rest):
            rest = rest[self._file.write(rest) :]

    def _undo(self, start: int) -> None:
        if not self._direct and start >= self._end:
            self._file.truncate(start)

    def _close(self) -> None:
        if not self.closed:
            with contextlib.suppress(OSError):
                self._settle()
            self._file.close()

    def _settle(self) -> None:
        """Wait until the disk has all, close."""
        if not self._direct:
            self._file.truncate(self._end)
            os.fsync(self._file.fileno())
        self._file.close()

    def _fail(self, error: OSError) -> SinkError:
        self.fault = SinkError(self._told(error))
        return self.fault

    def _told(self, error: OSError) -> str:
        kept = "" if self._direct or self._hidden else f"; what was written so far is in {self.part}"
        return f"cannot write {self.path}: {_reason(error)}{kept}"


def _shown(draft: Path, path: Path) -> Path:
    """The first temporary name of path that is free, now the draft's."""
    for part in (part_path(path, number) for number in count(1)):
        try:
            os.link(draft, part)
        except FileExistsError:
            continue
        except OSError:  # a file system without hard links
            if part.exists():
                continue
            draft.rename(part)
            return part
        draft.unlink()
        return part
    raise AssertionError("numbers do not end")


class StandardOutput:
    """Standard output, flushed at each write; a reader that closed its end is a SinkError."""

    def write(self, data: bytes) -> int:
        """Write and flush data, UTF-8 text."""
        if sys.stdout is None:
            raise SinkError("standard output is closed; open it, or give --jsonl a file")
        try:
            sys.stdout.write(data.decode())
            sys.stdout.flush()
        except BrokenPipeError as error:
            _silence_stdout()
            raise SinkError("standard output was closed by its reader; stopped") from error
        except OSError as error:
            _silence_stdout()
            raise SinkError(f"cannot write to standard output: {_reason(error)}") from error
        return len(data)

    def finish(self) -> None:
        """Nothing to do: each write was flushed."""

    def abort(self) -> None:
        """Nothing to do: each write was flushed."""


def _silence_stdout() -> None:
    """Send what the interpreter still holds for standard output nowhere, so that it ends without a second error."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
