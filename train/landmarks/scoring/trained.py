"""The trainings of a study: each is done once, and found again in its folder."""

from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
import torch
from joblib import Parallel, delayed
from tqdm import tqdm

from nets.card import CheckpointFault
from nets.checkpoint import load
from nets.landmark_vae import LandmarkVae
from tracker.errors import CheckpointError
from train.command import changes_of, command_of
from train.config import changed, read
from train.landmarks.config import LandmarkTraining
from train.landmarks.data import LandmarkSet
from train.landmarks.scoring.config import TRAINED, Options
from train.landmarks.training import train_landmarks
from train.landmarks.triplets import Triplets


@dataclass(frozen=True)
class Job:
    """One training."""

    kind: str
    """Of the landmarks: exact or found."""
    row: str
    """Of Table II."""
    config: LandmarkTraining
    folder: Path
    command: str
    """What makes the same weights again, for the model's card."""

    @property
    def path(self) -> Path:
        """Of the checkpoint."""
        return self.folder / f"{self.config.name}.safetensors"


@dataclass(frozen=True)
class Coded:
    """What a model says of N faces of a set."""

    z: np.ndarray
    """(N, K) float32: the codes' means."""
    divergence: np.ndarray
    """(N, K) nats: of each component from the standard normal distribution."""
    decoded: np.ndarray
    """(N, D): the faces that the means are decoded to."""

    @property
    def nats(self) -> np.ndarray:
        """(K,): what each dimension tells of a face in the mean."""
        return self.divergence.mean(axis=0)


@dataclass(frozen=True)
class Repetition:
    """What a seed decides: the jitter of the landmarks, the triplets, and the trainings on both."""

    faces: LandmarkSet
    triplets: dict[str, Triplets]
    """By part."""
    jobs: list[Job]


def jobs_of(options: Options, kind: str, seed: int) -> list[Job]:
    """The trainings on one kind of landmarks by one seed; found landmarks have their own jitter.

    UsageError for a change that a configuration does not take.
    """
    own = (*options.changes, f"seed={seed}", f"triplets.seed={seed}", *["jitter=0.0"] * (kind == "found"))
    further = ["--found FILE"] * (kind == "found") + ["--triplets FILE"] * (options.triplets is not None)
    jobs = []
    for row, name in TRAINED.items():
        config = changed(read(LandmarkTraining, name), changes_of(own))
        command = command_of("landmarks", name, further, own)
        jobs.append(Job(kind, row, config, options.out / kind / name / f"seed-{seed}", command))
    return jobs


def train_all(repetitions: Sequence[Repetition], processes: int) -> None:
    """Do the trainings that are not done."""
    left = [(job, each) for each in repetitions for job in each.jobs if not job.path.is_file()]
    work = (delayed(_train)(job, each.faces, each.triplets) for job, each in left)
    done = Parallel(processes, return_as="generator_unordered")(work)
    for _ in tqdm(done, "training", len(left), unit="model", disable=not left):
        pass


def _train(job: Job, faces: LandmarkSet, triplets: dict[str, Triplets]) -> None:
    """In silence: the folder's log has what a training says."""
    torch.set_num_threads(1)
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        train_landmarks(job.config, faces, job.folder, job.command, triplets)


def open_model(path: Path) -> LandmarkVae:
    """CheckpointError for what is not a landmark VAE."""
    try:
        model, card = load(str(path))
    except CheckpointFault as error:
        raise CheckpointError(str(error)) from error
    if not isinstance(model, LandmarkVae):
        raise CheckpointError(f"{path} is a model of kind {card.kind!r}; expected 'landmark-vae'")
    return model.eval()


@torch.inference_mode()
def coded(model: LandmarkVae, faces: LandmarkSet) -> Coded:
    """The model's answer to all faces of a set, each beside its person's neutral one."""
    flat = torch.from_numpy(faces.flat)
    neutral = flat[faces.neutral]
    code = model.encode(flat, neutral)
    decoded = model.decode(code.mean, neutral)
    return Coded(code.mean.numpy(), code.nats().numpy(), decoded.numpy())


@torch.inference_mode()
def codes_of(model: LandmarkVae, shapes: np.ndarray, neutral: np.ndarray) -> np.ndarray:
    """The codes' means (T, K) of shapes (T, P, 3) beside one neutral face (P, 3), or each beside its own (T, P, 3)."""
    each = np.broadcast_to(neutral, shapes.shape)
    flat, beside = (torch.tensor(faces.reshape(len(shapes), -1)) for faces in (shapes, each))
    return model.encode(flat, beside).mean.numpy()


@torch.inference_mode()
def decoded(model: LandmarkVae, z: np.ndarray, neutral: np.ndarray) -> np.ndarray:
    """The faces (S, P, 3) of codes z (S, K) of the person with a neutral face (P, 3)."""
    faces = model.decode(torch.from_numpy(z), torch.from_numpy(neutral.reshape(1, -1)).expand(len(z), -1))
    return faces.numpy().reshape(len(z), -1, 3)
