"""What a model tells of a face besides valence and arousal: from its feature to JSON lines and Parquet."""

import csv
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from click.testing import CliRunner, Result
from receivers import CONTEXT, closed_soon
from scenes import WrittenFaces, small_disvae, small_levasa, small_runtime, two_walkers
from tracked import context_of, looking, sample_at, tracked, without_face, written

from nets.checkpoint import save
from nets.network import Network
from nets.torch_runtime import TorchRuntime
from tracker.cli import main
from tracker.config import LiveConfig, OutputConfig, TrackerConfig
from tracker.engine import Engine, track
from tracker.faces.align import Template, align
from tracker.live import run_live
from tracker.outlets.messages import Fields, frame_message
from tracker.outlets.standard_output import StdoutOutlet
from tracker.sinks.parquet import schema
from tracker.sinks.records import COLUMNS, RELATIVE, extra_columns, rows
from tracker.types import AffectSample, TrackedFrame

CODES = tuple(f"e_{i}" for i in range(5))
SHARES = ("p_neutral", "p_anger", "p_happiness")
NAMES = (*CODES, *SHARES)
CENTRES = np.array([[0.0, 0.0], [-0.6, 0.5], [0.7, 0.2]])


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DisVAE with random weights."""
    path = tmp_path_factory.mktemp("models") / "random-disvae.safetensors"
    save(path, *small_disvae())
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def lines_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


# The engine.


def tracked_by(model: Network, count: int = 20) -> tuple[Engine, list[TrackedFrame]]:
    engine = Engine(TorchRuntime(model, small_disvae()[1]), TrackerConfig(faces=2), WrittenFaces())
    with engine:
        return engine, list(track(two_walkers(count), engine))


def test_each_face_has_the_feature_of_its_own_crop() -> None:
    model, card = small_disvae()
    engine, frames = tracked_by(model)
    assert engine.reading_names == model.reading_names == NAMES
    assert [len(frame.samples) for frame in frames].count(2) > 10
    template = Template.from_card(card.crop)
    for frame in frames:
        for face, sample in zip(frame.faces, frame.samples, strict=True):
            crop = torch.from_numpy(align(frame.frame.image, face.landmarks, template)).permute(2, 0, 1)[None]
            with torch.no_grad():
                code = model.expression(crop).mean
                expected = torch.cat([code, model.classify(code).softmax(1)], 1)[0].numpy()
            assert sample.readings is not None and sample.readings.dtype == np.float32
            np.testing.assert_allclose(sample.readings, expected, atol=2e-5)
            np.testing.assert_allclose([sample.valence, sample.arousal], expected[5:] @ CENTRES, atol=2e-5)
    assert np.std([sample.readings for frame in frames for sample in frame.samples], axis=0).min() > 1e-3


def test_the_sheet_names_them() -> None:
    engine, _ = tracked_by(small_disvae()[0], 1)
    assert json.loads(json.dumps(engine.meta()))["readings"] == list(NAMES)


@pytest.mark.parametrize(
    "runtime", [small_runtime("attention"), TorchRuntime(*small_levasa())], ids=["anclaf", "levasa"]
)
def test_a_model_without_has_none(runtime: TorchRuntime) -> None:
    with Engine(runtime, TrackerConfig(faces=2), WrittenFaces()) as engine:
        samples = [sample for frame in track(two_walkers(4), engine) for sample in frame.samples]
    assert engine.reading_names == () and engine.meta()["readings"] == []
    assert len(samples) == 8 and all(sample.readings is None for sample in samples)


# Records.


def telling(track_id: int, *values: float) -> AffectSample:
    """A sample with readings, a baseline and attention."""
    sample = replace(sample_at(0.0, track_id), valence_rel=0.25, readings=np.array(values, np.float32))
    return looking(sample, [0.0, 1.0], [0.04, 0.0])


TWO = tracked(0, samples=[telling(0, 1 / 3, -0.5), telling(4, float("nan"), 1e-9)], size=(2, 2))


@pytest.mark.parametrize("columns", ["affect", "openface", "pyfeat"])
def test_they_stand_behind_all_others_under_their_own_names(columns) -> None:
    first, second = rows(TWO, columns, extra_columns(["attention", "relative"], ["z_0", "z_1"]))
    names = ["attention", "attention_age", "valence_rel", "arousal_rel", "z_0", "z_1"]
    assert list(first)[len(COLUMNS) :] == list(second)[len(COLUMNS) :] == names
    assert (first["valence_rel"], first["z_0"], first["z_1"]) == (0.25, 0.333333, -0.5)
    assert second["z_0"] is None and str(second["z_1"]) == "0.0"


def test_who_does_not_ask_for_them_sees_none() -> None:
    assert list(rows(TWO)[0]) == [column.name for column in COLUMNS]
    assert list(rows(TWO, extras=RELATIVE)[0])[-1] == "arousal_rel"


@pytest.mark.parametrize("frame", [without_face(0), tracked(0)], ids=["no face", "a face without"])
def test_what_has_none_has_null(frame: TrackedFrame) -> None:
    (row,) = rows(frame, extras=extra_columns([], ["z_0", "z_1"]))
    assert row["z_0"] is row["z_1"] is None


def test_the_schema_is_known_before_the_first_face(tmp_path: Path) -> None:
    columns = schema("affect", extra_columns(["relative"], ["z_0", "z_1"]))
    assert [(field.name, field.type) for field in columns][-2:] == [("z_0", pa.float32()), ("z_1", pa.float32())]
    context = context_of(extras=("relative",), readings=("z_0", "z_1"))
    frames = [without_face(0), TWO, without_face(2)]
    table = pq.read_table(written("parquet", tmp_path / "x.parquet", frames, context))
    assert table.schema.equals(columns)
    assert table["z_1"].to_pylist() == [None, -0.5, 0.0, None]
    assert table["z_0"].to_pylist() == [None, pytest.approx(1 / 3, abs=1e-6), None, None]
    lines = lines_of(written("jsonl", tmp_path / "x.jsonl", frames, context))
    assert {tuple(line) for line in lines} == {tuple(columns.names)}
    assert [line["z_1"] for line in lines] == [None, -0.5, 0.0, None]


def test_csv_leaves_them_out(tmp_path: Path) -> None:
    with_names, without = (
        written("csv", tmp_path / f"{len(names)}.csv", [TWO], context_of(extras=("relative",), readings=names))
        for names in (("z_0", "z_1"), ())
    )
    assert with_names.read_bytes() == without.read_bytes()


def test_they_cost_little(tmp_path: Path) -> None:
    """A line of a hundred readings fits what a pipe takes whole."""
    sample = replace(telling(0), readings=np.full(108, -1.234567, np.float32))
    names = (*(f"e_{i}" for i in range(100)), *(f"p_{i}" for i in range(8)))
    context = context_of(extras=("attention", "relative"), readings=names)
    path = written("jsonl", tmp_path / "x.jsonl", [tracked(0, samples=[sample])], context)
    assert len(path.read_bytes()) < 4096


# The commands.


def test_tracking_adds_them_to_json_lines_and_parquet(checkpoint: Path, sample_clip: Path, tmp_path: Path) -> None:
    options = ("--model", checkpoint, "--end", "0.5", "--jsonl", f"{tmp_path}/", "--parquet", "-o", tmp_path)
    result = run("track", sample_clip, *options)
    assert result.exit_code == 0, result.output
    lines, table = lines_of(tmp_path / "sample.jsonl"), pd.read_parquet(tmp_path / "sample.parquet")
    assert len(lines) == len(table) == 12
    assert all(tuple(line)[-8:] == NAMES for line in lines) and tuple(table.columns)[-8:] == NAMES
    assert (table.dtypes[-8:] == np.float32).all()
    np.testing.assert_allclose(table[list(NAMES)], pd.DataFrame(lines)[list(NAMES)], atol=1e-6)
    shares = table[list(SHARES)].to_numpy()
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(table[["valence", "arousal"]], shares @ CENTRES, atol=1e-5)
    assert table[list(CODES)].std().min() > 1e-3
    with (tmp_path / "sample.csv").open(newline="") as file:
        assert not set(NAMES) & set(next(csv.reader(file)))
    sheet = json.loads((tmp_path / "sample.meta.json").read_text())
    assert (sheet["readings"], sheet["model"]["kind"], sheet["runtime"]) == (list(NAMES), "disvae", "torch")


def test_a_live_recording_has_them_too(checkpoint: Path, sample_clip: Path, tmp_path: Path) -> None:
    seen: list[TrackedFrame] = []
    output = OutputConfig(folder=str(tmp_path), jsonl=f"{tmp_path}/", parquet=True)
    config = LiveConfig(str(checkpoint), headless=True, duration=0.6, record=True, picture=False, output=output)
    report = run_live(str(sample_clip), config, [seen.append])
    assert report.error is None and all(sample.readings is not None for each in seen for sample in each.samples)
    (jsonl,), (parquet,), (sheet,) = (tmp_path.glob(f"live-*.{end}") for end in ("jsonl", "parquet", "meta.json"))
    lines, names = lines_of(jsonl), ("valence_rel", "arousal_rel", *NAMES)
    assert len(lines) > 3 and all(tuple(line)[-10:] == names for line in lines)
    assert tuple(pq.read_schema(parquet).names[-10:]) == names
    assert any(line["p_anger"] is not None for line in lines)
    assert json.loads(sheet.read_text())["readings"] == list(NAMES)


def test_standard_output_has_them_and_messages_stay_as_they_are() -> None:
    reader, writer = os.pipe()
    with closed_soon(StdoutOutlet(replace(CONTEXT, readings=("z_0", "z_1")), descriptor=writer)) as outlet:
        outlet.send(TWO)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        first, second = (json.loads(line) for line in file.read().splitlines())
    assert (first["z_0"], first["z_1"], second["z_0"], second["z_1"]) == (0.333333, -0.5, None, 0.0)
    bare = tracked(0, samples=[replace(sample, readings=None) for sample in TWO.samples], size=(2, 2))
    assert frame_message(TWO, Fields()) == frame_message(bare, Fields())


def test_models_and_info_show_a_disvae(checkpoint: Path) -> None:
    (listed,) = run("models", checkpoint.parent).output.splitlines()[1:]
    assert listed.split()[:2] == ["random-disvae", "disvae"]
    described = run("info", checkpoint).output
    assert '"latent": 5' in described and '"classes": ["neutral", "anger", "happiness"]' in described
