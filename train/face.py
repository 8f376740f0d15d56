"""Teaches an ANCLaF to see with a face network too: its maps beside ZQ, expressions, deviations.

G, D, Q and what C's own encoder makes of ZQ stay as they are. Two things keep what the face network has learnt: its
early levels stand still and its late ones move slowly; and in training now one and now the other half of C's feature is
left out, so that neither leans on the other.
"""

import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from tqdm import tqdm

from nets.anclaf import Anclaf, with_face
from nets.card import ModelCard
from nets.checkpoint import save
from nets.expressions import EXPRESSIONS
from nets.onnx.export import export_trained
from nets.torch_runtime import fold_batch_norms
from tracker.errors import CheckpointError, DataError
from train import run
from train.anclaf import validate
from train.config import CONFIGS, THEN, Configuration, StageOneConfig, Weighted
from train.datasets.ferplus import CENTRES
from train.distortion import augment, distort
from train.dlib import face_encoder_weights
from train.examples import Examples, examples, inner
from train.folds import Rows
from train.losses import affect_loss, deviation_loss, soft_cross_entropy
from train.prepared import Prepared, open_prepared
from train.quadrant_head import open_anclaf
from train.scoring.compared import check_crops

LOSSES = ("affect", "emotion", "deviation")
LONGEST_STEP = 5.0
"""Length to which the gradient is cut."""
COVERED, COVERED_DEVIATIONS = 0.9, 1.645
"""Share of a normal distribution within so many standard deviations."""
FACE_DATA = (
    "face network: the first levels of dlib_face_recognition_resnet_model_v1 (Davis King 2017, public domain), trained "
    "on about 3 million faces of face scrub, VGG and the web"
)


@dataclass(frozen=True)
class FaceConfig(Weighted, Configuration):
    """How the face network and C's new parts learn."""

    folder: ClassVar[Path] = CONFIGS / "face"

    name: str
    """Of the model that comes out."""
    start: str
    """The ANCLaF that grows: the name of one that ships, or a .safetensors file."""
    levels: int = 3
    """Of the face network."""
    widths: tuple[int, ...] = (128, 160)
    """Of C's encoder of its maps."""
    picture: int = 0
    """Side to which crops are shrunk for the face network, pixels; 0: they are not."""
    face_weights: str = "dlib_face_recognition_resnet_model_v1.dat"
    """The file with which the face network begins; empty: with drawn weights."""
    label_share: float = 0.4
    """Of the picture's own label in the target; the rest are votes."""
    weight_power: float = 0.6
    """A face weighs its emotions' frequency to minus this in the affect loss."""
    temperature: float = 1.0
    """Of the expressions whose places make affect: see FaceReader."""
    spread: tuple[float, float] = (1.1, 1.0)
    """Factors of valence and of arousal, put in after training: faces unlike the training's are read timidly. These
    keep the CCC on FER+'s validation split above .91 and .86."""
    neutral: tuple[float, float] = (0.04, 0.0)
    """Place of the neutral face, put in after training and not spread. FER+'s neutral faces have some votes for sadness
    and anger: with AffectNet's mean as their place neutral faces from elsewhere are read below 0, with this one those
    of the development sets are read as 0."""
    distorted: float = 0.6
    """Share of the pictures that a camera spoils."""
    own_left_out: float = 0.25
    """Share of the faces for which the half of C's feature that reads ZQ is 0."""
    face_left_out: float = 0.15
    """Likewise of the half that reads the face network's maps."""
    teachers: tuple[str, ...] = ()
    """Models that this command made, whose mean answer the pupil learns too: names of those that ship, or files."""
    teacher_share: float = 0.5
    """Of the teachers' answer in the target; the rest is what the set says."""
    loss: dict[str, float] = field(default_factory=lambda: {"affect": 1.0, "emotion": 1.0, "deviation": 0.1})
    epochs: int = 8
    waits: int = 1
    """First epochs in which the face network stands still while C's new parts find their place."""
    batch: int = 128
    learning_rate: float = 4e-4
    """Of C's new parts."""
    face_rate: float = 3e-5
    """Of the face network's last level; 0: the network stays as it is."""
    face_decay: float = 0.6
    """Of each level before it, as a share of the one after it."""
    frozen: int = 1
    """First parts of the face network (stem, levels) that stay as they are."""
    weight_decay: float = 0.02
    average_decay: float = 0.998
    """Of the moving average of the weights, per step; the average is what ships."""
    seed: int = 11

    def __post_init__(self) -> None:
        self.check_losses(LOSSES)

    def card(self) -> dict[str, Any]:
        """For a model card: files by their names alone."""
        teachers = [Path(name).stem for name in self.teachers]
        files = {"start": Path(self.start).stem, "face_weights": Path(self.face_weights).name}
        return {**self.to_dict(), **files, "teachers": teachers}


