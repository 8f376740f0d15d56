"""A streaming tracker of apparent affect: `from tracker import Engine, open_source, track`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracker.config import SmoothingConfig, TrackerConfig
    from tracker.engine import Engine, track
    from tracker.sources import open_source

__version__ = "0.1.0"
__all__ = ["Engine", "SmoothingConfig", "TrackerConfig", "__version__", "open_source", "track"]

_HOMES = {
    "Engine": "tracker.engine",
    "track": "tracker.engine",
    "open_source": "tracker.sources",
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
