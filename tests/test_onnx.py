"""The encoder by ONNX Runtime: torch's answers, kept between runs, and torch itself where it cannot be had."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from nets import runtime as runtimes
from nets.anclaf import Anclaf, AnclafConfig, with_quadrant_head
from nets.card import CheckpointFault, ModelCard, list_models
from nets.checkpoint import save
from nets.onnx import cache, session
from nets.onnx.encoder import encoder_file
from nets.onnx.graph import Graph
from nets.runtime import fold_batch_norms, load_runtime

SMALL = replace(
    AnclafConfig.compact(),
    size=32,
    generator_width=4,
    generator_blocks=(1, 1),
    discriminator_width=4,
    discriminator_layers=3,
    combiner_widths=(8, 16),
)
PAPER = replace(
    AnclafConfig(),
    size=32,
    generator_width=4,
    discriminator_width=4,
    discriminator_layers=3,
    combiner_widths=(8, 16),
)
CONFIGS = {
    "compact": SMALL,
    "paper": PAPER,
    "released": replace(PAPER, quadrant="regress", quadrant_planes=1),
    "without Q": replace(SMALL, quadrant_planes=0),
    "head": replace(SMALL, quadrant_head=True),
    "released with a head": replace(PAPER, quadrant="regress", quadrant_planes=1, quadrant_head=True),
    "colour": replace(SMALL, channels=3, combiner_norm="instance"),
}


def model_of(config: AnclafConfig = SMALL) -> Anclaf:
    """Random weights that tell pictures apart, and running statistics that are not the identity."""
    torch.manual_seed(0)
    model = Anclaf(replace(config, quadrant_head=False))
    model = (with_quadrant_head(model) if config.quadrant_head else model).eval()
    for norm in (m for m in model.modules() if isinstance(m, nn.BatchNorm2d)):
        norm.running_mean.normal_(0, 0.3)
        norm.running_var.uniform_(0.5, 2)
    model.combiner.head.weight.data *= 100
    return model


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder of the user."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    runtimes.say_once.cache_clear()
    return cache.cache_folder()


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    model = model_of()
    card = ModelCard("m", "anclaf", model.config.to_dict(), {"size": 32}, "", "", "")
    save(tmp_path / "m.safetensors", model, card)
    return tmp_path / "m.safetensors"


def test_a_graph_is_what_onnx_runtime_reads() -> None:
    graph = Graph()
    scaled = graph.node("LeakyRelu", graph.node("Mul", "x", np.full((1, 300), 2.0)), alpha=0.5)
    summed = graph.node("ReduceMean", scaled, axes=(-1,), keepdims=0)
    file = graph.file({"x": (np.uint8, ("B", 300))}, {summed: ("B",)})
    with pytest.raises(Exception, match="float"):
        onnxruntime.InferenceSession(file)
    file = graph.file({"x": (np.float32, ("B", 300))}, {summed: ("B",), scaled: ("B", 300)})
    values = np.linspace(-1, 1, 600, dtype=np.float32).reshape(2, 300)
    mean, leaked = onnxruntime.InferenceSession(file).run(None, {"x": values})
    expected = np.where(values < 0, values, 2 * values)
    np.testing.assert_allclose(leaked, expected, atol=1e-6)
    np.testing.assert_allclose(mean, expected.mean(axis=1), atol=1e-6)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_the_file_says_what_torch_says_of_any_batch(config: AnclafConfig) -> None:
    model = model_of(config)
    crops = session.probes(config.size, config.channels)
    with torch.inference_mode():
        expected = model.encode(torch.from_numpy(crops).permute(0, 3, 1, 2))
    encoder = session.OnnxEncoder(encoder_file(fold_batch_norms(model)), threads=1)
    for part in (slice(0, 4), slice(1, 2), slice(0, 0)):
        for ours, theirs in zip(encoder(crops[part])[:3], expected[:3], strict=True):
            assert ours.dtype == np.float32
            np.testing.assert_allclose(ours, theirs[part], atol=5e-5)
    assert expected[2].std(dim=0).min() > 1e-3


def test_d_s_critic_is_not_in_the_file() -> None:
    model = model_of()
    before = encoder_file(fold_batch_norms(model))
    model.discriminator.realness.weight.data += 1
    assert encoder_file(fold_batch_norms(model)) == before
    model.discriminator.quadrant.weight.data += 1
    assert encoder_file(fold_batch_norms(model)) != before


def test_with_a_head_neither_d_nor_the_decoder_is_in_the_file() -> None:
    model = model_of(CONFIGS["head"])
    before = encoder_file(fold_batch_norms(model))
    for part in (model.generator.decoder, model.discriminator):
        for weight in part.parameters():
            weight.data += 1
    assert encoder_file(fold_batch_norms(model)) == before
    model.quadrant_head[0].weight.data += 1
    assert encoder_file(fold_batch_norms(model)) != before


@pytest.mark.parametrize("name", [card.name for card in list_models() if card.kind == "anclaf"])
def test_what_ships_runs_by_onnx_runtime_within_a_ten_thousandth(name: str, folder: Path) -> None:
    ours, theirs = (load_runtime(name, threads=1, runtime=kind) for kind in ("onnx", "torch"))
    side = ours.card.crop["size"]
    crops = np.random.default_rng(2).integers(0, 256, (3, side, side, 1), np.uint8)
    answers = [(a, b) for a, b in zip(ours.encode(crops), theirs.encode(crops), strict=True) if b is not None]
    assert len(answers) == 3 + ours.has_expressions + ours.has_deviation
    for a, b in answers:
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_it_is_made_once(checkpoint: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crops = session.probes(32, 1)
    first = load_runtime(checkpoint).encode(crops)
    (kept,) = folder.iterdir()
    for part in (torch.__version__, onnxruntime.__version__, load_runtime(checkpoint).card.sha256):
        assert part in kept.name
    monkeypatch.setattr(session, "encoder_file", lambda model, graph: pytest.fail("it was made again"))
    np.testing.assert_array_equal(load_runtime(checkpoint).encode(crops)[0], first[0])


@pytest.mark.parametrize("damage", [b"", b"somebody else's", None], ids=["empty", "foreign", "truncated"])
def test_a_broken_file_is_made_anew(damage: bytes | None, checkpoint: Path, folder: Path) -> None:
    load_runtime(checkpoint)
    (kept,) = folder.iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(whole[:-9] if damage is None else damage)
    assert load_runtime(checkpoint).kind == "onnx"
    assert kept.read_bytes() == whole


def test_a_cache_that_cannot_be_written_is_no_error(checkpoint: Path, folder: Path) -> None:
    folder.parent.write_text("a file where the folder should be")
    assert load_runtime(checkpoint).kind == "onnx"
    assert folder.parent.is_file()


def test_a_few_files_are_kept(folder: Path) -> None:
    for index in range(cache.MOST + 3):
        cache.keep(f"n{index}", bytes([index]))
        os.utime(folder / f"n{index}{cache.SUFFIX}", (index, index))
    assert len(list(folder.iterdir())) == cache.MOST
    assert cache.recall("n2") is None and cache.recall("n3") == b"\x03"


def test_a_torn_write_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    cache.keep("n", b"content")
    assert list(folder.iterdir()) == []


FAULTS = [
    ("onnxruntime", None, r"the Python package onnxruntime is missing \(pip install 'onnxruntime<1.29'\)"),
    ("TOLERANCE", -1.0, r"ONNX Runtime's answers differ from torch's by \S+; expected at most -1"),
    ("encoder_file", lambda model, graph: b"nothing", r"ONNX Runtime refuses the model: .+"),
]


@pytest.mark.parametrize(("name", "value", "told"), FAULTS, ids=[name for name, _, _ in FAULTS])
def test_without_it_torch_runs_and_that_is_said_once(
    name: str, value: object, told: str, checkpoint: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    monkeypatch.setattr(session, name, value)
    assert [load_runtime(checkpoint).kind for _ in range(2)] == ["torch", "torch"]
    assert len(caplog.messages) == 1
    with pytest.raises(CheckpointFault, match=rf"^runtime 'onnx' cannot be used: {told}; try auto or torch$"):
        load_runtime(checkpoint, runtime="onnx")
    assert not folder.exists()


def test_a_layer_without_a_form_is_named() -> None:
    model = model_of(PAPER)
    model.generator.encoder[2] = nn.Softplus()
    with pytest.raises(session.OnnxFault, match=r"a layer Softplus has no ONNX form; expected Sequential, .*Identity"):
        session.load_encoder(model, "0" * 64, 1)


def test_it_runs_on_a_cpu_alone(checkpoint: Path, folder: Path) -> None:
    assert load_runtime(checkpoint, device="meta").kind == "torch"
    with pytest.raises(
        CheckpointFault, match=r"runtime 'onnx' cannot be used: it runs on the device cpu alone, not on meta"
    ):
        load_runtime(checkpoint, device="meta", runtime="onnx")


def test_nobody_is_told_of_what_is_tracked(checkpoint: Path, tmp_path: Path) -> None:
    script = f"from nets.runtime import load_runtime; print(load_runtime({str(checkpoint)!r}, runtime='onnx').kind)"
    places = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path / "home")}
    environment = {name: value for name, value in os.environ.items() if name != session.TELEMETRY_OFF} | places
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("onnx\n", "")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["affect-tracker"]
    assert os.environ[session.TELEMETRY_OFF] == "1"
