"""Where the outputs of a source lie: names that never collide, and the sheet NAME.meta.json that tells their source."""

import json
import os
import re
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

from tracker.addresses import shown, told_apart, without_home
from tracker.config import OVERLAY_SUFFIX, STILL_OVERLAY_SUFFIX, BatchConfig, LiveConfig, OutputConfig
from tracker.errors import AffectError, SinkError, UsageError
from tracker.leases import lock_path
from tracker.sinks.files import DRAFT, draft_path, write_meta
from tracker.sources import find_pictures

SUFFIXES = {
    "csv": ".csv",
    "jsonl": ".jsonl",
    "parquet": ".parquet",
    "video": OVERLAY_SUFFIX,
    "plot": ".png",
    "attention": ".attention.png",
    "report": ".html",
}
"""End of an output's name, by the kind of its sink; the report is no sink, it is made of the table and the sheet."""
STILLS_FOLDER = ".overlay"
"""Likewise of the folder with the overlays of several stills."""
TAKE_SUFFIXES = {"picture": ".mp4", "lossless": ".mkv", "events": ".events.csv"}
"""Likewise of what a recording of a live run has besides."""
SHEET = ".meta.json"
STDIN = STDOUT = "-"
JSONL_SUFFIXES = (".jsonl", ".ndjson", ".json")

WITHOUT_EFFECT = (
    ("source", "read_ahead"),
    ("source", "threads"),
    ("tracker", "threads"),
    ("output", "folder"),
    ("output", "name"),
    ("output", "full_paths"),
)
"""Settings that change nothing of what is written."""
LONGEST_STEM = 180
"""Bytes of a name's beginning: file systems take 255, and the longest suffix, temporary name and lock need the rest."""
DRAFT_S = 600.0
"""Seconds after which the draft of a claim or lock, which is there for a moment, is a dead process's."""
DEEPEST = 64
"""Folders looked at to tell sources of one name apart."""
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
    below: str = ""
    """The folders between that of the call and `folder`: in a folder of JSON lines they are the same."""
    tries: int = 0
    """Of these outputs, as the sheet told when the job was made."""
    stills: int = 0
    """Pictures that are measured each by itself, and annotated each in a file of its own; 0 for a film."""

    @property
    def name(self) -> str:
        """The source as it may be shown."""
        return shown(self.uri)

    @property
    def sheet(self) -> Path:
        """The file that tells whose the outputs are and how the run went."""
        return self.folder / f"{self.stem}{SHEET}"

    def outputs(self, config: OutputConfig) -> dict[str, Path | str]:
        """Path by the kind of sink; "-" is standard output."""
        kinds = [kind for kind in SUFFIXES if getattr(config, kind)]
        paths: dict[str, Path | str] = {kind: self.folder / f"{self.stem}{SUFFIXES[kind]}" for kind in kinds}
        if self.stills and config.video:
            paths["video"] = self.folder / f"{self.stem}{STILL_OVERLAY_SUFFIX if self.stills == 1 else STILLS_FOLDER}"
        if config.jsonl:
            paths["jsonl"] = self._jsonl(config.jsonl)
        return paths

    def _jsonl(self, wanted: str) -> Path | str:
        return Path(wanted, self.below, f"{self.stem}{SUFFIXES['jsonl']}") if is_folder(wanted) else wanted

    def leased(self, config: OutputConfig) -> list[Path]:
        """What no other run may write meanwhile: the sheet, for all that lies beside it, and JSON lines elsewhere."""
        jsonl = self.outputs(config).get("jsonl", STDOUT)
        elsewhere = jsonl != STDOUT and Path(jsonl).parent.resolve() != self.folder.resolve()
        direct = Path(jsonl).exists() and not Path(jsonl).is_file()
        return [self.sheet, Path(jsonl)] if elsewhere and not direct else [self.sheet]

    def standing(self, config: OutputConfig) -> list[Path]:
        """The outputs that are there already, devices and pipes aside."""
        return [Path(path) for path in self.outputs(config).values() if path != STDOUT and Path(path).is_file()]


def is_folder(path: str) -> bool:
    """Whether the user means a folder: there is one, or the name ends with a slash."""
    return path.endswith(("/", os.sep)) or Path(path).is_dir()


