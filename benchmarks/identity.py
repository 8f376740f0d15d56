"""Who is who: scenes with known persons, and how often ids change, serve another person, or are given anew.

The persons are clips and pictures of faces of yours; each is cut out, moved over a background, behind and before the
others. Nothing of it is kept.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from benchmarks.report import Report
from tracker.config import TrackerConfig
from tracker.engine import Engine
from tracker.errors import DataError
from tracker.faces.association import FaceAssociator
from tracker.faces.landmarks import FaceLandmarker
from tracker.sources import open_source
from tracker.types import Face, Frame

WIDTH, HEIGHT, RATE_HZ = 480, 270, 12.5
FACE_PX = 80
"""Width of a face in a scene."""
PATCH_PX = 2 * FACE_PX
CLIP_FRAMES = 40
VISIBLE = 0.5
"""A face is a person's where its middle is nearer to the person's than this share of the face's width."""
AFTER_A_CUT = 12
"""Frames whose valence and arousal are compared with a fresh engine's."""

Place = tuple[float, float]
"""x, y of a face's middle, pixels."""
Path2D = Callable[[float], Place | None]
"""A person's place at a time, s; None while away."""


@dataclass(frozen=True)
class Person:
    """Pictures of a face in the order of a clip."""

    name: str
    views: list[np.ndarray]
    """(PATCH_PX, PATCH_PX, 3) uint8."""


@dataclass
class Tally:
    """What went wrong with ids."""

    switches: int = 0
    """A person's face bears another id than before."""
    takeovers: int = 0
    """An id that served one person serves another."""
    new: int = 0
    """Ids beyond one for each person."""
    scenes: int = 0

    def add(self, other: "Tally") -> None:
        """Sum up."""
        self.switches, self.takeovers = self.switches + other.switches, self.takeovers + other.takeovers
        self.new, self.scenes = self.new + other.new, self.scenes + other.scenes


@dataclass(frozen=True)
class Scene:
    """Who is where when; the later persons stand before the earlier ones."""

    paths: Sequence[Path2D]
    seconds: float
    cut_s: float | None = None
    """When another background begins."""
    backgrounds: tuple[int, int] = (0, 0)
    frames: list[tuple[Frame, list[Place | None]]] = field(default_factory=list)


def measure(media: Sequence[Path], persons: Sequence[Path], groups: int, model: str) -> Report:
    """Every scene with several groups of persons of the clips and the folders of pictures, by both associators."""
    people = [person_of_clip(path) for path in media] + [person_of_folder(path) for path in persons]
    if len(people) < 2:
        raise DataError(f"{len(people)} persons were given; expected two or more: --media CLIP, --persons FOLDER")
    before: dict[str, Tally] = {}
    after: dict[str, Tally] = {}
    rng, apart = np.random.default_rng(0), []
    for name, scene in scenes().items():
        for _ in range(groups):
            count = min(len(scene.paths), len(people))
            cast = [people[i] for i in rng.permutation(len(people))[:count]]
            frames = list(render(scene, cast))
            before.setdefault(name, Tally()).add(by_place(frames))
            after.setdefault(name, Tally()).add(by_engine(frames, model))
            if name == "cut to another at the same place":
                apart.append(apart_from_fresh(frames, scene, model))
    lines = ["| scene | by place: switches, takeovers, new ids | by looks too |", "|---|---|---|"]
    for name in before:
        told = [f"{t.switches}, {t.takeovers}, {t.new}" for t in (before[name], after[name])]
        lines.append(f"| {name} ({before[name].scenes}) | {told[0]} | {told[1]} |")
    worst = np.max(apart, axis=0)
    lines.append(f"\nAfter a cut, furthest from a fresh engine: valence {worst[0]:.3f}, arousal {worst[1]:.3f}")
    rounds = [{"takeovers": float(sum(t.takeovers for t in after.values())),
               "switches": float(sum(t.switches for t in after.values()))}]  # fmt: skip
    return Report("identity", {"persons": len(people), "groups": groups, "model": model}, rounds, "\n".join(lines))


