"""`affect track --attention`, and windows of several frames: what is written, what is drawn, and at which cost."""

import csv
import json
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from scenes import small_runtime
from tracked import context_of, fill, looking, sample_at, tracked, without_face, written

from tracker.cli import main
from tracker.commands.models import check_attention
from tracker.drawing.heatmaps import COLUMNS, columns_of, draw_attention
from tracker.errors import UsageError
from tracker.sinks import open_sink
from tracker.sinks.attention import AttentionSink
from tracker.sinks.records import ATTENTION, rows
from tracker.types import TrackedFrame

NAN = float("nan")
MakeModel = Callable[..., str]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> MakeModel:
    """What makes an untrained checkpoint; the attention's score is scaled up so that its weights differ."""
    from nets.checkpoint import save

    def make(recurrence: str, length: int = 8, rate_hz: float | None = 25.0) -> str:
        runtime = small_runtime(recurrence, length, rate_hz)
        if recurrence == "attention":
            runtime._model.combiner.recurrence.attention.score.weight.data *= 100
        path = tmp_path_factory.mktemp("models") / "small.safetensors"
        save(path, runtime._model, runtime.card)
        return str(path)

    return make


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["track", *map(str, arguments)])


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def decoded(png: bytes) -> np.ndarray:
    """The picture (H, W, 3), RGB."""
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image[..., ::-1].astype(int)


# The command.


def test_attention_is_written_and_drawn(tmp_path: Path, sample_clip: Path, model: MakeModel) -> None:
    choices = ["--attention", "--jsonl", f"{tmp_path}/", "--parquet", "--end", "0.6"]
    result = run(sample_clip, "--model", model("attention"), "-o", tmp_path, *choices)
    assert result.exit_code == 0, result.output
    assert decoded((tmp_path / "sample.attention.png").read_bytes()).shape[1] == 1800
    assert "attention" not in table(tmp_path / "sample.csv")[0]
    written_lines = lines(tmp_path / "sample.jsonl")
    times = [line["timestamp"] for line in written_lines]
    for index, line in enumerate(written_lines):
        weights, ages = np.array(line["attention"]), np.array(line["attention_age"], float)
        assert weights.shape == ages.shape == (8,) and ages[-1] == weights[-1] == 0.0
        assert weights.sum() == pytest.approx(float(index > 0), abs=4e-4)
        known = ages[np.isfinite(ages)]
        assert known == pytest.approx([times[index] - time for time in times[max(0, index - 7) : index + 1]], abs=2e-6)
        assert not weights[: 8 - len(known)].any()
    assert np.ptp(np.array(written_lines[-1]["attention"])[:-1]) > 1e-3
    parquet = pd.read_parquet(tmp_path / "sample.parquet")
    assert parquet["attention"][14] == pytest.approx(written_lines[14]["attention"])
    assert parquet["attention_age"][3][-4:] == pytest.approx(written_lines[3]["attention_age"][-4:])


def test_without_the_option_nothing_changes(tmp_path: Path, sample_clip: Path, model: MakeModel) -> None:
    result = run(sample_clip, "--model", model("attention"), "-o", tmp_path, "--jsonl", f"{tmp_path}/", "--end", "0.1")
    assert result.exit_code == 0, result.output
    assert not (tmp_path / "sample.attention.png").exists()
    assert not {"attention", "attention_age"} & lines(tmp_path / "sample.jsonl")[0].keys()


def test_the_picture_alone_is_something_to_write(tmp_path: Path, sample_clip: Path, model: MakeModel) -> None:
    choices = ["--attention", "--no-csv", "--sequence-length", "4", "--end", "0.2"]
    result = run(sample_clip, "--model", model("attention"), "-o", tmp_path, *choices)
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sample.attention.png", "sample.meta.json"]
    sheet = json.loads((tmp_path / "sample.meta.json").read_text())
    assert (sheet["sequence_length"], sheet["window_rate_hz"]) == (4, 25.0)
    assert sheet["outputs"] == {"attention": "sample.attention.png"} and sheet["options"]["output"]["attention"] is True