def check_outputs(config: OutputConfig, sources: int, workers: int) -> None:
    """Raise UsageError unless these outputs can be written for so many sources by so many processes."""
    if not any(getattr(config, kind) for kind in SUFFIXES):
        raise UsageError("nothing to write: --no-csv without --jsonl, --parquet, --video, --plot or --attention")
    if config.report and not config.csv:
        raise UsageError("--report is made of the CSV; leave out --no-csv")
    file = config.jsonl
    if config.baseline and not (config.csv or config.parquet or file not in (None, STDOUT)):
        raise UsageError("--baseline fills columns of a table; add --csv, --parquet or --jsonl with a file")
    flows = file is not None and (file == STDOUT or (Path(file).exists() and not Path(file).is_file()))
    if config.baseline and flows and not is_folder(file or ""):
        raise UsageError(
            f"--baseline is known at the end alone, when --jsonl {file} has told its rows; give a file or a folder"
        )
    if file is None or is_folder(file):
        return
    if file == "-" and workers > 1:
        raise UsageError("--jsonl - would mix the lines of several --workers; give a folder or --workers 1")
    if file != "-" and sources > 1:
        raise UsageError(f"--jsonl {file} is one file for {sources} sources; give a folder or -")
    if Path(file).is_file() and not file.endswith(JSONL_SUFFIXES):
        raise UsageError(f"--jsonl {file} would overwrite a file of another type; give a name that ends in .jsonl")


def identity(uri: str) -> Sheet:
    """What tells a source from another and from its own later versions: path, bytes, newest change (seconds).

    The path is absolute, but begins with ~ in the user's home folder; of an address it is tracker.addresses.told_apart.
    Nobody knows what standard input holds: it is never the same.
    """
    if uri == STDIN or "://" in uri:
        return NEVER_THE_SAME if uri == STDIN else {**NEVER_THE_SAME, "path": told_apart(uri)}
    stats = [Path(file).stat() for file in find_pictures(uri) or [uri] if Path(file).exists()]
    newest = max((stat.st_mtime for stat in stats), default=None)
    return {
        "path": without_home(str(Path(uri).resolve())),
        "size": sum(stat.st_size for stat in stats),
        "mtime": newest,
    }


def claim(uris: Iterable[str], folder: Path, names: Mapping[str, Path] | None = None) -> list[Job]:
    """A job for each source, under the first name that no other has: name, name-2, ...; a source keeps the one it had.

    names gives each source its name, with the folders before it; without, it is the source's own. A name is claimed by
    its sheet, created here, so that no other call takes it, not even one at the same moment.
    Raises SinkError where the folder cannot be written.
    """
    with _made(folder):
        jobs = []
        seen: set[Path] = set()
        for uri, source, wanted, earlier in _wanted(uris, folder, names):
            below = str((earlier or wanted).parent)
            inside = folder / below
            if inside not in seen:
                inside.mkdir(parents=True, exist_ok=True)
                _remove_stale(inside)
                seen.add(inside)
            stem = earlier.name if earlier else _new_stem(wanted.name, inside, source)
            jobs.append(_job(uri, folder, below, stem, source))
        return jobs


def plan(uris: Iterable[str], folder: Path, names: Mapping[str, Path] | None = None) -> list[Job]:
    """The jobs that claim() would make now; nothing is written."""
    jobs = []
    taken: set[Path] = set()
    for uri, source, wanted, earlier in _wanted(uris, folder, names):
        numbered = (wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}") for number in count(1))
        free = (
            name
            for name in numbered
            if name not in taken
            and not any((folder / f"{name}{suffix}").exists() for suffix in (SHEET, *SUFFIXES.values()))
        )
        name = earlier or next(free)
        taken.add(name)
        jobs.append(_job(uri, folder, str(name.parent), name.name, source))
    return jobs


def _wanted(
    uris: Iterable[str], folder: Path, names: Mapping[str, Path] | None
) -> Iterator[tuple[str, Sheet, Path, Path | None]]:
    """For each source its identity, the name that it shall have, and the one that it has from an earlier call."""
    names_there = _names_there(folder)
    owned: dict[str, dict[str | None, Path]] = {}
    for uri in uris:
        source, wanted = identity(uri), (names or {}).get(uri) or Path(short_stem(source_name(uri)))
        there = names_there.get(wanted.name, {})
        earlier = wanted if wanted in there and _owner(folder, wanted) == source["path"] else None
        if there and earlier is None:  # the others of that name are read once, and only where they matter
            if wanted.name not in owned:
                owned[wanted.name] = {_owner(folder, name): name for name in reversed(there)}
            earlier = owned[wanted.name].get(source["path"])
        yield uri, source, wanted, earlier if source["path"] else None


def _job(uri: str, folder: Path, below: str, stem: str, source: Sheet) -> Job:
    inside = folder / below
    tries = read_sheet(inside / f"{stem}{SHEET}").get("tries", 0)
    return Job(uri, inside, stem, source, "" if below == "." else below, tries)


