"""A LeVAsa in the tracker's place of ANCLaF: tracked, evaluated beside it, listed; refused where it tells no affect."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from scenes import small_levasa
from sequence_sets import TEMPLATE, write_model, write_split_set
from torch import nn

from benchmarks.networks import network_times
from nets.card import CheckpointFault
from nets.checkpoint import save
from nets.levasa import Heads
from nets.runtime import load_runtime
from nets.torch_runtime import TorchRuntime, fold_batch_norms
from tracker.cli import main
from tracker.errors import CheckpointError
from train.evaluate import predict
from train.features import encoder_key
from train.scoring import filters
from train.scoring.sequences import Options, evaluate_set

HEADS: tuple[Heads, ...] = ("scalar", "repeat", "classes")
NO_HEADS = (
    r"random-levasa-none \(of kind 'levasa'\) has no heads of valence and arousal, so it tells neither; expected a "
    r"model that was trained with them; what this one can do is scored by: affect eval levasa"
)


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (16, 32, 32, 1), np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints of all heads."""
    folder = tmp_path_factory.mktemp("levasa")
    for heads in (*HEADS, "none"):
        model, card = small_levasa(heads)
        save(folder / f"{card.name}.safetensors", model, card)
    return folder


def checkpoint(folder: Path, heads: Heads = "scalar") -> str:
    return str(folder / f"random-levasa-{heads}.safetensors")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize("heads", HEADS)
def test_the_runtime_says_what_the_model_says(heads: Heads, crops: np.ndarray) -> None:
    model, card = small_levasa(heads)
    runtime = TorchRuntime(model, card)
    with torch.inference_mode():
        expected = model.encode(torch.from_numpy(crops).permute(0, 3, 1, 2))
    for ours, theirs in zip(runtime.encode(crops)[:3], expected[:3], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)
    assert expected[2].std(dim=0).min() > 1e-3
    assert (runtime.feature_width, runtime.recurrent, runtime.sequence_length) == (12, False, 1)
    assert runtime.recurrent_weights() is None


