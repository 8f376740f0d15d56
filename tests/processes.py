"""Commands that run as processes of their own."""

import subprocess
from concurrent.futures import ThreadPoolExecutor

SECONDS = 240
"""Longest that a process may take to end on a busy machine."""


def rest_of(process: subprocess.Popen) -> tuple[str, str]:
    """What the process still writes to both pipes, once lines were read from it.

    communicate() reads past the pipe's own buffer, and so loses what readline() had read ahead.
    """
    assert process.stdout and process.stderr
    with ThreadPoolExecutor(1) as aside:
        errors = aside.submit(process.stderr.read)
        rest = process.stdout.read()
    process.wait(SECONDS)
    return rest, errors.result()
