"""Takes: their names, their clock, their events and sheets, and what is left when something goes wrong."""

import csv
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from test_sink_files import disk_of
from test_video_sink import make_clip, times_of
from tracked import sample_at, tracked, without_face

from tracker.batch import run_batch
from tracker.config import DEFAULT_MODEL, BatchConfig, LiveConfig, OutputConfig
from tracker.engine import Engine, track
from tracker.errors import SinkError, UsageError
from tracker.live.takes import Take, TakeOutcome, check_takes
from tracker.outputs import read_sheet
from tracker.sources import open_source
from tracker.types import Event, Frame, SourceInfo, SourceReport, TrackedFrame

CAMERA = SourceInfo("camera:0", "camera", 64, 48, 30.0, None, None, "1/1000")
ENGINE = {"model": {"name": "m", "sha256": "ab" * 32}, "window_rate_hz": 25.0, "readings": [], "told": [], "faces": 1}
TIMES = [12.345, 12.378, 12.412, 12.5, 12.533, 13.2, 13.201]
"""Of the run: uneven, with a gap as of dropped frames."""
OWN_TIMES = [0.0, 0.033, 0.067, 0.155, 0.188, 0.855, 0.856]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def config(out: Path, output: dict[str, Any] | None = None, **choices: Any) -> LiveConfig:
    return LiveConfig(output=OutputConfig(folder=str(out), **(output or {})), **choices)


def noisy(index: int, time: float, size: tuple[int, int] = (48, 64)) -> TrackedFrame:
    """A frame with a face, of noise: every bit of it counts."""
    image = np.random.default_rng(index).integers(0, 256, (*size, 3), dtype=np.uint8)
    frame = tracked(index, time, size=size)
    return replace(frame, frame=replace(frame.frame, image=image))


def frames() -> list[TrackedFrame]:
    """Frames 40 to 46 of a run."""
    return [noisy(40 + k, time) for k, time in enumerate(TIMES)]


def record(take: Take, recorded: Iterable[TrackedFrame], *ending: Any) -> TakeOutcome:
    for each in recorded:
        take.write(each)
    return take.finish(*ending)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def the(out: Path, suffix: str) -> Path:
    """The one file in the folder whose name ends so."""
    (path,) = [path for path in out.iterdir() if re.fullmatch(rf"live-\d{{8}}-\d{{6}}{re.escape(suffix)}", path.name)]
    return path


def suffixes(out: Path) -> set[str]:
    return {re.sub(r"live-\d{8}-\d{6}", "", path.name) for path in out.iterdir()}


# Files.


def test_a_take_has_a_table_the_video_its_events_and_its_sheet(out: Path) -> None:
    outcome = record(Take(config(out), CAMERA, ENGINE), frames())
    assert suffixes(out) == {".csv", ".mp4", ".events.csv", ".meta.json"}
    assert (outcome.frames, outcome.rows, outcome.seconds, outcome.problems) == (7, 7, 0.856, ())
    assert set(outcome.files) == {str(path) for path in out.iterdir() if path.suffix != ".json"}
    assert re.fullmatch(r"recording \S+/live-\S+: 7 frames, 7 rows, 0.9 s: \S+.csv, \S+.mp4, \S+.csv", str(outcome))


def test_it_has_every_output_that_was_asked_for(out: Path) -> None:
    every = {"jsonl": f"{out}/", "parquet": True, "video": True, "plot": True, "attention": True}
    record(Take(config(out, every, lossless=True), CAMERA, ENGINE), frames())
    told = {".csv", ".jsonl", ".parquet", ".overlay.mp4", ".png", ".attention.png", ".mkv", ".events.csv", ".meta.json"}
    assert suffixes(out) == told
    names = read_sheet(the(out, ".meta.json"))["outputs"].values()
    assert set(names) == {path.name for path in out.iterdir()} - {the(out, ".meta.json").name}


def test_without_a_picture_there_is_no_video(out: Path) -> None:
    record(Take(config(out, {"csv": False}, picture=False), CAMERA, ENGINE), frames())
    assert suffixes(out) == {".events.csv", ".meta.json"}