def test_every_batch_norm_of_the_encoder_is_folded() -> None:
    model, _ = small_levasa()
    folded = fold_batch_norms(model)
    norms = (nn.BatchNorm1d, nn.BatchNorm2d)
    assert sum(isinstance(layer, norms) for layer in model.encoder) == 6
    assert not any(isinstance(layer, norms) for layer in [*folded.encoder, *folded.decoder])
    z = torch.randn(3, 3, 4, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(folded.decode(z).detach(), model.decode(z).detach(), atol=1e-5)


@pytest.mark.parametrize("heads", HEADS)
def test_a_quadrant_is_where_the_affect_lies_or_the_joint_of_both_axes(heads: Heads, crops: np.ndarray) -> None:
    model, card = small_levasa(heads)
    feature, quadrant, affect = TorchRuntime(model, card).encode(crops)[:3]
    np.testing.assert_allclose(quadrant.sum(axis=1), 1, atol=1e-6)
    high = affect >= 0
    if heads == "classes":
        logits = model.head_outputs(torch.from_numpy(feature).view(-1, 3, 4)).detach().double()
        high = torch.softmax(logits, dim=2)[..., 10:].sum(2).numpy()
    valence, arousal = high.astype(float).T
    expected = [valence * arousal, (1 - valence) * arousal, (1 - valence) * (1 - arousal), valence * (1 - arousal)]
    np.testing.assert_allclose(quadrant, np.stack(expected, axis=1), atol=1e-5)


def test_a_vanilla_one_is_refused_everywhere(folder: Path, sample_clip: Path, tmp_path: Path) -> None:
    path = checkpoint(folder, "none")
    with pytest.raises(CheckpointFault, match=NO_HEADS):
        load_runtime(path)
    with pytest.raises(CheckpointError, match=NO_HEADS):
        evaluate_set(write_split_set(tmp_path / "set"), Options((path,), rounds=10))
    tracked = run("track", sample_clip, "--model", path, "-o", tmp_path / "out")
    assert tracked.exit_code == 1 and "has no heads of valence and arousal" in tracked.stderr
    assert not list((tmp_path / "out").glob("*.csv"))


def test_it_tracks_the_clip(folder: Path, sample_clip: Path, tmp_path: Path) -> None:
    options = ("--end", "0.5", "--sequence-length", 8, "--jsonl", tmp_path / "t.jsonl")
    result = run("track", sample_clip, "--model", checkpoint(folder), "-o", tmp_path, *options)
    assert result.exit_code == 0, result.output
    with (tmp_path / "sample.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12 and {row["status"] for row in rows} <= {"ok", "low_quality"}
    assert all(row["valence"] == row["valence_frame"] and row["arousal"] == row["arousal_frame"] for row in rows)
    assert len({row["valence"] for row in rows}) == 12
    assert all(sorted(float(row[f"q_{name}"]) for name in ("pp", "np", "nn", "pn")) == [0, 0, 0, 1] for row in rows)
    meta = json.loads((tmp_path / "sample.meta.json").read_text())
    assert (meta["model"]["kind"], meta["runtime"], meta["sequence_length"]) == ("levasa", "torch", 1)


def test_attention_is_refused(folder: Path, sample_clip: Path) -> None:
    result = run("track", sample_clip, "--model", checkpoint(folder), "--attention")
    assert result.exit_code == 2
    assert "--attention needs a model with attention (ANCLaF-SA-n), and random-levasa-scalar has none" in result.stderr


def test_models_and_info_show_its_card(folder: Path) -> None:
    listed = run("models", folder).output.splitlines()
    assert [line.split()[:2] for line in listed[1:]] == [
        [f"random-levasa-{heads}", "levasa"] for heads in ("classes", "none", "repeat", "scalar")
    ]
    described = run("info", checkpoint(folder)).output
    assert '"latent": 4' in described and '"heads": "scalar"' in described


def test_it_is_scored_beside_anclaf_on_the_same_frames(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, values in {"CUTOFFS_HZ": (0.5, 2), "BETAS": (0.0, 0.6), "FINER": (1.0,), "BISECTIONS": 6}.items():
        monkeypatch.setattr(filters, name, values)
    data = write_split_set(tmp_path / "set")
    names = (write_model(tmp_path, "anclaf"), write_model(tmp_path, "s4", 4, "lstm"), checkpoint(folder))
    report = evaluate_set(data, Options(names, rounds=20))
    rows = {row["name"]: row for row in report["rows"] if row["kind"] in ("single", "recurrent")}
    assert {name: row["kind"] for name, row in rows.items()} == {
        "anclaf": "single", "s4": "recurrent", "random-levasa-scalar": "single",
    }  # fmt: skip
    assert len({row["n"] for row in rows.values()}) == 1
    assert len({model["encoder"] for model in report["models"]}) == 2
    inner = data.crops[:, TEMPLATE.margin : -TEMPLATE.margin, TEMPLATE.margin : -TEMPLATE.margin]
    scored = (data.extra["split"] == 2) & (data.extra["kind"] != 3)
    said = predict(load_runtime(checkpoint(folder)), inner[scored]).affect
    rmse = np.sqrt(((said - data.affect[scored]) ** 2).mean(axis=0))
    assert rows["random-levasa-scalar"]["figures"]["rmse"]["valence"] == pytest.approx(rmse[0], abs=1e-4)
    assert rows["random-levasa-scalar"]["figures"]["rmse"]["arousal"] == pytest.approx(rmse[1], abs=1e-4)


def test_its_features_have_a_key_of_their_own() -> None:
    model, _ = small_levasa()
    key = encoder_key(model)
    assert encoder_key(small_levasa()[0]) == key
    model.mean.bias.data[0] += 1e-3
    assert encoder_key(model) != key
    assert encoder_key(small_levasa("repeat")[0]) != key


def test_the_bench_takes_its_parts_apart_for_anclaf_alone(folder: Path) -> None:
    assert network_times(str(checkpoint(folder)), calls=1) == {}
