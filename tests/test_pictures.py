"""Tables of pictures, and the tracker's crops of the largest face in each."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from tracker.errors import DataError
from tracker.faces.align import Template
from train.datasets import pictures
from train.datasets.ferplus import CENTRES


def table_at(folder: Path, lines: list[str], name: str = "faces.csv") -> Path:
    """A CSV of these lines."""
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def picture(path: Path) -> Path:
    """A small grey picture without a face."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", np.full((8, 8, 3), 90, np.uint8))[1].tobytes())
    return path


def test_rows_are_read_with_paths_relative_to_the_table(tmp_path: Path) -> None:
    picture(tmp_path / "männer und frauen" / "a b.png")
    lines = [
        "valence,note,path,arousal",
        '0.5,"x, y",männer und frauen/a b.png,-1',
        f"1,,{picture(tmp_path / 'c.png')},0",
    ]
    rows = pictures.read_table(table_at(tmp_path, lines, "ünder.csv")).rows
    assert [(row.path.name, row.valence, row.arousal) for row in rows] == [("a b.png", 0.5, -1), ("c.png", 1, 0)]
    assert rows[1].place == "ünder.csv, row 3"


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    table = tmp_path / "excel.csv"
    table.write_text("path,valence,arousal\na.png,0,0\n", encoding="utf-8-sig")
    assert len(pictures.read_table(table).rows) == 1


SHARES = ",".join(pictures.SHARES)
BAD_TABLES = [
    ([""], "no column path in its first row"),
    (["path", "a.png"], "no column with people's labels in its first row; expected a CSV with path and any of"),
    (["path,valence", "a.png,0"], "no column arousal in its first row; expected valence, arousal"),
    (["path,p_neutral", "a.png,1"], "no column p_happiness, .*, p_contempt in its first row"),
    (["path,expression", "a.png,sad", "a.png,bored"], "row 3: expression is bored; expected neutral, happiness"),
    (["path,expression", "a.png,"], "row 2: expression is empty; expected neutral"),
    ([f"path,{SHARES}", "a.png,1,0,0,0,0,0,0,-1"], "row 2: p_contempt is -1; expected a number from 0"),
    ([f"path,{SHARES}", "a.png,1,0,0,0,0,0,0,inf"], "row 2: p_contempt is inf; expected a number from 0"),
    ([f"path,{SHARES}", "a.png,0,0,0,0,0,0,0,0"], "row 2: p_neutral to p_contempt are all 0"),
    (["path,valence,arousal"], "has no rows below its header"),
    (["path,valence,arousal", "a.png,0,0", "a.png,0.1,calm"], "row 3: arousal is calm; expected a number from -1 to 1"),
    (["path,valence,arousal", "a.png,1.5,0"], "row 2: valence is 1.5; expected a number from -1 to 1"),
    (["path,valence,arousal", "a.png,nan,0"], "row 2: valence is nan; expected"),
    (["path,valence,arousal", "a.png,0"], "row 2: arousal is empty; expected"),
    (["path,valence,arousal", ",0,0"], "row 2: the path is empty"),
    (
        ["path,valence,arousal", "a.png,0,0", "b.png,0,0", "c.png,0,0"],
        r"row 3: there is no picture .*b.png \(2 of 3 are",
    ),
]


@pytest.mark.parametrize(("lines", "message"), BAD_TABLES)
def test_a_wrong_table_is_named_in_one_line(tmp_path: Path, lines: list[str], message: str) -> None:
    picture(tmp_path / "a.png")
    with pytest.raises(DataError, match=message) as caught:
        pictures.read_table(table_at(tmp_path, lines))
    assert "\n" not in str(caught.value) and "faces.csv" in str(caught.value)


