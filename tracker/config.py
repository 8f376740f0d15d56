"""What a user may choose. Every default stands here once; the command line reads it from here."""

from dataclasses import dataclass, field, fields
from typing import Any, Literal

from tracker.errors import UsageError

OWN = "own"
"""Of --neutral: a source's own face; of --baseline: its calm frames."""
AUTO = "auto"
"""Of --baseline: the calmest seconds of a source."""
DEFAULT_MODEL = "anclaf-face"
"""The model that ships."""
OVERLAY_SUFFIX = ".overlay.mp4"
STILL_OVERLAY_SUFFIX = ".overlay.png"
"""How the name of an overlay video ends, and of a still with the same marks."""
OVERLAYS = (OVERLAY_SUFFIX, STILL_OVERLAY_SUFFIX)
"""A folder's own overlays are not taken as its sources."""

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
    min_cutoff_hz: float = 0.3
    """One-Euro: cut-off at rest; lower is smoother and slower."""
    beta: float = 0.2
    """One-Euro: how much the cut-off rises with speed, Hz per (unit of VA per second)."""
    derivative_cutoff_hz: float = 0.2
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
    min_brightness: float = 12.0
    """Mean grey level of the crop, 0 to 255."""
    min_sharpness: float = 8.0
    """Standard deviation of the Laplacian of the crop, its contrast made that of an ordinary one, grey levels."""
    max_blocks: float = 0.2
    """Steps between the blocks of 8 pixels that compression leaves, grey levels, by pixel of the face's width."""
    max_upside_down: float = 0.25
    max_eyes_hidden: float = 0.5
    max_mouth_hidden: float = 0.66
    """What tracker.faces.hidden says of a face, about 0 to 1."""
    max_turn_deg: float = 45.0
    """Yaw or pitch away from the camera."""


@dataclass(frozen=True)
class TrackerConfig:
    """What a run of the tracker may choose; what the weights decide stands in their model card."""

    faces: int = 1
    """Largest number of faces followed at once."""
    device: str = "cpu"
    """torch device: cpu, cuda, cuda:1, mps."""
    runtime: Literal["auto", "torch", "onnx", "int8"] = "auto"
    """What runs the encoders; auto takes the faster: ONNX Runtime on a CPU where it is installed, else torch."""
    sequence_length: int | None = None
    """Frames in the combiner's window; None takes the model card's. A single-frame model always uses 1."""
    max_gap_s: float = 0.5
    """A face away for longer starts a new window and a new filter."""
    remember_s: float = 10.0
    """Seconds for which a person who has gone keeps the id, wherever the face comes back; 0: the place alone tells who
    is who, and a face away for longer than max_gap_s gets a new id."""
    landmarker: Literal["onnx", "mediapipe"] = "onnx"
    """What finds faces and landmarks: our own run of MediaPipe's networks, or the package mediapipe itself."""
    min_face_px: float = 40.0
    """Width of the smallest faces that are looked for; larger pictures take longer to search. Of onnx alone."""
    detection_side_px: int = 640
    """Frames with a longer side are shrunk to it before detection."""
    landmark_model: str | None = None
    """A landmark VAE, whose code of each face is told besides: name of one that ships, or the path of a .safetensors
    file; None for none."""
    neutral: str | None = None
    """A picture or a video of the relaxed face that M1 and M2 compare with; own: each source's own face, for which it
    is read twice; None takes the calmest moments so far. run_batch and run_live read it; who has an Engine alone gives
    it `engine.codes.given`, with tracker.neutral."""
    irises: bool = False
    """478 landmarks in place of 468."""
    threads: int | None = 1
    """Of torch and ONNX Runtime; None leaves their choice. One is faster than two beside the thread for landmarks."""
    smoothing: SmoothingConfig = field(default_factory=SmoothingConfig)
    quality: QualityLimits = field(default_factory=QualityLimits)

    def __post_init__(self) -> None:
        check_range("faces", self.faces, 1, 64)
        check_range("remember (seconds)", self.remember_s, 0.0, 86_400.0)
        check_range("smallest face (pixels)", self.min_face_px, 16.0, 4096.0)
        if self.sequence_length is not None:
            check_range("sequence length", self.sequence_length, 1, 32)
        if self.neutral and not self.landmark_model:
            raise UsageError("--neutral is of use to a --landmark-model alone; give that too, or leave it out")
        if self.neutral == "-":
            raise UsageError("--neutral - is standard input; give a picture or a video of the relaxed face")
        if self.neutral not in (None, OWN) and self.faces > 1:
            raise UsageError(f"--neutral {self.neutral} is one person's, and --faces is {self.faces}; give own, or 1")


