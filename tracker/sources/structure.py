"""Whether a file's structure shows that it is whole: a duration in a header may be out of date, or a guess."""

from pathlib import Path
from typing import BinaryIO

ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
ASF_HEADER_BYTES = 1 << 16
SLACK_BYTES = 64
"""So many bytes may be missing: some writers err in their sizes."""
EBML, SEGMENT = bytes.fromhex("1a45dfa3"), bytes.fromhex("18538067")


def is_whole(path: Path, container: str) -> bool | None:
    """False where the end of the file is missing; None where the structure does not tell, as of most containers."""
    test = {"flv": _flv, "avi": _avi, "asf": _asf, "matroska,webm": _matroska}.get(container)
    if test is None or not path.is_file():
        return None
    with path.open("rb") as file:
        return test(file, path.stat().st_size)


def _flv(file: BinaryIO, size: int) -> bool | None:
    """Ends behind a whole tag: its type, the size of its data (3 bytes), 7 bytes, the data, and 4 bytes of its size.

    Recorders that crash leave whole tags under a header without a duration; a copy that broke off ends in the middle.
    """
    file.seek(max(0, size - 4))
    tag = int.from_bytes(file.read(4), "big")
    if not 11 <= tag <= size - 4:
        return None
    file.seek(size - 4 - tag)
    is_tag = file.read(1)[0] & 0x1F in (8, 9, 18) and int.from_bytes(file.read(3), "big") + 11 == tag
    return True if is_tag else None


def _avi(file: BinaryIO, size: int) -> bool | None:
    """Its RIFF chunks (a name, and the size of what follows, made even) fill it; a recorder that crashed leaves size 0.

    FFmpeg tells nothing of frames that were dropped at the end.
    """
    place = 0
    while place < size:
        file.seek(place)
        name, length = file.read(4), int.from_bytes(file.read(4), "little")
        if name != b"RIFF" or not length:
            return None
        place += 8 + length + length % 2
    return place <= size + SLACK_BYTES


def _asf(file: BinaryIO, size: int) -> bool | None:
    """Is as long as its properties say: 16 bytes of a name, 8 and 16 others, and the file's size; 0 in a broadcast."""
    header = file.read(ASF_HEADER_BYTES)
    place = header.find(ASF_PROPERTIES)
    declared = int.from_bytes(header[place + 40 : place + 48], "little") if place >= 0 else 0
    return size + SLACK_BYTES >= declared if declared else None


def _matroska(file: BinaryIO, size: int) -> bool | None:
    """Its header and its segment (4 bytes of a name, the size of what follows) fill it; a stream has no such size.

    The first byte of a size tells by its leading zeros how many follow; all other bits set mean that it is not known.
    """
    place = 0
    for name in (EBML, SEGMENT):
        file.seek(place)
        head = file.read(12)
        count = 9 - head[4].bit_length() if len(head) == 12 else 9
        length = int.from_bytes(head[4 : 4 + count], "big") & (1 << 7 * count) - 1
        if head[:4] != name or count > 8 or length == (1 << 7 * count) - 1:
            return None
        place += 4 + count + length
    return place <= size + SLACK_BYTES
