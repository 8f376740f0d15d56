"""Summaries of traces: what is read back, what comes of it, and what is refused."""

import csv
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from sessions import write_session
from trace_files import frames_of, trace_file
from tracked import sample_at, tracked

from tracker.cli import main
from tracker.config import SummaryConfig
from tracker.engine import Engine, track
from tracker.sources import open_source
from tracker.traces.events import read_events
from tracker.traces.reading import find_traces, read_trace
from tracker.traces.summary import count_peaks, summarise

HALVES = [(-0.4, 0.2)] * 50 + [(0.6, -0.2)] * 50
"""Two seconds unpleasant and active, then two pleasant and calm."""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("columns", ["affect", "pyfeat"])
def test_a_trace_is_read_back_whatever_its_type_and_names(kind: str, columns: str, tmp_path: Path) -> None:
    frames = frames_of([(0.5, -0.25), None, (0.25, 0.125)], rate_hz=10)
    trace = read_trace(trace_file(tmp_path, frames, kind=kind, columns=columns))
    assert trace.time.tolist() == pytest.approx([0, 0.1, 0.2]) and trace.end == pytest.approx(0.3)
    face = trace.face(0)
    assert face.status.tolist() == ["ok", "no_face", "ok"]
    assert face["valence_smooth"][[0, 2]].tolist() == pytest.approx([0.5, 0.25])
    assert np.isnan(face["arousal_smooth"][1]) and np.isnan(face["a column that is not there"]).all()
    assert face["pose_Ry"][0] == pytest.approx(0)
    assert trace.sheet["model"]["name"] == "anclaf-face"


def test_faces_are_told_apart_and_joined(tmp_path: Path) -> None:
    frames = [
        tracked(0, 0.0, [sample_at(0, 3, (0.5, 0)), sample_at(0, 4, (-0.5, 0))], boxes=[(0, 0, 9, 9), (0, 0, 20, 20)]),
        tracked(1, 0.1, [sample_at(0.1, 3, (0.25, 0))], boxes=[(0, 0, 9, 9)]),
    ]
    trace = read_trace(trace_file(tmp_path, frames))
    assert trace.face_ids == [3, 4]
    assert trace.face(4).status.tolist() == ["ok", "no_face"]
    assert trace.face(None)["valence_smooth"].tolist() == [-0.5, 0.25], "the larger of two faces"


def test_the_figures_are_those_of_the_frames(tmp_path: Path) -> None:
    status = ["ok"] * 100
    status[10:14] = ["low_quality"] * 4
    affect = [*HALVES[:20], *[None] * 6, *HALVES[26:]]
    file = trace_file(tmp_path, frames_of(affect, status))
    (summary,) = summarise([file], SummaryConfig())
    figures = summary.figures
    valence = np.array([-0.4] * 40 + [0.6] * 50)  # 50 less six lost and four of low quality
    assert figures["frames"] == 100 and figures["good"] == 90
    assert figures["lost"] == pytest.approx(0.06) and figures["low_quality"] == pytest.approx(0.04)
    assert figures["valence_mean"] == pytest.approx(valence.mean(), abs=1e-6)
    assert figures["valence_spread"] == pytest.approx(valence.std(ddof=1), abs=1e-6)
    assert figures["share_np"] == pytest.approx(40 / 90, abs=1e-6)
    assert figures["share_pn"] == pytest.approx(50 / 90, abs=1e-6)
    assert figures["valence_max_time"] == 2.0 and figures["arousal_max_time"] == 0.0
    assert figures["frontal"] == 1.0 and figures["head_turning"] == 0.0


def test_peaks_stand_out_on_both_sides() -> None:
    assert count_peaks([0, 0.3, 0.05, 0.3, 0.2, 0.35, 0]) == 2
    assert count_peaks([0, 0.15, 0, 0.15, 0]) == 0
    assert count_peaks([0.5, 0, 0.5]) == 0, "neither end is a peak"


