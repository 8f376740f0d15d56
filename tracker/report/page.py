"""Puts a report together: the parts in browser/, a trace, and its video by link or embedded, as one HTML file."""

import html
import json
import os
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

import tracker
from tracker.config import FACE_COLOURS, ReportConfig
from tracker.errors import DataError, SinkError, UsageError
from tracker.outputs import SUFFIXES
from tracker.report.packing import pack_column
from tracker.report.thumbnails import thumbnails_of
from tracker.sinks.files import PartFile
from tracker.traces.events import events_of
from tracker.traces.reading import Trace, find_traces, read_film
from tracker.types import QUADRANT_WORDS, QUADRANTS

PARTS = Path(__file__).parent / "browser"
LIBRARY = PARTS / "vendor"
VIDEO_TYPES = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/mp4",
    ".webm": "video/webm",
    ".mkv": "video/webm",
}
"""By the end of a video's name; a browser looks at the content anyway."""
MOST_EMBEDDED = 300 * 2**20
"""Bytes: browsers hold no text much longer than 512 MiB, and base64 makes four bytes of three."""
RELATIVE_IMPORT = re.compile(r'(\bfrom |\bimport )"\./')
FACTS = (
    "version",
    "model",
    "landmark_model",
    "sequence_length",
    "window_rate_hz",
    "smoothing",
    "quality_limits",
    "device",
    "runtime",
)
"""What a sheet says of how a trace was made, as far as the page shows it."""


def write_report(table: Path, config: ReportConfig, file: Path | None = None) -> Path:
    """Write the report of a trace (CSV, JSON lines, Parquet), beside it unless a file is given; returns its path.

    The video is the one that the configuration names, else the source or the recording that the sheet names, as far as
    it is there; without any, the reader of the page may choose it. The trace is not changed.
    Raises UsageError where the report exists already, DataError for what cannot be read, SinkError for what cannot be
    written.
    """
    file = file or table.with_suffix(SUFFIXES["report"])
    if file.resolve() == table.resolve():
        raise UsageError(f"the report would overwrite its table {table}; give it another name with -o")
    if file.is_file() and not config.overwrite:
        raise UsageError(f"{file} exists; --overwrite replaces it, -o writes to another file")
    if table.is_dir():
        raise UsageError(f"{table} is a folder; expected one trace, such as {table}/clip.csv")
    trace = read_film(*find_traces([table]))
    for name in ("frame", "timestamp"):
        if (empty := np.isnan(trace.columns[name])).any():
            raise DataError(f"{table}: {name} is empty in row {empty.argmax() + 1}; expected a number in every row")
    video = _video(trace, config)
    if video is None and (config.embed or config.thumbnails):
        raise DataError(f"the video of {table} is not where its sheet says; name it with --video FILE")
    if config.embed and video and (size := video.stat().st_size) > MOST_EMBEDDED:
        raise DataError(
            f"{video} has {size / 2**20:.0f} MiB; --embed takes at most {MOST_EMBEDDED / 2**20:.0f}: leave it out, and "
            "the report links to the video"
        )
    page = _page(trace, video, file, config)
    output = PartFile(file, hidden=True)
    try:
        output.write(page)
    except SinkError:
        output.discard()
        raise
    output.finish()
    return file


def _video(trace: Trace, config: ReportConfig) -> Path | None:
    """The video of a trace: the one named, the source, or what was drawn of it; None where none of them is there.

    Whoever had faces made unrecognisable gets the source only by its name.
    """
    if config.video is not None:
        if not Path(config.video).is_file():
            raise DataError(f"there is no video {config.video}; expected the file that {trace.file} was made of")
        return Path(config.video)
    outputs, hidden = trace.sheet.get("outputs", {}), trace.sheet.get("options", {}).get("output", {}).get("blur_faces")
    source = None if hidden else trace.sheet.get("source", {}).get("path")
    names = [source, outputs.get("picture"), outputs.get("video")]
    files = [trace.file.parent / Path(name).expanduser() for name in names if name]
    return next((each for each in files if each.is_file() and each.suffix.lower() in VIDEO_TYPES), None)


