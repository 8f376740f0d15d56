"""The report of `affect eval sequences` as aligned text."""

from collections.abc import Callable, Sequence
from textwrap import fill
from typing import Any

AXES = ("valence", "arousal", "average")
Cell = tuple[str, Callable[[dict[str, Any]], str]]
"""A column: its head, and what it says of a row."""


def table_of(report: dict[str, Any]) -> str:
    """The whole report: what was scored, then tables of the averages, the axes, the groups and the folds."""
    rows = report["rows"]
    main = [row for row in rows if row["kind"] != "filter"]
    parts = [_head(report), _table("average of valence and arousal", rows, _accuracy_columns())]
    parts.append(_table("calm, and against filters", [row for row in rows if "rmse_ratio" in row], _calm_columns()))
    parts.append(_table("by axis: valence / arousal", main, _axis_columns()))
    if groups := list(rows[0]["groups"]):
        parts.append(_table("RMSE by kind of frame", main, [_group_column(name) for name in groups]))
    if folds := rows[0].get("folds"):
        parts.append(_table("RMSE by fold", main, _fold_columns([fold["fold"] for fold in folds])))
    settings = [f"{row['name']}: {_setting(row)}" for row in rows if row["settings"]]
    if settings:
        parts.append("\n".join(["filters", *(f"  {line}" for line in settings)]))
    return "\n\n".join(parts)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells in columns: the first to the left, the others to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [f"{cell:>{width}}" for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([f"{first:{widths[0]}}", *cells]).rstrip())
    return "\n".join(lines)


def number(value: float | None, digits: int = 3) -> str:
    """A figure, or - where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def _head(report: dict[str, Any]) -> str:
    facts = report["set"]
    lines = [
        f"set       {facts['name']}  {facts['folder']}  sha256 {facts['sha256'][:16]}",
        f"scored    {facts['part']}: {facts['frames']} frames, {facts['clips']} clips, {facts['subjects']} subjects; "
        f"left out: {facts['missed']} frames without a face, {facts['unannotated']} without annotation",
        f"seed      {report['seed']}, "
        + (f"{report['rounds']} resamples of the clips" if facts["clips"] > 1 else "no interval: one clip"),
        fill(f"protocol  {report['protocol']}", 110, subsequent_indent=" " * 10, break_on_hyphens=False),
    ]
    lines += [f"model     {m['label']}  n {m['sequence_length']}  sha256 {m['sha256'][:16]}" for m in report["models"]]
    return "\n".join(lines + [f"note      {note}" for note in report["notes"]])


def _table(title: str, rows: list[dict[str, Any]], columns: list[Cell]) -> str:
    cells = [[title, *(head for head, _ in columns)]]
    cells += [[row["name"], *(say(row) for _, say in columns)] for row in rows]
    return aligned(cells)


def _accuracy_columns() -> list[Cell]:
    columns: list[Cell] = [("lag ms", _lag)]
    for name in ("rmse", "pcc", "ccc", "icc", "sagr"):
        columns += _with_interval(name.upper(), name, 3)
    return columns


def _calm_columns() -> list[Cell]:
    per_clip: list[Cell] = [
        ("RMSE per clip", lambda row: number(row["per_clip"]["figures"]["rmse"]["average"])),
        ("95 %", lambda row: _interval(row["per_clip"]["intervals"]["rmse"]["average"], 3)),
    ]
    columns: list[Cell] = [("lag ms", _lag), ("95 %", _lag_interval), ("steps", _followed), ("RMSE", _rmse)]
    return [
        *columns,
        *_ratio("rmse_ratio", "to best filter"),
        *_ratio("rmse_ratio_at_lag", "to filter at lag"),
        *_with_interval("trembling", "trembling", 4),
        *_ratio("trembling_ratio", "to frame"),
        *per_clip,
    ]


def _ratio(name: str, head: str) -> list[Cell]:
    none = {"value": None, "interval": [None, None]}
    return [
        (head, lambda row: number(row.get(name, none)["value"])),
        ("95 %", lambda row: _interval(row.get(name, none)["interval"], 3)),
    ]


def _with_interval(head: str, name: str, digits: int) -> list[Cell]:
    return [
        (head, lambda row: number(_figure(row, name), digits)),
        ("95 %", lambda row: _interval(row["intervals"][name]["average"], digits)),
    ]


def _axis_columns() -> list[Cell]:
    def both(name: str, digits: int) -> Callable[[dict[str, Any]], str]:
        return lambda row: " / ".join(number(_figure(row, name, axis), digits) for axis in AXES[:2])

    names = {"rmse": "RMSE", "pcc": "PCC", "ccc": "CCC", "icc": "ICC", "sagr": "SAGR", "trembling": "trembling"}
    return [(head, both(name, 4 if name == "trembling" else 3)) for name, head in names.items()]


def _group_column(group: str) -> Cell:
    return group, lambda row: number(row["groups"][group]["figures"]["rmse"]["average"])


def _fold_columns(numbers: list[int]) -> list[Cell]:
    def of(place: int) -> Callable[[dict[str, Any]], str]:
        return lambda row: number(row["folds"][place]["figures"]["rmse"]["average"])

    mean: Cell = ("mean", lambda row: number(row["fold_mean"]["figures"]["rmse"]["average"]))
    return [*((f"fold {k}", of(place)) for place, k in enumerate(numbers)), mean]


def _figure(row: dict[str, Any], name: str, axis: str = "average") -> float | None:
    return row["figures"][name][axis]


def _rmse(row: dict[str, Any]) -> str:
    return number(_figure(row, "rmse"))


def _lag(row: dict[str, Any]) -> str:
    return number(row["lag_ms"]["median"], 0) if row["lag_ms"] else "-"


def _lag_interval(row: dict[str, Any]) -> str:
    return _interval(row["lag_ms"]["interval"], 0) if row["lag_ms"] else ""


def _followed(row: dict[str, Any]) -> str:
    """Steps that the row follows, of all."""
    return f"{row['lag_ms']['followed']}/{row['lag_ms']['steps']}" if row["lag_ms"] else "-"


def _interval(bounds: list[float | None], digits: int) -> str:
    return " to ".join(number(bound, digits) for bound in bounds) if bounds[0] is not None else ""


def _setting(row: dict[str, Any]) -> str:
    """The filter's numbers, of each fold that has its own."""
    each = [{key: value for key, value in settings.items() if key != "kind"} for settings in row["settings"]]
    return "; ".join(", ".join(f"{key} {value:.3g}" for key, value in settings.items()) for settings in each)
