"""BU-3DFE (Yin et al. 2006, posed) and BP4D (Zhang et al. 2014, spontaneous): their 83 three-dimensional landmarks.

Both are had by agreement with Binghamton University alone; these readers were tested on tiny copies of their layouts.
Which of an eye's eight points are its corners and its lower lid is read off the mean face, which is given upright.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tracker.errors import DataError, UsageError
from tracker.faces.shape import Layout
from train.landmarks.data import NEUTRAL, LandmarkSet, Table, landmark_set, read_synthetic
from train.landmarks.found import find_faces

POINTS = 83
UPRIGHT = np.array([1, -1, -1])
"""Their axes have y up and z to the camera."""
CODES = {
    "AN": "anger", "DI": "disgust", "FE": "fear", "HA": "happiness", "NE": NEUTRAL, "SA": "sadness", "SU": "surprise"
}  # fmt: skip
"""Of BU-3DFE's file names: F0001_AN01WH_F3D.bnd is a woman's anger in the first degree of four."""
EXPRESSIVE = "expressive"
"""Of BP4D: a frame with some action unit; it has no classes of its own."""
UNKNOWN_UNIT = 9
"""In BP4D's coding: the action unit could not be seen."""
BLINK = 0.5
"""Share of a person's median lid opening below which a frame is a blink (our choice: the paper gives none)."""
SPONTANEOUS = {"validation": 8 / 41, "test": 8 / 41}
"""Shares of BP4D's persons (Section V-B)."""


NOSE = np.arange(36, 48)
EYES = {"bu-3dfe": np.arange(16).reshape(2, 8), "bp4d": np.arange(20, 36).reshape(2, 8)}
"""Places of the two eyes' points among the 83, by layout."""


def read_landmarks(root: Path, found: Path | None, jitter: float, seed: int) -> LandmarkSet:
    """Whichever data set is in the folder: BU-3DFE, BP4D, or one of affect synth set, by its known landmarks with
    jitter or by those that MediaPipe finds, which are kept in the file `found`.

    DataError where it is none of them; UsageError where `found` is given for one that has no pictures.
    """
    for there, read in (("[FM][0-9]*/*_F3D.bnd", read_bu3dfe), ("AUCoding/AU_OCC/*.csv", read_bp4d)):
        if any(root.glob(there)):
            if found is not None:
                raise UsageError(f"--found is for a set of affect synth set; {root} has landmarks of its own")
            return read(root, seed)
    if found is None:
        return read_synthetic(root, None, jitter, seed)
    return read_synthetic(root, find_faces(root, found))


def read_bu3dfe(root: Path, seed: int = 0) -> LandmarkSet:
    """ROOT/F0001/F0001_AN01WH_F3D.bnd and so on: six expressions in four degrees, and neutral; persons are drawn.

    DataError where there is none, or one is not 83 lines of a vertex and three coordinates.
    """
    files = sorted(root.glob("[FM][0-9]*/*_F3D.bnd"))
    if not files:
        raise DataError(f"{root} has no F0001/F0001_NE00WH_F3D.bnd or the like; expected the folder of BU-3DFE")
    points = np.stack([_points(file) for file in files]) * UPRIGHT
    parts = [file.name.split("_") for file in files]
    expression = np.array([_expression(file, part[1]) for file, part in zip(files, parts, strict=True)])
    degree = np.array([int(part[1][2:4]) for part in parts])
    calm = expression == NEUTRAL
    table = Table("BU-3DFE", str(root), np.array([part[0] for part in parts]), expression, degree, None, calm)
    return landmark_set(table, points, layout_of(points[calm], "bu-3dfe"), seed=seed)


def read_bp4d(root: Path, seed: int = 0) -> LandmarkSet:
    """ROOT/AUCoding/AU_OCC/F001_T1.csv and ROOT/3DFeatures/F001_T1_0001.bnd and so on: spontaneous expressions.

    Of each person one frame for each combination of action units, without blinks, and the neutral face: the medoid of
    those with none. The degree is how many are on. DataError where a file is missing or is not what was expected.
    """
    subject, units, points = _bp4d_frames(root)
    kept = _one_of_each(subject, units, ~_blinks(points, subject))
    subject, units, points = subject[kept], units[kept], points[kept]
    calm = units == ""
    expression = np.where(calm, NEUTRAL, EXPRESSIVE)
    degree = np.array([len(on.split()) for on in units.tolist()])
    table = Table("BP4D", str(root), subject, expression, degree, None, calm, SPONTANEOUS)
    faces = landmark_set(table, points, layout_of(points, "bp4d"), seed=seed)
    return faces.select(~calm | (faces.neutral == np.arange(len(calm))))


