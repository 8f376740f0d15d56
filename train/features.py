"""What the encoders say of every frame of a prepared set, written once for the whole of stage two."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from tqdm import tqdm

from nets.card import ModelCard
from nets.files import write_whole
from nets.network import Network
from nets.onnx.own_network import OwnNetwork
from nets.onnx.session import OnnxFault
from nets.runtime import OnnxRuntime, Runtime
from nets.torch_runtime import TorchRuntime
from tracker.errors import CheckpointError, DataError, SinkError
from train.prepared import Prepared

BLOCK = 2048
"""Frames between two notes of how far the writing is."""
WITHOUT_EFFECT = {"recurrence": "none", "hidden": 0, "score": "linear", "file": ""}
"""Settings of a network that the features do not depend on, and what they count as."""


@dataclass(frozen=True)
class Features:
    """The encoders' answers to the N frames of a set; zeros where no face was found."""

    feature: np.ndarray
    """(N, F) float32: the network's, a memory map."""
    affect: np.ndarray
    """(N, 2) float32: valence and arousal of the frame alone, unbounded."""
    quadrant: np.ndarray
    """(N, 4) float32 probabilities."""
    key: str
    """Of the weights and the set that they come from."""


def write_features(model: Network, data: Prepared, folder: Path, batch: int = 64, device: str = "cpu") -> Features:
    """Encode every frame into folder/features.npy, or go on with it; returns the whole.

    The values are the tracker's: the same Runtime makes them. Every BLOCK frames progress.json notes how far it is and
    for which weights and set, so that a stopped call goes on and a changed model is encoded anew. DataError where the
    crops are not the model's; SinkError where the disk is full: what was written stays.
    """
    _check_crops(model, data)
    path, key = folder / "features.npy", features_key(model, data)
    shape = (len(data.crops), model.config.feature + 6)
    done = _progress(folder, key)
    if done < shape[0]:
        card = ModelCard("features", "", model.config.to_dict(), {}, "", "", "")
        runtime: Runtime
        if isinstance(model, OwnNetwork):
            runtime = OnnxRuntime(card, model.opened(), None)
        else:
            runtime = TorchRuntime(model, card, device)
        with _said(path), _opened(path, shape, done) as file:
            _write_blocks(file, runtime, data, (done, batch), key)
    rows = np.load(path, mmap_mode="r")
    width = model.config.feature
    return Features(rows[:, :width], rows[:, width : width + 2], rows[:, width + 2 :], key)


def features_folder(model: Network, data: Prepared, root: Path | None = None) -> Path:
    """Where the features of a set by the model's encoders lie: training and evaluation share them.

    root: where those of all encoders do; None: in the set's folder.
    """
    return (root or data.folder / "features") / encoder_key(model)[:16]


def encoder_key(model: Network) -> str:
    """SHA-256 of what makes the features: the same for models whose recurrence alone differs.

    A setting that is False does not count, so that one that joins leaves the keys of older models as they are.
    """
    config = {name: WITHOUT_EFFECT.get(name, value) for name, value in model.config.to_dict().items()}
    counted = {name: value for name, value in config.items() if value is not False}
    digest = hashlib.sha256(json.dumps(counted, sort_keys=True).encode())
    for name, value in sorted(model.state_dict().items()):
        if not name.startswith("combiner.recurrence."):
            digest.update(name.encode() + value.cpu().numpy().tobytes())
    return digest.hexdigest()


def features_key(model: Network, data: Prepared) -> str:
    """SHA-256 of the encoders and of the set's crops; what comes after the feature does not count."""
    digest = hashlib.sha256(json.dumps([encoder_key(model), data.crops.shape, data.template.margin]).encode())
    digest.update(np.packbits(data.found).tobytes())
    for start in range(0, len(data.crops), BLOCK):
        digest.update(np.ascontiguousarray(data.crops[start : start + BLOCK]).data)
    return digest.hexdigest()


def _check_crops(model: Network, data: Prepared) -> None:
    config, template = model.config, data.template
    if (config.size, config.channels) != (template.size, template.channels):
        raise DataError(
            f"{data.folder} holds crops of {template.size} px with {template.channels} channel(s); the model expects "
            f"{config.size} px with {config.channels}: prepare the set again for this model"
        )


def _progress(folder: Path, key: str) -> int:
    """Frames that are written for this key."""
    try:
        noted = json.loads((folder / "progress.json").read_text(encoding="utf-8"))
        return int(noted["done"]) if noted["key"] == key and (folder / "features.npy").exists() else 0
    except (FileNotFoundError, ValueError, KeyError):
        return 0


def _note(folder: Path, key: str, done: int) -> None:
    write_whole(folder / "progress.json", json.dumps({"key": key, "done": done}) + "\n")


@contextmanager
def _said(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SinkError(
            f"{path} cannot be written: {error}; free space or choose another folder, and run again: it goes on"
        ) from error


@contextmanager
def _opened(path: Path, shape: tuple[int, int], done: int) -> Iterator[BinaryIO]:
    """The file at the place of row `done`. It is written as a file, since a memory map dies of a full disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("r+b" if done else "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
        file.seek(done * shape[1] * 4, 1)
        yield file


def _write_blocks(file: BinaryIO, runtime: Runtime, data: Prepared, place: tuple[int, int], key: str) -> None:
    done, batch = place
    with tqdm(total=len(data.crops), initial=done, desc="features", unit=" frames", leave=False) as bar:
        for start in range(done, len(data.crops), BLOCK):
            stop = min(start + BLOCK, len(data.crops))
            for first in range(start, stop, batch):
                file.write(_rows(runtime, data, slice(first, min(first + batch, stop))).tobytes())
                bar.update(min(first + batch, stop) - first)
            file.flush()
            _note(Path(file.name).parent, key, stop)


def _rows(runtime: Runtime, data: Prepared, part: slice) -> np.ndarray:
    """(B, F + 6) float32: feature, affect and quadrant of the frames of a slice."""
    margin, found = data.template.margin, data.found[part]
    side = data.template.size
    rows = np.zeros((len(found), runtime.feature_width + 6), np.float32)
    if found.any():
        crops = data.crops[part][found][:, margin : margin + side, margin : margin + side]
        try:
            answer = runtime.encode(crops)
        except OnnxFault as fault:
            raise CheckpointError(f"the encoder cannot be used: {fault}") from fault
        rows[found] = np.concatenate([answer.feature, answer.affect, answer.quadrant], axis=1)
    return rows
