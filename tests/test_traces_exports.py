"""Exports of traces, read back by the programs' own libraries."""

import csv
import gzip
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from trace_files import frames_of, trace_file
from tracked import sample_at, tracked, without_face

from tracker.cli import main

AFFECT = [*[(-0.4, 0.2)] * 50, *[None] * 10, *[(0.6, -0.2)] * 40]
"""Four seconds at 25 Hz: unpleasant and active, nobody, pleasant and calm."""


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """The records of AFFECT, with events: one that lasts and a moment."""
    file = trace_file(tmp_path / "out", frames_of(AFFECT))
    events = 'onset,duration,trial_type\n0.5,1,"say ""cheese"" <b> é"\n3,,bell\n'
    (tmp_path / "out" / "clip.events.csv").write_text(events, encoding="utf-8")
    return file


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def exported(trace: Path, kind: str, *more: object) -> Path:
    folder = trace.parents[1] / kind
    result = run("export-trace", trace, "--to", kind, "-o", folder, *more)
    assert result.exit_code == 0, result.output
    return folder


def test_elan_is_read_by_pympi(trace: Path) -> None:
    elan = pytest.importorskip("pympi.Elan")
    file = elan.Eaf(str(exported(trace, "elan", "--step", 1) / "clip.eaf"))
    names = ["status face 0", "quadrant face 0", "valence face 0", "arousal face 0", "events"]
    assert list(file.get_tier_names()) == names

    def tier(name: str) -> list[tuple[int, int, str]]:
        return [annotation[:3] for annotation in file.get_annotation_data_for_tier(name)]

    assert tier("status face 0") == [(0, 2000, "ok"), (2000, 2400, "no_face"), (2400, 4000, "ok")]
    assert tier("quadrant face 0") == [(0, 2000, "unpleasant, active"), (2400, 4000, "pleasant, calm")]
    assert tier("valence face 0")[1:3] == [(1000, 2000, "-0.400"), (2000, 3000, "+0.600")]
    assert tier("events") == [(500, 1500, 'say "cheese" <b> é'), (3000, 3040, "bell")]
    assert file.media_descriptors[0]["MEDIA_URL"] == "file:///films/clip.mp4"


def test_praat_is_read_by_praatio(trace: Path) -> None:
    textgrid = pytest.importorskip("praatio.textgrid")
    path = exported(trace, "textgrid", "--step", 1) / "clip.TextGrid"
    grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=True, reportingMode="error")
    assert grid.maxTimestamp == 4.0 and len(grid.tierNames) == 5
    status = [tuple(entry) for entry in grid.getTier("status face 0").entries]
    assert status == [(0, 2, "ok"), (2, 2.4, "no_face"), (2.4, 4, "ok")]
    events = [tuple(entry) for entry in grid.getTier("events").entries]
    assert [label for *_, label in events] == ["", 'say "cheese" <b> é', "", "bell", ""]
    for name in grid.tierNames:
        entries = grid.getTier(name).entries
        assert entries[0].start == 0 and entries[-1].end == 4.0
        assert all(one.end == other.start for one, other in pairwise(entries))


def test_praat_and_pympi_agree(trace: Path) -> None:
    praat = pytest.importorskip("pympi.Praat")
    grid = praat.TextGrid(str(exported(trace, "textgrid") / "clip.TextGrid"))
    values = [float(label) for *_, label in grid.get_tier("valence face 0").get_intervals() if label]
    assert values == [-0.4] * 4 + [0.6] * 4


def test_bids_has_valid_names_and_the_values(trace: Path) -> None:
    validator = pytest.importorskip("bids_validator").BIDSValidator()
    root = exported(trace, "bids", "--participant", "07", "--session", "a", "--task", "film")
    files = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    assert [file for file in files if not validator.is_bids(f"/{file}")] == []
    stem = root / "sub-07" / "ses-a" / "beh" / "sub-07_ses-a_task-film"
    about = json.loads(Path(f"{stem}_recording-face0_physio.json").read_text(encoding="utf-8"))
    assert about["SamplingFrequency"] == pytest.approx(25) and about["StartTime"] == 0
    with gzip.open(f"{stem}_recording-face0_physio.tsv.gz", "rt") as text:
        rows = [line.rstrip("\n").split("\t") for line in text]
    columns = dict(zip(about["Columns"], zip(*rows, strict=True), strict=True))
    assert len(rows) == 100 and set(about["Columns"]) < set(about)
    assert columns["valence_smooth"][49:61] == ("-0.4", *["n/a"] * 10, "0.6")
    assert columns["success"][49:61] == ("1", *["0"] * 10, "1")
    events = Path(f"{stem}_events.tsv").read_text(encoding="utf-8").splitlines()
    assert events[0] == "onset\tduration\ttrial_type" and events[2] == "3.000000\tn/a\tbell"


def test_edf_is_read_by_pyedflib(trace: Path) -> None:
    pytest.importorskip("edfio")
    pyedflib = pytest.importorskip("pyedflib")
    with pyedflib.EdfReader(str(exported(trace, "edf") / "clip.face0.edf")) as file:
        labels = file.getSignalLabels()
        assert labels[:2] == ["valence", "arousal"] and file.getSampleFrequency(0) == 25
        valence, success = file.readSignal(0), file.readSignal(labels.index("success"))
        onsets, durations, texts = file.readAnnotations()
        transducer = file.getTransducer(0)
    assert np.abs(valence[:50] + 0.4).max() < 1e-4 and np.abs(valence[60:] - 0.6).max() < 1e-4
    assert np.abs(valence[50:60] + 2).max() < 1e-4 and "-2 = not measured" in transducer
    assert success.round().tolist() == [1.0] * 50 + [0.0] * 10 + [1.0] * 40
    assert onsets.tolist() == [0.5, 3.0] and durations[0] == 1.0
    assert list(texts) == ['say "cheese" <b> é', "bell"]


def test_a_table_has_even_steps_though_the_frames_have_not(tmp_path: Path) -> None:
    times = [0.0, 0.1, 0.2, 0.6, 0.7, 0.8]
    frames = [tracked(place, time, [sample_at(time, affect=(time, 0))]) for place, time in enumerate(times)]
    frames.append(without_face(6, 0.9))
    trace = trace_file(tmp_path / "out", frames)
    with (exported(trace, "table") / "clip.face0.table.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["time"]) for row in rows] == pytest.approx(np.arange(10) / 10)
    assert [row["valence_smooth"] for row in rows] == ["0", "0.1", "0.2", "0.2", "", "0.6", "0.6", "0.7", "0.8", ""]
    assert [row["success"] for row in rows] == ["1", "1", "1", "1", "0", "1", "1", "1", "1", "0"]


def test_what_cannot_be_exported_is_said(trace: Path, tmp_path: Path) -> None:
    nobody = trace_file(tmp_path / "nobody", frames_of([None] * 5), "nobody")
    twin = trace_file(tmp_path / "twin", frames_of([(0.1, 0.1)] * 5))
    calls = {
        "has no face in any frame": ([nobody], 1),
        "two traces would make": ([trace, twin], 2),
        "expected letters and digits alone": ([trace, "--to", "bids", "--participant", "sub-1"], 2),
    }
    for message, (call, code) in calls.items():
        result = run("export-trace", *call, "-o", tmp_path / "made")
        assert result.exit_code == code and message in result.output, result.output
    exported(trace, "elan")
    again = run("export-trace", trace, "--to", "elan", "-o", tmp_path / "elan")
    assert again.exit_code == 2 and "--overwrite replaces it" in again.output
