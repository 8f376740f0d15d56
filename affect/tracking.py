"""Sources in, results out."""

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple, TypeAlias

import numpy as np

import tracker
from affect.choices import OF_SOURCE, OF_TRACKER, check_names, choices
from affect.engine import Engine
from affect.pictures import as_rgb
from affect.results import Part, Result
from tracker.config import SourceOptions
from tracker.engine import Engine as Inner
from tracker.engine import track as track_frames
from tracker.errors import SourceError, UsageError
from tracker.sources import check_named, expand_sources, find_pictures, open_source
from tracker.sources.images import USUAL_FPS, ImageReader, load_picture
from tracker.types import Frame, SourceInfo, TrackedFrame

Source: TypeAlias = str | os.PathLike[str] | np.ndarray | Iterable[str | os.PathLike[str]] | Iterable[np.ndarray]

ARRAYS = "arrays"
"""What arrays are called where a source has a name."""


class Stream(NamedTuple):
    """The frames of one source."""

    info: SourceInfo
    frames: Iterable[Frame]
    picture_of: Callable[[Frame], np.ndarray]
    """The picture of a frame again; raises SourceError where it cannot be had."""


def track(source: Source, engine: Engine | None = None, *, color: str | None = None, **keywords: Any) -> Result:
    """Track every face of a source and keep the whole trace.

    source: a video, a folder, a glob, a URL, or a list of them; or a list or an iterator of arrays (H, W, 3) uint8, the
    order of whose colours must be named ("bgr" or "rgb"), `fps` frames a second (25). Pictures that are no numbered
    sequence are measured each by itself. engine: one that is open, in place of keywords about the model. Keywords are
    the command line's options: see help(affect). Raises AffectError.
    """
    with _opened("track", engine, keywords) as (inner, options):
        return _result(inner, _streams(source, options, color))


def stream(
    source: Source, engine: Engine | None = None, *, color: str | None = None, **keywords: Any
) -> Generator[TrackedFrame, None, None]:
    """As track(), but frame by frame as they pass, with their pictures, in constant memory."""
    with _opened("stream", engine, keywords) as (inner, options):
        for each in _streams(source, options, color):
            yield from track_frames(each.frames, inner)


def image(picture: Source, engine: Engine | None = None, *, color: str | None = None, **keywords: Any) -> Result:
    """Measure pictures, each by itself: a file, a folder, a glob, an array, or a list of them. Raises AffectError."""
    with _opened("image", engine, keywords, film=False) as (inner, _):
        return _result(inner, _stills(picture, color))


@contextmanager
def _opened(
    call: str, engine: Engine | None, keywords: dict[str, Any], film: bool = True
) -> Iterator[tuple[Inner, SourceOptions]]:
    """The engine that was given, as if it were new, or another one for as long as the call takes."""
    if engine is None:
        model, config, options = choices(call, keywords, film)
        with Inner(model, config) as inner:
            yield inner, options
        return
    if not isinstance(engine, Engine):
        raise UsageError(f"engine is {engine!r}; expected an affect.Engine")
    for name in keywords:
        if name in ("model", *OF_TRACKER):
            raise UsageError(f"{call}() got an engine, and {name} too; choose {name} where the engine is made")
    check_names(call, keywords, OF_SOURCE if film else ())
    engine.reset()
    try:
        yield engine.inner, SourceOptions(**keywords)
    finally:
        engine.reset()


def _result(inner: Inner, streams: Iterable[Stream]) -> Result:
    parts = []
    for info, frames, picture_of in streams:
        tracked = [_without_pictures(each) for each in track_frames(frames, inner)]
        parts.append(Part(info, tuple(tracked), picture_of))
    meta = {"version": tracker.__version__, "sources": [part.info.uri for part in parts], **inner.meta()}
    return Result(tuple(parts), meta)


