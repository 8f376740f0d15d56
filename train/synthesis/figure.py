"""A person in one moment as what a renderer draws: skin, mouth, eyes, lashes, cloth and hair, and the landmarks."""

from dataclasses import dataclass

import numpy as np

from train.synthesis.anatomy import landmark_rows
from train.synthesis.eyes import eyeball
from train.synthesis.hair import Hair, grow, lit_strands
from train.synthesis.head import Head
from train.synthesis.meshes import Figure, Mesh, Strands
from train.synthesis.persons import Person, shape_of
from train.synthesis.skin import SkinMap, coordinates_of, mean_head, paint, worn
from train.synthesis.surface import Surface
from train.synthesis.wrinkles import wrinkled

PIVOT = np.array([0.0, 0.085, -0.07], np.float32)
"""About which a head turns: where the skull stands on the neck, metres from between the eyes."""
NECK_M = 0.09
"""Way down the neck over which a turn of the head fades."""
CLOTH_M = 0.004
"""Thickness of the shirt."""

AT_REST = {"eyeWideLeft": 0.1, "eyeWideRight": 0.1, "mouthSmileLeft": 0.1, "mouthSmileRight": 0.1}
"""MakeHuman's heads hang their lids and the corners of their mouths a little; these actions are added to every face."""
BALLS = ("body", "helper-l-eye", "helper-r-eye")
"""Parts whose own faces are not drawn as they are."""
SET_BACK_M = {"helper-upper-teeth": 0.003, "helper-lower-teeth": 0.004, "helper-tongue": 0.009}
NARROW, DARK_M = 0.8, 0.022
"""Teeth and tongue do not follow a mouth's own shape: they are set back, and made narrower, so that none comes through;
so far behind the foremost tooth the mouth is dark."""
TEETH, TONGUE, DEEP, WET = (236, 226, 210), (118, 50, 50), (44, 12, 12), (150, 86, 80)


@dataclass(frozen=True)
class Attitude:
    """What a face does in one moment."""

    actions: np.ndarray
    """(52,) in [0, 1]."""
    turn: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Degrees: to the person's left, up, and tilted to the person's right."""


class Extra:
    """A part that is a mesh of its own: teeth, tongue, lashes."""

    def __init__(self, faces: np.ndarray, set_back_m: float = 0.0) -> None:
        self._set_back = np.array([0, set_back_m, 0], np.float32)
        self._narrow = np.array([NARROW if set_back_m else 1.0, 1, 1], np.float32)
        self._used, own = np.unique(faces, return_inverse=True)
        self._surface = Surface.over(own.reshape(-1, 4), len(self._used))

    def mesh(self, coarse: np.ndarray, colour: np.ndarray, gloss: tuple[float, float], opacity: float = 1.0) -> Mesh:
        """In one colour (3,), where the head's vertices (V, 3) are."""
        own = coarse[self._used]
        middle = own.mean(axis=0)
        points = self._surface.points(middle + self._narrow * (own - middle) + self._set_back)
        behind = np.clip((points[:, 1:2] - points[:, 1].min()) / DARK_M, 0, 1) if self._set_back.any() else 0.0
        colours = _bytes(np.tile(colour, (len(points), 1)) * (1 - 0.8 * behind))
        return Mesh(points, self._surface.faces, self._surface.normals(points), colours, gloss=gloss, opacity=opacity)


class Anatomist:
    """What all figures share: the head, its smooth surface, which face is skin, mouth or shirt."""

    def __init__(self, head: Head) -> None:
        self.head = head
        mean = mean_head(head)
        self.surface = Surface.over(head.faces["body"], len(mean))
        self.map = SkinMap.of(head)
        self.mean = self.surface.points(mean)
        self.coordinates = coordinates_of(self.mean)
        self.rows = landmark_rows(head)
        self.islands = _named_islands(head, mean)
        self.follows = _follows(head, mean, self.islands)
        """(V, 1): by how much each coarse vertex goes with a turn of the head."""
        fine = self.islands[self.surface.parents]
        self.faces = {
            "skin": self.surface.faces[(fine == "head") | (fine == "body")],
            "mouth": self.surface.faces[fine == "mouth"],
            "sockets": self.surface.faces[fine == "socket"],
        }
        self.extras = {
            name: Extra(faces, SET_BACK_M.get(name, 0.0)) for name, faces in head.faces.items() if name not in BALLS
        }
        self.at_rest = np.array([AT_REST.get(name, 0.0) for name in head.action_names])
        self.worn = worn(self.mean)[:, None]


