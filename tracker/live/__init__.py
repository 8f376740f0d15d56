"""A live run: one thread captures, one tracks, the main thread shows the window and hears the keys."""

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial

from tracker.addresses import shown, without_home
from tracker.config import LiveConfig
from tracker.engine import Engine
from tracker.interrupt import Interrupt
from tracker.live.console import ProgressLine, Screen, show_loading
from tracker.live.notices import Notices
from tracker.live.run import Live, LiveReport
from tracker.live.takes import check_takes, live_extras
from tracker.live.window import Window
from tracker.memory import limit_pools, little_to_search
from tracker.neutral import neutral_in
from tracker.outlets import Callback, OutletContext, open_outlets
from tracker.sources.live import LiveSource, open_live
from tracker.types import Tell

__all__ = ["Live", "LiveReport", "opened", "run_live"]

ENDING = tuple(signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if name in signal.Signals.__members__)
"""Signals that end a run in good order."""


def run_live(uri: str = "camera:0", config: LiveConfig | None = None, callbacks: Sequence[Callback] = ()) -> LiveReport:
    """Track a live source until it ends, its user ends it (q, Ctrl-C, SIGTERM), or config.duration is over.

    Each callback is called with the newest tracked frame by a thread of its own: a slow one misses frames. What ended
    the run early stands in the report's error; recordings are complete in any case. Raises AffectError for what cannot
    be opened at all, a recording that was asked for included. A callback's picture is read only: who draws, copies.
    """
    config, notices = config or LiveConfig(), Notices()
    check_takes(config)
    with ExitStack() as stack:
        title = f"affect live {shown(uri)}"
        window = None if config.headless else stack.enter_context(closing(Window(title)))
        loading = partial(show_loading, window, shown(uri), config.model) if window else None
        live = stack.enter_context(opened(uri, config, callbacks, notices, loading))
        _attend(live, Screen(live, window) if window else stack.enter_context(closing(ProgressLine(live))))
    return live.report()


@contextmanager
def opened(
    uri: str,
    config: LiveConfig,
    callbacks: Sequence[Callback] = (),
    notices: Notices | None = None,
    loading: Tell | None = None,
) -> Iterator[Live]:
    """A live run that may start, and ends with the block; whoever uses it looks when it is over. Raises AffectError.

    loading is told what is loaded next, such as "the model".
    """
    check_takes(config)
    limit_pools()
    notices, loading = notices or Notices(), loading or _say_nothing
    with ExitStack() as stack:
        loading("the source")
        source = stack.enter_context(open_live(uri, config.capture, notices.tell))
        loading("the model")
        engine = stack.enter_context(Engine(config.model, config.tracker))
        engine.warm_up(source.info.height, source.info.width)
        if engine.codes and config.tracker.neutral:
            engine.codes.given = {None: neutral_in(engine, config.tracker.neutral)}
        stack.enter_context(little_to_search())
        outlets = open_outlets(config.outlets, _outlet_context(source, config, engine), callbacks, notices.tell)
        for outlet in outlets:
            stack.callback(outlet.close)
        yield Live(config, source, engine, outlets, notices)


def _say_nothing(_: str) -> None:
    """Nobody waits for it."""


def _attend(live: Live, view: Screen | ProgressLine) -> None:
    """Run until the source, the user, a signal or the clock ends it."""
    asked = threading.Event()
    with Interrupt(asked, signals=ENDING) as interrupt, interrupt.held():
        live.start()
        try:
            while not (live.is_over or asked.is_set() or view.wants_end):
                view.step()
        finally:
            live.tracking.stop()


def _outlet_context(source: LiveSource, config: LiveConfig, engine: Engine) -> OutletContext:
    card, tracker = engine.runtime.card, config.tracker
    return OutletContext(
        source=without_home(source.info.uri),
        model=card.name,
        sha256=card.sha256,
        faces=tracker.faces,
        max_gap_s=tracker.max_gap_s,
        columns=config.output.columns,
        extras=live_extras(config, engine.told),
        readings=engine.reading_names,
    )