@pytest.mark.parametrize(
    ("recurrence", "choices", "told"),
    [
        ("none", [], "--attention needs a model with attention (ANCLaF-SA-n), and random-none has none; "),
        ("lstm", [], "and random-lstm has none; "),
        ("attention", ["--sequence-length", "1"], "--attention needs a window of 2 frames or more, and this one has 1"),
    ],
)
def test_no_attention_is_wrong_usage(
    tmp_path: Path, sample_clip: Path, model: MakeModel, recurrence: str, choices: list[str], told: str
) -> None:
    out = tmp_path / "out"
    result = run(sample_clip, "--model", model(recurrence), "-o", out, "--attention", *choices)
    assert result.exit_code == 2
    assert told in result.output and result.output.count("error: ") == 1 and not out.exists()


@pytest.mark.parametrize(
    ("shipped", "told"),
    [
        (["none"], r"none ships: give --model the \.safetensors file of one that `affect train anclaf` has made$"),
        (["none", "attention", "lstm"], r"choose one by --model: random-attention$"),
    ],
)
def test_the_error_says_which_model_has_attention(
    monkeypatch: pytest.MonkeyPatch, shipped: list[str], told: str
) -> None:
    cards = [small_runtime(recurrence).card for recurrence in shipped]
    monkeypatch.setattr("nets.card.list_models", lambda: cards)
    with pytest.raises(UsageError, match=told):
        check_attention(cards[0], None)


def test_a_window_of_eight_frames_by_the_command(tmp_path: Path, sample_clip: Path, model: MakeModel) -> None:
    path, made = model("lstm"), []
    for choices in (["--end", "0.6"], ["--end", "0.4"], ["--end", "0.4", "--sequence-length", "2"]):
        result = run(sample_clip, "--model", path, "-o", tmp_path, "--overwrite", *choices)
        assert result.exit_code == 0, result.output
        made.append((table(tmp_path / "sample.csv"), json.loads((tmp_path / "sample.meta.json").read_text())))
    (whole, sheet), (prefix, _), (short, short_sheet) = made
    assert [int(row["frame"]) for row in whole] == list(range(15))
    assert prefix == whole[:10]
    assert all(row["valence"] != row["valence_frame"] and row["arousal"] != row["arousal_frame"] for row in whole)
    assert (sheet["sequence_length"], short_sheet["sequence_length"], sheet["window_rate_hz"]) == (8, 2, 25.0)
    assert short[:2] == whole[:2]
    assert all(a["valence"] != b["valence"] for a, b in zip(short[2:], prefix[2:], strict=True))


# Records.


def gazing(index: int, weights: list[float], ages: list[float], track_id: int = 0) -> TrackedFrame:
    """A small frame with one face that has attention."""
    sample = looking(sample_at(index / 25, track_id, (0.1, 0.2)), weights, ages)
    return tracked(index, samples=[sample], size=(2, 2))


def test_rows_with_attention_end_with_two_lists() -> None:
    frame = gazing(3, [0.0, 1 / 3, 2 / 3, 0.0], [NAN, 1 / 12, 0.04, 0.0])
    (row,) = rows(frame, "pyfeat", ATTENTION)
    assert list(row)[-2:] == [column.name for column in ATTENTION] == ["attention", "attention_age"]
    assert row["attention"] == [0.0, 0.3333, 0.6667, 0.0]
    assert row["attention_age"] == [None, 0.083333, 0.04, 0.0]
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    assert rows(frame, "pyfeat") == [{name: row[name] for name in list(row)[:-2]}]


@pytest.mark.parametrize("frame", [without_face(1), tracked(1)], ids=["no face", "no attention"])
def test_what_has_no_attention_has_null(frame: TrackedFrame) -> None:
    (row,) = rows(frame, extras=ATTENTION)
    assert row["attention"] is row["attention_age"] is None


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_lists_are_read_as_they_were_written(tmp_path: Path, kind: str) -> None:
    frames = [gazing(0, [0, 0], [NAN, 0]), without_face(1), gazing(2, [1, 0], [0.08, 0])]
    path = written(kind, tmp_path / f"x.{kind}", frames, context_of(extras=("attention",)))
    read = pd.read_parquet(path) if kind == "parquet" else pd.read_json(path, lines=True)
    assert [None if one is None else list(one) for one in read["attention"]] == [[0, 0], None, [1, 0]]
    assert list(read["attention_age"][2]) == pytest.approx([0.08, 0])
    first = list(read["attention_age"][0])
    assert (first[0] is None or np.isnan(first[0])) and first[1] == 0


