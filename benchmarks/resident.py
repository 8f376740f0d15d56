"""Memory and threads of this process."""

import os
import subprocess
import sys
import threading
from pathlib import Path

STATUS, TASKS = Path("/proc/self/status"), Path("/proc/self/task")


def resident_mb() -> float:
    """Resident memory now, megabytes (10^6 bytes)."""
    if STATUS.exists():
        return _status_mb("VmRSS")
    command = ["ps", "-o", "rss=", "-p", str(os.getpid())]
    return int(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout) * 1024 / 1e6


def peak_mb() -> float:
    """The largest resident memory that this process ever had, megabytes."""
    if STATUS.exists():
        return _status_mb("VmHWM")
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def thread_names() -> list[str]:
    """Python's threads beside the main one."""
    return sorted(thread.name for thread in threading.enumerate() if thread is not threading.main_thread())


def system_threads() -> int | None:
    """Threads as the system counts them, those of the libraries too; None where it does not say."""
    return sum(1 for _ in TASKS.iterdir()) if TASKS.exists() else None


def _status_mb(name: str) -> float:
    line = next(line for line in STATUS.read_text(encoding="utf-8").splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024 / 1e6
