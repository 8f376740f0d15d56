"""Synthetic clips for the temporal model, from a prepared FER+: `affect prepare sequences`.

No open set of videos with valence and arousal exists. A clip is one face, or a morph between faces of different
expressions, filmed by a camera that trembles in a changing light. FER+ does not say who is who: two faces of a morph
are different persons, as alike in pose and brightness as a handful allows. Each clip stays in the split of its faces. A
step clip, clean, goes from one face to another between two frames: it measures a model's lag, and is not scored.
"""

import hashlib
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
from tqdm import tqdm

from tracker.faces.align import Template
from train.clips.morph import Strip, blink
from train.clips.pool import Pool, cast
from train.clips.scripts import KINDS, Script, SequenceConfig, write_script
from train.prepared import SPLITS, LabelScale, Names, Prepared, create_crops, open_prepared, write_prepared
from train.preparing.blocks import NOTES, Rows, claim, writing

__all__ = ["KINDS", "SequenceConfig", "film", "make_sequences", "prepare_sequences"]

NAME = "sequences"
RECIPE = ("camera", "morph", "pool", "scripts", "sequences", "traces")
"""Modules of this folder that decide the pictures."""


@dataclass(frozen=True)
class Clip:
    """One clip to be made; its pictures follow from its seed alone, whoever makes it and when."""

    split: str
    kind: str
    seed: tuple[int, ...]

    @property
    def name(self) -> str:
        """Of the clip in the set."""
        return f"{self.split}-{self.seed[-1]:05d}-{self.kind}"


def film(script: Script, data: Prepared, levels: int, rng: np.random.Generator) -> np.ndarray:
    """The crops (T, S, S, 1) uint8 of a script, zeros where the face is not found; rng draws the sensor's noise.

    A morph is rendered at `levels` places from one face to the next.
    """
    size = data.template.size
    strip = Strip.of(cast(script.faces, data), 2 if script.kind == "step" else levels)
    crops = np.zeros((len(script.time), size, size, 1), np.uint8)
    last = max(len(script.faces) - 1, 1)
    for frame in np.flatnonzero(script.found).tolist():
        face = strip.at(script.way[frame] / last)
        if script.closure[frame] > 0.02:
            face = blink(face, float(script.closure[frame]))
        crops[frame, ..., 0] = script.shot.film(frame, face.image, size, rng)
    return crops[:, :, ::-1] if script.mirrored else crops


def clips_of(config: SequenceConfig) -> list[Clip]:
    """All clips of a configuration, split by split, the steps last in each."""
    clips = []
    for split, number in SPLITS.items():
        count = config.clips[split]
        for index in range(count + config.steps[split]):
            seed = (config.seed, number, index)
            kind = np.random.default_rng((*seed, 2)).choice(list(config.kinds), p=_shares(config)).item()
            clips.append(Clip(split, kind if index < count else "step", seed))
    return clips


def make_sequences(root: Path, out: Path, config: SequenceConfig, workers: int = 2) -> Prepared:
    """Write the clips of a configuration, made of the prepared FER+ in `root`, to the folder `out`.

    Goes on where it stopped. DataError: `root` lacks a column or faces; UsageError: `out` holds something else;
    SinkError: it cannot be written.
    """
    data = open_prepared(root)
    clips = clips_of(config)
    pools = {split: _pool(data, split, config) for split in dict.fromkeys(clip.split for clip in clips)}
    claim(out, _key(data, config))
    if not (out / "set.json").is_file():
        with _mapping(workers, (root, pools, config)) as mapped:
            scripts = list(tqdm(mapped(_script, clips), "writing scripts", len(clips), unit="clip"))
            _film_all(mapped, out, replace(data.template, margin=0), clips, [script for script, _ in scripts])
        _finish(out, data, clips, scripts)
    with writing(out):
        shutil.rmtree(out / NOTES, ignore_errors=True)
    return open_prepared(out)


def _film_all(
    mapped: Callable[..., Iterator], out: Path, template: Template, clips: Sequence[Clip], scripts: Sequence[Script]
) -> None:
    """Write the pictures of all clips that have no note yet; a clip's note is an empty file beside them."""
    starts = np.cumsum([0, *(len(script.time) for script in scripts)]).tolist()
    create_crops(out, template, starts[-1])
    left = [i for i in range(len(clips)) if not (out / NOTES / f"{i:06d}").exists()]
    filmed = mapped(_film, [(clips[i], scripts[i]) for i in left])
    with tqdm(total=starts[-1], initial=starts[-1] - sum(len(scripts[i].time) for i in left), unit="frame") as bar:
        for i, pictures in zip(left, filmed, strict=True):
            with writing(out):
                with Rows(out / "crops.npy") as rows:
                    for row, picture in enumerate(pictures, starts[i]):
                        rows.put(row, picture)
                (out / NOTES / f"{i:06d}").touch()
            bar.update(len(pictures))


def _finish(out: Path, data: Prepared, clips: Sequence[Clip], scripts: Sequence[tuple[Script, np.ndarray]]) -> None:
    columns, subjects = _columns(data, clips, scripts)
    scale = LabelScale(threshold=data.scale.affect_threshold)
    template = replace(data.template, margin=0)
    with writing(out):
        write_prepared(out, NAME, template, scale, columns, Names([clip.name for clip in clips], subjects))


