"""Tables 1 and 2 of the ANCLaF paper (Aspandi, Sukno, Schuller, Binefa, VISAPP 2021, arXiv 2102.09150), and ours."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from tracker.errors import DataError
from train.scoring.table import AXES, aligned, number

Figures = tuple[float | None, ...]
"""V, A and their mean of each of a table's three measures: nine numbers."""


@dataclass(frozen=True)
class Table:
    """One of the paper's tables; RMSE is in the data set's own unit."""

    title: str
    set: str
    """How the name of its data set begins."""
    measures: tuple[str, str, str]
    """Names in our reports; the paper says COR for pcc."""
    rows: tuple[tuple[str, Figures], ...]
    note: str = ""


AFEW_VA = Table(
    "Table 1: AFEW-VA, RMSE of labels from -10 to 10",
    "afew",
    ("rmse", "pcc", "icc"),
    (
        ("Kossaifi 2017", (2.680, 2.275, 2.478, 0.407, 0.450, 0.429, 0.290, 0.356, 0.323)),
        ("Tellamekala 2019", (None, None, None, 0.293, 0.426, 0.360, None, None, None)),
        ("Handrich 2020", (2.600, 2.500, 2.550, 0.390, 0.290, 0.340, 0.320, 0.210, 0.265)),
        ("ANCLaF", (2.682, 2.344, 2.513, 0.306, 0.399, 0.353, 0.219, 0.309, 0.264)),
        ("ANCLaF-S-2", (2.675, 2.295, 2.485, 0.314, 0.410, 0.362, 0.236, 0.296, 0.266)),
        ("ANCLaF-S-4", (2.654, 2.279, 2.467, 0.303, 0.420, 0.361, 0.224, 0.307, 0.266)),
        ("ANCLaF-S-8", (2.595, 2.202, 2.398, 0.328, 0.425, 0.377, 0.272, 0.344, 0.308)),
        ("ANCLaF-S-16", (2.617, 2.292, 2.454, 0.302, 0.401, 0.351, 0.224, 0.299, 0.261)),
        ("ANCLaF-S-32", (2.568, 2.328, 2.448, 0.288, 0.405, 0.346, 0.214, 0.304, 0.259)),
        ("ANCLaF-S-AVG", (2.622, 2.279, 2.450, 0.307, 0.412, 0.360, 0.234, 0.310, 0.272)),
        ("ANCLaF-SA-2", (2.540, 2.241, 2.390, 0.373, 0.454, 0.413, 0.291, 0.353, 0.322)),
        ("ANCLaF-SA-4", (2.586, 2.260, 2.423, 0.386, 0.445, 0.415, 0.302, 0.342, 0.322)),
        ("ANCLaF-SA-8", (2.481, 2.239, 2.360, 0.371, 0.467, 0.419, 0.294, 0.367, 0.331)),
        ("ANCLaF-SA-16", (2.601, 2.225, 2.413, 0.377, 0.467, 0.422, 0.294, 0.363, 0.328)),
        ("ANCLaF-SA-32", (2.581, 2.256, 2.419, 0.361, 0.436, 0.399, 0.270, 0.332, 0.301)),
        ("ANCLaF-SA-AVG", (2.558, 2.244, 2.401, 0.373, 0.454, 0.414, 0.290, 0.352, 0.321)),
    ),
    "the paper's windows do not overlap and drop each clip's rest, so frames differ by n; ours are the same for all",
)
SEWA = Table(
    "Table 2: SEWA, RMSE of labels in the set's own unit",
    "sewa",
    ("rmse", "pcc", "ccc"),
    (
        ("Kossaifi 2019", (None, None, None, 0.350, 0.350, 0.350, 0.350, 0.290, 0.320)),
        ("Mitenkova 2019", (0.334, 0.380, 0.357, 0.503, 0.439, 0.471, 0.469, 0.392, 0.431)),
        ("AEG-CD-SZ 2020 (with audio)", (0.323, 0.350, 0.337, 0.442, 0.478, 0.460, 0.405, 0.430, 0.418)),
        ("ANCLaF", (0.354, 0.347, 0.351, 0.530, 0.395, 0.462, 0.492, 0.364, 0.428)),
        ("ANCLaF-S-2", (0.349, 0.345, 0.347, 0.533, 0.396, 0.464, 0.503, 0.368, 0.436)),
        ("ANCLaF-S-4", (0.344, 0.336, 0.340, 0.536, 0.403, 0.469, 0.510, 0.382, 0.446)),
        ("ANCLaF-S-8", (0.341, 0.339, 0.340, 0.538, 0.404, 0.471, 0.514, 0.381, 0.448)),
        ("ANCLaF-S-16", (0.354, 0.344, 0.349, 0.527, 0.395, 0.461, 0.490, 0.369, 0.429)),
        ("ANCLaF-S-32", (0.353, 0.346, 0.349, 0.527, 0.396, 0.461, 0.494, 0.368, 0.431)),
        ("ANCLaF-S-AVG", (0.348, 0.342, 0.345, 0.532, 0.399, 0.465, 0.502, 0.374, 0.438)),
        ("ANCLaF-SA-2", (0.343, 0.333, 0.338, 0.545, 0.420, 0.482, 0.509, 0.390, 0.449)),
        ("ANCLaF-SA-4", (0.336, 0.328, 0.332, 0.550, 0.429, 0.490, 0.526, 0.399, 0.463)),
        ("ANCLaF-SA-8", (0.336, 0.332, 0.334, 0.558, 0.424, 0.491, 0.529, 0.405, 0.467)),
        ("ANCLaF-SA-16", (0.334, 0.331, 0.332, 0.556, 0.421, 0.488, 0.528, 0.393, 0.461)),
        ("ANCLaF-SA-32", (0.336, 0.362, 0.349, 0.550, 0.418, 0.484, 0.513, 0.389, 0.451)),
        ("ANCLaF-SA-AVG", (0.337, 0.337, 0.337, 0.552, 0.422, 0.488, 0.521, 0.395, 0.458)),
    ),
    "RMSE, COR and CCC of the paper together imply labels on about [-1, 1], where the released code takes [0, 1]",
)
TABLES = (AFEW_VA, SEWA)
OWN_KINDS = ("constant", "single", "tuned", "recurrent")
"""Of our rows, those that are printed."""
HEADS = {"rmse": "RMSE", "pcc": "COR", "ccc": "CCC", "icc": "ICC"}


