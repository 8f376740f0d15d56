"""The numbers of the models that ship, of every column, on the sample clip: those of the golden traces."""

import csv
import io

import numpy as np
import pytest
from golden import MODELS, golden, same_versions, trace

TEXTS = ("status", "quadrant")
COUNTS = ("frame", "face_id", "success")
TIGHT = {"timestamp": 1e-6, "FaceRect": 0.05, "": 1e-3}
"""Largest difference, by how a column's name begins, with the libraries with which the golden traces were made."""
LOOSE = {"timestamp": 1e-6, "FaceRect": 4.0, "valence_smooth": 0.02, "arousal_smooth": 0.03, "": 0.06}
"""Likewise with others: OpenCV 5 in place of 4.11 moves landmarks by a tenth of a pixel, and a box once by 1.7; whole
numbers make of that up to .024 of a frame's arousal, .014 of the smoothed one."""


def columns(table: bytes) -> dict[str, list[str]]:
    header, *rows = csv.reader(io.StringIO(table.decode()))
    return dict(zip(header, map(list, zip(*rows, strict=True)), strict=True))


def tolerance(name: str) -> float:
    limits = TIGHT if same_versions() else LOOSE
    return next(limit for beginning, limit in limits.items() if name.startswith(beginning))


@pytest.mark.parametrize("model", MODELS)
def test_the_trace_is_the_golden_one(model: str) -> None:
    ours, theirs = columns(trace(model)), columns(golden(model))
    assert list(ours) == list(theirs) and len(ours["frame"]) == len(theirs["frame"]) == 216
    for name in ours:
        if name in TEXTS:
            same = np.mean([a == b for a, b in zip(ours[name], theirs[name], strict=True)])
            assert same >= 0.98, name  # a value at a limit may fall to its other side
        elif name in COUNTS:
            assert ours[name] == theirs[name], name
        else:
            a, b = (np.array([np.nan if v == "" else float(v) for v in each[name]]) for each in (ours, theirs))
            assert (np.isnan(a) == np.isnan(b)).all(), name
            apart, limit = np.nan_to_num(np.abs(a - b)), tolerance(name)
            # other versions decode and resample otherwise: a frame between two expressions may move by more
            assert apart.max() <= (limit if same_versions() else 2 * limit), (name, apart.max(), limit)
            assert np.quantile(apart, 0.98) <= limit, (name, np.quantile(apart, 0.98), limit)


def test_a_small_change_would_be_seen() -> None:
    theirs = columns(golden(MODELS[0]))
    valence = np.array(theirs["valence"], float)
    assert valence.std() > 0.2 and len(theirs["valence"]) == 216
    assert set(theirs["status"]) >= {"ok"} and len(theirs) > 30