def train_face(config: FaceConfig, data: Path, rows: Rows, out: Path, command: str) -> Path:
    """Grow a model by a face network, teach it on the training rows, and write OUT/NAME.safetensors; its path.

    A second call goes on where the first stopped. Raises CheckpointError for what is no ANCLaF, DataError where its
    crops are not the set's (they are twice as large as the model's own), or the set has no emotions.
    """
    (single, card), prepared = open_anclaf(config.start), open_prepared(data)
    crop = {**card.crop, "size": 2 * single.config.size}
    check_crops(f"{config.name} (from {card.name})", crop, prepared)
    stage = StageOneConfig(label_share=config.label_share, weighting="emotions")
    faces, held = (examples(prepared, rows[part], stage, training=part == "train") for part in ("train", "validation"))
    if faces.emotions is None:
        raise DataError(f"{prepared.folder} has no emotions; expected a set with votes or labels, such as ferplus")
    teachers = [open_teacher(name, prepared) for name in config.teachers]
    command = THEN.join([*(teacher.command for _, teacher in teachers), command])
    out.mkdir(parents=True, exist_ok=True)
    taught = mean_answer([model for model, _ in teachers], faces, prepared.template.margin) if teachers else None
    lesson = FaceLesson(single, faces, config, out, taught)
    if not lesson.resume() and config.face_weights:
        lesson.begin_with(Path(config.face_weights))
    model = lesson.run(held, prepared.template.margin)
    set_readout(model, config)
    factors = calibrate(model, held, prepared.template.margin)
    path = out / f"{config.name}.safetensors"
    save(path, model, grown_card(card, model, crop, config, command, prepared, factors), torch.float16)
    export_trained(path)
    return path


class Taught(NamedTuple):
    """What teachers say of N faces."""

    affect: Tensor
    """(N, 2)."""
    expressions: Tensor
    """(N, 8): probabilities, as if all were equally common."""


def open_teacher(name: str, data: Prepared) -> tuple[Anclaf, ModelCard]:
    """A model by name or path, and its card; CheckpointError where it names no expressions, DataError where its crops
    are not the set's."""
    model, card = open_anclaf(name)
    check_crops(card.name, card.crop, data)
    if not model.has_expressions:
        raise CheckpointError(f"{card.name} names no expressions; expected a teacher that `affect train face` made")
    return model, card


@torch.inference_mode()
def mean_answer(teachers: Sequence[Anclaf], faces: Examples, margin: int, batch: int = 256) -> Taught:
    """Mean of the teachers' answers, to each face as it is and mirrored."""
    models = [fold_batch_norms(model).to(run.device(), memory_format=torch.channels_last) for model in teachers]  # type: ignore[call-overload]
    parts = []
    for index in tqdm(torch.arange(len(faces)).split(batch), "teachers", leave=False):
        crops = inner(faces.pictures(index), margin).to(run.device()).contiguous(memory_format=torch.channels_last)
        with torch.autocast(crops.device.type, torch.bfloat16):
            answers = [model.encode(view) for model in models for view in (crops, crops.flip(3))]
        affect = torch.stack([answer.affect.float() for answer in answers]).mean(0).cpu()
        parts.append((affect, torch.stack([answer.expressions.float() for answer in answers]).mean(0).cpu()))
    return Taught(*(torch.cat(part) for part in zip(*parts, strict=True)))


