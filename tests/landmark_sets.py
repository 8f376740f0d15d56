"""Tiny sets of landmarks: drawn faces as affect synth set, BU-3DFE and BP4D lay them out, and quick trainings."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tracker.faces.shape import MEDIAPIPE_83
from train.landmarks.loaders import CODES
from train.synthesis.config import SetConfig
from train.synthesis.figure import turning
from train.synthesis.protocol import pictures_of
from train.synthesis.sets import COLUMNS, POINTS, TABLE, landmark_columns, table_text

EXPRESSIONS = ("anger", "happiness", "sadness")
SPLIT = ("train", "train", "train", "train", "validation", "test")


def face(rng: np.random.Generator) -> np.ndarray:
    """(83, 3) mm in the picture's axes: a face that looks straight ahead, its rigid points about where they belong."""
    layout = MEDIAPIPE_83
    points = rng.uniform((-60, -30, -30), (60, 110, 20), (layout.points, 3))
    points[list(layout.rigid)] = np.array(layout.reference) + rng.normal(0, 1, (len(layout.rigid), 3))
    for lid, x in ((layout.right_lid, -30.6), (layout.left_lid, 30.6)):
        points[list(lid[1:-1])] = np.array([x, 8, -12]) + rng.normal(0, 1, (len(lid) - 2, 3))
    return points


def faces_of(expressions: Sequence[str], persons: int, seed: int = 0) -> dict[tuple[int, str, int], np.ndarray]:
    """Every person's face by expression and degree: own features, and a pattern for each expression that grows."""
    rng = np.random.default_rng(seed)
    moved = np.ones((83, 1))
    moved[list(MEDIAPIPE_83.rigid)] = 0
    common = face(rng)
    patterns = {name: moved * rng.normal(0, 6, (83, 3)) for name in expressions}
    drawn = {}
    for person in range(persons):
        own = common + moved * rng.normal(0, 5, (83, 3))
        drawn[person, "neutral", 0] = own
        for name in expressions:
            for degree in range(1, 5):
                drawn[person, name, degree] = own + degree / 4 * patterns[name] + moved * rng.normal(0, 0.5, (83, 3))
    return drawn


def write_synthetic(folder: Path, split: Sequence[str] = SPLIT, without: Sequence[str] = ()) -> Path:
    """A set as affect synth set writes it, without its pictures; `without` are paths that are left out."""
    config, rng = SetConfig(persons=len(split), expressions=EXPRESSIONS), np.random.default_rng(1)
    drawn, rows, points, turns = faces_of(EXPRESSIONS, len(split)), [], [], []
    for person in range(len(split)):
        for picture in pictures_of(config, person):
            if picture.path in without:
                continue
            turn = tuple(rng.normal(0, 6, 3).tolist())
            rows.append((picture.path, f"person-{person:03d}", *picture.affect, picture.expression, picture.degree,
                         split[person], *turn))  # fmt: skip
            points.append(in_head_axes(drawn[person, picture.expression, picture.degree]) @ turning(turn).T)
            turns.append(turn)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / TABLE).write_text(table_text(COLUMNS, rows), encoding="utf-8")
    columns = {"points": np.array(points, np.float32), "turns": np.array(turns, np.float32)}
    np.savez(folder / POINTS, **columns, **landmark_columns(), paths=np.array([row[0] for row in rows]))
    return folder


def in_head_axes(points: np.ndarray) -> np.ndarray:
    """Points (..., 3) mm of the picture's axes in metres along the head's: to its left, its back, up."""
    return points[..., [0, 2, 1]] * np.array([1, 1, -1]) / 1000


def write_bnd(file: Path, upright: np.ndarray) -> None:
    """Points (83, 3) of the picture's axes as BU-3DFE has them: y up, z to the camera, a vertex before each."""
    file.parent.mkdir(parents=True, exist_ok=True)
    values = np.column_stack([np.arange(len(upright)), upright * np.array([1, -1, -1])])
    file.write_text("\n".join("{:.0f}\t\t{:.5f} {:.5f} {:.5f}".format(*row) for row in values) + "\n")


def binghamton(points: np.ndarray, eyes: tuple[int, int]) -> np.ndarray:
    """A face (83, 3) whose blocks of eight from `eyes` on are the subject's left and then right eye, and 36 to 47 the
    nose, as BU-3DFE and BP4D have them; the corners first and fifth."""
    points = points.copy()
    around = np.radians(45.0) * np.arange(8)
    for start, x in zip(eyes, (30.6, -30.6), strict=True):
        points[start : start + 8] = np.stack([x - 13 * np.cos(around), 4 - 5 * np.sin(around), 0 * around - 12], axis=1)
    nose = np.linspace(-1, 1, 12)
    points[36:48] = np.stack([15 * nose, 40 * (1 - nose**2) + 2, -40 * (1 - nose**2) - 15], axis=1)
    return points


def write_bu3dfe(root: Path, persons: int = 6) -> Path:
    """Of each person neutral and two expressions in four degrees."""
    codes = {name: code for code, name in CODES.items()}
    for (person, name, degree), points in faces_of(("anger", "happiness"), persons).items():
        subject = f"F{person + 1:04d}"
        upright = binghamton(points, (0, 8))
        write_bnd(root / subject / f"{subject}_{codes[name]}{degree:02d}WH_F3D.bnd", upright)
    return root


def write_bp4d(root: Path, persons: int = 6) -> Path:
    """Of each person one task: three frames without action units, two with AU 12, one with 6 and 12, a blink, and one
    whose units could not be seen."""
    units = (1, 4, 6, 12)
    rows = [(), (), (), (12,), (12,), (6, 12), (4,), None]
    for (person, name, _), calm in faces_of((), persons).items():
        assert name == "neutral"
        stem, rng = f"M{person + 1:03d}_T1", np.random.default_rng(person)
        coded = [",".join(map(str, (0, *units)))]
        for number, on in enumerate(rows, start=1):
            coded.append(",".join(map(str, (number, *(9 if on is None else int(unit in on) for unit in units)))))
            upright = binghamton(calm + rng.normal(0, number / 10, (83, 3)), (20, 28))
            if on == (4,):
                upright[20:36, 1] = 4 + (upright[20:36, 1] - 4) / 5
            write_bnd(root / "3DFeatures" / f"{stem}_{number:04d}.bnd", upright)
        table = root / "AUCoding" / "AU_OCC" / f"{stem}.csv"
        table.parent.mkdir(parents=True, exist_ok=True)
        table.write_text("\n".join(coded) + "\n", encoding="utf-8")
    return root
