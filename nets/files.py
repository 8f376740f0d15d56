"""Files that are whole or not there."""

from pathlib import Path


def write_whole(path: Path, content: bytes | str) -> None:
    """Write under a temporary name, then rename; OSError where it cannot be, and nothing is left behind."""
    temporary = path.with_name(path.name + ".part")
    try:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
