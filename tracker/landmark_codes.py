"""The code of each face by a landmark VAE, beside its neutral face (Mikheeva, Ek, Kjellstrom)."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from nets.card import CheckpointFault, ModelCard, find, read_arrays, read_card
from nets.landmark_layers import Layer, mean_layers
from tracker.errors import CheckpointError
from tracker.faces.neutral import KEPT, CalmFaces
from tracker.faces.shape import LAYOUTS, Layout, medoid, normalised
from tracker.kernels import affine, perceptron, straightened
from tracker.types import Face

Neutrals = dict[int | None, np.ndarray]
"""Shapes (P, 3) by the face's id; None: everybody's."""
Layers = tuple[tuple[np.ndarray, np.ndarray], ...]
"""Weights (k, m) and bias (m,) of each, as the kernel takes them."""
MESH = 478
"""Points of a mesh with irises."""


class LandmarkCoder:
    """The mean of a face's code by compiled kernels; it holds no state.

    What the neutral face adds to the first layer is the same for every frame: see beside().
    """

    def __init__(self, layers: Sequence[Layer], average: np.ndarray) -> None:
        """average (3 P,), that of the training faces, is subtracted: here once for all, from the first layer's bias."""
        first, *others = layers
        self._others: Layers = tuple((layer.weight, layer.bias) for layer in others)
        self._average = average[None]
        self._of_face, self._of_neutral = map(np.ascontiguousarray, np.split(first.weight, [len(average)]))
        self._bias = affine(-self._average, self._of_face, first.bias)[0]
        self.code(self._average, self.beside(None))  # so that no frame has to wait for the kernels

    def beside(self, neutral: np.ndarray | None) -> Layers:
        """What reads a face beside a neutral shape (P, 3); None for a model that reads none."""
        bias = self._bias
        if neutral is not None:
            bias = affine(neutral.reshape(1, -1) - self._average, self._of_neutral, bias)[0]
        return ((self._of_face, bias), *self._others)

    def code(self, shape: np.ndarray, layers: Layers) -> np.ndarray:
        """(K,) float32 of a normalised shape (P, 3)."""
        return perceptron(shape.reshape(1, -1), layers)[0]


class FaceMemory:
    """What is remembered of one face."""

    def __init__(self) -> None:
        self.calm = CalmFaces()
        self.neutral: np.ndarray | None = None
        """(P, 3): that of the newest frame."""
        self.layers: Layers = ()
        """LandmarkCoder.beside() of it."""


