"""Files that are made once and kept in the user's cache folder. A cache that cannot be read or written is no error."""

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

DIGEST_BYTES = 32
"""A kept file begins with the SHA-256 of the rest."""
MOST = 8
"""Files that are kept; an older one goes when there is one more."""
SUFFIX = ".onnx"


def cache_folder() -> Path:
    """Where files are kept: affect-tracker in $XDG_CACHE_HOME, or in ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "affect-tracker"


def recall(name: str) -> bytes | None:
    """What was kept under the name; None where nothing was, or what lies there is broken or somebody else's."""
    try:
        kept = (cache_folder() / f"{name}{SUFFIX}").read_bytes()
    except (OSError, RuntimeError):
        return None
    digest, content = kept[:DIGEST_BYTES], kept[DIGEST_BYTES:]
    return content if hashlib.sha256(content).digest() == digest else None


def keep(name: str, content: bytes) -> None:
    """Keep the content under the name, whole or not at all."""
    with suppress(OSError, RuntimeError):
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        _write_whole(folder / f"{name}{SUFFIX}", hashlib.sha256(content).digest() + content)
        for old in sorted(folder.glob(f"*{SUFFIX}"), key=lambda path: path.stat().st_mtime)[:-MOST]:
            old.unlink()


def _write_whole(path: Path, content: bytes) -> None:
    """Several processes may start at once, so each has a temporary name of its own."""
    handle, part = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(part).replace(path)
    except OSError:
        Path(part).unlink(missing_ok=True)
        raise
