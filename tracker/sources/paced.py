"""A file played at its own pace, as if it were live."""

from collections.abc import Iterator
from dataclasses import replace

from tracker.config import CaptureOptions, SourceOptions
from tracker.sources import open_reader, open_source
from tracker.sources.readahead import ReadAhead, Reader
from tracker.sources.switch import Switch
from tracker.types import Frame, SourceInfo, SourceReport

USUAL_HZ = 25.0


class PacedFeed:
    """Gives each frame of a video or of pictures when its time, divided by the pace, has come; decodes ahead."""

    def __init__(self, uri: str, options: CaptureOptions, switch: Switch) -> None:
        ahead = SourceOptions(sequence=True, stream=options.stream)
        self._source = ReadAhead(Loop(uri, ahead), ahead.read_ahead) if options.loop else open_source(uri, ahead)
        self._pace = options.pace
        self._switch = switch

    @property
    def info(self) -> SourceInfo:
        """That of the file."""
        return self._source.info

    def frames(self) -> Iterator[Frame]:
        """Every frame, when it is due; `captured` is when it was due, or now where decoding was late."""
        start = None
        for frame in self._source:
            start = frame.time if start is None else start
            captured = self._switch.wait_until((frame.time - start) / self._pace)
            if captured is None:
                return
            yield replace(frame, captured=captured)

    def report(self) -> SourceReport:
        """That of the file."""
        return self._source.report()

    def close(self) -> None:
        """End reading."""
        self._source.close()


class Loop:
    """A reader that begins again at the end of its file: times go on, by the length of one frame between two rounds."""

    def __init__(self, uri: str, options: SourceOptions) -> None:
        self._again = lambda: open_reader(uri, options)
        self._reader: Reader = self._again()
        self.info = replace(self._reader.info, frames=None, duration=None)

    def frames(self) -> Iterator[Frame]:
        """The frames of all rounds; each round's report counts from its own beginning."""
        begin = 0.0
        while True:
            first, last, step = None, begin, 1.0 / (self.info.rate_hz or USUAL_HZ)
            for frame in self._reader.frames():
                first = frame.time if first is None else first
                last = begin + frame.time - first
                yield replace(frame, time=last)
            begin = last + step
            self._reader.close()
            self._reader = self._again()

    def report(self) -> SourceReport:
        """That of the round that goes on."""
        return self._reader.report()

    def close(self) -> None:
        """Close the file."""
        self._reader.close()
