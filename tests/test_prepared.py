"""The format of a prepared data set: what is written is read, and what is damaged is told."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tracker.errors import DataError, SinkError
from tracker.faces.align import Template
from train.prepared import COLUMNS, LabelScale, Names, Prepared, create_crops, open_prepared, write_prepared

TEMPLATE = Template(size=16, channels=3, margin=2)
SCALE = LabelScale(1.0, 9.0, 5.0)


def made(folder: Path) -> Prepared:
    """Five frames: a clip of three, one of two; the third is not annotated, the last not found."""
    crops = create_crops(folder, TEMPLATE, 5)
    crops[:] = np.arange(5, dtype=np.uint8)[:, None, None, None]
    crops.flush()
    labels = np.array([(1, 9), (5, 5), (np.nan, np.nan), (3, 7), (9, 1)])
    columns = {
        "affect": SCALE.to_affect(labels),
        "found": np.array([1, 1, 1, 1, 0], bool),
        "clip": np.array([0, 0, 0, 1, 1]),
        "time": np.array([0.0, 0.04, 0.08, 0.0, 0.04]),
        "subject": np.array([0, 0, 0, 0, 0]),
        "split": np.array([0, 0, 0, 2, 2], np.uint8),
        "landmarks": np.full((5, 468, 2), 0.5, np.float16),
    }
    return write_prepared(folder, "made", TEMPLATE, SCALE, columns, Names(("a", "ü"), ("someone",)))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    data = made(tmp_path / "deep" / "set")
    assert (data.name, data.template, data.scale) == ("made", TEMPLATE, SCALE)
    assert (data.clips, data.subjects) == (("a", "ü"), ("someone",))
    assert data.crops.shape == (5, 20, 20, 3) and data.crops[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4]
    assert not data.crops.flags.writeable
    assert_allclose(data.affect[[0, 1, 3, 4]], [(-1, 1), (0, 0), (-0.5, 0.5), (1, -1)])
    assert data.usable.tolist() == [True, True, False, True, False]
    assert [rows.tolist() for rows in data.rows_of_clips()] == [[0, 1, 2], [3, 4]]
    assert set(data.extra) == {"split", "landmarks"}
    assert data.extra["landmarks"].dtype == np.float16 and data.extra["split"].dtype == np.uint8
    kinds = [data.affect.dtype, data.found.dtype, data.clip.dtype, data.time.dtype, data.subject.dtype]
    assert kinds == [np.float32, np.bool_, np.int32, np.float64, np.int32]


def test_classes_are_kept_and_a_set_of_before_has_none(tmp_path: Path) -> None:
    data = made(tmp_path)
    assert data.classes == ()
    columns = {key: getattr(data, key) for key in COLUMNS} | {"expression": np.array([0, 1, 255, 1, 0], np.uint8)}
    named = Names(data.clips, data.subjects, ("neutral", "joie"))
    again = write_prepared(tmp_path, "made", TEMPLATE, SCALE, columns, named)
    assert again.classes == ("neutral", "joie") and again.extra["expression"].tolist() == [0, 1, 255, 1, 0]
    facts = json.loads((tmp_path / "set.json").read_text())
    del facts["classes"]
    (tmp_path / "set.json").write_text(json.dumps(facts))
    assert open_prepared(tmp_path).classes == ()


def test_a_scale_tells_its_own_unit() -> None:
    assert SCALE.half_range == 4 and SCALE.affect_threshold == 0
    assert LabelScale(0.0, 1.0, 0.75).affect_threshold == 0.5
    assert_allclose(LabelScale(-10, 10).to_affect(np.array([-10, 0, 5])), [-1, 0, 0.5])
    assert np.isnan(SCALE.to_affect(np.array(np.nan)))


def test_crops_of_the_same_shape_are_kept(tmp_path: Path) -> None:
    create_crops(tmp_path, TEMPLATE, 3)[1] = 7
    assert create_crops(tmp_path, TEMPLATE, 3)[:, 0, 0, 0].tolist() == [0, 7, 0]
    assert create_crops(tmp_path, TEMPLATE, 4).shape[0] == 4


def test_a_folder_without_set_json_is_not_complete(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / "set.json").unlink()
    with pytest.raises(DataError, match=r"is not a prepared data set \(no set.json\); make it with: affect prepare"):
        open_prepared(tmp_path)
    with pytest.raises(DataError, match="is not a prepared data set"):
        open_prepared(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["crops.npy", "affect.npy", "split.npy"])
def test_a_missing_column_is_named(tmp_path: Path, name: str) -> None:
    made(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(DataError, match=f"no {name}"):
        open_prepared(tmp_path)


@pytest.mark.parametrize("name", ["set.json", "crops.npy", "affect.npy"])
def test_a_damaged_file_is_told(tmp_path: Path, name: str) -> None:
    made(tmp_path)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataError, match=r"is a damaged prepared data set .*make it again with affect prepare"):
        open_prepared(tmp_path)


def test_a_column_of_another_length_is_told(tmp_path: Path) -> None:
    made(tmp_path)
    np.save(tmp_path / "time.npy", np.zeros(4))
    with pytest.raises(DataError, match=r"its columns have \[4, 5\] rows"):
        open_prepared(tmp_path)


def test_a_set_without_a_column_that_all_have_is_damaged(tmp_path: Path) -> None:
    made(tmp_path)
    facts = json.loads((tmp_path / "set.json").read_text())
    facts["columns"].remove("subject")
    (tmp_path / "set.json").write_text(json.dumps(facts))
    with pytest.raises(DataError, match=r"damaged prepared data set .*subject"):
        open_prepared(tmp_path)


def test_crops_where_none_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match=r"cannot be written: .*choose another folder with --out"):
        create_crops(tmp_path / "file" / "set", TEMPLATE, 1)
