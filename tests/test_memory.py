"""Python's garbage search and glibc's pools of memory, while a live run goes on."""

import gc
import platform
import subprocess
import sys
import weakref
from pathlib import Path

import pytest

from tracker.config import LiveConfig
from tracker.live import run_live
from tracker.memory import POOLS, little_to_search

THREADS = 12
SCRIPT = f"""
import ctypes, ctypes.util, threading
from tracker.memory import limit_pools
libc = ctypes.CDLL(None)
libc.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]
libc.fopen.restype = ctypes.c_void_p
libc.fclose.argtypes = [ctypes.c_void_p]
libc.malloc.restype = ctypes.c_void_p
CALL
together = threading.Barrier({THREADS})
def work():
    together.wait()
    kept.append([libc.malloc(5000) for _ in range(20)])
    together.wait()
kept = []
threads = [threading.Thread(target=work) for _ in range({THREADS})]
[t.start() for t in threads]
[t.join() for t in threads]
file = libc.fopen(PATH, b"w")
libc.malloc_info(0, file)
libc.fclose(file)
"""
"""Writes glibc's account of its pools after several threads have each taken memory."""


class Node:
    """Refers to itself."""

    def __init__(self) -> None:
        self.own = self


def test_what_was_there_is_not_searched_and_what_comes_is() -> None:
    gc.collect()
    before = gc.get_freeze_count()
    with little_to_search():
        assert gc.get_freeze_count() > before + 10_000
        gone = weakref.ref(Node())
        gc.collect()
        assert gone() is None
    assert gc.get_freeze_count() == 0


def test_a_live_run_does_so_and_ends_it(sample_clip: Path) -> None:
    counts: list[int] = []
    report = run_live(
        str(sample_clip), LiveConfig(headless=True, duration=0.3), [lambda _: counts.append(gc.get_freeze_count())]
    )
    assert report.error is None and min(counts) > 10_000
    assert gc.get_freeze_count() == 0


def pools(call: str, path: Path) -> int:
    """As many as glibc has in a fresh process of 12 threads."""
    script = SCRIPT.replace("CALL", call).replace("PATH", repr(str(path).encode()))
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[1])
    return path.read_text().count("<heap nr=")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="pools are glibc's")
def test_threads_share_the_pools(tmp_path: Path) -> None:
    assert pools("limit_pools()", tmp_path / "limited.xml") == POOLS
    assert pools("", tmp_path / "as they come.xml") > POOLS
