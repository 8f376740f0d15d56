"""The report: what is written, what is refused, and that nothing of the page points outside or can be broken out of."""

import csv
import json
import re
import shutil
import subprocess
import sys
import zlib
from base64 import b64decode, b64encode
from hashlib import sha256, sha512
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sessions import write_session

from tracker.cli import main as affect_main
from tracker.config import OutputConfig, ReportConfig
from tracker.errors import DataError, UsageError
from tracker.outputs import check_outputs
from tracker.report import write_report
from tracker.report.packing import pack_column
from tracker.report.page import LIBRARY
from tracker.traces.reading import read_trace

SAMPLE = Path(__file__).parent / "assets" / "sample.mp4"
TIMES = np.round(np.arange(200) / 25, 6)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_session(tmp_path / "out", TIMES)


def facts_of(page: Path) -> dict[str, Any]:
    """What the page is told of its session."""
    block = re.search(r'<script type="application/json" id="session">(.*?)</script>', page.read_text(encoding="utf-8"))
    assert block
    return json.loads(block[1])


def unpacked(packed: dict[str, Any], rows: int) -> list[Any]:
    """The values of a column, as columns.js finds them again."""
    data = np.frombuffer(zlib.decompress(b64decode(packed["data"])), np.uint8)
    if packed["kind"] == "float64":
        values = data.reshape(8, rows).T.copy().view("<f8").ravel()
    else:
        planes = data.reshape(packed["width"], rows).astype(np.int64)
        zigzag = sum(plane << (8 * place) for place, plane in enumerate(planes))
        values = np.cumsum((zigzag >> 1) ^ -(zigzag & 1)).astype(float)
    if packed["kind"] == "words":
        return [packed["words"][int(place)] for place in values]
    if "missing" in packed:
        bits = np.frombuffer(zlib.decompress(b64decode(packed["missing"])), np.uint8)
        values[np.unpackbits(bits, bitorder="little")[:rows].astype(bool)] = np.nan
    return (values / 10.0 ** packed.get("decimals", 0)).tolist()


def test_a_page_holds_every_number_of_the_table(table: Path) -> None:
    page = write_report(table, ReportConfig())
    facts = facts_of(page)
    trace = read_trace(table)
    order = np.lexsort((trace.columns["timestamp"], trace.columns["face_id"]))
    assert [packed["name"] for packed in facts["columns"]] == list(trace.columns)
    for packed in facts["columns"]:
        np.testing.assert_array_equal(unpacked(packed, facts["rows"]), trace.columns[packed["name"]][order])
        assert packed["kind"] != "float64"


@pytest.mark.parametrize(
    "values",
    [
        [0.1, 0.25, np.nan, -0.000001, np.nan],
        [np.nan, np.nan, np.nan, np.nan, np.nan],
        [1796099100.614527, 0.0, 5e9, -3.5, 1.0],
        [1 / 3, 2 / 3, np.nan, 1e-12, np.pi],
        [7.0, 7.0, 7.0, 7.0, 7.0],
    ],
)
def test_packed_numbers_are_found_again_to_the_last_bit(values: list[float]) -> None:
    np.testing.assert_array_equal(unpacked(pack_column("x", np.array(values)), 5), values)


def test_a_page_asks_for_nothing_from_outside(table: Path) -> None:
    page = write_report(table, ReportConfig()).read_text(encoding="utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    assert (
        policy and "default-src 'none'" in policy[1] and "connect-src 'none'" in policy[1] and "http" not in policy[1]
    )
    assert not re.findall(r"""(?:src|href|action)\s*=\s*["'](?!#|data:)""", page)
    for kind, text in re.findall(r'<script type="(importmap|text/javascript|module)">(.*?)</script>', page, re.DOTALL):
        fingerprint = b64encode(sha256(text.encode()).digest()).decode()
        assert f"'sha256-{fingerprint}'" in policy[1], f"the page's own rule forbids its {kind}"


def test_a_name_cannot_break_out_of_its_place(tmp_path: Path) -> None:
    name = """<script>alert(1)<!-- "'&--><!-- {{session}}"""
    table = write_session(tmp_path, TIMES, name=name, source=tmp_path / f"{name}.mp4")
    (tmp_path / f"{name}.events.csv").write_text(
        'frame,timestamp,event\n0,0.0,"</script><script>alert(2)</script>"\n', encoding="utf-8"
    )
    write_report(table, ReportConfig())
    page = table.with_suffix(".html").read_text(encoding="utf-8")
    assert "<script>alert" not in page and "</script><script>" not in page
    facts = facts_of(table.with_suffix(".html"))
    assert facts["title"] == f"{name}.mp4"
    assert facts["events"] == [{"time": 0.0, "end": 0.0, "name": "</script><script>alert(2)</script>"}]


