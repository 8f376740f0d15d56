"""`affect eval synthetic`: models on clips of synthetic faces, whose truth is known in every frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from tqdm import tqdm

from tracker.config import BatchConfig, TrackerConfig, default_of
from tracker.errors import DataError
from train.datasets.parts import AXES, number
from train.datasets.table import read_cells
from train.scoring import clip_sums
from train.scoring.report import SAME
from train.scoring.table import aligned
from train.scoring.table import number as told

TABLE = "table.csv"
LAGS_MS = np.arange(-200, 1001, 10)
"""Between which the cross-correlation looks for its highest place."""
ROUNDS = 300
PROTOCOL = (
    "every frame with a face, of all clips pooled; intervals of resampled clips; lag: the delay of the truth at which"
    " its correlation with the trace (mean of both axes) is highest; trembling: mean frame-to-frame change while the"
    " truth rests; constant: the mean truth of these frames"
)


@dataclass(frozen=True)
class Clips:
    """M frames of C clips, in order of clip and time."""

    names: tuple[str, ...]
    clip: np.ndarray
    """(M,) int in range(C)."""
    time: np.ndarray
    """(M,) seconds from each clip's start."""
    truth: np.ndarray
    """(M, 2)."""


@dataclass(frozen=True)
class Answers:
    """What a model says of M frames."""

    window: np.ndarray
    """(M, 2): its own answer; NaN where no face was found."""
    smooth: np.ndarray
    """(M, 2): after the tracker's filter."""


def files_of(paths: Sequence[Path]) -> list[Path]:
    """The clips among files and folders of clips; DataError where there is none, or one has no table beside it."""
    files = [file for path in paths for file in (sorted(path.glob("*.mp4")) if path.is_dir() else [path])]
    if not files:
        raise DataError(f"no .mp4 in {', '.join(map(str, paths))}; expected clips of affect synth clips")
    for file in files:
        if not file.is_file() or not (file.parent / TABLE).is_file():
            what = "no such file" if not file.is_file() else f"no {TABLE} beside it"
            raise DataError(f"{file}: {what}; expected a clip of affect synth clips, whose {TABLE} holds the truth")
    return files


def truth_of(file: Path) -> np.ndarray:
    """(T, 2) valence and arousal of a clip's frames; DataError where the table has not all of them."""
    rows = read_cells(file.parent / TABLE, ("video", "frame", "valence", "arousal"), "a table of affect synth clips")
    own = [(place, cells) for place, cells in rows if cells["video"] == file.name]
    frames = {int(number(cells["frame"] or "", f"{place}: frame")): (place, cells) for place, cells in own}
    if sorted(frames) != list(range(len(own))) or not own:
        raise DataError(f"{file.parent / TABLE}: {len(own)} frames of {file.name}; expected each once, from 0")
    ordered = [frames[frame] for frame in sorted(frames)]
    return np.array([[number(cells[axis] or "", f"{place}: {axis}") for axis in AXES] for place, cells in ordered])


def run_model(model: str, files: Sequence[Path]) -> tuple[list[np.ndarray], list[Answers], str]:
    """Times (T,) and answers of each clip, as the tracker gives them, and the model's SHA-256."""
    from tracker.engine import Engine, track
    from tracker.sources import open_source

    times, answers = [], []
    with Engine(model, TrackerConfig(faces=1)) as engine:
        for file in tqdm(files, Path(model).stem, unit="clip"):
            engine.reset()
            with open_source(str(file)) as source:
                frames = list(track(source, engine))
            rows = np.array([_sample(tracked.samples) for tracked in frames]).reshape(-1, 4)
            times.append(np.array([tracked.frame.time for tracked in frames]))
            answers.append(Answers(rows[:, :2], rows[:, 2:]))
        return times, answers, engine.runtime.card.sha256


def _sample(samples: Sequence[Any]) -> tuple[float, ...]:
    if not samples:
        return (np.nan,) * 4
    one = samples[0]
    return one.valence, one.arousal, one.valence_smooth, one.arousal_smooth


def pooled(files: Sequence[Path], times: Sequence[np.ndarray]) -> Clips:
    """The truth of clips whose frames were read at times; DataError where a table has another number of frames."""
    truths = [truth_of(file) for file in files]
    for file, truth, time in zip(files, truths, times, strict=True):
        if len(truth) != len(time):
            raise DataError(f"{file} has {len(time)} frames, {TABLE} beside it {len(truth)}; make the clips again")
    clip = np.repeat(np.arange(len(files)), [len(time) for time in times])
    return Clips(tuple(file.name for file in files), clip, np.concatenate(times), np.concatenate(truths))


def lag_ms(values: np.ndarray, clips: Clips, drawn: np.ndarray) -> np.ndarray:
    """(rounds,): the delay with the highest correlation, milliseconds, for each row of drawn (rounds, C).

    values (M, 2), NaN where there is none; the truth between frames is taken straight.
    """
    best, highest = np.full(len(drawn), np.nan), np.full(len(drawn), -np.inf)
    for lag in LAGS_MS.tolist():
        delayed, known = _delayed(clips, lag / 1000)
        kept = known & np.isfinite(values).all(axis=1)
        sums = clip_sums.clip_sums(values[kept], delayed[kept], clips.clip[kept], len(clips.names))
        fit = clip_sums.figures(clip_sums.resampled(sums, drawn))["pcc"][:, 2]
        better = fit > highest
        best[better], highest[better] = lag, fit[better]
    return best


