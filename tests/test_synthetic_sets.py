"""Sets of synthetic faces: BU-3DFE's protocol, the same bytes for the same seed, and what a full disk leaves."""

import hashlib
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from synthetic_studio import NumberStudio, open_number_studio

from tracker.cli import main
from tracker.errors import SinkError, UsageError
from train.datasets import table
from train.prepared import SPLITS
from train.synthesis.clips import make_clips
from train.synthesis.config import SIX, ClipConfig, Liveliness, SetConfig
from train.synthesis.persons import CHANGE_SPREAD, MOST_CHANGE, draw_person
from train.synthesis.protocol import pictures_of, splits_of
from train.synthesis.sets import make_set
from train.synthesis.tracks import Trace

SMALL = SetConfig(persons=5, size=64)


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file by its name."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_protocol_is_that_of_bu_3dfe() -> None:
    config = SetConfig()
    pictures = [picture for person in range(config.persons) for picture in pictures_of(config, person)]
    assert len(pictures) == len({picture.path for picture in pictures}) == 2500
    assert {(p.expression, p.degree) for p in pictures} == {("neutral", 0), *((e, d) for e in SIX for d in range(1, 5))}


def test_persons_are_split_80_10_10() -> None:
    splits = splits_of(100, 5230)
    assert [splits.count(name) for name in SPLITS] == [80, 10, 10]
    assert splits == splits_of(100, 5230) != splits_of(100, 5231)


def test_persons_are_moderate_different_and_the_same_for_their_seed() -> None:
    persons = [draw_person(7, index) for index in range(200)]
    again, changes = draw_person(7, 3), np.stack([person.changes for person in persons])
    np.testing.assert_array_equal(persons[3].changes, again.changes)
    assert (persons[3].name, persons[3].style, persons[3].tone) == (again.name, again.style, again.tone)
    assert np.abs(changes).max() <= MOST_CHANGE and changes.std() == pytest.approx(CHANGE_SPREAD, rel=0.05)
    assert all(abs(person.shapes.sum() - 1) < 1e-9 and 0 <= person.tone <= 1 for person in persons)
    assert np.std([person.tone for person in persons]) > 0.15


def test_the_same_seed_gives_the_same_bytes_with_any_number_of_processes(tmp_path: Path) -> None:
    one = make_set(tmp_path / "one", SMALL, workers=1, studio=open_number_studio)
    two = make_set(tmp_path / "two", SMALL, workers=2, studio=open_number_studio)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    assert one == two
    other = make_set(tmp_path / "other", SetConfig(persons=5, size=64, seed=1), workers=1, studio=open_number_studio)
    assert other["sha256_of_pixels"] != one["sha256_of_pixels"]


def test_a_set_is_read_as_a_table(tmp_path: Path) -> None:
    make_set(tmp_path, SMALL, workers=1, studio=open_number_studio)
    listing = table.read(tmp_path / table_name())
    labels = np.concatenate([part.labels for part in listing.parts])
    assert labels.shape == (125, 2) and np.abs(labels).max() <= 1
    assert len({subject for part in listing.parts for subject in part.subjects}) == 5
    with np.load(tmp_path / "landmarks.npz") as points:
        assert points["points"].shape == (125, 83, 3) and points["mediapipe"].shape == (83,)
        assert points["paths"][1] == "images/person-000/anger-1.png"


def table_name() -> str:
    return "table.csv"


def test_a_full_disk_loses_nothing_and_resume_goes_on(tmp_path: Path) -> None:
    make_set(tmp_path / "whole", SMALL, workers=1, studio=open_number_studio)
    full = tmp_path / "full"
    told = "full cannot be written: No space left on device; free space and run the same command again with --resume"
    with pytest.raises(SinkError, match=told):
        make_set(full, SMALL, workers=1, studio=partial(NumberStudio, room=60))
    kept = {name: value for name, value in digests(full).items() if name.startswith("images/")}
    assert len(kept) == 60 and not (full / "set.json").exists() and not list(full.rglob("*.part"))
    left = NumberStudio()
    make_set(full, SMALL, workers=1, resume=True, studio=lambda: left)
    assert 10**9 - left.room == 75, "the persons that were whole are not drawn again"
    assert digests(full) == digests(tmp_path / "whole")


