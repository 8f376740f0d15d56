"""Where the outputs of a source lie: names that never collide, and the sheet NAME.meta.json that tells their source."""

import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tracker.config import OVERLAY_SUFFIX, BatchConfig, LiveConfig, OutputConfig
from tracker.errors import SinkError, UsageError
from tracker.sources import find_pictures

SUFFIXES = {
    "csv": ".csv",
    "jsonl": ".jsonl",
    "parquet": ".parquet",
    "video": OVERLAY_SUFFIX,
    "plot": ".png",
    "attention": ".attention.png",
}
"""End of an output's name, by the kind of its sink."""
TAKE_SUFFIXES = {"picture": ".mp4", "lossless": ".mkv", "events": ".events.csv"}
"""Likewise of what a recording of a live run has besides."""
SHEET = ".meta.json"
STDIN = STDOUT = "-"
JSONL_SUFFIXES = (".jsonl", ".ndjson", ".json")

WITHOUT_EFFECT = (("source", "read_ahead"), ("source", "threads"), ("tracker", "threads"), ("output", "folder"))
"""Settings that change nothing of what is written."""
LIVE_SETTINGS = ("lossless", "picture", "baseline_s")

Sheet = dict[str, Any]
NEVER_THE_SAME: Sheet = {"path": None, "size": None, "mtime": None}
"""The identity of what cannot be had again."""


@dataclass(frozen=True)
class Job:
    """One source and where its outputs go."""

    uri: str
    folder: Path
    stem: str
    """Beginning of the outputs' names."""
    source: Sheet
    """The source's identity when the job was made."""

    @property
    def sheet(self) -> Path:
        """The file that tells whose the outputs are and how the run went."""
        return self.folder / f"{self.stem}{SHEET}"

    def outputs(self, config: OutputConfig) -> dict[str, Path | str]:
        """Path by the kind of sink; "-" is standard output."""
        kinds = [kind for kind in SUFFIXES if getattr(config, kind)]
        paths: dict[str, Path | str] = {kind: self.folder / f"{self.stem}{SUFFIXES[kind]}" for kind in kinds}
        if config.jsonl:
            paths["jsonl"] = self._jsonl(config.jsonl)
        return paths

    def _jsonl(self, wanted: str) -> Path | str:
        return Path(wanted) / f"{self.stem}{SUFFIXES['jsonl']}" if is_folder(wanted) else wanted


def is_folder(path: str) -> bool:
    """Whether the user means a folder: there is one, or the name ends with a slash."""
    return path.endswith(("/", os.sep)) or Path(path).is_dir()


def check_outputs(config: OutputConfig, sources: int, workers: int) -> None:
    """Raise UsageError unless these outputs can be written for so many sources by so many processes."""
    if not any(getattr(config, kind) for kind in SUFFIXES):
        raise UsageError("nothing to write: --no-csv without --jsonl, --parquet, --video, --plot or --attention")
    file = config.jsonl
    if file is None or is_folder(file):
        return
    if file == "-" and workers > 1:
        raise UsageError("--jsonl - would mix the lines of several --workers; give a folder or --workers 1")
    if file != "-" and sources > 1:
        raise UsageError(f"--jsonl {file} is one file for {sources} sources; give a folder or -")
    if Path(file).is_file() and not file.endswith(JSONL_SUFFIXES):
        raise UsageError(f"--jsonl {file} would overwrite a file of another type; give a name that ends in .jsonl")


def identity(uri: str) -> Sheet:
    """What tells a source from another and from its own later versions: absolute path, bytes, newest change (seconds).

    Nobody knows what standard input holds: it is never the same.
    """
    if uri == STDIN or "://" in uri:
        return NEVER_THE_SAME if uri == STDIN else {**NEVER_THE_SAME, "path": uri}
    stats = [Path(file).stat() for file in find_pictures(uri) or [uri] if Path(file).exists()]
    newest = max((stat.st_mtime for stat in stats), default=None)
    return {"path": str(Path(uri).resolve()), "size": sum(stat.st_size for stat in stats), "mtime": newest}


