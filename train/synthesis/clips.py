"""`affect synth clips`: videos of synthetic faces along a trace, with the truth of every frame."""

import hashlib
import io
import json
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import av
import numpy as np

from nets.files import write_whole
from train.synthesis.config import ClipConfig
from train.synthesis.expressions import SHOWN, actions_of, mixture_of
from train.synthesis.figure import Attitude
from train.synthesis.motion import moved, turns
from train.synthesis.persons import draw_person
from train.synthesis.protocol import SCENE, splits_of
from train.synthesis.scene import draw_scene
from train.synthesis.sets import MANIFEST, TABLE, landmark_columns, made_with, open_studio, table_text
from train.synthesis.tracks import KINDS, Trace, make_trace, shown
from train.synthesis.works import Open, begin, do, packed, tidy, unpacked, writing

NAME = "synthetic clips"
COLUMNS = ("video", "frame", "subject", "valence", "arousal", "expression", "degree", "split")
TRACE, MOTION, TURN = 20, 21, 22
"""Streams of random numbers that follow from a seed and a clip."""
CRF = "15"
"""Of H.264: a little better than what looks the same."""


@dataclass(frozen=True)
class ClipMaker:
    """Makes one clip; goes to the worker processes."""

    folder: Path
    config: ClipConfig
    traces: tuple[Trace, ...]

    def __call__(self, studio: Any, index: int) -> bytes:
        """Write clip number `index` and its landmarks; the note holds its truth."""
        config, trace = self.config, self.traces[index]
        person = draw_person(config.seed, index)
        scene = draw_scene(np.random.default_rng((config.seed, index, SCENE)), config.size)
        attitudes = attitudes_of(config, index, trace, studio.action_names)
        portraits = [studio.take(person, scene, attitude) for attitude in attitudes]
        name = clip_name(index)
        points, pixels = (np.stack([getattr(p, key) for p in portraits]) for key in ("points", "pixels"))
        turned = np.array([attitude.turn for attitude in attitudes], np.float32)
        landmarks = packed(points=points, pixels=pixels, turns=turned, **landmark_columns())
        write_whole(self.folder / f"{name}.landmarks.npz", landmarks)
        images = np.stack([portrait.image for portrait in portraits])
        write_whole(self.folder / f"{name}.mp4", encoded(images, config.rate_hz))
        digest = hashlib.sha256(images.tobytes()).hexdigest()
        return packed(affect=shown(trace.affect), digest=np.array(digest))


def clip_name(index: int) -> str:
    """Of its files."""
    return f"clip-{index:03d}"


def attitudes_of(config: ClipConfig, index: int, trace: Trace, names: tuple[str, ...]) -> list[Attitude]:
    """What the face does in each frame of a clip."""
    expressions, weights = mixture_of(trace.affect)
    actions = weights @ np.stack([actions_of(SHOWN[name], names) for name in expressions])
    lively = moved(actions.clip(0, 1), names, trace.time, config.lively, (config.seed, index, MOTION))
    turn = turns(np.random.default_rng((config.seed, index, TURN)), trace.time, config.lively.head)
    return [Attitude(a, (yaw, pitch, roll)) for a, (yaw, pitch, roll) in zip(lively, turn.tolist(), strict=True)]


def encoded(images: np.ndarray, rate_hz: float) -> bytes:
    """An MP4 (H.264) of images (T, H, W, 3) uint8 RGB, the same bytes for the same images."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream: Any = container.add_stream("libx264", rate=Fraction(rate_hz).limit_denominator(1001),
                                           options={"crf": CRF, "preset": "medium"})  # fmt: skip
        stream.height, stream.width, stream.pix_fmt = *images.shape[1:3], "yuv420p"
        stream.codec_context.thread_count = 1
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()


def make_clips(
    out: Path, config: ClipConfig, traces: tuple[Trace, ...] = (), workers: int = 2, resume: bool = False,
    studio: Open | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Write clips along traces, in turn, or along made ones, and return the manifest, set.json, written last.

    UsageError: `out` holds something else, or a package is missing; SinkError: it cannot be written.
    """
    every = tuple(traces[i % len(traces)] for i in range(config.count)) if traces else made_traces(config)
    digest = hashlib.sha256(b"".join(trace.affect.tobytes() for trace in every)).hexdigest()
    begin(out, {"name": NAME, "settings": config.card(), "traces": digest}, resume)
    manifest = out / MANIFEST
    if not manifest.is_file():
        open_place = studio or partial(open_studio, config.size)
        notes = do(out, config.count, open_place, ClipMaker(out, config, every), workers, "clip")
        _finish(out, config, every, [unpacked(note) for note in notes])
    tidy(out)
    return json.loads(manifest.read_text(encoding="utf-8"))


def made_traces(config: ClipConfig) -> tuple[Trace, ...]:
    """Walks and natural traces in turn."""
    return tuple(
        make_trace(np.random.default_rng((config.seed, i, TRACE)), kind, config.seconds, config.rate_hz)
        for i, kind in zip(range(config.count), cycle(KINDS), strict=False)
    )


def _finish(out: Path, config: ClipConfig, traces: tuple[Trace, ...], notes: list[dict[str, np.ndarray]]) -> None:
    rows = [row for i, note in enumerate(notes) for row in _rows(config, i, note["affect"])]
    digest = hashlib.sha256("".join(str(note["digest"]) for note in notes).encode()).hexdigest()
    moved_by = [np.abs(note["affect"] - trace.affect).max() for note, trace in zip(notes, traces, strict=True)]
    manifest = {
        "name": NAME,
        "settings": config.card(),
        "frames": len(rows),
        "sha256_of_pixels": digest,
        "beyond_reach": {clip_name(i): round(float(way), 4) for i, way in enumerate(moved_by) if way > 1e-6},
        "truth": "what the face shows: the trace, drawn back to the expressions' highest degree where it lies beyond",
        "made_with": made_with(),
    }
    with writing(out):
        write_whole(out / TABLE, table_text(COLUMNS, rows))
        write_whole(out / MANIFEST, json.dumps(manifest, indent=2) + "\n")


def _rows(config: ClipConfig, index: int, affect: np.ndarray) -> list[tuple[Any, ...]]:
    names, weights = mixture_of(affect)
    split = splits_of(config.count, config.seed)[index]
    rows: list[tuple[Any, ...]] = []
    for frame, ((valence, arousal), weight) in enumerate(zip(affect.tolist(), weights, strict=True)):
        shown_as = (_expression(names, weight), f"{weight.sum():.3f}", split)
        affect_told = (f"{valence:.5f}", f"{arousal:.5f}")
        rows.append((f"{clip_name(index)}.mp4", frame, f"person-{index:03d}", *affect_told, *shown_as))
    return rows


def _expression(names: tuple[str, ...], weights: np.ndarray) -> str:
    """The one with most weight; neutral where all are weak."""
    return names[int(weights.argmax())] if weights.sum() >= 0.15 else "neutral"