def test_a_begun_folder_needs_resume_and_the_same_settings(tmp_path: Path) -> None:
    make_set(tmp_path / "set", SMALL, workers=1, studio=open_number_studio)
    with pytest.raises(UsageError, match="set was begun before; add --resume to go on, or choose another folder"):
        make_set(tmp_path / "set", SMALL, workers=1, studio=open_number_studio)
    with pytest.raises(UsageError, match="begun with other settings"):
        make_set(tmp_path / "set", SetConfig(persons=6, size=64), resume=True, studio=open_number_studio)
    assert make_set(tmp_path / "set", SMALL, resume=True, studio=open_number_studio)["pictures"] == 125
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").touch()
    with pytest.raises(UsageError, match="mine holds other files; choose a new or empty folder"):
        make_set(tmp_path / "mine", SMALL, studio=open_number_studio)


def test_clips_hold_the_truth_of_every_frame(tmp_path: Path) -> None:
    time = np.arange(20) / 10
    trace = Trace(time, np.stack([np.linspace(0, 1, 20), np.zeros(20)], axis=1))
    config = ClipConfig(count=2, rate_hz=10, size=64, lively=Liveliness(0, 0, 0))
    manifest = make_clips(tmp_path, config, (trace,), workers=1, studio=open_number_studio)
    rows = table.read(tmp_path / "table.csv").parts
    assert [len(part.labels) for part in rows] == [20, 20] and manifest["frames"] == 40
    assert rows[0].labels[5, 0] == pytest.approx(trace.affect[5, 0], abs=1e-4)
    assert rows[0].labels[-1, 0] < 0.75, "a face cannot show a valence of 1"
    assert manifest["beyond_reach"].keys() == {"clip-000", "clip-001"}
    assert (tmp_path / "clip-001.mp4").stat().st_size > 1000


def test_clips_are_the_same_bytes_for_the_same_seed(tmp_path: Path) -> None:
    config = ClipConfig(count=2, seconds=1, rate_hz=12, size=64)
    for name in ("one", "two"):
        make_clips(tmp_path / name, config, workers=1, studio=open_number_studio)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def told(*arguments: str) -> tuple[int, str]:
    """Exit code and what the program says."""
    done = CliRunner().invoke(main, ["synth", *arguments])
    return done.exit_code, done.output


def test_the_command_line_tells_what_is_wrong(tmp_path: Path) -> None:
    code, text = told("set", "--out", str(tmp_path / "a"), "--expressions", "happiness,joy")
    assert code == 2 and "no expression 'joy' in the table; expected neutral, anger" in text
    assert not (tmp_path / "a").exists()
    code, text = told("set", "--out", str(tmp_path / "a"), "--expressions", "fear,fear")
    assert code == 2 and "expected each once, and not neutral" in text
    code, text = told("clips", "--out", str(tmp_path / "a"), "--size", "65")
    assert code == 2 and "size is 65; expected an even number of pixels" in text
    code, text = told("check", str(tmp_path))
    assert code == 1 and "is no whole set of affect synth set: it has no table.csv" in text


def test_a_sheet_shows_persons_and_expressions(tmp_path: Path) -> None:
    make_set(tmp_path / "set", SMALL, workers=1, studio=open_number_studio)
    code, text = told("sheet", str(tmp_path / "set"), "--out", str(tmp_path / "sheet.png"), "--persons", "3")
    assert code == 0, text
    import cv2

    assert cv2.imread(str(tmp_path / "sheet.png")).shape == (3 * 128, 7 * 128, 3)


def test_the_manifest_says_how_the_set_was_made(tmp_path: Path) -> None:
    make_set(tmp_path, SMALL, workers=1, studio=open_number_studio)
    manifest = json.loads((tmp_path / "set.json").read_text(encoding="utf-8"))
    assert manifest["settings"]["seed"] == 5230 and manifest["degrees"] == [0.3, 0.55, 0.8, 1.0]
    assert manifest["action_units"]["happiness"].keys() == {"6", "12", "25", "26"}
