"""Names of outputs, claims, and what counts as complete."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from tracker.config import BatchConfig, OutputConfig, SmoothingConfig, SourceOptions, TrackerConfig
from tracker.errors import SinkError, UsageError
from tracker.outputs import Job, check_outputs, claim, identity, is_complete, release, settings

SHA = "ab" * 32
MODELS = {"model": SHA}


def make_file(path: Path, content: str = "film") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return str(path)


def finish(job: Job, config: BatchConfig, **changes: object) -> None:
    """Write the outputs and the sheet that a whole run leaves."""
    for path in job.outputs(config.output).values():
        if path != "-":
            Path(path).write_text("rows")
    sheet = {"complete": True, "source": job.source, "model": {"sha256": SHA}, "options": settings(config), **changes}
    job.sheet.write_text(json.dumps(sheet))


def stems(jobs: list[Job]) -> list[str]:
    return [job.stem for job in jobs]


@pytest.mark.parametrize(
    ("uri", "stem"),
    [
        ("clip.mp4", "clip"),
        ("clip.take.2.mov", "clip.take.2"),
        ("Ärger 2 – früh.mkv", "Ärger 2 – früh"),
        ("noname", "noname"),
    ],
)
def test_outputs_bear_the_name_of_the_file(tmp_path: Path, uri: str, stem: str) -> None:
    job = claim([make_file(tmp_path / uri)], tmp_path / "out")[0]
    config = OutputConfig(jsonl=f"{tmp_path}/lines/", parquet=True, video=True, plot=True, attention=True)
    assert {kind: Path(path).name for kind, path in job.outputs(config).items()} == {
        "csv": f"{stem}.csv",
        "jsonl": f"{stem}.jsonl",
        "parquet": f"{stem}.parquet",
        "video": f"{stem}.overlay.mp4",
        "plot": f"{stem}.png",
        "attention": f"{stem}.attention.png",
    }
    assert job.sheet == tmp_path / "out" / f"{stem}.meta.json"


def test_what_is_no_file_has_a_name_too(tmp_path: Path) -> None:
    (tmp_path / "shots").mkdir()
    make_file(tmp_path / "shots" / "a.png")
    jobs = claim(["-", str(tmp_path / "shots"), str(tmp_path / "shots" / "*.png"), "http://h/v/talk.mp4?x=1"], tmp_path)
    assert stems(jobs) == ["stdin", "shots", "shots-2", "talk"]


def test_sources_of_one_name_get_names_of_their_own(tmp_path: Path) -> None:
    uris = [make_file(tmp_path / folder / "clip.mp4") for folder in "abc"]
    assert stems(claim(uris, tmp_path / "out")) == ["clip", "clip-2", "clip-3"]


def test_a_source_keeps_its_name_in_later_calls(tmp_path: Path) -> None:
    a, b, c = (make_file(tmp_path / folder / "clip.mp4") for folder in "abc")
    out = tmp_path / "out"
    for job in claim([a, b], out):
        finish(job, BatchConfig())
    assert stems(claim([c, b, a], out)) == ["clip-3", "clip-2", "clip"]
    for path in out.glob("clip.*"):
        path.unlink()
    assert stems(claim([b], out)) == ["clip-2"]


def test_standard_input_never_overwrites_an_earlier_one(tmp_path: Path) -> None:
    finish(claim(["-"], tmp_path)[0], BatchConfig())
    assert stems(claim(["-"], tmp_path)) == ["stdin-2"]


def test_a_file_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    clip = make_file(tmp_path / "clip.mp4")
    mine = make_file(tmp_path / "clip.csv", "my own table")
    assert stems(claim([clip], tmp_path)) == ["clip-2"]
    assert Path(mine).read_text() == "my own table"


def test_a_picture_beside_its_outputs_is_not_overwritten(tmp_path: Path) -> None:
    picture = make_file(tmp_path / "face.png")
    job = claim([picture], tmp_path)[0]
    assert str(job.outputs(OutputConfig(plot=True))["plot"]) != picture


def test_a_claim_of_which_nothing_came_is_released(tmp_path: Path) -> None:
    begun, done = claim([make_file(tmp_path / "a.mp4"), make_file(tmp_path / "b.mp4")], tmp_path / "out")
    finish(done, BatchConfig())
    release(begun)
    release(done)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["b.csv", "b.meta.json"]


def test_a_folder_that_cannot_be_written_is_one_plain_line(tmp_path: Path) -> None:
    clip = make_file(tmp_path / "clip.mp4")
    with pytest.raises(SinkError, match=r"^cannot write to .*clip.mp4.*: .*; choose another folder with -o$"):
        claim([clip], Path(clip) / "out")


def test_what_a_whole_run_left_is_complete(tmp_path: Path) -> None:
    config = BatchConfig(output=OutputConfig(jsonl="-", plot=True))
    job = claim([make_file(tmp_path / "clip.mp4")], tmp_path)[0]
    assert not is_complete(job, config, MODELS)
    finish(job, config)
    assert is_complete(job, config, MODELS)
    assert is_complete(claim([job.uri], tmp_path)[0], config, MODELS)


@pytest.mark.parametrize(
    "config",
    [
        BatchConfig(output=OutputConfig(plot=True)),
        BatchConfig(output=OutputConfig(attention=True)),
        BatchConfig(output=OutputConfig(columns="openface")),
        BatchConfig(tracker=TrackerConfig(faces=2)),
        BatchConfig(tracker=TrackerConfig(smoothing=SmoothingConfig(kind="none"))),
        BatchConfig(source=SourceOptions(start=1.0)),
    ],
)
def test_other_settings_are_done_again(tmp_path: Path, config: BatchConfig) -> None:
    job = claim([make_file(tmp_path / "clip.mp4")], tmp_path)[0]
    finish(job, BatchConfig())
    Path(job.outputs(OutputConfig(plot=True))["plot"]).write_text("old picture")
    assert is_complete(job, BatchConfig(), MODELS)
    assert not is_complete(job, config, MODELS)


def test_settings_without_effect_do_not_count(tmp_path: Path) -> None:
    job = claim([make_file(tmp_path / "clip.mp4")], tmp_path)[0]
    finish(job, BatchConfig())
    assert is_complete(job, BatchConfig(workers=4, resume=True, tracker=TrackerConfig(threads=1)), MODELS)


@pytest.mark.parametrize("change", [{"complete": False}, {"model": {"sha256": "other"}}, {"options": {}}])
def test_another_state_or_model_is_done_again(tmp_path: Path, change: dict) -> None:
    job = claim([make_file(tmp_path / "clip.mp4")], tmp_path)[0]
    finish(job, BatchConfig(), **change)
    assert not is_complete(job, BatchConfig(), MODELS)


def test_a_changed_source_is_done_again(tmp_path: Path) -> None:
    clip = make_file(tmp_path / "clip.mp4")
    finish(claim([clip], tmp_path)[0], BatchConfig())
    os.utime(clip, (1, 1))
    assert not is_complete(claim([clip], tmp_path)[0], BatchConfig(), MODELS)


def test_a_changed_picture_changes_its_folder(tmp_path: Path) -> None:
    for name in ("1.png", "2.png"):
        make_file(tmp_path / "shots" / name)
    before = identity(str(tmp_path / "shots"))
    make_file(tmp_path / "shots" / "2.png", "retouched")
    after = identity(str(tmp_path / "shots"))
    assert before["path"] == after["path"]
    assert before["size"] == 8 and after["size"] == 13


def test_a_missing_output_is_done_again(tmp_path: Path) -> None:
    job = claim([make_file(tmp_path / "clip.mp4")], tmp_path)[0]
    finish(job, BatchConfig())
    (tmp_path / "clip.csv").unlink()
    assert not is_complete(job, BatchConfig(), MODELS)


@pytest.mark.parametrize(
    ("changes", "sources", "workers", "text"),
    [
        ({"csv": False}, 1, 1, "nothing to write"),
        ({"jsonl": "-"}, 2, 2, "would mix the lines"),
        ({"jsonl": "all.jsonl"}, 2, 1, "is one file for 2 sources"),
    ],
)
def test_outputs_that_cannot_be_had_together(changes: dict, sources: int, workers: int, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        check_outputs(replace(OutputConfig(), **changes), sources, workers)


def test_jsonl_does_not_swallow_a_film(tmp_path: Path) -> None:
    film = make_file(tmp_path / "clip.mp4")
    with pytest.raises(UsageError, match=r"would overwrite a file of another type"):
        check_outputs(OutputConfig(jsonl=film), 1, 1)
    check_outputs(OutputConfig(jsonl=make_file(tmp_path / "old.jsonl")), 1, 1)
