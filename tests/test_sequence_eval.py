"""`affect eval sequences` whole, with small random models, and its report on rows whose figures are known."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from sequence_sets import TEMPLATE, columns_of, write_model, write_set, write_split_set

from nets import torch_runtime
from tracker.errors import CheckpointError, DataError, SinkError, UsageError
from tracker.faces.align import Template
from train import features, metrics
from train.evaluate import evaluate
from train.folds import make_folds
from train.prepared import Prepared
from train.scoring import filters
from train.scoring.curve import curve_of
from train.scoring.report import frames_of, row_reports
from train.scoring.rows import Part, Row
from train.scoring.sequences import Options, evaluate_set
from train.scoring.table import table_of

ROUNDS = 50


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """A small search in place of the filters' whole one, and encoders as they are in place of traced ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch_runtime, "frozen_encoder", lambda model: model.encode)
        for name, values in {"CUTOFFS_HZ": (0.5, 2), "BETAS": (0.0, 0.6), "FINER": (1.0,), "BISECTIONS": 6}.items():
            patch.setattr(filters, name, values)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return write_split_set(tmp_path_factory.mktemp("set"))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """A single-frame model, S-2, S-4 and SA-4 on one encoder."""
    folder = tmp_path_factory.mktemp("models")
    further = [("s2", 2, "lstm"), ("s4", 4, "lstm"), ("sa4", 4, "attention")]
    return (write_model(folder, "one"), *(write_model(folder, *each) for each in further))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def report(data: Prepared, models: tuple[str, ...]) -> dict:
    made = evaluate_set(data, Options(models, rounds=ROUNDS))
    return made | {"curve": curve_of(made)}


def row_of(report: dict, name: str) -> dict:
    return next(row for row in report["rows"] if row["name"] == name)


def test_the_report_names_what_was_scored(report: dict, data: Prepared) -> None:
    assert report["set"] | {"sha256": "", "folder": ""} == {
        "name": "drawn", "folder": "", "sha256": "", "part": "test", "tuned_on": "train", "fold_numbers": [],
        "half_range": 1.0, "frames": 3 * 4 * 24, "missed": 0, "unannotated": 0, "clips": 12, "subjects": 3,
    }  # fmt: skip
    assert [(m["label"], m["kind"], m["sequence_length"]) for m in report["models"]] == [
        ("one", "single", 1), ("s2", "S", 2), ("s4", "S", 4), ("sa4", "SA", 4),
    ]  # fmt: skip
    assert len({m["encoder"] for m in report["models"]}) == 1
    assert all("has the lag of" in note for note in report["notes"]), "random models hardly follow a step"
    json.dumps(report, allow_nan=False)


def test_every_row_has_the_same_frames_and_every_figure_its_interval(report: dict) -> None:
    assert {row["n"] for row in report["rows"]} == {3 * 3 * 24}
    names = {"rmse", "pcc", "ccc", "icc", "sagr", "trembling"}
    for row in report["rows"]:
        assert set(row["figures"]) == set(row["intervals"]) == names
        assert set(row["groups"]) == {"still", "morph", "lively", "step", "covered", "clear"}
        for name in names:
            for axis, value in row["figures"][name].items():
                low, high = row["intervals"][name][axis]
                assert low <= high and low - 0.2 <= value <= high + 0.2, (row["name"], name)
        covered, clear = row["groups"]["covered"]["n"], row["groups"]["clear"]["n"]
        assert covered + clear == row["n"] and covered > 0
        assert row["per_clip"]["clips"] == {"rmse": 9, "pcc": 6, "ccc": 6}, "still clips have no correlation"


def test_rows_of_networks_are_compared_with_the_best_filter(report: dict) -> None:
    rivals = [row for row in report["rows"] if row["kind"] in ("single", "tuned")]
    best = min(rivals, key=lambda row: row["figures"]["rmse"]["average"])
    row = row_of(report, "sa4")
    assert row["rmse_ratio"]["to"] == best["name"]
    expected = row["figures"]["rmse"]["average"] / best["figures"]["rmse"]["average"]
    assert row["rmse_ratio"]["value"] == pytest.approx(expected)
    shaken = row["figures"]["trembling"]["average"] / row_of(report, "one")["figures"]["trembling"]["average"]
    assert row["trembling_ratio"]["value"] == pytest.approx(shaken)
    assert row_of(report, "one")["trembling_ratio"] == {"to": "one", "value": 1.0, "interval": [1.0, 1.0]}
    assert "rmse_ratio" not in row_of(report, "training mean")