@dataclass(frozen=True)
class SourceOptions:
    """Which part of a source is read, and how."""

    start: float | None = None
    """Seconds: frames before this time are left out; None begins at the first frame."""
    end: float | None = None
    """Seconds: frames at and after this time are left out; None reads to the last frame."""
    fps: float | None = None
    """Pictures a second, for a folder or glob of pictures alone, which then is a film; None: 25, where it is one."""
    sequence: bool = False
    """Pictures are the frames of a film, whatever their names. Else only a numbered sequence (shot7.png, shot8.png,
    ...) is, or one that is given fps, start or end; all others are stills, each measured by itself."""
    stream: int | None = None
    """Number of the video stream in its container, as `affect info` counts; None takes the default, largest one."""
    read_ahead: int = 8
    """Frames decoded ahead of the one in use (fewer where they are large)."""
    threads: int | None = None
    """Decoder threads; None leaves FFmpeg's choice."""

    @property
    def film(self) -> bool:
        """Whether something was chosen that pictures have as the frames of a film alone."""
        return self.sequence or any(chosen is not None for chosen in (self.fps, self.start, self.end))

    def __post_init__(self) -> None:
        check_range("start (seconds)", self.start or 0.0, 0.0, 1e9)
        check_range("fps", 25.0 if self.fps is None else self.fps, 0.001, 10_000)
        check_range("stream", self.stream or 0, 0, 10_000)
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
    report: bool = False
    """The page with the traces and the video: tracker.report."""
    columns: Literal["affect", "openface", "pyfeat"] = "affect"
    """Whose names the columns bear."""
    blur_faces: bool = False
    """Faces in the overlay video are made unrecognisable."""
    empty: Literal["blank", "nan"] = "blank"
    """What CSV has for a number that was not measured: nothing, or "NaN", by which readers that look at the first rows
    alone (polars) take a column as numbers even where those have no face. Text stays blank."""
    name: str | None = None
    """How the outputs are called: text with {name}, {parent} (the source's folder), {path} (the folders mirrored below
    the output folder), {model}, {start}, {end}; None is {path}/{name}."""
    full_paths: bool = False
    """The sheet tells a source's whole path, the home folder's too, for which it else has ~."""
    baseline: str | None = None
    """From where `valence_rel` and `arousal_rel` start, in batch: A:B seconds of each source, OWN (its calm frames),
    AUTO (its calmest seconds), or a file: a trace, a film or a picture of the person at rest; None for no such columns.
    A live run takes its own."""
    source_column: bool = False
    """A last column `source` (in py-feat's names `input`); several sources on standard output always have it."""


@dataclass(frozen=True)
class CaptureOptions:
    """How a live source is opened; what does not fit its kind has no effect."""

    width: int | None = None
    """Pixels asked of a camera; None leaves its choice. It may give another size."""
    height: int | None = None
    rate_hz: float | None = None
    """Frames a second asked of a camera; None leaves its choice."""
    format: str | None = None
    """FourCC asked of a camera, such as MJPG; None leaves its choice."""
    backend: Literal["auto", "v4l2", "avfoundation", "msmf", "dshow", "any"] = "auto"
    """OpenCV's way to a camera; auto is the platform's own."""
    stream: int | None = None
    """Number of the video stream of a file or stream, as `affect info` counts; None takes the default, largest one."""
    pace: float = 1.0
    """Speed of a file: 1 is its own pace, 2 twice as fast. Its frames keep their times."""
    loop: bool = False
    """A file begins again at its end; times go on."""
    transport: Literal["tcp", "udp"] = "tcp"
    """What carries RTSP."""
    stall_s: float = 5.0
    """Seconds without a frame after which a stream is opened again."""
    longest_wait_s: float = 30.0
    """Between two attempts to open a stream again: from 1 s, doubled each time, up to this."""

    def __post_init__(self) -> None:
        check_range("width (pixels)", self.width or 16, 16, 16384)
        check_range("height (pixels)", self.height or 16, 16, 16384)
        check_range("camera rate (Hz)", self.rate_hz or 1.0, 1.0, 1000.0)
        check_range("stream", self.stream or 0, 0, 10_000)
        check_range("pace", self.pace, 0.05, 50.0)
        check_range("stall (seconds)", self.stall_s, 0.5, 3600.0)
        check_range("longest wait (seconds)", self.longest_wait_s, 0.1, 3600.0)
        if self.format is not None and len(self.format) != 4:
            raise UsageError(f"camera format is '{self.format}'; expected four characters, such as MJPG or YUYV")


