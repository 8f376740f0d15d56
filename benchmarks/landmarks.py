"""Our run of the face networks beside MediaPipe: the same landmarks? what do they cost? how small a face is found?"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.report import Report, Round, markdown, medians
from benchmarks.scene import tiled
from tracker.config import TrackerConfig
from tracker.engine import Engine
from tracker.errors import DataError
from tracker.faces.graphs import MODELS, Graph
from tracker.faces.landmarks import FaceLandmarker
from tracker.faces.mediapipe_finder import solutions
from tracker.faces.regions import LEFT_EYE, RIGHT_EYE, Region, cut, placed
from tracker.sources import open_source
from tracker.types import Frame

ONNX, MEDIAPIPE = TrackerConfig(landmarker="onnx"), TrackerConfig(landmarker="mediapipe")
WIDTHS = (200, 150, 100, 80, 60, 40, 30)
"""Of the face in the placement test, pixels."""
SIZE = (1280, 720)
"""Of its picture."""
ACROSS = 4
"""Its places are a grid of so many columns and rows."""
LOOKS = 12
"""Frames of one picture after which a face that the tracker does not follow counts as missed."""
TIMED, PASSES = 100, 3
"""Frames of the first source that are timed, and how often in each round."""


@dataclass
class Parity:
    """One source, frame by frame, by both."""

    frames: int = 0
    only_ours: int = 0
    """Frames with a face by ours alone."""
    only_mediapipe: int = 0
    open_px: list[float] = field(default_factory=list)
    """Mean distance of the landmarks where our network reads the very region that MediaPipe's has read."""
    closed: list[float] = field(default_factory=list)
    """The same, in distances of the eyes, where each follows the face by itself."""
    affect: list[np.ndarray] = field(default_factory=list)
    """(2,): how far valence and arousal of the frame lie apart."""

    def cells(self, source: str) -> list[str]:
        """A row of the table."""
        apart = np.abs(self.affect) if self.affect else np.full((1, 2), np.nan)
        both, worst = self.closed or [np.nan], apart.max(axis=0)
        return [
            Path(source).name,
            f"{len(self.closed)} of {self.frames}",
            f"{self.only_ours} / {self.only_mediapipe}",
            f"{np.mean(self.open_px or [np.nan]):.4f}",
            f"{np.mean(both):.5f} ({max(both):.4f})",
            f"{apart.mean(axis=0)[0]:.4f} ({worst[0]:.3f})",
            f"{apart.mean(axis=0)[1]:.4f} ({worst[1]:.3f})",
        ]


PARITY_HEAD = (
    "source",
    "frames with a face by both",
    "by ours / MediaPipe alone",
    "open loop, px",
    "closed loop, eye distances (most)",
    "valence apart (most)",
    "arousal apart (most)",
)


def measure(sources: Sequence[str], model: str, repeat: int) -> Report:
    """Parity on every source, the placement test with the first one's face, and rounds of time. Raises AffectError."""
    parities = {source: parity(source, model) for source in sources}
    face, width = first_face(sources)
    places = [placements(face, width, wanted) for wanted in WIDTHS]
    images = [frame.image for frame in frames_of(sources[0], TIMED)]
    rounds = [one_round(images) for _ in range(repeat)]
    closed = {f"closed loop, {Path(s).name}": float(np.mean(p.closed)) for s, p in parities.items() if p.closed}
    text = "\n\n".join(
        [
            markdown(PARITY_HEAD, [each.cells(source) for source, each in parities.items()]),
            placement_table(places),
            time_table(rounds),
            f"{repeat} rounds of {PASSES} passes over {len(images)} frames, ours and MediaPipe's in turn: of each "
            "frame the best, of these the median, then of the rounds.",
        ]
    )
    settings = {"sources": [Path(source).name for source in sources], "model": model, "repeat": repeat}
    return Report("landmarks", settings, rounds, text, found={"parity": closed, "placements": places})


def frames_of(source: str, count: int | None = None) -> Iterator[Frame]:
    """The first frames of a source."""
    with open_source(source) as frames:
        for frame in frames:
            if count is not None and frame.index >= count:
                break
            yield frame


