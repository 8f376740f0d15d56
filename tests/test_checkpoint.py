"""Checkpoints: what is saved comes back; what is damaged, changed or of another kind is refused in one plain line."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from nets import checkpoint
from nets.anclaf import Anclaf, AnclafConfig, with_recurrence
from nets.checkpoint import CheckpointFault, ModelCard, load, read_weights, save, save_weights, share
from tracker.cli import main

CONFIG = replace(AnclafConfig.compact(), generator_width=4, discriminator_width=4, combiner_widths=(8, 8, 12))
CARD = ModelCard("tiny", "anclaf", CONFIG.to_dict(), {"size": 64}, "none", "Apache-2.0", "affect train anclaf")


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "tiny.safetensors"
    save(path, Anclaf(CONFIG), CARD)
    return path


def rewrite_card(path: Path, **changes: object) -> None:
    beside = path.with_suffix(".json")
    beside.write_text(json.dumps({**json.loads(beside.read_text()), **changes}))


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    model = Anclaf(CONFIG)
    saved = save(tmp_path / "m.safetensors", model, CARD)
    loaded, card = load(tmp_path / "m.safetensors")
    assert card == saved
    assert card.parameters == sum(p.numel() for p in model.parameters())
    assert not loaded.training
    assert all(
        torch.equal(a, b) for a, b in zip(model.state_dict().values(), loaded.state_dict().values(), strict=True)
    )


def test_half_precision_halves_the_file_and_computes_in_float32(tmp_path: Path) -> None:
    model = Anclaf(CONFIG).eval()
    for name, precision in (("full", torch.float32), ("half", torch.float16)):
        save(tmp_path / f"{name}.safetensors", model, CARD, precision)
    full, half = ((tmp_path / f"{name}.safetensors").stat().st_size for name in ("full", "half"))
    assert half < 0.6 * full
    loaded, _ = load(tmp_path / "half.safetensors")
    crops = torch.randint(0, 256, (2, 1, 64, 64))
    assert all(p.dtype == torch.float32 for p in loaded.parameters())
    assert torch.allclose(loaded.encode(crops)[2], model.encode(crops)[2], atol=1e-3)


def test_no_temporary_file_is_left(tiny: Path) -> None:
    assert sorted(p.name for p in tiny.parent.iterdir()) == ["tiny.json", "tiny.safetensors"]


def test_truncated(tiny: Path) -> None:
    tiny.write_bytes(tiny.read_bytes()[:-100])
    with pytest.raises(CheckpointFault, match=r"truncated or was changed: its SHA-256 is .* its card expects"):
        load(tiny)


def test_one_bit_changed(tiny: Path) -> None:
    content = bytearray(tiny.read_bytes())
    content[-1] ^= 1
    tiny.write_bytes(content)
    with pytest.raises(CheckpointFault, match=r"truncated or was changed"):
        load(tiny)


def test_missing_name_tells_what_there_is() -> None:
    with pytest.raises(
        CheckpointFault, match=r"no model 'nobody'; expected a name \(.*\) or the path of a \.safetensors file"
    ):
        load("nobody")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointFault, match=r"no model .*gone.safetensors"):
        load(tmp_path / "gone.safetensors")


def test_a_pickle_is_never_read(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    torch.save({"a": 1}, path)
    with pytest.raises(CheckpointFault, match=r"weights.pt is not a checkpoint; expected a .safetensors file"):
        load(path)


def test_card_missing(tiny: Path) -> None:
    tiny.with_suffix(".json").unlink()
    with pytest.raises(CheckpointFault, match=r"no model card; expected tiny.json beside it"):
        load(tiny)


@pytest.mark.parametrize("content", ["{", "[]", '{"name": "tiny"}'])
def test_card_is_not_a_card(tiny: Path, content: str) -> None:
    tiny.with_suffix(".json").write_text(content)
    with pytest.raises(CheckpointFault, match=r"tiny.json is not a model card"):
        load(tiny)


def test_another_kind(tiny: Path) -> None:
    rewrite_card(tiny, kind="teapot")
    with pytest.raises(CheckpointFault, match=r"of kind 'teapot'; expected anclaf"):
        load(tiny)


def test_another_config(tiny: Path) -> None:
    rewrite_card(tiny, config={**CONFIG.to_dict(), "combiner_widths": [8, 8, 16]})
    with pytest.raises(CheckpointFault, match=r"does not hold the weights that its card describes"):
        load(tiny)


def test_a_config_that_is_not_one(tiny: Path) -> None:
    rewrite_card(tiny, config={"colour": 3})
    with pytest.raises(CheckpointFault, match=r"config is not one of 'anclaf'"):
        load(tiny)


@pytest.fixture
def pair(tiny: Path) -> tuple[Path, Path]:
    """tiny, and a model beside it that has its encoder and a recurrence."""
    model, _ = load(tiny)
    assert isinstance(model, Anclaf)
    grown = with_recurrence(model, "lstm", hidden=4)
    path = tiny.with_name("tiny-S-4.safetensors")
    save(path, grown, replace(CARD, name="tiny-S-4", config=grown.config.to_dict(), sequence_length=4))
    return tiny, path


def test_what_base_has_is_left_out_and_comes_back(pair: tuple[Path, Path], tmp_path: Path) -> None:
    base, whole = pair
    out = tmp_path / "out"
    done = CliRunner().invoke(main, ["train", "share", str(base), str(whole), "--out", str(out)])
    assert done.exit_code == 0 and done.output.splitlines() == ["wrote", *(f"  {out / each.name}" for each in pair)]
    assert (out / base.name).read_bytes() == base.read_bytes()
    assert (out / whole.name).stat().st_size < 0.5 * whole.stat().st_size
    (before, card), (after, shared) = load(whole), load(out / whole.name)
    assert all(torch.equal(value, after.state_dict()[name]) for name, value in before.state_dict().items())
    expected = {"name": "tiny", "sha256": load(base)[1].sha256}
    command = "affect train anclaf && affect train share tiny tiny-S-4"
    assert shared == replace(card, sha256=shared.sha256, base=expected, command=command)
    assert shared.sha256 == hashlib.sha256((out / whole.name).read_bytes()).hexdigest()
    tensors, told = read_weights(out / whole.name)
    assert save_weights(tmp_path / "again.safetensors", tensors, told) == replace(card, command=command)
    assert (tmp_path / "again.safetensors").read_bytes() == whole.read_bytes()


def test_without_its_base_or_with_another_it_is_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    base, whole = pair
    share(whole, base, tmp_path / "out")
    with pytest.raises(CheckpointFault, match=r"tiny-S-4.safetensors has only the weights that tiny has not; expected"):
        load(tmp_path / "out" / whole.name)
    save(tmp_path / "out" / base.name, Anclaf(CONFIG), CARD)
    with pytest.raises(CheckpointFault, match=r"expected it with the SHA-256 .*…, got .*…: fetch both again"):
        load(tmp_path / "out" / whole.name)


def test_models_that_share_nothing_are_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    base, whole = pair
    with pytest.raises(
        CheckpointFault, match=r"tiny.safetensors has [\d,]+ of the [\d,]+ weights of .*tiny-S-4.safetensors;"
    ):
        share(base, whole, tmp_path / "out")
    other = tmp_path / "other.safetensors"
    save(other, Anclaf(CONFIG), CARD, torch.float16)
    with pytest.raises(
        CheckpointFault, match=r"has \d+ of the [\d,]+ weights of .*other.safetensors; expected models of one"
    ):
        share(whole, other, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_listing(tiny: Path) -> None:
    assert [card.name for card in checkpoint.list_models(tiny.parent)] == ["tiny"]


def test_what_ships_loads_and_is_small() -> None:
    sizes = [card.path.stat().st_size for card in checkpoint.list_models() if load(card.name)]
    assert sum(sizes) < 12e6
