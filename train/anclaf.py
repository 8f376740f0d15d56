"""ANCLaF's first stage without the adversarial game: G denoises, D names the quadrant, C regresses affect."""

import json
import math
import time
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from tqdm import tqdm

from nets.anclaf import Anclaf, AnclafConfig
from nets.checkpoint import ModelCard, save
from tracker.errors import DataError, UsageError
from tracker.faces.align import Template
from train import metrics
from train.datasets import ferplus
from train.distortion import augment, distort
from train.losses import affect_loss, soft_cross_entropy, soft_quadrants

CONFIGS = Path(__file__).parent / "configs"
DATA = (
    "FER-2013 faces (Goodfellow et al. 2013, Kaggle challenge) with FER+ votes (Barsoum et al. 2016, MIT), training "
    "split; valence and arousal: votes and own label times AffectNet's class means as printed by LeVAsa's authors "
    "(arXiv 2007.10058), contempt at (-0.5, 0.6)"
)
TERMS = "Apache-2.0; trained on FER-2013 pictures (Kaggle challenge data: see their terms) with FER+ votes (MIT)"
WARM_UP = 0.1
"""Share of the steps in which the learning rate rises."""
SIZES = {"paper": AnclafConfig, "compact": AnclafConfig.compact}


@dataclass(frozen=True)
class StageOneConfig:
    """Everything that decides the weights, as it stands in a file of train/configs/."""

    name: str
    """Of the model that comes out."""
    model: str
    """paper or compact."""
    template: dict[str, Any]
    """Of the training crops; its margin leaves room for augmentation."""
    label_share: float
    """Share of FER-2013's own label in the training target; the rest are the votes."""
    weight_power: float
    """A face weighs its emotions' frequency to minus this: 0 as the data are, 1 all emotions alike."""
    quadrant_width: float
    """Affect over which a quadrant's border is soft."""
    loss: dict[str, float]
    """Weights of affect, emotion, quadrant and reconstruction."""
    epochs: int
    settle_epochs: int
    """The last ones, in which fewer pictures are distorted: the weights settle on faces as they mostly are."""
    settle_share: float
    """Of the pictures that may be distorted then; before, all may."""
    settle_weight_power: float
    """In place of weight_power then."""
    batch: int
    learning_rate: float
    weight_decay: float
    average_decay: float
    """Of the moving average of the weights, per step; the average is what ships."""
    seed: int

    @classmethod
    def read(cls, name: str) -> "StageOneConfig":
        """A name of train/configs/ or the path of a JSON file."""
        path = Path(name) if name.endswith(".json") else CONFIGS / f"{name}.json"
        if not path.exists():
            known = ", ".join(sorted(p.stem for p in CONFIGS.glob("*.json")))
            raise UsageError(f"no configuration {name!r}; expected one of {known}, or the path of a .json file")
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (TypeError, ValueError) as error:
            raise UsageError(f"{path} is not a configuration of stage one: {error}") from error

    @property
    def crop(self) -> Template:
        """The template of the training crops."""
        return Template(**self.template)


@dataclass(frozen=True)
class Examples:
    """N training or validation faces as tensors."""

    crops: Tensor
    """(N, C, S, S) uint8, with the template's margin."""
    emotions: Tensor
    """(N, 8) float32: the target distribution."""
    majority: np.ndarray
    """(N,) the emotion with most votes."""

    @property
    def affect(self) -> Tensor:
        """(N, 2) float32: valence and arousal of the target distribution."""
        return self.emotions @ torch.from_numpy(ferplus.CENTRES)

    @property
    def frequency(self) -> Tensor:
        """(8,) of the emotions; one that never occurs counts as one in ten thousand."""
        return self.emotions.mean(0).clamp(min=1e-4)

    def weights(self, power: float) -> Tensor:
        """(N,) float32, mean 1: each face by its emotions' frequency to the power -`power`."""
        weights = self.emotions @ self.frequency**-power
        return weights / weights.mean()


class Learner(nn.Module):
    """The model and a head that only training has: the eight emotions from C's feature keep the rare ones apart."""

    def __init__(self, config: AnclafConfig, prior: Tensor) -> None:
        super().__init__()
        self.model = Anclaf(config)
        self.emotions = nn.Linear(config.feature, len(prior))
        self.register_buffer("log_prior", prior.log())

    def forward(
        self, clean: Tensor, seen: Tensor, emotions: Tensor, weights: Tensor, config: StageOneConfig
    ) -> dict[str, Tensor]:
        """The losses of a batch: what G saw and the clean picture behind it, (B, C, S, S) in [-1, 1].

        The prior is added to the emotions' logits: they learn a posterior under balanced emotions (Menon et al. 2021).
        """
        out = self.model(seen)
        centres = torch.from_numpy(ferplus.CENTRES)
        quadrants = emotions @ soft_quadrants(centres, config.quadrant_width)
        return {
            "affect": affect_loss(out.affect.float(), emotions @ centres, weights),
            "emotion": soft_cross_entropy(
                self.emotions(out.feature).float() + self.log_prior, emotions, torch.ones_like(weights)
            ),
            "quadrant": soft_cross_entropy(out.quadrant_logits, quadrants, weights),
            "reconstruction": (out.reconstruction.float() - clean).abs().mean(),
        }