def test_expressions_alone_are_given_their_centres(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    words = ["Happy", "sad", "scared", "neutral", "contempt", " angry "]
    table = pictures.read_table(table_at(tmp_path, ["path,expression", *(f"a.png,{word}" for word in words)]))
    assert [row.expression for row in table.rows] == [1, 3, 6, 0, 7, 4]
    np.testing.assert_allclose([(row.valence, row.arousal) for row in table.rows], CENTRES[[1, 3, 6, 0, 7, 4]])
    assert table.source == "the classes' centres (the table has no valence and arousal)"


def test_shares_are_votes_or_parts_of_one(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    votes, parts = "a.png,0,0,0,6,2,0,0,0", "a.png,0,0,0,.75,.25,0,0,0"
    table = pictures.read_table(table_at(tmp_path, [f"path,{SHARES}", votes, parts]))
    for row in table.rows:
        assert row.expression == 3
        np.testing.assert_allclose((row.valence, row.arousal), 0.75 * CENTRES[3] + 0.25 * CENTRES[4], rtol=1e-5)
    assert "shares of the expressions times the classes' centres" in table.source


def test_what_people_rated_goes_before_what_follows_from_classes(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    lines = [f"path,valence,arousal,expression,{SHARES}", "a.png,-0.9,0.2,fear,0,0,0,6,2,0,0,0"]
    table = pictures.read_table(table_at(tmp_path, lines))
    (row,) = table.rows
    assert (row.valence, row.arousal, row.expression, table.source) == (-0.9, 0.2, 6, "the table's")


def test_a_table_that_is_not_there_or_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none.csv: no such file; expected a CSV"):
        pictures.read_table(tmp_path / "none.csv")
    with pytest.raises(DataError, match="cannot be read as a CSV in UTF-8"):
        pictures.read_table(tmp_path)
    (tmp_path / "latin.csv").write_bytes("path,valence,arousal\nj\xfcrgen.png,0,0\n".encode("latin-1"))
    with pytest.raises(DataError, match="cannot be read as a CSV in UTF-8"):
        pictures.read_table(tmp_path / "latin.csv")


def test_a_file_that_is_no_picture_is_named_with_its_row(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    picture(tmp_path / "a.png")
    rows = pictures.read_table(table_at(tmp_path, ["path,valence,arousal", "a.png,0,0", "text.png,0,0"])).rows
    with pytest.raises(DataError, match=r"faces.csv, row 3: .*text.png cannot be read as a picture"):
        pictures.crops_of_rows(rows, Template())


def test_csv_written_by_python_is_read_by_us(tmp_path: Path) -> None:
    name = picture(tmp_path / 'a "quoted", name.png').name
    with (tmp_path / "faces.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path", "valence", "arousal"], [name, 0.25, -0.25]])
    assert pictures.read_table(tmp_path / "faces.csv").rows[0].path.name == name


def face_pictures(clip: Path, folder: Path, sides: tuple[int, ...]) -> list[Path]:
    """The clip's first frame, its shorter side resized to each of the sides."""
    capture = cv2.VideoCapture(str(clip))
    frame = capture.read()[1]
    capture.release()
    paths = []
    for side in sides:
        scale = side / frame.shape[0]
        paths.append(folder / f"face {side}.png")
        small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        paths[-1].write_bytes(cv2.imencode(".png", small)[1].tobytes())
    return paths


def test_a_face_gives_the_same_crop_whatever_the_size_of_its_picture(tmp_path: Path, sample_clip: Path) -> None:
    faces = face_pictures(sample_clip, tmp_path, (120, 360, 1440))
    picture(tmp_path / "wall.png")
    names = [*(face.name for face in faces), "wall.png"]
    table = table_at(tmp_path, ["path,valence,arousal", *(f"{name},0,0" for name in names)])
    crops, found = pictures.crops_of_rows(pictures.read_table(table).rows, Template())
    assert crops.shape == (4, 64, 64, 1) and found.tolist() == [True, True, True, False]
    small, middle, large = crops[:3].astype(float)
    assert np.abs(middle - large).mean() < 8 and np.abs(middle - small).mean() < 16
    assert not crops[3].any()


def test_the_largest_of_several_faces_is_scored(tmp_path: Path, sample_clip: Path) -> None:
    (face,) = face_pictures(sample_clip, tmp_path, (360,))
    large = cv2.imread(str(face))
    small = cv2.flip(cv2.resize(large, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA), 1)
    both = np.full((large.shape[0], large.shape[1] + small.shape[1], 3), 90, np.uint8)
    both[: small.shape[0], : small.shape[1]] = small
    both[:, small.shape[1] :] = large
    cv2.imwrite(str(tmp_path / "both.png"), both)
    cv2.imwrite(str(tmp_path / "small.png"), small)
    names = ("both.png", face.name, "small.png")
    table = table_at(tmp_path, ["path,valence,arousal", *(f"{name},0,0" for name in names)])
    crops, found = pictures.crops_of_rows(pictures.read_table(table).rows, Template())
    assert found.all()
    to_large, to_small = (np.abs(crops[0].astype(float) - crop).mean() for crop in crops[1:])
    assert to_large < 0.6 * to_small
