"""Addresses of sources: what of them may be shown and kept. Passwords, tokens and keys are told to nobody."""

import os
import re
from functools import lru_cache
from hashlib import scrypt
from pathlib import Path
from urllib.parse import quote

PASSWORD = "AFFECT_PASSWORD"
"""Environment variable with the password of addresses that name a user and no password."""
HIDDEN = "..."
SCHEME = re.compile(r"([a-z][a-z0-9+.:-]*):/{2,}", re.IGNORECASE)
SLIP = re.compile(r"(https?|rtsps?|rtmp\w*|rtp|udp|tcp|srt|hls|mms\w*|ftps?|sftp):/{0,3}", re.IGNORECASE)
"""An address nevertheless, however many slashes were typed."""
HOST = re.compile(r"(\[[0-9a-f:.%]*\]|[^\s:/@\[\]]*)(:[0-9]{1,5})?", re.IGNORECASE)
KEY = re.compile(
    r"(?=[a-z]*[0-9])(?=[0-9]*[a-z])[a-z0-9]{16,}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE
)
"""Letters and digits at random: what cameras and services have in a path in place of a password."""
IN_TEXT = re.compile(r"[a-z][a-z0-9+.-]*://[^\s'\"<>]*[^\s'\"<>;:,.)\]](\.\.\.)?", re.IGNORECASE)
ABSOLUTE = "/\\"


def is_address(uri: str) -> bool:
    """Whether a source is an address, and no file, glob, camera or "-"."""
    return (SCHEME.match(uri) or SLIP.match(uri)) is not None and not Path(uri).exists()


def normal(uri: str) -> str:
    """The same address with its scheme in small letters, as FFmpeg knows it; anything else as it is."""
    found = SCHEME.match(uri)
    return uri if found is None else f"{found[1].lower()}://{uri[found.end() :]}"


def shown(uri: str) -> str:
    """A source as it may be shown and kept: an address without user, password, token, key and query.

    It keeps scheme, host, port and a path without secrets; what is left out behind them is "...". Where a password may
    reach into the path ("/" or "@" that are not written %2F, %40), it is the scheme alone.
    """
    found = SCHEME.match(uri) or SLIP.match(uri)
    if found is None:
        return uri if "://" not in uri or Path(uri).exists() else HIDDEN
    scheme = found[1].lower()
    rest = _without_user(uri[found.end() :])
    if rest is None:
        return f"{scheme}://{HIDDEN}"
    address, mark, _ = re.split(r"([?#\s]|$)", rest, maxsplit=1)
    host, *parts = address.split("/")
    kept = parts[:1] if scheme.startswith("rtmp") else parts  # behind the application come stream and key
    clean = [KEY.sub(HIDDEN, part) for part in kept]
    for place, part in enumerate(clean):
        if re.search(r"[;=&]|%3d", part, re.IGNORECASE):
            clean, mark = [*clean[:place], HIDDEN], ""
            break
    if len(kept) < len(parts):
        clean, mark = [*clean, HIDDEN], ""
    return "/".join([f"{scheme}://{host}", *clean]) + (f"{mark}{HIDDEN}" if mark == "?" else "")


def shown_in(text: str) -> str:
    """A text of any kind, such as a traceback, with the addresses in it as they may be shown."""
    return IN_TEXT.sub(lambda found: shown(found[0]), text)


@lru_cache(maxsize=4096)
def told_apart(uri: str) -> str:
    """An address as it may be kept, and a digest of all of it, by which another run knows it again.

    The digest is slow to make (scrypt), so that few passwords can be tried on it.
    """
    name = shown(uri)
    return f"{name} ({scrypt(normal(uri).encode(), salt=name.encode(), n=2**14, r=8, p=1, dklen=6).hex()})"


def with_password(uri: str) -> str:
    """The address with the password of the environment variable AFFECT_PASSWORD, where it names a user alone."""
    password = os.environ.get(PASSWORD)
    found = SCHEME.match(uri)
    if not password or found is None:
        return uri
    user, at, rest = uri[found.end() :].partition("@")
    if not at or not user or set(user) & set(":/?#"):
        return uri
    return f"{found[0]}{user}:{quote(password, safe='')}@{rest}"


def without_home(text: str) -> str:
    """A text with ~ in place of the path of the user's home folder, wherever that stands in it."""
    for home in dict.fromkeys((str(Path.home()), os.path.realpath(Path.home()))):
        if len(home) > 1:
            text = re.sub(rf"(?<![\w.~-]){re.escape(home)}(?=[{re.escape(ABSOLUTE)}\s,;:')\"]|$)", "~", text)
    return text


def _without_user(rest: str) -> str | None:
    """What follows the scheme, without user and password; None where it is not clear where these end."""
    if "://" in rest:
        return None
    head, slash, path = rest.partition("/")
    asked = re.split(r"[?#]", head, maxsplit=1)[0]
    _, at, host = head.rpartition("@")
    if at and not (HOST.fullmatch(asked) and ":" not in asked):
        plain = HOST.fullmatch(re.split(r"[?#\s]", host, maxsplit=1)[0])
        ambiguous = HOST.fullmatch(asked) or "@" in re.split(r"[?#]", path, maxsplit=1)[0]
        return None if ambiguous or not plain else host + slash + path
    before = rest.rpartition("@")[0]
    if not HOST.fullmatch(asked) or ":" in re.sub(r"^\[[^\]]*\]", "", before):
        return None
    return rest
