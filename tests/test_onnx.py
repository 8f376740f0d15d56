"""Exported encoders by ONNX Runtime: torch's answers without torch, from files that are what their card says."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from click.testing import CliRunner
from safetensors.numpy import load as load_arrays
from scenes import small_disvae, small_levasa
from torch import nn

from nets import runtime as runtimes
from nets.anclaf import Anclaf, AnclafConfig, with_quadrant_head
from nets.card import WEIGHTS, CheckpointFault, ModelCard, encoder_path, list_models, read_card, write_card
from nets.checkpoint import load, save
from nets.levasa import Heads
from nets.network import Network
from nets.onnx import session
from nets.onnx.encoder import encoder_file
from nets.onnx.export import export_encoder
from nets.onnx.graph import OPSET, Graph, message
from nets.runtime import load_runtime
from nets.torch_runtime import fold_batch_norms
from tracker.cli import main

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
def test_what_ships_runs_by_onnx_runtime_within_a_ten_thousandth(name: str) -> None:
    ours, theirs = (load_runtime(name, threads=1, runtime=kind) for kind in ("onnx", "torch"))
    side = ours.card.crop["size"]
    crops = np.random.default_rng(2).integers(0, 256, (3, side, side, 1), np.uint8)
    answers = [(a, b) for a, b in zip(ours.encode(crops), theirs.encode(crops), strict=True) if b is not None]
    assert len(answers) == 3 + ours.has_expressions + ours.has_deviation
    for a, b in answers:
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_an_exported_model_is_torch_s_and_its_files_hold_no_weight(checkpoint: Path) -> None:
    card = export_encoder(checkpoint)
    ours, theirs = (load_runtime(checkpoint, runtime=kind) for kind in ("auto", "torch"))
    assert (ours.kind, theirs.kind) == ("onnx", "torch")
    crops = session.probes(32, 1)
    for a, b in zip(ours.encode(crops)[:3], theirs.encode(crops)[:3], strict=True):
        np.testing.assert_allclose(a, b, atol=5e-5)
    assert card.artefact["sha256"].keys() == {"onnx"}
    file = encoder_path(checkpoint, "onnx").read_bytes()
    weights = [each.tobytes() for each in load_arrays(checkpoint.read_bytes()).values() if each.size > 4]
    assert len(weights) > 20 and not any(each in file for each in weights)


@pytest.mark.parametrize("name", [card.name for card in list_models() if card.artefact])
def test_what_ships_is_what_export_writes(name: str, tmp_path: Path) -> None:
    for file in WEIGHTS.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    shipped = read_card(WEIGHTS / f"{name}.safetensors")
    assert export_encoder(tmp_path / f"{name}.safetensors").artefact == shipped.artefact
    for kind in shipped.artefact["sha256"]:
        assert encoder_path(tmp_path / name, kind).read_bytes() == encoder_path(WEIGHTS / name, kind).read_bytes()


@pytest.mark.parametrize("config", ["scalar", "classes", "repeat"])
def test_a_levasa_is_torch_s(config: Heads) -> None:
    assert_torch_s(small_levasa(config)[0])


def test_a_disvae_is_torch_s_and_names_its_readings(tmp_path: Path) -> None:
    model, card = small_disvae()
    assert_torch_s(model)
    save(tmp_path / "d.safetensors", model, replace(card, artefact={}))
    export_encoder(tmp_path / "d.safetensors")
    runtime = load_runtime(tmp_path / "d.safetensors")
    assert (runtime.kind, runtime.reading_names) == ("onnx", model.reading_names)


def assert_torch_s(model: Network) -> None:
    model.eval()
    crops = np.random.default_rng(1).integers(0, 256, (3, model.config.size, model.config.size, model.config.channels))
    with torch.inference_mode():
        expected = model.encode(torch.from_numpy(crops).permute(0, 3, 1, 2))
    got = session.OnnxEncoder(encoder_file(model), 1)(crops.astype(np.uint8))
    for name in model.answers:
        np.testing.assert_allclose(getattr(got, name), getattr(expected, name), atol=1e-4)


def test_every_file_is_what_its_card_says(checkpoint: Path) -> None:
    export_encoder(checkpoint)
    file = encoder_path(checkpoint, "onnx")
    whole = file.read_bytes()
    file.write_bytes(whole[:-9])
    with pytest.raises(CheckpointFault, match=r"m\.float\.onnx is truncated or was changed"):
        load_runtime(checkpoint)
    file.unlink()
    with pytest.raises(CheckpointFault, match=r"m\.float\.onnx cannot be read: No such file"):
        load_runtime(checkpoint)
    file.write_bytes(whole)
    weights = checkpoint.read_bytes()
    checkpoint.write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    with pytest.raises(CheckpointFault, match=r"m\.safetensors is truncated or was changed"):
        load_runtime(checkpoint)


def test_other_weights_take_the_export_away(checkpoint: Path) -> None:
    export_encoder(checkpoint)
    model, card = load(checkpoint)
    save(checkpoint, model, card)
    assert load_runtime(checkpoint).kind == "torch"
    with pytest.raises(CheckpointFault, match="runtime 'onnx' cannot be used: m was not exported; export it with"):
        load_runtime(checkpoint, runtime="onnx")


def test_what_was_not_exported_runs_by_torch_and_that_is_said_once(
    checkpoint: Path, caplog: pytest.LogCaptureFixture
) -> None:
    runtimes.say_once.cache_clear()
    assert [load_runtime(checkpoint).kind for _ in range(2)] == ["torch", "torch"]
    (told,) = caplog.messages
    assert told.startswith("m was not exported and runs by torch; `affect export ")


def test_without_onnx_runtime_that_is_said(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export_encoder(checkpoint)
    monkeypatch.setattr(session, "onnxruntime", None)
    with pytest.raises(CheckpointFault, match=r"the Python package onnxruntime is missing \(pip install"):
        load_runtime(checkpoint)


def test_without_torch_what_was_exported_runs_and_the_rest_says_so(checkpoint: Path) -> None:
    script = (
        "import sys; sys.modules['torch'] = None\n"
        "from nets.card import CheckpointFault, list_models\n"
        "from nets.runtime import load_runtime\n"
        "shipped = [card.name for card in list_models() if card.kind != 'landmark-vae']\n"
        "print(*(load_runtime(name).kind for name in shipped))\n"
        f"try: load_runtime({str(checkpoint)!r})\n"
        "except CheckpointFault as fault: print(fault)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    kinds, told = done.stdout.splitlines()
    assert kinds == "int8 int8 int8 int8 onnx"
    assert told == ("m was not exported, and the Python package torch is missing: pip install 'affect-tracker[train]'")


def test_a_model_of_another_opset_is_refused(checkpoint: Path) -> None:
    card = export_encoder(checkpoint)
    file = encoder_path(checkpoint, "onnx")
    ending = message((8, message((2, OPSET))))
    whole = file.read_bytes()
    assert whole.endswith(ending)
    file.write_bytes(whole.removesuffix(ending) + message((8, message((2, 99)))))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    write_card(checkpoint, replace(card, artefact={"sha256": {"onnx": digest}, "readings": []}))
    with pytest.raises(CheckpointFault, match=r"ONNX Runtime refuses the model: .*opset"):
        load_runtime(checkpoint)


def test_the_command_exports(checkpoint: Path) -> None:
    result = CliRunner().invoke(main, ["export", str(checkpoint)])
    assert result.exit_code == 0, result.output
    assert load_runtime(checkpoint).kind == "onnx"
    result = CliRunner().invoke(main, ["export", "landmarks-m2"])
    assert (
        result.exit_code == 1 and "landmarks-m2.safetensors cannot be exported; expected a model that" in result.output
    )


def test_a_layer_without_a_form_is_named() -> None:
    model = model_of(PAPER)
    model.generator.encoder[2] = nn.Softplus()
    with pytest.raises(TypeError, match=r"a layer Softplus has no ONNX form; expected Sequential, .*Identity"):
        encoder_file(model)


def test_it_runs_on_a_cpu_alone(checkpoint: Path) -> None:
    assert load_runtime(checkpoint, device="meta").kind == "torch"
    with pytest.raises(CheckpointFault, match=r"runtime 'onnx' cannot be used: it runs on the device cpu alone; try"):
        load_runtime(checkpoint, device="meta", runtime="onnx")


def test_nobody_is_told_of_what_is_tracked_and_nothing_is_kept(checkpoint: Path, tmp_path: Path) -> None:
    export_encoder(checkpoint)
    script = f"from nets.runtime import load_runtime; print(load_runtime({str(checkpoint)!r}, runtime='onnx').kind)"
    places = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path / "home")}
    environment = {name: value for name, value in os.environ.items() if name != session.TELEMETRY_OFF} | places
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("onnx\n", "")
    assert not (tmp_path / "cache").exists() and not (tmp_path / "home").exists()
    assert os.environ[session.TELEMETRY_OFF] == "1"