def examples(
    data: ferplus.FerPlus, split: str, config: StageOneConfig, prepared: tuple[np.ndarray, np.ndarray]
) -> Examples:
    """The faces of a split that were found and given an emotion by somebody; training mixes in their own label."""
    crops, found = prepared
    keep = found & (data.split == ferplus.SPLITS[split])
    keep &= data.votes[:, :8].sum(axis=1) >= (1 if split == "train" else ferplus.MIN_VOTES)
    if not keep.any():
        raise DataError(f"no face of the split {split!r} was found; expected FER+ with its three splits")
    part = data.select(keep)
    emotions = ferplus.vote_shares(part.votes)
    if split == "train":
        own = np.eye(len(ferplus.EMOTIONS), dtype=np.float32)[np.array(ferplus.LABEL_EMOTIONS)[part.label]]
        emotions = (1 - config.label_share) * emotions + config.label_share * own
    return Examples(
        torch.from_numpy(crops[keep]).permute(0, 3, 1, 2).contiguous(),
        torch.from_numpy(emotions),
        ferplus.majority(part.votes),
    )


class StageOne:
    """The training run: everything that a checkpoint has to hold to go on where it stopped.

    Where torch.distributed is initialised, each process works on its share of every batch.
    """

    def __init__(self, config: StageOneConfig, train: Examples, folder: Path) -> None:
        torch.manual_seed(config.seed)
        self.config, self.train, self.folder = config, train, folder
        self.rank, self.world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
        self.learner = Learner(SIZES[config.model](), train.frequency).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = deepcopy(self.learner.model).eval().requires_grad_(False)
        self.optimiser = torch.optim.AdamW(
            self.learner.parameters(), config.learning_rate, betas=(0.9, 0.99), weight_decay=config.weight_decay
        )
        self.steps = len(train.crops) // config.batch
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimiser, self._rate)
        self.epoch = 0

    def _rate(self, step: int) -> float:
        """Share of the learning rate: up along a cosine over WARM_UP of the steps, then down along one to zero."""
        total = self.config.epochs * self.steps
        rise = WARM_UP * total
        if step < rise:
            return 0.04 + 0.48 * (1 - math.cos(math.pi * step / rise))
        return 0.5 * (1 + math.cos(math.pi * (min(step, total) - rise) / (total - rise)))

    def run(self, validation: Examples) -> Anclaf:
        """All epochs that are left; returns the averaged model."""
        while self.epoch < self.config.epochs:
            started = time.monotonic()
            losses = self._run_epoch()
            self.epoch += 1
            if self.rank == 0:
                self.save()
                scores = validate(self.average, validation, self.config)
                self._log({"epoch": self.epoch, "seconds": round(time.monotonic() - started), **losses, **scores})
        return self.average

    def _log(self, record: dict[str, float]) -> None:
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(record) + "\n")
        tqdm.write(json.dumps(record))

    def _run_epoch(self) -> dict[str, float]:
        """Every epoch draws from its own seed, so that a resumed run is the run that was stopped."""
        self.learner.train()
        config = self.config
        self._weights = self.train.weights(config.settle_weight_power if self._settling else config.weight_power)
        order = torch.randperm(
            len(self.train.crops), generator=torch.Generator().manual_seed(self.config.seed + self.epoch)
        )
        torch.manual_seed((self.config.seed + 1000 * self.epoch) * self.world + self.rank)
        batches = order[: self.steps * self.config.batch].split(self.config.batch)
        label = f"epoch {self.epoch + 1}/{self.config.epochs}"
        totals: dict[str, float] = {}
        for index in tqdm(batches, label, leave=False, disable=self.rank > 0):
            for name, value in self._step(index[self.rank :: self.world]).items():
                totals[name] = totals.get(name, 0.0) + float(value) / self.steps
        return {name: round(value, 4) for name, value in totals.items()}

    def _step(self, index: Tensor) -> dict[str, Tensor]:
        config, model = self.config, self.learner.model
        clean = augment(self.train.crops[index], config.crop.size)
        seen = model.scale(distort(clean, config.settle_share if self._settling else 1.0)).contiguous(
            memory_format=torch.channels_last
        )
        with torch.autocast("cpu", torch.bfloat16):
            losses = self.learner(model.scale(clean), seen, self.train.emotions[index], self._weights[index], config)
        total = torch.stack([config.loss[name] * value for name, value in losses.items()]).sum()
        self.optimiser.zero_grad()
        total.backward()
        self._share_gradients()
        nn.utils.clip_grad_norm_(self.learner.parameters(), 5.0)
        self.optimiser.step()
        self.schedule.step()
        self._update_average()
        return {name: value.detach() for name, value in losses.items()}

    @property
    def _settling(self) -> bool:
        return self.epoch >= self.config.epochs - self.config.settle_epochs

    def _share_gradients(self) -> None:
        """Mean of the processes' gradients, in one message."""
        if self.world == 1:
            return
        gradients = [p.grad for p in self.learner.parameters() if p.grad is not None]
        flat = torch.cat([g.flatten() for g in gradients])
        dist.all_reduce(flat)
        for own, mean in zip(gradients, (flat / self.world).split([g.numel() for g in gradients]), strict=True):
            own.copy_(mean.view_as(own))

    @torch.no_grad()
    def _update_average(self) -> None:
        done = self.schedule.last_epoch
        decay = min(self.config.average_decay, (1 + done) / (10 + done))
        for own, new in zip(self.average.state_dict().values(), self.learner.model.state_dict().values(), strict=True):
            if own.is_floating_point():
                own.lerp_(new, 1 - decay)
            else:
                own.copy_(new)

    def save(self) -> None:
        """Write the run's state to its folder, atomically."""
        state = {name: getattr(self, name).state_dict() for name in ("learner", "average", "optimiser", "schedule")}
        temporary = self.folder / "last.part"
        torch.save({**state, "epoch": self.epoch}, temporary)
        temporary.replace(self.folder / "last.pt")

    def resume(self) -> bool:
        """Go on from the folder's state; False where there is none."""
        path = self.folder / "last.pt"
        if not path.exists():
            return False
        state = torch.load(path, weights_only=True)
        for name in ("learner", "average", "optimiser", "schedule"):
            getattr(self, name).load_state_dict(state[name])
        self.epoch = state["epoch"]
        return True


