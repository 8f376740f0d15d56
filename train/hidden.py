"""Finds the weights that tell faces upside down and faces with hidden eyes or mouths: see tracker.faces.hidden."""

from pathlib import Path

import cv2
import numpy as np

from tracker.config import TrackerConfig
from tracker.errors import DataError
from tracker.faces.align import Template, align
from tracker.faces.hidden import KINDS, MODEL, SIDE, features
from tracker.faces.landmarks import FaceLandmarker
from tracker.faces.pose import head_pose
from train.prepared import SPLITS, open_prepared

FACES, PENALTY, TURNED_EVERY = 5000, 30.0, 5
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
    rows = [
        rng.permutation(np.flatnonzero(prepared.usable & part))[:count] for part, count in ((~test, FACES), (test, 500))
    ]
    (x, y), (held, truth) = (_examples(prepared.crops, each, prepared.template.margin, rng) for each in rows)
    penalty = PENALTY * np.eye(x.shape[1])
    weights = np.linalg.solve(x.T @ x + penalty, x.T @ y).astype(np.float16)
    out.mkdir(parents=True, exist_ok=True)
    path = out / MODEL.name
    np.save(path, weights)
    told = held @ weights.astype(np.float32)
    return path, {kind: round(_auc(told[:, k], truth[:, k]), 4) for k, kind in enumerate(KINDS)}


def _examples(
    crops: np.ndarray, rows: np.ndarray, margin: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Features (M, F) of faces whole and spoiled in each way, and which they are (M, 3)."""
    x, y = [], []
    landmarker, template = FaceLandmarker(TrackerConfig(faces=1), still=True), Template(size=SIDE, channels=1)
    for number, row in enumerate(rows):
        crop = np.asarray(crops[row, ..., 0])
        if number % TURNED_EVERY == 0:  # the mesh lies over a face upside down in ways of its own
            middle = ((crop.shape[0] - 1) / 2,) * 2
            matrix = cv2.getRotationMatrix2D(middle, 180 + rng.uniform(-50, 50), 0.8)
            turned = cv2.warpAffine(crop, matrix, crop.shape, borderMode=cv2.BORDER_REPLICATE)
            for face in landmarker.detect(cv2.cvtColor(turned, cv2.COLOR_GRAY2RGB)):
                if abs(head_pose(face.landmarks)[2]) < np.pi / 2:
                    x += [
                        features(align(turned[..., None].repeat(3, 2), face.landmarks, template)[..., 0])
                    ] * TURNED_EVERY
                    y += [[1.0, 0.0, 0.0]] * TURNED_EVERY
        for kind in (-1, 1, 2):
            spoiled = _spoiled(crop, kind, margin, rng)
            side = spoiled.shape[0] - 2 * margin
            angle, scale = rng.normal(0, 5), np.exp(rng.normal(0, 0.05))
            placing: np.ndarray = cv2.getRotationMatrix2D((spoiled.shape[0] / 2,) * 2, angle, scale * SIDE / side)
            placing[:, 2] += (SIDE - spoiled.shape[0]) / 2 + rng.normal(0, 0.6, 2)
            blurred = cv2.GaussianBlur(spoiled, (0, 0), side / SIDE / 2)
            small = cv2.warpAffine(blurred, placing, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
            x.append(features(small))
            y.append([float(kind == k) for k in range(len(KINDS))])
    landmarker.close()
    return np.array(x), np.array(y, np.float32)


def _spoiled(crop: np.ndarray, kind: int, margin: int, rng: np.random.Generator) -> np.ndarray:
    """The crop with something smooth, dark or skin-like over its eyes or its mouth; kind -1: as it is."""
    if kind < 0:
        return crop
    side = crop.shape[0] - 2 * margin
    middle, half = EYES if kind == 1 else MOUTH
    y, x = margin + side * (middle + rng.normal(0, 0.02)), margin + side * (0.5 + rng.normal(0, 0.04))
    size = int(side * rng.uniform(0.28, 0.5)), int(side * half * rng.uniform(0.8, 1.3))
    shape = np.zeros(crop.shape, np.uint8)
    if kind == 1 and rng.random() < 0.7:  # sunglasses
        lens = int(side * rng.uniform(0.12, 0.2)), int(side * rng.uniform(0.09, 0.17))
        for eye in (0.32, 0.68):
            place = int(margin + side * eye), int(margin + side * (0.38 + rng.normal(0, 0.02)))
            cv2.ellipse(shape, place, lens, 0, 0, 360, (255,), -1)
        cv2.line(shape, (int(x - side * 0.1), int(y)), (int(x + side * 0.1), int(y)), (255,), 3)
    else:
        cv2.ellipse(shape, (int(x), int(y)), size, rng.normal(0, 15), 0, 360, (255,), -1)
    skin = float(np.median(crop[margin:-margin, margin:-margin]))
    level = skin * (rng.uniform(0.7, 1.2) if kind == 2 and rng.random() < 0.7 else rng.uniform(0.05, 0.5))
    cover = level + cv2.GaussianBlur(rng.normal(0, 40, crop.shape).astype(np.float32), (0, 0), rng.uniform(3, 12))
    share = cv2.GaussianBlur(shape, (0, 0), 1.5).astype(np.float32) / 255
    return (crop * (1 - share) + cover * share).clip(0, 255).astype(np.uint8)


def _auc(told: np.ndarray, truth: np.ndarray) -> float:
    rank, positive = told.argsort().argsort(), truth > 0
    count = positive.sum()
    return float((rank[positive].mean() - (count - 1) / 2) / (~positive).sum())