def _page(trace: Trace, video: Path | None, file: Path, config: ReportConfig) -> bytes:
    """The HTML. Whatever comes from outside (names, tables) stands in data blocks, never in markup or in scripts."""
    imports = {f"report/{module.name}": _as_address(module) for module in sorted(PARTS.glob("*.js"))}
    scripts = {
        "importmap": json.dumps({"imports": imports}),
        "text/javascript": (LIBRARY / "uPlot.iife.min.js").read_text(encoding="utf-8"),
        "module": 'import "report/main.js";',
    }
    style = (LIBRARY / "uPlot.min.css").read_text(encoding="utf-8") + (PARTS / "report.css").read_text(encoding="utf-8")
    embedded = b64encode(video.read_bytes()).decode() if video and config.embed else ""
    parts = {
        "policy": _policy(scripts.values(), style),
        "title": html.escape(_title(trace)),
        "style": f"<style>{style}</style>",
        "session": _data_block("session", _session(trace, video, file, config)),
        "video": f'<script type="text/plain" id="embedded-video">{embedded}</script>',
        "scripts": "\n".join(f'<script type="{kind}">{text}</script>' for kind, text in scripts.items()),
        "licence": html.escape((LIBRARY / "uPlot.LICENSE").read_text(encoding="utf-8")),
    }
    template = (PARTS / "report.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template).encode()


def _as_address(module: Path) -> str:
    """A module as a data: address. It imports the others by their names in the import map: a page has no files."""
    text = RELATIVE_IMPORT.sub(r'\1"report/', module.read_text(encoding="utf-8"))
    return f"data:text/javascript;base64,{b64encode(text.encode()).decode()}"


def _policy(scripts: Any, style: str) -> str:
    """The page's own rule (CSP): these scripts and this style alone, media from disk or memory, no request at all."""
    hashes = " ".join(_fingerprint(text) for text in scripts)
    return (
        f"default-src 'none'; script-src data: {hashes}; style-src {_fingerprint(style)}; img-src data: blob:; "
        "media-src 'self' file: blob:; connect-src 'none'; base-uri 'none'; form-action 'none'"
    )


def _fingerprint(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _data_block(name: str, value: Any) -> str:
    """JSON in which nothing can end the block."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{text}</script>'


def _title(trace: Trace) -> str:
    path = trace.sheet.get("source", {}).get("path")
    return Path(path).name if path and "://" not in path else trace.file.name


def _session(trace: Trace, video: Path | None, file: Path, config: ReportConfig) -> dict[str, Any]:
    """All that the page knows of the session; of paths, the names alone."""
    order = np.lexsort((trace.columns["timestamp"], trace.columns["face_id"]))
    source, shown = trace.sheet.get("source", {}), _how_shown(trace, video, file, config)
    return {
        "title": _title(trace),
        "table": trace.file.name,
        "stem": trace.name,
        "fingerprint": sha256(trace.file.read_bytes()).hexdigest(),
        "rows": len(order),
        "columns": [pack_column(name, values[order]) for name, values in trace.columns.items()],
        "events": [
            {"time": event.start, "end": event.start if event.end is None else event.end, "name": event.condition}
            for event in events_of(trace, None)
        ],
        "thumbnails": thumbnails_of(trace, video, shown["starts_at"]) if video and shown and config.thumbnails else {},
        "video": shown,
        "made": {name: trace.sheet[name] for name in FACTS if trace.sheet.get(name) is not None}
        | {
            "source": {name: source.get(name) for name in ("kind", "codec", "width", "height", "rate_hz", "duration")},
            "warnings": [_without_folders(str(each), trace) for each in trace.sheet.get("warnings", ())],
            "decoded": trace.sheet.get("decoded"),
            "complete": trace.sheet.get("complete"),
        },
        "reported_by": tracker.__version__,
        "colours": ["#{:02x}{:02x}{:02x}".format(*colour) for colour in FACE_COLOURS],
        "quadrants": {name: QUADRANT_WORDS[name] for name in QUADRANTS},
    }


def _without_folders(text: str, trace: Trace) -> str:
    """A text in which the source has its name alone."""
    source = trace.sheet.get("source", {})
    paths = {str(source[name]) for name in ("path", "uri") if source.get(name)}
    for path in sorted(paths | {str(Path(path).expanduser()) for path in paths}, key=len, reverse=True):
        text = text.replace(path, _title(trace))
    return text


def _how_shown(trace: Trace, video: Path | None, file: Path, config: ReportConfig) -> dict[str, Any] | None:
    """Where the page finds the video, and which of its moments is the trace's time 0.

    The first frame of a source is its time 0; what a run made (an overlay, a recording) begins with the trace.
    """
    if video is None:
        return None
    outputs = trace.sheet.get("outputs", {})
    made = video.name in [outputs.get(kind) for kind in ("video", "picture", "lossless")]
    return {
        "name": video.name,
        "href": None if config.embed else _link(video, file),
        "type": VIDEO_TYPES.get(video.suffix.lower(), "video/mp4"),
        "starts_at": float(trace.columns["timestamp"].min()) if made else 0.0,
        "boxes": not made or video.name == outputs.get("lossless"),
    }


def _link(video: Path, file: Path) -> str:
    """The way from the report to the video, as an address; an absolute one from another drive."""
    try:
        return quote(Path(os.path.relpath(video.resolve(), file.resolve().parent)).as_posix())
    except ValueError:
        return video.resolve().as_uri()
