"""Outlets: receivers of a live run, any number at once; none of them can delay the tracker."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial

from tracker.config import OutletConfig
from tracker.errors import SinkError
from tracker.outlets.outlet import Outlet, OutletContext, OutletState
from tracker.types import Tell, TrackedFrame

__all__ = ["Callback", "Outlet", "OutletContext", "OutletState", "open_outlets"]

Callback = Callable[[TrackedFrame], None]


def open_outlets(
    config: OutletConfig, context: OutletContext, callbacks: Sequence[Callback] = (), tell: Tell | None = None
) -> list[Outlet]:
    """Open what is configured, and one outlet for each callback; all or none.

    Raises UsageError for what is no HOST:PORT, SinkError for what cannot be opened (a port that is in use), and
    ModuleNotFoundError where a receiver's library is not installed.
    """
    openers: dict[str, Callable[..., Outlet]] = {
        "stdout": _open_stdout,
        "ws": partial(_open_ws, config),
        "osc": _open_osc,
        "lsl": _open_lsl,
    }
    chosen = ((openers[kind], getattr(config, kind)) for kind in openers)
    wanted = [partial(opener, choice) for opener, choice in chosen if choice not in (None, False)]
    wanted += [partial(_open_callback, callback) for callback in callbacks]
    opened: list[Outlet] = []
    with ExitStack() as stack:
        for open_one in wanted:
            opened.append(open_one(context, tell))
            stack.callback(opened[-1].close)
        stack.pop_all()
    return opened


def _open_stdout(_: bool, context: OutletContext, tell: Tell | None) -> Outlet:
    from tracker.outlets.standard_output import StdoutOutlet

    return StdoutOutlet(context, tell)


def _open_ws(config: OutletConfig, address: str, context: OutletContext, tell: Tell | None) -> Outlet:
    from tracker.outlets.websocket import WebSocketOutlet

    return WebSocketOutlet(address, context, tell, config.ws_origins, config.ws_token)


def _open_osc(address: str, context: OutletContext, tell: Tell | None) -> Outlet:
    from tracker.outlets.osc import OscOutlet

    return OscOutlet(address, context, tell)


def _open_lsl(name: str, context: OutletContext, tell: Tell | None) -> Outlet:
    try:
        from tracker.outlets.lsl import LslOutlet
    except RuntimeError as error:
        told = "LSL cannot be used: pylsl finds no liblsl; most of its wheels bring it: pip install --upgrade pylsl"
        raise SinkError(told) from error

    return LslOutlet(name, context, tell)


def _open_callback(callback: Callback, _: OutletContext, tell: Tell | None) -> Outlet:
    from tracker.outlets.callback import CallbackOutlet

    return CallbackOutlet(callback, tell)
