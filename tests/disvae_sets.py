"""A set of drawn people with expressions of several degrees, and DisVAEs of which it is known what their codes tell."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nets.card import ModelCard
from nets.checkpoint import save
from nets.disvae import Code, Disvae, DisvaeConfig
from tracker.faces.align import Template
from train.disvae.tasks.config import TasksConfig
from train.disvae.tasks.trial import Trial
from train.folds import Folds, make_folds
from train.prepared import SPLITS, LabelScale, Names, Prepared, create_crops, open_prepared, write_prepared

TEMPLATE = Template(size=16, channels=1, margin=2)
CLASSES = ("neutral", "anger", "happiness", "surprise")
CENTRES = ((0.0, 0.0), (-0.5, 0.5), (0.7, 0.2), (0.2, 0.8))
PERSONS, DEGREES, FOLDS = 10, 3, 5
TINY = DisvaeConfig(CLASSES, CENTRES, size=16, channels=1, widths=(4, 8), latent=12, dropout=0.0)
QUICK = TasksConfig(faces=60, processes=1, rounds=60, partners=3, persons=2)
LEVEL, STEP, STRENGTH = 20, 20, 60
"""Grey levels: of the first person, from one person to the next, and of each degree."""


def kinds() -> list[tuple[int, int]]:
    """Expression and degree of each of a person's pictures: neutral, then every expression by degrees."""
    return [(0, 0), *((k, degree) for k in range(1, len(CLASSES)) for degree in range(1, DEGREES + 1))]


def draw(person: Tensor, strength: Tensor) -> Tensor:
    """Pictures (B, 1, 16, 16) of grey levels: the person above, (B,), and each expression's degree (B, 3) below it."""
    above = (LEVEL + STEP * person)[:, None, None].expand(-1, 8, 16)
    below = (STRENGTH * strength).repeat_interleave(5, dim=1)[:, None].expand(-1, 8, 15)
    return torch.cat([above, torch.nn.functional.pad(below, (0, 1))], dim=1)[:, None]


def seen(crops: Tensor) -> tuple[Tensor, Tensor]:
    """The person (B,) and each expression's degree (B, 3) that pictures show."""
    levels = crops.float()[:, 0]
    person = (levels[:, :8].mean(dim=(1, 2)) - LEVEL) / STEP
    strength = levels[:, 8:, :15].reshape(-1, 8, 3, 5).mean(dim=(1, 3)) / STRENGTH
    return person.round(), strength


def write_people(folder: Path, without: tuple[str, ...] = (), **changes: np.ndarray) -> Prepared:
    """PERSONS people, each with a neutral face and three expressions of three degrees."""
    person = np.repeat(np.arange(PERSONS), len(kinds()))
    expression, degree = np.tile(np.array(kinds()), (PERSONS, 1)).T
    strength = degree[:, None] * np.equal.outer(expression, [1, 2, 3])
    pictures = draw(torch.from_numpy(person), torch.from_numpy(strength)).numpy()
    noisy = pictures + np.random.default_rng(1).normal(0, 2, pictures.shape)
    padded = np.pad(noisy.clip(0, 255), ((0, 0), (0, 0), (2, 2), (2, 2)), mode="edge")
    create_crops(folder, TEMPLATE, len(person))[:] = padded.round().astype(np.uint8).transpose(0, 2, 3, 1)
    columns = {
        "affect": np.full((len(person), 2), np.nan),
        "found": np.ones(len(person), bool),
        "clip": np.arange(len(person)),
        "time": np.zeros(len(person)),
        "subject": person,
        "expression": expression.astype(np.uint8),
        "degree": degree.astype(np.uint8),
        "split": np.select([person < 6, person < 8], [SPLITS["train"], SPLITS["validation"]], SPLITS["test"]),
    }
    kept = {key: values for key, values in (columns | changes).items() if key not in without}
    names = Names([f"clip{i}" for i in range(len(person))], [f"person-{i}" for i in range(PERSONS)], CLASSES)
    return write_prepared(folder, "drawn people", TEMPLATE, LabelScale(), kept, names)


def write_folds(data: Prepared, path: Path) -> Folds:
    """FOLDS folds of two people each, in a file."""
    folds = make_folds(data, FOLDS)
    folds.save(path)
    return folds


class Apart(Disvae):
    """The identity code is the person, the expression code the expression by its degree, and nothing else."""

    def identity(self, crops: Tensor) -> Code:
        return certain(torch.nn.functional.one_hot(seen(crops)[0].long() % 12, 12).float())

    def expression(self, crops: Tensor) -> Code:
        return certain(torch.nn.functional.pad(seen(crops)[1], (0, 9)))

    def classify(self, expression: Tensor) -> Tensor:
        return torch.nn.functional.pad(expression[:, :3], (1, 0), value=0.5)

    def fuse(self, identity: Tensor, expression: Tensor) -> Tensor:
        return torch.cat([identity, expression], dim=1)

    def decode(self, z: Tensor) -> Tensor:
        return draw(z[:, :12].argmax(1), z[:, 12:15]) / 255


class Mixed(Apart):
    """Either code tells person and expression alike; a picture wears the expression of its identity's face."""

    def identity(self, crops: Tensor) -> Code:
        person, strength = seen(crops)
        return certain(torch.cat([strength, torch.nn.functional.one_hot(person.long() % 9, 9)], dim=1))

    def expression(self, crops: Tensor) -> Code:
        return self.identity(crops)

    def decode(self, z: Tensor) -> Tensor:
        return draw(z[:, 3:12].argmax(1), z[:, :3]) / 255


class Blind(Apart):
    """Its codes have nothing to do with the picture."""

    def identity(self, crops: Tensor) -> Code:
        drawn = torch.Generator().manual_seed(int(crops.long().sum()))
        return certain(torch.randn(len(crops), 12, generator=drawn))

    def expression(self, crops: Tensor) -> Code:
        return self.identity(crops.flip(0))


def certain(mean: Tensor) -> Code:
    """A code of unit variance."""
    return Code(mean, torch.zeros_like(mean))


def model(kind: type[Disvae], **changes: object) -> Disvae:
    """In evaluation mode."""
    torch.manual_seed(0)
    return kind(replace(TINY, **changes)).eval()  # type: ignore[arg-type]


def trial_of(network: Disvae, folder: Path, folds: Folds, fold: int, judge: Disvae | None = None) -> Trial:
    """A model on a fold of the set in a folder."""
    data = open_prepared(folder)
    return Trial.of(network, data, folds.rows(data, fold), QUICK, judge)


def write_disvae(path: Path, seed: int = 0, crop: dict | None = None, **changes: object) -> Path:
    """A random model as training writes it."""
    torch.manual_seed(seed)
    network = Disvae(replace(TINY, **changes)).eval()  # type: ignore[arg-type]
    path.parent.mkdir(parents=True, exist_ok=True)
    card = ModelCard(path.stem, "disvae", network.config.to_dict(), crop or TEMPLATE.card(), "", "", "")
    save(path, network, card, torch.float16)
    return path
