"""How far the runs over a folder are, as its sheets, its locks and perhaps a manifest tell."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tracker.errors import UsageError
from tracker.leases import held, lock_path
from tracker.manifest import read_manifest
from tracker.outputs import SHEET, Sheet, read_sheet

STATES = ("done", "truncated", "failed", "interrupted", "in work", "stale", "waiting")
"""stale: begun by a process that is no more; the next call does it again. waiting: claimed and not begun."""
TO_DO = ("interrupted", "in work", "stale", "waiting")


@dataclass(frozen=True)
class Status:
    """How far the runs over a folder are."""

    sources: Mapping[str, Mapping[str, str]]
    """For each of STATES the names of outputs below the folder, and what is told of them besides."""
    unclaimed: int
    """Sources of the manifest's run that no call has come to; 0 without a manifest."""
    rows: int
    """Of the sources that are done."""
    work_s: float | None
    """Seconds that one process would take for what is to do, at the mean of what is done; None where nothing is."""

    @property
    def left_s(self) -> float | None:
        """Seconds until all is done by those that are at work; None where nobody is, or nothing is known yet."""
        working = len(self.sources["in work"])
        return None if self.work_s is None or not working else self.work_s / working


def status_of(folder: Path, manifest: Path | None = None) -> Status:
    """The status of a folder of outputs; takes up to leases.STALE_S where other machines hold locks.

    Raises UsageError for what is no folder, a folder without outputs, and what is no manifest.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder; expected the one that `affect track -o` wrote to")
    sheets = {path: sheet for path in sorted(folder.rglob(f"*{SHEET}")) if (sheet := read_sheet(path))}
    total = read_manifest(manifest)[0].get("sources", 0) if manifest else 0
    if not sheets and not total:
        raise UsageError(f"{folder} holds no outputs; expected the folder that `affect track -o` wrote to")
    working = held(path for path in sheets if lock_path(path).exists())
    sources: dict[str, dict[str, str]] = {state: {} for state in STATES}
    for path, sheet in sheets.items():
        name = path.relative_to(folder).as_posix().removesuffix(SHEET)
        sources[_state(sheet, path in working)][name] = "; ".join(sheet.get("warnings", []))
    done = [sheet for path, sheet in sheets.items() if sheet.get("complete") and path not in working]
    unclaimed = max(0, total - len(sheets))
    to_do = unclaimed + sum(len(sources[state]) for state in TO_DO)
    mean = sum(sheet.get("seconds", 0.0) for sheet in done) / len(done) if done else None
    return Status(sources, unclaimed, sum(sheet.get("rows", 0) for sheet in done), mean and mean * to_do)


def _state(sheet: Sheet, working: bool) -> str:
    if working:
        return "in work"
    if sheet.get("complete"):
        return "done"
    told = sheet.get("state", "failed" if "version" in sheet else "waiting")
    return "stale" if told == "begun" else told
