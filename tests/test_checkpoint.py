"""Checkpoints: what is saved comes back; what is damaged, changed or of another kind is refused in one plain line."""

import hashlib
import json
import re
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from click.testing import CliRunner, Result

from nets.anclaf import Anclaf, AnclafConfig, with_recurrence
from nets.card import SCHEMA, WEIGHTS, Base, CheckpointFault, ModelCard, base_of, find, list_models, read_card
from nets.checkpoint import load, read_weights, save, save_weights
from nets.disvae import DisvaeConfig
from nets.landmark_vae import LandmarkVaeConfig
from nets.levasa import LevasaConfig
from nets.onnx.own import OwnConfig
from tracker.cli import main
from tracker.config import DEFAULT_MODEL

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
        CheckpointFault,
        match=r"no model 'nobody'; expected a name \(.*\) or the path of a \.safetensors or \.onnx file",
    ):
        load("nobody")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointFault, match=r"no model .*gone.safetensors"):
        load(tmp_path / "gone.safetensors")


def test_a_pickle_is_never_read(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    torch.save({"a": 1}, path)
    with pytest.raises(CheckpointFault, match=r"weights.pt is not a checkpoint; expected a .safetensors or .onnx file"):
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


def share(*models: Path, out: Path) -> Result:
    return CliRunner().invoke(main, ["train", "share", *map(str, models), "--out", str(out)])


def test_what_base_has_is_left_out_and_comes_back(pair: tuple[Path, Path], tmp_path: Path) -> None:
    base, whole = pair
    out = tmp_path / "runs" / "shared"
    done = share(*pair, out=out.parent)
    assert done.exit_code == 0 and done.output.splitlines() == ["wrote", *(f"  {out / each.name}" for each in pair)]
    assert (out / base.name).read_bytes() == base.read_bytes()
    small = out / whole.name
    assert small.stat().st_size < 0.5 * whole.stat().st_size
    (before, card), (after, shared) = load(whole), load(small)
    assert all(torch.equal(value, after.state_dict()[name]) for name, value in before.state_dict().items())
    command = "affect train anclaf && affect train share tiny tiny-S-4"
    digest = hashlib.sha256(small.read_bytes()).hexdigest()
    assert shared == replace(card, artefact=shared.artefact, sha256=digest, command=command)
    assert base_of(small) == ("tiny", load(base)[1].sha256) and base_of(whole) is base_of(base) is None
    assert save_weights(tmp_path / "again.safetensors", *read_weights(small)) == replace(card, command=command)
    assert (tmp_path / "again.safetensors").read_bytes() == whole.read_bytes()
    content = small.read_bytes()
    assert share(out / base.name, small, out=out.parent).exit_code == 0 and small.read_bytes() == content
    assert load(small)[1].command == command


def test_its_own_digest_says_which_base_it_has(pair: tuple[Path, Path], tmp_path: Path) -> None:
    digests = set()
    for change in (0.0, 1.0):
        moved = []
        for path in pair:
            model, card = load(path)
            assert isinstance(model, Anclaf)
            model.discriminator.quadrant.weight.data += change
            moved.append(tmp_path / path.name)
            save(moved[-1], model, card)
        assert share(*moved, out=tmp_path).exit_code == 0
        digests.add(load(tmp_path / "shared" / "tiny-S-4.safetensors")[1].sha256)
    assert len(digests) == 2


def test_without_its_base_or_with_another_it_is_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    out, (base, whole) = tmp_path / "shared", pair
    assert share(*pair, out=tmp_path).exit_code == 0
    (out / base.name).unlink()
    with pytest.raises(CheckpointFault, match=r"tiny-S-4.safetensors has only the weights that tiny has not; expected"):
        load(out / whole.name)
    save(out / base.name, Anclaf(CONFIG), CARD)
    with pytest.raises(CheckpointFault, match=r"that one whole, with the SHA-256 .*…, got .*…: fetch both again"):
        load(out / whole.name)


def test_a_base_is_whole(pair: tuple[Path, Path], tmp_path: Path) -> None:
    tensors, card = read_weights(pair[0])
    path = tmp_path / "a.safetensors"
    one = save_weights(path, tensors, card, Base("b", "0" * 64))
    save_weights(tmp_path / "b.safetensors", tensors, card, Base("a", one.sha256))
    other = read_card(tmp_path / "b.safetensors").sha256
    save_weights(path, tensors, card, Base("b", other))
    with pytest.raises(CheckpointFault, match="expected that one whole"):
        load(path)


@pytest.mark.parametrize("told", ["{", '"tiny"', '{"name": "tiny"}'])
def test_metadata_that_names_no_base(tiny: Path, told: str) -> None:
    payload = safetensors.torch.save(read_weights(tiny)[0], {"base": told})
    tiny.write_bytes(payload)
    rewrite_card(tiny, sha256=hashlib.sha256(payload).hexdigest())
    with pytest.raises(CheckpointFault, match=r"tiny.safetensors is not a checkpoint"):
        load(tiny)


def test_models_that_cannot_share(pair: tuple[Path, Path], tmp_path: Path) -> None:
    base, whole = pair
    before = {path: path.read_bytes() for path in pair}
    done = share(whole, base, out=tmp_path)
    assert done.exit_code == 1 and re.search(r"tiny.safetensors has [\d,]+ of the base's [\d,]+ weights", done.output)
    other = tmp_path / "other.safetensors"
    save(other, Anclaf(CONFIG), CARD, torch.float16)
    done = share(other, whole, out=tmp_path)
    assert done.exit_code == 1 and "expected models of one training, which share an encoder" in done.output
    done = share(base, base, whole, out=tmp_path)
    assert done.exit_code == 2 and "expected files of different names, since all go into" in done.output
    (tmp_path / "file").touch()
    done = share(base, whole, out=tmp_path / "file")
    assert done.exit_code == 1 and "file/shared cannot be written: " in done.output
    assert {path: path.read_bytes() for path in pair} == before


def test_listing(tiny: Path) -> None:
    assert [card.name for card in list_models(tiny.parent)] == ["tiny"]


def test_what_ships_loads_and_is_small() -> None:
    sizes = {card.name: card.path.stat().st_size for card in list_models() if load(card.name)}
    base = base_of(find(DEFAULT_MODEL))
    assert base is not None and sizes[DEFAULT_MODEL] + sizes[base.name] < 12e6
    assert sum(path.stat().st_size for path in WEIGHTS.iterdir()) < 17e6


ABSURD = [
    ("generator_blocks", [10**9, 1], r"generator_blocks is 1000000000; expected a whole number, 0 to 64"),
    ("generator_blocks", [1e9, 1], r"generator_blocks is 1000000000\.0; expected a whole number"),
    ("generator_blocks", [1], r"generator_blocks is \[1\]; expected a list of 2"),
    ("generator_width", 10**9, r"generator_width is 1000000000; expected a whole number, 1 to 16384"),
    ("generator_width", 16000, r"it has [\d,]+ numbers for [\d,]+ parameters"),
    ("generator_kernel", -3, "generator_kernel is -3; expected a whole number, 1 to 63"),
    ("generator_norm", "group", "generator_norm is 'group'; expected instance, batch, none"),
    ("discriminator_layers", 400, "discriminator_layers is 400; expected a whole number, 1 to 10"),
    ("combiner_widths", [64] * 10**6, r"combiner_widths is \[64, 64, .*; expected a list of at most 64"),
    ("combiner_widths", [], "combiner_widths or face_widths is empty"),
    ("size", 10**9, "size is 1000000000; expected a whole number, 8 to 1024"),
    ("size", True, "size is True; expected a whole number"),
    ("quadrant_head", "yes", "quadrant_head is 'yes'; expected true or false"),
]


@pytest.mark.parametrize(("name", "value", "said"), ABSURD)
def test_absurd_sizes_are_refused_at_once(name: str, value: object, said: str, tiny: Path) -> None:
    rewrite_card(tiny, config={**CONFIG.to_dict(), name: value})
    began = time.monotonic()
    with pytest.raises(CheckpointFault, match=said) as raised:
        load(tiny)
    assert time.monotonic() - began < 20 and len(str(raised.value)) < 400


@pytest.mark.parametrize(
    "config",
    [
        LevasaConfig(),
        DisvaeConfig(("a", "b"), ((0.0, 0.0), (0.5, 0.5))),
        LandmarkVaeConfig(),
        AnclafConfig(),
        OwnConfig({"input": {"size": 32}, "outputs": {"valence": "a", "arousal": "a[1]"}}, "m.onnx", "0" * 64, 2),
    ],
    ids=lambda config: type(config).__name__,
)
def test_every_number_of_every_card_is_bounded(config: Any) -> None:
    """Of each field that is a whole number or a list of them: neither 1e9 nor -1 nor 1.5 is taken."""
    sizes = [
        field.name
        for field in fields(config)
        if type(value := getattr(config, field.name)) is int or (isinstance(value, tuple) and type(value[:1]) is tuple)
    ]
    sizes = [name for name in sizes if name not in ("classes", "centres", "face_widths", "quadrant_planes")]
    assert len(sizes) >= 2
    for name in sizes:
        for wrong in (10**9, -1, 1.5, "64", None):
            value = getattr(config, name)
            with pytest.raises(ValueError, match=rf"^{name} is "):
                replace(config, **{name: (wrong, *value[1:]) if isinstance(value, tuple) else wrong})


@pytest.mark.parametrize("name", ["../tiny", "/etc/tiny", "..", "a\\tiny", "", 7])
def test_a_base_does_not_leave_its_folder(name: object, tiny: Path) -> None:
    payload = safetensors.torch.save(read_weights(tiny)[0], {"base": json.dumps({"name": name, "sha256": "0" * 64})})
    tiny.write_bytes(payload)
    rewrite_card(tiny, sha256=hashlib.sha256(payload).hexdigest())
    with pytest.raises(CheckpointFault, match=r"the name of its base is .*; expected text of at most 100 characters"):
        load(tiny)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "../../x"}, "name is '../../x'; expected text"),
        ({"terms": ["any"]}, r"terms is \['any'\]; expected text"),
        ({"kind": ["anclaf"]}, "kind is .*; expected text"),
        ({"config": [1]}, "config is no object"),
        ({"sequence_length": 10**9}, "sequence_length is 1000000000; expected 1 to 1024"),
        ({"rate_hz": float("nan")}, "rate_hz is nan; expected 0.1 to 1000"),
        ({"crop": {"size": 10**9}}, "crop is of 1000000000 px"),
        ({"crop": {"size": 64, "points": [[0.5, 0.5]] * 5}}, "crop.points lie on one line, or in one place"),
    ],
)
def test_cards_that_ask_for_what_cannot_be(changes: dict[str, Any], said: str, tiny: Path) -> None:
    rewrite_card(tiny, **changes)
    with pytest.raises(CheckpointFault, match=rf"tiny.json is not a model card: {said}"):
        load(tiny)


