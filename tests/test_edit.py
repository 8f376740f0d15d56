"""`affect edit`: LeVAsa's walks go where they should by the shortest way, DisVAE's swaps are what was decoded."""

import json
from dataclasses import replace
from itertools import combinations, pairwise, permutations, product
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from scenes import small_disvae, small_levasa, small_runtime
from scipy.optimize import minimize
from scipy.special import softmax

from nets.checkpoint import save
from nets.levasa import Heads, Levasa
from nets.swap import read, swap
from nets.walk import move, walk
from tracker.cli import main
from tracker.commands.edit import complete
from tracker.config import EditConfig
from tracker.drawing.strips import FAR, Cell, draw_grid, draw_strips
from tracker.editing.faces import read_face, read_faces
from tracker.editing.walks import plan
from tracker.errors import DataError, SinkError, SourceError, UsageError
from tracker.faces.align import Template
from tracker.sources import open_source

HEADS: tuple[Heads, ...] = ("scalar", "repeat", "classes")
NAN = float("nan")
SEEN = np.array([[-0.8, 0.8], [-0.4, 0.9]])


@pytest.fixture(scope="module")
def latents() -> torch.Tensor:
    return torch.randn(6, 3, 4, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def face(sample_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A frame of the clip, as a picture."""
    path = tmp_path_factory.mktemp("face") / "face.png"
    with open_source(str(sample_clip)) as source:
        cv2.imwrite(str(path), next(iter(source)).image[..., ::-1])
    return path


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints: LeVAsas of all heads, one whose card tells its labels, an ANCLaF, a DisVAE and its baseline."""
    folder = tmp_path_factory.mktemp("models")
    for heads in (*HEADS, "none"):
        model, card = small_levasa(heads)
        save(folder / f"{heads}.safetensors", model, card)
    model, card = small_levasa()
    save(folder / "told.safetensors", model, replace(card, training={"label_range": SEEN.tolist()}))
    runtime = small_runtime()
    save(folder / "anclaf.safetensors", runtime._model, replace(runtime.card, name="an-anclaf"))
    save(folder / "disvae.safetensors", *small_disvae())
    save(folder / "baseline.safetensors", *small_disvae(generative=False))
    return folder


def ordered(heads: Heads) -> Levasa:
    """A small LeVAsa whose heads, where they answer by classes, answer higher the farther z lies along a direction."""
    model, _ = small_levasa(heads)
    levels = torch.linspace(-1, 1, 21)
    for head in model.heads if heads == "classes" else ():
        head.weight.data = 12 * levels[:, None] * head.weight[:1] / head.weight[:1].norm() + 0.3 * head.weight
        head.bias.data = -12 * levels**2
    return model


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["edit", *map(str, arguments)])


# The walk.


@pytest.mark.parametrize("heads", HEADS)
def test_the_heads_tell_what_was_asked_for_and_nothing_else_moves(heads: Heads, latents: torch.Tensor) -> None:
    model = ordered(heads)
    targets = torch.tensor([[0.7, -0.5], [-0.8, 0.8], [0.0, 0.0], [0.3, NAN], [NAN, -0.3], [NAN, NAN]])
    moved = move(model, latents, targets)
    with torch.no_grad():
        told, before = model.affect(moved), model.affect(latents)
    expected = torch.where(targets.isnan(), before, targets)
    np.testing.assert_allclose(told, expected, atol=2e-4)
    assert torch.equal(moved[:, 2], latents[:, 2])
    assert torch.equal(moved[3, 1], latents[3, 1]) and torch.equal(moved[4, 0], latents[4, 0])
    assert torch.equal(moved[5], latents[5])


def test_a_linear_head_s_move_is_the_least_squares_one(latents: torch.Tensor) -> None:
    model, _ = small_levasa("scalar")
    targets = torch.tensor([[1.5, -2.0]]).expand(6, 2)
    moved = (move(model, latents, targets) - latents).numpy()
    with torch.no_grad():
        missing = (targets - model.affect(latents)).numpy()
    for axis in (0, 1):
        weight = model.heads[axis].weight.detach().numpy()
        for row in range(6):
            least = np.linalg.lstsq(weight, missing[row, axis : axis + 1], rcond=None)[0]
            np.testing.assert_allclose(moved[row, axis], least, atol=1e-4)


def test_a_repeated_head_moves_all_components_alike(latents: torch.Tensor) -> None:
    model, _ = small_levasa("repeat")
    moved = move(model, latents, torch.tensor([[0.5, NAN]]).expand(6, 2)) - latents
    np.testing.assert_allclose(moved[:, 0], (0.5 - latents[:, 0].mean(dim=1, keepdim=True)).expand(6, 4), atol=1e-5)


def test_the_move_of_a_head_of_classes_is_nearly_the_shortest(latents: torch.Tensor) -> None:
    model = ordered("classes")
    weight = model.heads[0].weight.detach().double().numpy()
    bias = model.heads[0].bias.detach().double().numpy()

    def told(z: np.ndarray) -> float:
        logits = weight @ z + bias
        shares = np.exp(logits - logits.max())
        return float(shares @ np.linspace(-1, 1, 21) / shares.sum())

    moved = move(model, latents, torch.tensor([[0.3, NAN]]).expand(6, 2))
    for row, z in enumerate(latents[:, 0].double().numpy()):
        reached = {"type": "eq", "fun": lambda d, z=z: told(z + d) - 0.3}
        best = minimize(lambda d: d @ d, np.full(4, 0.1), constraints=[reached], method="SLSQP")
        assert best.success
        ours = float((moved[row, 0] - latents[row, 0]).norm())
        assert np.linalg.norm(best.x) - 1e-3 <= ours <= 1.15 * np.linalg.norm(best.x) + 1e-3


def test_what_cannot_be_reached_is_approached(latents: torch.Tensor) -> None:
    model = ordered("classes")
    with torch.no_grad():
        told = model.affect(move(model, latents, torch.tensor([[1.5, NAN]]).expand(6, 2)))
        before = model.affect(latents)
    assert (told[:, 0] <= 1).all() and (told[:, 0] > before[:, 0] + 0.1).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_a_walk_shows_what_is_decoded_and_reads_it_again(channels: int) -> None:
    model, _ = small_levasa(channels=channels)
    crop = np.random.default_rng(0).integers(0, 256, (32, 32, channels), np.uint8)
    targets = np.array([[-0.5, NAN], [0.5, NAN], [0.5, 0.5]])
    walked = walk(model, crop, targets)
    with torch.no_grad():
        z = model.latents(torch.from_numpy(crop).permute(2, 0, 1)[None]).mean
        picture = (255 * model.decode(move(model, z, torch.tensor([[0.5, 0.5]])))).round()[0].permute(1, 2, 0)
        again = model.encode(torch.from_numpy(walked.pictures[2]).permute(2, 0, 1)[None])[2][0]
    assert walked.pictures.shape == (3, 32, 32, channels) and walked.pictures.dtype == np.uint8
    assert np.abs(walked.pictures[2] - picture.numpy()).max() <= 1
    np.testing.assert_allclose(walked.read[2], again, atol=1e-5)
    np.testing.assert_allclose(walked.told[:2, 0], [-0.5, 0.5], atol=1e-4)
    np.testing.assert_allclose(walked.told[:2, 1], walked.face[1], atol=1e-4)
    assert (walked.moves[:2, 1] == 0).all() and (walked.moves[:, 0] > 0).all()
    assert np.abs(walked.pictures[0].astype(int) - walked.pictures[1]).max() > 2


# The swap.


@pytest.mark.parametrize("channels", [1, 3])
def test_a_swap_is_the_decoded_fusion_of_both_codes(channels: int) -> None:
    model, _ = small_disvae(channels=channels)
    crops = np.random.default_rng(0).integers(0, 256, (5, 32, 32, channels), np.uint8)
    pictures = swap(model, crops[:3], crops[3:])
    assert pictures.shape == (3, 2, 32, 32, channels) and pictures.dtype == np.uint8
    taken = torch.from_numpy(crops).permute(0, 3, 1, 2)
    for row in range(3):
        for column in range(2):
            with torch.no_grad():
                codes = model.identity(taken[row][None]).mean, model.expression(taken[3 + column][None]).mean
                decoded = model.decode(model.fuse(*codes))[0].clamp(0, 1)
            shown = (255 * decoded).round().permute(1, 2, 0).numpy()
            assert np.abs(shown - pictures[row, column]).max() <= 1
    apart = [(0, 0), (0, 1), (1, 0)]
    assert all(np.abs(pictures[a].astype(int) - pictures[b]).max() > 2 for a, b in combinations(apart, 2))


def test_what_is_read_is_the_classifier_s_answer_to_the_picture() -> None:
    model, _ = small_disvae()
    pictures = np.random.default_rng(0).integers(0, 256, (3, 4, 32, 32, 1), np.uint8)
    reading = read(model, pictures)
    assert reading.probabilities.shape == (3, 4, 3) and reading.affect.shape == (3, 4, 2)
    with torch.no_grad():
        code = model.expression(torch.from_numpy(pictures[2, 1]).permute(2, 0, 1)[None]).mean
        logits = model.classify(code)[0].double().numpy()
    np.testing.assert_allclose(reading.probabilities[2, 1], softmax(logits), atol=1e-5)
    np.testing.assert_allclose(reading.affect[2, 1], softmax(logits) @ model.config.centres, atol=1e-5)
    assert reading.likeliest[2, 1] == logits.argmax() and len(np.unique(reading.likeliest)) > 1


# Its course.


def test_a_course_along_one_axis_keeps_the_other() -> None:
    course = plan(EditConfig("arousal", 3), SEEN, bounded=False)
    np.testing.assert_allclose(course.targets, [[NAN, -0.4], [NAN, 0.25], [NAN, 0.9]])
    assert course.columns == 3 and not course.far.any()


def test_a_grid_has_rows_of_arousal_downwards() -> None:
    course = plan(EditConfig("both", 3, (-1.0, 1.0)), SEEN, bounded=False)
    grid = course.targets.reshape(3, 3, 2)
    assert (grid[:, :, 0] == [-1, 0, 1]).all() and (grid[:, :, 1] == [[1], [0], [-1]]).all()
    assert course.far.reshape(3, 3).tolist() == [[True] * 3, [True, False, True], [True] * 3]


def test_classes_are_walked_within_their_reach() -> None:
    course = plan(EditConfig("valence", 2), np.array([[-1.0, 1.0], [-1.0, 1.0]]), bounded=True)
    assert course.targets[:, 0].tolist() == [-0.95, 0.95]
    message = (
        r"the range is -2 to 0.5, but this model's heads answer by classes, .* expected ends within -0.95 and 0.95"
    )
    with pytest.raises(UsageError, match=message):
        plan(EditConfig("valence", 2, (-2.0, 0.5)), SEEN, bounded=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 1}, "steps is 1; expected 2 to 25"),
        ({"range": (1.0, -1.0)}, "the range is 1 to -1; expected the lower end first, such as --range -1 1"),
        ({"range": (0.5, 0.5)}, "the range is 0.5 to 0.5; expected the lower end first"),
        ({"range": (NAN, 1.0)}, "an end of the range is nan; expected -3.0 to 3.0"),
        ({"range": (-9.0, 1.0)}, "an end of the range is -9.0; expected -3.0 to 3.0"),
        ({"at": -1.0}, "at \\(seconds\\) is -1.0; expected 0.0"),
    ],
)
def test_choices_out_of_range(options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        EditConfig(**options)


# The face.


def test_a_face_is_the_tracker_s_own_crop_of_the_largest(face: Path, sample_clip: Path, tmp_path: Path) -> None:
    template = Template(size=64, channels=1)
    crop = read_face(str(face), template)
    assert crop.shape == (64, 64, 1) and crop.std() > 20
    assert np.abs(crop.astype(int) - read_face(str(sample_clip), template)).mean() < 1
    image = cv2.imread(str(face))
    small = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)[:, ::-1]
    beside = np.zeros((image.shape[0], small.shape[1], 3), np.uint8)
    beside[: small.shape[0]] = small
    cv2.imwrite(str(tmp_path / "two.png"), np.hstack([beside, image]))
    cv2.imwrite(str(tmp_path / "small.png"), beside)
    of_two, of_small = (read_face(str(tmp_path / f"{name}.png"), template) for name in ("two", "small"))
    assert np.abs(crop.astype(int) - of_two).mean() < 8 < 16 < np.abs(crop.astype(int) - of_small).mean()


