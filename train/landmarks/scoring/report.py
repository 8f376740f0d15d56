"""The report of `affect eval landmarks`: Markdown with the tables, what follows from them and the pictures; JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from nets.files import write_whole
from train.landmarks.scoring.config import KINDS
from train.landmarks.scoring.published import SPONTANEOUS
from train.landmarks.scoring.seeds import SHARE
from train.landmarks.scoring.study import Study
from train.landmarks.scoring.tables import tables_of
from train.landmarks.scoring.trained import Job
from train.landmarks.scoring.verdicts import verdicts
from train.prepared import SPLITS
from train.preparing.blocks import writing
from train.scoring.pages import Table

CAPTIONS = {
    "traversals.png": "What each dimension of M2's code moves",
    "space.png": "The test persons' codes along three principal components",
    "path.png": "The path of M2's code along clips",
}
PROTOCOL = (
    "{train}, {validation} and {test} persons train, validate and test, as the set parts them. In brackets: Student's "
    "{share:.0%} interval of the mean over {seeds} seeds; a seed decides jitter, triplets and weights, and all rows of "
    "a seed are measured on the same. The test persons are the same for all: what other persons would change is not in "
    "the intervals. Accuracy: a linear SVM, one against the rest, on standardised training codes, its C by the "
    "validation persons. Triplets: the share of test triplets whose nearer face lies no farther, between the codes' "
    "means. PCA and codes have {latent} components. Jitter, of a synthetic set's known landmarks: {jitter:g} of the "
    "distance between the eyes in every coordinate."
)


def markdown_of(study: Study, tables: Mapping[str, Table], pictures: Mapping[str, bytes]) -> str:
    """The whole report."""
    facts = facts_of(study)
    parts = [f"# Landmark VAE on {facts['name']}", PROTOCOL.format(share=SHARE, **facts["persons"], **facts)]
    for kind in study.options.chosen:
        parts += [
            f"## {KINDS[kind][0].upper()}{KINDS[kind][1:]}",
            f"{facts['faces'][kind]} of {facts['pictures']} pictures.",
        ]
        parts += ["\n".join(f"* {each}" for each in verdicts(study, kind))]
        parts += [table.markdown() for name, table in tables.items() if name.startswith(kind)]
    if "price" in tables:
        parts += ["## Known and found landmarks", tables["price"].markdown()]
    parts += [f"![{CAPTIONS[file]}]({file})\n\n*{CAPTIONS[file]}.*" for file in pictures]
    return "\n\n".join([*parts, SPONTANEOUS.markdown()]) + "\n"


def facts_of(study: Study) -> dict[str, Any]:
    """What was measured on, as JSON values."""
    faces = study.faces(study.main)
    persons = {name: len(np.unique(faces.subject[faces.part(name)])) for name in SPLITS}
    return {
        "name": faces.name,
        "folder": str(study.options.data),
        "pictures": int(faces.rows.max()) + 1,
        "faces": {kind: len(study.faces(kind).rows) for kind in study.options.chosen},
        "persons": persons,
        "seeds": study.options.seeds,
        "latent": _jobs(study)[0].config.model.latent,
        "jitter": _jobs(study)[0].config.jitter,
    }


def _jobs(study: Study) -> list[Job]:
    return study.repetitions[study.main][0].jobs


def json_of(study: Study, tables: Mapping[str, Table]) -> dict[str, Any]:
    """Every figure by seed, the tables, and what makes the models again."""
    scores = {
        kind: [{row: asdict(score) for row, score in each.items()} for each in study.scores[kind]]
        for kind in study.options.chosen
    }
    return {
        "set": facts_of(study),
        "training": {job.row: job.config.to_dict() for job in _jobs(study)},
        "tables": {name: table.to_dict() for name, table in tables.items()},
        "verdicts": {kind: list(verdicts(study, kind)) for kind in study.options.chosen},
        "scores": scores,
    }


def write_report(study: Study, pictures: Mapping[str, bytes]) -> list[Path]:
    """Write report.md, report.json and the pictures into OUT, each whole or not at all; SinkError if they cannot be."""
    tables, out = tables_of(study), study.options.out
    files: dict[str, bytes | str] = {
        "report.json": json.dumps(json_of(study, tables), indent=2) + "\n",
        "report.md": markdown_of(study, tables, pictures),
        **pictures,
    }
    with writing(out):
        for name, content in files.items():
            write_whole(out / name, content)
    return [out / name for name in files]