def print_of(table: Table, own: Sequence[tuple[str, Figures]]) -> str:
    """A table as text, our rows (name and nine figures each) below the published ones."""
    heads = [f"{HEADS[measure]} {axis}" for measure in table.measures for axis in ("V", "A", "AVG")]
    rows = [(name, *(number(value) for value in figures)) for name, figures in (*table.rows, *own)]
    lines = aligned([("", *heads), *rows]).splitlines()
    if own:
        lines.insert(1 + len(table.rows), "-" * max(len(line) for line in lines))
    else:
        lines.append("no row of ours: give the JSON files of affect eval sequences on this set after --table")
    return "\n".join([table.title, *lines, f"note: {table.note}"])


def own_rows(table: Table, reports: Sequence[dict[str, Any]]) -> list[tuple[str, Figures]]:
    """Our rows from reports on the table's data set: the mean over folds, RMSE in the set's unit.

    Several reports, each on other folds, count as one: a row's figures are averaged over all folds. DataError where
    two hold the same fold.
    """
    folds = [k for report in reports for k in report["set"]["fold_numbers"]]
    if len(folds) != len(set(folds)) or (len(reports) > 1 and not all(r["set"]["fold_numbers"] for r in reports)):
        raise DataError(f"got {len(reports)} results of one set with folds {folds}; expected each fold once")
    found: defaultdict[str, list[Figures]] = defaultdict(list)
    for report in reports:
        for row in report["rows"]:
            if row["kind"] in OWN_KINDS:
                found[f"ours: {row['name']}"] += _fold_figures(row, table, report["set"]["half_range"])
    return [(name, _mean(each)) for name, each in found.items()]


def read_report(path: Path) -> dict[str, Any]:
    """A JSON file of `affect eval sequences`; DataError where it is not one, or of another data set."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        name, _rows = str(report["set"]["name"]), [row["figures"]["rmse"] for row in report["rows"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not a result of affect eval sequences --json ({error!r})") from error
    if not any(_is_of(table, report) for table in TABLES):
        raise DataError(f"{path} is a result on {name!r}; the paper's tables are of AFEW-VA and SEWA")
    return report


def _is_of(table: Table, report: dict[str, Any]) -> bool:
    return str(report["set"]["name"]).lower().startswith(table.set)


def _fold_figures(row: dict[str, Any], table: Table, half_range: float) -> list[Figures]:
    """Nine figures of each fold of a row; of the whole, where there are no folds or one."""
    each = [fold["figures"] for fold in row["folds"]] if "folds" in row else [row["figures"]]
    scale = {"rmse": half_range}
    return [
        tuple(figures[measure][axis] * scale.get(measure, 1.0) for measure in table.measures for axis in AXES)
        for figures in each
    ]


def _mean(figures: Sequence[Figures]) -> Figures:
    return tuple(np.mean(np.array(figures, np.float64), axis=0).tolist())


@click.command("table")
@click.argument("results", metavar="[RESULTS.json]...", nargs=-1, type=Path)
def print_tables(results: tuple[Path, ...]) -> None:
    """Print the paper's Tables 1 and 2, with our rows from results of `affect eval sequences --json` below them.

    Several results on one set are its folds: figures are averaged over the folds, as the paper's are.
    """
    reports = [read_report(path) for path in results]
    tables = [print_of(table, own_rows(table, [r for r in reports if _is_of(table, r)])) for table in TABLES]
    click.echo("\n\n".join(tables))