def test_a_later_frame_of_a_video(sample_clip: Path) -> None:
    template = Template(size=64, channels=3)
    first, later = read_face(str(sample_clip), template), read_face(str(sample_clip), template, 2.0)
    assert later.shape == (64, 64, 3) and np.abs(first.astype(int) - later).mean() > 5


def test_what_is_no_face(face: Path, sample_clip: Path, tmp_path: Path) -> None:
    template = Template()
    blank = tmp_path / "blank.png"
    cv2.imwrite(str(blank), np.full((200, 200, 3), 90, np.uint8))
    with pytest.raises(DataError, match=r"no face was found in .*blank\.png; expected one that looks about into"):
        read_face(str(blank), template)
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(SourceError, match=r"broken\.jpg holds no picture that can be read"):
        read_face(str(tmp_path / "broken.jpg"), template)
    with pytest.raises(SourceError, match=r"missing\.png does not exist"):
        read_face(str(tmp_path / "missing.png"), template)
    with pytest.raises(UsageError, match=r"holds 2 pictures; expected one picture, or a video"):
        read_face(str(tmp_path), template)
    with pytest.raises(UsageError, match=r"face\.png is a picture, which has no frame at 2 s; leave --at out"):
        read_face(str(face), template, 2.0)
    with pytest.raises(SourceError, match="9 s"):
        read_face(str(sample_clip), template, 99.0)


