"""A source read ahead by a thread of its own."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from types import TracebackType
from typing import Protocol

from tracker.ahead import Ahead
from tracker.errors import SourceError
from tracker.types import Frame, SourceInfo, SourceReport

JOIN_S = 2.0
MAX_BYTES = 256 << 20


class Reader(Protocol):
    """What reads one medium, in one thread at a time."""

    info: SourceInfo

    def frames(self) -> Iterator[Frame]: ...

    def report(self) -> SourceReport: ...

    def close(self) -> None: ...


class ReadAhead:
    """A source over a reader: at most `depth` frames (and about 256 MB of them) wait between its thread and the user.

    The thread ends with the iteration, with close(), or with its own error, which is raised where the frames are used.
    """

    def __init__(self, reader: Reader, depth: int) -> None:
        self._reader = reader
        frame_bytes = 3 * reader.info.width * reader.info.height
        self._depth = max(1, min(depth, MAX_BYTES // max(frame_bytes, 1)))
        self._ahead: Ahead[Frame] | None = None
        self._used = self._closed = False
        self._yielded = 0
        self._ended = False

    @property
    def info(self) -> SourceInfo:
        """What the source knows of itself before its first frame."""
        return self._reader.info

    def report(self) -> SourceReport:
        """What has been read until now; final after the last frame."""
        report = self._reader.report()
        return replace(report, decoded=self._yielded, complete=report.complete and self._ended)

    def close(self) -> None:
        """End the thread and close the medium; may be called at any time, more than once."""
        self._closed = True
        if self._ahead is None:
            self._reader.close()
        else:
            self._ahead.close()

    def __enter__(self) -> "ReadAhead":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __iter__(self) -> Iterator[Frame]:
        """Frames in order of time, once; raises SourceError where the source was read or closed before."""
        if self._used or self._closed:
            raise SourceError(f"{self.info.uri} was read or closed already; open it again")
        self._used = True
        return self._take()

    def _take(self) -> Iterator[Frame]:
        self._ahead = Ahead(self._read(), self._depth, "read-ahead", JOIN_S)
        try:
            for frame in self._ahead:
                self._yielded += 1
                yield frame
            self._ended = not self._closed
        finally:
            self.close()

    def _read(self) -> Iterator[Frame]:
        """The reader's frames; it is closed in the thread that reads."""
        try:
            with closing(self._reader.frames()) as frames:  # type: ignore[type-var]
                yield from frames
        finally:
            self._reader.close()