class LandmarkCodes:
    """Reads the code of each face; M1 and M2 are told its neutral face too.

    That is the one that was given for its id, else the one given for everybody, else the medoid of its calmest moments
    so far. single: one face is followed, so there is one person, whatever the id; that person's moments stand under
    None. Raises CheckpointError for a model that is no landmark VAE, or of landmarks that the tracker does not find.
    """

    def __init__(self, model: str | Path, single: bool = True) -> None:
        arrays, self.card = _load(model)
        self.layout = layout_of(self.card)
        layers = mean_layers(arrays)
        latent = len(layers[-1].bias)
        self.names = tuple(f"z_{k}" for k in range(latent))
        """Of the code's components."""
        self.given: Neutrals = {}
        """The neutral faces that were given."""
        self._single = single
        self._memories: dict[int | None, FaceMemory] = {}
        self._conditional = bool(self.card.config.get("conditional", True))
        self._coder = LandmarkCoder(layers, arrays["average"].astype(np.float32))
        self._points = np.array(self.layout.mediapipe)
        self._unknown = np.full(latent, np.nan, np.float32)
        self._alone = self._coder.beside(None)
        # so that no frame has to wait for the kernel
        self._shape(np.random.default_rng(0).random((MESH, 3), np.float32))

    def read(self, face: Face, time: float, away: float | None) -> np.ndarray:
        """(K,) float32, NaN while the neutral face is unknown; away: how far from calm it is, None: not to be told."""
        shape = self._shape(face.landmarks)
        if not self._conditional:
            return self._coder.code(shape, self._alone)
        memory = self._memory(face.track_id)
        if away is not None:
            memory.calm.add(shape, time, away)
        neutral = self._neutral(face.track_id, memory)
        if neutral is None:
            return self._unknown
        if neutral is not memory.neutral:
            memory.neutral, memory.layers = neutral, self._coder.beside(neutral)
        return self._coder.code(shape, memory.layers)

    def shapes(self, landmarks: np.ndarray) -> np.ndarray:
        """Landmarks (..., 468 or 478, 3) of the mesh, pixels, to normalised shapes (..., P, 3)."""
        return normalised(landmarks.take(self._points, axis=-2), self.layout)

    def take_relaxed(self, landmarks: Mapping[int | None, np.ndarray]) -> None:
        """Take landmarks (T, L, 3) of relaxed faces, by id, for their neutral ones; those of None for everybody's."""
        for track_id, each in landmarks.items():
            shapes = self.shapes(each)
            self.given[track_id] = shapes[medoid(shapes)].copy()

    def neutrals(self, least: int = KEPT) -> Neutrals:
        """Those that faces with so many calm moments have of themselves so far."""
        found = {track_id: memory.calm.medoid(least) for track_id, memory in self._memories.items()}
        return {track_id: shape for track_id, shape in found.items() if shape is not None}

    def keep(self, alive: Collection[int]) -> None:
        """Forget the faces whose ids nobody may take up again."""
        self._memories = {i: memory for i, memory in self._memories.items() if i is None or i in alive}

    def reset(self) -> None:
        """Forget the stream and the ids, which begin again; everybody's neutral face stays."""
        self._memories.clear()
        self.given = {track_id: shape for track_id, shape in self.given.items() if track_id is None}

    def meta(self) -> dict[str, dict[str, str]]:
        """What a .meta.json tells of it: the model, and the digest of everybody's neutral face."""
        everybody = self.given.get(None)
        told = {} if everybody is None else {"neutral": {"sha256": digest(everybody)}}
        return {"landmark_model": self.card.brief(), **told}

    def _shape(self, landmarks: np.ndarray) -> np.ndarray:
        """shapes() of one face, by one kernel."""
        shape = straightened(landmarks[None], self._points, self.layout.aim, self.layout.eyes)[0]
        return shape if shape[0, 0] == shape[0, 0] else self.shapes(landmarks)  # which says why it is NaN

    def _memory(self, track_id: int | None) -> FaceMemory:
        return self._memories.setdefault(None if self._single else track_id, FaceMemory())

    def _neutral(self, track_id: int | None, memory: FaceMemory) -> np.ndarray | None:
        given = self.given.get(track_id, self.given.get(None))
        return memory.calm.medoid() if given is None else given


def digest(neutral: np.ndarray) -> str:
    """SHA-256 of a neutral shape (P, 3)."""
    return hashlib.sha256(neutral.astype(np.float32).tobytes()).hexdigest()


def layout_of(card: ModelCard) -> Layout:
    """What a landmark VAE's points are; raises CheckpointError for another kind, and for points that are not found."""
    if card.kind != "landmark-vae":
        raise CheckpointError(
            f"{card.name} is of kind {card.kind!r}; --landmark-model takes one that `affect train landmarks` has made"
        )
    name = card.config.get("layout")
    if name not in LAYOUTS:
        raise CheckpointError(
            f"{card.name} reads the landmarks of {name}, which the tracker does not find; expected a model of "
            f"{' or '.join(LAYOUTS)}"
        )
    return LAYOUTS[name]


def _load(model: str | Path) -> tuple[dict[str, np.ndarray], ModelCard]:
    try:
        path = find(model)
        layout_of(read_card(path))
        return read_arrays(path)
    except CheckpointFault as error:
        raise CheckpointError(str(error)) from error