def test_info_tells_of_a_base_that_is_missing(tmp_path: Path) -> None:
    path = find(DEFAULT_MODEL)
    for suffix in (".safetensors", ".json"):
        (tmp_path / path.name).with_suffix(suffix).write_bytes(path.with_suffix(suffix).read_bytes())
    done = CliRunner().invoke(main, ["info", str(tmp_path / path.name)])
    assert done.exit_code == 0 and "warning: " in done.stderr
    assert "has only the weights that anclaf-compact has not, and anclaf-compact.safetensors is not beside it" in (
        done.stderr
    )
    whole = CliRunner().invoke(main, ["info", DEFAULT_MODEL])
    assert whole.exit_code == 0 and not whole.stderr


def test_a_weight_too_large_for_half_precision_is_kept(tmp_path: Path) -> None:
    model = Anclaf(CONFIG)
    model.combiner.head.bias.data[1] = 1e5
    save(tmp_path / "tiny.safetensors", model, CARD, torch.float16)
    kept = load(tmp_path / "tiny.safetensors")[0].state_dict()
    assert kept["combiner.head.bias"][1] == 1e5
    stored = read_weights(tmp_path / "tiny.safetensors")[0]
    assert stored["combiner.head.weight"].dtype == torch.float16


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    model = Anclaf(CONFIG)
    model.combiner.head.bias.data[1] = float("nan")
    save(tmp_path / "tiny.safetensors", model, CARD)
    with pytest.raises(CheckpointFault, match=r"tiny\.safetensors holds NaN or infinity among the weights combiner\."):
        load(tmp_path / "tiny.safetensors")


def test_a_card_of_a_newer_schema_is_refused(tiny: Path) -> None:
    rewrite_card(tiny, schema=SCHEMA + 1)
    told = rf"tiny\.json is of schema {SCHEMA + 1}, and this release reads {SCHEMA}; update affect-tracker"
    with pytest.raises(CheckpointFault, match=told):
        read_card(tiny)