def _delayed(clips: Clips, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """The truth (M, 2) some time earlier, and where (M,) the clip holds it."""
    delayed, known = np.empty_like(clips.truth), np.empty(len(clips.time), bool)
    for index in range(len(clips.names)):
        rows = np.flatnonzero(clips.clip == index)
        time, wanted = clips.time[rows], clips.time[rows] - seconds
        delayed[rows] = np.stack([np.interp(wanted, time, axis) for axis in clips.truth[rows].T], axis=1)
        known[rows] = (wanted >= time[0]) & (wanted <= time[-1])
    return delayed, known


def score(values: np.ndarray, clips: Clips) -> dict[str, Any]:
    """Every figure of values (M, 2), each with its 95 % interval over resampled clips."""
    kept, count = np.isfinite(values).all(axis=1), len(clips.names)
    drawn = np.concatenate([np.ones((1, count)), clip_sums.draws(count, ROUNDS)])
    sums = clip_sums.clip_sums(values[kept], clips.truth[kept], clips.clip[kept], count)
    figures = clip_sums.figures(clip_sums.resampled(sums, drawn))
    same = np.abs(np.diff(clips.truth, axis=0, prepend=np.nan)).max(axis=1) < SAME
    within = np.diff(clips.clip, prepend=-1) == 0
    quiet = (same & within & kept & np.roll(kept, 1)).astype(bool)
    shaken = clip_sums.change_sums(values, clips.clip, quiet, count)
    figures["trembling"] = clip_sums.trembling(clip_sums.resampled(shaken, drawn))
    report = {name: _with_interval(figures[name]) for name in ("rmse", "ccc", "pcc", "trembling")}
    moves = (np.nanmax(values, axis=0) - np.nanmin(values, axis=0)).max() > SAME
    lags = lag_ms(values, clips, drawn) if moves else np.full(len(drawn), np.nan)
    return report | {"lag_ms": _with_interval(np.repeat(lags[:, None], 3, axis=1))["average"]}


def _with_interval(values: np.ndarray) -> dict[str, list[float | None]]:
    """[value, low, high] by axis; values (1 + rounds, 3), the first of all clips."""
    low, high = clip_sums.interval(values[1:])
    names = ("valence", "arousal", "average")
    return {name: [_finite(v[i]) for v in (values[0], low, high)] for i, name in enumerate(names)}


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def evaluate_clips(paths: Sequence[Path], models: Sequence[str]) -> dict[str, Any]:
    """The whole report. DataError for what is no clip with its truth; CheckpointError for what is no model."""
    files = files_of(paths)
    rows: list[dict[str, Any]] = []
    for model in models:
        times, answers, sha256 = run_model(model, files)
        clips = pooled(files, times)
        window, smooth = (np.concatenate([getattr(each, key) for each in answers]) for key in ("window", "smooth"))
        facts = {"sha256": sha256, "missed": int(np.isnan(window[:, 0]).sum())}
        rows.append({"name": Path(model).stem, **facts, **score(window, clips)})
        rows.append({"name": f"{Path(model).stem} + One-Euro (tracker)", **facts, **score(smooth, clips)})
    constant = np.tile(clips.truth.mean(axis=0), (len(clips.truth), 1))
    rows.insert(0, {"name": "constant", "sha256": "", "missed": 0, **score(constant, clips)})
    return {"clips": len(files), "frames": len(clips.truth), "protocol": PROTOCOL, "rounds": ROUNDS, "rows": rows}


def table_of(report: dict[str, Any]) -> str:
    """The report as aligned text."""
    heads = [
        "",
        "RMSE V",
        "RMSE A",
        "95 % of mean",
        "CCC V",
        "CCC A",
        "95 % of mean",
        "lag ms",
        "95 %",
        "trembling",
        "missed",
    ]
    rows = [heads]
    for row in report["rows"]:
        cells = [row["name"]]
        for name in ("rmse", "ccc"):
            figures = row[name]
            cells += [told(figures["valence"][0]), told(figures["arousal"][0]), _between(figures["average"], 3)]
        cells += [told(row["lag_ms"][0], 0), _between(row["lag_ms"], 0), told(row["trembling"]["average"][0], 4)]
        rows.append([*cells, str(row["missed"])])
    count = f"{report['clips']} clips" if report["clips"] > 1 else "1 clip (no interval: one clip)"
    return f"{count}, {report['frames']} frames\n{report['protocol']}\n\n{aligned(rows)}"


def _between(figure: list[float | None], digits: int) -> str:
    return "" if figure[1] is None else f"{told(figure[1], digits)} to {told(figure[2], digits)}"


@click.command("synthetic")
@click.argument("clips", metavar="CLIP...", type=Path, nargs=-1, required=True)
@click.option("--model", "models", multiple=True, default=[default_of(BatchConfig, "model")], show_default=True,
              help="A name or a .safetensors file, again for each.")  # fmt: skip
@click.option("--json", "file", type=Path, help="Write every figure to this file.")
def evaluate_synthetic(clips: tuple[Path, ...], models: tuple[str, ...], file: Path | None) -> None:
    """Score models on clips of affect synth clips (files, or a folder of them), whose truth is known in every frame."""
    from train.evaluate import check_folder, write_json

    check_folder(file)
    report = evaluate_clips(clips, models)
    click.echo(table_of(report))
    if file is not None:
        write_json(report, file)