@dataclass(frozen=True)
class OutletConfig:
    """Receivers of a live run, any number at once; none of them can delay the tracker."""

    stdout: bool = False
    """JSON lines on standard output."""
    ws: str | None = None
    """HOST:PORT of a WebSocket server of ours; :PORT alone is 127.0.0.1."""
    ws_origins: tuple[str, ...] = ()
    """Origins (https://example.org) whose pages may connect to the WebSocket server, besides those of this machine."""
    ws_token: str | None = None
    """What a client must bring, as ws://HOST:PORT/?token=TOKEN. None: on loopback nothing, elsewhere one made anew."""
    osc: str | None = None
    """HOST:PORT that OSC messages go to, by UDP; :PORT alone is 127.0.0.1."""
    lsl: str | None = None
    """Name of the Lab Streaming Layer streams."""


@dataclass(frozen=True)
class LiveConfig:
    """One call of `affect live`."""

    model: str = DEFAULT_MODEL
    """Name of a model that ships, or the path of a .safetensors or .onnx file."""
    headless: bool = False
    """No window."""
    duration: float | None = None
    """Seconds after which the run ends by itself; None runs until it is ended, or the source ends."""
    record: bool = False
    """A recording begins with the first frame."""
    lossless: bool = False
    """Recordings keep the video without loss (FFV1)."""
    picture: bool = True
    """Recordings keep the video at all."""
    baseline_s: float = 4.0
    """Seconds of a relaxed face from which its neutral baseline is taken."""
    debug: bool = False
    """Errors show their traceback."""
    capture: CaptureOptions = field(default_factory=CaptureOptions)
    tracker: TrackerConfig = field(default_factory=TrackerConfig)
    output: OutputConfig = field(default_factory=OutputConfig)
    """Of a recording."""
    outlets: OutletConfig = field(default_factory=OutletConfig)

    def __post_init__(self) -> None:
        check_range("baseline (seconds)", self.baseline_s, 1.0, 60.0)
        if self.tracker.neutral == OWN:
            raise UsageError("--neutral own reads a source twice, and a live one comes once; give a picture")
        check_range("duration (seconds)", 1.0 if self.duration is None else self.duration, 0.1, 1e9)


@dataclass(frozen=True)
class BatchConfig:
    """One call of `affect track`: any number of sources, one model."""

    model: str = DEFAULT_MODEL
    """Name of a model that ships, or the path of a .safetensors or .onnx file."""
    resume: bool = False
    """Sources whose outputs are complete are left alone, those that broke off are done again."""
    overwrite: bool = False
    """Outputs that are there already are replaced."""
    recursive: bool = False
    """Folders stand for the videos in their folders too."""
    workers: int = 1
    """Processes, each with its own engine."""
    listed: str | None = None
    """A file that names further sources, one a line; - is standard input."""
    shard: tuple[int, int] | None = None
    """(I, N): this call has the I-th of N parts of the sources, 1 <= I <= N; None for all."""
    manifest: str | None = None
    """File with a line of JSON for each source that came to its end; runs that share the sources add to one."""
    dry_run: bool = False
    """Nothing is tracked or written; the outcomes tell what would be."""
    quiet: bool = False
    """No progress, and at the end only what went wrong."""
    debug: bool = False
    """Errors show their traceback."""
    source: SourceOptions = field(default_factory=SourceOptions)
    tracker: TrackerConfig = field(default_factory=TrackerConfig)
    output: OutputConfig = field(default_factory=OutputConfig)

    def __post_init__(self) -> None:
        check_range("workers", self.workers, 1, 256)
        if self.shard is not None and not 1 <= self.shard[0] <= self.shard[1]:
            part, parts = self.shard
            raise UsageError(f"the shard is {part}/{parts}; expected I/N with I from 1 to N, such as 2/8")


