"""Encoders of one's own: an ONNX file and its card, in the whole path; and what is said where they do not fit."""

import csv
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from own_encoders import CARD, CLASSES, write_own
from scenes import WrittenFaces, two_walkers
from sequence_sets import columns_of, write_model, write_set, write_split_set

from nets.card import WEIGHTS, CheckpointFault, read_card
from nets.checkpoint import load
from nets.expressions import EXPRESSIONS
from nets.onnx.encoder import encoder_file
from nets.onnx.graph import Graph
from nets.onnx.own import OwnEncoder
from nets.onnx.own_network import OwnNetwork
from nets.onnx.session import OnnxFault, open_session
from nets.runtime import load_runtime
from nets.templates import ARCFACE, ARCFACE_PX
from nets.torch_runtime import fold_batch_norms
from tracker.cli import main
from tracker.config import LiveConfig, OutputConfig, TrackerConfig
from tracker.engine import Engine, track
from tracker.errors import CheckpointError
from tracker.faces.align import ANCHORS, Template, align
from tracker.live import run_live
from train import run
from train.clips.scripts import KINDS
from train.prepare import template_of

CROPS = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)


def halves(crops: np.ndarray) -> np.ndarray:
    """(B, 2): mean level of the upper and the lower half."""
    return crops.reshape(len(crops), 2, -1).mean(axis=2)


def affect(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


# What it says.


def test_the_answers_are_the_network_s(tmp_path: Path) -> None:
    runtime = load_runtime(write_own(tmp_path))
    answer, means = runtime.encode(CROPS), halves(CROPS) / 255
    np.testing.assert_allclose(answer.affect, 2 * means - 1, atol=1e-5)
    logits = means @ np.linspace(-4, 4, 16).reshape(2, 8)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(answer.expressions[:, [EXPRESSIONS.index(name) for name in CLASSES]], shares, atol=1e-5)
    np.testing.assert_allclose(answer.quadrant.argmax(axis=1), [{(1, 1): 0, (0, 1): 1, (0, 0): 2, (1, 0): 3}[
        tuple(row)] for row in (answer.affect >= 0).astype(int)])  # fmt: skip
    assert answer.feature.shape == (5, 6) and runtime.feature_width == 6
    assert (answer.deviation, runtime.kind, runtime.has_expressions, runtime.has_deviation) == (
        None, "onnx", True, False)  # fmt: skip


INPUTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "levels": ({"scale": 1.0, "mean": [0, 0, 0]}, {}),
    "standardised": ({"scale": 1 / 255, "mean": 0.5, "deviation": [0.25, 0.25, 0.25]}, {}),
    "channels last": ({"scale": 1 / 255, "layout": "NHWC"}, {"shape": ("B", 32, 32, 3)}),
    "whole levels": ({"dtype": "uint8"}, {"dtype": np.uint8}),
    "free sides": ({"scale": 1 / 255}, {"shape": ("B", 3, "H", "W")}),
    "one face": ({"scale": 1 / 255}, {"shape": (1, 3, 32, 32), "batch": 1}),
    "grey": ({"scale": 1 / 255, "channels": 1, "color": "grey"}, {"shape": ("B", 1, 32, 32)}),
    "two sides": ({"size": [32, 32], "scale": 1 / 255}, {}),
}


@pytest.mark.parametrize("given", INPUTS)
def test_it_is_fed_as_its_card_says(given: str, tmp_path: Path) -> None:
    feed, file = INPUTS[given]
    crops = CROPS[..., :1] if given == "grey" else CROPS
    fed = (crops * feed.get("scale", 1.0) - np.array(feed.get("mean", 0.0))) / np.array(feed.get("deviation", 1.0))
    answer = load_runtime(write_own(tmp_path, input={"size": 32, **feed}, **file)).encode(crops)
    np.testing.assert_allclose(answer.affect, 2 * halves(fed) - 1, rtol=1e-4, atol=1e-4)


