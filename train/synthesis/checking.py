"""`affect synth check`: does MediaPipe find a set's faces, and how far are its landmarks from the known ones?"""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from nets.files import write_whole
from tracker.errors import DataError
from tracker.faces.landmarks import FaceLandmarker
from train.scoring.table import aligned, number
from train.synthesis.anatomy import EYES, LANDMARKS, REGIONS, of_mediapipe
from train.synthesis.sets import POINTS, TABLE
from train.synthesis.works import writing

FRONTAL_DEGREES = 20.0
"""A head turned or nodded by less is frontal."""
REPORT = "check.json"


@dataclass(frozen=True)
class Found:
    """What MediaPipe says of N pictures."""

    found: np.ndarray
    """(N,) bool."""
    errors: np.ndarray
    """(N, 83): distance from the known point, in parts of that between the eyes; NaN where none was found."""


def eye_distance(points: np.ndarray) -> np.ndarray:
    """(N,): from the middle of one eye's corners to that of the other's, of landmarks (N, 83, 2 or 3)."""
    right, left = (points[:, of_mediapipe(*eye)].mean(axis=1) for eye in EYES)
    return np.linalg.norm(right - left, axis=1)


def errors_of(known: np.ndarray, found: np.ndarray) -> np.ndarray:
    """(N, 83): between known (N, 83, 2) and found (N, 83, 2) pixels, in parts of the known eye distance."""
    return np.linalg.norm(found - known, axis=2) / eye_distance(known)[:, None]


def look(folder: Path, paths: list[str], known: np.ndarray) -> Found:
    """Find the faces of a set's pictures, whose known landmarks are (N, 83, 2); DataError where one cannot be read."""
    seen = find(folder, paths)[..., :2]
    return Found(np.isfinite(seen[:, 0, 0]), errors_of(known.astype(np.float64), seen))


def find(folder: Path, paths: list[str]) -> np.ndarray:
    """(N, 83, 3) pixels: MediaPipe's landmarks of pictures, each by itself; NaN where it finds no face.

    The third is the depth, growing away from the camera. DataError where a picture cannot be read.
    """
    landmarker, mesh = FaceLandmarker(still=True), [point.mediapipe for point in LANDMARKS]
    seen = np.full((len(paths), len(mesh), 3), np.nan)
    try:
        for i, path in enumerate(tqdm(paths, "looking", unit="face")):
            faces = landmarker.detect(read_picture(folder / path))
            if faces:
                seen[i] = faces[0].landmarks[mesh]
    finally:
        landmarker.close()
    return seen


def read_picture(path: Path) -> np.ndarray:
    """(H, W, 3) uint8 RGB; DataError where it cannot be read."""
    image = cv2.imread(str(path))
    if image is None:
        raise DataError(f"{path} is missing or no picture; make the set again with affect synth set --resume")
    return np.ascontiguousarray(image[..., ::-1])


def check_set(folder: Path) -> dict[str, Any]:
    """The report on a set, which is also check.json in its folder; DataError where it is no whole set."""
    rows, points = read_set(folder)
    found = look(folder, [row["path"] for row in rows], points["pixels"])
    expressions = np.array([row["expression"] for row in rows])
    frontal = (np.abs(points["turns"][:, :2]) < FRONTAL_DEGREES).all(axis=1)
    report = report_of(found, expressions, frontal) | {"set": str(folder)}
    with writing(folder):
        write_whole(folder / REPORT, json.dumps(report, indent=2) + "\n")
    return report


def read_set(folder: Path) -> tuple[list[dict[str, str]], dict[str, np.ndarray]]:
    """The rows of a set's table and its landmarks; DataError where they are not there."""
    try:
        with (folder / TABLE).open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        with np.load(folder / POINTS, allow_pickle=False) as archive:
            return rows, {name: archive[name] for name in archive.files}
    except FileNotFoundError as error:
        raise DataError(
            f"{folder} is no whole set of affect synth set: it has no {Path(error.filename).name}"
        ) from error


def report_of(found: Found, expressions: np.ndarray, frontal: np.ndarray) -> dict[str, Any]:
    """Shares found, and the mean error by region and expression, of pictures (N,) with expressions (N,) str."""
    regions = np.array([point.region for point in LANDMARKS])

    def means(rows: np.ndarray) -> dict[str, float | None]:
        errors = found.errors[rows & found.found]
        return {name: float(errors[:, regions == name].mean()) if len(errors) else None for name in REGIONS}

    names = list(dict.fromkeys(expressions.tolist()))
    return {
        "pictures": len(found.found),
        "found": float(found.found.mean()),
        "frontal": int(frontal.sum()),
        "found_frontal": float(found.found[frontal].mean()) if frontal.any() else None,
        "found_by_expression": {name: float(found.found[expressions == name].mean()) for name in names},
        "error": means(np.ones(len(frontal), bool)),
        "error_by_expression": {name: means(expressions == name) for name in names},
    }


def table_of(report: dict[str, Any]) -> str:
    """The report as aligned text; errors in per cent of the eye distance."""
    head = [
        f"found     {report['found']:.1%} of {report['pictures']} pictures, "
        f"{report['found_frontal'] or 0:.1%} of the {report['frontal']} frontal ones (turned by less than 20 degrees)",
        "error     mean distance between MediaPipe's landmark and the known one, % of the distance between the eyes",
    ]
    rows = [["expression", "found %", *REGIONS]]
    every = {"all": report["error"], **report["error_by_expression"]}
    shares = {"all": report["found"], **report["found_by_expression"]}
    for name, errors in every.items():
        cells = [number(None if errors[region] is None else 100 * errors[region], 1) for region in REGIONS]
        rows.append([name, number(100 * shares[name], 1), *cells])
    return "\n".join([*head, "", aligned(rows)])
