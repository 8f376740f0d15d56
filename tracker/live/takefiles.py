"""The files of a take: written side by side, each whole under its own name, whatever becomes of another."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from tracker.config import LiveConfig
from tracker.errors import SinkError
from tracker.faults import plain_line
from tracker.outputs import STDOUT, TAKE_SUFFIXES, Job
from tracker.sinks import Sink, SinkContext, open_sink, part_path
from tracker.sinks.events import EventLog
from tracker.types import Event, TrackedFrame


def take_paths(job: Job, config: LiveConfig) -> dict[str, Path]:
    """The path of each file of a take, by its kind: those of `affect track`, the video itself, the events."""
    jsonl = None if config.output.jsonl == STDOUT else config.output.jsonl
    paths = {kind: Path(path) for kind, path in job.outputs(replace(config.output, jsonl=jsonl)).items()}
    video = ["lossless" if config.lossless else "picture"] if config.picture else []
    return paths | {kind: job.folder / f"{job.stem}{TAKE_SUFFIXES[kind]}" for kind in [*video, "events"]}


class TakeFiles:
    """The sinks of a take and its events, at the paths of take_paths(); none is left where one cannot be opened."""

    def __init__(self, paths: dict[str, Path], context: SinkContext) -> None:
        self._paths = paths
        self._sinks: dict[str, Sink] = {}
        self._events = EventLog(paths["events"], context.columns)
        try:
            for kind in [kind for kind in paths if kind != "events"]:
                self._sinks[kind] = open_sink(kind, paths[kind], context)
        except BaseException:
            self.discard()
            raise

    def write(self, tracked: TrackedFrame) -> None:
        """Add a frame. Raises SinkError."""
        with self._own_names():
            for sink in self._sinks.values():
                sink.write(tracked)

    def mark(self, event: Event) -> None:
        """Add an event. Raises SinkError."""
        with self._own_names():
            self._events.write(event)

    def settle(self) -> list[str]:
        """Complete every file, or keep what was written of it; what went wrong, in plain lines."""
        lines = (self._settle(output, self._paths[kind]) for kind, output in self._outputs())
        return [line for line in lines if line]

    def discard(self) -> None:
        """Leave nothing."""
        for _, output in self._outputs():
            output.abort()
        for path in self._paths.values():
            with suppress(OSError):
                part_path(path).unlink(missing_ok=True)

    @property
    def kept(self) -> dict[str, Path | str]:
        """The files that are there, by kind."""
        return {kind: path for kind, path in self._paths.items() if path.exists()}

    def _outputs(self) -> list[tuple[str, Sink | EventLog]]:
        return [*self._sinks.items(), ("events", self._events)]

    def _settle(self, output: Sink | EventLog, path: Path) -> str:
        try:
            with self._own_names():
                output.finish()
        except Exception as error:
            output.abort()
            with suppress(OSError):
                _keep(path)
            return plain_line(error)
        return ""

    @contextmanager
    def _own_names(self) -> Iterator[None]:
        """An error names the files as settle() will."""
        try:
            yield
        except SinkError as error:
            text = str(error)
            for path in self._paths.values():
                text = text.replace(str(part_path(path)), str(path))
            raise SinkError(text) from error


def _keep(path: Path) -> None:
    """Give what was written of a file its name, if that is anything."""
    part = part_path(path)
    if part.exists() and part.stat().st_size:
        part.replace(path)
    else:
        part.unlink(missing_ok=True)
