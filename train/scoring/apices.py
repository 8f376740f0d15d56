"""`affect eval apices`: does a model, over time, keep what its single frame says at the height of an expression?

Needs no labels: sequences of pictures from a neutral face to the apex of an expression, each shown as a film that rests
before and after, and any clips, on which the trembling is measured.
"""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np
from tqdm import tqdm

from tracker.config import BatchConfig, SmoothingConfig, SourceOptions, TrackerConfig, default_of
from tracker.errors import DataError
from tracker.types import AffectSample, Frame
from train import metrics
from train.scoring.table import aligned

RATE_HZ = 30.0
REST_S, HOLD_S = 0.5, 1.0
"""Of the first picture before a sequence, and of its last after it."""
TRACES = ("window", "smoothed")
"""What is compared with the single frame."""
MOMENTS_S = {"apex reached": 0.0, "0.2 s later": 0.2, "held 1 s": 1.0}
ROUNDS = 1000
PROTOCOL = (
    f"each sequence as a film of {RATE_HZ:g} frames a second, its first picture {REST_S:g} s before it and its last"
    f" {HOLD_S:g} s after it; slope: of what a trace has moved since the rest upon what the single frame has, through"
    " the origin, over the sequences; intervals of resampled sequences; trembling: mean distance of a frame's value"
    " from the middle of its neighbours', over the clips"
)


def sequences_of(folder: Path) -> dict[str, list[Path]]:
    """The pictures of every folder beneath, in order of name; DataError where no folder has three."""
    from tracker.sources import PICTURE

    found: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and PICTURE.fullmatch(path.suffix):
            found.setdefault(str(path.parent.relative_to(folder)), []).append(path)
    found = {name: paths for name, paths in found.items() if len(paths) >= 3}
    if not found:
        raise DataError(f"{folder} has no folder with three pictures or more; expected one for each sequence")
    return found


def film_of(paths: list[Path]) -> Iterator[Frame]:
    """The pictures at RATE_HZ, the first and the last repeated."""
    from tracker.sources.images import read_picture

    images = []
    for path in paths:
        image = read_picture(str(path))
        if image is None:
            raise DataError(f"{path} cannot be read as a picture; take it out, or put a whole one in its place")
        images.append(image)
    film = [images[0]] * round(REST_S * RATE_HZ) + images + [images[-1]] * round(HOLD_S * RATE_HZ)
    for index, image in enumerate(film):
        yield Frame(image, index / RATE_HZ, index)


def values_of(sample: AffectSample) -> list[float]:
    """Valence and arousal of the single frame, over the window, and smoothed (6,)."""
    return [
        sample.valence_frame, sample.arousal_frame, sample.valence, sample.arousal,
        sample.valence_smooth, sample.arousal_smooth,
    ]  # fmt: skip


def score_model(model: str, folder: Path, clips: tuple[Path, ...], smoothing: SmoothingConfig) -> dict[str, Any]:
    """One model's part of the report: slopes at MOMENTS_S of each trace and axis with intervals, trembling."""
    from tracker.engine import Engine, track
    from tracker.sources import open_source

    sequences, left_out = sequences_of(folder), 0
    moved: list[np.ndarray] = []  # of each sequence (moments, 6)
    with Engine(model, TrackerConfig(faces=1, smoothing=smoothing)) as engine:
        for paths in tqdm(sequences.values(), f"{model}: sequences", unit="sequence", leave=False):
            tracked = list(track(film_of(paths), engine))
            if not all(frame.samples for frame in tracked):
                left_out += 1
                continue
            trace = np.array([values_of(frame.samples[0]) for frame in tracked])
            apex = len(trace) - round(HOLD_S * RATE_HZ) - 1
            rest = np.tile(trace[: round(REST_S * RATE_HZ), :2].mean(axis=0), 3)
            moved.append(trace[[apex + round(after * RATE_HZ) for after in MOMENTS_S.values()]] - rest)
        trembling = []
        for clip in clips:
            with open_source(str(clip), SourceOptions()) as source:
                seen = [values_of(frame.samples[0]) for frame in track(source, engine) if frame.samples]
            trembling.append(trembling_of(np.array(seen)))
        name, lag_ms = engine.runtime.card.name, engine.step_lag_ms
    if not moved:
        raise DataError(f"{model} lost the face in every sequence of {folder}; nothing is scored")
    ways = np.array(moved)
    return {
        "model": name,
        "sequences": len(moved),
        "face lost": left_out,
        "filter lag ms": round(lag_ms, 1),
        "slopes": {trace: slopes_of(ways, place) for place, trace in enumerate(TRACES, 1)},
        "trembling": dict(zip(("frame", *TRACES), np.mean(trembling, axis=0).round(5).tolist(), strict=True))
        if trembling
        else None,
    }