@dataclass(frozen=True)
class ReportConfig:
    """How a report is written."""

    video: str | None = None
    """The video that it shows; None takes the source or the recording that the sheet names, where it is there."""
    embed: bool = False
    """The video is put into the report; otherwise the report links to it."""
    thumbnails: bool = False
    """The report holds a small picture of each face."""
    overwrite: bool = False
    """A report that is there already is replaced."""


@dataclass(frozen=True)
class EditConfig:
    """One call of `affect edit`: how faces are changed. Walk, steps and range are a LeVAsa's."""

    walk: Literal["valence", "arousal", "both"] = "valence"
    """What a LeVAsa changes: a strip of pictures for one, a grid for both."""
    steps: int = 7
    """Pictures from one end of the range to the other."""
    range: tuple[float, float] | None = None
    """Of valence and arousal; None takes what the model was trained on."""
    at: float | None = None
    """Seconds: the frame of each video; None takes the first."""

    def __post_init__(self) -> None:
        check_range("steps", self.steps, 2, 25)
        check_range("at (seconds)", self.at or 0.0, 0.0, 1e9)
        for end in self.range or ():
            check_range("an end of the range", end, -3.0, 3.0)
        if self.range is not None and not self.range[0] < self.range[1]:
            low, high = self.range
            raise UsageError(f"the range is {low:g} to {high:g}; expected the lower end first, such as --range -1 1")


@dataclass(frozen=True)
class SummaryConfig:
    """One call of `affect summary`: what of the traces is summed up."""

    window: float | None = None
    """Seconds of a window; None for none."""
    events: str | None = None
    """The table of the events; None looks for NAME.events.csv beside each trace."""
    around: tuple[float, float] | None = None
    """Seconds from an event's moment to where its part begins and ends; None: as long as it lasts."""
    one_person: bool = False
    """All faces of a file are one person's, whatever their ids."""
    folder: str = "out"
    """Where summary.csv and summary.md lie."""
    overwrite: bool = False
    """A summary that is there already is replaced."""

    def __post_init__(self) -> None:
        check_range("window (seconds)", 1.0 if self.window is None else self.window, 0.1, 1e6)


@dataclass(frozen=True)
class ExportConfig:
    """One call of `affect export-trace`: for which program, and what it is told besides."""

    format: Literal["elan", "textgrid", "bids", "edf", "table"] = "elan"
    folder: str = "out"
    """Where the files lie; of BIDS, the data set's root."""
    events: str | None = None
    """As SummaryConfig has it."""
    one_person: bool = False
    """As SummaryConfig has it."""
    step: float = 0.5
    """Seconds of an interval in the tiers of valence and arousal of ELAN and Praat."""
    participant: str = "01"
    """BIDS: sub-LABEL, letters and digits."""
    session: str | None = None
    """BIDS: ses-LABEL; None for none."""
    task: str | None = None
    """BIDS: task-LABEL; None takes the trace's name."""
    overwrite: bool = False
    """Files that are there already are replaced."""

    def __post_init__(self) -> None:
        check_range("step (seconds)", self.step, 0.05, 3600.0)
        for name, label in (("participant", self.participant), ("session", self.session), ("task", self.task)):
            if label is not None and not (label.isascii() and label.isalnum()):
                raise UsageError(f"--{name} is '{label}'; expected letters and digits alone, as BIDS has its labels")


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Raise UsageError unless low <= value <= high."""
    if not low <= value <= high:
        raise UsageError(f"{name} is {value}; expected {low} to {high}")


def default_of(config: type, name: str) -> Any:
    """The default of a field of a configuration class."""
    return next(f.default for f in fields(config) if f.name == name)
