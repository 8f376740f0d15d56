"""LeVAsa's way to change a face: a walk through the latents of valence, arousal or both."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nets.card import ModelCard
from nets.levasa import Levasa
from nets.walk import Walk, walk
from tracker.config import EditConfig
from tracker.drawing.overlay import signed
from tracker.drawing.strips import Cell, draw_strips
from tracker.editing.edit import Edit
from tracker.editing.faces import read_face
from tracker.errors import UsageError
from tracker.faces.align import Template

AXES = ("valence", "arousal")
LABELS = ((-1.0, 1.0), (-1.0, 1.0))
"""The range of valence and arousal that a model was trained on, where its card does not tell."""
REACH = 0.95
"""A head of classes answers within -1 and 1, and comes near them only at the end of the world."""


@dataclass(frozen=True)
class Course:
    """Where a walk leads."""

    targets: np.ndarray
    """(N, 2): valence and arousal; NaN leaves an axis as it is. Row by row, a grid's rows of arousal downwards."""
    columns: int
    """Pictures in a row."""
    seen: np.ndarray
    """(2, 2): lowest and highest valence, and arousal, of the labels that the model was trained on."""

    @property
    def far(self) -> np.ndarray:
        """(N,) bool: targets beyond what the model was trained on."""
        (low, high), little = self.seen.T, 0.005
        return ((self.targets < low - little) | (self.targets > high + little)).any(axis=1)


def walk_levasa(files: tuple[str, ...], network: Levasa, card: ModelCard, config: EditConfig) -> Edit:
    """Walk the largest face of a file. Raises AffectError for what cannot be read or reached."""
    if len(files) != 1:
        raise UsageError(f"a model of kind 'levasa' changes one face; expected one file, got {len(files)}")
    course = plan(config, np.array(card.training.get("label_range", LABELS)), network.config.heads == "classes")
    crop = read_face(files[0], Template.from_card(card.crop), config.at)
    walked = walk(network, crop, course.targets)
    return Edit(
        _drawn(crop, walked, course, (Path(files[0]).name, card.name)),
        _facts(walked, course, card) | {"face": files[0], "at_s": config.at, "walk": config.walk},
        _table(walked, course),
        _notes(course),
    )


def plan(config: EditConfig, seen: np.ndarray, bounded: bool) -> Course:
    """The course of a walk, for labels seen (2, 2); UsageError for a range beyond what heads of classes can answer."""
    ends = seen if config.range is None else np.array([config.range] * 2)
    if bounded and config.range is not None and np.abs(ends).max() > REACH:
        raise UsageError(
            f"the range is {config.range[0]:g} to {config.range[1]:g}, but this model's heads answer by classes, "
            f"within -1 and 1; expected ends within {-REACH:g} and {REACH:g}"
        )
    low, high = (ends.clip(-REACH, REACH) if bounded else ends).T
    valence, arousal = np.linspace(low, high, config.steps).T
    if config.walk == "both":
        grid = np.meshgrid(valence, arousal[::-1])
        return Course(np.stack(grid, axis=2).reshape(-1, 2), config.steps, seen)
    targets = np.full((config.steps, 2), np.nan)
    axis = AXES.index(config.walk)
    targets[:, axis] = (valence, arousal)[axis]
    return Course(targets, config.steps, seen)


def _drawn(crop: np.ndarray, walked: Walk, course: Course, names: tuple[str, str]) -> bytes:
    """The strip or grid."""
    cells = [
        Cell(picture, _asked(target), _said(read), far)
        for picture, target, read, far in zip(walked.pictures, course.targets, walked.read, course.far, strict=True)
    ]
    rows = [cells[start : start + course.columns] for start in range(0, len(cells), course.columns)]
    originals = [
        Cell(crop, "the face", _said(walked.face)),
        Cell(walked.reconstruction, "reconstructed", _said(walked.reconstructed)),
    ]
    caption = f"model {names[1]}  \u00b7  above: asked of the latents; below: read in the picture, encoded again"
    if course.far.any():
        caption += "  \u00b7  red: beyond the training"
    return draw_strips(originals, rows, names[0], caption)


def _asked(target: np.ndarray) -> str:
    return "  ".join(f"{name} {signed(v)}" for name, v in zip("VA", target, strict=True) if np.isfinite(v))


def _said(affect: np.ndarray) -> str:
    return "  ".join(f"{name} {signed(v)}" for name, v in zip("VA", affect, strict=True))


def _facts(walked: Walk, course: Course, card: ModelCard) -> dict[str, Any]:
    columns = course.targets, walked.told, walked.read, walked.moves, course.far
    return {
        "model": {"name": card.name, "sha256": card.sha256},
        "trained_on": _named(course.seen),
        "face_affect": _named(walked.face),
        "reconstruction_affect": _named(walked.reconstructed),
        "steps": [_step(*values) for values in zip(*columns, strict=True)],
    }


def _step(asked: np.ndarray, told: np.ndarray, read: np.ndarray, moved: np.ndarray, far: np.bool_) -> dict[str, Any]:
    return {
        "asked": {axis: value for axis, value in _named(asked).items() if np.isfinite(value)},
        "latents_tell": _named(told),
        "encoded_again": _named(read),
        "moved": _named(moved),
        "beyond_training": bool(far),
    }


def _named(values: np.ndarray) -> dict[str, Any]:
    """By axis."""
    return dict(zip(AXES, values.tolist(), strict=True))


def _table(walked: Walk, course: Course) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        ("picture", "asked", "latents tell", "encoded again", "moved"),
        ("the face", "", "", _said(walked.face), ""),
        ("reconstructed", "", "", _said(walked.reconstructed), ""),
    ]
    for number, (target, far) in enumerate(zip(course.targets, course.far, strict=True)):
        asked = _asked(target) + "*" * bool(far)
        moved = f"{np.linalg.norm(walked.moves[number]):.2f}"
        rows.append((str(number + 1), asked, _said(walked.told[number]), _said(walked.read[number]), moved))
    return rows


def _notes(course: Course) -> list[str]:
    if not course.far.any():
        return []
    (v_low, v_high), (a_low, a_high) = course.seen
    return [f"* beyond the labels of the training: V {v_low:.2f} to {v_high:.2f}, A {a_low:.2f} to {a_high:.2f}"]
