"""Sinks: where tracked frames go. Each is written as the frames pass, under a temporary name until it is complete."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal

from tracker.errors import SinkError
from tracker.sinks.files import part_path, parts_of, write_meta
from tracker.types import SourceInfo, Told, TrackedFrame

__all__ = ["KINDS", "Columns", "Extra", "Sink", "SinkContext", "open_sink", "part_path", "parts_of", "write_meta"]

Columns = Literal["affect", "openface", "pyfeat"]
Extra = Literal["attention", "relative"] | Told


@dataclass(frozen=True)
class SinkContext:
    """What a sink may know of the run."""

    info: SourceInfo
    source_uri: str
    """As the user gave it; the overlay video takes its audio from there."""
    columns: Columns = "affect"
    """Names of the columns: see tracker.sinks.records.COLUMNS."""
    blur_faces: bool = False
    """Faces in the overlay video and in the picture are made unrecognisable."""
    empty: Literal["blank", "nan"] = "blank"
    """What CSV has for a number that was not measured."""
    start: float = 0.0
    """Seconds at which tracking began (--start): time 0 of the overlay video."""
    model: str = ""
    """Name of the model, for the pictures' captions."""
    window_rate_hz: float | None = None
    """Rate of the model's window; None where it is the last frames, whatever their rate."""
    extras: tuple[Extra, ...] = ()
    """Further columns: see tracker.sinks.records.EXTRAS."""
    source_column: bool = False
    """A last column names the source."""
    readings: tuple[str, ...] = ()
    """Names of further columns, in JSON lines and Parquet alone: see Engine.reading_names."""


class Sink(ABC):
    """Takes tracked frames; as a context manager, a normal exit finishes it and an exception aborts it."""

    @abstractmethod
    def write(self, tracked: TrackedFrame) -> None:
        """Take one tracked frame; raises SinkError where it cannot be written."""

    @abstractmethod
    def finish(self) -> None:
        """Complete the output: flush, close, and give the file its own name."""

    @abstractmethod
    def abort(self) -> None:
        """Close, leaving what was written readable under the temporary name; never raises, harmless when repeated."""

    def __enter__(self) -> Sink:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        try:
            if kind is None:
                self.finish()
        finally:
            self.abort()


def open_sink(kind: str, path: Path | str, context: SinkContext) -> Sink:
    """Open an output of a kind in KINDS; the path "-" of jsonl is standard output. Raises SinkError."""
    if kind not in KINDS:
        raise SinkError(f"unknown output '{kind}'; expected one of {', '.join(KINDS)}")
    if str(path) == "-" and kind != "jsonl":
        raise SinkError(f"{kind} cannot be written to standard output; give it a file, or use jsonl")
    return KINDS[kind](Path(path), context)


def _open_csv(path: Path, context: SinkContext) -> Sink:
    from tracker.sinks.records import CsvSink, columns_behind

    return CsvSink(path, context.columns, columns_behind(context), context.empty)


def _open_jsonl(path: Path, context: SinkContext) -> Sink:
    from tracker.sinks.records import JsonLinesSink, columns_behind

    return JsonLinesSink(path, context.columns, columns_behind(context))


def _open_parquet(path: Path, context: SinkContext) -> Sink:
    from tracker.sinks.parquet import ParquetSink
    from tracker.sinks.records import columns_behind

    return ParquetSink(path, context.columns, columns_behind(context))


def _open_video(path: Path, context: SinkContext) -> Sink:
    from tracker.drawing.overlay import Overlay
    from tracker.sinks.stills import StillsSink
    from tracker.sinks.video import VideoSink

    if context.info.kind == "stills":
        return StillsSink(path, lambda tracked: Overlay(blur_faces=context.blur_faces).draw(tracked))
    return VideoSink(path, context, Overlay(blur_faces=context.blur_faces).draw)


def _open_picture(path: Path, context: SinkContext) -> Sink:
    from tracker.drawing.overlay import Overlay
    from tracker.sinks.video import VideoSink

    return VideoSink(path, context, Overlay(blur_faces=context.blur_faces).picture)


def _open_lossless(path: Path, context: SinkContext) -> Sink:
    from tracker.sinks.video import LOSSLESS, VideoSink

    return VideoSink(path, context, lambda tracked: tracked.frame.image, LOSSLESS)


def _open_plot(path: Path, context: SinkContext) -> Sink:
    if context.info.kind == "stills":
        raise SinkError(
            f"{context.source_uri} is stills, and --plot draws a trace over time; leave it out, or say --sequence"
        )
    from tracker.drawing.plots import draw_traces
    from tracker.sinks.plot import PlotSink

    return PlotSink(path, context, draw_traces)


def _open_attention(path: Path, context: SinkContext) -> Sink:
    from tracker.drawing.heatmaps import draw_attention
    from tracker.sinks.attention import AttentionSink

    return AttentionSink(path, context, draw_attention)


KINDS: dict[str, Callable[[Path, SinkContext], Sink]] = {
    "csv": _open_csv,
    "jsonl": _open_jsonl,
    "parquet": _open_parquet,
    "video": _open_video,
    "plot": _open_plot,
    "attention": _open_attention,
    "picture": _open_picture,
    "lossless": _open_lossless,
}
"""What open_sink can open."""
