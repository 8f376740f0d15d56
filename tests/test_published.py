"""The paper's tables: whole and consistent in themselves, with our rows below."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tracker.errors import DataError
from train.evaluate import evaluate
from train.scoring.published import AFEW_VA, SEWA, TABLES, Table, own_rows, print_of

AXES = ("valence", "arousal", "average")


def values_of(table: Table, name: str) -> np.ndarray:
    return np.array(dict(table.rows)[name], np.float64).reshape(3, 3)


@pytest.mark.parametrize("table", TABLES)
def test_the_third_number_is_the_mean_of_the_first_two(table: Table) -> None:
    for name, _ in table.rows:
        values = values_of(table, name)
        held = np.isfinite(values[:, 2])
        assert held.any()
        np.testing.assert_allclose(values[held, :2].mean(axis=1), values[held, 2], atol=0.00151, err_msg=name)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("kind", ["S", "SA"])
def test_rows_of_averages_are_the_means_over_n(table: Table, kind: str) -> None:
    each = [values_of(table, f"ANCLaF-{kind}-{n}") for n in (2, 4, 8, 16, 32)]
    np.testing.assert_allclose(np.mean(each, axis=0), values_of(table, f"ANCLaF-{kind}-AVG"), atol=0.00151)


def test_known_cells() -> None:
    assert values_of(AFEW_VA, "ANCLaF-SA-8").tolist() == [
        [2.481, 2.239, 2.36],
        [0.371, 0.467, 0.419],
        [0.294, 0.367, 0.331],
    ]
    assert values_of(SEWA, "ANCLaF-SA-8")[2].tolist() == [0.529, 0.405, 0.467]
    assert len(AFEW_VA.rows) == len(SEWA.rows) == 16


def result(name: str, rmse: float, folds: list[int], half_range: float = 10.0, n_folds: int = 0) -> dict:
    """A report with one row of every kind; its figures are all `rmse`."""
    figures = {m: dict.fromkeys(AXES, rmse) for m in ("rmse", "pcc", "ccc", "icc")}
    rows = [{"name": kind, "kind": kind, "figures": figures} for kind in ("single", "recurrent", "oracle", "filter")]
    if n_folds:
        each = [{"figures": {m: dict.fromkeys(AXES, rmse + 0.1 * k) for m in figures}} for k in range(n_folds)]
        rows = [row | {"folds": each} for row in rows]
    return {"set": {"name": name, "fold_numbers": folds, "half_range": half_range}, "rows": rows}


def test_our_rows_are_in_the_sets_unit_and_hold_no_oracle() -> None:
    rows = own_rows(AFEW_VA, [result("afew-va", 0.25, [])])
    assert [name for name, _ in rows] == ["ours: single", "ours: recurrent"]
    assert rows[0][1] == (2.5, 2.5, 2.5, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25)


def test_folds_of_one_result_or_of_several_are_averaged() -> None:
    (_, one), _ = own_rows(AFEW_VA, [result("afew-va", 0.2, [0, 1, 2], n_folds=3)])
    assert one[0] == pytest.approx(3.0) and one[3] == pytest.approx(0.3)
    (_, three), _ = own_rows(AFEW_VA, [result("afew-va", 0.2 + 0.1 * k, [k]) for k in range(3)])
    assert three == pytest.approx(one)


@pytest.mark.parametrize("folds", [([0], [0]), ([], [])])
def test_a_fold_that_is_there_twice_is_an_error(folds: tuple) -> None:
    with pytest.raises(DataError, match=r"got 2 results of one set .*; expected each fold once"):
        own_rows(AFEW_VA, [result("afew-va", 0.2, each) for each in folds])


def test_without_results_the_published_rows_stand_alone() -> None:
    done = CliRunner().invoke(evaluate, ["--table"], catch_exceptions=False)
    assert done.exit_code == 0
    assert done.output.count("no row of ours") == 2 and "\nours: " not in done.output
    assert "2.481   2.239     2.360  0.371  0.467    0.419" in done.output
    assert done.output == CliRunner().invoke(evaluate, ["table"]).output


def test_results_stand_below_the_published_rows(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(result("afew-va", 0.25, [])))
    (tmp_path / "s.json").write_text(json.dumps(result("SEWA", 0.3, [], half_range=0.5)))
    done = CliRunner().invoke(evaluate, ["--table", str(tmp_path / "a.json"), str(tmp_path / "s.json")])
    assert done.exit_code == 0, done.output
    first, second = done.output.split("Table 2")
    assert "no row of ours" not in done.output
    lines = first.splitlines()
    assert lines.index(next(line for line in lines if line.startswith("---"))) == 18
    assert next(line for line in lines if line.startswith("ours: single")).split()[2:5] == ["2.500"] * 3
    assert (
        next(line for line in second.splitlines() if line.startswith("ours: recurrent")).split()[2:5] == ["0.150"] * 3
    )
    assert len({len(line) for line in lines[1:18]}) == 1


def test_files_that_are_no_results_are_named(tmp_path: Path) -> None:
    for name, text, message in [
        ("none.json", None, r"none\.json is not a result of affect eval sequences --json"),
        ("bad.json", "{}", r"bad\.json is not a result of affect eval sequences --json"),
        (
            "other.json",
            json.dumps(result("drawn", 0.1, [])),
            "is a result on 'drawn'; the paper's tables are of AFEW-VA",
        ),
    ]:
        if text is not None:
            (tmp_path / name).write_text(text)
        done = CliRunner().invoke(evaluate, ["table", str(tmp_path / name)])
        assert isinstance(done.exception, DataError)
        with pytest.raises(DataError, match=message):
            raise done.exception


def test_print_of_puts_a_dash_where_the_paper_has_no_figure() -> None:
    line = next(line for line in print_of(AFEW_VA, []).splitlines() if line.startswith("Tellamekala"))
    assert line.split()[2:] == ["-", "-", "-", "0.293", "0.426", "0.360", "-", "-", "-"]
