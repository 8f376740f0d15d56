"""The readers of data sets of known people with known expressions, on tiny copies of their layouts."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from layouts import PLACE, draw, read_written_faces, write
from numpy.testing import assert_allclose
from scenes import scene

from tracker.errors import DataError
from tracker.faces.align import Template
from train.datasets import ck_plus, ck_plus_48, faces, kdef, module_of, oulu_casia, persons, rafd
from train.datasets.expressions import EXPRESSIONS, NONE, classes_among, known, numbers
from train.datasets.parts import Listing
from train.folds import make_folds
from train.levasa.labels import classes_of
from train.prepare import prepare
from train.prepared import LabelScale, open_prepared
from train.preparing.preparation import prepare_set

SETS = ("persons", "ck-plus", "ck-plus-48", "oulu-casia", "rafd", "faces", "kdef")


def told(listing: Listing) -> list[tuple[str, str, str, int]]:
    """Clip, subject, expression and degree of every row."""
    return [
        (clip, subject, listing.classes[expression], int(degree))
        for part in listing.parts
        for clip, subject, expression, degree in zip(
            part.clips, part.subjects, part.extra["expression"], part.extra["degree"], strict=True
        )
    ]


@cache
def _picture() -> bytes:
    return cv2.imencode(".png", scene(0, 0.0, [PLACE]).image)[1].tobytes()


def place(path: Path) -> Path:
    """Write a small picture there, always the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_picture())
    return path


def people_of(root: Path) -> Path:
    """Two persons, three pictures of different sizes, one of them of a degree."""
    for i, name in enumerate(("ann/happy/1.jpg", "ann/Neutral/a.png", "bob/fear/fear-3.bmp")):
        image = cv2.resize(
            cv2.imread(str(draw(root / name))), None, fx=1 + i, fy=1 + i, interpolation=cv2.INTER_NEAREST
        )
        (root / name).write_bytes(cv2.imencode(".png", image)[1].tobytes())
    write(root / "ann" / "happy" / "notes.txt", "smiles")
    place(root / "ann" / "portrait.png")
    return root


def test_people_by_their_folders(tmp_path: Path) -> None:
    listing = persons.read(people_of(tmp_path))
    assert told(listing) == [
        ("ann/Neutral/a.png", "ann", "neutral", 0),
        ("ann/happy/1.jpg", "ann", "happiness", 0),
        ("bob/fear/fear-3.bmp", "bob", "fear", 3),
    ]
    assert listing.classes == ("neutral", "fear", "happiness")
    assert listing.counts == {"pictures in no folder of an expression": 1}
    (part,) = listing.parts
    assert part.still and np.isnan(part.labels).all() and part.split is None
    assert {kind.dtype for kind in part.extra.values()} == {np.dtype(np.uint8)}


def test_a_folder_that_is_no_expression_is_named(tmp_path: Path) -> None:
    place(tmp_path / "ann" / "smirk" / "1.png")
    message = (
        "ann/smirk: smirk is no expression that we know; expected neutral, anger, contempt, disgust, fear, happiness"
    )
    with pytest.raises(DataError, match=message):
        persons.read(tmp_path)


@pytest.mark.parametrize("name", SETS)
def test_a_root_without_pictures_is_told(tmp_path: Path, name: str) -> None:
    module = module_of(name)
    write(tmp_path / "ann" / "happy" / "readme.txt", "nothing here")
    with pytest.raises(DataError, match="holds no picture in the layout that we know; expected ") as caught:
        module.read(tmp_path)
    assert module.EXPECTED in str(caught.value)


def test_expressions_have_one_spelling_and_one_order() -> None:
    words = ("Angry", "contemptuous", "disgusted", "fearful", "happy", "NEUTRAL", "sad", "surprised")
    assert {known(word, "here") for word in words} == set(EXPRESSIONS)
    classes = classes_among(["sadness", "anger", "", "neutral", "anger"], "t.csv")
    assert classes == ("neutral", "anger", "sadness")
    assert numbers(["sadness", "", "neutral"], classes).tolist() == [2, NONE, 0]
    with pytest.raises(DataError, match=r"t\.csv: 0 different expressions; expected 1 to 255"):
        classes_among(["", ""], "t.csv")


