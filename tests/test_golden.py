"""The numbers of the models that ship, of every column, on the sample clip: those of the golden traces."""

import csv
import io

import numpy as np
import pytest
from golden import MODELS, golden, trace

TEXTS = ("status", "quadrant")
COUNTS = ("frame", "face_id", "success")
TOLERANCES = {"timestamp": 1e-6, "confidence": 2e-3, "FaceScore": 2e-3}
PIXELS = 0.5
"""Of a box. Landmarks come of another library, whose sums differ between processors."""
AFFECT = 0.01
"""Of valence, arousal, probabilities, deviations and radians: whole numbers round differently between processors."""


def columns(table: bytes) -> dict[str, list[str]]:
    header, *rows = csv.reader(io.StringIO(table.decode()))
    return dict(zip(header, map(list, zip(*rows, strict=True)), strict=True))


def tolerance(name: str) -> float:
    return PIXELS if name.startswith("FaceRect") else TOLERANCES.get(name, AFFECT)


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
            np.testing.assert_allclose(a, b, rtol=0, atol=tolerance(name), err_msg=name)


def test_a_small_change_would_be_seen() -> None:
    theirs = columns(golden(MODELS[0]))
    valence = np.array(theirs["valence"], float)
    assert valence.std() > 0.2 and len(theirs["valence"]) == 216
    assert set(theirs["status"]) >= {"ok"} and len(theirs) > 30
