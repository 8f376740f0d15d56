"""Where frames come from: a file, a folder of pictures, a glob or standard input, behind one call."""

import glob
import itertools
import logging
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from tracker.addresses import normal, shown
from tracker.config import OVERLAYS, SourceOptions
from tracker.errors import MissingSourceError, SourceError, UsageError
from tracker.types import Frame, SourceInfo, SourceReport

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from tracker.sources.readahead import Reader

PICTURE = re.compile(r"\.(apng|avif|bmp|hei[cf]|jp2|jpe?g|p[bgnp]m|png|tiff?|webp)", re.IGNORECASE)
VIDEO = re.compile(r"\.(3gp|asf|avi|flv|gif|m2ts|m4v|mkv|mov|mp4|mpe?g|mts|mxf|ogv|ts|vob|webm|wmv|y4m)", re.IGNORECASE)
NAMED = 5
"""Kinds of files that are named where none can be read."""
MOST_PIXELS = 200_000_000
"""Of a picture or a frame: larger ones are refused, since each takes several bytes a pixel of memory, often twice."""
LIVE = ("camera:", "rtsp://", "rtsps://", "rtmp://", "rtmps://", "rtp://", "udp://", "tcp://", "srt://")
URLS = ("http://", "https://")


class Source(Protocol):
    """Frames in order of time, to be read once; a context manager that closes what it opened."""

    @property
    def info(self) -> SourceInfo:
        """What the source knows of itself before its first frame."""

    def __iter__(self) -> Iterator[Frame]:
        """The frames; SourceError where the medium fails."""

    def report(self) -> SourceReport:
        """What has been read until now; final after the last frame."""

    def close(self) -> None:
        """End reading, at any time."""

    def __enter__(self) -> "Source": ...

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None: ...


def open_source(uri: str, options: SourceOptions | None = None) -> Source:
    """Open a video file, a folder or glob of pictures, one picture, an http(s) URL, or "-" (standard input).

    Frames have start <= time < end. Whatever the medium holds (grey, 10 bit, alpha, any size), a frame is (H, W, 3)
    uint8 RGB, turned upright. Raises SourceError with one plain line where no frame can be read.
    """
    from tracker.sources.readahead import ReadAhead

    options = options or SourceOptions()
    return ReadAhead(open_reader(normal(str(uri)), options), options.read_ahead)


def open_reader(uri: str, options: SourceOptions) -> "Reader":
    """What open_source reads ahead of, without the thread that does. Raises SourceError."""
    check_named(uri)
    if uri.startswith(LIVE):
        raise SourceError(f"{shown(uri)} is a live source; follow it with: affect live {shown(uri)}")
    pictures = find_pictures(uri)
    if pictures:
        from tracker.sources.images import read_pictures

        return read_pictures(uri, pictures, options)
    from tracker.sources.video import VideoReader

    return VideoReader(uri, options)


def check_named(uri: str) -> None:
    """Raise UsageError for an empty text, which would stand for the current folder."""
    if not uri.strip():
        raise UsageError("a source is an empty text; expected a file, a folder (. is the current one), a URL, or -")


def expand_sources(patterns: Sequence[str], recursive: bool = False) -> list[str]:
    """The sources that files, folders, globs and URLs stand for, in natural order, each once.

    A folder with videos stands for each of them, but for the overlays that the tracker wrote; a folder with pictures
    alone is one source, and so is a glob of pictures; recursive adds the folders below it. A folder that cannot be
    listed stands for itself.
    Raises SourceError where a pattern stands for nothing, UsageError for an empty text.
    """
    return list(dict.fromkeys(source for pattern in patterns for source in _expand(normal(pattern), recursive)))


def root_of(pattern: str) -> str | None:
    """Where the tree begins that a pattern's outputs mirror: a folder itself, the part of a glob before its first *."""
    if pattern == "-" or "://" in pattern or Path(pattern).is_file():
        return None
    if Path(pattern).is_dir():
        return pattern
    before = tuple(itertools.takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts))
    return str(Path(*before)) if before else "."


def find_pictures(uri: str) -> list[str]:
    """The picture files behind a source, in natural order; none where it is a video, a URL or standard input.

    Raises SourceError for a missing file, and for a folder or glob without pictures.
    """
    path = Path(uri)
    if uri == "-" or uri.startswith(URLS):
        return []
    if path.is_dir():
        return _of_kind(_inside(path), PICTURE) or _refuse_folder(uri)
    if path.exists():
        return _of_kind([uri], PICTURE)
    matches = _matches(uri)
    if not _of_kind(matches, PICTURE):
        raise SourceError(f"{shown(uri)} matches no picture; name each video by itself")
    return _of_kind(matches, PICTURE)


