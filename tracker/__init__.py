"""A streaming tracker of apparent affect: `from tracker import Engine, open_source, track`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracker.config import CaptureOptions, LiveConfig, OutletConfig, SmoothingConfig, TrackerConfig
    from tracker.engine import Engine, track
    from tracker.live import run_live
    from tracker.sources import open_source
    from tracker.sources.live import open_live

__version__ = "0.1.0"
__all__ = [
    "CaptureOptions",
    "Engine",
    "LiveConfig",
    "OutletConfig",
    "SmoothingConfig",
    "TrackerConfig",
    "__version__",
    "open_live",
    "open_source",
    "run_live",
    "track",
]

_HOMES = {
    "Engine": "tracker.engine",
    "track": "tracker.engine",
    "open_source": "tracker.sources",
    "open_live": "tracker.sources.live",
    "run_live": "tracker.live",
    "CaptureOptions": "tracker.config",
    "LiveConfig": "tracker.config",
    "OutletConfig": "tracker.config",
    "TrackerConfig": "tracker.config",
    "SmoothingConfig": "tracker.config",
}


def __getattr__(name: str) -> Any:
    """The public names, each loaded when it is first asked for, so that `import tracker` loads no heavy library."""
    if name not in _HOMES:
        raise AttributeError(f"module 'tracker' has no attribute {name!r}; it has {', '.join(_HOMES)}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