@torch.no_grad()
def predict(model: Anclaf, crops: Tensor, margin: int, batch: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """Affect (N, 2) in [-1, 1] and quadrant probabilities (N, 4) of crops (N, C, S, S) with a margin, undistorted."""
    side = crops.shape[-1]
    inner = crops[..., margin : side - margin, margin : side - margin]
    parts = [model.encode(part) for part in inner.split(batch)]
    return torch.cat([p[2] for p in parts]).clamp(-1, 1).numpy(), torch.cat([p[1] for p in parts]).numpy()


def validate(model: Anclaf, data: Examples, config: StageOneConfig) -> dict[str, float]:
    """CCC of valence and arousal, as the data are and with the emotions weighing alike, and D's macro accuracy."""
    affect, quadrants = predict(model, data.crops, config.crop.margin)
    target, weights = data.affect.numpy(), metrics.balanced_weights(data.majority)
    scores = {}
    for axis, name in enumerate(("valence", "arousal")):
        scores[f"ccc_{name}"] = metrics.ccc(affect[:, axis], target[:, axis])
        scores[f"ccc_balanced_{name}"] = metrics.ccc(affect[:, axis], target[:, axis], weights)
    scores["quadrant_accuracy"] = metrics.macro_accuracy(quadrants.argmax(1), metrics.quadrant_of(target), 4)
    return {name: round(float(value), 4) for name, value in scores.items()}


def train_stage_one(config: StageOneConfig, data: Path, folder: Path, processes: int) -> None:
    """Train on the FER+ .npz by `processes` of few threads each (on two cores, two of one beat one of two).

    The run's state and log stay in `folder`; a second call goes on where the first stopped.
    """
    folder.mkdir(parents=True, exist_ok=True)
    faces = ferplus.load(data)
    ferplus.prepared_crops(faces, config.crop, folder.parent / "prepared", processes)
    rendezvous = folder / "rendezvous"
    rendezvous.unlink(missing_ok=True)
    torch.multiprocessing.spawn(_train_worker, (config, data, folder, processes), processes)


def export(config: StageOneConfig, folder: Path, command: str) -> Path:
    """Write the averaged weights of the run in `folder` as a checkpoint in half precision; returns its path."""
    model = Anclaf(SIZES[config.model]())
    state = torch.load(folder / "last.pt", weights_only=True)
    model.load_state_dict(state["average"])
    card = ModelCard(
        name=config.name,
        kind="anclaf",
        config=model.config.to_dict(),
        crop=config.crop.card(),
        data=DATA,
        terms=TERMS,
        command=command,
        training={**asdict(config), "epochs_done": state["epoch"]},
    )
    path = folder / f"{config.name}.safetensors"
    save(path, model, card, torch.float16)
    return path


def _train_worker(rank: int, config: StageOneConfig, data: Path, folder: Path, processes: int) -> None:
    torch.set_num_threads(max(1, torch.get_num_threads() // processes))
    if processes > 1:
        dist.init_process_group("gloo", f"file://{(folder / 'rendezvous').resolve()}", rank=rank, world_size=processes)
    faces = ferplus.load(data)
    prepared = ferplus.prepared_crops(faces, config.crop, folder.parent / "prepared")
    run = StageOne(config, examples(faces, "train", config, prepared), folder)
    run.resume()
    run.run(examples(faces, "validation", config, prepared))
    if processes > 1:
        dist.destroy_process_group()