def scenes() -> dict[str, Scene]:
    """The scenes by their names."""
    left, middle, right = (120.0, 135.0), (240.0, 135.0), (360.0, 135.0)
    found = {
        "cut to another at the same place": Scene(
            [lambda t: middle if t < 1.2 else None, lambda t: None if t < 1.2 else middle], 2.4, 1.2, (0, 1)
        ),
        "change of sides at a cut": Scene(
            [lambda t: left if t < 1.2 else right, lambda t: right if t < 1.2 else left], 2.4, 1.2, (0, 1)
        ),
        "change of sides, same background": Scene(
            [lambda t: left if t < 1.2 else right, lambda t: right if t < 1.2 else left], 2.4
        ),
    }
    for hidden in (0.3, 0.6, 1.1):
        speed = FACE_PX / hidden
        found[f"behind another for {hidden} s"] = Scene([_walk(speed, 240.0 / speed), lambda t: middle], 480.0 / speed)
    for away in (0.6, 2.0, 8.0):
        found[f"away {away:g} s, the same place"] = Scene([_away(left, left, away), lambda t: right], 2.0 + away)
        found[f"away {away:g} s, another place"] = Scene([_away(left, middle, away), lambda t: right], 2.0 + away)
    columns = [(80.0, 70.0), (240.0, 70.0), (400.0, 70.0), (80.0, 200.0), (240.0, 200.0), (400.0, 200.0)]
    found["six, who change places at a cut"] = Scene(
        [lambda t, i=i: columns[i if t < 1.0 else (i + 2) % 6] for i in range(6)],  # type: ignore[misc]
        2.0,
        1.0,
        (1, 2),  # type: ignore[misc]
    )
    found["four, one goes and one comes"] = Scene(
        [
            lambda t: columns[0],
            lambda t: columns[2],
            lambda t: columns[3] if t < 1.0 else None,
            lambda t: columns[3] if t > 1.8 else None,
        ],
        3.0,
    )
    return found


def _walk(speed: float, middle_s: float) -> Path2D:
    return lambda t: (240.0 + speed * (t - middle_s), 133.0)


def _away(before: Place, after: Place, seconds: float) -> Path2D:
    return lambda t: before if t < 1.0 else after if t >= 1.0 + seconds else None


def render(scene: Scene, cast: Sequence[Person]) -> Iterator[tuple[Frame, list[Place | None]]]:
    """The frames of a scene, and where each person is seen in each."""
    mask: np.ndarray = np.zeros((PATCH_PX, PATCH_PX), np.float32)
    middle = PATCH_PX // 2
    cv2.ellipse(mask, (middle, middle), (int(0.36 * PATCH_PX), int(0.46 * PATCH_PX)), 0, 0, 360, (1.0,), -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 3)[..., None]
    for index in range(round(scene.seconds * RATE_HZ)):
        time = index / RATE_HZ
        number = scene.backgrounds[scene.cut_s is not None and time >= scene.cut_s]
        picture = background(number).astype(np.float32)
        places = [path(time) for path in scene.paths[: len(cast)]]
        for person, place in zip(cast, places, strict=True):
            if place is None:
                continue
            x, y = round(place[0]) - middle, round(place[1]) - middle
            left, top, right, bottom = max(x, 0), max(y, 0), min(x + PATCH_PX, WIDTH), min(y + PATCH_PX, HEIGHT)
            if right <= left or bottom <= top:
                continue
            cut = slice(top - y, bottom - y), slice(left - x, right - x)
            view = person.views[_to_and_fro(index, len(person.views))]
            part = picture[top:bottom, left:right]
            part += mask[cut] * (view[cut] - part)
        seen = [_seen(place, places[i + 1 :]) for i, place in enumerate(places)]
        yield Frame(picture.round().astype(np.uint8), time, index), seen


def _seen(place: Place | None, before: Sequence[Place | None]) -> Place | None:
    """The place, where nobody stands before it and the whole face is in the picture."""
    if place is None or not FACE_PX / 2 <= place[0] <= WIDTH - FACE_PX / 2:
        return None
    hidden = any(
        other and abs(other[0] - place[0]) < FACE_PX and abs(other[1] - place[1]) < FACE_PX for other in before
    )
    return None if hidden else place


def _to_and_fro(index: int, count: int) -> int:
    turn = index % max(2 * count - 2, 1)
    return turn if turn < count else 2 * count - 2 - turn


def background(number: int) -> np.ndarray:
    """(HEIGHT, WIDTH, 3) uint8: soft spots of colours."""
    rng = np.random.default_rng(100 + number)
    coarse = rng.integers(20, 200, (5, 8, 3)).astype(np.uint8)
    return cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)