# What the picture keeps.


def gather(tmp_path: Path, frames: list[TrackedFrame], **choices: object) -> tuple[AttentionSink, list]:
    """A finished sink and the arguments of its one drawing."""
    drawn: list = []

    def draw(*arguments: object) -> bytes:
        drawn.append(arguments)
        return b"picture"

    with AttentionSink(tmp_path / "x.png", context_of("/clips/a.mp4", **choices), draw) as sink:
        fill(sink, frames)
    return sink, drawn[0]


def test_every_sample_of_a_short_run_is_kept(tmp_path: Path) -> None:
    frames = [gazing(0, [0, 0, 0], [NAN, NAN, 0]), gazing(1, [0, 1, 0], [NAN, 0.04, 0])]
    frames += [gazing(i, [0.25, 0.75, 0], [0.08, 0.04, 0]) for i in range(2, 30)]
    _, (curves, span, title, caption) = gather(tmp_path, frames, model="m", window_rate_hz=25.0)
    points = curves[0]
    assert points.shape == (30, 5 + 6) and span == (0.0, 29 / 25) and title == "a.mp4"
    np.testing.assert_allclose(points[2, 5:], [0.25, 0.75, 0, 0.08, 0.04, 0], rtol=1e-6)
    np.testing.assert_allclose(points[0, 5:], [NAN, NAN, 0, NAN, NAN, 0])
    np.testing.assert_allclose(points[1, 1:5], [0.11, 0.21, 0.1, 0.2], rtol=1e-6)
    assert caption == "attention of model m over a window of 3 frames at 25 Hz (80 ms)  \u00b7  1 face"


@pytest.mark.parametrize(
    ("frames", "told"),
    [
        ([gazing(0, [0, 0], [NAN, 0])], "attention of model m over a window of the last 2 frames"),
        ([without_face(0)], "attention of model m"),
        ([tracked(0)], "attention of model m"),
    ],
)
def test_the_caption_says_what_is_known(tmp_path: Path, frames: list[TrackedFrame], told: str) -> None:
    assert gather(tmp_path, frames, model="m")[1][3].startswith(f"{told}  \u00b7")


