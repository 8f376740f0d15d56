"""What the commands do to the machine: no socket, and no file written but the outputs and the documented caches."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import SAMPLE

ROOT = Path(__file__).parents[1]
KERNELS = ROOT / "tracker" / "__pycache__"
CACHES = (".cache/affect-tracker", ".cache/matplotlib", ".cache/numba", ".config/matplotlib")
"""In the user's home folder, as docs/command-line.md says; the kernels' stands beside the package itself."""
CALL = re.compile(r"^\d+ +(?P<name>\w+)\((?P<rest>.*)\) += (?P<result>-?\d+)(?P<opened><[^>]*>)?")
WRITING = re.compile("O_WRONLY|O_RDWR|O_CREAT|O_TRUNC")
CHANGES = re.compile("creat|(mk|rm)dir|unlink|rename|(sym)?link|truncate|mknod|ch(mod|own)")
NETWORK = re.compile("socket|connect|bind|listen|accept|send|recv")


@dataclass
class Deeds:
    """What a process and its children did: calls of the network, and paths of files that were written, or read."""

    network: list[str] = field(default_factory=list)
    written: set[Path] = field(default_factory=set)
    read: set[Path] = field(default_factory=set)


def by_strace(folder: Path, command: list[str], environment: dict[str, str]) -> Deeds:
    """Every call to the system, also those of libraries in C."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    log = folder / "calls.txt"
    tracer = ["strace", "-f", "-qq", "-y", "-s", "4096", "-e", "signal=none", "-e", "trace=%network,%file", "-o", log]
    done = subprocess.run([*tracer, *command], cwd=folder, env=environment, capture_output=True, text=True, timeout=240)
    if "Operation not permitted" in done.stderr and not log.stat().st_size:
        pytest.skip("strace may not trace here")
    assert done.returncode == 0, done.stderr
    deeds = Deeds()
    for line in log.read_text(errors="replace").splitlines():
        call = CALL.match(line)
        if call is None:
            continue
        if NETWORK.match(call["name"]):
            deeds.network.append(line)
            continue
        if call["result"] == "-1":
            continue
        paths = re.findall(r'"((?:[^"\\]|\\.)*)"', call["rest"])
        if call["opened"]:
            writes = WRITING.search(call["rest"].rpartition('"')[2])
            (deeds.written if writes else deeds.read).add(Path(call["opened"][1:-1].removesuffix("(deleted)")))
        elif CHANGES.match(call["name"]):
            deeds.written |= {folder / path for path in paths}
    return deeds


HOOK = """
import json, os, sys
deeds = {"network": [], "written": [], "read": []}
changes = ("os.mkdir", "os.rmdir", "os.rename", "os.remove", "os.link", "os.symlink", "os.truncate", "os.chmod")

def note(event, arguments):
    if event.startswith("socket.") and event != "socket.gethostname":
        deeds["network"].append(event)
    elif event == "open" and isinstance(arguments[0], (str, bytes)):
        writes = arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        deeds["written" if writes else "read"].append(os.path.abspath(os.fsdecode(arguments[0])))
    elif event in changes:
        paths = [os.fspath(path) for path in arguments if isinstance(path, (str, bytes, os.PathLike))]
        deeds["written"] += [os.path.abspath(os.fsdecode(path)) for path in paths]

sys.addaudithook(note)
from tracker.cli import main
try:
    main(sys.argv[2:])
finally:
    told = json.dumps(deeds)
    with open(sys.argv[1], "w") as file:
        file.write(told)
"""


def by_audit_hook(folder: Path, command: list[str], environment: dict[str, str]) -> Deeds:
    """What Python itself does, where there is no strace."""
    log = folder / "deeds.json"
    hooked = [sys.executable, "-c", HOOK, str(log), *command[3:]]
    done = subprocess.run(hooked, cwd=folder, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    told = json.loads(log.read_text())
    return Deeds(told["network"], set(map(Path, told["written"])), set(map(Path, told["read"])))


@pytest.mark.parametrize(
    "arguments",
    [
        ["track", "CLIP", "-o", "OUT", "--end", "0.4", "--video", "--plot", "--parquet", "--jsonl", "OUT/"],
        ["live", "CLIP", "-o", "OUT", "--headless", "--record", "--duration", "1"],
    ],
    ids=["track", "live"],
)
@pytest.mark.parametrize(
    "tracer",
    [
        pytest.param(by_strace, id="strace"),
        pytest.param(by_audit_hook, id="audit hook", marks=[pytest.mark.slow] if shutil.which("strace") else []),
    ],
)
def test_no_socket_and_no_foreign_file(tmp_path: Path, arguments: list[str], tracer) -> None:
    places = {name: tmp_path / name for name in ("home", "films", "out")}
    for name in ("home", "films"):
        places[name].mkdir()
    clip = shutil.copy(SAMPLE, places["films"] / "clip.mp4")
    private = [places["home"] / "letter.txt", places["films"] / "other.mp4"]
    for path in private:
        path.write_text("private")
    words = [word.replace("CLIP", str(clip)).replace("OUT", str(places["out"])) for word in arguments]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "MPL", "NUMBA"))}
    environment |= {"HOME": str(places["home"]), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    deeds = tracer(tmp_path, [sys.executable, "-m", "tracker.cli", *words], environment)

    assert deeds.network == []
    allowed = [places["out"], KERNELS, Path("/dev/null"), *(places["home"] / cache for cache in CACHES)]
    foreign = {path for path in deeds.written if not any(path.is_relative_to(place) for place in allowed)}
    foreign -= {places["home"] / ".cache", places["home"] / ".config"}
    assert {path for path in foreign if not str(path).startswith("/dev/shm/sem.")} == set()  # locks between threads
    assert places["out"] in {path.parent for path in deeds.written}
    assert not deeds.read & set(private) and (tracer is by_audit_hook or Path(clip) in deeds.read)
    homely = {path for path in deeds.read if path.is_relative_to(places["home"])}
    assert all(any(path.is_relative_to(places["home"] / cache) for cache in CACHES) for path in homely)
