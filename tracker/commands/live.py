"""`affect live`: a camera, a stream or a file at its pace, tracked as it comes."""

from typing import TYPE_CHECKING, Any

import click

from tracker.commands.options import (
    Size,
    debug_option,
    face_options,
    filled,
    landmark_options,
    password_option,
    setting,
)
from tracker.config import CaptureOptions, LiveConfig, OutletConfig, OutputConfig, SmoothingConfig, TrackerConfig
from tracker.errors import SinkError
from tracker.words import counted

if TYPE_CHECKING:
    from tracker.live import LiveReport


@click.command()
@click.argument("source", default="camera:0", metavar="[SOURCE]")
@click.option("--size", type=Size(), help="Picture size to ask a camera for, such as 1280x720.")
@setting(CaptureOptions, "rate_hz", "--rate", type=float, metavar="HZ", help="Frames a second to ask a camera for.")
@setting(CaptureOptions, "format", "--format", metavar="FOURCC", help="Pixel format to ask a camera for, such as MJPG.")
@setting(CaptureOptions, "backend", "--backend", help="OpenCV's camera backend.")
@setting(CaptureOptions, "stream", "--stream", type=int, metavar="N", help="Video stream, as `affect info` counts.")
@setting(CaptureOptions, "pace", "--pace", type=float, metavar="X", help="Speed of a file: 1 is its own.")
@setting(CaptureOptions, "loop", "--loop", is_flag=True, help="Play a file again from its start when it ends.")
@setting(CaptureOptions, "transport", "--transport", help="Transport for RTSP.")
@setting(LiveConfig, "headless", "--headless", is_flag=True, help="No window; Ctrl-C ends the run.")
@setting(LiveConfig, "duration", "--duration", type=float, metavar="S", help="End after so many seconds.")
@setting(LiveConfig, "record", "--record", is_flag=True, help="Record from the first frame on (key r does it later).")
@click.option("--record-lossless", is_flag=True, help="The same, and keep the video bit for bit (FFV1).")
@setting(LiveConfig, "picture", "--record-video/--no-record-video", help="Whether recordings hold the video itself.")
@setting(LiveConfig, "baseline_s", "--baseline", metavar="S", help="Seconds of a relaxed face that key n takes.")
@setting(OutletConfig, "ws", "--ws", metavar="HOST:PORT", help="Serve JSON messages by WebSocket.")
@setting(
    OutletConfig,
    "ws_origins",
    "--ws-origin",
    multiple=True,
    metavar="URL",
    help="Web pages allowed to connect; repeatable.",
)
@setting(OutletConfig, "ws_token", "--ws-token", metavar="TOKEN", help="Token that clients must send (/?token=TOKEN).")
@setting(OutletConfig, "osc", "--osc", metavar="HOST:PORT", help="Send OSC messages there.")
@setting(OutletConfig, "lsl", "--lsl", metavar="NAME", help="Lab Streaming Layer streams of that name.")
@setting(OutputConfig, "jsonl", "--jsonl", metavar="F", help="- sends JSON lines to standard output; else recorded.")
@setting(OutputConfig, "folder", "-o", "--out", metavar="DIR", help="Folder of recordings and screenshots.")
@setting(OutputConfig, "csv", "--csv/--no-csv", help="Recordings hold a table (on unless --no-csv).")
@setting(OutputConfig, "parquet", "--parquet", is_flag=True, help="Recordings hold the table as Parquet.")
@setting(OutputConfig, "video", "--video", is_flag=True, help="Recordings hold the video with its marks, too.")
@setting(OutputConfig, "plot", "--plot", is_flag=True, help="Recordings hold a picture of the traces.")
@setting(OutputConfig, "attention", "--attention", is_flag=True, help="Add the model's attention to recordings.")
@setting(OutputConfig, "columns", "--columns", help="Naming scheme of the columns.")
@setting(
    OutputConfig,
    "full_paths",
    "--full-paths",
    is_flag=True,
    help="Write the home folder in full in meta.json, not as ~.",
)
@setting(OutputConfig, "blur_faces", "--blur-faces", is_flag=True, help="Hide who it is, in window and recordings.")
@setting(
    LiveConfig, "model", "--model", metavar="NAME|PATH", help="Of `affect models`, or a .safetensors or .onnx file."
)
@setting(TrackerConfig, "sequence_length", "--sequence-length", type=int, metavar="N", help="Window, 1 to 32 frames.")
@landmark_options
@setting(SmoothingConfig, "kind", "--smoothing", help="Filter behind the network.")
@face_options
@setting(TrackerConfig, "runtime", "--runtime", help="What runs the networks; auto is the faster.")
@setting(TrackerConfig, "device", "--device", metavar="NAME", help="cpu, cuda, cuda:1 or mps.")
@password_option
@debug_option(expose_value=True)
def live(source: str, **options: Any) -> None:
    """Track a camera, a stream, or a file at its own pace, in a window.

    SOURCE is camera:0 (the default), an rtsp://, http://, udp:// or other address, a file, or - (a stream on standard
    input). Keys: q quit, space pause, r record, n neutral baseline, m marker, s screenshot, h help.
    """
    config = live_config(options)
    from tracker.commands.models import check_attention, check_landmark_model, model_card
    from tracker.live import run_live

    card = model_card(config.model)
    if config.output.attention:
        check_attention(card, config.tracker.sequence_length)
    if config.tracker.landmark_model:
        check_landmark_model(config.tracker)
    report = run_live(source, config)
    click.echo(summary(report), err=True)
    lost = [SinkError(problem) for take in report.takes for problem in take.problems]
    if error := report.error or next(iter(lost), None):
        raise error


def live_config(options: dict[str, Any]) -> LiveConfig:
    """The configuration that the command's options describe; raises UsageError for values out of range."""
    options["width"], options["height"] = options.pop("size") or (None, None)
    options["lossless"] = options.pop("record_lossless")
    options["record"] = options["record"] or options["lossless"]
    options["stdout"] = options["jsonl"] == "-"
    options["jsonl"] = None if options["stdout"] else options["jsonl"]
    options["smoothing"] = filled(SmoothingConfig, options)
    parts = {"capture": CaptureOptions, "tracker": TrackerConfig, "output": OutputConfig, "outlets": OutletConfig}
    return LiveConfig(**{name: filled(part, options) for name, part in parts.items()}, **options)


def summary(report: "LiveReport") -> str:
    """How the run went: frames, drops and latency; then a line for each recording and receiver."""
    speed = report.speed
    frames = f"{counted(report.frames, 'frame')} ({report.with_faces} with faces), {speed.fps:.1f} a second"
    lines = [f"{report.uri}: {frames}, {report.dropped} dropped"]
    if report.frames:
        latency = f"p50 {speed.p50_ms:.1f} ms, p95 {speed.p95_ms:.1f} ms, p99 {speed.p99_ms:.1f} ms"
        lines.append(f"{report.latency_from} to sample: {latency}")
    return "\n".join([*lines, *map(str, report.takes), *map(str, report.outlets)])