def count_stills(uri: str, options: SourceOptions) -> int:
    """How many pictures a source has that are measured each by itself; 0 for a film. Raises SourceError."""
    from tracker.sources.images import is_still

    pictures = find_pictures(uri)
    return len(pictures) if pictures and is_still(pictures, options) else 0


def natural_order(name: str) -> tuple[list[str | int], str]:
    """A sorting key by which frame2 comes before frame10."""
    parts = re.split(r"([0-9]+)", name)
    return [int(part) if i % 2 else part.casefold() for i, part in enumerate(parts)], name


def is_before(time: float, limit: float | None) -> bool:
    """Whether a time lies before a limit, to the microsecond, as tables tell times; always where there is no limit."""
    return limit is None or round(time, 6) < round(limit, 6)


def too_large(width: int, height: int) -> str:
    """Why a picture of more than MOST_PIXELS is refused."""
    return f"it has {width}x{height} pixels, and at most {MOST_PIXELS // 10**6} million can be read; make it smaller"


def _expand(pattern: str, recursive: bool) -> list[str]:
    check_named(pattern)
    path = Path(pattern)
    if pattern == "-" or pattern.startswith(LIVE + URLS) or path.is_file():
        return [pattern]
    if path.is_dir():
        return _in_folder(pattern, recursive) or _refuse_folder(pattern)
    if path.exists():
        return [pattern]
    matches = _matches(pattern)
    folders = [match for match in matches if Path(match).is_dir()]
    files = [match for match in matches if match not in folders]
    pictures, videos = _of_kind(files, PICTURE), _of_kind(files, VIDEO)
    if videos:
        _tell_of_skipped(pattern, pictures)
    found = [source for folder in folders for source in _in_folder(folder, recursive)]
    found += videos or ([pattern] if pictures else [])
    return found or files or _refuse_folder(folders[0])


def _in_folder(folder: str, recursive: bool, above: tuple[Path, ...] = ()) -> list[str]:
    """The videos of a folder, or the folder itself where it has pictures alone; nothing where it has neither.

    One that cannot be listed stands for itself too: it fails once opened, and so keeps no other source from its turn.
    """
    try:
        inside = _inside(Path(folder))
    except SourceError:
        return [folder]
    videos, pictures = _of_kind(inside, VIDEO), _of_kind(inside, PICTURE)
    if videos:
        _tell_of_skipped(folder, pictures)
    found = videos or ([folder] if pictures else [])
    if recursive:
        above = (*above, Path(folder).resolve())
        below = [path for path in Path(folder).iterdir() if path.is_dir() and not path.name.startswith(".")]
        below = [path for path in below if path.resolve() not in above]  # a link that leads back up would never end
        names = sorted(map(str, below), key=natural_order)
        found += [source for name in names for source in _in_folder(name, recursive, above)]
    return found


def _tell_of_skipped(pattern: str, pictures: Sequence[str]) -> None:
    if pictures:
        first, more = Path(pictures[0]).name, ", ..." if len(pictures) > 1 else ""
        log.warning(
            "%s holds videos, and pictures that are left out: %d (%s%s); name them by themselves to have them tracked",
            pattern,
            len(pictures),
            first,
            more,
        )


def _matches(pattern: str) -> list[str]:
    if "://" in pattern:
        raise SourceError(f"{shown(pattern)} is not a kind of address that can be read; expected http:// or https://")
    matches = sorted(glob.glob(pattern, recursive=True), key=natural_order)  # noqa: PTH207
    if not matches:
        missing = "matches no file" if glob.has_magic(pattern) else "does not exist"
        told = f"{shown(pattern)} {missing}; expected a video, a folder of pictures or videos, a glob, or -"
        raise MissingSourceError(told)
    return matches


def _inside(folder: Path) -> list[str]:
    try:
        names = [str(path) for path in folder.iterdir() if not path.name.startswith(".") and path.is_file()]
    except OSError as error:
        raise SourceError(f"{folder} cannot be listed: {error.strerror}") from error
    return sorted(names, key=natural_order)


def _of_kind(paths: Sequence[str], suffix: re.Pattern[str]) -> list[str]:
    return [path for path in paths if suffix.fullmatch(Path(path).suffix) and not path.endswith(OVERLAYS)]


def _refuse_folder(uri: str) -> list[str]:
    videos = _of_kind(_inside(Path(uri)), VIDEO)
    if videos:
        raise SourceError(f"{uri} holds videos but no pictures; name one of them")
    others = Counter(path.suffix.lower() or path.name for path in map(Path, _inside(Path(uri))))
    found = ", ".join(f"{count} {name}" for name, count in others.most_common(NAMED)) or "no file"
    more = ", ..." if len(others) > NAMED else ""
    raise SourceError(
        f"{uri} is a folder without pictures or videos; looked for .jpg, .png, .webp, .tiff, .heic, .mp4, .mov, .mkv, "
        f".avi, .webm and their like; found {found}{more}. A file of another name is tracked when it is named itself"
    )