def claim(uris: Iterable[str], folder: Path) -> list[Job]:
    """A job for each source, under the first stem that no other has: name, name-2, ...; a source keeps the stem it had.

    A stem is claimed by its sheet, created here, so that no other call takes it, not even one at the same moment.
    Raises SinkError where the folder cannot be written.
    """
    with _made(folder):
        stems = _stems(folder)
        sources = [(uri, identity(uri)) for uri in uris]
        return [
            Job(uri, folder, stems.get(source["path"]) or _new_stem(_name(uri), folder, source), source)
            for uri, source in sources
        ]


def claim_take(uri: str, folder: Path, name: str) -> Job:
    """A job for a recording of a live source, under the first of name, name-2, ... that is free; else as claim()."""
    with _made(folder):
        stem = _new_stem(name, folder, NEVER_THE_SAME, (SUFFIXES | TAKE_SUFFIXES).values())
        return Job(uri, folder, stem, NEVER_THE_SAME)


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Make the folder; what cannot be written in it is a SinkError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SinkError(f"cannot write to {folder}: {reason}; choose another folder with -o") from error


def release(job: Job) -> None:
    """Take back a claim of which nothing came."""
    if read_sheet(job.sheet).keys() == {"source", "complete"}:
        job.sheet.unlink(missing_ok=True)


def read_sheet(path: Path) -> Sheet:
    """What a sheet says; nothing where it is missing or not a sheet."""
    try:
        sheet = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return sheet if isinstance(sheet, dict) and isinstance(sheet.get("source"), dict) else {}


def settings(config: BatchConfig | LiveConfig) -> Sheet:
    """The choices that change what is written, as JSON gives them back."""
    live = isinstance(config, LiveConfig)
    parts = ("capture" if live else "source", "tracker", "output")
    chosen: Sheet = {part: asdict(getattr(config, part)) for part in parts}
    for part, name in WITHOUT_EFFECT:
        chosen.get(part, {}).pop(name, None)
    chosen |= {name: getattr(config, name) for name in LIVE_SETTINGS if live}
    return json.loads(json.dumps(chosen))


def is_complete(job: Job, config: BatchConfig, models: Mapping[str, str]) -> bool:
    """Whether the outputs lie there whole, from this very source, these models (see run_batch) and settings."""
    sheet = read_sheet(job.sheet)
    return (
        job.source["mtime"] is not None
        and sheet.get("complete") is True
        and sheet["source"].items() >= job.source.items()
        and all(sheet.get(name, {}).get("sha256") == sha256 for name, sha256 in models.items())
        and sheet.get("options") == settings(config)
        and all(path == "-" or Path(path).exists() for path in job.outputs(config.output).values())
    )


def _stems(folder: Path) -> dict[str | None, str]:
    """The stem of each source that has a sheet in the folder, by the source's path."""
    sheets = sorted(folder.glob(f"*{SHEET}"))
    stems = {read_sheet(sheet).get("source", {}).get("path"): sheet.name.removesuffix(SHEET) for sheet in sheets}
    stems.pop(None, None)
    return stems


def _new_stem(name: str, folder: Path, source: Sheet, suffixes: Collection[str] = SUFFIXES.values()) -> str:
    stems = (name if number == 1 else f"{name}-{number}" for number in count(1))
    return next(stem for stem in stems if _create(folder, stem, source, suffixes))


def _create(folder: Path, stem: str, source: Sheet, suffixes: Collection[str]) -> bool:
    """Make the sheet of a claim, unless a file of that stem and one of the suffixes is there."""
    if any((folder / f"{stem}{suffix}").exists() for suffix in suffixes):
        return False
    try:
        with (folder / f"{stem}{SHEET}").open("x", encoding="utf-8") as file:
            json.dump({"source": source, "complete": False}, file)
    except FileExistsError:
        return False
    return True


def _name(uri: str) -> str:
    """The source's own name: of a file without its suffix, of a glob its folder's."""
    if uri == STDIN:
        return "stdin"
    if "://" in uri:
        return Path(urlsplit(uri).path).stem or "stream"
    path = Path(uri).resolve()
    if path.is_file():
        return path.stem
    return (path.name if path.is_dir() else path.parent.name) or "source"
