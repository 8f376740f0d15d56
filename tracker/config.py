"""What a user may choose. Every default stands here once; the command line reads it from here."""

from dataclasses import dataclass, field, fields
from typing import Any, Literal

from tracker.errors import UsageError

DEFAULT_MODEL = "anclaf-compact-S-8"
"""The model that ships."""
OVERLAY_SUFFIX = ".overlay.mp4"
"""How the name of an overlay video ends; a folder's own overlay videos are not taken as its sources."""

FACE_COLOURS: tuple[tuple[int, int, int], ...] = (
    (86, 180, 233),
    (230, 159, 0),
    (0, 158, 115),
    (204, 121, 167),
    (213, 94, 0),
    (0, 114, 178),
    (240, 228, 66),
)
"""RGB by track id, in turn: the palette of Okabe and Ito, distinct for colour-blind eyes."""


@dataclass(frozen=True)
class SmoothingConfig:
    """The causal filter behind the network. One-Euro: Casiez, Roussel and Vogel, CHI 2012."""

    kind: Literal["one-euro", "ema", "none"] = "one-euro"
    min_cutoff_hz: float = 0.7
    """One-Euro: cut-off at rest; lower is smoother and slower."""
    beta: float = 0.7
    """One-Euro: how much the cut-off rises with speed, Hz per (unit of VA per second)."""
    derivative_cutoff_hz: float = 1.0
    """One-Euro: cut-off of the speed estimate."""
    time_constant_s: float = 0.25
    """EMA: seconds in which a step is followed to 63 %."""

    def __post_init__(self) -> None:
        check_range("cut-off (Hz)", self.min_cutoff_hz, 0.001, 1000.0)
        check_range("beta", self.beta, 0.0, 1000.0)
        check_range("cut-off of the speed (Hz)", self.derivative_cutoff_hz, 0.001, 1000.0)
        check_range("time constant (seconds)", self.time_constant_s, 0.001, 1000.0)


@dataclass(frozen=True)
class QualityLimits:
    """Below (above, for the turn) these a face is measured, but its status is low_quality."""

    min_size_px: float = 48.0
    """Shorter side of the face's box."""
    min_brightness: float = 30.0
    """Mean grey level of the crop, 0 to 255."""
    min_sharpness: float = 8.0
    """Standard deviation of the crop's Laplacian, grey levels."""
    max_turn_deg: float = 45.0
    """Yaw or pitch away from the camera."""


@dataclass(frozen=True)
class TrackerConfig:
    """What a run of the tracker may choose; what the weights decide stands in their model card."""

    faces: int = 1
    """Largest number of faces followed at once."""
    device: str = "cpu"
    """torch device: cpu, cuda, cuda:1, mps."""
    sequence_length: int | None = None
    """Frames in the combiner's window; None takes the model card's. A single-frame model always uses 1."""
    max_gap_s: float = 0.5
    """A face away for longer starts a new window and a new filter."""
    detection_side_px: int = 640
    """Frames with a longer side are shrunk to it before detection."""
    irises: bool = False
    """478 landmarks in place of 468."""
    threads: int | None = 1
    """torch threads; None leaves torch's choice. One is faster than two beside the thread that finds faces."""
    smoothing: SmoothingConfig = field(default_factory=SmoothingConfig)
    quality: QualityLimits = field(default_factory=QualityLimits)

    def __post_init__(self) -> None:
        check_range("faces", self.faces, 1, 64)
        if self.sequence_length is not None:
            check_range("sequence length", self.sequence_length, 1, 32)


@dataclass(frozen=True)
class SourceOptions:
    """Which part of a source is read, and how."""

    start: float | None = None
    """Seconds: frames before this time are left out; None begins at the first frame."""
    end: float | None = None
    """Seconds: frames at and after this time are left out; None reads to the last frame."""
    fps: float = 25.0
    """Pictures a second, for a folder or glob of pictures alone."""
    read_ahead: int = 8
    """Frames decoded ahead of the one in use (fewer where they are large)."""
    threads: int | None = None
    """Decoder threads; None leaves FFmpeg's choice."""

    def __post_init__(self) -> None:
        check_range("start (seconds)", self.start or 0.0, 0.0, 1e9)
        check_range("fps", self.fps, 0.001, 10_000)
        check_range("read-ahead", self.read_ahead, 1, 1000)
        check_range("decoder threads", self.threads or 1, 1, 256)
        if self.end is not None and not self.end > (self.start or 0.0):
            raise UsageError(f"end is {self.end:g} s; expected a time after start ({self.start or 0.0:g} s)")


@dataclass(frozen=True)
class OutputConfig:
    """What is written of each source."""

    folder: str = "out"
    """Where the outputs lie, made where it is missing."""
    csv: bool = True
    jsonl: str | None = None
    """A file, a folder, or - for standard output."""
    parquet: bool = False
    video: bool = False
    """The overlay video."""
    plot: bool = False
    """The picture of the traces."""
    attention: bool = False
    """Where the attention looks: its own picture, and two more fields of the JSON lines and the Parquet table."""
    columns: Literal["affect", "openface", "pyfeat"] = "affect"
    """Whose names the columns bear."""
    blur_faces: bool = False
    """Faces in the overlay video are made unrecognisable."""


@dataclass(frozen=True)
class BatchConfig:
    """One call of `affect track`: any number of sources, one model."""

    model: str = DEFAULT_MODEL
    """Name of a model that ships, or the path of a .safetensors file."""
    resume: bool = False
    """Sources whose outputs are complete are left alone."""
    workers: int = 1
    """Processes, each with its own engine."""
    debug: bool = False
    """Errors show their traceback."""
    source: SourceOptions = field(default_factory=SourceOptions)
    tracker: TrackerConfig = field(default_factory=TrackerConfig)
    output: OutputConfig = field(default_factory=OutputConfig)

    def __post_init__(self) -> None:
        check_range("workers", self.workers, 1, 256)


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Raise UsageError unless low <= value <= high."""
    if not low <= value <= high:
        raise UsageError(f"{name} is {value}; expected {low} to {high}")


def default_of(config: type, name: str) -> Any:
    """The default of a field of a configuration class."""
    return next(f.default for f in fields(config) if f.name == name)
