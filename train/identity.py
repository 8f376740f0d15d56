"""Teaches the small network by which the tracker knows a person again: a pupil of dlib's face recognition network.

The pupil keeps dlib's first two levels as they are; a few layers of its own after these learn what dlib says of FER+'s
faces, of which nobody has a name: the pupil needs none. The weights are stored in eight bits.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from nets.anclaf.face import FaceEncoder
from nets.files import write_whole
from nets.onnx.encoder import layer
from nets.onnx.graph import Graph, Weight
from tracker.errors import DataError
from tracker.faces.align import similarity
from tracker.faces.identity import MODEL, POINTS, SIDE, TARGET
from train.dlib import face_encoder_weights, last_layer
from train.prepared import SPLITS, open_prepared

LEVELS = 2
"""Of dlib's, that the pupil keeps."""
WIDTHS, DESCRIPTION = (64, 96, 128), 128
"""Maps of the kept levels and of the pupil's own layers; numbers in a description."""


@dataclass(frozen=True)
class IdentityConfig:
    """How the pupil learns."""

    faces: int = 10_000
    """Of all splits but the test, drawn."""
    held: int = 600
    """Of these, that only measure."""
    epochs: int = 14
    batch: int = 64
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.02
    pairs: float = 2.0
    """Weight of how alike two faces are, beside how each is described."""
    turn_deg: float = 4.0
    """Standard deviations by which a portrait is turned, enlarged and shifted, as landmarks tremble."""
    scale: float = 0.03
    shift_px: float = 2.0
    seed: int = 0


class EightBitGraph(Graph):
    """Stores convolutions and matrices as whole numbers of eight bits, each output with a scale of its own."""

    def weight(self, values: np.ndarray) -> Weight:
        """A weight of one axis as it is, another in eight bits."""
        if values.ndim < 2:
            return super().weight(values)
        scale = np.maximum(np.abs(values).max(axis=tuple(range(1, values.ndim))), 1e-9) / 127
        whole = np.round(values / scale.reshape(-1, *[1] * (values.ndim - 1))).astype(np.int8)
        zero = np.zeros(len(scale), np.int8)
        return self.fixed("DequantizeLinear", whole, scale.astype(np.float32), zero, shape=values.shape, axis=0)


