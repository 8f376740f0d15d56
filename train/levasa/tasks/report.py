"""The report of `affect eval levasa`: Markdown with our tables, the published ones and the pictures; and as JSON."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from train.levasa.tasks.config import TITLES
from train.levasa.tasks.faces import TRANSFERRED
from train.levasa.tasks.published import PUBLISHED
from train.levasa.tasks.study import Study
from train.scoring.pages import Outcome

CAPTIONS = {
    "reconstructions.png": "Test faces and what each model makes of them",
    "tsne.png": "t-SNE of z_v and z_a of test faces, at most {map_faces} of each emotion",
    "circumplex.png": "Rings: true means of the emotions; dots: means of what is shown",
}
DRAWN = (
    "Transferred labels: for each face one draw of an emotion by its votes, and of a point in that emotion's ellipse "
    "(preset {preset}, {shape}, {spread:g} standard deviations, seed {seed}). Votes times centres: the mean of such "
    "draws."
)
PROTOCOL = (
    "In brackets: 95 % bootstrap intervals over the people of the tested faces, {rounds} resamples, the same for all "
    "models. A latent z is its mean; models are in evaluation mode. Classifiers and regressors read standardised "
    "latents, fitted on {taught} of the {train} training faces, by settings fixed beforehand. The published "
    "figures are of other sets, and tested on what was trained on: they tell an order of magnitude, no more."
)

Outcomes = Mapping[str, Outcome]
"""By the task's name."""


def markdown_of(study: Study, outcomes: Outcomes) -> str:
    """The whole report."""
    facts = facts_of(study)
    parts = [f"# LeVAsa on {facts['name']}: {facts['tested']} faces", *_head(study, facts), *study.notes]
    for number, (name, title) in enumerate(TITLES.items(), 1):
        if name in outcomes:
            parts += [f"## {number}. {title}", *_section(study, name, outcomes[name])]
    return "\n\n".join(parts) + "\n"


def _head(study: Study, facts: dict[str, Any]) -> Iterator[str]:
    lines = ["| model | heads | parameters | sha256 |", "| --- | --- | ---: | --- |"]
    lines += [f"| {m.label} | {m.heads} | {m.card.parameters:,} | {m.card.sha256[:16]} |" for m in study.models]
    yield "\n".join(lines)
    if facts["emotions"]:
        counts = ", ".join(f"{name} {count}" for name, count in facts["emotions"].items())
        yield f"Tested faces by emotion: {counts}."
    if TRANSFERRED in facts["labels"]:
        yield DRAWN.format(**asdict(study.drawn_by))
    yield PROTOCOL.format(rounds=study.config.rounds, taught=len(study.taught), train=len(study.train))


def _section(study: Study, name: str, outcome: Outcome) -> list[str]:
    captions = {file: CAPTIONS[file].format(**asdict(study.config)) for file in outcome.pictures}
    pictures = [f"![{caption}]({file})\n\n*{caption}.*" for file, caption in captions.items()]
    return [table.markdown() for table in (*outcome.tables, *PUBLISHED.get(name, ()))] + pictures


def facts_of(study: Study) -> dict[str, Any]:
    """What was measured on, as JSON values."""
    test, emotion = study.test, study.test.emotion
    counts = [] if emotion is None else np.bincount(emotion, minlength=len(test.names)).tolist()
    return {
        "name": test.data.name,
        "folder": str(test.data.folder),
        "trained": len(study.train),
        "taught": len(study.taught),
        "tested": len(test),
        "subjects": len(np.unique(test.data.subject[test.rows])),
        "emotions": dict(zip(test.names, counts, strict=True)) if counts else {},
        "labels": list(test.labels),
    }


def json_of(study: Study, outcomes: Outcomes) -> dict[str, Any]:
    """Every figure, and what makes them again."""
    models = [
        {"label": m.label, "heads": m.heads, "sha256": m.card.sha256, "training": m.card.training} for m in study.models
    ]
    tasks = {
        name: {"tables": [table.to_dict() for table in outcome.tables], "pictures": list(outcome.pictures)}
        for name, outcome in outcomes.items()
    }
    settings = {"labels": asdict(study.drawn_by), "config": asdict(study.config), "notes": list(study.notes)}
    published = {name: [table.to_dict() for table in PUBLISHED[name]] for name in outcomes if name in PUBLISHED}
    return {"set": facts_of(study), "models": models, **settings, "tasks": tasks, "published": published}
