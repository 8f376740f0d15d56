"""How pleasant and how activated the expression of every face in a video, a picture or a camera looks.

    import affect

    result = affect.track("clip.mp4", faces=2)      a file, a folder, a glob, a URL, several of them, or arrays
    result.to_pandas()                              a row for each face in each frame; to_polars() too
    result.plot()                                   the traces and the circumplex, as a picture
    result.save("out/")                             CSV and how it was made
    result.crop(face_id=0, time=3.2)                that face, as an array
    result.meta                                     model, settings, versions

    for tracked in affect.stream("clip.mp4"):       frame by frame, in constant memory
        for sample in tracked.samples:
            print(sample.time, sample.valence_smooth, sample.arousal_smooth)

    affect.image("photo.jpg")                       pictures, each measured by itself
    affect.image(array, color="bgr")                OpenCV's order of colours; color="rgb" is everybody else's

    with affect.Engine(faces=2) as engine:          a loop of your own: times must rise
        tracked = engine.step(array, time=0.04, color="bgr")

    run = affect.live(0)                            a camera, a stream or a file at its own pace, in the background
    run.samples()                                   what came since the last call
    run.stop()

Valence (unpleasant to pleasant) and arousal (calm to activated) are from -1 to 1, times are seconds, boxes pixels. They
describe the expression that a face shows, not what a person feels.

Keywords are the options of the command line: model, faces, smoothing, sequence_length, device, runtime, landmark_model,
neutral, start, end, fps, sequence, stream; of affect.live also duration, record, out, ws, osc, lsl. `affect models`
lists the models. All errors are AffectError, some Python's own too: MissingSourceError is a FileNotFoundError,
UsageError a ValueError. Types: Result, TrackedFrame, AffectSample, Face, Frame, LiveRun.
"""

import importlib.util
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from affect.engine import Engine as Engine
    from affect.liverun import LiveRun as LiveRun
    from affect.liverun import live as live
    from affect.results import Picture as Picture
    from affect.results import Result as Result
    from affect.tracking import image as image
    from affect.tracking import stream as stream
    from affect.tracking import track as track
    from tracker.config import SmoothingConfig as SmoothingConfig
    from tracker.errors import AffectError as AffectError
    from tracker.errors import CheckpointError as CheckpointError
    from tracker.errors import DataError as DataError
    from tracker.errors import MissingSourceError as MissingSourceError
    from tracker.errors import SinkError as SinkError
    from tracker.errors import SourceError as SourceError
    from tracker.errors import UsageError as UsageError
    from tracker.types import AffectSample as AffectSample
    from tracker.types import Face as Face
    from tracker.types import Frame as Frame
    from tracker.types import TrackedFrame as TrackedFrame

_HOMES = {
    **dict.fromkeys(("track", "stream", "image"), "affect.tracking"),
    "Engine": "affect.engine",
    **dict.fromkeys(("live", "LiveRun"), "affect.liverun"),
    **dict.fromkeys(("Result", "Picture"), "affect.results"),
    "SmoothingConfig": "tracker.config",
    **dict.fromkeys(("AffectSample", "Face", "Frame", "TrackedFrame"), "tracker.types"),
    **dict.fromkeys(
        ("AffectError", "SourceError", "MissingSourceError", "SinkError", "CheckpointError", "DataError", "UsageError"),
        "tracker.errors",
    ),
}


def _claim(name: str) -> None:
    """Load the package of ours that lies beside this one, so that a user's own file of its name is not taken for it."""
    folder = Path(__file__).resolve().parents[1] / name
    known = sys.modules.get(name)
    if known is not None:
        if Path(getattr(known, "__file__", None) or folder / "none").resolve().parent != folder:
            raise ImportError(
                f"{known.__file__} is called {name}, as the package {folder} that affect needs; import affect before "
                "it, or give it another name"
            )
        return
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None and spec.loader is not None
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


_claim("tracker")
_claim("nets")
__version__: str = sys.modules["tracker"].__version__


def __getattr__(name: str) -> Any:
    """The public names, each loaded when it is first asked for, so that `import affect` is quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'affect' has no attribute {name!r}; it has {', '.join(_HOMES)}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