def shard_of(uri: str, parts: int) -> int:
    """The shard of N that a source falls to, 1 to N: its path alone tells, whatever the other sources are.

    Raises UsageError for standard input, which every call would have for itself.
    """
    if uri == STDIN:
        raise UsageError("standard input cannot be read by --shard; track it in a call of its own")
    return 1 + int.from_bytes(sha256(os.fsencode(identity(uri)["path"])).digest()[:8], "big") % parts


def check_apart(names: Mapping[str, Path]) -> None:
    """Raise UsageError where two sources have one name, and so the order of calls would tell which is numbered."""
    bearers: dict[Path, str] = {}
    for uri, name in names.items():
        other = bearers.setdefault(name, uri)
        if other != uri:
            raise UsageError(
                f"{other} and {uri} would both be written as {name}, and shards know nothing of one another; rename"
                " one of them, or give --output-name a text that tells them apart, such as {path}/{name}"
            )


def begin(job: Job, config: BatchConfig, models: Mapping[str, str]) -> int:
    """Note in the sheet that a try begins, and which one it is, so that one whose process dies is known of.

    The caller has the lease. The sheet of a complete run stays until the outputs are replaced.
    """
    sheet, chosen = read_sheet(job.sheet), settings(config)
    if sheet.get("complete"):
        return 1
    tries = 1 + (sheet.get("tries", 0) if sheet.get("options") == chosen else 0)
    told = {name: {"sha256": sha256} for name, sha256 in models.items()}
    begun = {"source": job.source, "complete": False, "state": "begun", **told, "options": chosen, "tries": tries}
    write_meta(job.sheet, begun)
    return tries


def ensure_claim(job: Job) -> None:
    """Claim a job's name again where another run gave it up since; SinkError where another source has it now."""
    if not job.sheet.exists():
        _write_claim(job.sheet, job.source)
    owner = read_sheet(job.sheet).get("source", {}).get("path")
    if owner != job.source["path"]:
        raise SinkError(f"{job.folder / job.stem} was taken by {owner} a moment ago; run it again")


def names_of(uris: Sequence[str], roots: Mapping[str, str], config: BatchConfig) -> dict[str, Path]:
    """The name of each source's outputs below the output folder: the tree of a folder or glob is mirrored.

    roots is where that tree begins, by source; without one, a source has its bare name, and as many of its folders
    before it as tell it from the others. A template has the last word: see OutputConfig.name.
    Raises UsageError for a template with unknown fields.
    """
    names = {}
    for uri in uris:
        root = roots.get(uri)
        mirrored = root is not None and Path(uri).resolve() != Path(root).resolve()
        below = Path(os.path.relpath(Path(uri).resolve().parent, Path(root or ".").resolve())) if mirrored else Path()
        names[uri] = below / source_name(uri)
    for depth in range(1, DEEPEST):
        bearers = Counter(names.values())
        twins = [uri for uri in uris if bearers[names[uri]] > 1 and Path(uri).exists()]
        for uri in twins:
            folders = Path(uri).resolve().parts[1:-1]
            names[uri] = Path(*folders[-depth:], source_name(uri))
        if not twins:
            break
    template = config.output.name
    if template is not None:
        names = {uri: _by_template(template, uri, name, config) for uri, name in names.items()}
    return {uri: name.parent / short_stem(name.name) for uri, name in names.items()}


def _by_template(template: str, uri: str, name: Path, config: BatchConfig) -> Path:
    start, end = config.source.start, config.source.end
    fields = {
        "name": name.name,
        "path": name.parent.as_posix(),
        "parent": Path(uri).resolve().parent.name if Path(uri).exists() else "",
        "model": Path(config.model).stem,
        "start": f"{start or 0:g}",
        "end": "end" if end is None else f"{end:g}",
    }
    try:
        made = Path(template.format(**fields))
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        known = ", ".join(f"{{{field}}}" for field in fields)
        raise UsageError(f"--output-name {template} cannot be filled in; expected text with {known}") from error
    if made.is_absolute() or ".." in made.parts or not made.name:
        raise UsageError(f"--output-name {template} gives {made}; expected a name below the output folder")
    return made


def short_stem(name: str) -> str:
    """The name, cut to LONGEST_STEM bytes with a digest of the whole where it is longer."""
    whole = os.fsencode(name)
    if len(whole) <= LONGEST_STEM:
        return name
    return f"{whole[: LONGEST_STEM - 10].decode(errors='ignore')}-{sha256(whole).hexdigest()[:8]}"


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
    except AffectError:
        raise
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SinkError(f"cannot write to {folder}: {reason}; choose another folder with -o") from error


