import errno
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from face_sets import COUNT, make_ferplus, sample_faces
from numpy.testing import assert_allclose, assert_array_equal

from tracker.errors import DataError, SinkError, UsageError
from train.clips import sequences
from train.clips.morph import Face
from train.clips.pool import Pool, cast
from train.clips.scripts import Script, affect_along, write_script
from train.clips.sequences import KINDS, SequenceConfig, clips_of, make_sequences, prepare_sequences, summary
from train.datasets import ferplus
from train.prepared import SPLITS, Prepared, open_prepared

SMALL = SequenceConfig(
    clips={"train": 9, "validation": 2, "test": 3},
    steps={"train": 1, "validation": 0, "test": 1},
    distance={"morph": 0.1, "lively": 0.2, "step": 0.3},
    rates_hz=(10, 25),
    max_frames=30,
    occluded=1.0,
    interrupted=1.0,
    levels=3,
)


@pytest.fixture(scope="module")
def faces(sample_clip: Path) -> list[Face]:
    return sample_faces(sample_clip, every=6)


@pytest.fixture(scope="module")
def root(faces: list[Face], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_ferplus(tmp_path_factory.mktemp("ferplus"), faces).folder


@pytest.fixture(scope="module")
def made(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return make_sequences(root, tmp_path_factory.mktemp("sequences"), SMALL, 1)


@pytest.fixture(scope="module")
def pool(root: Path) -> Pool:
    return Pool.of(open_prepared(root), "train", 3, 0.4)


@pytest.fixture(scope="module")
def scripts(pool: Pool) -> list[Script]:
    rng, config = np.random.default_rng(4), replace(SequenceConfig(), distance=SMALL.distance)
    return [write_script(rng, pool, ("still", "morph", "lively")[i % 3], config, 64) for i in range(240)]


def files_of(data: Prepared) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(data.folder.iterdir())}


def test_the_set_has_the_format_that_all_share(made: Prepared) -> None:
    assert (made.template.size, made.template.margin, made.template.channels) == (64, 0, 1)
    assert made.crops.shape == (len(made.time), 64, 64, 1)
    assert made.extra["kind"].dtype == made.extra["split"].dtype == np.uint8
    assert made.extra["covered"].dtype == np.bool_
    assert len(made.clips) == len(set(made.clips)) == 16
    assert np.isfinite(made.affect).all() and np.abs(made.affect).max() <= 1
    for rows in made.rows_of_clips():
        assert 15 <= len(rows) <= 30 or made.extra["kind"][rows[0]] == KINDS["step"]
        assert made.time[rows[0]] == 0 and (np.diff(made.time[rows]) > 0).all()
        assert (
            len(set(made.extra["split"][rows]))
            == len(set(made.subject[rows]))
            == len(set(made.extra["kind"][rows]))
            == 1
        )
    assert_array_equal(made.found, made.crops.any(axis=(1, 2, 3)))
    assert 0 < (~made.found).sum() < 0.3 * len(made.found)
    assert 0 < made.extra["covered"].sum() < 0.6 * len(made.found)


def test_no_face_is_in_two_splits(made: Prepared) -> None:
    seen: dict[str, set[str]] = {split: set() for split in SPLITS}
    for split, value in SPLITS.items():
        for subject in np.unique(made.subject[made.extra["split"] == value]):
            seen[split] |= set(made.subjects[subject].split("+"))
    for split, value in SPLITS.items():
        own = {f"fer{i:07d}" for i in range(COUNT) if i * 3 // COUNT == value}
        assert seen[split] and seen[split] <= own - {"fer0000005"}, "the fifth face was not found"


def test_still_clips_hold_their_face_s_truth(made: Prepared, root: Path) -> None:
    data = open_prepared(root)
    rows = next(r for r in made.rows_of_clips() if made.extra["kind"][r[0]] == KINDS["still"] and r[0] > 0)
    face = data.subjects.index(made.subjects[made.subject[rows[0]]])
    shares = data.extra["emotions"][face].astype(float)
    assert_allclose(made.affect[rows], np.tile(shares @ ferplus.CENTRES, (len(rows), 1)), atol=1e-6)


def test_a_face_s_own_label_can_share_in_its_truth(root: Path) -> None:
    data = open_prepared(root)
    pool = Pool.of(data, "train", 3, 0.4)
    own = np.eye(8)[data.extra["label"][pool.rows]]
    assert_allclose(pool.affect, (0.6 * data.extra["emotions"][pool.rows] + 0.4 * own) @ ferplus.CENTRES, atol=1e-6)


def test_truth_outside_of_training_is_the_votes_alone(root: Path) -> None:
    data = open_prepared(root)
    pool = Pool.of(data, "test", 5, 0.0)
    assert_allclose(pool.affect, data.affect[pool.rows], atol=1e-6)


def test_a_step_is_clean_and_at_once(made: Prepared, root: Path) -> None:
    data = open_prepared(root)
    steps = [r for r in made.rows_of_clips() if made.extra["kind"][r[0]] == KINDS["step"]]
    assert len(steps) == 2
    for rows in steps:
        assert_allclose(made.time[rows], np.arange(90) / 30)
        crops, names = made.crops[rows], made.subjects[made.subject[rows[0]]].split("+")
        assert made.found[rows].all() and not made.extra["covered"][rows].any()
        first = data.crops[data.subjects.index(names[0]), 8:72, 8:72]
        assert_array_equal(crops[:45], np.tile(first, (45, 1, 1, 1)))
        assert_array_equal(crops[45:], np.tile(crops[45], (45, 1, 1, 1)))
        assert np.abs(crops[45].astype(int) - crops[44]).mean() > 1
        jumps = np.abs(np.diff(made.affect[rows], axis=0)).sum(axis=1)
        assert jumps[44] >= 0.3 - 1e-6 and np.delete(jumps, 44).max() == 0


def test_the_same_bytes_from_any_number_of_processes(made: Prepared, root: Path, tmp_path: Path) -> None:
    assert files_of(make_sequences(root, tmp_path / "two", SMALL, 2)) == files_of(made)


def test_a_stopped_run_goes_on(made: Prepared, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film, filmed = sequences.film, []

    def stopping(script: Script, *rest: Any) -> np.ndarray:
        if len(filmed) == 5:
            raise KeyboardInterrupt
        filmed.append(script)
        return film(script, *rest)

    monkeypatch.setattr(sequences, "film", stopping)
    with pytest.raises(KeyboardInterrupt):
        make_sequences(root, tmp_path, SMALL, 1)
    with pytest.raises(DataError, match="not a prepared data set"):
        open_prepared(tmp_path)
    filmed[:] = [None] * 6
    again = make_sequences(root, tmp_path, SMALL, 1)
    assert len(filmed) - 6 == 16 - 5
    assert files_of(again) == files_of(made)
    make_sequences(root, tmp_path, SMALL, 1)
    assert len(filmed) - 6 == 16 - 5, "a whole set is not made again"


def test_another_configuration_needs_another_folder(made: Prepared, root: Path, tmp_path: Path) -> None:
    few = replace(SMALL, clips={"train": 2, "validation": 0, "test": 0}, steps=dict.fromkeys(SPLITS, 0))
    first = np.array(make_sequences(root, tmp_path, few, 1).crops)
    again = np.array(make_sequences(root, tmp_path, few, 1).crops)
    assert_array_equal(first, again)
    with pytest.raises(UsageError, match="holds another preparation: its configuration differ; choose another folder"):
        make_sequences(root, tmp_path, replace(few, seed=8), 1)
    other = make_sequences(root, tmp_path / "other", replace(few, seed=8), 1)
    assert first.shape != other.crops.shape or (first != other.crops).any()
    assert_array_equal(first, made.crops[: len(first)])


def test_a_full_disk_is_told(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Path.open

    def full(self: Path, mode: str = "r", *rest: Any, **more: Any) -> Any:
        if mode == "r+b":
            raise OSError(errno.ENOSPC, "No space left on device")
        return opened(self, mode, *rest, **more)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(SinkError, match=r"cannot be written: No space left on device; free space and run .* again"):
        make_sequences(root, tmp_path / "full", SMALL, 1)


def test_another_set_is_not_overwritten(root: Path) -> None:
    before = files_of(open_prepared(root))
    with pytest.raises(UsageError, match="holds other files; choose a new or empty folder"):
        make_sequences(root, root, SMALL, 1)
    assert files_of(open_prepared(root)) == before


def test_a_file_in_place_of_the_folder_is_told(root: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(SinkError, match="out cannot be written"):
        make_sequences(root, tmp_path / "out", SMALL, 1)


def test_a_set_without_landmarks_is_told(faces: list[Face], tmp_path: Path) -> None:
    data = make_ferplus(tmp_path / "bare", faces, without=("landmarks", "label"))
    with pytest.raises(DataError, match=r"no column label, landmarks; .* affect prepare ferplus"):
        make_sequences(data.folder, tmp_path / "out", SMALL, 1)


def test_too_few_faces_are_told(root: Path) -> None:
    config = replace(SMALL, least_votes={**SMALL.least_votes, "test": 11})
    with pytest.raises(DataError, match="0 usable faces in its split test, not of two emotions"):
        make_sequences(root, root / "never", config, 1)
    assert not (root / "never").exists()


def test_faces_that_are_too_alike_are_told(pool: Pool) -> None:
    with pytest.raises(DataError, match=r"no two of 11 faces lie 3 apart in affect; lower `distance`"):
        pool.choose(np.random.default_rng(0), 2, 3)


def test_chosen_faces_differ_and_are_far_apart(pool: Pool) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        chosen = pool.choose(rng, 3, 0.3)
        assert len(set(chosen)) == 3
        assert (np.abs(np.diff(pool.affect[chosen], axis=0)).sum(axis=1) >= 0.3).all()
        assert (np.diff(pool.emotion[chosen]) != 0).all()


def test_a_cast_is_lit_alike(root: Path) -> None:
    a, b = cast((1, 9), open_prepared(root))
    inner = slice(8, 72)
    assert b.image[inner, inner].mean() == pytest.approx(a.image[inner, inner].mean(), abs=4)
    assert b.image[inner, inner].std() == pytest.approx(a.image[inner, inner].std(), rel=0.1)


def test_targets_lie_on_the_way_between_the_faces(scripts: list[Script], pool: Pool) -> None:
    for script in scripts:
        ends = pool.affect[[int(np.flatnonzero(pool.rows == row)[0]) for row in script.faces]]
        assert script.way.min() >= 0 and script.way.max() <= max(len(ends) - 1, 0)
        low, share = np.minimum(script.way.astype(int), len(ends) - 2), script.way
        expected = ends[low] + (share - low)[:, None] * (ends[low + 1] - ends[low]) if len(ends) > 1 else ends
        assert_allclose(script.affect, np.broadcast_to(expected, script.affect.shape), atol=1e-6)


def test_kinds_move_as_they_should(scripts: list[Script]) -> None:
    paths = {kind: [np.ptp(s.affect, axis=0).max() for s in scripts if s.kind == kind] for kind in KINDS}
    assert max(paths["still"]) == 0
    assert 0.02 < np.mean(paths["morph"]) < 0.2 < np.mean(paths["lively"])
    assert {len(s.faces) for s in scripts if s.kind == "lively"} == {2, 3}


def test_clips_have_the_asked_rates_lengths_and_gaps(scripts: list[Script]) -> None:
    config = SequenceConfig()
    rates = [1 / np.median(np.diff(s.time)) for s in scripts]
    nearest = np.array([min(config.rates_hz, key=lambda r: abs(r - rate)) for rate in rates])
    assert set(nearest) == set(config.rates_hz)
    assert_allclose(rates, nearest, rtol=0.05)
    assert max(len(s.time) for s in scripts) == 96 and min(len(s.time) for s in scripts) >= 15
    assert all(s.time[-1] < 4 and (s.time[-1] > 1.3) for s in scripts)
    unsteady = np.mean([np.diff(s.time).std() > 1e-6 for s in scripts])
    assert unsteady == pytest.approx(0.3, abs=0.1)
    assert np.mean([not s.found.all() for s in scripts]) == pytest.approx(0.3, abs=0.1)
    assert all(s.found[0] for s in scripts)


def test_blinks_are_short_and_come_at_times(scripts: list[Script]) -> None:
    seconds = sum(s.time[-1] for s in scripts)
    starts = sum(int((np.diff((s.closure > 0).astype(int)) > 0).sum()) for s in scripts)
    assert 0.12 < starts / seconds < 0.4, "blinks a second"
    closed = np.concatenate([s.closure > 0 for s in scripts]).mean()
    assert 0.01 < closed < 0.1


def test_affect_along_three_faces() -> None:
    affect = np.array([(0.0, 0.0), (1.0, -1.0), (0.0, 1.0)])
    found = affect_along(affect, np.array([0, 0.25, 1, 1.5, 2]))
    assert_allclose(found, [(0, 0), (0.25, -0.25), (1, -1), (0.5, 0), (0, 1)])


def test_the_shipped_configuration_is_the_default() -> None:
    assert SequenceConfig.read("sequences") == SequenceConfig()
    clips = clips_of(SequenceConfig())
    assert len(clips) == len({clip.name for clip in clips}) == 3080
    shares = [np.mean([clip.kind == kind for clip in clips if clip.split == "train"]) for kind in KINDS]
    assert_allclose(shares, np.array([0.3, 0.3, 0.4, 0]) * 2400 / 2460 + (0, 0, 0, 60 / 2460), atol=0.04)


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "is not a configuration of sequences"), ('{"frames": 3}', "is not a configuration of sequences")],
)
def test_a_wrong_configuration_is_told(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "wrong.json").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        SequenceConfig.read(str(tmp_path / "wrong.json"))
    with pytest.raises(UsageError, match="no configuration 'none'"):
        SequenceConfig.read("none")


def test_the_command_makes_and_tells(root: Path, tmp_path: Path, made: Prepared) -> None:
    (tmp_path / "small.json").write_text(json.dumps(SMALL.card()), encoding="utf-8")
    out = tmp_path / "out"
    line = ["--root", root, "--out", out, "--config", tmp_path / "small.json", "--clips", "4", "--workers", "1"]
    result = CliRunner().invoke(prepare_sequences, [str(part) for part in line], catch_exceptions=False)
    assert result.exit_code == 0 and f"wrote {out}" in result.output
    data = open_prepared(out)
    assert len(np.unique(data.clip[data.extra["split"] == SPLITS["train"]])) == 5, "four and a step"
    assert summary(data) in result.output
    first = data.rows_of_clips()[0]
    assert_array_equal(data.crops[first], made.crops[first])