class FaceLesson:
    """The training: everything that a checkpoint has to hold to go on where it stopped."""

    def __init__(
        self, single: Anclaf, faces: Examples, config: FaceConfig, folder: Path, taught: Taught | None = None
    ) -> None:
        torch.manual_seed(config.seed)
        self.config, self.faces, self.folder, self.taught, self.epoch = config, faces, folder, taught, 0
        self.device, self.log = run.device(), run.Log(folder)
        self.pupil = (
            with_face(single, config.levels, tuple(config.widths), config.picture)
            .eval()
            .requires_grad_(False)
            .to(self.device)
        )
        network, reader = self.pupil.face_encoder, self.pupil.combiner.face
        assert network is not None and reader is not None and faces.frequency is not None
        self.network, self.reader = network, reader
        reader.places.copy_(torch.from_numpy(CENTRES))
        reader.temperature.fill_(config.temperature)
        for head in (reader.affect, reader.expressions, reader.deviation):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)
        self.average = deepcopy(self.pupil)
        self.log_prior = faces.frequency.log().to(self.device)
        self.weights = faces.weights(StageOneConfig(weighting="emotions"), config.weight_power)
        groups = self._learning()
        self.steps = len(faces) // config.batch
        self.optimiser = torch.optim.AdamW(groups, config.learning_rate, (0.9, 0.99), weight_decay=config.weight_decay)
        rates: Any = [self._late_rate if group["waits"] else self._rate for group in groups]
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimiser, rates)

    def _learning(self) -> list[dict[str, Any]]:
        """What learns, in groups with their rates: C's new parts, and the face network's late parts, the last first."""
        groups: list[dict[str, Any]] = [{"params": list(self.reader.parameters()), "waits": False}]
        parts = list(self.network)[self.config.frozen :] if self.config.face_rate else []
        for below, part in enumerate(reversed(parts)):
            rate = self.config.face_rate * self.config.face_decay**below
            groups.append({"params": list(part.parameters()), "lr": rate, "weight_decay": 0.0, "waits": True})
        for group in groups:
            for parameter in group["params"]:
                parameter.requires_grad_(True)
        return groups

    def _rate(self, step: int) -> float:
        """Share of the learning rate."""
        return run.rise_and_fall(step, self.config.epochs * self.steps)

    def _late_rate(self, step: int) -> float:
        return 0.0 if step < self.config.waits * self.steps else self._rate(step)

    def begin_with(self, path: Path) -> None:
        """Take the face network's first weights from dlib's file; DataError where it is not that network's."""
        size = self.config.picture or self.pupil.config.size
        tensors = face_encoder_weights(path, size, self.config.levels)
        for model in (self.pupil, self.average):
            run.fill(model.face_encoder, tensors, path)

    def run(self, held: Examples, margin: int) -> Anclaf:
        """All epochs that are left; returns the averaged model."""
        while self.epoch < self.config.epochs:
            started = time.monotonic()
            self.reader.train()
            draw = torch.Generator().manual_seed(self.config.seed + self.epoch)
            torch.manual_seed(self.config.seed + 1000 * self.epoch)
            order = torch.randperm(len(self.faces), generator=draw)[: self.steps * self.config.batch]
            label = f"epoch {self.epoch + 1}/{self.config.epochs}"
            losses = run.mean_losses(
                self._step(index) for index in tqdm(order.split(self.config.batch), label, leave=False)
            )
            self.epoch += 1
            run.save_run(self, STATE)
            seconds = round(time.monotonic() - started)
            self.log.write(
                self.epoch,
                {"epoch": self.epoch, "seconds": seconds, **losses, **validate(self.average, held, margin)},
            )
        return self.average

    def resume(self) -> bool:
        """Go on from the folder's state; False where there is none."""
        return run.resume_run(self, STATE)

    def _step(self, index: Tensor) -> dict[str, Tensor]:
        batch = self.faces.batch(index, self.weights)
        crops = distort(augment(self.faces.pictures(index), self.pupil.config.size), self.config.distorted)
        with torch.autocast(self.device.type, torch.bfloat16):
            feature = self._feature(crops.contiguous(memory_format=torch.channels_last).to(self.device))
        reading = self.reader(feature.float())
        assert batch.emotions is not None
        affect, alike = batch.affect, torch.ones(len(index), device=self.device)
        # the prior is added to the logits, which so learn a posterior under equally common emotions (Menon et al. 2021)
        emotion = soft_cross_entropy(reading.expression_logits + self.log_prior, batch.emotions, alike)
        if self.taught is not None:
            share, answer = self.config.teacher_share, Taught(*(part[index].to(self.device) for part in self.taught))
            affect = torch.lerp(affect, answer.affect, share)
            # the teachers' posterior is under equally common emotions already
            emotion = torch.lerp(
                emotion, soft_cross_entropy(reading.expression_logits, answer.expressions, alike), share
            )
        losses = {
            "affect": affect_loss(reading.affect, affect, batch.weights),
            "emotion": emotion,
            "deviation": deviation_loss(reading.log_deviation, reading.affect, batch.affect),
        }
        run.descend(self.optimiser, self.schedule, run.total_of(losses, self.config.weight), LONGEST_STEP)
        run.follow(self.average, self.pupil, self.config.average_decay, self.schedule.last_epoch)
        return {name: value.detach() for name, value in losses.items()}

    def _feature(self, crops: Tensor) -> Tensor:
        """C's feature (B, F) of crops (B, C, S, S), now one and now the other half of it left out."""
        with torch.no_grad():
            own = self.pupil.own_feature(crops)
        face = self.reader.encoder(self.pupil.face_maps(crops))
        draw = torch.rand(len(crops), 1, device=crops.device)
        own = own * (draw < 1 - self.config.own_left_out)
        return torch.cat([own, face * (draw > self.config.face_left_out)], dim=1)