def new_head() -> nn.Sequential:
    """The pupil's own layers: maps (B, 64, 17, 17) to a description (B, 128)."""
    before, middle, after = WIDTHS
    return nn.Sequential(
        nn.Conv2d(before, middle, 3, 2),
        nn.ReLU(),
        nn.Conv2d(middle, after, 3, 2, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(after * 16, DESCRIPTION),
    )


def train_identity(config: IdentityConfig, data: Path, face_weights: Path, out: Path, command: str) -> Path:
    """Teach a pupil and write OUT/face_identity.onnx and its card OUT/face_identity.json; the file's path.

    What dlib says of the faces is kept in OUT, so that a second call goes on from there. Raises DataError for a set
    without landmarks or a file that is not dlib's.
    """
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)
    maps, taught = _lessons(config, data, face_weights, out)
    mean = taught[: -config.held].mean(dim=0)
    targets = nn.functional.normalize(taught - mean, dim=1)
    head = new_head()
    rng, count = np.random.default_rng(config.seed), config.faces - config.held
    optimiser = torch.optim.AdamW(head.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    steps = config.epochs * (count // config.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.learning_rate, total_steps=steps)
    for epoch in range(config.epochs):
        order = rng.permutation(count)[: count // config.batch * config.batch].reshape(-1, config.batch)
        for rows in tqdm(np.sort(order, axis=1), f"epoch {epoch + 1}/{config.epochs}", leave=False):
            told, wanted = _described(head, maps[rows]), targets[rows]
            alike = (told @ told.T - wanted @ wanted.T).square().mean()
            loss = 1 - (told * wanted).sum(dim=1).mean() + config.pairs * alike
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    path = out / MODEL.name
    content = identity_file(face_weights, head)
    write_whole(path, content)
    card = {
        "name": path.stem,
        "kind": "face-identity",
        "command": command,
        "data": f"FER-2013 faces ({open_prepared(data).name}), all splits but the test, without their labels",
        "terms": "Apache-2.0; begins with the first two levels of dlib_face_recognition_resnet_model_v1 (Davis King "
        "2017, public domain) and was taught by its answers",
        "training": asdict(config),
        "figures": _figures(head, maps[-config.held :], targets[-config.held :]),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    write_whole(path.with_suffix(".json"), json.dumps(card, indent=2) + "\n")
    return path


def _lessons(config: IdentityConfig, data: Path, face_weights: Path, out: Path) -> tuple[np.ndarray, Tensor]:
    """Maps (N, 64, 17, 17) float16 of the kept levels, and dlib's descriptors (N, 128), of faces of the set."""
    files = out / "maps.npy", out / "taught.npy"
    if all(file.is_file() for file in files):
        return np.load(files[0], mmap_mode="r"), torch.from_numpy(np.load(files[1]))
    prepared = open_prepared(data)
    landmarks = prepared.extra.get("landmarks")
    if landmarks is None:
        raise DataError(f"{prepared.folder} has no landmarks; expected a set of faces found in pictures, as ferplus")
    training = prepared.usable & (prepared.extra["split"] != SPLITS["test"])
    rng = np.random.default_rng(config.seed)
    rows = rng.permutation(np.flatnonzero(training))[: config.faces]
    teacher = FaceEncoder(SIDE, 5).eval()
    teacher.load_state_dict(face_encoder_weights(face_weights, SIDE, 5))
    early, late = list(teacher)[: 1 + LEVELS], list(teacher)[1 + LEVELS :]
    last = last_layer(face_weights)
    maps = np.lib.format.open_memmap(files[0], "w+", np.float16, (len(rows), WIDTHS[0], 17, 17))
    taught = []
    for start in tqdm(range(0, len(rows), 16), "dlib's answers", leave=False):
        few = rows[start : start + 16]
        views = np.stack([_portrait(prepared.crops[row, ..., 0], landmarks[row], config, rng) for row in few])
        with torch.inference_mode():
            x = torch.from_numpy(views).float()[:, None] / 127.5 - 1
            for part in early:
                x = part(x)
            maps[start : start + 16] = x.numpy()
            for part in late:
                x = part(x)
            taught.append(x.mean(dim=(2, 3)) @ last)
    np.save(files[1], torch.cat(taught).numpy())
    return maps, torch.cat(taught)


def _portrait(crop: np.ndarray, landmarks: np.ndarray, config: IdentityConfig, rng: np.random.Generator) -> np.ndarray:
    """(SIDE, SIDE) uint8, as FaceIdentity.portrait makes it but a little turned, scaled and shifted."""
    matrix = similarity(landmarks[list(POINTS), :2].astype(float).tolist(), TARGET)  # type: ignore[arg-type]
    angle, scale = np.radians(rng.normal(0, config.turn_deg)), np.exp(rng.normal(0, config.scale))
    x, y = rng.normal(0, config.shift_px, 2)
    c, s, middle = scale * np.cos(angle), scale * np.sin(angle), (SIDE - 1) / 2
    moved = np.array([[c, -s, middle * (1 - c + s) + x], [s, c, middle * (1 - c - s) + y]])
    whole = moved @ np.vstack([matrix, [0, 0, 1]])
    return cv2.warpAffine(np.asarray(crop), whole, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)


def _described(head: nn.Module, maps: np.ndarray) -> Tensor:
    return nn.functional.normalize(head(torch.from_numpy(maps.astype(np.float32))), dim=1)


@torch.inference_mode()
def _figures(head: nn.Module, maps: np.ndarray, targets: Tensor) -> dict[str, Any]:
    """How well the pupil does on faces that it was not taught with."""
    told = torch.cat([_described(head, maps[start : start + 100]) for start in range(0, len(maps), 100)])
    pairs = torch.triu_indices(len(told), len(told), 1).unbind()
    ours, dlibs = ((each @ each.T)[pairs] for each in (told, targets))
    return {
        "faces held out": len(told),
        "cosine with dlib's descriptor, mean": round(float((told * targets).sum(dim=1).mean()), 3),
        "correlation with dlib of how alike two faces are": round(
            float(torch.corrcoef(torch.stack([ours, dlibs]))[0, 1]), 3
        ),
    }


def identity_file(face_weights: Path, head: nn.Module) -> bytes:
    """The ONNX file: portraits (B, SIDE, SIDE) uint8 to descriptions (B, 128) of length 1."""
    encoder = FaceEncoder(SIDE, LEVELS).eval()
    encoder.load_state_dict(face_encoder_weights(face_weights, SIDE, LEVELS))
    graph = EightBitGraph()
    grey = graph.node("Cast", graph.node("Unsqueeze", "portraits", [1]), to=1)
    maps = layer(graph, encoder, graph.node("Sub", graph.node("Div", grey, 127.5), 1.0))
    told = graph.node("LpNormalization", layer(graph, head, maps), axis=1, p=2)
    graph.named("descriptions", told)
    return graph.file({"portraits": (np.uint8, ("B", SIDE, SIDE))}, {"descriptions": ("B", DESCRIPTION)})
