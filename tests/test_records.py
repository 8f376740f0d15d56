"""CSV and JSON lines: the columns, the empty values, the names of other tools, and how pandas reads them."""

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tracked import context_of, face_in, fill, sample_at, tracked, without_face, written

from tracker.sinks import open_sink
from tracker.sinks.records import COLUMNS, RELATIVE, column_names, rows

HEADER = (
    "frame,face_id,timestamp,confidence,success,status,valence,arousal,valence_frame,arousal_frame,"
    "valence_smooth,arousal_smooth,quadrant,q_pp,q_np,q_nn,q_pn,FaceRectX,FaceRectY,FaceRectWidth,FaceRectHeight,"
    "FaceScore,pose_Rx,pose_Ry,pose_Rz"
)
ROW = (
    "1,0,0.04,0.875,1,ok,0.41,-0.09,0.42,-0.08,0.4,-0.1,pp,0.5,0.125,0.25,0.125,10.0,12.0,20.5,24.25,0.97,0.1,-0.2,0.05"
)
EMPTY_ROW = "2,,0.08,0.0,0,no_face" + "," * 19


@pytest.fixture
def frames():
    """A frame with one face, one without, one with two, the second of low quality."""
    two = [sample_at(0.12, 0), sample_at(0.12, 3, (-0.5, 0.25), "low_quality")]
    return [tracked(1), without_face(2), tracked(3, samples=two)]


def test_csv_is_written_to_the_letter(tmp_path, frames):
    lines = written("csv", tmp_path / "x.csv", frames).read_text().split("\n")
    assert lines[:3] == [HEADER, ROW, EMPTY_ROW]
    assert [line.split(",")[:6] for line in lines[3:5]] == [
        ["3", "0", "0.12", "0.875", "1", "ok"],
        ["3", "3", "0.12", "0.875", "1", "low_quality"],
    ]
    assert lines[5:] == [""]


def test_csv_without_frames_is_its_header(tmp_path):
    assert written("csv", tmp_path / "x.csv", []).read_text() == HEADER + "\n"


def test_a_frame_without_a_face_has_no_values():
    (row,) = rows(without_face(7, 0.28))
    told = {name: value for name, value in row.items() if value is not None}
    assert told == {"frame": 7, "timestamp": 0.28, "confidence": 0.0, "success": 0, "status": "no_face"}


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_pandas_reads_the_right_types(tmp_path, frames, kind):
    path = written(kind, tmp_path / f"x.{kind}", frames)
    table = {"csv": pd.read_csv, "parquet": pd.read_parquet, "jsonl": lambda p: pd.read_json(p, lines=True)}[kind](path)
    assert ",".join(table.columns) == HEADER
    for column in COLUMNS:
        dtype = table[column.name].dtype
        if column.kind == "text":
            assert pd.api.types.is_string_dtype(table[column.name].dropna())
        elif column.kind == "float" or column.name == "face_id":
            assert pd.api.types.is_float_dtype(dtype), column.name
        else:
            assert pd.api.types.is_integer_dtype(dtype), column.name
    assert table["face_id"].isna().tolist() == table["valence"].isna().tolist() == [False, True, False, False]
    assert table["frame"].tolist() == [1, 2, 3, 3]
    assert table["valence_smooth"].dropna().tolist() == pytest.approx([0.4, 0.4, -0.5])


def test_all_three_hold_the_same_values(tmp_path, frames):
    csv = pd.read_csv(written("csv", tmp_path / "x.csv", frames))
    parquet = pd.read_parquet(written("parquet", tmp_path / "x.parquet", frames))
    lines = [json.loads(line) for line in written("jsonl", tmp_path / "x.jsonl", frames).read_text().splitlines()]
    for other in (parquet, pd.DataFrame(lines)):
        same = other.where(other.notna(), None), csv.where(csv.notna(), None)
        pd.testing.assert_frame_equal(*same, check_dtype=False, rtol=1e-6)