def test_json_lines_to_standard_output_are_no_file_of_a_take(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(Take(config(out, {"jsonl": "-"}), CAMERA, ENGINE), frames())
    assert suffixes(out) == {".csv", ".mp4", ".events.csv", ".meta.json"}
    assert capsys.readouterr().out == ""


def test_takes_of_the_same_second_have_names_of_their_own(out: Path) -> None:
    takes = [Take(config(out), CAMERA, ENGINE) for _ in range(3)]
    assert len({take.name for take in takes}) == 3
    names = {Path(file).name for take in takes for file in record(take, frames()).files}
    assert len(names) == 9 and names <= {path.name for path in out.iterdir()}


def test_a_video_that_is_there_is_never_overwritten(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = record(Take(config(out), CAMERA, ENGINE), frames()).name
    Path(f"{name}.meta.json").unlink()
    Path(f"{name}.csv").unlink()
    kept = Path(f"{name}.mp4").read_bytes()

    class SameSecond(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.strptime(Path(name).name, "live-%Y%m%d-%H%M%S")

    monkeypatch.setattr("tracker.live.takes.datetime", SameSecond)
    assert Take(config(out), CAMERA, ENGINE).name == f"{name}-2"
    assert Path(f"{name}.mp4").read_bytes() == kept


def test_a_paced_file_lends_no_sound(out: Path, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", "aac")
    info = SourceInfo(str(clip), "video", 64, 48, 25.0, 50, 2.0, "1/12800")
    record(Take(config(out, {"video": True}), info, ENGINE), frames())
    for suffix in (".mp4", ".overlay.mp4"):
        with av.open(str(the(out, suffix))) as container:
            assert [stream.type for stream in container.streams] == ["video"]


# Its clock.


@pytest.mark.parametrize(("lossless", "suffix"), [(True, ".mkv"), (False, ".mp4")])
def test_rows_and_video_count_from_the_first_frame(out: Path, lossless: bool, suffix: str) -> None:
    take = Take(config(out, lossless=lossless), CAMERA, ENGINE)
    assert take.seconds == 0.0
    record(take, frames())
    assert take.seconds == OWN_TIMES[-1]
    rows = table(the(out, ".csv"))
    assert [int(row["frame"]) for row in rows] == list(range(7))
    assert [float(row["timestamp"]) for row in rows] == OWN_TIMES
    with open_source(str(the(out, suffix))) as source:
        assert [frame.time for frame in source] == OWN_TIMES
        assert source.report().warnings == ()


def test_the_video_is_what_was_captured_bit_for_bit(out: Path) -> None:
    odd = [noisy(k, k / 30, size=(49, 65)) for k in range(5)]
    record(Take(config(out, lossless=True), CAMERA, ENGINE), odd)
    with open_source(str(the(out, ".mkv"))) as source:
        assert source.info.codec == "ffv1"
        assert all(np.array_equal(a.image, b.frame.image) for a, b in zip(source, odd, strict=True))


def test_what_was_given_is_left_as_it_was(out: Path) -> None:
    given = frames()
    record(Take(config(out), CAMERA, ENGINE), given)
    assert [(f.frame.time, f.frame.index, f.samples[0].time) for f in given] == [
        (time, 40 + k, time) for k, time in enumerate(TIMES)
    ]


def uneven_frames(clip: Path, count: int) -> list[Frame]:
    """Frames of the clip as a live source gives them: whole milliseconds, jitter, some dropped and one longer gap."""
    jitter = np.random.default_rng(0).integers(0, 12, 2 * count).tolist()
    with open_source(str(clip)) as source:
        kept = [f for f in islice(source, 2 * count) if f.index % 7 != 3 and not 30 <= f.index < 36][:count]
    times = [0 if f.index == 0 else round(1000 * f.time) + jitter[f.index] for f in kept]
    return [Frame(f.image, time / 1000, k) for k, (f, time) in enumerate(zip(kept, times, strict=True))]


def test_law_4_a_lossless_take_is_tracked_again_to_the_same_values(out: Path, sample_clip: Path) -> None:
    live = uneven_frames(sample_clip, 60)
    assert len({round(b.time - a.time, 3) for a, b in pairwise(live)}) > 10
    with Engine() as engine:
        take = Take(config(out, lossless=True), CAMERA, engine.meta())
        outcome = record(take, track(live, engine, ahead=1))
        sha256 = engine.meta()["model"]["sha256"]
    again = BatchConfig(output=OutputConfig(folder=str(out)))
    (replayed,) = run_batch([f"{outcome.name}.mkv"], again, {"model": sha256})
    assert (replayed.state, replayed.output) == ("done", f"{outcome.name}-2")
    ours, theirs = table(Path(f"{outcome.name}.csv")), table(Path(f"{replayed.output}.csv"))
    assert len(ours) == len(theirs) == 60 and sum(row["success"] == "1" for row in ours) > 50
    for mine, other in zip(ours, theirs, strict=True):
        assert [mine[name] for name in ("frame", "face_id", "timestamp", "status")] == [
            other[name] for name in ("frame", "face_id", "timestamp", "status")
        ]
        for name in ("valence", "arousal", "valence_frame", "arousal_frame", "valence_smooth", "arousal_smooth"):
            assert abs(float(mine[name] or 9) - float(other[name] or 9)) <= 1e-4, name
    assert read_sheet(Path(f"{outcome.name}.meta.json"))["model"]["name"] == DEFAULT_MODEL


# Events and the sheet.


def test_events_have_the_frames_and_times_of_the_rows(out: Path) -> None:
    take, recorded = Take(config(out), CAMERA, ENGINE), frames()
    take.mark(Event(12.312, 39, "before its first frame"))
    for each in recorded[:3]:
        take.write(each)
    take.mark(Event(TIMES[2], 42, 'marker 1, "loud"'))
    record(take, recorded[3:])
    lines = the(out, ".events.csv").read_text().splitlines()
    assert lines == [
        "frame,timestamp,event",
        "0,0.0,start",
        "0,0.0,before its first frame",
        '2,0.067,"marker 1, ""loud"""',
        "6,0.856,end",
    ]
    told = read_sheet(the(out, ".meta.json"))["recording"]["events"]
    assert told[2] == {"frame": 2, "timestamp": 0.067, "event": 'marker 1, "loud"'} and len(told) == 4


def test_events_count_as_the_rows_do(out: Path) -> None:
    record(Take(config(out, {"columns": "openface"}), CAMERA, ENGINE), frames())
    assert [row["frame"] for row in table(the(out, ".events.csv"))] == ["1", "7"]
    assert [event["frame"] for event in read_sheet(the(out, ".meta.json"))["recording"]["events"]] == [1, 7]
    assert [row["frame"] for row in table(the(out, ".csv"))] == list("1234567")


def test_events_are_in_the_file_at_once(out: Path) -> None:
    take = Take(config(out), CAMERA, ENGINE)
    take.write(frames()[0])
    take.mark(Event(TIMES[0], 40, "marker 1"))
    assert the(out, ".events.part.csv").read_text().endswith("0,0.0,marker 1\n")
    take.finish()


def test_the_sheet_tells_when_and_how(out: Path) -> None:
    take = Take(config(out), CAMERA, ENGINE, dropped=3)
    first, *rest = frames()
    take.write(replace(first, frame=replace(first.frame, captured=time.monotonic() - 2.0)))
    record(take, rest, None, SourceReport(60, 0, ("a stream was opened again",), True, dropped=8))
    sheet = read_sheet(the(out, ".meta.json"))
    assert sheet["complete"] is True and sheet["warnings"] == ["a stream was opened again"]
    assert (sheet["decoded"], sheet["rows"], sheet["with_faces"]) == (7, 7, 7)
    assert sheet["source"]["uri"] == "camera:0" and sheet["source"]["path"] is None
    assert sheet["options"]["capture"]["pace"] == 1.0 and sheet["options"]["lossless"] is False
    assert sheet["options"]["output"]["csv"] is True and "folder" not in sheet["options"]["output"]
    recording = sheet["recording"]
    assert (recording["run_time"], recording["length"], recording["dropped"]) == (12.345, 0.856, 5)
    began = datetime.fromisoformat(recording["began"])
    assert began.tzinfo is not None
    assert timedelta(seconds=2) <= datetime.now().astimezone() - began < timedelta(seconds=60)


def test_drops_that_nobody_counted_are_not_told(out: Path) -> None:
    record(Take(config(out), CAMERA, ENGINE), frames())
    assert read_sheet(the(out, ".meta.json"))["recording"]["dropped"] is None


def test_a_take_of_a_file_does_not_pass_for_what_affect_track_made_of_it(out: Path, sample_clip: Path) -> None:
    record(Take(config(out), replace(CAMERA, uri=str(sample_clip), kind="video"), ENGINE), frames())
    sheet = read_sheet(the(out, ".meta.json"))
    assert sheet["source"]["path"] is None and sheet["source"]["uri"] == str(sample_clip)


def test_rows_have_what_differs_from_the_baseline(out: Path) -> None:
    neutral = replace(sample_at(12.345), valence_rel=0.25, arousal_rel=-0.5)
    recorded = [tracked(40, 12.345, samples=[neutral]), tracked(41, 12.4), without_face(42, 12.5)]
    record(Take(config(out), CAMERA, ENGINE), recorded)
    rows = table(the(out, ".csv"))
    assert list(rows[0])[-2:] == ["valence_rel", "arousal_rel"]
    assert [(row["valence_rel"], row["arousal_rel"]) for row in rows] == [("0.25", "-0.5"), ("", ""), ("", "")]


# What goes wrong.


def test_what_ends_a_run_leaves_whole_files(out: Path) -> None:
    outcome = record(Take(config(out, lossless=True), CAMERA, ENGINE), frames(), "camera:0 was unplugged")
    assert suffixes(out) == {".csv", ".mkv", ".events.csv", ".meta.json"}
    assert outcome.problems == ("camera:0 was unplugged",) and str(outcome).endswith("(camera:0 was unplugged)")
    sheet = read_sheet(the(out, ".meta.json"))
    assert sheet["complete"] is False and sheet["warnings"] == ["camera:0 was unplugged"]
    assert times_of(the(out, ".mkv")) == pytest.approx(OWN_TIMES, abs=1e-9)
    assert table(the(out, ".events.csv"))[-1]["event"] == "end"


@pytest.mark.parametrize(("lossless", "suffix"), [(True, ".mkv"), (False, ".mp4")])
def test_a_full_disk_keeps_what_was_recorded(out: Path, lossless: bool, suffix: str) -> None:
    take = Take(config(out, lossless=lossless), CAMERA, ENGINE)
    with disk_of(400_000):
        with pytest.raises(SinkError) as told:
            for k in range(3000):
                take.write(noisy(k, k / 30))
        outcome = take.finish(str(told.value))
    video = the(out, suffix)
    reason = f"cannot write {video}: file too large; what was written so far is in {video}"
    assert outcome.problems == (reason,)
    assert suffixes(out) == {".csv", suffix, ".events.csv", ".meta.json"}
    rows, times = table(the(out, ".csv")), times_of(video)
    assert len(rows) >= len(times) >= 20
    assert times == pytest.approx([float(row["timestamp"]) for row in rows[: len(times)]], abs=1e-6)
    sheet = read_sheet(the(out, ".meta.json"))
    assert sheet["complete"] is False and sheet["warnings"] == [reason]


def test_a_picture_that_cannot_be_drawn_spoils_nothing_else(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> bytes:
        raise RuntimeError("no font")

    monkeypatch.setattr("tracker.drawing.plots.draw_traces", fails)
    outcome = record(Take(config(out, {"plot": True}), CAMERA, ENGINE), frames())
    assert outcome.problems == ("unexpected RuntimeError: no font; run again with --debug",)
    assert suffixes(out) == {".csv", ".mp4", ".events.csv", ".meta.json"}
    sheet = read_sheet(the(out, ".meta.json"))
    assert sheet["complete"] is False and set(sheet["outputs"]) == {"csv", "picture", "events"}


def test_a_take_without_a_frame_leaves_nothing(out: Path) -> None:
    take = Take(config(out, {"parquet": True, "plot": True}, lossless=True), CAMERA, ENGINE)
    take.mark(Event(1.0, 30, "marker 1"))
    outcome = take.finish("camera:0 was unplugged")
    assert list(out.iterdir()) == [] and outcome.files == ()
    assert str(outcome) == f"recording {take.name}: no frame came, so nothing is kept (camera:0 was unplugged)"


def test_an_output_that_cannot_be_opened_leaves_nothing(out: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match=r"is not a folder; choose another output folder"):
        Take(config(out, {"jsonl": f"{tmp_path}/file/"}), CAMERA, ENGINE)
    assert list(out.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_one_plain_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match=r"^cannot write to .*: not a directory; choose another folder with -o$"):
        Take(config(tmp_path / "file" / "out"), CAMERA, ENGINE)


@pytest.mark.parametrize(
    ("choices", "text"),
    [
        ({"lossless": True, "output": {"blur_faces": True}}, "keeps every face as it was captured"),
        ({"lossless": True, "picture": False}, "asks for a video"),
        ({"output": {"jsonl": "all.jsonl"}}, r"is one file for any number of recordings; give a folder \(all.jsonl/\)"),
    ],
)
def test_choices_that_cannot_be_had_together(out: Path, choices: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        check_takes(config(out, **choices))
    with pytest.raises(UsageError, match=text):
        Take(config(out, **choices), CAMERA, ENGINE)
    assert not out.exists()


def faces_of(path: Path) -> Iterator[np.ndarray]:
    """The inner part of the face in each picture of the video."""
    with open_source(str(path)) as source:
        for frame in source:
            yield frame.image[40:80, 40:80].astype(float)


@pytest.mark.parametrize("blur", [False, True])
def test_a_blurred_recording_shows_nobody(out: Path, blur: bool) -> None:
    squares = (np.indices((120, 120)) // 4).sum(0) % 2
    checks = np.repeat(200 * squares[..., None], 3, axis=2).astype(np.uint8)
    boxed = [tracked(k, k / 30, size=(120, 120), boxes=[(30, 30, 90, 90)]) for k in range(3)]
    shown = [replace(each, frame=replace(each.frame, image=checks)) for each in boxed]
    record(Take(config(out, {"blur_faces": blur}), CAMERA, ENGINE), shown)
    contrast = [np.abs(np.diff(face[..., 0], axis=1)).max() for face in faces_of(the(out, ".mp4"))]
    assert max(contrast) < 60 if blur else min(contrast) > 120
