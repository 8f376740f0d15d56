"""The window, on a real display of its own (Xvfb) with real keys (xdotool), each in a process that may be lost."""

import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from tracker.errors import SinkError
from tracker.live.window import Window, png

ROOT = Path(__file__).parents[1]
WAIT_S = 30.0
START = """
import sys, time
import numpy as np
from tracker.live.window import Window
window = Window("affect live")
image = np.zeros((300, 400, 3), np.uint8)
image[:, :200], image[:, 200:] = (200, 30, 60), (10, 120, 250)
def shown(seconds, end=lambda: False):
    until = time.monotonic() + seconds
    while time.monotonic() < until and not window.closed and not end():
        window.show(image)
        if (key := window.key(10)) is not None:
            yield key
"""


@dataclass(frozen=True)
class Display:
    """A running Xvfb."""

    name: str
    screen: Path
    """Its picture, in the format of xwd."""

    def python(self, code: str) -> subprocess.Popen[str]:
        """Start Python code on this display."""
        command = [sys.executable, "-c", START + code]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "DISPLAY": self.name}, text=True, **pipes)

    def run(self, code: str) -> str:
        """Run code to its end; what it printed. Nothing may be on standard error."""
        out, said = self.python(code).communicate(timeout=WAIT_S)
        assert said == ""
        return out

    def xdotool(self, *arguments: str) -> str:
        """Call xdotool on this display."""
        if not shutil.which("xdotool"):
            pytest.skip("needs xdotool, to press keys")
        command = ["xdotool", *arguments]
        return subprocess.run(command, env={**os.environ, "DISPLAY": self.name}, capture_output=True, text=True).stdout

    def picture(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB: what is on the screen."""
        data = self.screen.read_bytes()
        head = struct.unpack(">25I", data[:100])
        start, width, height, stride = head[0] + 12 * head[19], head[4], head[5], head[12]
        rows = np.frombuffer(data, np.uint8, height * stride, start).reshape(height, stride)
        return rows[:, : 4 * width].reshape(height, width, 4)[..., 2::-1]


@pytest.fixture(scope="module")
def display(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Display]:
    """A display that nobody else has."""
    if not (xvfb := shutil.which("Xvfb")):
        pytest.skip("needs Xvfb, a display without a screen")
    folder = tmp_path_factory.mktemp("screen")
    command = [
        xvfb,
        "-displayfd",
        "1",
        "-screen",
        "0",
        "800x600x24",
        "-fbdir",
        str(folder),
        "-nolisten",
        "tcp",
        "-noreset",
    ]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert server.stdout is not None
    number = server.stdout.readline().strip()
    if not number:
        server.wait(WAIT_S)
        pytest.skip("Xvfb does not start here")
    yield Display(f":{number}", folder / "Xvfb_screen0")
    server.terminate()
    server.wait(WAIT_S)


def happens(wanted: Callable[[], bool], seconds: float) -> bool:
    """Whether it comes true in time."""
    until = time.monotonic() + seconds
    while not (true := wanted()) and time.monotonic() < until:
        time.sleep(0.05)
    return true


def is_shown(display: Display) -> bool:
    """Whether both halves of START's image are on the screen, each pixel of them."""
    screen = display.picture()
    return all((screen == colour).all(2).sum() == 60_000 for colour in ((200, 30, 60), (10, 120, 250)))


@contextmanager
def opened(display: Display, code: str) -> Iterator[subprocess.Popen[str]]:
    """Code that shows START's image, once that is on the screen.

    Without a window manager one window in ten stays black: Qt has then missed that it was mapped. So it may try again.
    """
    for _ in range(5):
        running = display.python(code)
        try:
            if happens(lambda: is_shown(display), 8.0):
                yield running
                return
        finally:
            running.kill()
            running.communicate()
    raise AssertionError("five windows were opened, and none has shown its picture")


def test_the_picture_is_on_the_screen(display):
    with opened(display, "for _ in shown(60): pass") as running:
        assert running.poll() is None


def test_keys_arrive_and_others_do_not(display):
    pressed = {"q": "q", "Escape": "q", "space": " ", "x": "", "Left": "", "Up": "", "Down": "", "F1": "", "R": "r"}
    pressed |= {"n": "n", "m": "m", "s": "s", "1": "", "h": "h"}
    code = """
for key in shown(25):
    print(key, flush=True)
    if key == "h":
        break
"""
    with opened(display, code) as running:
        display.xdotool("mousemove", "100", "100")  # without a window manager, keys go to what is under the pointer
        for key, heard in pressed.items():
            time.sleep(0.1)
            display.xdotool("key", key)
            assert not heard or running.stdout.readline() == f"{heard}\n"
        assert running.communicate(timeout=WAIT_S) == ("", "")


def test_a_window_that_the_user_closed_stays_closed(display):
    code = """
import cv2
list(shown(0.3))
print(window.closed)
cv2.destroyWindow("affect live")
window.key(1)
print(window.closed)
window.show(image)
print(window.closed, window.key(1))
window.close()
"""
    assert display.run(code).split() == ["False", "True", "True", "None"]


def test_it_can_be_closed_and_opened_again(display):
    code = """
list(shown(0.3))
window.close()
window.close()
print(window.closed)
window = Window("affect live")
list(shown(0.3))
print(window.closed)
"""
    assert display.run(code).split() == ["True", "False"]


def test_without_a_display_one_line_says_so(monkeypatch):
    if not sys.platform.startswith("linux"):
        pytest.skip("elsewhere there is always a display")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(
        SinkError, match=r"no window .*: there is no display \(DISPLAY is not set\); run with --headless"
    ):
        Window("affect live")


@pytest.mark.parametrize(
    ("variables", "named"),
    [({"DISPLAY": ":7654"}, "display :7654"), ({"WAYLAND_DISPLAY": "none"}, r"X11 \(DISPLAY is not set\)")],
)
def test_a_display_that_does_not_answer_ends_nothing(variables, named, monkeypatch):
    if not sys.platform.startswith("linux") or "QT" not in cv2.currentUIFramework():
        pytest.skip("needs OpenCV with Qt, on Linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SinkError, match=f"no window can be opened: {named} does not answer.*run with --headless"):
        Window("affect live")


@pytest.mark.parametrize(
    ("trial", "said"),
    [
        (
            "raise RuntimeError('no windows in this build')",
            "do not start here: RuntimeError: no windows in this build;",
        ),
        (f"import os; os.kill(os.getpid(), {int(signal.SIGABRT)})", "do not start here: it gives no reason;"),
        ("import time; time.sleep(60)", "has not answered for 1 s;"),
    ],
)
def test_whatever_keeps_windows_from_opening_is_said(trial, said, monkeypatch):
    if not sys.platform.startswith("linux"):
        pytest.skip("elsewhere nothing is tried beforehand")
    monkeypatch.setattr("tracker.live.window.TRIAL", trial)
    monkeypatch.setattr("tracker.live.window.TRIAL_S", 1.0)
    monkeypatch.setenv("DISPLAY", ":7654")
    with pytest.raises(SinkError, match=said):
        Window("affect live")


def test_a_screenshot_is_the_picture_itself():
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    read = cv2.imdecode(np.frombuffer(png(image), np.uint8), cv2.IMREAD_COLOR)
    assert (cv2.cvtColor(read, cv2.COLOR_BGR2RGB) == image).all()
