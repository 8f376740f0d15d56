"""Whether a trace is fit to be used, and what speaks against it: by rules of thumb, said beside the answer."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tracker.config import QualityLimits
from tracker.outputs import Sheet
from tracker.traces.reading import FaceTrace

Verdict = Literal["yes", "with care", "no"]
CARE, TOO_MUCH = 0.1, 0.3
"""Share of the frames lost, or of low quality, from which a trace needs care, or is not fit."""
FEWEST = 10.0
"""Effective samples below which a mean needs care."""
LEAST_FRAMES = 10
"""Good frames below which nothing is fit."""
LEAST_RATE_HZ = 8.0
"""Frames a second below which quick expressions are missed."""
FRONTAL_DEG = 20.0
"""A face turned by less, in yaw and pitch, is frontal."""
COMFORT = 1.25
"""A typical face this much better than a limit asks is far enough from it."""


@dataclass(frozen=True)
class Fitness:
    """How well a face was seen over some frames, and what is to be made of it."""

    lost: float
    """[0, 1]: share of the frames without this face; 1 where there is no frame."""
    low_quality: float
    """[0, 1]: share of the frames in which it is seen badly."""
    verdict: Verdict
    reasons: tuple[str, ...]
    """What speaks against it, in words; empty where nothing does."""


def fitness(sheet: Sheet, face: FaceTrace, effective: Iterable[float]) -> Fitness:
    """Judge the frames of a face; effective: of its mean valence and arousal the effective samples, NaN where unknown.

    What the trace holds tells size, turn and loss; light and blur are told apart in no column, and are one reason.
    """
    frames = len(face.time)
    if not frames:
        return Fitness(1.0, 0.0, "no", ("the trace has no frame here",))
    limits = QualityLimits(**sheet.get("quality_limits", {}))
    good = face.good
    seen = face.status != "no_face"
    at_fault = seen & ~np.isfinite(face["valence_smooth"])
    lost, low = float(1.0 - seen.mean()), float((seen & ~good & ~at_fault).mean())
    bad: list[str] = []
    care: list[str] = []
    if lost >= CARE:
        (bad if lost >= TOO_MUCH else care).append(f"lost: the face is missing in {lost:.0%} of the frames")
    if low >= CARE:
        (bad if low >= TOO_MUCH else care).append(f"low quality in {low:.0%} of the frames: {_why(face, limits)}")
    if at_fault.any():
        bad.append(f"the model gave no numbers in {at_fault.mean():.0%} of the frames")
    if seen.any() and good.sum() < LEAST_FRAMES:
        bad.append(f"only {good.sum()} good frames")
    if good.any():
        size = float(np.median(_size(face)[good]))
        if size < COMFORT * limits.min_size_px:
            care.append(f"size: the face is {size:.0f} px, {limits.min_size_px:.0f} are the limit")
        turn = float(np.nanmedian(turn_deg(face)[good]))
        if turn > limits.max_turn_deg / COMFORT:
            care.append(f"turn: the head is turned by {turn:.0f} degrees, {limits.max_turn_deg:.0f} are the limit")
        few = min((each for each in effective if np.isfinite(each)), default=np.inf)
        if few < FEWEST:
            care.append(f"short: its mean rests on {few:.0f} effective samples")
    if frames > 1 and (rate := 1.0 / float(np.median(np.diff(face.time)))) < LEAST_RATE_HZ:
        care.append(f"rate: {rate:.1f} frames a second")
    if sheet and not sheet.get("complete", True):
        care.append("the run broke off, or its source did")
    if sheet.get("repaired", 0) > CARE * max(1, sheet.get("decoded", 0)):
        care.append("time: many timestamps were repaired")
    return Fitness(lost, low, "no" if bad else "with care" if care else "yes", (*bad, *care))


def _why(face: FaceTrace, limits: QualityLimits) -> str:
    """Which limits the frames of low quality pass, with the share of them that does."""
    low = np.isfinite(face["valence_smooth"]) & ~face.good
    small = (_size(face) < limits.min_size_px)[low]
    turned = (turn_deg(face) > limits.max_turn_deg)[low]
    dim = ~(small | turned)
    shares = (("size", small), ("turn", turned), ("light or blur", dim))
    return ", ".join(f"{name} {passed.mean():.0%}" for name, passed in shares if passed.any())


def _size(face: FaceTrace) -> np.ndarray:
    """(T,) pixels: the shorter side of the box."""
    return np.minimum(face["FaceRectWidth"], face["FaceRectHeight"])


def turn_deg(face: FaceTrace) -> np.ndarray:
    """(T,) degrees: yaw or pitch away from the camera, whichever is larger."""
    return np.degrees(np.maximum(np.abs(face["pose_Rx"]), np.abs(face["pose_Ry"])))
