"""A WebSocket server: one thread for all clients, a mailbox for each, so that one that hangs loses its own alone."""

import asyncio
import ipaddress
import logging
import re
import secrets
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from tracker.errors import UsageError
from tracker.outlets.address import listening, parse_address, written
from tracker.outlets.mailbox import Mailbox
from tracker.outlets.messages import Fields, event_message, frame_message, hello_message, text_of
from tracker.outlets.outlet import Outlet, OutletContext, OutletState
from tracker.types import Event, Tell, TrackedFrame

CLIENT_ROOM = 8
"""Frames that may wait for a client: a quarter of a second, since one that is slow should rather see what is new."""
OPEN_S = 3.0
"""For a client to say what it wants."""
FLUSH_S, PARTING_S, JOIN_S = 0.3, 0.2, 0.7
"""At the end: for the clients to take the rest, then to say good-bye, and for both together."""
SMALL = 4096
"""Bytes: the longest message heard of a client, and what may wait for it beside its mailbox."""
LOCAL_PAGES = (None, "file://", re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?"))
"""Who may listen whatever the address: programs, and pages of this machine; a browser asks on behalf of any page."""
MOST_CLIENTS = 32
SHORTEST_TOKEN = 8
TOKEN = re.compile(rf"[A-Za-z0-9._~-]{{{SHORTEST_TOKEN},}}")
ORIGIN = re.compile(r"null|[a-z][a-z0-9+.-]*://[^\s/?#@]*", re.IGNORECASE)

LOG = logging.getLogger(__name__)
LOG.addHandler(logging.NullHandler())
LOG.propagate = False


class WebSocketOutlet(Outlet):
    """Sends each frame and event to every client as JSON; a client is first told of the run. Raises SinkError.

    Pages of other origins than this machine's and `origins` are refused. Where there is a token, a client has to bring
    it; beyond loopback there is always one, made anew where none is given, and `tell` hears of it.
    """

    def __init__(
        self,
        address: str,
        context: OutletContext,
        tell: Tell | None = None,
        origins: Sequence[str] = (),
        token: str | None = None,
    ) -> None:
        host, port = parse_address(address, "WebSocket", lowest=0)
        _check_access(origins, token)
        listener = listening(host, port)
        place = written(host, listener.getsockname()[1])
        if not _is_loopback(listener):
            token = token or secrets.token_urlsafe(16)
            if tell is not None:
                way = f"clients connect by ws://HOST:{listener.getsockname()[1]}/?token={token}"
                tell(f"warning: --ws {place} can be reached from the network, and nothing of it is encrypted; {way}")
        self._fields = Fields(context.extras)
        self._server = Server(listener, text_of(hello_message(context)), (*LOCAL_PAGES, *origins), token)
        super().__init__(f"ws {place}", tell)

    def state(self) -> OutletState:
        """How it fares just now."""
        own, server = super().state(), self._server
        return replace(own, sent=server.sent, lost=own.lost + server.lost, clients=server.clients)

    def _hand_frame(self, tracked: TrackedFrame) -> None:
        if self._server.clients:
            self._server.post(text_of(frame_message(tracked, self._fields)))

    def _hand_event(self, event: Event) -> None:
        self._server.post(text_of(event_message(event)), keep=True)

    def _release(self) -> None:
        self._server.close()


class Client:
    """One connection and what waits for it; used in the server's thread alone."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection
        self._fresh = asyncio.Event()
        self.mailbox: Mailbox[str] = Mailbox(CLIENT_ROOM)
        self.sent = 0
        self.feeding = asyncio.create_task(self._feed())

    def post(self, text: str, keep: bool) -> None:
        """Add a message."""
        self.mailbox.put(text, keep)
        self._fresh.set()

    def close(self) -> None:
        """Feed it what is left, and no more."""
        self.mailbox.close()
        self._fresh.set()

    async def _feed(self) -> None:
        with suppress(ConnectionClosed):
            while (text := await self._next()) is not None:
                await self._connection.send(text)
                self.sent += 1

    async def _next(self) -> str | None:
        while (text := self.mailbox.take(0)) is None and not self.mailbox.closed:
            self._fresh.clear()
            await self._fresh.wait()
        return text


class Server:
    """Serves a listening socket in a thread of its own until close()."""

    def __init__(self, listener: socket.socket, hello: str, origins: Sequence[Any], token: str | None) -> None:
        self._hello = hello
        self._token = token
        self._attended = 0
        self._clients: set[Client] = set()
        self._gone_sent = self._gone_lost = 0
        self._closing = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._run, args=(listener, origins), daemon=True)
        self._thread.start()

    @property
    def clients(self) -> int:
        """Those connected now."""
        return len(self._clients)

    @property
    def sent(self) -> int:
        """Messages sent, over all clients."""
        return self._gone_sent + sum(client.sent for client in tuple(self._clients))

    @property
    def lost(self) -> int:
        """Messages that gave way to newer ones, over all clients."""
        return self._gone_lost + sum(client.mailbox.lost for client in tuple(self._clients))

    def post(self, text: str, keep: bool = False) -> None:
        """Send a message to all clients, newest wins unless it is to be kept; never blocks."""
        self._loop.call_soon_threadsafe(self._share, text, keep)

    def close(self) -> None:
        """Send what is left, part from the clients, and end, in less than a second."""
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(JOIN_S)

    def _share(self, text: str, keep: bool) -> None:
        for client in self._clients:
            client.post(text, keep)

    def _run(self, listener: socket.socket, origins: Sequence[Any]) -> None:
        self._loop.run_until_complete(self._serve(listener, origins))
        self._loop.close()

    async def _serve(self, listener: socket.socket, origins: Sequence[Any]) -> None:
        async with serve(
            self._attend,
            sock=listener,
            origins=origins,
            process_request=self._refusal,
            compression=None,
            open_timeout=OPEN_S,
            close_timeout=PARTING_S,
            max_size=SMALL,
            write_limit=SMALL,
            logger=LOG,
        ):
            await self._closing.wait()
            for client in self._clients:
                client.close()
            if self._clients:
                await asyncio.wait([client.feeding for client in self._clients], timeout=FLUSH_S)

    def _refusal(self, connection: ServerConnection, request: Request) -> Response | None:
        """Why a client may not connect; None where it may, if its origin is right too."""
        if self._token is not None and not _brings(self._token, request):
            return connection.respond(HTTPStatus.UNAUTHORIZED, "the token is missing or wrong: /?token=TOKEN\n")
        if self._attended >= MOST_CLIENTS:
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, f"there are {MOST_CLIENTS} clients already\n")
        return None

    async def _attend(self, connection: ServerConnection) -> None:
        """Feed one client until it goes; what it says is not heard."""
        if self._attended >= MOST_CLIENTS:  # others came between its asking and this
            await connection.close(CloseCode.TRY_AGAIN_LATER)
            return
        self._attended += 1
        try:
            await self._feed(connection)
        finally:
            self._attended -= 1

    async def _feed(self, connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            await connection.send(self._hello)
            client = Client(connection)
            self._clients.add(client)
            try:
                async for _ in connection:
                    pass
            finally:
                self._part(client)

    def _part(self, client: Client) -> None:
        client.feeding.cancel()
        client.mailbox.close(discard=self._closing.is_set())
        self._clients.remove(client)
        self._gone_sent += client.sent
        self._gone_lost += client.mailbox.lost


def _brings(token: str, request: Request) -> bool:
    """Whether a request has the token, in its address or as its bearer's."""
    given = parse_qs(urlsplit(request.path).query).get("token", [""])[0]
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    given = bearer.strip() if scheme.lower() == "bearer" else given
    return secrets.compare_digest(given.encode("utf-8", "replace"), token.encode("utf-8", "replace"))


def _check_access(origins: Sequence[str], token: str | None) -> None:
    """Raise UsageError for origins that no browser names, and for tokens that can be guessed or do not fit a URL."""
    for origin in origins:
        if not ORIGIN.fullmatch(origin):
            raise UsageError(
                f"--ws-origin is '{origin}'; expected one as browsers name it, such as https://example.org"
            )
    if token is not None and not TOKEN.fullmatch(token):
        raise UsageError(
            f"--ws-token has {len(token)} characters; expected {SHORTEST_TOKEN} or more of letters, digits, - . _ ~"
        )


def _is_loopback(listener: socket.socket) -> bool:
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback
