"""AFEW-VA (Kossaifi et al. 2017): 600 clips from films, every frame labelled by whole numbers from -10 to 10.

ROOT/001/00000.png, 00001.png, ... and ROOT/001/001.json: {"video_id": "001", "actor": NAME, "frames": {"00000":
{"valence": V, "arousal": A, "landmarks": [[x, y], ... 68]}, ...}}; the clip folders may also lie one folder deeper, as
the archives unpack. A clip without its own JSON takes its labels from ROOT/afew_va_labels.json (CCC_FFFFF: [V, A])
where that exists; its actor is then not known and it counts as a subject of its own.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tracker.errors import DataError
from train.datasets.parts import Listing, Part, checked, number, require_pictures
from train.datasets.shots import PictureFiles
from train.prepared import LabelScale

SCALE = LabelScale(-10.0, 10.0, 0.0)
RATE_HZ = 25.0
LABELS = "afew_va_labels.json"
EXPECTED = "clip folders 001, 002, ... with frames 00000.png, ... and 001.json, ... (AFEW-VA)"


def read(root: Path, scale: LabelScale = SCALE) -> Listing:
    """Every clip; DataError where the layout is another, a label is wrong, or no frame is there."""
    folders = sorted({path for depth in ("[0-9]*", "*/[0-9]*") for path in root.glob(depth) if path.is_dir()})
    shared = _shared_labels(root / LABELS)
    clips = [clip for folder in folders if (clip := _facts_of(folder, shared)) is not None]
    if not clips:
        raise DataError(f"{root} holds no clip of AFEW-VA; expected {EXPECTED}")
    parts = [_part_of(folder, facts, scale) for folder, facts in clips]
    require_pictures((path for part in parts for path in part.pictures.paths), EXPECTED)  # type: ignore[attr-defined]
    return Listing(parts, {"clips without labels": len(folders) - len(clips)})


def _shared_labels(path: Path) -> dict[str, Any]:
    """Labels by clip and frame, in the shape of the clips' own JSON; empty where there is no such file."""
    frames: dict[str, Any] = {}
    for key, (valence, arousal) in (_json_of(path) if path.is_file() else {}).items():
        clip, _, frame = key.partition("_")
        frames.setdefault(clip, {})[frame] = {"valence": valence, "arousal": arousal}
    return frames


def _facts_of(folder: Path, shared: dict[str, Any]) -> tuple[Path, dict[str, Any]] | None:
    own = folder / f"{folder.name}.json"
    if own.is_file():
        facts = _json_of(own)
        if not isinstance(facts.get("frames"), dict):
            raise DataError(f"{own} has no frames; expected " + '{"actor": ..., "frames": {"00000": ...}}')
        return folder, facts
    return (folder, {"frames": shared[folder.name]}) if folder.name in shared else None


def _json_of(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(facts, dict):
        raise DataError(f"{path} holds a {type(facts).__name__}; expected an object of frames")
    return facts


def _part_of(folder: Path, facts: dict[str, Any], scale: LabelScale) -> Part:
    frames = facts["frames"]
    pictures = {path.stem: path for path in folder.iterdir() if path.suffix.lower() in (".png", ".jpg")}
    names = sorted(_whole_numbers({*pictures, *frames}, folder), key=int)
    paths = tuple(pictures.get(name, folder / f"{name}.png") for name in names)
    labels = [[_label(folder, name, frames.get(name), axis) for axis in ("valence", "arousal")] for name in names]
    return Part(
        PictureFiles(paths, tuple(int(name) / RATE_HZ for name in names)),
        checked(np.array(labels), scale, lambda row: f"{folder / folder.name}.json, frame {names[row]}"),
        (folder.name,),
        (str(facts.get("actor") or f"clip {folder.name}"),),
        boxes=np.array([_box_of((frames.get(name) or {}).get("landmarks")) for name in names]),
        still=len(names) == 1,
    )


def _whole_numbers(names: Iterable[str], folder: Path) -> Iterable[str]:
    for name in names:
        if not name.isdecimal():
            raise DataError(f"{folder}: {name} is no frame number; expected 00000, 00001, ...")
        yield name


def _label(folder: Path, name: str, entry: dict[str, Any] | None, axis: str) -> float:
    return number((entry or {}).get(axis), f"{folder / folder.name}.json, frame {name}: {axis}")


def _box_of(landmarks: Any) -> np.ndarray:
    """The box around landmarks [[x, y], ...]; NaN where there are none."""
    points = np.array(landmarks, np.float64) if landmarks else np.empty((0, 2))
    if points.ndim != 2 or points.shape[1:] != (2,) or not len(points):
        return np.full(4, np.nan)
    return np.concatenate([points.min(axis=0), points.max(axis=0)])
