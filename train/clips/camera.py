"""What a room and a camera do to the frames of one clip: they drift, tremble, flicker and are in the way over time.

train/distortion.py strikes pictures that stand alone; here every effect has a strength for the whole clip, from none to
strong and mild for most, and a course in time. Pixels are those of the crop, unless said otherwise.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.interpolate import PchipInterpolator

NONE_SHARE = 0.15
"""Clips that any one effect spares."""
OCCLUSION_FRAMES = (3, 15)
SIDES = (16, 64)
"""Pixels of the face as the sensor saw it, least and most."""
BRIGHTEST = 175.0
"""Mean grey level at which a camera turns itself down."""


@dataclass(frozen=True)
class Occlusion:
    """A rectangle that comes in front of the face, moves there and leaves."""

    start: int
    """Its first frame."""
    frames: int
    path: np.ndarray
    """(4, 2): pixels from the crop's middle; beyond it, two places before the face, beyond it."""
    turn: float
    """Radians."""
    texture: np.ndarray
    """(h, w) uint8."""

    def hides(self, frame: int, side: int) -> tuple[np.ndarray, np.ndarray]:
        """What it looks like in one of its frames (side, side) uint8, and how much it hides (side, side) float32."""
        share = (frame - self.start + 0.5) / self.frames
        at = np.array([np.interp(share, (0, 0.3, 0.7, 1), self.path[:, i]) for i in (0, 1)]) + (side - 1) / 2
        height, width = self.texture.shape
        cos, sin = np.cos(self.turn), np.sin(self.turn)
        turn = np.array([[cos, -sin], [sin, cos]])
        matrix = np.column_stack([turn, at - turn @ ((width - 1) / 2, (height - 1) / 2)])
        solid = np.ones((height, width), np.float32)
        look = cv2.warpAffine(self.texture, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
        return look, cv2.warpAffine(solid, matrix, (side, side))


@dataclass(frozen=True)
class Shot:
    """The T frames of one clip as they are filmed."""

    placing: np.ndarray
    """(T, 2, 3): where the alignment looks, in pixels of the right crop: left-over motion, and its trembling."""
    gain: np.ndarray
    """(T,): of the light."""
    gamma: np.ndarray
    """(T,)."""
    slope: np.ndarray
    """(T, 2): of the light across half the picture, to the right and down."""
    blur: np.ndarray
    """(T,): standard deviation in pixels."""
    motion: np.ndarray
    """(T, 2): pixels that the face moves while the shutter is open."""
    noise: float
    """Standard deviation in grey levels."""
    quality: int
    """Of the JPEG; 0 where nothing is compressed."""
    side: int
    """Pixels of the face on the sensor, where the crop has `size`."""
    occlusions: tuple[Occlusion, ...] = ()

    @classmethod
    def clean(cls, count: int, size: int) -> "Shot":
        """Nothing strikes."""
        still = np.tile(np.eye(2, 3), (count, 1, 1))
        one, none = np.ones(count), np.zeros((count, 2))
        return cls(still, one, one, none, np.zeros(count), none, 0.0, 0, size)

    def hidden(self, frame: int, size: int) -> bool:
        """Whether an occlusion strikes a visible part of the face."""
        middle = slice(size // 8, size - size // 8)
        return any(o.hides(frame, size)[1][middle, middle].mean() > 0.03 for o in self._present(frame))

    def film(self, frame: int, scene: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
        """The crop (size, size) uint8 of one frame; scene (S, S) uint8 is the face with an even margin."""
        side = scene.shape[0]
        scene = self._lit(frame, scene)
        for occlusion in self._present(frame):
            look, mask = occlusion.hides(frame, side)
            scene = np.rint(scene + mask * (look.astype(np.float32) - scene)).astype(np.uint8)
        return self._seen(frame, self._blurred(frame, scene), size, rng)

    def _present(self, frame: int) -> list[Occlusion]:
        return [o for o in self.occlusions if o.start <= frame < o.start + o.frames]

    def _lit(self, frame: int, scene: np.ndarray) -> np.ndarray:
        gain, gamma, (right, down) = float(self.gain[frame]), float(self.gamma[frame]), self.slope[frame]
        if gain != 1 or gamma != 1:
            table = 255 * gain * np.linspace(0, 1, 256) ** gamma
            table *= min(1.0, BRIGHTEST / max(float(table[scene].mean()), 1.0))
            scene = cv2.LUT(scene, np.rint(table.clip(0, 255)).astype(np.uint8))
        if right == 0 and down == 0:
            return scene
        at = np.linspace(-1, 1, len(scene), dtype=np.float32)
        light = 1 + np.float32(right) * at[None, :] + np.float32(down) * at[:, None]
        return np.rint((scene * light).clip(0, 255)).astype(np.uint8)

    def _blurred(self, frame: int, scene: np.ndarray) -> np.ndarray:
        if self.blur[frame] > 0.2:
            scene = cv2.GaussianBlur(scene, (0, 0), float(self.blur[frame]))
        if np.hypot(*self.motion[frame]) > 1:
            scene = cv2.filter2D(scene, -1, _line(self.motion[frame]), borderType=cv2.BORDER_REPLICATE)
        return scene

    def _seen(self, frame: int, scene: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
        """By the sensor at its resolution, through the codec, and as the alignment cuts it out."""
        side = len(scene)
        pixels = round(side * self.side / size)
        picture = cv2.resize(scene, (pixels, pixels), interpolation=cv2.INTER_AREA) if pixels < side else scene
        if self.noise:
            noise = rng.standard_normal(picture.shape, np.float32) * np.float32(self.noise)
            picture = np.rint((picture + noise).clip(0, 255)).astype(np.uint8)
        if self.quality:
            coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, self.quality])[1]
            picture = np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE))
        factor, margin = pixels / side, (side - size) / 2
        # pixel centres: sensor = factor * (crop + margin + 0.5) - 0.5
        matrix = self.placing[frame] * factor
        matrix[:, 2] += factor * (margin + 0.5) - 0.5
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(picture, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def draw_shot(rng: np.random.Generator, time: np.ndarray, size: int, occluded: float) -> Shot:
    """A shot of frames at time (T,) seconds; a share `occluded` of all has one or two occlusions."""
    gain, gamma, slope = _light(rng, time)
    blur, motion = _shutter(rng, time)
    low, high = SIDES
    side = size if rng.random() < 0.5 else round(low * (high / low) ** rng.beta(2.0, 1.3) * size / high)
    quality = round(95 - 80 * strength(rng)) if rng.random() < 0.6 else 0
    count = int(rng.integers(1, 3)) if rng.random() < occluded else 0
    occlusions = tuple(_occlusion(rng, len(time), size) for _ in range(count))
    noise = 20 * strength(rng)
    return Shot(_placing(rng, time, size), gain, gamma, slope, blur, motion, noise, quality, side, occlusions)


def strength(rng: np.random.Generator) -> float:
    """Of an effect in a clip, 0 to 1: none in a share NONE_SHARE, mild in most."""
    none, value = rng.random() < NONE_SHARE, rng.beta(1.3, 2.7)
    return 0.0 if none else float(value)


def wander(rng: np.random.Generator, time: np.ndarray, period: float) -> np.ndarray:
    """(T,): a smooth random walk of standard deviation about 1 that forgets where it was after `period` seconds."""
    knots = np.arange(np.ceil(float(time[-1]) / period) + 2) * period
    return PchipInterpolator(knots, rng.standard_normal(len(knots)))(time + rng.uniform(0, period))


def _placing(rng: np.random.Generator, time: np.ndarray, size: int) -> np.ndarray:
    """(T, 2, 3): similarities about the crop's middle: trembling, new in each frame, and drift."""
    tremble, drift = strength(rng), strength(rng)
    sizes = np.array([1.0, 1.0, np.radians(1.5), 0.015])
    small = (0.2 + 0.8 * tremble) * (tremble > 0) * rng.standard_normal((len(time), 4)).clip(-3, 3)
    slow = 2.0 * drift * np.stack([wander(rng, time, 0.8) for _ in sizes], axis=1)
    x, y, angle, scale = (sizes * (small + slow)).T * np.array([[size / 64], [size / 64], [1], [1]])
    cos, sin, middle = np.exp(scale) * np.cos(angle), np.exp(scale) * np.sin(angle), (size - 1) / 2
    rows = [[cos, -sin, middle - middle * (cos - sin) + x], [sin, cos, middle - middle * (sin + cos) + y]]
    return np.stack([np.stack(row, axis=1) for row in rows], axis=1)


def _light(rng: np.random.Generator, time: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gain (T,), gamma (T,) and slope (T, 2): where the light stands, how it walks, and a lamp's flicker."""
    steady, walk, tilt = strength(rng), strength(rng), strength(rng)
    gain = np.exp(steady * rng.normal(0, 0.3) + 0.3 * walk * wander(rng, time, 1.2))
    gamma = np.exp(steady * rng.normal(0, 0.35) + 0.2 * walk * wander(rng, time, 1.2))
    slope = 0.4 * tilt * np.stack([wander(rng, time, 1.5) for _ in range(2)], axis=1)
    if rng.random() < 0.2:
        gain = gain * (1 + rng.uniform(0.01, 0.08) * np.sin(2 * np.pi * rng.uniform(2, 12) * time))
    return gain, gamma, slope


def _shutter(rng: np.random.Generator, time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Blur (T,), steady, and motion (T, 2) in up to two bursts of 0.1 to 0.4 s."""
    steady, burst = strength(rng), strength(rng)
    blur = np.clip(1.8 * steady * (1 + 0.3 * wander(rng, time, 0.8)), 0, 2.5)
    motion = np.zeros((len(time), 2))
    for _ in range(int(rng.integers(0, 3))):
        start, seconds, angle = rng.uniform(0, time[-1]), rng.uniform(0.1, 0.4), rng.uniform(0, 2 * np.pi)
        course = np.sin(np.pi * ((time - start) / seconds).clip(0, 1))
        motion += course[:, None] * 10 * burst * np.array([np.cos(angle), np.sin(angle)])
    return blur, motion


def _line(motion: np.ndarray) -> np.ndarray:
    """The kernel (K, K) float32 that smears along a line, in pixels."""
    reach = int(np.ceil(np.abs(motion).max() / 2)) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.uint8)
    start, end = (np.rint((reach + sign * motion / 2) * 16).astype(int).tolist() for sign in (-1, 1))
    cv2.line(kernel, start, end, (255,), 1, cv2.LINE_AA, 4)
    return kernel.astype(np.float32) / kernel.sum()


def _occlusion(rng: np.random.Generator, count: int, size: int) -> Occlusion:
    """Of a fifth to a half of the crop's side, flat or textured, anywhere among `count` frames."""
    frames = int(rng.integers(OCCLUSION_FRAMES[0], OCCLUSION_FRAMES[1] + 1))
    width, height = (round(v) for v in rng.uniform(0.2, 0.55, 2) * size)
    away = rng.uniform(0, 2 * np.pi, 2)
    beyond = 0.55 * size + np.hypot(width, height) / 2
    outside = beyond * np.stack([np.cos(away), np.sin(away)], axis=1)
    before = rng.uniform(-0.25, 0.25, 2) * size
    path = np.stack([outside[0], before, before + rng.normal(0, 0.06, 2) * size, outside[1]])
    start = int(rng.integers(0, max(1, count - frames // 2)))
    return Occlusion(start, frames, path, rng.uniform(0, np.pi), _texture(rng, height, width))


def _texture(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """(height, width) uint8: flat for a half, else soft patches and grain."""
    flat, level, depth = rng.random() < 0.5, rng.uniform(10, 245), rng.uniform(10, 50)
    patches = cv2.resize(rng.standard_normal((5, 5)), (width, height), interpolation=cv2.INTER_CUBIC)
    look = level + (0.0 if flat else depth) * (patches + 0.3 * rng.standard_normal((height, width)))
    return np.rint(look.clip(0, 255)).astype(np.uint8)
