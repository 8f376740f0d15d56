"""Finds the weights that tell faces upside down and faces with hidden eyes or mouths: see tracker.faces.hidden."""

from pathlib import Path

import cv2
import numpy as np

from tracker.errors import DataError
from tracker.faces.hidden import KINDS, MODEL, SIDE, features
from train.prepared import SPLITS, open_prepared

FACES, PENALTY = 6000, 30.0
EYES, MOUTH = (0.38, 0.16), (0.78, 0.2)
"""Height of the middle, and half the height, of what is covered, as shares of the crop's side."""


def train_hidden(data: Path, out: Path, seed: int = 0) -> tuple[Path, dict[str, float]]:
    """Write OUT/face_hidden.npy and tell, of the set's test split, how well each kind is told from whole faces (AUC).

    data is a prepared set with the template of the models that ship. Raises DataError for another.
    """
    prepared = open_prepared(data)
    if "split" not in prepared.extra:
        raise DataError(f"{prepared.folder} has no split; expected a set such as ferplus")
    rng, test = np.random.default_rng(seed), prepared.extra["split"] == SPLITS["test"]
    rows = [rng.permutation(np.flatnonzero(prepared.usable & part))[:count] for part, count in ((~test, FACES), (test, 1000))]
    (x, y), (held, truth) = (_examples(prepared.crops, each, prepared.template.margin, rng) for each in rows)
    penalty = PENALTY * np.eye(x.shape[1])
    weights = np.linalg.solve(x.T @ x + penalty, x.T @ y).astype(np.float16)
    out.mkdir(parents=True, exist_ok=True)
    path = out / MODEL.name
    np.save(path, weights)
    told = held @ weights.astype(np.float32)
    return path, {kind: round(_auc(told[:, k], truth[:, k]), 4) for k, kind in enumerate(KINDS)}


def _examples(crops: np.ndarray, rows: np.ndarray, margin: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Features (4 N, F) of N faces whole and spoiled in each way, and which they are (4 N, 3)."""
    x, y = [], []
    for row in rows:
        crop = np.asarray(crops[row, ..., 0])
        for kind in range(-1, len(KINDS)):
            spoiled = _spoiled(crop, kind, margin, rng)
            side = spoiled.shape[0] - 2 * margin
            angle, scale = rng.normal(0, 5), np.exp(rng.normal(0, 0.05))
            matrix = cv2.getRotationMatrix2D((spoiled.shape[0] / 2,) * 2, angle, scale * SIDE / side)
            matrix[:, 2] += (SIDE - spoiled.shape[0]) / 2 + rng.normal(0, 0.6, 2)
            blurred = cv2.GaussianBlur(spoiled, (0, 0), side / SIDE / 2)
            small = cv2.warpAffine(blurred, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
            x.append(features(small))
            y.append([float(kind == k) for k in range(len(KINDS))])
    return np.array(x), np.array(y, np.float32)


def _spoiled(crop: np.ndarray, kind: int, margin: int, rng: np.random.Generator) -> np.ndarray:
    """The crop turned upside down, or with something smooth, dark or skin-like over its eyes or its mouth."""
    if kind < 0:
        return crop
    if kind == 0:  # as the mesh lies over such a face: its eyes about where the mouth is
        turned = cv2.rotate(crop, cv2.ROTATE_180)
        return np.roll(turned, int(rng.normal(0.1, 0.08) * len(crop)), axis=0)
    side = crop.shape[0] - 2 * margin
    middle, half = EYES if kind == 1 else MOUTH
    y, x = margin + side * (middle + rng.normal(0, 0.02)), margin + side * (0.5 + rng.normal(0, 0.04))
    size = int(side * rng.uniform(0.28, 0.5)), int(side * half * rng.uniform(0.8, 1.3))
    shape = np.zeros(crop.shape, np.uint8)
    cv2.ellipse(shape, (int(x), int(y)), size, rng.normal(0, 15), 0, 360, 255, -1)
    skin = float(np.median(crop[margin:-margin, margin:-margin]))
    level = skin * (rng.uniform(0.7, 1.2) if kind == 2 and rng.random() < 0.7 else rng.uniform(0.05, 0.5))
    cover = level + cv2.GaussianBlur(rng.normal(0, 40, crop.shape).astype(np.float32), (0, 0), rng.uniform(3, 12))
    share = cv2.GaussianBlur(shape, (0, 0), 1.5).astype(np.float32) / 255
    return (crop * (1 - share) + cover * share).clip(0, 255).astype(np.uint8)


def _auc(told: np.ndarray, truth: np.ndarray) -> float:
    rank, positive = told.argsort().argsort(), truth > 0
    count = positive.sum()
    return float((rank[positive].mean() - (count - 1) / 2) / (~positive).sum())