def _bp4d_frames(root: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of all coded frames subject (M,) and action units (M,) in words, and upright points (M, 83, 3)."""
    files = sorted((root / "AUCoding" / "AU_OCC").glob("[FM]*_T*.csv"))
    if not files:
        raise DataError(f"{root} has no AUCoding/AU_OCC/F001_T1.csv or the like; expected the folder of BP4D")
    frames = [frame for file in files for frame in _coded_frames(file)]
    paths = [root / "3DFeatures" / f"{stem}_{number:04d}.bnd" for stem, number, _ in frames]
    subject = np.array([stem.split("_")[0] for stem, _, _ in frames])
    units = np.array([" ".join(map(str, on)) for _, _, on in frames])
    return subject, units, np.stack([_points(path) for path in paths]) * UPRIGHT


def layout_of(upright: np.ndarray, name: str) -> Layout:
    """What the 83 points are, by the mean of faces (N, 83, 3) that stand upright: x right, y down, z away."""
    mean = upright.mean(axis=0)
    right, left = sorted(EYES[name], key=lambda eye: mean[eye, 0].mean())
    corners = [eye[[mean[eye, 0].argmin(), mean[eye, 0].argmax()]] for eye in (right, left)]
    rigid = np.concatenate([*corners, NOSE])
    lids = [tuple(_lower_lid(eye, mean).tolist()) for eye in (right, left)]
    reference = tuple(tuple(point) for point in mean[rigid].tolist())
    return Layout(name, POINTS, tuple(rigid.tolist()), reference, *lids)  # type: ignore[arg-type]


def _lower_lid(eye: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """The corners, and the three lowest points between them."""
    order = eye[mean[eye, 0].argsort()]
    lowest = order[1:-1][mean[order[1:-1], 1].argsort()[-3:]]
    return np.concatenate([order[[0, -1]], lowest])


def _points(file: Path) -> np.ndarray:
    """(83, 3) of a .bnd file: in each line a vertex's number, x, y and z."""
    try:
        values = np.loadtxt(file, ndmin=2)
    except (OSError, ValueError) as error:
        raise DataError(f"{file} cannot be read: {error}; expected {POINTS} lines of a vertex, x, y and z") from error
    if values.shape != (POINTS, 4):
        raise DataError(f"{file} has {values.shape[0]} lines of {values.shape[1]} numbers; expected {POINTS} of 4")
    return values[:, 1:]


def _expression(file: Path, code: str) -> str:
    if code[:2] not in CODES or not code[2:4].isdigit():
        raise DataError(f"{file}: no expression {code[:4]!r}; expected {', '.join(CODES)} and two digits")
    return CODES[code[:2]]


def _coded_frames(file: Path) -> Iterator[tuple[str, int, tuple[int, ...]]]:
    """Task, frame and the action units that are on, of the rows in which all could be seen."""
    with file.open(newline="", encoding="utf-8") as lines:
        rows = [[int(cell) for cell in row] for row in csv.reader(lines) if row]
    for row in rows[1:]:
        if UNKNOWN_UNIT not in row[1:]:
            yield file.stem, row[0], tuple(unit for unit, on in zip(rows[0][1:], row[1:], strict=True) if on)


def _blinks(points: np.ndarray, subject: np.ndarray) -> np.ndarray:
    """(N,) bool: frames in which the eyes are less open than is usual for the person."""
    height = sum(np.ptp(points[:, eye, 1], axis=1) for eye in EYES["bp4d"])
    return np.array([height[i] < BLINK * np.median(height[subject == name]) for i, name in enumerate(subject.tolist())])


def _one_of_each(subject: np.ndarray, units: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Rows of the wanted (N,) bool frames: all without action units, and the first of each person's combinations."""
    seen, rows = set[tuple[str, str]](), []
    for row in np.flatnonzero(wanted).tolist():
        key = (str(subject[row]), str(units[row]))
        if not key[1] or key not in seen:
            rows.append(row)
        seen.add(key)
    return np.array(rows, int)