def test_conditions_are_those_of_the_events(tmp_path: Path) -> None:
    file = trace_file(tmp_path / "out", frames_of(HALVES))
    events = tmp_path / "events.tsv"
    events.write_text("onset\tduration\ttrial_type\n0\t1\tsad\n2\t1\thappy\n1\t1\tsad\n", encoding="utf-8")
    result = run("summary", file, "--events", events, "--window", 0.5, "-o", tmp_path)
    assert result.exit_code == 0, result.output
    rows = table(tmp_path / "summary.csv")
    told = {(row["condition"], row["trial"], row["window"]): row for row in rows}
    assert float(told["sad", "", ""]["valence_mean"]) == pytest.approx(-0.4)
    assert told["sad", "", ""]["frames"] == "50" and told["sad", "2", ""]["frames"] == "25"
    assert float(told["happy", "1", ""]["valence_mean"]) == pytest.approx(0.6)
    assert told["sad", "2", "2"]["start"] == "1.5"
    assert len(rows) == 1 + 2 + 3 + 6
    page = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert "| happy | 2.00, 3.00 | 25 | 0% | 0% | +0.60" in page and "Fit to use?" in page


def test_what_a_reader_of_the_report_left_out_does_not_count(tmp_path: Path) -> None:
    trace = write_session(tmp_path, np.arange(100) / 25, faces=1)
    before = summarise([trace], SummaryConfig())
    (tmp_path / "session.events.csv").write_text(
        "frame,timestamp,event,duration\n25,1,excluded,2\n75,3,late,1\n", encoding="utf-8"
    )
    whole, *others = summarise([trace], SummaryConfig())
    assert [each.part.condition for each in others] == ["late", "late"]
    assert (before[0].figures["frames"], whole.figures["frames"]) == (100, 50)
    smooth = read_trace(trace).face(0)["valence_smooth"]
    kept = np.concatenate([smooth[:25], smooth[75:]])
    assert whole.figures["valence_mean"] == pytest.approx(np.nanmean(kept), abs=1e-6)


def test_a_moment_lasts_until_the_next_or_as_long_as_around_says(tmp_path: Path) -> None:
    file = trace_file(tmp_path, frames_of(HALVES))
    (tmp_path / "clip.events.csv").write_text("frame,timestamp,event\n25,1.0,one\n50,2.0,two\n", encoding="utf-8")
    spans = {s.part.told: s.part.spans for s in summarise([file], SummaryConfig())}
    assert spans["one 1"] == ((1.0, 2.0),) and spans["two 1"][0] == pytest.approx((2.0, 4.0))
    around = {s.part.told: s.part.spans for s in summarise([file], SummaryConfig(around=(-0.5, 0.25)))}
    assert around["two 1"] == ((1.5, 2.25),)


def test_the_verdict_says_what_is_wrong(tmp_path: Path) -> None:
    lost = [*HALVES[:50], *[None] * 50]
    cases = {
        "lost": (frames_of(lost), "no", "missing in 50% of the frames"),
        "small": (frames_of(HALVES, size=50), "with care", "size: the face is 50 px"),
        "tiny": (
            frames_of(HALVES, ["low_quality"] * 100, size=30),
            "no",
            "low quality in 100% of the frames: size 100%",
        ),
        "turned": (frames_of(HALVES, ["low_quality"] * 100, pose=(0, 1.0, 0)), "no", "turn 100%"),
        "dark": (frames_of(HALVES, ["low_quality"] * 100), "no", "light or blur 100%"),
        "slow": (frames_of(HALVES, rate_hz=5), "with care", "rate: 5.0 frames a second"),
    }
    for name, (frames, verdict, reason) in cases.items():
        (summary,) = summarise([trace_file(tmp_path, frames, name)], SummaryConfig())
        assert summary.fit.verdict == verdict, name
        assert any(reason in each for each in summary.fit.reasons), summary.fit.reasons
    noise = np.random.default_rng(1).normal(scale=0.1, size=(400, 2))
    (summary,) = summarise([trace_file(tmp_path, frames_of(noise.tolist()), "fine")], SummaryConfig())
    assert summary.fit.verdict == "yes" and summary.fit.reasons == ()


