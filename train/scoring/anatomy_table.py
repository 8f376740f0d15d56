"""The report of `affect eval pictures` as text; docs/pictures.md says how to read it."""

from textwrap import fill
from typing import Any

from train.datasets.ferplus import EMOTIONS
from train.scoring.anatomy import AXES, COVERAGES, GLOOMY, MEASURES, SMILE
from train.scoring.table import aligned, number

WAYS = {"nearest": "nearest centre", "expressions": "own expression"}


def table_of(report: dict[str, Any]) -> str:
    """The whole report: what was scored, then the anatomy of each model, then how they differ."""
    intervals = f"95 % intervals of {report['rounds']} resamples of the pictures"
    lines = [
        fill(f"protocol  {report['protocol']}", 110, subsequent_indent=" " * 10, break_on_hyphens=False),
        f"faces     {report['n']} scored, {report['missed']} not found; "
        + (intervals if report["n"] > 1 else "no interval: one picture"),
    ]
    parts = ["\n".join(lines)]
    for model in report["models"]:
        parts += [f"model     {model['name']}  sha256 {model['sha256'][:16]}", _agreement(model, report)]
        if "classes" in model:
            parts += [_classes(model), *(_confusion(model, way) for way in model["confusion"])]
        parts += ["\n".join(_errors(model, report)), _deviation(model["deviation"])]
    if further := [model for model in report["models"] if model["difference"]]:
        parts.append(_differences(further, report["models"][0]["name"]))
    return "\n\n".join(parts)


def _agreement(model: dict[str, Any], report: dict[str, Any]) -> str:
    figures, constant = model["figures"], report["constant"]
    rows = [["agreement", "valence", "95 %", "arousal", "95 %", "constant"]]
    names = {name: name.upper() for name in MEASURES}
    names |= {f"{name}_alike": f"{name.upper()}, {report['alike']} alike" for name in MEASURES}
    names["ccc_without_smiles"] = f"CCC without smiles (n {report['without_smiles']})"
    for name, title in names.items():
        if name in figures:
            cells = [cell for axis in AXES for cell in _cells(figures[name][axis])]
            rows.append([title, *cells, " / ".join(number(constant[name][axis]) for axis in AXES)])
    quadrant = figures["quadrant"]
    cells = [cell for way in ("discriminator", "affect") for cell in _cells(quadrant[way])]
    rows.append(["quadrant (macro): Q, from VA", *cells, number(constant["quadrant"]["affect"])])
    return aligned(rows)


def _classes(model: dict[str, Any]) -> str:
    """Each class: people's means, the model's, and how many are read as what they are."""
    ways = list(model["confusion"])
    heads = ["n", "people V", "model V", "bias V", "people A", "model A", "bias A", *(WAYS[way] for way in ways)]
    rows = [["class", *heads]]
    for name, row in model["classes"].items():
        means = [number(row[key][axis]) for axis in AXES for key in ("people", "model", "bias")]
        rows.append([name, str(row["n"]), *means, *(number(row["recall"][way]) for way in ways)])
    accuracy = model["figures"]["accuracy"]
    rows.append(["mean recall", *[""] * 7, *(number(accuracy[way]["value"]) for way in ways)])
    rows.append(["95 %", *[""] * 7, *(_cells(accuracy[way])[1] for way in ways)])
    return aligned(rows)


def _confusion(model: dict[str, Any], way: str) -> str:
    """Counts: a row a class of people's, a column what it is read as."""
    rows = [[f"read as, by {WAYS[way]}", *EMOTIONS]]
    for name, counts in zip(EMOTIONS, model["confusion"][way], strict=True):
        if name in model["classes"]:
            rows.append([name, *map(str, counts)])
    return aligned(rows)


def _errors(model: dict[str, Any], report: dict[str, Any]) -> list[str]:
    """Bias, the neutral faces and spread, a line each."""
    if "classes" in model:
        share, neutral = model["class_bias_share"], model["neutral"]
        shares = f"V {number(share['valence'])}, A {number(share['arousal'])}"
        lines = [f"bias of the classes' means: {shares} of the squared error"]
        if neutral is None:
            lines.append("neutral faces: none in this set")
        else:
            sides = [
                f"{name} V {number(neutral[name]['valence'])}, A {number(neutral[name]['arousal'])},"
                f" {neutral[name]['below']:.0%} with V below {GLOOMY:g}"
                for name in ("model", "people")
            ]
            lines.append(f"neutral faces: n {neutral['n']}; {'; '.join(sides)}")
    else:
        lines = ["classes, bias of their means, neutral faces: none, the table names no expressions"]
    if not report["without_smiles"]:
        lines.append("CCC without smiles: none, every face smiles")
    elif "classes" not in model:
        lines.append(f"without smiles: people's V below {SMILE:g}, since the table names no expressions")
    spread = [
        f"{axis[0].upper()} {number(own['sd_ratio'])}, slope {number(own['slope'])}"
        for axis, own in model["spread"].items()
    ]
    return [*lines, f"spread (sd of the model's / of people's): {'; '.join(spread)}"]


def _deviation(report: dict[str, Any] | None) -> str:
    if report is None:
        return "deviation: none, this model gives none"
    rows = [["deviation", "valence", "arousal", "both"]]
    for name, title in {"auroc": "AUROC, worst fifth", "spearman": "Spearman with |error|"}.items():
        rows.append([title, *map(number, report[name].values())])
    for share in COVERAGES:
        rows.append([f"inside the {share} % interval", *(number(report["coverage"][share][axis]) for axis in AXES), ""])
    heads = ["n", *(f"{name} {axis[0].upper()}" for axis in AXES for name in ("deviation", "RMSE", "90 % holds"))]
    quadrants = [["read in quadrant", *heads]]
    for name, own in report["quadrants"].items():
        figures = [number(own[key][axis]) for axis in AXES for key in ("deviation", "rmse", "coverage_90")]
        quadrants.append([name, str(own["n"]), *figures])
    return f"{aligned(rows)}\n\n{aligned(quadrants)}"


def _differences(models: list[dict[str, Any]], first: str) -> str:
    """How the other models differ from the first, on the same resamples."""
    titles = {"ccc": "CCC", "ccc_without_smiles": "CCC without smiles"}
    columns = [("ccc", "valence"), ("ccc", "arousal"), ("ccc_without_smiles", "valence")]
    columns = [(name, axis) for name, axis in columns if name in models[0]["difference"]]
    heads = [head for name, axis in columns for head in (f"{titles[name]} {axis[0].upper()}", "95 %")]
    rows = [[f"more than {first}", *heads]]
    for model in models:
        each = [model["difference"][name][axis] for name, axis in columns]
        rows.append([model["name"], *(cell for figure in each for cell in _cells(figure, "+"))])
    return aligned(rows)


def _cells(figure: dict[str, Any], sign: str = "") -> tuple[str, str]:
    """A figure and its interval."""
    value, interval = figure["value"], figure["interval"]
    between = "" if interval is None else " to ".join(f"{round(bound, 3) + 0.0:{sign}.3f}" for bound in interval)
    return "-" if value is None else f"{round(value, 3) + 0.0:{sign}.3f}", between
