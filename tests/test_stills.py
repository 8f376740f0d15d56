"""Pictures that are no film: each is measured by itself."""

import csv
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from tracker.cli import main
from tracker.config import SourceOptions
from tracker.errors import SourceError, UsageError
from tracker.sources import expand_sources, open_source
from tracker.sources.images import is_sequence

MOMENTS = {"laughing.png": 6.5, "at ease.png": 0.5, "laughing again.png": 6.5, "between.jpg": 3.0}
"""Names of stills and the seconds of the sample clip that they show."""


@pytest.fixture(scope="module")
def album(sample_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("album")
    for name, time in MOMENTS.items():
        with open_source(str(sample_clip), SourceOptions(start=time)) as source:
            frame = next(iter(source))
        cv2.imwrite(str(folder / name), frame.image[..., ::-1])
    cv2.imwrite(str(folder / "nobody.png"), np.full((120, 160, 3), 90, np.uint8))
    return folder


def affect(*call: object) -> Result:
    return CliRunner().invoke(main, [str(part) for part in call])


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


NOT_MEASURED = ("frame", "source", "file")


def measured(row: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in row.items() if name not in NOT_MEASURED}


def track(sources: Sequence[object], out: Path, *options: object) -> list[dict[str, str]]:
    result = affect("track", *sources, "-o", out, *options)
    assert result.exit_code == 0, result.output
    (found,) = out.glob("*.csv")
    return table(found)


@pytest.mark.parametrize("model", ["anclaf-face", "anclaf-compact-SA-8"])
def test_each_is_measured_by_itself_whatever_came_before(album: Path, tmp_path: Path, model: str) -> None:
    rows = {row["file"]: row for row in track([album], tmp_path / "all", "--model", model)}
    assert list(rows) == ["at ease.png", "between.jpg", "laughing again.png", "laughing.png", "nobody.png"]
    assert measured(rows["laughing.png"]) == measured(rows["laughing again.png"])
    assert rows["nobody.png"]["status"] == "no_face"
    seen = [rows[name] for name in MOMENTS]
    assert {row["source"] for row in rows.values()} == {str(album)}
    assert all(row["face_id"] == "0" and row["timestamp"] == "0.0" for row in seen)
    assert all(row["valence"] == row["valence_smooth"] for row in seen)
    assert float(rows["laughing.png"]["valence"]) > float(rows["at ease.png"]["valence"]) + 0.5
    (alone,) = track([album / "laughing.png"], tmp_path / "one", "--model", model)
    assert measured(alone) == measured(rows["laughing.png"]) and alone["file"] == "laughing.png"


def test_they_are_a_film_where_that_is_said(album: Path, tmp_path: Path) -> None:
    for number, option in enumerate((["--sequence"], ["--fps", 10])):
        rows = track([album], tmp_path / str(number), *option)
        assert "file" not in rows[0] and float(rows[1]["timestamp"]) == (0.1 if number else 0.04)


@pytest.mark.parametrize(
    ("names", "film"),
    [
        (["shot1.png", "shot2.png", "shot3.png"], True),
        (["a_0010.jpg", "a_0020.jpg"], True),
        (["1.png", "2.png", "4.png"], False),
        (["anna1.png", "bert2.png"], False),
        (["1.png", "2.jpg"], False),
        (["face.png"], False),
        (["shot1.png"], False),
        (["a.png", "b.png"], False),
    ],
)
def test_numbered_names_are_a_film(names: list[str], film: bool) -> None:
    assert is_sequence(names) == film


def test_the_overlay_of_a_still_is_a_picture(album: Path, tmp_path: Path) -> None:
    track([album], tmp_path / "all", "--video")
    drawn = sorted(path.name for path in (tmp_path / "all" / f"{album.name}.overlay").iterdir())
    assert drawn == sorted(f"{path.name}.overlay.png" for path in album.iterdir())
    track([album / "laughing.png"], tmp_path / "one", "--video")
    before, after = (cv2.imread(str(path)) for path in (album / "laughing.png", tmp_path / "one/laughing.overlay.png"))
    assert after.shape == before.shape and (after != before).any()
    again = affect("track", album / "laughing.png", "-o", tmp_path / "one", "--video")
    assert again.exit_code == 0 and "is complete" in again.output


@pytest.mark.parametrize(("option", "does"), [("--plot", "draws"), ("--report", "shows")])
def test_stills_have_no_trace_over_time(album: Path, tmp_path: Path, option: str, does: str) -> None:
    result = affect("track", album, "-o", tmp_path, option)
    assert result.exit_code == 1
    assert f"is stills, and {option} {does} a trace over time; leave it out, or say --sequence" in result.output


def test_the_command_for_pictures(album: Path, tmp_path: Path) -> None:
    result = affect("image", album / "laughing.png", album)
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader(result.output.splitlines()))
    assert [row["file"] for row in rows] == ["laughing.png", *sorted(path.name for path in album.iterdir())]
    assert [row["source"] for row in rows[:2]] == [str(album / "laughing.png"), str(album)]
    assert measured(rows[0]) == measured(rows[4])
    result = affect("image", album / "laughing.png", "-o", tmp_path / "faces.csv", "--annotate", tmp_path / "drawn")
    assert result.exit_code == 0 and measured(table(tmp_path / "faces.csv")[0]) == measured(rows[0])
    assert [path.name for path in (tmp_path / "drawn").iterdir()] == ["laughing.png.overlay.png"]
    assert affect("image", album / "laughing.png", "-o", tmp_path / "faces.csv").exit_code == 1
    result = affect("image", tmp_path)
    assert result.exit_code == 1 and "is a folder without pictures or videos" in result.output


def test_an_empty_text_is_no_source(tmp_path: Path) -> None:
    for call in (["track", ""], ["track", " "], ["image", ""], ["info", ""]):
        result = affect(*call)
        assert result.exit_code == 2 and "a source is an empty text; expected a file" in result.output, call
    for look in (lambda: expand_sources([""]), lambda: open_source("")):
        with pytest.raises(UsageError, match="empty text"):
            look()


def test_a_folder_with_neither_says_what_was_looked_for_and_found(tmp_path: Path) -> None:
    for name in ("a.dv", "b.DV", "notes.txt"):
        (tmp_path / name).write_text("")
    told = r"without pictures or videos; looked for \.jpg, .*found 2 \.dv, 1 \.txt\. A file of another name"
    with pytest.raises(SourceError, match=told):
        expand_sources([str(tmp_path)])