def test_what_is_wrong_is_said_in_one_line(tmp_path: Path) -> None:
    file = trace_file(tmp_path / "out", frames_of(HALVES))
    unknown, words = tmp_path / "unknown.csv", tmp_path / "words.csv"
    unknown.write_text("when,what\n1,happy\n", encoding="utf-8")
    words.write_text("onset,trial_type\nsoon,happy\n", encoding="utf-8")
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n", encoding="utf-8")
    film = tmp_path / "film.mp4"
    film.touch()
    (tmp_path / "empty").mkdir()
    calls = {
        "there is no trace": [tmp_path / "nothing.csv"],
        "holds no trace; expected what `affect track` writes": [tmp_path / "empty"],
        "is no trace; run `affect track": [film],
        "it lacks frame, face_id": [other],
        "have the columns when, what; expected onset": [file, "--events", unknown],
        "line 2: could not convert string to float: 'soon'; expected seconds": [file, "--events", words],
        "cannot be read: no such file": [file, "--events", tmp_path / "nowhere.csv"],
        "the window is 60 s, and": [file, "--window", 60],
    }
    for message, call in calls.items():
        result = run("summary", *call, "-o", tmp_path / "made")
        assert result.exit_code == 1, message
        assert message in result.output and result.output.count("\n") == 1, result.output
    assert not (tmp_path / "made").exists()


def test_pictures_have_no_time(tmp_path: Path) -> None:
    frames = [tracked(place, 0.0, [sample_at(0.0)]) for place in range(3)]
    file = trace_file(tmp_path, frames)
    result = run("summary", file, "-o", tmp_path / "made")
    assert result.exit_code == 1 and "tells of pictures, which have no time" in result.output
    one = trace_file(tmp_path, frames[:1], "one")
    (summary,) = summarise([one], SummaryConfig())
    assert summary.figures["good"] == 1 and summary.fit.verdict == "no"


def test_a_model_that_gives_no_numbers_is_not_a_lost_face(tmp_path: Path) -> None:
    affect = [*HALVES[:50], *[(np.nan, np.nan)] * 50]
    (summary,) = summarise(
        [trace_file(tmp_path, frames_of(affect, ["ok"] * 50 + ["model_fault"] * 50))], SummaryConfig()
    )
    assert summary.fit.lost == 0 and summary.fit.low_quality == 0
    assert "the model gave no numbers in 50% of the frames" in summary.fit.reasons


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    file = trace_file(tmp_path / "out", frames_of(HALVES))
    assert run("summary", file, "-o", tmp_path).exit_code == 0
    refused = run("summary", file, "-o", tmp_path)
    assert refused.exit_code == 2 and "--overwrite replaces it" in refused.output
    assert run("summary", tmp_path, "-o", tmp_path, "--overwrite").exit_code == 0
    assert find_traces([tmp_path]) == [file], "a summary is no trace"


def test_events_are_of_the_file_they_name(tmp_path: Path) -> None:
    events = tmp_path / "events.csv"
    events.write_text("file,onset,end,condition\na.mp4,1,2,x\nb.mp4,3,4,y\n", encoding="utf-8")
    assert [(each.condition, each.end) for each in read_events(events, "b")] == [("y", 4.0)]


def test_the_sample_clip(sample_clip: Path, tmp_path: Path) -> None:
    """She pleads, then smiles and laughs: unpleasant and active first, pleasant later, and few independent moments."""
    with open_source(str(sample_clip)) as source, Engine() as engine:
        file = trace_file(tmp_path, list(track(source, engine)))
    (tmp_path / "clip.events.csv").write_text("onset,duration,trial_type\n0,3.5,pleads\n4,5,smiles\n", encoding="utf-8")
    figures = {summary.part.told: summary.figures for summary in summarise([file], SummaryConfig())}
    assert figures["pleads"]["valence_mean"] == pytest.approx(-0.23, abs=0.04), "as docs/reading.md has it"
    assert figures["smiles"]["valence_mean"] == pytest.approx(0.75, abs=0.04)
    assert figures["pleads"]["share_np"] > 0.8 and figures["smiles"]["share_pp"] == 1
    assert figures["all"]["lost"] == 0 and figures["all"]["valence_effective"] < 10
    assert figures["all"]["fit"] == "with care"
