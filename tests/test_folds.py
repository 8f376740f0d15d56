"""Folds by subject, their file, and a set's own split."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from sequence_sets import columns_of, write_set

from tracker.errors import DataError, UsageError
from train.command import rows_of
from train.folds import VALIDATION_SHARE, Folds, make_folds, split_rows, write_folds
from train.prepared import Prepared

SIZES = [40, 3, 25, 60, 8, 12, 31, 5, 18, 22, 9, 14, 50, 2, 27]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Fifteen faces with 2 to 60 frames, each in one clip."""
    clip = np.repeat(np.arange(len(SIZES)), SIZES)
    columns = {
        "affect": np.zeros((len(clip), 2), np.float32),
        "found": np.ones(len(clip), bool),
        "clip": clip,
        "time": np.concatenate([np.arange(n) / 25 for n in SIZES]),
        "subject": clip,
    }
    return write_set(tmp_path_factory.mktemp("folds"), columns)


def test_every_subject_is_in_one_fold_and_the_folds_are_of_a_size(data: Prepared) -> None:
    folds = make_folds(data, 5)
    assert sorted(name for fold in folds.folds for name in fold) == sorted(data.subjects)
    sizes = [sum(SIZES[int(name[4:])] for name in fold) for fold in folds.folds]
    assert sum(sizes) == sum(SIZES)
    assert max(sizes) - min(sizes) <= 5, "326 frames in fifths"


def test_folds_are_drawn_by_their_seed(tmp_path: Path) -> None:
    data = write_set(tmp_path, columns_of(["still"] * 12, list(range(12)), length=4))
    assert make_folds(data, 3, seed=0) == make_folds(data, 3, seed=0)
    assert make_folds(data, 3, seed=0).folds != make_folds(data, 3, seed=1).folds
    assert {len(fold) for fold in make_folds(data, 3, seed=1).folds} == {4}


@pytest.mark.parametrize("fold", range(5))
def test_the_parts_of_a_fold_share_no_subject(data: Prepared, fold: int) -> None:
    folds = make_folds(data, 5)
    rows = folds.rows(data, fold)
    subjects = {name: {data.subjects[i] for i in data.subject[mask]} for name, mask in rows.items()}
    assert subjects["test"] == set(folds.folds[fold])
    assert not subjects["train"] & subjects["validation"] and not subjects["test"] & subjects["train"]
    assert not subjects["test"] & subjects["validation"] and subjects["validation"]
    np.testing.assert_array_equal(sum(mask.astype(int) for mask in rows.values()), 1)
    share = rows["validation"].sum() / (~rows["test"]).sum()
    assert 0 < share <= VALIDATION_SHARE


def test_validation_is_the_smallest_subject_where_all_are_large(tmp_path: Path) -> None:
    data = write_set(tmp_path, columns_of(["still"] * 4, [0, 1, 2, 2], length=4))
    rows = Folds("drawn", (("face0",), ("face1", "face2"))).rows(data, 0)
    assert set(data.subject[rows["validation"]]) == {1} and set(data.subject[rows["train"]]) == {2}


def test_a_file_of_folds_comes_back(data: Prepared, tmp_path: Path) -> None:
    folds = make_folds(data, 4, seed=2)
    folds.save(tmp_path / "f.json")
    assert Folds.load(tmp_path / "f.json") == folds
    assert json.loads((tmp_path / "f.json").read_text())["name"] == "drawn"
    assert [path.name for path in tmp_path.iterdir()] == ["f.json"]


def test_a_subject_in_two_folds_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"subject 'b' stands in folds 0, 2; expected each subject in one fold alone"):
        Folds("x", (("a", "b"), ("c",), ("b",)))
    (tmp_path / "f.json").write_text('{"name": "x", "seed": 0, "folds": [["a"], ["a", "b"]]}')
    with pytest.raises(DataError, match=r"subject 'a' stands in folds 0, 1"):
        Folds.load(tmp_path / "f.json")


@pytest.mark.parametrize("folds", [(), (("a",),), (("a",), ())])
def test_one_fold_or_an_empty_one_is_an_error(folds: tuple) -> None:
    with pytest.raises(DataError, match="expected two or more, each with subjects"):
        Folds("x", folds)


def test_folds_of_another_set_are_an_error(data: Prepared) -> None:
    known = make_folds(data, 3).folds
    with pytest.raises(DataError, match="has no frame of subject 'stranger' of the folds of drawn; make new folds"):
        Folds("drawn", (*known, ("stranger",))).rows(data, 0)
    with pytest.raises(DataError, match=r"subject '.*' of .* is in none of the folds of drawn"):
        Folds("drawn", known[1:]).rows(data, 0)


def test_what_cannot_be_parted_is_said(data: Prepared, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="got 1; expected 2 or more"):
        make_folds(data, 1)
    with pytest.raises(DataError, match="has 15 subjects; expected at least one for each of 16 folds"):
        make_folds(data, 16)
    with pytest.raises(UsageError, match="fold is 5; expected 0 to 4"):
        make_folds(data, 5).rows(data, 5)
    two = write_set(tmp_path, columns_of(["still"] * 2, [0, 1], length=4))
    make_folds(two, 2).save(tmp_path / "f.json")
    with pytest.raises(DataError, match="training folds have 1 subject; expected two or more"):
        rows_of(two.folder, tmp_path / "f.json", 0)
    one = write_set(tmp_path / "one", columns_of(["still"] * 2, [0, 0], length=4))
    with pytest.raises(DataError, match=r"has one subject, .* nothing to part; .* eval sequences .* --split all"):
        make_folds(one, 2)


def test_two_subjects_are_parted_without_validation(tmp_path: Path) -> None:
    data = write_set(tmp_path, columns_of(["still"] * 2, [0, 1], length=4))
    rows = make_folds(data, 2).rows(data, 0)
    assert [int(rows[name].sum()) for name in ("train", "validation", "test")] == [4, 0, 4]


@pytest.mark.parametrize("text", ["", "[]", '{"name": "x"}', '{"name": "x", "seed": 0, "folds": 3}'])
def test_a_file_without_folds_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text(text)
    with pytest.raises(DataError, match=r"f\.json is not a file of folds .* make one with: affect eval folds"):
        Folds.load(tmp_path / "f.json")


def test_a_sets_own_split(tmp_path: Path) -> None:
    columns = columns_of(["still"] * 3, [0, 1, 2], length=4)
    with pytest.raises(DataError, match="has no split of its own; make folds with: affect eval folds"):
        split_rows(write_set(tmp_path / "a", columns))
    columns["split"] = np.repeat([0, 2, 1], 4).astype(np.uint8)
    rows = split_rows(write_set(tmp_path / "b", columns))
    assert [np.flatnonzero(rows[name])[0] for name in ("train", "test", "validation")] == [0, 4, 8]
    columns["subject"] = np.repeat([0, 1, 0], 4)
    with pytest.raises(DataError, match=r"subject 'face0' of .* is in both train and validation"):
        split_rows(write_set(tmp_path / "c", columns))


def test_the_command_writes_folds(data: Prepared, tmp_path: Path) -> None:
    out = tmp_path / "folds.json"
    result = CliRunner().invoke(write_folds, [str(data.folder), "--out", str(out), "--count", "3"])
    assert result.exit_code == 0, result.output
    assert Folds.load(out) == make_folds(data, 3)
    assert result.output.splitlines()[0].startswith("fold 0") and "frames" in result.output
