"""The readers of data sets of pictures, on tiny copies of their layouts: AffectNet, FER+ and any table."""

from pathlib import Path

import numpy as np
import pytest
from layouts import draw, write
from numpy.testing import assert_allclose, assert_array_equal

from tracker.errors import DataError, UsageError
from train.datasets import DATA_SETS, affectnet, ferplus, ferplus_set, module_of, table
from train.datasets.expressions import NONE
from train.datasets.parts import BLOCK, still_parts
from train.datasets.shots import VideoFrames
from train.prepared import LabelScale

HEADER = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"


def test_every_data_set_has_a_reader() -> None:
    for name in DATA_SETS:
        module = module_of(name)
        assert callable(module.read) and isinstance(module.SCALE, LabelScale) and isinstance(module.EXPECTED, str)
    with pytest.raises(UsageError, match="there is no data set imagenet; there are afew-va, sewa"):
        module_of("imagenet")


def test_stills_come_in_blocks(tmp_path: Path) -> None:
    names = [f"{i}.png" for i in range(BLOCK + 3)]
    labels = np.arange(2.0 * len(names)).reshape(-1, 2)
    first, second = still_parts([tmp_path / name for name in names], labels, names)
    assert (len(first.pictures), len(second.pictures)) == (BLOCK, 3)
    assert second.alone and second.subjects == tuple(names[BLOCK:])
    assert_array_equal(second.labels, labels[BLOCK:])


def affectnet_tables(root: Path) -> None:
    """Both tables of the CSV release, and most of their pictures."""
    rows = ["1/a.jpg,10,20,30,40,1;2,1,0.8,0.1", "1/b.jpg,0,0,9,9,1;2,9,-2,-2", "2/c.jpg,0,0,9,9,1;2,7,-2,-2"]
    write(root / "Manually_Annotated_file_lists" / "training.csv", HEADER, *rows)
    write(root / "Manually_Annotated_file_lists" / "validation.csv", HEADER, "2/d.jpg,0,0,9,9,1;2,0,0,0")
    for name in ("1/a.jpg", "2/d.jpg"):
        draw(root / "Manually_Annotated_Images" / name)


def test_affectnet_by_its_tables(tmp_path: Path) -> None:
    affectnet_tables(tmp_path)
    listing = affectnet.read(tmp_path)
    assert listing.counts == {"left out: no emotion (expressions 8 to 10)": 1}
    (part,) = listing.parts
    assert part.clips == ("1/a.jpg", "2/c.jpg", "2/d.jpg") and part.still
    assert_array_equal(part.labels, [(0.8, 0.1), (np.nan, np.nan), (0, 0)])
    assert_array_equal(part.boxes[0], (10, 20, 40, 60))
    assert_array_equal(part.split, [0, 0, 1])
    assert_array_equal(part.extra["expression"], [1, 7, 0])
    assert [shot.fault for shot in part.pictures] == ["", "missing", ""]
    assert [listing.classes[i] for i in part.extra["expression"]] == ["happiness", "contempt", "neutral"]


def affectnet_arrays(root: Path, folder: str, key: int, expression: int, valence: str, arousal: str) -> None:
    """One picture of the .npy release, whose numbers are text."""
    draw(root / folder / "images" / f"{key}.jpg")
    (root / folder / "annotations").mkdir(exist_ok=True)
    for kind, value in (("exp", str(expression)), ("val", valence), ("aro", arousal)):
        np.save(root / folder / "annotations" / f"{key}_{kind}.npy", np.array(value))


def test_affectnet_by_its_arrays(tmp_path: Path) -> None:
    affectnet_arrays(tmp_path, "train_set", 10, 2, "-0.5", "0.25")
    affectnet_arrays(tmp_path, "train_set", 2, 3, "0.5", "-2")
    affectnet_arrays(tmp_path, "val_set", 0, 8, "0", "0")
    affectnet_arrays(tmp_path, "val_set", 5, 0, "0", "1")
    listing = affectnet.read(tmp_path)
    assert list(listing.counts.values()) == [1]
    (part,) = listing.parts
    assert part.clips == ("train_set/2", "train_set/10", "val_set/5")
    assert_array_equal(part.labels, [(np.nan, np.nan), (-0.5, 0.25), (0, 1)])
    assert_array_equal(part.split, [0, 0, 1])
    (tmp_path / "val_set" / "annotations" / "5_aro.npy").unlink()
    with pytest.raises(DataError, match=r"5_aro.npy: no such file; expected _val, _aro and _exp"):
        affectnet.read(tmp_path)


