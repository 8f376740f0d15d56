"""A small set in the shape of a prepared FER+, made of the sample clip's faces."""

from pathlib import Path

import numpy as np

from tracker.faces.align import Template, align, placement
from tracker.faces.landmarks import FaceLandmarker
from tracker.sources import open_source
from train.clips.morph import Face
from train.datasets import ferplus
from train.prepared import LabelScale, Names, Prepared, create_crops, write_prepared

TEMPLATE = Template(size=64, channels=1, margin=8)
COUNT = 36
"""Faces of `make_ferplus`: twelve in each split."""


def sample_faces(clip: Path, every: int = 24) -> list[Face]:
    """Every so many frames' face of the clip as a crop (80, 80) with landmarks (468, 2) in its pixels."""
    faces = []
    landmarker = FaceLandmarker(still=True)
    with open_source(str(clip)) as source:
        for frame in source:
            if frame.index % every == 0 and (found := landmarker.detect(frame.image)):
                points = found[0].landmarks[:468, :2]
                matrix = placement(points, TEMPLATE)
                crop = align(frame.image, points, TEMPLATE)[..., 0]
                faces.append(Face(crop, points @ matrix[:, :2].T + matrix[:, 2]))
    landmarker.close()
    return faces


def make_ferplus(folder: Path, faces: list[Face], without: tuple[str, ...] = ()) -> Prepared:
    """A set of COUNT faces, each lit in its own way, whose votes go to one emotion for the most part."""
    rng = np.random.default_rng(0)
    chosen = [faces[i % len(faces)] for i in range(COUNT)]
    crops = create_crops(folder, TEMPLATE, COUNT)
    for i, face in enumerate(chosen):
        crops[i, ..., 0] = (face.image * rng.uniform(0.6, 1.0)).astype(np.uint8)
    votes = rng.multinomial(3, np.full(8, 0.125), COUNT)
    votes[np.arange(COUNT), np.arange(COUNT) % 7] += 7
    extra = {
        "split": np.arange(COUNT) * 3 // COUNT,
        "emotions": ferplus.vote_shares(votes),
        "label": np.array(ferplus.LABEL_EMOTIONS, np.uint8)[np.arange(COUNT) % 7],
        "votes_cast": votes.sum(axis=1).astype(np.uint8),
        "landmarks": np.stack([face.landmarks for face in chosen]).astype(np.float16),
    }
    columns = {
        "affect": ferplus.affect_of_votes(votes),
        "found": np.arange(COUNT) != 5,
        "clip": np.arange(COUNT),
        "time": np.zeros(COUNT),
        "subject": np.arange(COUNT),
        **{key: values for key, values in extra.items() if key not in without},
    }
    names = [f"fer{i:07d}" for i in range(COUNT)]
    return write_prepared(folder, "ferplus", TEMPLATE, LabelScale(), columns, Names(names, names))