STATE = ("pupil", "average", "optimiser", "schedule")


@torch.no_grad()
def set_readout(model: Anclaf, config: FaceConfig) -> None:
    """Put the configuration's spread and its place of the neutral face into a model that has been taught."""
    reader = model.combiner.face
    assert reader is not None
    spread = torch.tensor(config.spread, device=reader.places.device)
    reader.places.mul_(spread)
    reader.affect.weight.mul_(spread[:, None])
    reader.affect.bias.mul_(spread)
    reader.places[EXPRESSIONS.index("neutral")] = torch.tensor(config.neutral, device=spread.device)


@torch.no_grad()
def calibrate(model: Anclaf, held: Examples, margin: int, batch: int = 256) -> list[float]:
    """Make the deviations of a model true of the held faces: 90 % of the errors of each axis lie within 1.645 of them.

    Returns the two factors by which they grew; they become part of the head's bias.
    """
    ratios = []
    for index in torch.arange(len(held)).split(batch):
        answer = model.encode(inner(held.pictures(index), margin).to(run.device()))
        ratios.append(((answer.affect.clamp(-1, 1).cpu() - held.affect[index]) / answer.deviation.cpu()).abs())
    factors = torch.cat(ratios).quantile(COVERED, dim=0) / COVERED_DEVIATIONS
    assert model.combiner.face is not None
    model.combiner.face.deviation.bias.add_(factors.log().to(run.device()))
    return [round(value, 4) for value in factors.tolist()]


def grown_card(
    card: ModelCard, model: Anclaf, crop: dict[str, Any], config: FaceConfig, command: str, data: Prepared,
    factors: list[float],
) -> ModelCard:  # fmt: skip
    """The card of the model that grew from the card's; what was measured of that one does not hold of this."""
    return replace(
        card,
        name=config.name,
        config=model.config.to_dict(),
        crop=crop,
        data=f"{card.data}; {FACE_DATA}",
        terms=f"{card.terms}; begins with dlib's face recognition network, which is in the public domain",
        command=command,
        training={
            **card.training,
            "face": {**config.card(), "data": data.name, "deviations grew by": factors},
        },
        figures={},
        quantised={},
    )