def test_the_curve_begins_with_the_single_frame(report: dict) -> None:
    assert [(p["n"], p["row"]) for p in report["curve"]["S on one"]] == [(1, "one"), (2, "s2"), (4, "s4")]
    assert [(p["n"], p["row"]) for p in report["curve"]["SA on one"]] == [(1, "one"), (4, "sa4")]
    assert report["curve"]["S on one"][2]["rmse"] == row_of(report, "s4")["figures"]["rmse"]["average"]


def test_the_table_is_aligned_and_has_every_row(report: dict) -> None:
    text = table_of(report)
    main = text[text.index("average of valence") : text.index("calm, and")].strip().splitlines()
    assert main[1].startswith("training mean ")
    assert len(main) == 1 + len(report["rows"])
    figure = row_of(report, "s4")["figures"]["rmse"]["average"]
    line = next(line for line in main if line.startswith("s4 "))
    assert f" {figure:.3f} " in line and line.index(f"{figure:.3f}") + 5 == main[0].index("RMSE") + 4
    assert "one + EMA (tuned): time_constant_s" in text and "RMSE by kind of frame" in text


def test_encoders_are_run_once_for_all_models_that_share_them(
    data: Prepared, models: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls: list[Path] = []
    write = features.write_features
    monkeypatch.setattr(features, "write_features", lambda m, d, folder: (calls.append(folder), write(m, d, folder))[1])
    other = write_model(tmp_path, "other", seed=5)
    evaluate_set(data, Options((*models, other), rounds=10))
    assert len(calls) == len(set(calls)) == 2


def known_report(data: Prepared, *rows: Row) -> list[dict]:
    fold = np.where((data.extra["split"] == 2) & data.usable, 0, -1)
    part = Part(data, data.extra["split"] == 0, data.extra["split"] == 2, 0.5)
    frames = frames_of(data, fold, 0.5, ROUNDS, 0)
    return row_reports(rows, frames, data.time, part.steps)


def test_figures_of_known_rows(data: Prepared) -> None:
    truth = data.affect.astype(np.float64)
    sign = np.where(np.arange(len(truth)) % 2, 0.1, -0.1)[:, None]
    shaking, shifted = (
        Row("shaking", "single", truth + sign, "shaking"),
        Row("shifted", "recurrent", truth + 0.05, "shaking"),
    )
    first, second = known_report(data, shaking, shifted)
    assert first["figures"]["rmse"]["average"] == pytest.approx(0.1)
    assert first["figures"]["trembling"]["average"] == pytest.approx(0.2)
    assert second["figures"]["rmse"]["valence"] == pytest.approx(0.05)
    assert second["figures"]["trembling"]["average"] == pytest.approx(0, abs=1e-7)
    assert second["figures"]["pcc"]["arousal"] == pytest.approx(1)
    assert second["rmse_ratio"]["value"] == pytest.approx(0.5)
    np.testing.assert_allclose(second["rmse_ratio"]["interval"], [0.5, 0.5])
    assert second["lag_ms"] == {
        "median": pytest.approx(0),
        "interval": pytest.approx([0, 0]),
        "steps": 3,
        "followed": 3,
    }
    assert first["groups"]["step"]["n"] == 72 and first["n"] == 216


def test_steps_do_not_count_in_the_pooled_figures(data: Prepared) -> None:
    wrong = np.where(data.extra["kind"][:, None] == 3, 0.9, data.affect).astype(np.float64)
    (row,) = known_report(data, Row("x", "single", wrong, "x"))
    assert row["figures"]["rmse"]["average"] == 0 and row["groups"]["step"]["figures"]["rmse"]["average"] > 0.3


def test_the_interval_of_a_ratio_is_paired(data: Prepared) -> None:
    """Clips differ far more than the two rows do: only resampling both alike shows that one is better in each."""
    truth = data.affect.astype(np.float64)
    hard = np.random.default_rng(0).uniform(0.02, 1, data.clip.max() + 1)[data.clip][:, None]
    a, b = Row("a", "single", truth + 0.3 * hard, "a"), Row("b", "recurrent", truth + 0.27 * hard, "a")
    single, other = known_report(data, a, b)
    low, high = single["intervals"]["rmse"]["average"]
    assert high / low > 1.2
    np.testing.assert_allclose(other["rmse_ratio"]["interval"], 0.9, atol=1e-6)


def test_filters_of_the_same_lag_are_rivals_of_their_model_alone(data: Prepared) -> None:
    truth = data.affect.astype(np.float64)
    rows = [Row(name, kind, truth + off, "a", lag_of=of) for name, kind, off, of in [
        ("a", "single", 0.4, ""), ("b", "recurrent", 0.1, ""), ("a + EMA", "filter", 0.2, "b"), ("c", "filter", 0, ""),
    ]]  # fmt: skip
    _, b, ema, _ = known_report(data, *rows)
    assert b["rmse_ratio_at_lag"]["to"] == "a + EMA" and b["rmse_ratio_at_lag"]["value"] == pytest.approx(0.5)
    assert b["rmse_ratio"]["value"] == pytest.approx(0.25) and "rmse_ratio_at_lag" not in ema


def test_folds_pool_and_average(tmp_path: Path) -> None:
    data = write_set(
        tmp_path / "set", columns_of(["still", "morph", "lively", "step"] * 6, np.repeat(range(6), 4).tolist())
    )
    make_folds(data, 3).save(tmp_path / "folds.json")
    for k in range(3):
        write_model(tmp_path, f"m{k}", 2, "lstm", seed=k)
    options = Options((str(tmp_path / "m{fold}.safetensors"),), folds=tmp_path / "folds.json", rounds=ROUNDS)
    report = evaluate_set(data, options)
    assert report["set"]["fold_numbers"] == [0, 1, 2] and report["set"]["frames"] == 24 * 24
    assert [(m["label"], m["fold"]) for m in report["models"]] == [("m0", 0), ("m1", 1), ("m2", 2)]
    row = row_of(report, "training mean")
    folds = [fold["figures"]["rmse"]["average"] for fold in row["folds"]]
    assert row["fold_mean"]["figures"]["rmse"]["average"] == pytest.approx(np.mean(folds))
    assert sum(fold["n"] for fold in row["folds"]) == row["n"]
    assert row["figures"]["rmse"]["valence"] ** 2 == pytest.approx(
        np.mean([fold["figures"]["rmse"]["valence"] ** 2 for fold in row["folds"]])
    )
    assert "RMSE by fold" in table_of(report | {"curve": {}})
    single = evaluate_set(data, Options(options.models, folds=options.folds, fold=1, rounds=ROUNDS))
    assert row_of(single, "training mean")["figures"]["rmse"]["average"] == pytest.approx(folds[1])


def test_a_set_without_kinds_has_no_lag_and_says_so(tmp_path: Path) -> None:
    columns = columns_of(["still", "morph"] * 3, [0, 0, 1, 1, 2, 2])
    columns["split"] = np.repeat([0, 1, 2], 48).astype(np.uint8)
    columns = {key: value for key, value in columns.items() if key not in ("kind", "covered")}
    columns["found"][100:104], columns["affect"][110] = False, np.nan
    data = write_set(tmp_path / "set", columns)
    report = evaluate_set(data, Options((write_model(tmp_path, "m", 2, "lstm"),), rounds=10))
    assert all(row["lag_ms"] is None and row["groups"] == {} for row in report["rows"])
    assert any("no lag can be measured" in note for note in report["notes"])
    assert any("the set has no kinds" in note for note in report["notes"])
    assert (report["set"]["frames"], report["set"]["missed"], report["set"]["unannotated"]) == (43, 4, 1)
    assert "note      no clip of kind step" in table_of(report)
    (values,) = [row["figures"]["trembling"]["average"] for row in report["rows"] if row["kind"] == "single"]
    assert values is not None and values > 0


def test_clips_of_one_frame_are_scored(tmp_path: Path, models: tuple[str, ...]) -> None:
    columns = columns_of(["still"] * 30, list(range(30)), length=1)
    columns["split"] = np.repeat([0, 1, 2], 10).astype(np.uint8)
    report = evaluate_set(write_set(tmp_path, columns), Options(models, rounds=20))
    row = row_of(report, "s4")
    assert row["n"] == 10 and row["figures"]["trembling"]["average"] is None
    assert row["per_clip"]["clips"] == {"rmse": 10, "pcc": 0, "ccc": 0}
    json.dumps(report, allow_nan=False)


def test_metrics_of_the_report_are_those_of_the_module(data: Prepared) -> None:
    values = np.random.default_rng(0).uniform(-1, 1, data.affect.shape)
    (row,) = known_report(data, Row("x", "single", values, "x"))
    kept = (data.extra["split"] == 2) & (data.extra["kind"] != 3)
    for name in ("rmse", "pcc", "ccc", "icc", "sagr"):
        expected = getattr(metrics, name)(values[kept, 1], data.affect[kept, 1])
        assert row["figures"][name]["arousal"] == pytest.approx(expected, abs=1e-9), name


def test_the_command_writes_table_json_and_picture(data: Prepared, models: tuple[str, ...], tmp_path: Path) -> None:
    out = ["--json", str(tmp_path / "r.json"), "--curve", str(tmp_path / "c.png"), "--rounds", "20"]
    chosen = [word for model in models for word in ("--model", model)]
    result = CliRunner().invoke(evaluate, ["sequences", str(data.folder), *chosen, *out], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "average of valence and arousal" in result.output and "sa4" in result.output
    written = json.loads((tmp_path / "r.json").read_text())
    assert set(written["curve"]) == {"S on one", "SA on one"} and written["rounds"] == 20
    picture = cv2.imread(str(tmp_path / "c.png"))
    assert picture.shape[0] > 400 and picture.std() > 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.png", "r.json"]


@pytest.mark.parametrize("option", ["--json", "--curve"])
def test_outputs_are_checked_before_the_work(data: Prepared, option: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(evaluate, ["sequences", str(data.folder), option, str(tmp_path / "no" / "f")])
    assert isinstance(result.exception, SinkError) and "there is no folder" in str(result.exception)


def test_what_does_not_fit_is_said(data: Prepared, models: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no-such-model"):
        evaluate_set(data, Options(("no-such-model",)))
    with pytest.raises(UsageError, match=r"one\.safetensors was given twice"):
        evaluate_set(data, Options((models[0], models[0])))
    with pytest.raises(UsageError, match="cannot be tuned on the part that is scored, validation"):
        evaluate_set(data, Options(models, split="validation", tune_on="validation"))
    with pytest.raises(UsageError, match="--split and --folds were both given"):
        Options(models, split="test", folds=tmp_path / "f.json")
    with pytest.raises(UsageError, match="--fold needs the file of folds"):
        Options(models, fold=1)
    with pytest.raises(UsageError, match=r"\{fold\} stands in the name of a model, but no --folds"):
        Options(("m{fold}.safetensors",))


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (Template(size=64, channels=1), "one expects crops with size 32, .* holds crops with size 64"),
        (Template(size=32, channels=3), "one expects crops with channels 1, .* holds crops with channels 3"),
        (
            Template(size=32, channels=1, points=((0.3, 0.3),) * 5),
            "one expects crops with points .*; prepare the set",
        ),
    ],
)
def test_crops_of_another_kind_are_an_error(
    models: tuple[str, ...], template: Template, message: str, tmp_path: Path
) -> None:
    columns = columns_of(["still"] * 2, [0, 1], length=4) | {"split": np.repeat([0, 2], 4).astype(np.uint8)}
    assert template != TEMPLATE
    with pytest.raises(DataError, match=message):
        evaluate_set(write_set(tmp_path, columns, template=template), Options(models))


def test_one_clip_is_scored_without_an_interval(tmp_path: Path, models: tuple[str, ...]) -> None:
    columns = columns_of(["lively"], [0], length=40)
    del columns["kind"], columns["covered"]
    data = write_set(tmp_path / "set", columns)
    arguments = ["sequences", str(data.folder), "--model", models[0], "--model", models[2]]
    out = ["--json", str(tmp_path / "r.json"), "--curve", str(tmp_path / "c.png")]
    result = CliRunner().invoke(evaluate, [*arguments, *out], catch_exceptions=False)
    assert result.exit_code == 0 and "no interval: one clip" in result.output
    report = json.loads((tmp_path / "r.json").read_text())
    assert (report["set"]["part"], report["set"]["frames"], report["set"]["clips"]) == ("all", 40, 1)
    for row in report["rows"]:
        assert all(bounds == [None, None] for own in row["intervals"].values() for bounds in own.values())
        assert row["figures"]["rmse"]["average"] > 0 or row["kind"] == "oracle"
        for ratio in ("rmse_ratio", "trembling_ratio"):
            assert row.get(ratio, {"interval": [None, None]})["interval"] == [None, None]
    assert cv2.imread(str(tmp_path / "c.png")).std() > 5


def test_the_figures_of_one_clip_are_those_of_its_frames(tmp_path: Path) -> None:
    data = write_set(tmp_path, columns_of(["lively"], [0], length=40))
    values = np.random.default_rng(0).uniform(-1, 1, data.affect.shape)
    frames = frames_of(data, np.zeros(40, int), 0.5, ROUNDS, 0)
    (row,) = row_reports([Row("x", "single", values, "x")], frames, data.time, [])
    assert row["figures"]["ccc"]["arousal"] == pytest.approx(metrics.ccc(values[:, 1], data.affect[:, 1]))
    assert row["per_clip"]["figures"]["rmse"] == pytest.approx(row["figures"]["rmse"])
    assert row["intervals"]["ccc"]["arousal"] == row["per_clip"]["intervals"]["rmse"]["valence"] == [None, None]


def test_what_one_clip_alone_has_gets_no_interval(data: Prepared) -> None:
    """Others around it change nothing: every resample that holds it has the same figure."""
    clip = data.clip == np.flatnonzero(np.bincount(data.clip[data.extra["kind"] == 1]))[0]
    kinds = np.where((data.extra["kind"] == 1) & ~clip, 2, data.extra["kind"])
    lone = replace(data, extra={**data.extra, "kind": kinds})
    values = np.random.default_rng(0).uniform(-1, 1, data.affect.shape)
    frames = frames_of(lone, np.zeros(len(values), int), 0.5, ROUNDS, 0)
    (row,) = row_reports([Row("x", "single", values, "x")], frames, data.time, [])
    assert row["groups"]["morph"]["intervals"]["rmse"]["average"] == [None, None]
    assert row["groups"]["lively"]["intervals"]["rmse"]["average"][0] is not None


def test_several_clips_of_one_subject_have_intervals_that_are_told_apart(
    tmp_path: Path, models: tuple[str, ...]
) -> None:
    data = write_set(tmp_path, columns_of(["lively"] * 4, [0] * 4))
    report = evaluate_set(data, Options(models[:1], rounds=20))
    assert any("one subject" in note for note in report["notes"])
    low, high = row_of(report, "one")["intervals"]["rmse"]["average"]
    assert low < high


def test_all_of_a_set_is_scored_where_that_is_asked(data: Prepared, models: tuple[str, ...]) -> None:
    report = evaluate_set(data, Options(models[:1], split="all", rounds=10))
    assert (report["set"]["part"], report["set"]["frames"]) == ("all", len(data.clip))
    assert not any(row["kind"] in ("constant", "tuned") for row in report["rows"])
    assert any("the constant and tuned filters are left out" in note for note in report["notes"])


def test_two_subjects_in_folds_are_scored(tmp_path: Path, models: tuple[str, ...]) -> None:
    data = write_set(tmp_path / "set", columns_of(["lively"] * 4, [0, 0, 1, 1]))
    make_folds(data, 2).save(tmp_path / "f.json")
    report = evaluate_set(data, Options(models[:1], folds=tmp_path / "f.json", rounds=10))
    assert report["set"]["frames"] == 96 and len(row_of(report, "training mean")["folds"]) == 2


def test_nothing_to_score_is_an_error(tmp_path: Path, models: tuple[str, ...]) -> None:
    columns = columns_of(["still"] * 2, [0, 1], length=4)
    columns["split"] = np.repeat([0, 1], 4).astype(np.uint8)
    with pytest.raises(DataError, match=r"the test part of .* has no frame with a face and an annotation"):
        evaluate_set(write_set(tmp_path / "a", columns), Options(models))
    columns["split"] = np.repeat([0, 2], 4).astype(np.uint8)
    columns["affect"][4:] = np.nan
    with pytest.raises(DataError, match=r"the test part of .* has no frame with a face and an annotation"):
        evaluate_set(write_set(tmp_path / "b", columns), Options(models))