def test_affectnet_names_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no annotation of AffectNet; expected training.csv"):
        affectnet.read(tmp_path)
    write(tmp_path / "training.csv", "subDirectory_filePath,valence", "a,0")
    with pytest.raises(DataError, match=r"training.csv: no column expression, arousal in its first row"):
        affectnet.read(tmp_path)
    write(tmp_path / "training.csv", HEADER, "1/a.jpg,0,0,9,9,,1,0,0", "1/b.jpg,0,0,9,9,,1,0,-1.01")
    with pytest.raises(DataError, match="none of the 2 annotated files is there"):
        affectnet.read(tmp_path)
    draw(tmp_path / "1" / "b.jpg")
    with pytest.raises(DataError, match=r"training.csv, row 3: arousal is -1.01; expected -1 to 1"):
        affectnet.read(tmp_path)


VOTES = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"


def ferplus_folder(root: Path) -> Path:
    """FER+'s CSV with a row of each split and one without a picture."""
    rows = [
        "Training,fer0000000.png,4,6,0,0,0,0,0,0,0,0",
        "Training,,0,0,0,0,0,0,0,0,0,10",
        "PublicTest,fer0028638.png,0,0,0,0,0,0,0,0,10,0",
        "PrivateTest,fer0032220.png,0,0,0,0,0,0,8,0,2,0",
    ]
    write(root / "fer2013new.csv", VOTES, *rows)
    draw(root / "FER2013Train" / "fer0000000.png")
    draw(root / "data" / "FER2013Valid" / "fer0028638.png")
    return root


def test_ferplus_by_its_table(tmp_path: Path) -> None:
    listing = ferplus_set.read(ferplus_folder(tmp_path))
    assert listing.faces == 1 and list(listing.counts.values()) == [1]
    (part,) = listing.parts
    assert part.clips == ("fer0000000", "fer0028638", "fer0032220")
    assert [shot.fault for shot in part.pictures] == ["", "", "missing"]
    assert_allclose(part.labels[0], 0.4 * ferplus.CENTRES[0] + 0.6 * ferplus.CENTRES[1], atol=1e-6)
    assert np.isnan(part.labels[1]).all()
    assert_array_equal(part.split, [0, 1, 2])
    assert_array_equal(part.extra["votes_cast"], [10, 0, 8])
    assert_array_equal(part.extra["label"], [ferplus_set.NO_LABEL] * 3)
    assert part.extra["emotions"].dtype == np.float32 and part.extra["label"].dtype == np.uint8


def test_ferplus_takes_its_own_labels_from_fer2013(tmp_path: Path) -> None:
    write(ferplus_folder(tmp_path) / "fer2013.csv", "emotion,pixels,Usage", *(f"{i},0 0,x" for i in (3, 0, 6, 2)))
    (part,) = ferplus_set.read(tmp_path).parts
    assert [ferplus.EMOTIONS[i] for i in part.extra["label"]] == ["happiness", "neutral", "fear"]
    write(tmp_path / "fer2013.csv", "emotion,pixels,Usage", "3,0 0,x")
    with pytest.raises(DataError, match=r"fer2013.csv has 1 rows; expected 4, each with an emotion"):
        ferplus_set.read(tmp_path)


def test_ferplus_by_its_arrays_is_the_same_as_by_its_table(tmp_path: Path) -> None:
    (by_table,) = ferplus_set.read(ferplus_folder(tmp_path)).parts
    votes = np.zeros((3, 10), np.uint8)
    votes[0, :2], votes[1, 8], votes[2, [6, 8]] = (4, 6), 10, (8, 2)
    data = {"votes": votes, "label": np.array([3, 6, 2], np.uint8), "split": np.array([0, 1, 2], np.uint8)}
    np.savez(tmp_path / "f.npz", images=np.zeros((3, 48, 48), np.uint8), **data)
    (part,) = ferplus_set.read(tmp_path / "f.npz").parts
    assert_array_equal(part.labels, by_table.labels)
    assert_array_equal(part.extra["emotions"], by_table.extra["emotions"])
    assert_array_equal(part.extra["label"], [1, 0, 6])
    assert [shot.image.shape for shot in part.pictures if shot.image is not None] == [(48, 48, 3)] * 3


def test_ferplus_names_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no fer2013new.csv; expected the FER\+ .npz, or a folder"):
        ferplus_set.read(tmp_path)
    write(ferplus_folder(tmp_path) / "fer2013new.csv", VOTES, "Exam,fer0000000.png,1,0,0,0,0,0,0,0,0,0")
    with pytest.raises(DataError, match="row 2: Usage is Exam; expected Training, PublicTest, PrivateTest"):
        ferplus_set.read(tmp_path)
    write(tmp_path / "fer2013new.csv", VOTES.replace(",NF", ""), "Training,a.png,1")
    with pytest.raises(DataError, match="no column NF in its first row"):
        ferplus_set.read(tmp_path)


