"""The scripts of docs/cluster.md, run as they stand there: two processes stand for two nodes."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from test_cli import model  # noqa: F401 - the fixture

from tracker.cli import main
from tracker.manifest import read_manifest

ROOT = Path(__file__).parents[1]
SECONDS = 240


@pytest.fixture
def place(tmp_path: Path, sample_clip: Path, model: str) -> Path:  # noqa: F811
    """A folder with four short clips, and a command `affect` that takes the start of each with a small model."""
    for name in ("a", "b", "x/a", "x/c"):
        (tmp_path / "videos" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(sample_clip, tmp_path / "videos" / f"{name}.mp4")
    (tmp_path / "bin").mkdir()
    affect = tmp_path / "bin" / "affect"
    call = f"{shlex.quote(sys.executable)} -m tracker.cli"
    extra = f"--model {shlex.quote(model)} --end 0.2"
    affect.write_text(f'#!/bin/sh\n[ "$1" = track ] && exec {call} "$@" {extra}\nexec {call} "$@"\n')
    affect.chmod(0o755)
    return tmp_path


def environment(place: Path, **more: str) -> dict[str, str]:
    paths = {"PATH": f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    return {**os.environ, **paths, **more}


def block(language: str) -> str:
    """The only block of code in a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", (ROOT / "docs" / "cluster.md").read_text(), re.M | re.S)
    return found


def check(place: Path) -> None:
    """All sources are done, each once, and in one table."""
    results = place / "results"
    told, lines = read_manifest(results / "run.jsonl")
    assert told["sources"] == 4 == len((results / "run.jsonl").read_text().splitlines()) - 1
    assert [(line["state"], line["rows"], line["tries"]) for line in lines.values()] == [("done", 5, 1)] * 4
    if not (results / "all.parquet").exists():
        merged = ["merge", str(results), "-o", str(results / "all.parquet"), "--manifest", str(results / "run.jsonl")]
        assert CliRunner().invoke(main, merged).exit_code == 0
    table = pd.read_parquet(results / "all.parquet")
    assert table.groupby("source")["frame"].apply(list).to_dict() == {source: [0, 1, 2, 3, 4] for source in lines}


def test_the_slurm_script_on_two_nodes(place: Path) -> None:
    script = place / "track.sh"
    script.write_text(block("bash"))
    array = {"VIDEOS": str(place / "videos"), "RESULTS": str(place / "results"), "SLURM_ARRAY_TASK_COUNT": "2"}
    nodes = [
        subprocess.Popen(
            ["bash", str(script)],
            env=environment(place, **array, SLURM_ARRAY_TASK_ID=task),
            stderr=subprocess.PIPE,
            text=True,
        )
        for task in "12"
    ]
    told = [node.communicate(timeout=SECONDS)[1] for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], told
    assert not any("frames/s" in each or "rows" in each for each in told)
    check(place)


def test_the_shell_commands_of_the_snakemake_rules(place: Path) -> None:
    """As snakemake fills them in; it need not be installed."""
    shells = re.findall(r"shell:\s*((?:\"[^\n]*\"\s*)+)", block("python"))
    track, merge = ("".join(re.findall(r'"(.*)"', text)) for text in shells)
    fields = {"{params.videos:q}": place / "videos", "{params.results:q}": place / "results", "{params.shards}": 2}
    fields["{output:q}"] = place / "results" / "all.parquet"
    for name, value in fields.items():
        track, merge = track.replace(name, str(value)), merge.replace(name, str(value))
    nodes = [
        subprocess.Popen(["sh", "-c", track.replace("{wildcards.i}", part)], env=environment(place)) for part in "12"
    ]
    assert [node.wait(SECONDS) for node in nodes] == [0, 0]
    assert subprocess.run(["sh", "-c", merge], env=environment(place), timeout=SECONDS).returncode == 0
    check(place)


def test_the_snakemake_rules(place: Path) -> None:
    snakemake = shutil.which(os.environ.get("SNAKEMAKE", "snakemake"))
    if snakemake is None:
        pytest.skip("needs snakemake, or its path in SNAKEMAKE")
    (place / "Snakefile").write_text(block("python"))
    chosen = [f"videos={place / 'videos'}", f"results={place / 'results'}", "shards=2"]
    call = [snakemake, "--cores", "4", "--directory", str(place), "--snakefile", str(place / "Snakefile"), "--config"]
    done = subprocess.run([*call, *chosen], env=environment(place), capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    check(place)


def test_rerun_gives_the_same_bytes(place: Path, model: str) -> None:  # noqa: F811
    out, again = place / "out", place / "again"
    options = [
        "--end",
        "0.4",
        "--model",
        model,
        "--parquet",
        "--jsonl",
        f"{out}/",
        "--faces",
        "2",
        "--smoothing",
        "ema",
    ]
    source = str(place / "videos" / "a.mp4")
    assert CliRunner().invoke(main, ["track", source, "-o", str(out), *options, "--quiet"]).output == ""
    result = CliRunner().invoke(main, ["rerun", str(out / "a.meta.json"), "-o", str(again)])
    assert result.exit_code == 0, result.output
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        assert (again / name).read_bytes() == (
            out / name
        ).read_bytes() and f"{name}: the same bytes as" in result.output
    shutil.rmtree(again)
    (out / "a.csv").write_text((out / "a.csv").read_text().replace("ok", "no"))
    result = CliRunner().invoke(main, ["rerun", str(out / "a.meta.json"), "-o", str(again)])
    assert result.exit_code == 1 and "a.csv: differs from" in result.output
    os.utime(source)
    result = CliRunner().invoke(main, ["rerun", str(out / "a.meta.json"), "-o", str(place / "third")])
    assert result.exit_code == 2 and "is not there as it was when" in result.output
    result = CliRunner().invoke(main, ["rerun", str(place / "bin" / "affect"), "-o", str(again)])
    assert result.exit_code == 2 and "tells of no complete run" in result.output