def release(job: Job) -> None:
    """Take back a claim of which nothing came, unless another run is at it."""
    if not lock_path(job.sheet).exists() and read_sheet(job.sheet).keys() == {"source", "complete"}:
        job.sheet.unlink(missing_ok=True)


def read_sheet(path: Path) -> Sheet:
    """What a sheet says; nothing where it is missing or not a sheet."""
    try:
        sheet = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return private(sheet) if isinstance(sheet, dict) and isinstance(sheet.get("source"), dict) else {}


def private(value: Any) -> Any:
    """What a sheet says, or a part of it, with ~ for the user's home folder in every text."""
    if isinstance(value, dict):
        return {name: private(each) for name, each in value.items()}
    if isinstance(value, list):
        return [private(each) for each in value]
    return without_home(value) if isinstance(value, str) else value


def settings(config: BatchConfig | LiveConfig) -> Sheet:
    """The choices that change what is written, as JSON gives them back: addresses as they may be shown, ~ for home."""
    live = isinstance(config, LiveConfig)
    parts = ("capture" if live else "source", "tracker", "output")
    chosen: Sheet = {part: asdict(getattr(config, part)) for part in parts}
    for part, name in WITHOUT_EFFECT:
        chosen.get(part, {}).pop(name, None)
    chosen |= {name: getattr(config, name) for name in LIVE_SETTINGS if live}
    chosen["tracker"]["neutral"] = chosen["tracker"]["neutral"] and shown(chosen["tracker"]["neutral"])
    return private(json.loads(json.dumps(chosen)))


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


def _remove_stale(folder: Path) -> None:
    """Remove the drafts of claims and locks of processes that were killed."""
    for draft in [*folder.glob(f".*{SHEET}.*{DRAFT}"), *folder.glob(f"{lock_path(folder / '*').name}.*")]:
        with suppress(OSError):
            if time.time() - draft.stat().st_mtime > DRAFT_S:
                draft.unlink()


def _names_there(folder: Path) -> dict[str, dict[Path, None]]:
    """The names of outputs below the folder by their last part, sorted; name-2, name-3, ... also by name."""
    names: dict[str, dict[Path, None]] = {}
    for sheet in sorted(folder.rglob(f"*{SHEET}")):
        name = sheet.relative_to(folder).with_name(sheet.name.removesuffix(SHEET))
        for stem in {name.name, re.sub(r"-\d+$", "", name.name)}:
            names.setdefault(stem, {})[name] = None
    return names


def _owner(folder: Path, name: Path) -> str | None:
    """The path of the source that outputs are of."""
    return read_sheet(folder / f"{name}{SHEET}").get("source", {}).get("path")


def _new_stem(name: str, folder: Path, source: Sheet, suffixes: Collection[str] = SUFFIXES.values()) -> str:
    stems = (name if number == 1 else f"{name}-{number}" for number in count(1))
    return next(stem for stem in stems if _create(folder, stem, source, suffixes))


def _create(folder: Path, stem: str, source: Sheet, suffixes: Collection[str]) -> bool:
    """Claim a stem, unless a file of that stem and one of the suffixes is there; one's own claim is as good."""
    sheet = folder / f"{stem}{SHEET}"
    if not sheet.exists() and any((folder / f"{stem}{suffix}").exists() for suffix in suffixes):
        return False
    return _write_claim(sheet, source) or (
        source["path"] is not None and read_sheet(sheet).get("source", {}).get("path") == source["path"]
    )


def _write_claim(sheet: Path, source: Sheet) -> bool:
    """Make the sheet of a claim, whole from its first moment; False where there is one."""
    draft = draft_path(sheet)
    text = json.dumps({"source": source, "complete": False})
    try:
        draft.write_text(text, encoding="utf-8")
        try:
            os.link(draft, sheet)
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            with suppress(FileExistsError), sheet.open("x", encoding="utf-8") as file:
                file.write(text)
                return True
            return False
    finally:
        draft.unlink(missing_ok=True)
    return True


def source_name(uri: str) -> str:
    """The source's own name: of a file without its suffix, of a glob its folder's."""
    if uri == STDIN:
        return "stdin"
    if "://" in uri:
        return Path(shown(uri).partition("://")[2].partition("/")[2].strip("./?")).stem.strip(".") or "stream"
    path = Path(uri).resolve()
    if path.is_file():
        return path.stem
    return (path.name if path.is_dir() else path.parent.name) or "source"