def test_blue_goes_first_where_the_card_says_so(tmp_path: Path) -> None:
    crops = np.zeros((1, 32, 32, 3), np.uint8)
    crops[..., 0] = 255  # red
    card = {"scale": 1 / 255, "mean": [0.5, 0.0, 0.0], "deviation": [0.5, 1.0, 1.0]}
    answers = []
    for colour in ("rgb", "bgr"):
        path = write_own(tmp_path / colour, input={**CARD["input"], **card, "color": colour})
        answers.append(load_runtime(path).encode(crops).affect[0, 0])
    red_first, red_last = ((255 / 255 - 0.5) / 0.5 + 0 + 0) / 3, ((0 - 0.5) / 0.5 + 0 + 1) / 3
    assert answers == pytest.approx([2 * red_first - 1, 2 * red_last - 1], abs=1e-5)


def test_seven_classes_leave_the_eighth_at_nought(tmp_path: Path) -> None:
    answer = load_runtime(write_own(tmp_path, classes=7)).encode(CROPS)
    assert (answer.expressions[:, EXPRESSIONS.index("contempt")] == 0).all()
    np.testing.assert_allclose(answer.expressions.sum(axis=1), 1, atol=1e-6)


def test_without_a_feature_the_recurrence_reads_the_answers(tmp_path: Path) -> None:
    answer = load_runtime(write_own(tmp_path, outputs={"feature": None})).encode(CROPS)
    np.testing.assert_array_equal(answer.feature, np.hstack([answer.affect, answer.expressions]))
    alone = load_runtime(write_own(tmp_path, outputs={"feature": None, "expressions": None}))
    np.testing.assert_array_equal(alone.encode(CROPS).feature, alone.encode(CROPS).affect)
    assert not alone.has_expressions and alone.encode(CROPS).expressions is None


# Crops.


def test_arcface_s_points_are_pixels_of_a_crop_of_112() -> None:
    mesh = np.zeros((468, 3), np.float32)
    for anchor, point in zip(ANCHORS, ARCFACE_PX, strict=True):
        mesh[list(anchor), :2] = point
    picture = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8), (0, 0), 3)
    crop = align(picture, mesh, Template(size=112, channels=3, points=ARCFACE))
    assert np.abs(crop.astype(int) - picture).max() <= 1


@pytest.mark.parametrize("margin", [0.0, 0.25, -0.1])
def test_a_box_is_the_square_about_the_face(margin: float) -> None:
    mesh = np.random.default_rng(1).uniform((60, 40, 0), (140, 140, 1), (468, 3)).astype(np.float32)
    mesh[0], mesh[2] = (60, 40, 0), (140, 140, 0)
    y, x = np.mgrid[0:180, 0:200]
    picture = np.stack([x, y, np.zeros_like(x)], axis=2).astype(np.uint8)
    crop = align(picture, mesh, Template.from_card({"size": 50, "channels": 3, "box": margin}))
    half = 50 * (1 + 2 * margin)
    spots = (np.arange(50) - 24.5) * 2 * half / 50
    inside = slice(2, -2)
    np.testing.assert_allclose(crop[25, inside, 0], (100 + spots)[inside], atol=1.6)
    np.testing.assert_allclose(crop[inside, 25, 1], (90 + spots)[inside], atol=1.6)
    assert Template.from_card({"size": 50, "channels": 3, "box": margin}).card() == {
        "size": 50, "channels": 3, "box": margin}  # fmt: skip


@pytest.mark.parametrize(
    "crop",
    [
        {"template": "anclaf"},
        {"template": "arcface"},
        {"template": "box", "margin": 0.2},
        {"points": [[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.4, 0.8], [0.6, 0.8]]},
    ],
)
def test_every_crop_is_tracked(crop: dict[str, Any], tmp_path: Path) -> None:
    with Engine(write_own(tmp_path, crop=crop), TrackerConfig(faces=2), WrittenFaces()) as engine:
        samples = [sample for frame in track(two_walkers(6), engine) for sample in frame.samples]
    assert len(samples) > 8 and np.std([sample.valence for sample in samples]) > 1e-3
    own = engine.runtime.card.crop
    assert json.loads(json.dumps(Template.from_card(own).card())) == own