def _pool(data: Prepared, split: str, config: SequenceConfig) -> Pool:
    share = config.label_share if split == "train" else 0.0
    return Pool.of(data, split, config.least_votes[split], share)


def _shares(config: SequenceConfig) -> np.ndarray:
    shares = np.array(list(config.kinds.values()), np.float64)
    return shares / shares.sum()


def _columns(
    data: Prepared, clips: Sequence[Clip], scripts: Sequence[tuple[Script, np.ndarray]]
) -> tuple[dict[str, np.ndarray], list[str]]:
    """All columns, and the subjects' names: a pair of faces is one subject."""
    names = ["+".join(data.subjects[data.subject[row]] for row in script.faces) for script, _ in scripts]
    subjects = list(dict.fromkeys(names))
    index = {name: i for i, name in enumerate(subjects)}
    counts = [len(script.time) for script, _ in scripts]
    columns = {
        "affect": np.concatenate([script.affect for script, _ in scripts]),
        "found": np.concatenate([script.found for script, _ in scripts]),
        "clip": np.repeat(np.arange(len(clips)), counts),
        "time": np.concatenate([script.time for script, _ in scripts]),
        "subject": np.repeat([index[name] for name in names], counts),
        "split": np.repeat([SPLITS[clip.split] for clip in clips], counts).astype(np.uint8),
        "kind": np.repeat([KINDS[clip.kind] for clip in clips], counts).astype(np.uint8),
        "covered": np.concatenate([covered for _, covered in scripts]),
    }
    return columns, subjects


def _key(data: Prepared, config: SequenceConfig) -> dict[str, Any]:
    """What tells one set of clips from another: the faces, the configuration and the code that draws and renders."""
    faces, recipe = hashlib.sha256(), hashlib.sha256()
    for values in (data.crops[:: max(1, len(data.crops) // 64)], *(data.extra[key] for key in sorted(data.extra))):
        faces.update(np.ascontiguousarray(values).tobytes())
    for module in RECIPE:
        recipe.update(Path(__file__).with_name(f"{module}.py").read_bytes())
    return {"name": NAME, "faces": faces.hexdigest(), "configuration": config.card(), "recipe": recipe.hexdigest()}


_work: tuple[Prepared, dict[str, Pool], SequenceConfig]
"""What a worker process works with."""


@contextmanager
def _mapping(workers: int, facts: tuple[Path, dict[str, Pool], SequenceConfig]) -> Iterator[Callable[..., Iterator]]:
    """A `map` over several processes, which leave Ctrl-C to this one; what was not begun is dropped on an error."""
    if workers == 1:
        _open(*facts)
        yield map
        return
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin, initargs=facts)
    try:
        yield partial(pool.map, chunksize=4)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin(root: Path, pools: dict[str, Pool], config: SequenceConfig) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    _open(root, pools, config)


def _open(root: Path, pools: dict[str, Pool], config: SequenceConfig) -> None:
    global _work
    _work = open_prepared(root), pools, config


def _script(clip: Clip) -> tuple[Script, np.ndarray]:
    data, pools, config = _work
    size = data.template.size
    script = write_script(np.random.default_rng((*clip.seed, 0)), pools[clip.split], clip.kind, config, size)
    return script, script.covered(size)


def _film(job: tuple[Clip, Script]) -> np.ndarray:
    data, _, config = _work
    clip, script = job
    return film(script, data, config.levels, np.random.default_rng((*clip.seed, 1)))


@click.command("sequences")
@click.option("--root", type=Path, required=True, help="A prepared FER+ (affect prepare ferplus).")
@click.option("--out", type=Path, required=True, help="Folder of the clips; a second call goes on where one stopped.")
@click.option("--config", default="sequences", show_default=True, help="Of train/configs/clips/, or a .json file.")
@click.option("--clips", type=click.IntRange(min=1), help="Training clips, in place of the configuration's.")
@click.option("--seed", type=click.IntRange(min=0), help="In place of the configuration's.")
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Processes.")
def prepare_sequences(root: Path, out: Path, config: str, clips: int | None, seed: int | None, workers: int) -> None:
    """Synthetic clips of still faces and of morphs between expressions, with their true valence and arousal."""
    settings = SequenceConfig.read(config)
    if clips is not None:
        settings = replace(settings, clips={**settings.clips, "train": clips})
    if seed is not None:
        settings = replace(settings, seed=seed)
    made = make_sequences(root, out, settings, workers)
    click.echo(f"{summary(made)}\nwrote {out}")


def summary(data: Prepared) -> str:
    """Clips and frames by split and kind, a line each."""
    lines = [f"{'split':<12}{'kind':<8}{'clips':>7}{'frames':>9}{'found':>8}{'covered':>9}"]
    for split, s in SPLITS.items():
        for kind, k in KINDS.items():
            if (keep := (data.extra["split"] == s) & (data.extra["kind"] == k)).any():
                shares = f"{data.found[keep].mean():>8.1%}{data.extra['covered'][keep].mean():>9.1%}"
                lines.append(f"{split:<12}{kind:<8}{len(np.unique(data.clip[keep])):>7}{keep.sum():>9}{shares}")
    return "\n".join(lines)
