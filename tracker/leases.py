"""Leases: one run at a time writes an output, on a shared folder too. A small lock file that its holder keeps alive.

The lock of NAME is .NAME.lock beside it. It appears whole (a link to a written file), exists once, and its time of
change moves every BEAT_S. A lock whose holder died on this machine is taken over at once, one from elsewhere when it
was still for STALE_S; this is measured by the watcher's own clock, so clocks need not agree.
"""

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tracker.errors import SinkError

BEAT_S = 1.0
STALE_S = 8.0
LOOK_S = 0.2
"""Seconds between two looks at a lock."""
RESERVE_BYTES = 1 << 16
"""Held by the lock on the disk until give_back(), so that the sheet finds room on a full one."""


@dataclass(frozen=True)
class Holder:
    """Who holds a lease, as its lock file says."""

    token: str
    host: str
    pid: int
    born: str
    """Start of the process, so that another of the same number is not taken for it."""
    purpose: str
    """What makes two runs the same: they may wait for one another."""

    @property
    def told(self) -> str:
        """For a message: the process and its machine."""
        return f"process {self.pid} on {self.host.partition('/')[0]}"

    @property
    def dead(self) -> bool:
        """Whether the holder is known to have ended; only a process of this machine is."""
        return self.host == _host() and _born(self.pid) != self.born

    @property
    def known_alive(self) -> bool:
        """Whether the holder is a process of this machine that lives."""
        return self.host == _host() and _born(self.pid) == self.born


class Held(Exception):
    """Another run holds the lease."""

    def __init__(self, holder: Holder) -> None:
        super().__init__(holder.told)
        self.holder = holder


class Lease:
    """The right to write one output, kept alive by a thread until release()."""

    def __init__(self, target: Path, purpose: str) -> None:
        """Take the lease, or raise Held; SinkError where the folder cannot be written."""
        self.target = target
        self._lock = lock_path(target)
        self._holder = Holder(uuid.uuid4().hex[:12], _host(), os.getpid(), _born(os.getpid()), purpose)
        try:
            while not self._create():
                seen = _read(self._lock)
                if seen is not None and is_held(target):
                    raise Held(seen)
                if seen is not None:
                    self._take_over(seen)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise SinkError(f"cannot write {self._lock}: {reason}; choose another output folder") from error
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise SinkError where another run took the lease, because this one was still for too long."""
        seen = _read(self._lock)
        if seen is None or seen.token != self._holder.token:
            raise SinkError(
                f"{self.target.name} was taken over by another run while this one stood still; run it again"
            )

    def give_back(self) -> None:
        """Free what the lock reserved of the disk."""
        with contextlib.suppress(OSError):
            os.truncate(self._lock, len(self._text()))

    def release(self) -> None:
        """Remove the lock if it is still this run's; never raises."""
        self._ended.set()
        self._thread.join()
        with contextlib.suppress(OSError):
            seen = _read(self._lock)
            if seen is not None and seen.token == self._holder.token:
                self._lock.unlink()

    def _text(self) -> bytes:
        return json.dumps(vars(self._holder)).encode() + b"\n"

    def _create(self) -> bool:
        """Make the lock with what it says, both or nothing; False where there is one."""
        draft = self._lock.with_name(f"{self._lock.name}.{self._holder.token}")
        try:
            draft.write_bytes(self._text().ljust(RESERVE_BYTES))
            os.link(draft, self._lock)
        except FileExistsError:
            return False
        except OSError:
            if not draft.exists():
                raise
            return self._create_without_links()
        finally:
            draft.unlink(missing_ok=True)
        return True

    def _create_without_links(self) -> bool:
        """On a file system that has no hard links, a reader may see the lock before its text, and waits for that."""
        try:
            with self._lock.open("xb") as file:
                file.write(self._text().ljust(RESERVE_BYTES))
        except FileExistsError:
            return False
        return True

    def _take_over(self, stale: Holder) -> None:
        """Remove the lock of a dead run. One that came in its place meanwhile is put back."""
        aside = self._lock.with_name(f"{self._lock.name}.{self._holder.token}")
        with contextlib.suppress(FileNotFoundError, FileExistsError):
            self._lock.rename(aside)
            moved = _read(aside)
            if moved is not None and moved.token != stale.token:
                os.link(aside, self._lock)
        aside.unlink(missing_ok=True)

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_S):
            with contextlib.suppress(OSError, SinkError):
                self.check()
                os.utime(self._lock)


def lock_path(target: Path) -> Path:
    """Where the lock of an output lies."""
    return target.with_name(f".{target.name}.lock")


def is_held(target: Path) -> bool:
    """Whether a run that lives holds the lease of this output."""
    return bool(held([target]))


def held(targets: Iterable[Path]) -> set[Path]:
    """Those outputs whose leases runs that live hold. Locks of other machines are watched together, up to STALE_S."""
    living, still = set(), {}
    for target in targets:
        seen = _read(lock_path(target))
        if seen is not None and seen.known_alive:
            living.add(target)
        elif seen is not None and not seen.dead:
            still[target] = _changed(lock_path(target))
    deadline = time.monotonic() + STALE_S
    while still and time.monotonic() < deadline:
        time.sleep(LOOK_S)
        beating = {target for target, first in still.items() if _changed(lock_path(target)) != first}
        living |= beating
        still = {target: first for target, first in still.items() if target not in beating}
    return living


def _read(lock: Path) -> Holder | None:
    """Who holds a lock; None where there is none. A lock whose text does not come is held by nobody known."""
    deadline = time.monotonic() + LOOK_S
    while True:
        try:
            return Holder(**json.loads(lock.read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            if time.monotonic() > deadline:
                return Holder("", "", 0, "", "")
            time.sleep(LOOK_S / 10)


def _changed(lock: Path) -> int | None:
    """Time of change, nanoseconds, by an open file: a network folder answers a stat from its memory."""
    try:
        with lock.open("rb") as file:
            return os.fstat(file.fileno()).st_mtime_ns
    except OSError:
        return None


def _host() -> str:
    """This machine and, in containers, its own numbers of processes."""
    try:
        space = os.readlink("/proc/self/ns/pid")  # noqa: PTH115
    except OSError:
        space = ""
    return f"{socket.gethostname()}/{space}"


def _born(pid: int) -> str:
    """When a process of this machine began, in ticks since the boot; "" where there is none, "?" where nobody tells."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return "" if text.rpartition(")")[2].split()[0] in "ZX" else text.rpartition(")")[2].split()[19]
    except OSError:
        pass
    if os.name == "nt" or Path("/proc/self/stat").exists():
        return "" if os.name != "nt" else "?"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "?"