def person_of_clip(path: Path) -> Person:
    """The first face of a video, cut out about where it is first found. DataError where it has none."""
    landmarker = FaceLandmarker(TrackerConfig(faces=1), still=True)
    views: list[np.ndarray] = []
    matrix = None
    with open_source(str(path)) as source:
        for frame in islice(source, 400):
            if matrix is None:
                faces = landmarker.detect(frame.image)
                matrix = _cutting(faces[0]) if faces else None
            if matrix is not None:
                views.append(cv2.warpAffine(frame.image, matrix, (PATCH_PX, PATCH_PX), borderMode=cv2.BORDER_REPLICATE))
            if len(views) == CLIP_FRAMES:
                break
    landmarker.close()
    if not views:
        raise DataError(f"{path} shows no face in its first 400 frames; expected a clip of a face")
    return Person(path.stem, views)


def person_of_folder(path: Path) -> Person:
    """The pictures of a folder (of affect synth set: SET/images/PERSON), each for three frames."""
    landmarker = FaceLandmarker(TrackerConfig(faces=1), still=True)
    views = []
    for file in sorted(path.glob("*.png"))[:12]:
        image = cv2.cvtColor(np.asarray(cv2.imread(str(file))), cv2.COLOR_BGR2RGB)
        for face in landmarker.detect(image)[:1]:
            cut = cv2.warpAffine(image, _cutting(face), (PATCH_PX, PATCH_PX), borderMode=cv2.BORDER_REPLICATE)
            views += [cut] * 3
    landmarker.close()
    if not views:
        raise DataError(f"{path} has no picture with a face; expected a folder with .png of one person")
    return Person(path.name, views)


def _cutting(face: Face) -> np.ndarray:
    x0, y0, x1, y1 = face.box.tolist()
    scale = FACE_PX / (x1 - x0)
    return np.array(
        [[scale, 0, PATCH_PX / 2 - scale * (x0 + x1) / 2], [0, scale, PATCH_PX / 2 - scale * (y0 + y1) / 2]]
    )


def by_place(frames: Sequence[tuple[Frame, list[Place | None]]]) -> Tally:
    """Ids as they were before looks and cuts counted."""
    landmarker, associator = FaceLandmarker(TrackerConfig(faces=len(frames[0][1]))), FaceAssociator(0.5)
    found = [associator.update(landmarker.detect(frame.image), frame.time) for frame, _ in frames]
    landmarker.close()
    return tally(found, [places for _, places in frames])


def by_engine(frames: Sequence[tuple[Frame, list[Place | None]]], model: str) -> Tally:
    """Ids as the engine gives them."""
    with Engine(model, TrackerConfig(faces=len(frames[0][1]))) as engine:
        found = [engine.find(frame).faces for frame, _ in frames]
    return tally(found, [places for _, places in frames])


def tally(found: Sequence[Sequence[Face]], truth: Sequence[Sequence[Place | None]]) -> Tally:
    """What went wrong: faces of each frame, and the places of the persons who are seen in it."""
    newest: dict[int, int] = {}
    owner: dict[int, int] = {}
    stolen: set[tuple[int, int]] = set()
    switches = 0
    for faces, places in zip(found, truth, strict=True):
        for person, place in enumerate(places):
            near = [face for face in faces if place and _is_at(face, place)]
            if not near or near[0].track_id is None:
                continue
            track_id = near[0].track_id
            switches += newest.get(person, track_id) != track_id
            newest[person] = track_id
            if owner.setdefault(track_id, person) != person:
                stolen.add((track_id, person))
    owners = Counter(owner.values())
    return Tally(switches, len(stolen), sum(count - 1 for count in owners.values()), 1)


def _is_at(face: Face, place: Place) -> bool:
    x0, y0, x1, y1 = face.box.tolist()
    return bool(np.hypot((x0 + x1) / 2 - place[0], (y0 + y1) / 2 - place[1]) < VISIBLE * (x1 - x0))


def apart_from_fresh(frames: Sequence[tuple[Frame, list[Place | None]]], scene: Scene, model: str) -> np.ndarray:
    """(2,): how far valence and arousal, smoothed, lie after the cut from what a fresh engine says, at most."""
    rest = [frame for frame, _ in frames if scene.cut_s is not None and frame.time >= scene.cut_s][:AFTER_A_CUT]
    config = TrackerConfig(faces=2)
    with Engine(model, config) as engine, Engine(model, config) as fresh:
        told = [engine.step(frame)[0].samples for frame, _ in frames if frame.time <= rest[-1].time][-len(rest) :]
        expected = [fresh.step(frame)[0].samples for frame in rest]
    pairs = [(a[0], b[0]) for a, b in zip(told, expected, strict=True) if a and b]
    apart = [(a.valence_smooth - b.valence_smooth, a.arousal_smooth - b.arousal_smooth) for a, b in pairs]
    return np.abs(apart).max(axis=0)