@pytest.mark.parametrize(
    ("columns", "first", "renamed"),
    [
        ("affect", 0, {}),
        ("openface", 1, {}),
        ("pyfeat", 0, {"face_id": "Identity", "pose_Rx": "Pitch", "pose_Ry": "Yaw", "pose_Rz": "Roll"}),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_columns_of_other_tools(tmp_path, kind, columns, first, renamed):
    path = written(kind, tmp_path / f"x.{kind}", [tracked(0)], context_of(columns=columns))
    table = {"csv": pd.read_csv, "parquet": pd.read_parquet, "jsonl": lambda p: pd.read_json(p, lines=True)}[kind](path)
    assert list(table.columns) == [renamed.get(name, name) for name in HEADER.split(",")]
    assert table["frame"].tolist() == [first]
    assert table[renamed.get("pose_Ry", "pose_Ry")].tolist() == pytest.approx([-0.2])


def test_column_names_are_never_used_twice():
    for columns in ("affect", "openface", "pyfeat"):
        assert len(set(column_names(columns))) == len(COLUMNS) == 25


def relative(index):
    """A frame whose face has a neutral baseline."""
    return tracked(index, samples=[replace(sample_at(index / 25), valence_rel=1 / 3, arousal_rel=-0.5)], size=(2, 2))


@pytest.mark.parametrize("columns", ["affect", "openface", "pyfeat"])
def test_what_differs_from_the_baseline_stands_behind_the_rest(columns):
    (row,) = rows(relative(3), columns, RELATIVE)
    assert list(row)[-2:] == ["valence_rel", "arousal_rel"]
    assert (row["valence_rel"], row["arousal_rel"]) == (0.333333, -0.5)
    assert rows(relative(3), columns) == [{name: row[name] for name in list(row)[:-2]}]


@pytest.mark.parametrize("frame", [without_face(1), tracked(1)], ids=["no face", "no baseline"])
def test_without_a_baseline_nothing_differs(frame):
    (row,) = rows(frame, extras=RELATIVE)
    assert row["valence_rel"] is row["arousal_rel"] is None


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_extra_columns_are_read_as_they_were_written(tmp_path, kind):
    context = context_of(extras=("attention", "relative"))
    path = written(kind, tmp_path / f"x.{kind}", [relative(0), without_face(1), tracked(2)], context)
    table = {"csv": pd.read_csv, "parquet": pd.read_parquet, "jsonl": lambda p: pd.read_json(p, lines=True)}[kind](path)
    lists = "" if kind == "csv" else ",attention,attention_age"
    assert ",".join(table.columns) == f"{HEADER}{lists},valence_rel,arousal_rel"
    assert table["valence_rel"].isna().tolist() == [False, True, True]
    assert table["valence_rel"][0] == pytest.approx(1 / 3, abs=1e-6) and table["arousal_rel"][0] == -0.5


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_a_number_is_empty(value):
    sample = replace(sample_at(0.0), valence=value, pose=np.array([value, 0, 0], np.float32))
    (row,) = rows(tracked(0, samples=[sample]))
    assert row["valence"] is None and row["pose_Rx"] is None
    assert row["arousal"] == -0.09
    json.dumps(row, allow_nan=False)


@pytest.mark.parametrize(
    ("time", "written_as"), [(1 / 3, "0.333333"), (5.005005, "5.005005"), (7.0, "7.0"), (12345.678901, "12345.678901")]
)
def test_timestamps_keep_their_microseconds(tmp_path, time, written_as):
    line = written("csv", tmp_path / "x.csv", [without_face(0, time)]).read_text().splitlines()[1]
    assert line.split(",")[2] == written_as


def test_zero_has_no_sign():
    (row,) = rows(tracked(0, samples=[sample_at(0.0, affect=(-1e-9, -0.0))]))
    assert str(row["valence_smooth"]) == str(row["arousal_smooth"]) == "0.0"


def test_the_quadrant_is_the_likeliest():
    sample = replace(sample_at(0.0), quadrant=np.array([0.1, 0.2, 0.3, 0.4], np.float32))
    assert rows(tracked(0, samples=[sample]))[0]["quadrant"] == "pn"


def test_faces_and_samples_must_match():
    frame = tracked(0)
    with pytest.raises(ValueError, match="zip"):
        rows(replace(frame, faces=(*frame.faces, face_in((0, 0, 1, 1)))))


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_rows_are_in_the_file_at_once(tmp_path, kind):
    with open_sink(kind, tmp_path / f"x.{kind}", context_of()) as sink:
        for count in range(1, 4):
            fill(sink, [tracked(count)])
            text = (tmp_path / f"x.part.{kind}").read_text()
            assert text.endswith("\n") and len(text.splitlines()) == count + (kind == "csv")


def test_json_lines_to_standard_output(capsys, frames):
    with open_sink("jsonl", "-", context_of()) as sink:
        fill(sink, frames[:2])
        lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["status"] for line in lines] == ["ok", "no_face"]
    assert json.loads(lines[1])["valence"] is None
    assert capsys.readouterr().out == ""
