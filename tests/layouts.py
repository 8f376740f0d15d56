"""Tiny data sets in the layouts in which they are handed out, with drawn scenes as pictures."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scenes import WrittenFaces, scene

from train.preparing import aligning

PLACE = (120.0, 80.0, 64.0)
"""Where the face of a drawn picture is: x, y and side in pixels."""


def draw(path: Path, places: Sequence[tuple[float, float, float]] = (PLACE,), index: int = 0) -> Path:
    """Write a scene whose faces `WrittenFaces` finds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = scene(index, 0.0, list(places)).image
    path.write_bytes(cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes())
    return path


def read_written_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the faces of drawn scenes found in place of real ones."""
    monkeypatch.setattr(aligning, "FaceLandmarker", lambda config, still: WrittenFaces())


def circle(x: float, y: float, radius: float) -> list[list[float]]:
    """68 landmarks around a middle, in pixels."""
    turns = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    return (np.stack([np.cos(turns), np.sin(turns)], axis=1) * radius + (x, y)).round(3).tolist()


def afew_clip(
    root: Path, clip: str, labels: Mapping[str, tuple[Any, Any]], frames: Sequence[str], actor: str = "An Actor"
) -> Path:
    """A clip folder of AFEW-VA: labels by frame, and pictures of these frames."""
    folder = root / clip
    folder.mkdir(parents=True)
    for i, name in enumerate(frames):
        draw(folder / f"{name}.png", index=i)
    entries = {
        name: {"valence": valence, "arousal": arousal, "landmarks": circle(*PLACE[:2], 20)}
        for name, (valence, arousal) in labels.items()
    }
    text = json.dumps({"video_id": clip, "actor": actor, "frames": entries})
    (folder / f"{clip}.json").write_text(text, encoding="utf-8")
    return folder


def write(path: Path, *lines: str) -> Path:
    """A text file of these lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
