"""HOST:PORT, and the sockets behind it."""

import re
import socket

from tracker.errors import SinkError, UsageError
from tracker.outlets.outlet import in_words

LOOPBACK = "127.0.0.1"
FORM = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]*):(?P<port>[0-9]{1,5})")
SEND_BYTES = 32 << 10
"""What the system may hold back for a client that does not read: about 30 frames, so that what it reads is new."""


def parse_address(text: str, receiver: str, lowest: int = 1) -> tuple[str, int]:
    """Host and port of HOST:PORT or :PORT (loopback); raises UsageError that names the receiver ("WebSocket")."""
    found = FORM.fullmatch(text)
    if found is None or not lowest <= int(found["port"]) <= 65535:
        raise UsageError(f"the {receiver} address is '{text}'; expected HOST:PORT, such as {LOOPBACK}:8765, or :8765")
    return found["host"].strip("[]") or LOOPBACK, int(found["port"])


def written(host: str, port: int) -> str:
    """HOST:PORT."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def listening(host: str, port: int) -> socket.socket:
    """A TCP socket that listens there (port 0: a free one); raises SinkError."""
    try:
        family, address = _resolve(host, port, socket.SOCK_STREAM)
        listener = socket.create_server(address, family=family)
    except (OSError, UnicodeError) as error:
        told = f"cannot serve at {written(host, port)}: {in_words(error)}; choose a port that is free on this machine"
        raise SinkError(told) from error
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
    return listener


def datagrams(host: str, port: int) -> socket.socket:
    """A UDP socket that sends there and never blocks; raises SinkError."""
    try:
        family, address = _resolve(host, port, socket.SOCK_DGRAM)
        sender = socket.socket(family, socket.SOCK_DGRAM)
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sender.connect(address)
    except (OSError, UnicodeError) as error:
        told = f"cannot send to {written(host, port)}: {in_words(error)}; check the host's name and the network"
        raise SinkError(told) from error
    sender.setblocking(False)
    return sender


def _resolve(host: str, port: int, kind: socket.SocketKind) -> tuple[socket.AddressFamily, tuple]:
    """Family and address of a host, IPv4 first: "localhost" is then what most clients mean. OSError, UnicodeError."""
    found = socket.getaddrinfo(host, port, type=kind)
    family, *_, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    return family, address
