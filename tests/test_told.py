"""Probabilities of expressions and deviations of valence and arousal: from the networks to records and pictures."""

import csv
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from click.testing import CliRunner, Result
from receivers import CONTEXT, PATIENCE_S, closed_soon
from scenes import Teller, WrittenFaces, small_disvae, small_levasa, small_runtime, teller_runtime, two_walkers
from test_outlets_osc import listening
from test_outlets_websocket import client_of, heard
from tracked import context_of, looking, sample_at, tracked, without_face, written

from nets import checkpoint
from nets.anclaf import AnclafConfig
from nets.expressions import EXPRESSIONS
from nets.network import Answer
from nets.onnx.graph import Graph
from nets.onnx.session import OnnxEncoder
from nets.torch_runtime import TorchRuntime
from tracker.cli import main
from tracker.config import LiveConfig, OutputConfig, SmoothingConfig, TrackerConfig
from tracker.drawing.dashboard import Dashboard
from tracker.drawing.history import History
from tracker.drawing.marks import bars_size
from tracker.drawing.overlay import Overlay
from tracker.drawing.plots import draw_traces
from tracker.engine import Engine, track
from tracker.live import run_live
from tracker.outlets.osc import OscOutlet
from tracker.outlets.standard_output import StdoutOutlet
from tracker.outlets.websocket import WebSocketOutlet
from tracker.sinks.parquet import schema
from tracker.sinks.records import COLUMNS, column_names, extra_columns, rows
from tracker.smoothing import make_smoother
from tracker.types import AffectSample, LiveStatus, TrackedFrame

NAMES = ("valence_sd", "arousal_sd", *(f"p_{name}" for name in EXPRESSIONS))
TOLD = ("deviation", "expressions")
SHARES = np.array([0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625, 0.0078125, 0.0078125], np.float32)
UNSMOOTHED = TrackerConfig(faces=2, smoothing=SmoothingConfig("none"))


def telling(sample: AffectSample, expressions: np.ndarray = SHARES) -> AffectSample:
    """The same sample of a model that tells both."""
    return replace(sample, expressions=expressions, valence_sd=0.125, arousal_sd=0.25)


def frame_at(index: int) -> TrackedFrame:
    return tracked(index, samples=[telling(sample_at(index / 25))], size=(360, 640), boxes=[(200, 100, 330, 250)])