def test_a_table_of_pictures(tmp_path: Path) -> None:
    draw(tmp_path / "in" / "a.png")
    rows = ["path,subject,valence,arousal,split", "in/a.png,ann,3,7,train", "b.png,ann,,,test"]
    listing = table.read(write(tmp_path / "t.csv", *rows), LabelScale(1, 9, 5))
    (part,) = listing.parts
    assert_array_equal(part.labels, [(3, 7), (np.nan, np.nan)])
    assert (part.clips, part.subjects) == (("in/a.png", "b.png"), ("ann", "ann"))
    assert_array_equal(part.split, [0, 2])
    assert [shot.fault for shot in part.pictures] == ["", "missing"]


def test_a_table_of_video_frames(tmp_path: Path, sample_clip: Path) -> None:
    (tmp_path / "a.mp4").symlink_to(sample_clip)
    rows = ["a.mp4,2,0.2,0", "b.mp4,0,0,0", "a.mp4,1,0.1,0", "b.mp4,5,0,0"]
    first, second = table.read(write(tmp_path / "t.csv", "video,frame,valence,arousal", *rows)).parts
    assert isinstance(first.pictures, VideoFrames) and list(first.pictures.frames) == [1, 2]
    assert_array_equal(first.labels[:, 0], [0.1, 0.2])
    assert first.subjects == ("a.mp4",) and first.split is None
    assert (first.still, second.still) == (False, True)


def test_a_table_of_expressions(tmp_path: Path) -> None:
    draw(tmp_path / "a.png")
    rows = [
        "path,valence,arousal,expression,degree",
        "a.png,0,0,Sad,2",
        "b.png,,,,",
        "c.png,,,calm,1",
        "d.png,,,neutral,",
    ]
    listing = table.read(write(tmp_path / "t.csv", *rows))
    (part,) = listing.parts
    assert listing.classes == ("neutral", "calm", "sadness")
    assert part.extra["expression"].tolist() == [2, NONE, 1, 0] and part.extra["degree"].tolist() == [2, 0, 1, 0]
    assert {values.dtype for values in part.extra.values()} == {np.dtype(np.uint8)}


def test_a_table_of_clips_whose_expression_rises(tmp_path: Path, sample_clip: Path) -> None:
    (tmp_path / "a.mp4").symlink_to(sample_clip)
    rows = ["a.mp4,1,0,0,fear,0.25", "b.mp4,0,0,0,tired,1", "a.mp4,0,0,0,neutral,0.000"]
    header = "video,frame,valence,arousal,expression,degree"
    listing = table.read(write(tmp_path / "t.csv", header, *rows))
    first, second = listing.parts
    assert listing.classes == ("neutral", "fear", "tired")
    assert first.extra["expression"].tolist() == [0, 1] and second.extra["expression"].tolist() == [2]
    assert first.extra["degree"].tolist() == [0, 0.25] and first.extra["degree"].dtype == np.float32


TABLE_FAULTS = [
    ("path,valence", ["a.png,0"], "no column arousal in its first row"),
    ("valence,arousal", ["0,0"], "no column path, nor video and frame"),
    ("path,valence,arousal", ["a.png,2,0"], "t.csv, row 2: valence is 2; expected -1 to 1"),
    ("path,valence,arousal", ["a.png,0,much"], "t.csv, row 2: arousal is much; expected a number"),
    ("path,valence,arousal", ["none.png,0,0"], "none of the 1 annotated files is there"),
    ("path,valence,arousal,split", ["a.png,0,0,exam"], "row 2: split is exam; expected train, validation, test"),
    ("path,valence,arousal,subject", ["a.png,0,0,"], "row 2: the subject is empty"),
    ("path,valence,arousal,degree", ["a.png,0,0,strong"], "row 2: degree is strong; expected a number"),
    ("path,valence,arousal,degree", ["a.png,0,0,-1"], "row 2: degree is -1; expected 0 to 255"),
    ("path,valence,arousal,expression", ["a.png,0,0,"], "column expression: 0 different expressions; expected 1 to"),
    (
        "video,frame,valence,arousal",
        ["a.png,1,0,0", "a.png,1,0,0"],
        "row 3: frame 1 of a.png stands in the table twice",
    ),
    ("video,frame,valence,arousal", ["a.png,-1,0,0"], "row 2: frame is -1; expected a whole number"),
    ("video,frame,subject,valence,arousal", ["a.png,0,x,0,0", "a.png,1,y,0,0"], "has the subjects x, y; expected one"),
]


@pytest.mark.parametrize(("header", "rows", "message"), TABLE_FAULTS)
def test_a_wrong_table_is_named(tmp_path: Path, header: str, rows: list[str], message: str) -> None:
    draw(tmp_path / "a.png")
    with pytest.raises(DataError, match=message):
        table.read(write(tmp_path / "t.csv", header, *rows))


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder; expected a CSV with path"):
        table.read(tmp_path)