def slopes_of(ways: np.ndarray, place: int) -> dict[str, dict[str, list[float]]]:
    """By moment and axis [slope, low, high] of the trace at `place` of ways (N, moments, 6)."""
    slopes: dict[str, dict[str, list[float]]] = {}
    for moment, name in enumerate(MOMENTS_S):
        for axis, axis_name in enumerate(("valence", "arousal")):
            frame, own = ways[:, moment, axis], ways[:, moment, 2 * place + axis]

            def slope(rows: Any, frame: np.ndarray = frame, own: np.ndarray = own) -> float:
                return float(frame[rows] @ own[rows] / (frame[rows] @ frame[rows]))

            low, high = metrics.bootstrap_interval(slope, len(frame), ROUNDS)
            figure = [slope(slice(None)), float(low), float(high)]
            slopes.setdefault(name, {})[axis_name] = [round(value, 4) for value in figure]
    return slopes


def trembling_of(trace: np.ndarray) -> list[float]:
    """Of the frame, the window and the smoothed trace, mean of both axes; trace (T, 6)."""
    if len(trace) < 3:
        raise DataError("a clip has fewer than three frames with a face; expected more, to measure its trembling")
    apart = np.abs(trace[1:-1] - (trace[:-2] + trace[2:]) / 2).mean(axis=0)
    return apart.reshape(3, 2).mean(axis=1).tolist()


def table_of(report: dict[str, Any]) -> str:
    """Aligned text: a row for each model and trace."""
    rows = [["", *(f"{moment}: V / A" for moment in MOMENTS_S), "trembling", "lag of the filter"]]
    for each in report["models"]:
        for trace in TRACES:
            cells = [
                "{:.3f} ({:.3f} to {:.3f}) / {:.3f} ({:.3f} to {:.3f})".format(*both["valence"], *both["arousal"])
                for both in each["slopes"][trace].values()
            ]
            shakes = "-" if each["trembling"] is None else f"{each['trembling'][trace]:.4f}"
            lag = f"{each['filter lag ms']:.0f} ms" if trace == "smoothed" else ""
            rows.append([f"{each['model']}, {trace}", *cells, shakes, lag])
    lost = max(each["face lost"] for each in report["models"])
    note = f"{report['models'][0]['sequences']} sequences; {lost} left out, in which the face was lost"
    return f"{aligned(rows)}\n\n{note}\n{report['protocol']}"


@click.command("apices")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--clip", "clips", multiple=True, type=Path, help="A video on which trembling is measured; again for more."
)
@click.option("--model", "models", multiple=True, default=[default_of(BatchConfig, "model")], show_default=True,
              help="A name or a file, again for each.")  # fmt: skip
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="Of the filter: min_cutoff_hz=0.5, beta=0.")
@click.option("--json", "file", type=Path, help="Write every figure to this file.")
def evaluate_apices(
    folder: Path, clips: tuple[Path, ...], models: tuple[str, ...], changes: tuple[str, ...], file: Path | None
) -> None:
    """What is left of an expression's height after window and filter, on FOLDER's sequences of pictures.

    FOLDER has a folder for each sequence, from a neutral face to the apex. No label is read.
    """
    from train.command import changes_of
    from train.config import settings
    from train.evaluate import check_folder, write_json

    check_folder(file)
    smoothing = settings(SmoothingConfig, changes_of(changes))
    parts = [score_model(model, folder, clips, smoothing) for model in models]
    report = {"protocol": PROTOCOL, "smoothing": asdict(smoothing), "clips": [c.name for c in clips], "models": parts}
    click.echo(table_of(report))
    if file is not None:
        write_json(report, file)
