"""A whole study: the sets by kind of landmarks and seed, the trainings on them, and every row's scores."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from joblib import Parallel, delayed
from tqdm import tqdm

from nets.files import write_whole
from tracker.errors import UsageError
from train.command import add_figures
from train.landmarks.data import TRACKER, LandmarkSet
from train.landmarks.loaders import read_landmarks
from train.landmarks.scoring.config import NONE, Options
from train.landmarks.scoring.scores import Measure, Scores, score_rows
from train.landmarks.scoring.seeds import over_seeds
from train.landmarks.scoring.trained import Job, Repetition, jobs_of, train_all
from train.landmarks.triplets import artificial, read_triplets
from train.preparing.blocks import writing
from train.scoring.figures import Figure

KEY = "study.json"
"""In the folder of a kind: what its models learn, and how."""


@dataclass(frozen=True)
class Study:
    """Everything of a study that is trained and scored."""

    options: Options
    repetitions: dict[str, list[Repetition]]
    """By kind, one a seed."""
    scores: dict[str, list[Scores]]
    """By kind, one a seed."""

    @cached_property
    def main(self) -> str:
        """The kind whose models the pictures show."""
        return self.options.chosen[0]

    def figure(self, kind: str, row: str, measure: Measure) -> Figure:
        """The mean over the seeds with its interval."""
        return over_seeds([measure(scores[row]) for scores in self.scores[kind]])

    def lead(self, kind: str, row: str, other: str, measure: Measure) -> Figure:
        """By how much a row is above another, seed by seed: both have the same jitter and the same triplets."""
        return over_seeds([measure(scores[row]) - measure(scores[other]) for scores in self.scores[kind]])

    def groups(self, kind: str) -> list[str]:
        """The rules or weights of the triplets."""
        return list(self.scores[kind][0][NONE].by_group)

    def faces(self, kind: str) -> LandmarkSet:
        """Of the first seed."""
        return self.repetitions[kind][0].faces

    @property
    def asked_the_tracker(self) -> bool:
        """Whether it said how calm the found faces are; True where none were found."""
        return "found" not in self.repetitions or TRACKER in self.faces("found").away

    def job(self, kind: str, row: str) -> Job:
        """The training of a row by the first seed."""
        return next(job for job in self.repetitions[kind][0].jobs if job.row == row)


def run_study(options: Options) -> Study:
    """Train what is missing and score everything.

    UsageError where OUT was begun with other landmarks or settings; DataError where the data is no whole set.
    """
    with writing(options.out):
        options.out.mkdir(parents=True, exist_ok=True)
    repetitions = {kind: [_repetition(options, kind, seed) for seed in range(options.seeds)] for kind in options.chosen}
    for kind, each in repetitions.items():
        _begin(options.out / kind, each[0])
    every = [each for seed in zip(*repetitions.values(), strict=True) for each in seed]
    train_all(every, options.processes)
    work = Parallel(options.processes, return_as="generator")(delayed(score_rows)(each) for each in every)
    scores = list(tqdm(work, "scoring", len(every), unit="set"))
    for repetition, of_rows in zip(every, scores, strict=True):
        _note(repetition, of_rows)
    kinds = len(options.chosen)
    return Study(options, repetitions, {kind: scores[i::kinds] for i, kind in enumerate(options.chosen)})


def _note(repetition: Repetition, scores: Scores) -> None:
    """Write each model's own scores into its card."""
    for job in repetition.jobs:
        score = scores[job.row]
        figures = {"accuracy": round(score.accuracy, 4), "triplets": round(score.triplets, 4)}
        add_figures(job.path, {f"{job.kind} landmarks": {"command": "affect eval landmarks --data FACES", **figures}})


def _repetition(options: Options, kind: str, seed: int) -> Repetition:
    jobs = jobs_of(options, kind, seed)
    config = jobs[0].config
    faces = read_landmarks(options.data, options.found_file if kind == "found" else None, config.jitter, seed)
    if options.triplets is not None:
        return Repetition(faces, read_triplets(options.triplets, faces), jobs)
    return Repetition(faces, artificial(faces, config.triplets.counts, seed), jobs)


def _begin(folder: Path, first: Repetition) -> None:
    """Keep what the folder's models learn, and how; UsageError where it was begun with something else."""
    arrays = (first.faces.shapes, *(each.rows for each in first.triplets.values()))
    digest = hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()
    trainings = {job.row: job.config.to_dict() for job in first.jobs}
    text, key = json.dumps({"landmarks and triplets": digest, **trainings}, indent=2) + "\n", folder / KEY
    if key.is_file() and key.read_text(encoding="utf-8") != text:
        raise UsageError(
            f"{folder} was begun with other landmarks, triplets or settings (its {KEY}); choose another --out folder"
        )
    with writing(folder):
        folder.mkdir(exist_ok=True)
        write_whole(key, text)
