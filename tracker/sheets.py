"""What is known of a run over one source: its counts, its outcome, and the sheet NAME.meta.json that tells them."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import tracker
from tracker.config import BatchConfig, LiveConfig
from tracker.outputs import Job, Sheet, private, settings
from tracker.types import SourceInfo, SourceReport, TrackedFrame

State = Literal["done", "skipped", "planned", "truncated", "failed", "refused", "interrupted"]
"""refused: something is there that would be overwritten, or another run with other options is at it.
planned: a dry run would have it done."""


@dataclass(frozen=True)
class Outcome:
    """How the run over one source ended."""

    uri: str
    state: State
    detail: str = ""
    """What went wrong, or is worth knowing."""
    output: str = ""
    """Folder and beginning of the outputs' names."""
    files: tuple[str, ...] = ()
    """What was written, under temporary names where the run broke off."""
    rows: int = 0
    seconds: float = 0.0
    faces: int = 0
    """Persons seen: ids of faces."""
    tries: int = 0
    """Times that this source was begun with these options, the last one too."""


@dataclass
class Tally:
    """What the run over one source has seen so far."""

    engine: dict[str, Any] = field(default_factory=dict)
    """What the engine says of itself."""
    columns: tuple[str, ...] = ()
    """Of the records."""
    started: float = field(default_factory=time.monotonic)
    info: SourceInfo | None = None
    report: SourceReport | None = None
    frames: int = 0
    with_faces: int = 0
    rows: int = 0
    face_ids: set[int] = field(default_factory=set)
    tries: int = 0
    """As Outcome has it."""
    baseline: dict[str, Any] | None = None
    """What relative values start from; None where none was asked for."""
    remarks: list[str] = field(default_factory=list)
    """What is worth knowing of a run that is whole."""
    cuts: list[dict[str, float]] = field(default_factory=list)
    """Index and timestamp, s, of the first frame of each further scene."""
    problems: list[str] = field(default_factory=list)
    """Why the run broke off."""

    def count(self, tracked: TrackedFrame) -> None:
        """Note one frame and its rows."""
        self.frames += 1
        self.with_faces += bool(tracked.faces)
        self.rows += max(1, len(tracked.samples))
        self.face_ids.update(sample.track_id for sample in tracked.samples)
        if tracked.cut:
            self.cuts.append({"frame": tracked.frame.index, "timestamp": round(tracked.frame.time, 6)})

    @property
    def complete(self) -> bool:
        """Whether the source was read to its end and all was written."""
        return not self.problems and self.report is not None and self.report.complete

    @property
    def warnings(self) -> list[str]:
        """Why the run broke off, what the source has to say, and where there was nothing to measure."""
        faceless = self.frames and not (self.with_faces or self.problems)
        nothing = [f"no face was found in any of the frames ({self.frames})"] if faceless else []
        return self.problems + list(self.report.warnings if self.report else ()) + self.remarks + nothing

    @property
    def seconds(self) -> float:
        """Seconds taken so far."""
        return round(time.monotonic() - self.started, 3)


def sheet_of(
    job: Job, tally: Tally, config: BatchConfig | LiveConfig, outputs: Mapping[str, Path | str] | None = None
) -> Sheet:
    """What NAME.meta.json says; outputs by kind are those that the configuration names, unless given."""
    report = tally.report
    outputs = job.outputs(config.output) if outputs is None else outputs
    sheet = {
        "version": tracker.__version__,
        "complete": tally.complete,
        "source": job.source | (asdict(tally.info) if tally.info else {"uri": job.name}),
        **tally.engine,
        "columns": list(tally.columns),
        **({"baseline": tally.baseline} if tally.baseline else {}),
        "options": settings(config),
        "decoded": report.decoded if report else tally.frames,
        "repaired": report.repaired if report else 0,
        "with_faces": tally.with_faces,
        "faces_seen": len(tally.face_ids),
        "rows": tally.rows,
        "cuts": tally.cuts,
        "seconds": tally.seconds,
        "outputs": {kind: _beside(path, job) for kind, path in outputs.items()},
        "warnings": tally.warnings,
    }
    if not config.output.full_paths:
        return private(sheet)
    if Path(job.uri).exists():
        sheet["source"]["path"] = str(Path(job.uri).resolve())
    return sheet


def _beside(path: Path | str, job: Job) -> str:
    """A path as the sheet names it: by its name alone where it lies beside the sheet."""
    return Path(path).name if Path(path).parent == job.folder else str(path)


def outcome_of(job: Job, tally: Tally, state: State, files: Iterable[str]) -> Outcome:
    """The outcome of a job that was begun."""
    detail = "; ".join(tally.warnings)
    output, seen = str(job.folder / job.stem), len(tally.face_ids)
    return Outcome(job.name, state, detail, output, tuple(files), tally.rows, tally.seconds, seen, tally.tries)