def test_a_long_run_merges_neighbours(tmp_path: Path) -> None:
    rng, count = np.random.default_rng(0), 3000
    share = rng.uniform(size=count)
    frames = [gazing(i, [share[i], 1 - share[i], 0], [0.08, 0.04, 0]) for i in range(count)]
    points = gather(tmp_path, frames)[1][0][0]
    assert 300 < len(points) <= AttentionSink.places
    np.testing.assert_allclose(points[:, 5:7].sum(axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(points[:, 8:], np.tile([0.08, 0.04, 0], (len(points), 1)), rtol=1e-6, atol=1e-9)
    whole = np.interp(points[:, 0], np.arange(count) / 25, np.convolve(share, np.ones(6) / 6, "same"))
    assert np.corrcoef(whole, points[:, 5])[0, 1] > 0.6


def test_memory_does_not_grow_with_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AttentionSink, "places", 50)
    monkeypatch.setattr("tracker.sinks.plot.FACES_KEPT", 4)
    ages = np.arange(32)[::-1] / 25

    def peak_of(count: int) -> int:
        with AttentionSink(tmp_path / "x.png", context_of(), lambda *_: b"picture") as sink:
            tracemalloc.start()
            fill(sink, (gazing(i, np.full(32, 1 / 32), ages, i // 20) for i in range(count)))
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return peak

    once, ten_times = (peak_of(20 * 4 * times) for times in (1, 10))
    assert once > 4 * 50 * 8 * 96
    assert ten_times - once < 20_000


# What is drawn.


def points_of(count: int, length: int, rate_hz: float = 25.0, looks_at: int = 1) -> np.ndarray:
    """Points (T, 5 + 2 n) of a face whose attention is all on the frame `looks_at` places back."""
    ages = np.tile(np.arange(length)[::-1] / rate_hz, (count, 1))
    weights = np.tile((np.arange(length)[::-1] == looks_at).astype(float), (count, 1))
    known = np.arange(count)[:, None] >= np.arange(length)[::-1]
    time = np.arange(count) / rate_hz
    affect = np.stack([np.sin(time), np.cos(time)] * 2, 1) / 2
    return np.column_stack([time, affect, np.where(known, weights, NAN), np.where(known, ages, NAN)])


YELLOW, BLUE_BLACK, BLANK = (253, 231, 36), (68, 1, 84), (236, 239, 242)


def places_of(image: np.ndarray, colour: tuple[int, int, int]) -> tuple[float, int]:
    """The mean row and the number of a heat map's pixels of a colour, left of the key."""
    found = np.argwhere(np.abs(image[:, :1300] - colour).max(axis=2) <= 3)
    return (float(found[:, 0].mean()), len(found)) if len(found) else (NAN, 0)


def test_the_weight_lies_in_its_row() -> None:
    length = 8
    near, far = (
        decoded(draw_attention({0: points_of(300, length, looks_at=k)}, (0, 12), "t", "c")) for k in (1, length - 1)
    )
    (low, many), (high, _) = places_of(near, YELLOW), places_of(far, YELLOW)
    assert many > 1000
    strip = 1.5 * 150
    assert low - high == pytest.approx(strip * (length - 2) / (length - 1), abs=3)


def test_nothing_is_drawn_where_the_face_was_away() -> None:
    whole, broken = points_of(300, 8), points_of(300, 8)
    broken[100:200] = NAN
    pictures = [decoded(draw_attention({0: points}, (0, 12), "t", "c")) for points in (whole, broken)]
    here, away = (places_of(picture, BLUE_BLACK)[1] for picture in pictures)
    assert away == pytest.approx(here * 2 / 3, rel=0.03)
    assert places_of(pictures[1], BLANK)[1] > here / 4


def test_a_column_shows_the_row_at_its_time() -> None:
    times = np.array([0.0, 0.1, 0.2, NAN, 0.8, 0.9, 1.0])
    shown = columns_of(times, (0.0, 1.0))
    at = (np.arange(COLUMNS) + 0.5) / COLUMNS
    expected = [(0.02, 0), (0.06, 1), (0.14, 1), (0.16, 2), (0.24, 2), (0.26, -1), (0.74, -1), (0.76, 4), (0.99, 6)]
    assert [shown[np.abs(at - time).argmin()] for time, _ in expected] == [row for _, row in expected]


@pytest.mark.parametrize("times", [[0.5], [0.5, NAN, 0.7], [0.2, 0.4]])
def test_columns_of_next_to_nothing(times: list[float]) -> None:
    shown = columns_of(np.array(times), (0.0, 1.0))
    assert set(shown) == {-1, *np.flatnonzero(np.isfinite(times))}


@pytest.mark.parametrize(
    ("curves", "span"),
    [
        ({}, (0.0, 9.0)),
        ({0: points_of(1, 8)}, (0.0, 0.0)),
        ({0: points_of(20, 1)}, (0.0, 0.8)),
        ({k: points_of(50, 32) for k in range(3)}, (0.0, 2.0)),
        ({9: points_of(200, 2, 0.01)}, (0.0, 20_000.0)),
    ],
)
def test_any_run_can_be_drawn(curves: dict, span: tuple[float, float], recwarn: pytest.WarningsRecorder) -> None:
    assert decoded(draw_attention(curves, span, "a $name_{ ü 日本 " * 20, "")).std() > 5
    assert not recwarn.list


def test_an_aborted_run_leaves_its_picture(tmp_path: Path) -> None:
    path = tmp_path / "x.attention.png"
    with pytest.raises(RuntimeError), open_sink("attention", path, context_of()) as sink:
        fill(sink, [gazing(i, [0.5, 0.5, 0], [0.08, 0.04, 0]) for i in range(30)])
        raise RuntimeError
    assert decoded((tmp_path / "x.attention.part.png").read_bytes()).std() > 5 and not path.exists()


def test_faces_are_not_in_the_picture(tmp_path: Path) -> None:
    still, changed = [gazing(i, [0.5, 0.5, 0], [0.08, 0.04, 0]) for i in range(5)], []
    for frame in still:
        changed.append(replace(frame, frame=replace(frame.frame, image=255 - frame.frame.image)))
    ours, theirs = (gather(tmp_path, frames)[1] for frames in (still, changed))
    np.testing.assert_array_equal(ours[0].pop(0), theirs[0].pop(0))
    assert ours == theirs and ours[0] == {}