FRAMES = [without_face(0), frame_at(1), without_face(2)]


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A checkpoint of a network that tells both, of a kind of its own."""
    monkeypatch.setitem(checkpoint.KINDS, "teller", lambda config: Teller(AnclafConfig.from_dict(config)))
    runtime = teller_runtime()
    path = tmp_path / "models" / "teller.safetensors"
    checkpoint.save(path, runtime._model, replace(runtime.card, name="teller", kind="teller"))
    return str(path)


# The networks.


def test_a_network_says_what_it_fills_in() -> None:
    runtime, plain = teller_runtime(), small_runtime()
    crops = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 1), np.uint8)
    answer = runtime.encode(crops)
    assert runtime.has_expressions and runtime.has_deviation
    assert (answer.expressions.shape, answer.deviation.shape) == ((3, 8), (3, 2))
    np.testing.assert_allclose(answer.expressions.sum(axis=1), 1, atol=1e-5)
    assert answer.deviation.min() > 0 and answer.expressions.std(axis=0).max() > 1e-3
    with torch.inference_mode():
        expected = runtime._model.encode(torch.from_numpy(crops).permute(0, 3, 1, 2).float())
    for ours, theirs in zip(answer, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    for other in (plain, TorchRuntime(*small_levasa()), TorchRuntime(*small_disvae())):
        assert not other.has_expressions and not other.has_deviation
        assert other.encode(crops)[3:] == (None, None)


@pytest.mark.parametrize("answers", [Answer._fields[:3], (*Answer._fields[:3], "deviation"), Answer._fields])
def test_an_onnx_file_fills_in_what_it_has(answers: tuple[str, ...]) -> None:
    graph = Graph()
    image = graph.node("Cast", "crops", to=1)
    mean = graph.node("Flatten", graph.node("ReduceMean", image, axes=(1, 2, 3)))
    widths = {"feature": 3, "quadrant": 4, "affect": 2, "expressions": 8, "deviation": 2}
    outputs = {
        graph.named(name, graph.node("MatMul", mean, [[float(k) for k in range(widths[name])]])): ("B", widths[name])
        for name in answers
    }
    encoder = OnnxEncoder(graph.file({"crops": (np.uint8, ("B", 4, 4, 1))}, outputs), 1)
    answer = encoder(np.full((2, 4, 4, 1), 2, np.uint8))
    for name, values in answer._asdict().items():
        if name in answers:
            np.testing.assert_allclose(values, [[2.0 * k for k in range(widths[name])]] * 2)
        else:
            assert values is None


# The engine.


def run(runtime: TorchRuntime, config: TrackerConfig, count: int = 20) -> list[TrackedFrame]:
    with Engine(runtime, config, WrittenFaces()) as engine:
        return list(track(two_walkers(count), engine))


def answers_of(runtime: TorchRuntime, monkeypatch: pytest.MonkeyPatch, change=lambda answer: answer) -> list[Answer]:
    """What the runtime says from now on, call by call."""
    said, encode = [], runtime.encode
    monkeypatch.setattr(runtime, "encode", lambda crops: said.append(change(encode(crops))) or said[-1])
    return said


def test_unsmoothed_they_are_the_frame_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = teller_runtime("lstm")
    said = answers_of(runtime, monkeypatch)
    seen = [frame for frame in run(runtime, UNSMOOTHED) if frame.faces]
    assert len(seen) == len(said) > 15
    for frame, answer in zip(seen, said, strict=True):
        for sample, expressions, deviation in zip(frame.samples, answer.expressions, answer.deviation, strict=True):
            np.testing.assert_allclose(sample.expressions, expressions, atol=1e-6)
            np.testing.assert_allclose([sample.valence_sd, sample.arousal_sd], deviation, atol=1e-6)
            assert type(sample.valence_sd) is type(sample.arousal_sd) is float


def test_they_pass_through_the_trace_s_filter_and_sum_to_one(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime, config = teller_runtime(), TrackerConfig(faces=2)
    said = answers_of(runtime, monkeypatch)
    seen = [frame for frame in run(runtime, config) if frame.faces]
    filters = {i: [make_smoother(config.smoothing) for _ in range(10)] for i in (0, 1)}
    for frame, answer in zip(seen, said, strict=True):
        for row, sample in enumerate(frame.samples):
            values = [*answer.deviation[row].tolist(), *answer.expressions[row].tolist()]
            rows = zip(filters[sample.track_id], values, strict=True)
            smooth = np.array([smoother.step(value, frame.frame.time) for smoother, value in rows])
            np.testing.assert_allclose([sample.valence_sd, sample.arousal_sd], smooth[:2], atol=1e-6)
            np.testing.assert_allclose(sample.expressions, smooth[2:] / smooth[2:].sum(), atol=1e-6)
            assert sample.expressions.sum() == pytest.approx(1, abs=1e-6) and sample.expressions.min() >= 0
            assert sample.expressions.dtype == np.float32


def test_a_mean_over_time_is_no_surer_than_its_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = teller_runtime("attention")
    answers_of(runtime, monkeypatch, lambda answer: answer._replace(deviation=np.full_like(answer.affect, 0.3)))
    samples = [sample for frame in run(runtime, TrackerConfig(faces=2), 60) for sample in frame.samples]
    np.testing.assert_allclose([[s.valence_sd, s.arousal_sd] for s in samples], 0.3, atol=1e-6)


@pytest.mark.parametrize(("has_deviation", "has_expressions"), list(product([False, True], repeat=2)))
def test_the_engine_names_what_it_has(has_deviation: bool, has_expressions: bool) -> None:
    runtime = small_runtime()
    runtime.has_deviation, runtime.has_expressions = has_deviation, has_expressions
    expected = [name for name, has in zip(TOLD, (has_deviation, has_expressions), strict=True) if has]
    with Engine(runtime, UNSMOOTHED, WrittenFaces()) as engine:
        assert list(engine.told) == engine.meta()["told"] == expected


def test_a_model_without_has_none() -> None:
    samples = [sample for frame in run(small_runtime(), UNSMOOTHED, 4) for sample in frame.samples]
    assert all(s.expressions is s.valence_sd is s.arousal_sd is None for s in samples) and len(samples) == 8


# Records.


def test_the_columns_end_a_row() -> None:
    extras = extra_columns(("attention", "relative", *TOLD), ["z_0"])
    (row,) = rows(FRAMES[1], extras=extras)
    behind = ["attention", "attention_age", "valence_rel", "arousal_rel", "z_0"]
    assert list(row)[len(COLUMNS) :] == [*behind, *NAMES]
    assert [row[name] for name in NAMES[:5]] == [0.125, 0.25, 0.5, 0.25, 0.125]
    assert (row["p_sadness"], row["p_contempt"]) == (0.0625, 0.00781)
    (empty,) = rows(FRAMES[0], extras=extras)
    assert [empty[name] for name in NAMES] == [None] * 10


@pytest.mark.parametrize("columns", ["affect", "openface", "pyfeat"])
def test_the_names_are_those_of_the_convention(columns) -> None:
    names = column_names(columns, extra_columns(TOLD))
    bare = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "p_contempt")
    assert names[len(COLUMNS) :] == ((*NAMES[:2], *bare) if columns == "pyfeat" else NAMES)
    assert len(set(names)) == len(names)
    assert tuple(rows(FRAMES[1], columns, extra_columns(TOLD))[0]) == names
    assert tuple(schema(columns, extra_columns(TOLD)).names) == names


@pytest.mark.parametrize("told", [(), ("deviation",), ("expressions",), TOLD])
def test_files_have_what_the_model_tells(told, tmp_path: Path) -> None:
    names = [name for name in NAMES if ("deviation" if name.endswith("_sd") else "expressions") in told]
    context = context_of(extras=("relative", *told))
    with written("csv", tmp_path / "x.csv", FRAMES, context).open(newline="") as file:
        header, *lines = csv.reader(file)
    assert header[len(COLUMNS) :] == ["valence_rel", "arousal_rel", *names]
    kept = [{name: value for name, value in zip(header, line, strict=True) if name in names} for line in lines]
    table = pq.read_table(written("parquet", tmp_path / "x.parquet", FRAMES, context)).select(names).to_pylist()
    text = written("jsonl", tmp_path / "x.jsonl", FRAMES, context).read_text()
    told_in_lines = [{name: json.loads(line)[name] for name in names} for line in text.splitlines()]
    assert [{k: float(v) if v else None for k, v in row.items()} for row in kept] == told_in_lines
    if names:
        assert [list(row.values()) for row in table] == [pytest.approx(list(row.values())) for row in told_in_lines]


# The command.


def affect(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_tracking_adds_them_to_every_output(model: str, sample_clip: Path, tmp_path: Path) -> None:
    outputs = ("--jsonl", f"{tmp_path}/", "--parquet", "--video", "--plot", "-o", tmp_path)
    result = affect("track", sample_clip, "--model", model, "--end", "0.4", *outputs)
    assert result.exit_code == 0, result.output
    with (tmp_path / "sample.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    sheet = json.loads((tmp_path / "sample.meta.json").read_text())
    assert sheet["columns"] == list(lines[0]) and sheet["columns"][-10:] == list(NAMES) and sheet["told"] == list(TOLD)
    shares = np.array([[float(line[name]) for name in NAMES[2:]] for line in lines])
    assert len(lines) > 5 and np.abs(shares.sum(axis=1) - 1).max() < 1e-4
    assert (tmp_path / "sample.overlay.mp4").stat().st_size > 1000 and (tmp_path / "sample.png").exists()


def test_what_ships_keeps_its_columns(sample_clip: Path, tmp_path: Path) -> None:
    result = affect("track", sample_clip, "--model", "anclaf-compact", "--end", "0.1", "-o", tmp_path)
    assert result.exit_code == 0, result.output
    header = (tmp_path / "sample.csv").read_text().splitlines()[0]
    assert header == ",".join(column.name for column in COLUMNS) and len(COLUMNS) == 25
    sheet = json.loads((tmp_path / "sample.meta.json").read_text())
    assert sheet["columns"] == header.split(",") and sheet["told"] == []


def test_a_live_recording_has_them_behind_the_baseline_s(model: str, sample_clip: Path, tmp_path: Path) -> None:
    output = OutputConfig(folder=str(tmp_path))
    config = LiveConfig(model, headless=True, duration=0.6, record=True, picture=False, output=output)
    assert run_live(str(sample_clip), config).error is None
    (table,), (sheet,) = (
        [path for path in tmp_path.glob(f"live-*{end}") if ".events" not in path.name] for end in (".csv", ".meta.json")
    )
    header = table.read_text().splitlines()[0].split(",")
    assert header[-12:] == ["valence_rel", "arousal_rel", *NAMES]
    assert json.loads(sheet.read_text())["columns"] == header


# Receivers.

LIVE = replace(CONTEXT, extras=("relative", *TOLD))


def test_standard_output_has_them() -> None:
    reader, writer = os.pipe()
    with closed_soon(StdoutOutlet(LIVE, descriptor=writer)) as outlet:
        outlet.send(FRAMES[1])
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        (line,) = (json.loads(each) for each in file.read().splitlines())
    assert tuple(line)[-10:] == NAMES and line["p_happiness"] == 0.25


def test_websocket_has_them_and_says_so_first() -> None:
    with closed_soon(WebSocketOutlet(":0", LIVE)) as outlet, client_of(outlet) as client:
        hello = heard(client)
        outlet.send(FRAMES[1])
        (face,) = heard(client)["faces"]
    assert hello["fields"] == list(face) and hello["fields"][-12:] == ["valence_rel", "arousal_rel", *NAMES]
    assert (face["arousal_sd"], face["p_surprise"]) == (0.25, 0.125)


def test_osc_has_them() -> None:
    with listening() as (port, received), closed_soon(OscOutlet(f":{port}", LIVE)) as outlet:
        outlet.send(FRAMES[1])
        messages = [received.get(timeout=PATIENCE_S)]
        while messages[-1][0] != f"/affect/0/{NAMES[-1]}":
            messages.append(received.get(timeout=PATIENCE_S))
    assert [address for address, _ in messages[-10:]] == [f"/affect/0/{name}" for name in NAMES]
    assert [value for _, value in messages[-10:]] == pytest.approx([0.125, 0.25, *SHARES], abs=1e-5)


def test_lsl_has_them() -> None:
    pylsl = pytest.importorskip("pylsl", exc_type=(ImportError, RuntimeError))
    from tracker.outlets.lsl import values_stream

    stream = values_stream(f"told-{os.getpid()}", LIVE)
    channel, told = stream.get_info().desc().child("channels").child("channel"), []
    while not channel.empty():
        told.append((channel.child_value("label"), channel.child_value("type")))
        channel = channel.next_sibling("channel")
    assert told[-10:] == [(name, "Affect" if name.endswith("_sd") else "Probability") for name in NAMES]
    assert stream.get_info().channel_count() == len(told) and pylsl.cf_double64 == stream.get_info().channel_format()


# Pictures.

STATUS = LiveStatus("camera:0", "teller", 30.0, 30.0, 40.0, 0)


def drawn_with_and_without() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    frames = [frame_at(index) for index in range(25)]
    bare = [tracked(f.frame.index, samples=[sample_at(f.frame.time)], size=(360, 640), boxes=[f.faces[0].box])
            for f in frames]  # fmt: skip
    yield from zip(frames, bare, strict=True)


def test_the_overlay_lists_the_likeliest_and_spreads_the_dot() -> None:
    with_both, with_none = Overlay(), Overlay()
    for told, bare in drawn_with_and_without():
        changed = (with_both.draw(told) != with_none.draw(bare)).any(2)
    height, width = bars_size(1.0)
    rows_of, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    assert changed.sum() > 0.7 * height * width
    assert not changed[110:240, 210:320].any(), "the face itself stays clear"
    assert rows_of[-1] - rows_of[0] < 200 and columns[-1] - columns[0] < 400


@pytest.mark.parametrize("size", [(180, 320), (360, 640), (1080, 1920)])
def test_bars_are_as_long_as_the_expressions_are_probable(size) -> None:
    scale = size[0] / 360
    box = [value * scale for value in (200, 100, 330, 250)]
    reds = []
    for share in (0.25, 1.0):
        expressions = np.full(8, (1 - share) / 7, np.float32)
        expressions[3] = share
        sample = telling(sample_at(0.0, 4), expressions)
        frame = tracked(0, samples=[sample], size=size, boxes=[box])
        bare = tracked(0, samples=[sample_at(0.0, 4)], size=size, boxes=[box])
        colour = np.abs(Overlay().draw(frame).astype(int) - (213, 94, 0)).max(2) < 30
        reds.append(int(colour.sum() - (np.abs(Overlay().draw(bare).astype(int) - (213, 94, 0)).max(2) < 30).sum()))
    assert reds[1] > reds[0] > 0


def test_the_window_has_a_band_and_the_bars() -> None:
    with_both, with_none = Dashboard(), Dashboard()
    for told, bare in drawn_with_and_without():
        changed = (with_both.draw(told, STATUS) != with_none.draw(bare, STATUS)).any(2)
    at = with_both._at
    shares = {name: changed[y0:y1, x0:x1].mean() for name in ("view", "dial", "valence", "arousal", "table", "head")
              for x0, y0, x1, y1 in [getattr(at, name)]}  # fmt: skip
    assert shares["table"] == shares["head"] == 0
    assert shares["view"] > 0.01 and shares["dial"] > 0.005
    assert shares["arousal"] > 1.5 * shares["valence"] > 0, "its deviation is twice as large"


def test_the_history_keeps_deviations_apart_from_gaps() -> None:
    history = History(20.0)
    for frame in FRAMES:
        history.add(frame)
    ((_, points, gaps),) = history.faces(20.0)
    assert points.tolist() == [[1 / 25, 0.4, -0.1, 0.125, 0.25]] and not len(gaps)


def test_the_plot_has_a_band(tmp_path: Path) -> None:
    time = np.arange(100) / 25
    smooth = np.stack([0.5 * np.sin(time), 0.5 * np.cos(time)], 1)
    points = np.column_stack([time, smooth, smooth])
    bare = draw_traces({0: points}, (0, 4), "t", "c")
    wide, narrow = (
        draw_traces({0: np.column_stack([points, np.full((100, 2), sd)])}, (0, 4), "t", "c") for sd in (0.3, 0.1)
    )
    assert len({bare, wide, narrow}) == 3
    frames = [frame_at(index) for index in range(30)]
    assert written("plot", tmp_path / "x.png", frames).read_bytes()[1:4] == b"PNG"
    looked = [
        replace(frame, samples=tuple(looking(sample, [0.5, 0.5, 0], [0.08, 0.04, 0]) for sample in frame.samples))
        for frame in frames
    ]
    picture = written("attention", tmp_path / "y.png", looked, context_of(window_rate_hz=25.0))
    assert picture.read_bytes()[1:4] == b"PNG"