class Sitter:
    """A person who can be drawn in any attitude."""

    def __init__(self, person: Person, shared: Anatomist) -> None:
        self.person, self.shared = person, shared
        self.neutral = shape_of(person, shared.head)
        skin = paint(person, shared.map)
        fine = shared.surface.points(self.neutral)
        self.hair: Hair | None = grow(person, fine, shared)
        if self.hair is not None:
            skin = self.hair.shaded(skin)
        self._skin = _bytes(skin)

    def figure(self, attitude: Attitude, light: np.ndarray, eye: np.ndarray) -> Figure:
        """The person in an attitude; hair is lit from light (3,) and seen from eye (3,), the ways to them."""
        shared, head = self.shared, self.shared.head
        actions = np.clip(shared.at_rest + attitude.actions * self.person.gains, 0, 1).astype(np.float32)
        still = self.neutral + np.tensordot(actions, head.actions, 1)
        turn = turning(attitude.turn)
        coarse = still + shared.follows * (turned(still, turn) - still)
        points = shared.surface.points(coarse)
        normals = shared.surface.normals(points)
        landmarks = points[shared.rows]
        points = points + CLOTH_M * shared.worn * normals
        meshes: dict[str, Mesh | Strands] = {
            "skin": self._skin_mesh(points, normals, actions),
            **self._inside(points, normals, coarse),
        }
        meshes |= {f"{side} eye": self._eye(side, still, actions, turn) for side in ("left", "right")}
        if self.hair is not None:
            meshes["hair"] = lit_strands(self.hair, turn, PIVOT, light, eye)
        return Figure(meshes, landmarks)

    def _skin_mesh(self, points: np.ndarray, normals: np.ndarray, actions: np.ndarray) -> Mesh:
        named = dict(zip(self.shared.head.action_names, actions.tolist(), strict=True))
        texture = wrinkled(self._skin, named, self.person, self.shared.map)
        return Mesh(points, self.shared.faces["skin"], normals, texture=texture, coordinates=self.shared.coordinates)

    def _inside(self, points: np.ndarray, normals: np.ndarray, coarse: np.ndarray) -> dict[str, Mesh]:
        """Mouth, lid margins, teeth, tongue and lashes."""
        shared = self.shared
        depth = np.clip((shared.mean[:, 1] + 0.026) / 0.011, 0, 1)[:, None]
        inner = (1 - depth) * self.person.lips * 0.8 + depth * np.array(DEEP)
        rim = 0.6 * np.array(WET) + 0.3 * self.person.skin
        meshes = {
            "mouth": Mesh(points, shared.faces["mouth"], normals, _bytes(inner), gloss=(0.25, 30)),
            "sockets": Mesh(points, shared.faces["sockets"], normals, _bytes(np.tile(rim, (len(points), 1)))),
        }
        for name, colour in (("helper-upper-teeth", TEETH), ("helper-lower-teeth", TEETH), ("helper-tongue", TONGUE)):
            meshes[name] = shared.extras[name].mesh(coarse, np.array(colour), (0.4, 40))
        for name, opacity in (("helper-l-eyelashes-1", 0.15), ("helper-l-eyelashes-2", 0.5),
                              ("helper-r-eyelashes-1", 0.15), ("helper-r-eyelashes-2", 0.5)):  # fmt: skip
            meshes[name] = shared.extras[name].mesh(coarse, 0.4 * self.person.hair, (0.0, 1.0), opacity)
        return meshes

    def _eye(self, side: str, still: np.ndarray, actions: np.ndarray, turn: np.ndarray) -> Mesh:
        head = self.shared.head
        ring = self.neutral[np.unique(head.faces[f"helper-{side[0]}-eye"])]
        gaze = gaze_of(dict(zip(head.action_names, actions.tolist(), strict=True)), side.capitalize())
        points, faces, normals, colours = eyeball(ring, gaze, self.person)
        return Mesh(turned(points, turn), faces, (normals @ turn.T).astype(np.float32), colours, gloss=(0.9, 90))


def turning(degrees: tuple[float, float, float]) -> np.ndarray:
    """(3, 3) rotation of a head that turns to its left, then up, tilted to its right; degrees."""
    yaw, pitch, roll = np.radians(degrees)
    z = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    x = np.array([[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]])
    y = np.array([[np.cos(roll), 0, -np.sin(roll)], [0, 1, 0], [np.sin(roll), 0, np.cos(roll)]])
    return (z @ x @ y).astype(np.float32)


def turned(points: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """Points (..., 3) after a rotation about the PIVOT."""
    return ((points - PIVOT) @ turn.T + PIVOT).astype(np.float32)


def gaze_of(actions: dict[str, float], side: str) -> tuple[float, float]:
    """Degrees to the person's left and up, by the four looks of an eye; side is Left or Right."""
    outwards = actions[f"eyeLookOut{side}"] - actions[f"eyeLookIn{side}"]
    up = actions[f"eyeLookUp{side}"] - actions[f"eyeLookDown{side}"]
    return 30.0 * outwards * (1 if side == "Left" else -1), 25.0 * up


def _bytes(colours: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(colours, 0, 255)).astype(np.uint8)


def _named_islands(head: Head, mean: np.ndarray) -> np.ndarray:
    """(F,) str: head, body, mouth or socket, for each face of the body; told by where the islands lie."""
    names = np.empty(len(head.islands), "U6")
    for island in np.unique(head.islands):
        faces = head.islands == island
        middle = mean[head.faces["body"][faces]].reshape(-1, 3)
        high, low = middle[:, 2].max(), middle[:, 2].min()
        if high > 0.1:
            name = "head"
        elif low < -0.2:
            name = "body"
        else:
            name = "socket" if low > -0.03 else "mouth"
        names[faces] = name
    return names


def _follows(head: Head, mean: np.ndarray, islands: np.ndarray) -> np.ndarray:
    faces = head.faces["body"]
    skull, trunk = np.unique(faces[islands == "head"]), np.unique(faces[islands == "body"])
    seam = np.intersect1d(skull, trunk)
    away = np.min([np.linalg.norm(mean[trunk] - mean[row], axis=1) for row in seam], axis=0)
    share = np.clip(1 - away / NECK_M, 0, 1)
    follows = np.ones(len(mean), np.float32)
    follows[trunk] = share * share * (3 - 2 * share)
    follows[seam] = 1
    return follows[:, None]