def test_a_time_holds_for_the_videos_among_the_faces(face: Path, sample_clip: Path) -> None:
    template = Template(size=64, channels=1)
    mixed = read_faces([str(face), str(sample_clip)], template, 2.0)
    assert mixed.shape == (2, 64, 64, 1)
    np.testing.assert_array_equal(mixed[0], read_face(str(face), template))
    np.testing.assert_array_equal(mixed[1], read_face(str(sample_clip), template, 2.0))
    with pytest.raises(UsageError, match=r"face\.png is a picture, which has no frame at 2 s; leave --at out"):
        read_faces([str(face), str(face)], template, 2.0)


# The picture.


def decoded(png: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def test_a_strip_has_its_pictures_in_their_places() -> None:
    levels = (0, 60, 120, 180)
    greys = [Cell(np.full((8, 8, 1), level, np.uint8)) for level in levels]
    image = decoded(draw_strips(greys[:1], [greys[1:], greys[1:]], "title $x^", "caption")).astype(int)
    shown = [(np.abs(image - level) <= 1).all(axis=2) for level in levels]
    columns = [np.flatnonzero(mask.sum(axis=0) > 150) for mask in shown]
    assert all(before.max() < after.min() for before, after in pairwise(columns))
    rows = [np.flatnonzero(mask[:, column[20:-20]].all(axis=1)) for mask, column in zip(shown, columns, strict=True)]
    assert [len(each) for each in rows[1:]] == [2 * len(rows[0])] * 3
    assert rows[0].tolist() == rows[1][: len(rows[0])].tolist()


def test_a_grid_has_heads_at_its_left_and_top() -> None:
    levels = [(20, 60, 100), (30, 140, 180), (40, 160, 200)]
    (_, *tops), *lines = [[Cell(np.full((8, 8, 1), level, np.uint8)) for level in row] for row in levels]
    lefts, rows = [line[0] for line in lines], [line[1:] for line in lines]
    image = decoded(draw_grid(lefts, tops, rows, "title", "caption")).astype(int)
    middles = {}
    for level in sorted({level for row in levels for level in row} - {20}):
        places = np.argwhere((np.abs(image - level) <= 1).all(axis=2))
        middles[level] = np.median(places, axis=0)
    for row in levels[1:]:
        assert np.ptp([middles[level][0] for level in row]) < 3
        assert middles[row[0]][1] < middles[row[1]][1] < middles[row[2]][1]
    for above, one, two in zip(*[row[1:] for row in levels], strict=True):
        assert np.ptp([middles[level][1] for level in (above, one, two)]) < 3
        assert middles[above][0] < middles[one][0] < middles[two][0]


def test_words_may_hold_signs_of_mathematics() -> None:
    draw_grid([Cell(np.zeros((8, 8, 1), np.uint8), "a$_{b$.png")], [], [[]], "title", "caption")


def test_what_is_beyond_the_training_stands_out() -> None:
    cell = Cell(np.zeros((8, 8, 3), np.uint8), "V +2.00")
    red = [int(FAR[i : i + 2], 16) for i in (1, 3, 5)]
    plain, far = (
        decoded(draw_strips([cell], [[replace(cell, far=beyond)]], "face", "caption")) for beyond in (False, True)
    )
    assert not (plain == red).all(axis=2).any() and (far == red).all(axis=2).any()


# The command.


def test_the_command_writes_the_strip_and_its_values(models: Path, sample_clip: Path, tmp_path: Path) -> None:
    out, values = tmp_path / "new" / "strip.png", tmp_path / "strip.json"
    model = models / "told.safetensors"
    options = ("--at", 1, "--steps", 3, "--range", -1, 0.5, "-o", out, "--json", values)
    result = run(sample_clip, "--model", model, *options)
    assert result.exit_code == 0, result.output
    assert cv2.imread(str(out)).shape[0] > 300
    told = json.loads(values.read_text())
    assert [step["asked"] for step in told["steps"]] == [{"valence": v} for v in (-1.0, -0.25, 0.5)]
    assert [step["beyond_training"] for step in told["steps"]] == [True, False, False]
    assert [step["latents_tell"]["valence"] for step in told["steps"]] == pytest.approx([-1, -0.25, 0.5], abs=1e-3)
    assert told["trained_on"] == {"valence": [-0.8, 0.8], "arousal": [-0.4, 0.9]}
    assert (told["model"]["name"], told["walk"], told["at_s"]) == ("random-levasa-scalar", "valence", 1.0)
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["picture", "asked", "latents", "tell", "encoded", "again", "moved"]
    assert lines[3].startswith("1              V −1.00*")
    assert lines[-1] == "* beyond the labels of the training: V -0.80 to 0.80, A -0.40 to 0.90"
    assert result.stderr.splitlines()[-1] == f"wrote {out} and {values}"


def test_what_ships_moves_a_smile_to_a_face_that_reads_negative(sample_clip: Path, tmp_path: Path) -> None:
    options = ("--at", 4.5, "--steps", 3, "-o", tmp_path / "strip.png", "--json", tmp_path / "strip.json")
    assert run(sample_clip, "--model", "levasa-compact", *options).exit_code == 0
    told = json.loads((tmp_path / "strip.json").read_text())
    again = [step["encoded_again"]["valence"] for step in told["steps"]]
    assert again == sorted(again) and again[0] < 0 and again[-1] > 0.4


def test_the_range_is_what_the_model_was_trained_on(models: Path, face: Path, tmp_path: Path) -> None:
    options = ("--walk", "both", "--steps", 2, "-o", tmp_path / "grid.png", "--json", tmp_path / "grid.json")
    assert run(face, "--model", models / "told.safetensors", *options).exit_code == 0
    asked = [tuple(step["asked"].values()) for step in json.loads((tmp_path / "grid.json").read_text())["steps"]]
    assert asked == [(-0.8, 0.9), (0.8, 0.9), (-0.8, -0.4), (0.8, -0.4)]


def test_the_command_puts_each_expression_on_each_identity(
    models: Path, face: Path, media: Path, sample_clip: Path, tmp_path: Path
) -> None:
    files = [str(each) for each in (face, media / "single_face.mp4", sample_clip)]
    out, values = tmp_path / "grid.png", tmp_path / "grid.json"
    result = run(*files, "--model", models / "disvae.safetensors", "--at", 2, "-o", out, "--json", values)
    assert result.exit_code == 0, result.output
    assert cv2.imread(str(out)).shape[0] > 900
    model, card = small_disvae()
    crops = read_faces(files, Template.from_card(card.crop), 2.0)
    seen, pictures = read(model, crops), swap(model, crops, crops)
    again = read(model, pictures)
    told = json.loads(values.read_text())
    assert (told["model"]["name"], told["at_s"]) == ("random-disvae", 2.0)
    assert [each["file"] for each in told["faces"]] == files
    for number, each in enumerate(told["faces"]):
        assert list(each["read"]["probabilities"].values()) == pytest.approx(seen.probabilities[number], abs=1e-5)
    assert [(each["identity"], each["expression"]) for each in told["pictures"]] == list(product(files, files))
    for number, each in enumerate(told["pictures"]):
        place, read_again = divmod(number, 3), each["encoded_again"]
        assert list(read_again["probabilities"]) == ["neutral", "anger", "happiness"]
        assert list(read_again["probabilities"].values()) == pytest.approx(again.probabilities[place], abs=1e-5)
        assert (read_again["valence"], read_again["arousal"]) == pytest.approx(tuple(again.affect[place]), abs=1e-5)
        kept = again.likeliest[place] == seen.likeliest[place[1]]
        assert each["expression_kept"] == kept
        assert read_again["expression"] == model.config.classes[again.likeliest[place]]
    others = [each for each in told["pictures"] if each["identity"] != each["expression"]]
    kept = sum(each["expression_kept"] for each in others)
    words = [each["read"]["expression"] for each in told["faces"]]
    alike = sum(words[a] == words[b] for a, b in permutations(range(3), 2))
    assert told["swapped"] == {"pictures": 6, "kept": kept, "alike": alike}
    lines = result.stdout.splitlines()
    assert lines[0].split("  ")[0] == "identity" and len(lines) == 11
    assert lines[-1].startswith(f"{kept} of 6 pictures with another's expression show what is read in that face; the ")
    assert lines[-1].endswith(f"own faces would in {alike}")


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("disvae", (), "a model of kind 'disvae' needs two faces or more: expression of B on the identity of A"),
        (
            "disvae",
            ("--walk", "valence"),
            "--walk would change nothing: a model of kind 'disvae' heeds --at alone",
        ),
        ("disvae", ("--steps", 7, "--range", -1, 1), "--steps, --range would change nothing: a model of kind 'disvae'"),
        ("baseline", (), "needs two faces or more"),
    ],
)
def test_what_a_swap_has_no_use_for(
    models: Path, face: Path, tmp_path: Path, model: str, options: tuple, message: str
) -> None:
    result = run(face, "--model", models / f"{model}.safetensors", *options, "-o", tmp_path / "a.png")
    assert result.exit_code == 2 and message in result.stderr and len(result.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_baseline_and_a_crowd_are_refused(models: Path, face: Path, tmp_path: Path) -> None:
    outputs = ("-o", tmp_path / "a.png", "--json", tmp_path / "a.json")
    result = run(face, face, "--model", models / "baseline.safetensors", *outputs)
    assert result.exit_code == 1
    assert "random-disvae is the CNN baseline, an encoder and a classifier: it has no decoder" in result.stderr
    result = run(*[face] * 26, "--model", models / "disvae.safetensors", *outputs)
    assert result.exit_code == 2 and "the number of faces is 26; expected 2 to 25" in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("model", "code", "message"),
    [
        ("none", 1, "random-levasa-none (of kind 'levasa') has no heads of valence and arousal, so it tells neither"),
        (
            "anclaf",
            1,
            "an-anclaf is a model of kind 'anclaf', which makes no faces; expected one of kind disvae, l",
        ),
        ("missing", 1, "missing.safetensors'; expected a name"),
    ],
)
def test_models_that_cannot_edit(models: Path, face: Path, tmp_path: Path, model: str, code: int, message: str) -> None:
    result = run(face, "--model", models / f"{model}.safetensors", "-o", tmp_path / "a.png")
    assert result.exit_code == code and message in result.stderr and len(result.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_wrong_usage(models: Path, face: Path, tmp_path: Path) -> None:
    model = ("--model", models / "scalar.safetensors")
    for arguments, message in [
        ((face, face, *model, "-o", tmp_path / "a.png"), "changes one face; expected one file, got 2"),
        ((face, *model, "-o", tmp_path / "a.jpg"), "a.jpg; expected a name that ends in .png"),
        ((face, *model, "-o", face), "would overwrite a face or the other output"),
        ((face, *model, "-o", tmp_path / "a.png", "--json", tmp_path / "a.png"), "would overwrite a face or the other"),
        ((face, *model, "--steps", 1), "steps is 1; expected 2 to 25"),
        ((face, "-o", tmp_path / "a.png"), "Missing option '--model'"),
    ]:
        result = run(*arguments)
        assert result.exit_code == 2 and message in result.stderr
    assert not list(tmp_path.iterdir())


def test_nothing_is_left_of_an_output_that_was_not_completed(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"cannot write .*: .* is not a folder"):
        (tmp_path / "file").write_text("")
        with complete(tmp_path / "file" / "a.png"):
            pass
    (tmp_path / "a.png").write_text("before")
    with pytest.raises(KeyError), complete(tmp_path / "a.png") as file:
        file.write(b"half")
        raise KeyError
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "file"]
    assert (tmp_path / "a.png").read_text() == "before"
