"""Ctrl-C as a flag between frames."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tracker.interrupt import Interrupt, ignored

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """Ctrl-C is not ignored, as it is in a run that was started in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_breaks_off_what_is_not_held() -> None:
    with pytest.raises(KeyboardInterrupt), Interrupt(threading.Event()):
        press()


def test_what_is_held_goes_on_to_its_end() -> None:
    steps = []
    with Interrupt(threading.Event()) as interrupt:
        with interrupt.held():
            press()
            steps.append("written")
        with pytest.raises(KeyboardInterrupt):
            interrupt.check()
    assert steps == ["written"]


def test_a_second_ctrl_c_insists() -> None:
    insisted = []
    with Interrupt(threading.Event(), lambda: insisted.append(True)) as interrupt, interrupt.held():
        press()
        assert insisted == []
        press()
    assert insisted == [True]


def test_to_insist_ends_the_process() -> None:
    code = "from tracker.interrupt import end_at_once\nend_at_once()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=ROOT)
    assert done.returncode == -signal.SIGINT and done.stderr == b""


def test_the_earlier_handler_comes_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interrupt(threading.Event()):
        assert signal.getsignal(signal.SIGINT) != before
    with ignored():
        press()
    assert signal.getsignal(signal.SIGINT) == before


def test_a_process_that_ignores_ctrl_c_goes_on_ignoring_it() -> None:
    with ignored(), Interrupt(threading.Event()) as interrupt:
        press()
        interrupt.check()
        assert not interrupt.flag.is_set()