# The whole path.


def test_tracking_says_which_file_it_was(tmp_path: Path, sample_clip: Path) -> None:
    path = write_own(tmp_path)
    result = affect("track", sample_clip, "--model", path, "--end", "0.3", "-o", tmp_path / "out", "--plot")
    assert result.exit_code == 0, result.output
    with (tmp_path / "out" / "sample.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[-8:] == [f"p_{name}" for name in EXPRESSIONS] and "valence_sd" not in rows[0]
    assert sum(float(rows[-1][f"p_{name}"]) for name in EXPRESSIONS) == pytest.approx(1, abs=1e-4)
    sheet = json.loads((tmp_path / "out" / "sample.meta.json").read_text())
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert sheet["model"] == {"name": "mine", "kind": "onnx", "sha256": sha256, "terms": "the test's own"}
    assert (sheet["runtime"], sheet["told"]) == ("onnx", ["expressions"])


def test_a_live_run_takes_it(tmp_path: Path, sample_clip: Path) -> None:
    config = LiveConfig(str(write_own(tmp_path)), headless=True, duration=0.4, output=OutputConfig(str(tmp_path)))
    report = run_live(str(sample_clip), config)
    assert report.error is None and report.frames > 0


def test_info_and_models_tell_of_it(tmp_path: Path) -> None:
    path = write_own(tmp_path)
    told = affect("info", path)
    assert told.exit_code == 0 and "the test's own" in told.output and '"box"' not in told.output
    listed = affect("models", tmp_path)
    assert listed.exit_code == 0 and "mine" in listed.output and "onnx" in listed.output


def test_pictures_are_scored_by_it(tmp_path: Path, sample_clip: Path) -> None:
    video = cv2.VideoCapture(str(sample_clip))
    rows = []
    for number in range(4):
        video.set(cv2.CAP_PROP_POS_FRAMES, 50 * number)
        cv2.imwrite(str(tmp_path / f"{number}.png"), video.read()[1])
        rows.append(f"{number}.png,{0.2 * number - 0.3},{0.1 * number}")
    (tmp_path / "labels.csv").write_text("\n".join(["path,valence,arousal", *rows]))
    result = affect(
        "eval", "pictures", tmp_path / "labels.csv", "--model", write_own(tmp_path), "--json", tmp_path / "j"
    )
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "j").read_text())["n"] == 4