def ck_sequence(root: Path, name: str, frames: int, label: str | None) -> None:
    """A sequence of CK+ such as S005/001, with its label where it has one."""
    stem = name.replace("/", "_")
    for i in range(1, frames + 1):
        place(root / "cohn-kanade-images" / name / f"{stem}_{i:08d}.png")
    if label is not None:
        write(root / "Emotion" / name / f"{stem}_{frames:08d}_emotion.txt", label)


def test_ck_plus_takes_the_ends_of_labelled_sequences(tmp_path: Path) -> None:
    ck_sequence(tmp_path, "S005/001", 11, "   3.0000000e+00")
    ck_sequence(tmp_path, "S005/002", 4, None)
    ck_sequence(tmp_path, "S010/004", 4, "   2.0000000e+00")
    ck_sequence(tmp_path, "S011/001", 3, "   5.0000000e+00")
    write(tmp_path / "Emotion" / "S999" / "001" / "S999_001_00000004_emotion.txt", "1")
    listing = ck_plus.read(tmp_path)
    frames = [(clip.rpartition("_")[2], *who[:2]) for clip, *who in told(listing)]
    assert frames == [
        ("00000001.png", "S005", "neutral"),
        *((f"{i:08d}.png", "S005", "disgust") for i in (9, 10, 11)),
        ("00000001.png", "S010", "neutral"),
        *((f"{i:08d}.png", "S010", "contempt") for i in (2, 3, 4)),
    ]
    assert listing.classes == ("neutral", "contempt", "disgust") and list(listing.counts.values()) == [1, 1, 1]


@pytest.mark.parametrize(("text", "message"), [("9", "holds 9; expected a whole number from 0 to 7"),
                                               ("2.5", "holds 2.5; expected"), ("", "holds nan; expected"),
                                               ("glad", "emotion.txt is glad; expected a number")])  # fmt: skip
def test_a_wrong_label_of_ck_plus_is_named(tmp_path: Path, text: str, message: str) -> None:
    ck_sequence(tmp_path, "S005/001", 4, text)
    with pytest.raises(DataError, match=message):
        ck_plus.read(tmp_path)


def test_ck_plus_48_by_its_folders(tmp_path: Path) -> None:
    for name in ("happy/S010_004_00000017.png", "contempt/S138_008_00000007.png", "happy/copy of it.png"):
        place(tmp_path / "CK+48" / name)
    listing = ck_plus_48.read(tmp_path)
    assert told(listing) == [
        ("CK+48/contempt/S138_008_00000007.png", "S138", "contempt", 0),
        ("CK+48/happy/S010_004_00000017.png", "S010", "happiness", 0),
    ]
    assert list(listing.counts.values()) == [1]
    place(tmp_path / "CK+48" / "train" / "S011_001_00000001.png")
    with pytest.raises(DataError, match="train is no expression that we know; expected neutral, anger"):
        ck_plus_48.read(tmp_path)


def test_oulu_casia_by_the_camera_and_light_that_the_root_chooses(tmp_path: Path) -> None:
    for light in ("VL/Strong", "NI/Dark"):
        for i in range(9):
            place(tmp_path / light / "P001" / "Surprise" / f"{i:03d}.jpeg")
    place(tmp_path / "VL" / "Strong" / "P002" / "Anger" / "000.jpeg")
    strong = oulu_casia.read(tmp_path / "VL" / "Strong")
    assert told(strong) == [
        ("P001/Surprise/000.jpeg", "P001", "neutral", 0),
        *((f"P001/Surprise/00{i}.jpeg", "P001", "surprise", 0) for i in (6, 7, 8)),
    ]
    assert strong.counts == {"sequences of fewer than 4 frames": 1}
    one = told(oulu_casia.read(tmp_path / "NI" / "Dark" / "P001"))
    assert one[0] == ("Surprise/000.jpeg", "P001", "neutral", 0)
    both = told(oulu_casia.read(tmp_path))
    assert len(both) == 8 and {subject for _, subject, *_ in both} == {"P001"}


