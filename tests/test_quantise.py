"""Encoders on whole numbers: the arithmetic against numpy, the ranges, and what the card says."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from click.testing import CliRunner, Result
from sequence_sets import write_model, write_split_set
from torch import nn

from nets.anclaf import Anclaf
from nets.card import CheckpointFault, ModelCard, list_models, read_card, write_card
from nets.checkpoint import load, save
from nets.onnx import session
from nets.onnx.export import EXPORT, export_encoder, quantise
from nets.onnx.graph import Graph
from nets.onnx.quantised import LARGEST_WEIGHT, ObservedGraph, QuantisedGraph, step_of
from nets.runtime import load_runtime
from tracker.cli import main
from train.prepared import Prepared


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return write_split_set(tmp_path_factory.mktemp("set"))


def affect(*call: object) -> Result:
    return CliRunner().invoke(main, [str(part) for part in call])


def answer(graph: Graph, node: str, x: np.ndarray) -> np.ndarray:
    file = graph.file({"x": (np.float32, ("B", "C", "H", "W"))}, {node: ("B", "O", "h", "w")})
    return onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]).run([node], {"x": x})[0]


def rounded(values: np.ndarray, low: float, high: float) -> np.ndarray:
    step, zero = step_of(low, high)
    return (np.clip(np.rint(values / step) + zero, 0, 255) - zero) * step


@pytest.mark.parametrize(("low", "high"), [(-1.0, 2.0), (0.5, 3.0), (-4.0, -1.0), (0.0, 0.0)])
def test_a_step_spans_the_range_and_zero_is_whole(low: float, high: float) -> None:
    step, zero = step_of(low, high)
    assert 0 <= zero <= 255
    assert np.abs(rounded(np.zeros(1), low, high)).max() == 0
    if high > low:
        inside = np.linspace(low, high, 100)
        assert np.abs(rounded(inside, low, high) - inside).max() <= step


def test_a_convolution_is_that_of_the_rounded_numbers() -> None:
    rng = np.random.default_rng(0)
    x, weight = rng.normal(0, 1, (2, 8, 6, 6)).astype(np.float32), rng.normal(0, 1, (5, 8, 3, 3)).astype(np.float32)
    bias, ends = rng.normal(0, 1, 5).astype(np.float32), (float(x.min()), float(x.max()))
    graph = QuantisedGraph({"x": ends})
    got = answer(graph, graph.node("Conv", "x", weight, bias, pads=(1,) * 4), x)
    steps = np.abs(weight).max(axis=(1, 2, 3), keepdims=True) / LARGEST_WEIGHT
    numbers = (rounded(x, *ends), np.rint(weight / steps) * steps, bias)
    expected = nn.functional.conv2d(*map(torch.from_numpy, numbers), padding=1)
    assert np.abs(got - expected.numpy()).max() < 1e-2
    plain = Graph()
    exact = answer(plain, plain.node("Conv", "x", weight, bias, pads=(1,) * 4), x)
    assert 1e-3 < np.abs(got - exact).max() < 0.3


def test_values_without_a_range_stay_as_they_are() -> None:
    x = np.random.default_rng(0).normal(0, 1, (1, 4, 3, 3)).astype(np.float32)
    graph = QuantisedGraph({})
    assert np.array_equal(answer(graph, graph.node("Add", "x", "x"), x), x + x)


def test_what_is_observed_is_what_is_rounded() -> None:
    graph = ObservedGraph()
    picture = graph.node("Conv", "x", np.ones((8, 1, 3, 3)))
    seen = graph.node("Relu", picture)
    graph.node("Add", graph.node("Conv", seen, np.ones((8, 8, 3, 3))), seen)
    assert list(graph.observed) == ["Relu_1", "Conv_2"]


def small(tmp_path: Path) -> tuple[Anclaf, ModelCard, Path]:
    """A model whose ranges are those of noise."""
    path = Path(write_model(tmp_path, "one"))
    model, card = load(path)
    assert isinstance(model, Anclaf)
    noise = np.random.default_rng(0).integers(0, 256, (64, card.config["size"], card.config["size"], 1), np.uint8)
    write_card(path, replace(card, quantised=quantise(model, [noise[:32], noise[32:]])))
    return model, export_encoder(path), path


def test_auto_takes_whole_numbers_where_the_card_has_ranges(tmp_path: Path) -> None:
    model, _, path = small(tmp_path)
    assert load_runtime(path).kind == "int8"
    plain, whole = load_runtime(path, runtime="onnx"), load_runtime(path, runtime="int8")
    crops = np.random.default_rng(1).integers(0, 256, (16, model.config.size, model.config.size, 1), np.uint8)
    feature, expected = whole.encode(crops)[0], plain.encode(crops)[0]
    assert 0 < np.abs(feature - expected).mean() < 0.05 * expected.std()
    one = np.concatenate([whole.encode(crop[None])[0] for crop in crops])
    assert np.abs(one - feature).max() < 1e-4


@pytest.mark.parametrize("name", [card.name for card in list_models() if card.kind == "anclaf"])
def test_what_ships_works_on_whole_numbers(name: str) -> None:
    whole, plain = load_runtime(name, threads=1), load_runtime(name, threads=1, runtime="onnx")
    assert (whole.kind, plain.kind) == ("int8", "onnx")
    crops = session.probes(plain.card.crop["size"], 1)
    assert 0 < np.abs(whole.encode(crops)[2] - plain.encode(crops)[2]).max() < 0.1


@pytest.mark.parametrize("name", [card.name for card in list_models() if card.kind == "anclaf"])
def test_whole_numbers_say_here_what_they_said_where_the_card_was_written(name: str) -> None:
    whole = load_runtime(name, threads=1, runtime="int8")
    told = whole.encode(session.probes(whole.card.crop["size"], 1)).affect
    np.testing.assert_allclose(told, whole.card.quantised["probes"], atol=0.02)


def test_ranges_of_another_release_are_not_taken(tmp_path: Path) -> None:
    _, card, path = small(tmp_path)
    write_card(path, replace(card, quantised={**card.quantised, "export": EXPORT + 1}))
    with pytest.raises(CheckpointFault, match="of another release; measure them again with affect train quantise"):
        export_encoder(path)


def test_a_card_without_ranges_says_how_to_measure_them(tmp_path: Path) -> None:
    path = Path(write_model(tmp_path, "one"))
    export_encoder(path)
    with pytest.raises(CheckpointFault, match="the card of one has no ranges; measure them with affect train quantise"):
        load_runtime(path, runtime="int8")


def test_an_older_card_has_none(tmp_path: Path) -> None:
    path = Path(write_model(tmp_path, "one")).with_suffix(".json")
    values = json.loads(path.read_text())
    del values["quantised"]
    path.write_text(json.dumps(values))
    assert read_card(path).quantised == {}


def test_the_command_writes_the_ranges_and_leaves_the_weights(data: Prepared, tmp_path: Path) -> None:
    path = Path(write_model(tmp_path, "one"))
    model, card = load(path)
    save(path, model, replace(card, command="affect train anclaf", figures={"old": 1}), torch.float16)
    for out in ("a", "b"):
        call = ["train", "quantise", "--model", path, "--data", data.folder, "--out", tmp_path / out]
        result = affect(*call, "--set", "faces=20", "--set", "held_out=8")
        assert result.exit_code == 0, result.output
    first, again = (load(tmp_path / out / "quantised" / "one.safetensors")[1] for out in ("a", "b"))
    assert first == again
    assert (first.sha256, first.figures) == (load(path)[1].sha256, {"old": 1})
    assert first.command == "affect train anclaf && affect train quantise --model one --data FACES"
    assert first.training["quantised"]["faces"] == 20
    assert 0 <= first.training["quantised"]["moved"] <= first.training["quantised"]["moved_p99"] < 0.2
    assert all(low <= high for low, high in first.quantised["ranges"].values())
    call[3] = tmp_path / "a" / "quantised" / "one.safetensors"
    assert affect(*call[:-1], tmp_path / "c", "--set", "faces=20", "--set", "held_out=8").exit_code == 0
    assert load(tmp_path / "c" / "quantised" / "one.safetensors")[1].command == first.command


def test_an_unknown_setting(data: Prepared, tmp_path: Path) -> None:
    path = write_model(tmp_path, "one")
    result = affect("train", "quantise", "--model", path, "--data", data.folder, "--out", tmp_path, "--set", "face=2")
    assert result.exit_code == 2
    assert "no setting 'face'; expected some of faces, held_out, batch, seed" in result.output