def test_a_page_tells_of_paths_the_names_alone(tmp_path: Path) -> None:
    table = write_session(tmp_path / "secret-study" / "out", TIMES)
    sheet = json.loads(table.with_suffix(".meta.json").read_text(encoding="utf-8"))
    sheet["warnings"] = [f"{sheet['source']['path']} is cut off"]
    table.with_suffix(".meta.json").write_text(json.dumps(sheet), encoding="utf-8")
    page = write_report(table, ReportConfig())
    assert "secret-study" not in page.read_text(encoding="utf-8")
    assert facts_of(page)["made"]["warnings"] == ["session.mp4 is cut off"]


def test_the_video_is_linked_embedded_or_left_out(table: Path, tmp_path: Path) -> None:
    assert facts_of(write_report(table, ReportConfig()))["video"] is None
    linked = facts_of(write_report(table, ReportConfig(str(SAMPLE), overwrite=True), tmp_path / "a page.html"))["video"]
    assert (tmp_path / linked["href"]).resolve() == SAMPLE and linked["starts_at"] == 0
    page = write_report(table, ReportConfig(str(SAMPLE), embed=True), tmp_path / "embedded.html")
    held = re.search(r'id="embedded-video">(.*?)</script>', page.read_text(encoding="utf-8"))
    assert held and b64decode(held[1]) == SAMPLE.read_bytes() and facts_of(page)["video"]["href"] is None


def test_who_hid_the_faces_is_not_shown_the_source(tmp_path: Path) -> None:
    table = write_session(tmp_path, TIMES, source=SAMPLE)
    assert facts_of(write_report(table, ReportConfig()))["video"]["name"] == "sample.mp4"
    sheet = json.loads(table.with_suffix(".meta.json").read_text(encoding="utf-8"))
    sheet["options"] = {"output": {"blur_faces": True}}
    table.with_suffix(".meta.json").write_text(json.dumps(sheet), encoding="utf-8")
    assert facts_of(write_report(table, ReportConfig(overwrite=True)))["video"] is None


def test_a_recording_begins_with_its_trace_and_has_its_boxes_drawn(tmp_path: Path) -> None:
    """A source's first frame is time 0; of a recording, or an overlay after --start, it is the first row's."""
    table = write_session(tmp_path, TIMES + 12.5)
    shutil.copy(SAMPLE, tmp_path / "session.overlay.mp4")
    sheet = json.loads(table.with_suffix(".meta.json").read_text(encoding="utf-8"))
    sheet["outputs"] = {"csv": "session.csv", "video": "session.overlay.mp4"}
    table.with_suffix(".meta.json").write_text(json.dumps(sheet), encoding="utf-8")
    video = facts_of(write_report(table, ReportConfig()))["video"]
    assert (video["name"], video["starts_at"], video["boxes"]) == ("session.overlay.mp4", 12.5, False)
    video = facts_of(write_report(table, ReportConfig(str(SAMPLE), overwrite=True)))["video"]
    assert (video["name"], video["starts_at"], video["boxes"]) == ("sample.mp4", 0.0, True)


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_other_types_of_trace_are_read_as_well(kind: str, tmp_path: Path) -> None:
    arguments = ["track", str(SAMPLE), "-o", str(tmp_path), "--end", "0.3", "--no-csv"]
    arguments += ["--jsonl", f"{tmp_path}/"] if kind == "jsonl" else ["--parquet"]
    with pytest.raises(SystemExit) as ended:
        affect_main(arguments)
    assert ended.value.code == 0
    facts = facts_of(write_report(tmp_path / f"sample.{kind}", ReportConfig()))
    assert facts["rows"] == 8 and facts["video"]["name"] == "sample.mp4"