def _streams(source: Source, options: SourceOptions, color: str | None) -> Iterator[Stream]:
    given = _given(source)
    if isinstance(given, _Arrays):
        yield _of_arrays(given, options, color)
        return
    for uri in expand_sources(given):
        with open_source(uri, options) as opened:
            yield Stream(opened.info, opened, lambda frame, uri=uri: _again(uri, options, frame))  # type: ignore[misc]


def _stills(source: Source, color: str | None) -> Iterator[Stream]:
    given = _given([source] if isinstance(source, np.ndarray) and source.ndim == 3 else source)
    if isinstance(given, _Arrays):
        info, frames, picture_of = _of_arrays(given, SourceOptions(), color)
        stills = (replace(frame, time=0.0, name=f"{ARRAYS}[{frame.index}]") for frame in frames)
        yield Stream(replace(info, kind="stills", rate_hz=None, time_base=""), stills, picture_of)
        return
    for uri in given:
        check_named(uri)
        paths = find_pictures(uri)
        if not paths:
            raise SourceError(f"{uri} is no picture; expected one, a folder of pictures, or a glob: see affect.track")
        reader = ImageReader(uri, paths, SourceOptions(), film=False)
        yield Stream(reader.info, reader.frames(), lambda frame, uri=uri: _again(uri, SourceOptions(), frame))  # type: ignore[misc]


class _Arrays(NamedTuple):
    pictures: Iterable[np.ndarray]
    again: Sequence[np.ndarray] | None
    """The same, where they can be had more than once."""


def _given(source: Source) -> list[str] | _Arrays:
    """Paths, or arrays. Raises UsageError for anything else."""
    if isinstance(source, str | os.PathLike):
        return [os.fspath(source)]
    if isinstance(source, np.ndarray) and source.ndim != 4:
        raise UsageError("one array is one picture, and a stream is many: give a list of them, or see affect.image")
    try:
        rest = iter(source)
    except TypeError:
        raise UsageError(f"a source is of type {type(source).__name__}; expected paths or arrays") from None
    first = next(rest, None)
    if first is None:
        raise UsageError("the source is empty; expected at least one path or one array")
    if isinstance(first, str | os.PathLike):
        return [os.fspath(each) for each in chain([first], rest)]  # type: ignore[arg-type]
    return _Arrays(chain([first], rest), source if isinstance(source, Sequence | np.ndarray) else None)  # type: ignore[arg-type]


def _of_arrays(given: _Arrays, options: SourceOptions, color: str | None) -> Stream:
    fps = options.fps or USUAL_FPS
    pictures = (as_rgb(picture, color) for picture in given.pictures)
    first = next(pictures)
    frames = (Frame(picture, index / fps, index) for index, picture in enumerate(chain([first], pictures)))

    def picture_of(frame: Frame) -> np.ndarray:
        if given.again is None:
            raise SourceError("the pictures came by an iterator and are gone; give a list, or see affect.stream")
        return as_rgb(given.again[frame.index], color)

    info = SourceInfo(ARRAYS, "images", first.shape[1], first.shape[0], fps, None, None, f"1/{fps:g}")
    return Stream(info, frames, picture_of)


def _again(uri: str, options: SourceOptions, frame: Frame) -> np.ndarray:
    """The picture of a frame that was tracked, out of its source."""
    if frame.name is not None:
        return load_picture(next(path for path in find_pictures(uri) if path.endswith(frame.name)))
    with open_source(uri, replace(options, start=max(frame.time - 1e-4, 0.0), end=None, read_ahead=1)) as source:
        return next(iter(source)).image


def _without_pictures(tracked: TrackedFrame) -> TrackedFrame:
    """The same without what takes memory: the picture and the landmarks."""
    none = tracked.frame.image[:0, :0]
    faces = tuple(replace(face, landmarks=face.landmarks[:0]) for face in tracked.faces)
    return replace(tracked, frame=replace(tracked.frame, image=none.copy()), faces=faces)