NAMED = [
    (
        rafd.read,
        ["Rafd090_01_Caucasian_female_angry_frontal.jpg", "Rafd090_72_Moroccan_male_contemptuous_frontal.jpg"],
        ["Rafd090_01_Caucasian_female_angry_left.jpg", "Rafd045_63_Kid_male_sad_frontal.jpg"],
        [("01", "anger"), ("72", "contempt")],
        [("01", "anger"), ("01", "anger"), ("63", "sadness"), ("72", "contempt")],
    ),
    (
        kdef.read,
        ["AF01ANS.JPG", "BM35AFS.JPG"],
        ["AF01ANFL.JPG", "BM35HAHR.JPG"],
        [("F01", "anger"), ("M35", "fear")],
        [("F01", "anger"), ("F01", "anger"), ("M35", "fear"), ("M35", "happiness")],
    ),
]


@pytest.mark.parametrize(("read", "front", "aside", "by_default", "all_of_them"), NAMED, ids=["rafd", "kdef"])
def test_names_of_files_tell_all(
    tmp_path: Path,
    read: Callable[..., Listing],
    front: list[str],
    aside: list[str],
    by_default: list[tuple[str, str]],
    all_of_them: list[tuple[str, str]],
) -> None:
    for i, name in enumerate((*front, *aside, "readme.png")):
        place(tmp_path / str(i) / name)
    listing = read(tmp_path)
    assert sorted(row[1:3] for row in told(listing)) == by_default
    assert listing.counts == {"pictures left out by their names": 3}
    every = read(tmp_path, all_views=True)
    assert sorted(row[1:3] for row in told(every)) == all_of_them and list(every.counts.values()) == [1]


def test_an_unknown_word_in_a_name_is_told(tmp_path: Path) -> None:
    place(tmp_path / "Rafd090_01_Caucasian_female_bored_frontal.jpg")
    with pytest.raises(DataError, match=r"female_bored_frontal\.jpg: bored is no expression that we know"):
        rafd.read(tmp_path)


def test_faces_by_its_names(tmp_path: Path) -> None:
    for name in ("004_o_m_a_a.jpg", "004_o_m_a_b.jpg", "168_m_f_s_b.jpg", "066_y_m_n_a.jpg", "thumb.jpg"):
        place(tmp_path / name)
    listing = faces.read(tmp_path)
    assert [row[1:3] for row in told(listing)] == [
        ("004", "anger"), ("004", "anger"), ("066", "neutral"), ("168", "sadness"),
    ]  # fmt: skip
    assert list(listing.counts.values()) == [1]


def test_a_set_of_people_is_prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_written_faces(monkeypatch)
    report = prepare_set("persons", people_of(tmp_path / "root"), tmp_path / "out", Template(size=32), LabelScale())
    assert [report[name] for name in ("frames", "annotated", "usable")] == [3, 3, 3]
    data = open_prepared(tmp_path / "out")
    assert data.classes == ("neutral", "fear", "happiness") and data.subjects == ("ann", "bob")
    assert data.extra["expression"].tolist() == [0, 2, 1] and data.extra["degree"].tolist() == [0, 0, 3]
    names, shares = classes_of(data)
    assert tuple(names) == data.classes
    assert_allclose(shares, [(1, 0, 0), (0, 0, 1), (0, 1, 0)])
    assert sorted(make_folds(data, 2).folds) == [("ann",), ("bob",)]


def invoke(*arguments: object) -> Any:
    return CliRunner().invoke(prepare, [str(argument) for argument in arguments], standalone_mode=False)


def test_the_command_prepares_people_of_any_size_of_picture(tmp_path: Path, sample_clip: Path) -> None:
    video = cv2.VideoCapture(str(sample_clip))
    for name, scale in (("her/happy/1.jpg", 0.5), ("her/happy/2-1.png", 1.0), ("her/surprised/3.png", 0.25)):
        image = cv2.resize(video.read()[1], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        (tmp_path / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(tmp_path / "root" / name), image)
    video.release()
    result = invoke("persons", "--root", tmp_path / "root", "--out", tmp_path / "out", "--workers", 1, "--channels", 3)
    assert result.exception is None, result.output
    data = open_prepared(tmp_path / "out")
    assert data.found.all() and data.extra["degree"].tolist() == [0, 1, 0]
    first, second, third = data.crops.astype(float)
    assert np.abs(first - second).mean() < 8 and np.abs(first - third).mean() < 14, "the same face in the same place"


def test_the_help_lists_the_sets_of_people() -> None:
    result = invoke("--help")
    assert all(f"  {name} " in result.output for name in SETS)
    assert "--all-views" in invoke("rafd", "--help").output and "--all-views" not in invoke("faces", "--help").output