def test_thumbnails_are_there_only_when_asked_for(table: Path) -> None:
    assert facts_of(write_report(table, ReportConfig(str(SAMPLE))))["thumbnails"] == {}
    pictures = facts_of(write_report(table, ReportConfig(str(SAMPLE), thumbnails=True, overwrite=True)))["thumbnails"]
    assert pictures.keys() == {"0", "1"}
    assert all(b64decode(each.partition(",")[2])[:2] == b"\xff\xd8" for each in pictures.values())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is no trace: it lacks frame, face_id"),
        ("name,age\nAnna,7\n", "is no trace: it lacks frame, face_id"),
        ("frame,face_id,timestamp,status,valence_smooth\n0,0,0.0,ok,0.5\n", "is no trace: it lacks arousal_smooth"),
        ("frame,face_id,timestamp,status,valence_smooth,arousal_smooth\n", "holds no row"),
        ("frame,face_id,timestamp,status,valence_smooth,arousal_smooth\n0,0,0.0,ok,high,0.1\n", "float: 'high'"),
        (
            "frame,face_id,timestamp,status,valence_smooth,arousal_smooth\n0,0,,ok,0.1,0.1\n",
            "timestamp is empty in row 1",
        ),
    ],
)
def test_what_is_no_trace_is_said_in_a_line(text: str, told: str, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=re.escape(told)):
        write_report(table, ReportConfig())
    assert not table.with_suffix(".html").exists()


def test_a_video_is_no_table(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_bytes(SAMPLE.read_bytes()[:5000])
    with pytest.raises(DataError, match="cannot be read as a trace"):
        write_report(table, ReportConfig())
    with pytest.raises(DataError, match=r"there is no trace .*none\.csv"):
        write_report(tmp_path / "none.csv", ReportConfig())
    with pytest.raises(DataError, match=r"is no trace; run `affect track"):
        write_report(SAMPLE, ReportConfig(), tmp_path / "page.html")


def test_a_page_or_table_that_is_there_stays(table: Path) -> None:
    page = write_report(table, ReportConfig())
    page.write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="exists; --overwrite replaces it"):
        write_report(table, ReportConfig())
    with pytest.raises(UsageError, match="would overwrite its table"):
        write_report(table, ReportConfig(overwrite=True), table)
    assert page.read_text(encoding="utf-8") == "mine"
    with pytest.raises(DataError, match=r"there is no video nowhere\.mp4"):
        write_report(table, ReportConfig("nowhere.mp4", overwrite=True))
    assert page.read_text(encoding="utf-8") == "mine"


def test_the_command_says_what_is_wrong_in_one_line(table: Path) -> None:
    command = [sys.executable, "-m", "tracker.cli", "report", str(table)]
    first = subprocess.run(command, capture_output=True, text=True, check=True)
    assert first.stderr == f"wrote {table.with_suffix('.html')}\n"
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 2 and again.stderr.startswith("error: ") and again.stderr.count("\n") == 1
    lost = subprocess.run([*command, "--video", "none.mp4", "--overwrite"], capture_output=True, text=True, check=False)
    assert (
        lost.returncode == 1
        and lost.stderr == f"error: there is no video none.mp4; expected the file that {table} was made of\n"
    )


def test_a_table_with_others_names_is_read_too(tmp_path: Path) -> None:
    """py-feat's names: Identity for the face, the emotions' bare names for their probabilities."""
    table = write_session(tmp_path / "out", TIMES, columns="pyfeat")
    facts = facts_of(write_report(table, ReportConfig()))
    assert {"face_id", "p_happiness", "pose_Rx"} <= {packed["name"] for packed in facts["columns"]}


def test_tracking_writes_the_report_with_the_rest(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        affect_main(["track", str(SAMPLE), "-o", str(tmp_path), "--report", "--end", "0.5"])
    assert ended.value.code == 0
    facts = facts_of(tmp_path / "sample.html")
    assert facts["made"]["model"]["name"] == "anclaf-face" and facts["made"]["complete"] is True
    assert facts["made"]["smoothing"]["lag_ms"] > 0 and facts["video"]["name"] == "sample.mp4"
    with (tmp_path / "sample.csv").open(encoding="utf-8", newline="") as file:
        assert facts["rows"] == len(list(csv.DictReader(file))) > 0


def test_a_report_needs_the_table() -> None:
    with pytest.raises(UsageError, match="--report is made of the CSV"):
        check_outputs(OutputConfig(csv=False, jsonl="-", report=True), 1, 1)


def test_the_library_is_the_pinned_one() -> None:
    pinned = json.loads((LIBRARY / "uPlot.json").read_text(encoding="utf-8"))
    assert re.fullmatch(r"sha512-[A-Za-z0-9+/]+=*", pinned["integrity"])
    assert len(b64decode(pinned["integrity"].removeprefix("sha512-"))) == sha512().digest_size
    for name, fingerprint in pinned["sha256"].items():
        assert sha256((LIBRARY / name).read_bytes()).hexdigest() == fingerprint, name
    assert "Permission is hereby granted" in (LIBRARY / "uPlot.LICENSE").read_text(encoding="utf-8")