def parity(source: str, model: str) -> Parity:
    """A source by both, as videos are tracked."""
    told = Parity()
    with (
        closing(MediapipeRegions()) as regions,
        Engine(model, ONNX) as ours,
        Engine(model, MEDIAPIPE) as theirs,
    ):
        for frame in frames_of(source):
            told.frames += 1
            told.open_px += regions.open_loop(frame.image)
            ((own,), (other,)) = ours.step(frame), theirs.step(frame)
            told.only_ours += bool(own.faces) and not other.faces
            told.only_mediapipe += bool(other.faces) and not own.faces
            if own.faces and other.faces:
                told.closed.append(apart(own.faces[0].landmarks, other.faces[0].landmarks))
                a, b = own.samples[0], other.samples[0]
                told.affect.append(np.array([a.valence_frame - b.valence_frame, a.arousal_frame - b.arousal_frame]))
    return told


def apart(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Mean distance of landmarks (L, 3) in the picture, in distances of the outer corners of the eyes."""
    eyes = np.linalg.norm(theirs[RIGHT_EYE, :2] - theirs[LEFT_EYE, :2])
    return float(np.linalg.norm(ours[:, :2] - theirs[:, :2], axis=1).mean() / eyes)


class MediapipeRegions:
    """MediaPipe's graph, asked for the regions as well that it reads."""

    def __init__(self) -> None:
        self._ours = Graph(MODELS / "face_mesh.onnx", ("landmarks", "logits"))
        self._graph = solutions.face_mesh.SolutionBase(
            binary_graph_path="mediapipe/modules/face_landmark/face_landmark_front_cpu.binarypb",
            side_inputs={"num_faces": 1, "with_attention": False, "use_prev_landmarks": True},
            outputs=["multi_face_landmarks", "face_rects_from_landmarks"],
        )
        self._next: Any = None

    def open_loop(self, image: np.ndarray) -> list[float]:
        """Mean distance, px, of our landmarks to MediaPipe's in the region of which it has read this frame's face.

        Empty where the frame before had none, from which that region comes.
        """
        image = _shrunk(image, ONNX.detection_side_px)
        height, width = image.shape[:2]
        found, region = self._graph.process(image), self._next
        self._next = found.face_rects_from_landmarks[0] if found.face_rects_from_landmarks else None
        if region is None or not found.multi_face_landmarks:
            return []
        theirs = np.array([(p.x * width, p.y * height) for p in found.multi_face_landmarks[0].landmark])
        square = Region(region.x_center * width, region.y_center * height, region.width * width, region.rotation)
        points, _ = self._ours(cut(image, square, self._ours.sides[0])[None])
        ours = placed(points[0], square, self._ours.sides[0])
        return [float(np.linalg.norm(ours[:, :2] - theirs, axis=1).mean())]

    def close(self) -> None:
        """Free the graph."""
        self._graph.close()


def first_face(sources: Sequence[str]) -> tuple[np.ndarray, float]:
    """A head with what is around it, (H, W, 3), out of the first frame with a face; and the width of its face, px."""
    with closing(FaceLandmarker(ONNX, still=True)) as landmarker:
        for source in sources:
            for frame in frames_of(source):
                for face in landmarker.detect(frame.image):
                    x0, y0, x1, y1 = face.box.tolist()
                    reach, x, y = 0.95 * (x1 - x0), (x0 + x1) / 2, (y0 + y1) / 2
                    left, top = max(round(x - reach), 0), max(round(y - reach), 0)
                    return frame.image[top : round(y + reach), left : round(x + reach)], x1 - x0
    raise DataError(f"no face in {', '.join(sources)}; give a video of one by --source")


def placements(head: np.ndarray, width: float, wanted: float) -> dict[str, Any]:
    """In how many places of a plain picture a face of the wanted width is found, as a still and in a video."""
    told: dict[str, Any] = {"width, px": wanted, "of": ACROSS**2}
    scale = wanted / width
    small = cv2.resize(head, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    for config in (MEDIAPIPE, ONNX):
        for still in (True, False):
            with closing(FaceLandmarker(config, still=still)) as landmarker:
                found = [place_of(landmarker, *placed_head(small, i), 1 if still else LOOKS) for i in range(ACROSS**2)]
            told[f"{config.landmarker}, {'still' if still else 'video'}"] = sum(map(bool, found))
            told[f"{config.landmarker}, false"] = told.get(f"{config.landmarker}, false", 0) + found.count(None)
    return told


def placed_head(head: np.ndarray, place: int) -> tuple[np.ndarray, np.ndarray]:
    """A plain picture with a head at one place of the grid, and where its middle is, (2,) px."""
    width, height = SIZE
    picture = np.full((height, width, 3), 128, np.uint8)
    row, column = divmod(place, ACROSS)
    x = min(max(round((column + 0.5) * width / ACROSS - head.shape[1] / 2), 0), width - head.shape[1])
    y = min(max(round((row + 0.5) * height / ACROSS - head.shape[0] / 2), 0), height - head.shape[0])
    picture[y : y + head.shape[0], x : x + head.shape[1]] = head
    return picture, np.array([x + head.shape[1] / 2, y + head.shape[0] / 2])


def place_of(landmarker: FaceLandmarker, picture: np.ndarray, middle: np.ndarray, looks: int) -> bool | None:
    """Whether a face is found within so many looks at a picture, with its middle on it; None for one elsewhere."""
    landmarker.reset()
    for _ in range(looks):
        for face in landmarker.detect(picture):
            box = face.box.reshape(2, 2)
            return True if (box[0] < middle).all() and (middle < box[1]).all() else None
    return False


def one_round(images: Sequence[np.ndarray]) -> Round:
    """Milliseconds of a frame, by the clock and by the processor, of one face and of four: each frame's best of PASSES,
    ours and MediaPipe's in turn, since others may want the machine; then the median of the frames.

    MediaPipe's mesh sees pictures that are shrunk already, and no detector is asked for its score.
    """
    told: Round = {}
    for count in (1, 4):
        height, width = images[0].shape[:2]
        pictures = images if count == 1 else [tiled(image, (2 * width, 2 * height), count) for image in images]
        side = ONNX.detection_side_px
        shrunk = [_shrunk(picture, side) for picture in pictures]
        with (
            closing(FaceLandmarker(TrackerConfig(faces=count))) as ours,
            closing(solutions.face_mesh.FaceMesh(max_num_faces=count, refine_landmarks=False)) as mesh,
        ):
            passes = [
                [
                    (*spent(ours.detect, one), *spent(mesh.process, other))
                    for one, other in zip(pictures, shrunk, strict=True)
                ]
                for _ in range(PASSES)
            ]
        names = ("detect(), ms", "detect(), processor ms", "MediaPipe's mesh, ms", "MediaPipe's mesh, processor ms")
        middles = np.median(np.min(passes, axis=0), axis=0).tolist()
        told |= {f"{count} face, {name}": value for name, value in zip(names, middles, strict=True)}
    return told


def spent(function: Callable[[np.ndarray], object], picture: np.ndarray) -> tuple[float, float]:
    """Milliseconds of a call, by the clock and by the processor."""
    began, used = time.perf_counter(), time.process_time()
    function(picture)
    return 1000 * (time.perf_counter() - began), 1000 * (time.process_time() - used)


def _shrunk(image: np.ndarray, side: int) -> np.ndarray:
    scale = min(1.0, side / max(image.shape[:2]))
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1.0 else image


def placement_table(places: Sequence[dict[str, Any]]) -> str:
    """How many of the places a face of each width is found in."""
    names = list(places[0])
    head = [f"found of {places[0]['of']} places, {SIZE[0]}x{SIZE[1]}", *(f"{each['width, px']} px" for each in places)]
    return markdown(head, [[name, *(str(each[name]) for each in places)] for name in names[2:]])


def time_table(rounds: Sequence[Round]) -> str:
    """What detect() takes, and what MediaPipe's mesh alone."""
    middle = medians(rounds)
    rows = []
    for count in (1, 4):
        for unit in ("ms", "processor ms"):
            ours, theirs = (middle[f"{count} face, {name}, {unit}"] for name in ("detect()", "MediaPipe's mesh"))
            rows.append(
                [f"{count} face{'s' * (count > 1)}, {unit}", f"{ours:.2f}", f"{theirs:.2f}", f"{ours / theirs:.2f}"]
            )
    return markdown(["a frame", "detect()", "MediaPipe's mesh", "ratio"], rows)