# The recurrence behind it.


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of S-2 and SA-2 that were trained on a network that lies beside the folder of the runs."""
    monkeypatch.setattr(run, "SummaryWriter", lambda _: type("Board", (), {"add_scalar": print, "flush": print}))
    grey = {"size": 32, "channels": 1, "color": "grey", "scale": 1 / 255}
    path = write_own(tmp_path / "encoder", ("B", 1, 32, 32), input=grey)
    kinds, parts = list(KINDS), [0, 0, 0, 1, 2]
    columns = columns_of(kinds * len(parts), np.repeat(np.arange(len(parts)), len(kinds)).tolist())
    columns["split"] = np.array(parts, np.uint8)[columns["subject"]]
    write_set(tmp_path / "set", columns)
    changes = ("stage_two.lengths=[2]", "stage_two.hidden=8", "stage_two.epochs=2")
    options = [part for change in changes for part in ("--set", change)]
    result = affect(
        "train", "anclaf", "--encoder", path, "--data", tmp_path / "set", "--out", tmp_path / "runs", *options
    )
    assert result.exit_code == 0, result.output
    return tmp_path / "runs" / "compact"


def test_s_and_sa_are_trained_on_it(trained: Path, sample_clip: Path) -> None:
    encoder = trained.parents[1] / "encoder" / "mine.onnx"
    assert sorted(path.name for path in trained.glob("*.safetensors")) == ["mine-S-2.safetensors",
                                                                            "mine-SA-2.safetensors"]  # fmt: skip
    for name, kind in (("mine-S-2", "lstm"), ("mine-SA-2", "attention")):
        card = read_card(trained / f"{name}.safetensors")
        assert (card.kind, card.sequence_length, card.config["recurrence"]) == ("onnx", 2, kind)
        assert card.config["sha256"] == read_card(encoder).sha256 and "--encoder mine.onnx" in card.command
        assert (trained / f"{name}.safetensors").stat().st_size < 100_000
        network, _ = load(trained / f"{name}.safetensors")
        assert isinstance(network, OwnNetwork) and all("recurrence" in key for key in network.state_dict())
        crops = CROPS[..., :1]
        ours, alone = load_runtime(trained / f"{name}.safetensors"), load_runtime(encoder)
        np.testing.assert_array_equal(ours.encode(crops).feature, alone.encode(crops).feature)
        assert ours.recurrent and (ours.recurrent_weights().score.size > 0) == (kind == "attention")
    result = affect("track", sample_clip, "--model", trained / "mine-SA-2.safetensors", "--end", "0.3",
                    "-o", trained / "out", "--attention", "--jsonl", f"{trained}/")  # fmt: skip
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in (trained / "sample.jsonl").read_text().splitlines()]
    sheet = json.loads((trained / "out" / "sample.meta.json").read_text())
    assert sheet["model"]["encoder_sha256"] == read_card(encoder).sha256 != sheet["model"]["sha256"]
    assert len(lines[-1]["attention"]) == 2 and lines[-1]["valence"] != lines[-1]["valence_frame"]


def test_they_are_compared_on_sequences(trained: Path) -> None:
    encoder = trained.parents[1] / "encoder" / "mine.onnx"
    models = [part for path in (encoder, trained / "mine-S-2.safetensors") for part in ("--model", path)]
    data = trained.parents[1] / "set"
    result = affect("eval", "sequences", data, *models, "--rounds", 20, "--json", trained / "s.json")
    assert result.exit_code == 0, result.output
    report = json.loads((trained / "s.json").read_text())
    assert report["models"][0]["sha256"] == read_card(encoder).sha256
    assert len(list((data / "features").iterdir())) == 1, "both share the encoder"


def test_its_file_lies_beside_it_or_where_the_card_says(trained: Path) -> None:
    encoder, model = trained.parents[1] / "encoder" / "mine.onnx", trained / "mine-S-2.safetensors"
    payload = encoder.read_bytes()
    encoder.unlink()
    with pytest.raises(CheckpointFault, match=r"mine\.onnx is not there; expected the mine\.onnx with the SHA-256"):
        load(model)
    (trained / "mine.onnx").write_bytes(payload + b" ")
    with pytest.raises(CheckpointFault, match=r"is another file; expected the mine\.onnx with the SHA-256"):
        load(model)
    (trained / "mine.onnx").write_bytes(payload)
    load_runtime(model)


# What does not fit.

FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "no input": ({"input": None}, "mine.json: input is None; expected an object with size, channels"),
    "unknown setting": (
        {"input": {"size": 32, "std": 1}},
        "input has 'std', which is not known; expected some of size",
    ),
    "no size": ({"input": {"channels": 3}}, "input has no 'size'; expected one"),
    "not square": ({"input": {"size": [32, 48]}}, r"input.size is \[32, 48\]; crops are square"),
    "size of text": ({"input": {"size": "32"}}, "input.size is '32'; expected pixels, such as 112"),
    "layout": ({"input": {"size": 32, "layout": "CHW"}}, "input.layout is 'CHW'; expected NCHW or NHWC"),
    "colour": ({"input": {"size": 32, "color": "grey"}}, "input.color is 'grey'; expected rgb or bgr"),
    "four means": ({"input": {"size": 32, "mean": [0, 0, 0, 0]}}, "input.mean has 4 numbers; expected 3"),
    "nan": ({"input": {"size": 32, "scale": float("nan")}}, "input.scale is nan; expected a number"),
    "zero": ({"input": {"size": 32, "deviation": 0}}, "holds a number nearer to 0 than 1e-06"),
    "beyond float32": (
        {"input": {"size": 32, "scale": 1e300}},
        "input.scale is 1e[+]300; expected a number of at most",
    ),
    "nearly zero": ({"input": {"size": 32, "scale": 1e-300}}, "holds a number nearer to 0 than 1e-06"),
    "one place": ({"crop": {"points": [[0.5, 0.5]] * 5}}, "crop.points lie on one line, or in one place"),
    "one line": ({"crop": {"points": [[k / 5, k / 5] for k in range(5)]}}, "crop.points lie on one line, or in one"),
    "eyes in one": (
        {"crop": {"points": [[0.3, 0.3], [0.3, 0.3], [0.5, 0.6], [0.3, 0.8], [0.7, 0.8]]}},
        "have both eyes in one place",
    ),
    "pixels": ({"crop": {"points": [[38, 51], [73, 51], [56, 71], [41, 92], [70, 92]]}}, "hold 38; expected shares"),
    "name of a number": ({"name": 7}, "name is 7; expected text of at most 100 characters"),
    "name of a path": ({"name": "../../x"}, "name is '../../x'; expected text of at most 100 characters, without /"),
    "name of two lines": ({"name": "a\nb"}, "name is 'a.*nb'; expected text"),
    "terms in a list": ({"terms": ["any", "use"]}, r"terms is \['any', 'use'\]; expected text"),
    "uint8 scaled": ({"input": {"size": 32, "dtype": "uint8", "scale": 2}}, "input.scale is of no use to uint8"),
    "template": ({"crop": {"template": "dlib"}}, "crop.template is 'dlib'; expected anclaf or arcface or box"),
    "both": ({"crop": {"template": "box", "points": []}}, "crop has neither points nor a template, or both"),
    "four points": ({"crop": {"points": [[0, 0]] * 4}}, "crop.points are not five"),
    "margin": ({"crop": {"template": "arcface", "margin": 0.1}}, 'crop.margin belongs to the template "box" alone'),
    "wide": ({"crop": {"template": "box", "margin": 9}}, "crop.margin is 9; expected -0.4 to 2"),
    "no valence": ({"outputs": {"valence": None}}, "outputs has no 'valence'"),
    "no such output": ({"outputs": {"valence": "va[0]"}}, "it has no output 'va', which its card names; it has"),
    "no such number": (
        {"outputs": {"valence": "Sub_5[7]"}},
        r"output 'Sub_5' has 2 numbers a face; its card wants \[7\]",
    ),
    "unknown class": (
        {"outputs": {"expressions": {"output": "MatMul_6", "classes": ["happy"] * 8}}},
        "has 'happy', which is not known; expected neutral, happiness",
    ),
    "class twice": (
        {"outputs": {"expressions": {"output": "MatMul_6", "classes": ["fear", "fear"]}}},
        "names one twice",
    ),
    "number of classes": (
        {"outputs": {"expressions": {"output": "MatMul_6", "classes": ["anger", "fear"]}}},
        "has 8 numbers a face; its card names 2 classes",
    ),
    "logits": (
        {"outputs": {"expressions": {"output": "MatMul_6", "classes": list(CLASSES), "activation": "none"}}},
        'holds no probabilities .* for logits its card must say "activation": "softmax"',
    ),
    "other sides": (
        {"shape": ("B", 3, 64, 64)},
        r"has the axes \['B', 3, 64, 64\]; its card says NCHW of \(3, 32, 32\)",
    ),
    "missing axes": ({"shape": ("B", 3072)}, r"has the axes \['B', 3072\]; its card says NCHW"),
    "four faces": ({"shape": (4, 3, 32, 32), "batch": 4}, "takes 4 faces at once; expected 1, or an axis that is free"),
    "other dtype": ({"dtype": np.uint8}, r"its input 'faces' is a tensor\(uint8\); its card says float32"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_does_not_fit_is_one_plain_line(fault: str, tmp_path: Path) -> None:
    changes, said = FAULTS[fault]
    path = write_own(tmp_path, **changes)
    with pytest.raises(CheckpointFault, match=said) as raised:
        load_runtime(path)
    assert "\n" not in str(raised.value) and str(raised.value).startswith(f"{path} cannot be used: ")
    result = affect("track", "clip.mp4", "--model", path)
    assert result.exit_code == 1 and len(result.stderr.splitlines()) == 1 and result.stderr.startswith("error: ")


@pytest.mark.parametrize(("end", "content", "said"), [
    (".json", None, "it has no card; expected mine.json beside it: see docs/own-encoder.md"),
    (".json", b"{", "mine.json is not JSON"),
    (".json", b"[1]", r"mine.json: the card is \[1\]; expected an object with name, input"),
    (".onnx", b"not a network", "ONNX Runtime refuses it"),
])  # fmt: skip
def test_files_that_are_not_what_they_should_be(end: str, content: bytes | None, said: str, tmp_path: Path) -> None:
    path = write_own(tmp_path)
    if content is None:
        path.with_suffix(end).unlink()
    else:
        path.with_suffix(end).write_bytes(content)
    with pytest.raises(CheckpointFault, match=said):
        read_card(path)


def test_nan_out_of_it_ends_the_run_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = load_runtime(write_own(tmp_path))
    session = runtime._encoder._session

    class Broken:
        def run(self, names: list[str], fed: dict[str, np.ndarray]) -> list[np.ndarray]:
            return [np.full_like(each, np.nan) for each in session.run(names, fed)]

    monkeypatch.setattr(runtime._encoder, "_session", Broken())
    with pytest.raises(OnnxFault, match="holds NaN or infinity for a face"):
        runtime.encode(CROPS)
    engine = Engine(runtime, TrackerConfig(faces=2), WrittenFaces())
    with pytest.raises(CheckpointError, match="the model mine cannot be used: its output"):
        list(track(two_walkers(3), engine))


def test_it_runs_by_onnx_on_the_cpu_alone(tmp_path: Path) -> None:
    path = write_own(tmp_path)
    assert load_runtime(path, runtime="onnx").kind == "onnx"
    for kind in ("torch", "int8"):
        with pytest.raises(CheckpointFault, match="mine is an ONNX file: it runs by onnx on the device cpu, not by"):
            load_runtime(path, runtime=kind)


def test_crops_of_another_kind_train_nothing(tmp_path: Path) -> None:
    write_set(
        tmp_path / "set", columns_of(["still", "morph"], [0, 1]) | {"split": np.repeat([0, 1], 24).astype(np.uint8)}
    )
    result = affect("train", "anclaf", "--encoder", write_own(tmp_path), "--data", tmp_path / "set",
                    "--out", tmp_path / "runs")  # fmt: skip
    assert result.exit_code == 1 and "mine expects crops with channels 3" in result.stderr


def test_the_encoder_is_shared_by_its_copies(tmp_path: Path) -> None:
    from copy import deepcopy

    network, _ = load(write_own(tmp_path))
    encoder = network.opened(1)
    assert isinstance(encoder, OwnEncoder) and deepcopy(encoder) is encoder
    assert replace(network.config, file="elsewhere.onnx").own.name == "mine"


def test_a_set_is_prepared_as_it_takes_its_crops(tmp_path: Path) -> None:
    path = write_own(tmp_path, crop={"template": "box", "margin": 0.2})
    assert template_of(64, "1", str(path), 8) == Template(size=32, channels=3, box=0.2, margin=8)
    assert template_of(64, "1", None, 8) == Template(margin=8)
    with pytest.raises(CheckpointError, match="no model 'nobody'"):
        template_of(64, "1", "nobody", 8)


def test_our_own_encoder_brought_along_gives_our_own_trace(tmp_path: Path, sample_clip: Path) -> None:
    model, card = load("anclaf-compact")
    path = tmp_path / "ours.onnx"
    path.write_bytes(encoder_file(fold_batch_norms(model)))
    feature, _, two = (each.name for each in open_session(path.read_bytes(), 1).get_outputs())
    outputs = {"valence": f"{two}[0]", "arousal": f"{two}[1]", "feature": feature}
    feed = {"size": 64, "channels": 1, "layout": "NHWC", "dtype": "uint8"}
    path.with_suffix(".json").write_text(json.dumps({"input": feed, "outputs": outputs}))
    traces = []
    for name, which in (("ours", path), ("theirs", "anclaf-compact")):
        options = ("--model", which, "--runtime", "onnx", "--end", "0.5", "-o", tmp_path / name)
        result = affect("track", sample_clip, *options)
        assert result.exit_code == 0, result.output
        with (tmp_path / name / "sample.csv").open(newline="") as file:
            traces.append([[float(row["valence"]), float(row["arousal_smooth"])] for row in csv.DictReader(file)])
    np.testing.assert_allclose(*traces, atol=2e-6)
    assert np.std(traces[0], axis=0).min() > 1e-4
    assert load_runtime(path).card.name == "ours" and load_runtime(path).card.crop == card.crop


def test_s_is_trained_on_another_anclaf_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "SummaryWriter", lambda _: type("Board", (), {"add_scalar": print, "flush": print}))
    single = write_model(tmp_path, "mine")
    write_split_set(tmp_path / "set")
    changes = [f"--set=stage_two.{each}" for each in ("lengths=[2]", "hidden=8", "epochs=1", "attention_epochs=1")]
    options = ("--encoder", single, "--data", tmp_path / "set", "--out", tmp_path / "runs", *changes)
    result = affect("train", "anclaf", *options)
    assert result.exit_code == 0, result.output
    grown, card = load(tmp_path / "runs" / "compact" / "mine-S-2.safetensors")
    assert (card.name, card.kind, card.sequence_length) == ("mine-S-2", "anclaf", 2)
    assert card.command.endswith("&& affect train anclaf --config compact --data FACES --encoder mine.safetensors " + (
        " ".join(change.replace("=", " ", 1) for change in changes)))  # fmt: skip
    own = load(single)[0].state_dict()
    assert all(np.allclose(grown.state_dict()[name], value, atol=1e-3) for name, value in own.items())
    refused = affect("train", "anclaf", "--encoder", "levasa-compact", "--data", tmp_path / "set", "--out", tmp_path)
    assert (
        refused.exit_code == 1 and "is a model of kind 'levasa'; expected an ANCLaF, or an ONNX file" in refused.stderr
    )


def test_a_network_that_mixes_its_faces_is_refused(tmp_path: Path) -> None:
    graph = Graph()
    mean = graph.node("Flatten", graph.node("ReduceMean", "faces", axes=(0, 2, 3)))
    path = write_own(tmp_path, outputs={"valence": mean, "arousal": f"{mean}[1]", "expressions": None, "feature": None})
    path.write_bytes(graph.file({"faces": (np.float32, ("B", 3, 32, 32))}, {mean: (1, 3)}))
    with pytest.raises(CheckpointFault, match=r"has the shape \(1, 3\) for 2 faces; expected a row a face"):
        load(path)


def test_weights_in_another_file_are_refused(tmp_path: Path) -> None:
    path = write_own(tmp_path)
    path.write_bytes((WEIGHTS / "anclaf-compact.float.onnx").read_bytes())
    with pytest.raises(
        CheckpointFault, match=r"its weights stand in another file \(external data\); expected one file"
    ):
        load_runtime(path)
