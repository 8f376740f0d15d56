"""Many machines that share a folder, without video: what claims, leases, sheets and the manifest cost; are they safe?

A thread stands for a machine with one process: for the leases it is a host of its own, so that a dead one is known by
its silence alone. Where it dies, its lock stays, its heart stops, and another machine comes in its place.
"""

import multiprocessing
import random
import resource
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from benchmarks.report import markdown
from tracker import leases
from tracker.config import BatchConfig, OutputConfig
from tracker.interrupt import Interrupt
from tracker.leases import Lease
from tracker.manifest import begin_manifest, read_manifest
from tracker.outputs import SHEET, Job, begin, claim, names_of, read_sheet, shard_of
from tracker.recording import Recorder
from tracker.sheets import Outcome, Tally, outcome_of
from tracker.sinks import write_meta
from tracker.types import SourceReport

MODELS = {"model": "0" * 64}
PROCESSES = 2
WORK_S = 0.2
"""Seconds that a machine holds a source."""
here = threading.local()
"""Which machine a thread stands for."""


@dataclass(frozen=True)
class Account:
    """What one process of the simulation saw."""

    done: Counter[str]
    deaths: int
    claimed_s: float
    """Processor time of the claims."""
    processor_s: float
    peak_mb: float


@dataclass(frozen=True)
class Simulation:
    """What came of it."""

    sources: int
    machines: int
    accounts: Sequence[Account]
    lines: int
    """Of the manifest, but for those of the run."""
    noted: int
    """Sources that the manifest has as done."""
    complete: int
    """Sheets that tell of a complete run."""
    seconds: float
    manifest_mb: float

    @property
    def done(self) -> Counter[str]:
        """How often each source was done."""
        return sum((account.done for account in self.accounts), Counter())


class Died(BaseException):
    """The machine is no more."""


class Machine(Recorder):
    """Does nothing with a source but hold it, and at times dies with it."""

    def __init__(self, config: BatchConfig, failures: float, dice: random.Random) -> None:
        super().__init__(config, MODELS, Interrupt(threading.Event()))
        self.failures = failures
        self.dice = dice

    def _attempt_alone(self, job: Job, held: Sequence[Lease]) -> Outcome:
        tally = Tally({"model": {"name": "none", "sha256": MODELS["model"]}}, tries=begin(job, self.config, MODELS))
        time.sleep(WORK_S)
        if self.dice.random() < self.failures:
            for lease in held:
                lease._ended.set()  # its heart stops
                lease.release = lambda: None  # type: ignore[method-assign]
            raise Died
        held[0].check()
        Path(job.outputs(self.config.output)["csv"]).touch()
        tally.report = SourceReport(0, 0, (), True)
        write_meta(job.sheet, self._sheet(job, tally, "done"))
        return outcome_of(job, tally, "done", ())


def simulate(sources: int, machines: int, shards: int, failures: float, folder: Path | None = None) -> Simulation:
    """Have so many machines do so many sources; the folder must be empty."""
    with TemporaryDirectory(dir=folder) as inside:
        root = Path(inside)
        for number in range(sources):
            video = root / "videos" / f"{number % 1000:03}" / f"{number}.mp4"
            video.parent.mkdir(parents=True, exist_ok=True)
            video.touch()
        config = _config(root)
        began = time.monotonic()
        begin_manifest(Path(str(config.manifest)), config, MODELS, sources)
        context = multiprocessing.get_context("spawn")
        with context.Pool(PROCESSES) as pool:
            calls = [(root, part, machines, shards, failures) for part in range(PROCESSES)]
            accounts = pool.starmap(_process, calls)
        seconds = time.monotonic() - began
        manifest = Path(str(config.manifest))
        noted = [line["state"] for line in read_manifest(manifest)[1].values()]
        complete = sum(read_sheet(path).get("complete", False) for path in (root / "out").rglob(f"*{SHEET}"))
        lines = manifest.read_bytes().count(b"\n") - 1
        size = manifest.stat().st_size / 1e6
        return Simulation(sources, machines, accounts, lines, noted.count("done"), complete, seconds, size)


def told(simulation: Simulation) -> str:
    """The figures as a table."""
    done = simulation.done
    rows = [
        ("sources", simulation.sources),
        ("machines", simulation.machines),
        ("machines that died", sum(account.deaths for account in simulation.accounts)),
        ("sources done once", sum(count == 1 for count in done.values())),
        ("sources done twice", sum(count > 1 for count in done.values())),
        ("complete sheets", simulation.complete),
        ("lines of the manifest", simulation.lines),
        ("sources noted as done", simulation.noted),
        ("seconds", round(simulation.seconds)),
        ("processor seconds", round(sum(account.processor_s for account in simulation.accounts))),
        ("of these for claims", round(sum(account.claimed_s for account in simulation.accounts))),
        ("largest process, MB", round(max(account.peak_mb for account in simulation.accounts))),
        ("manifest, MB", round(simulation.manifest_mb, 1)),
    ]
    return markdown(("what", "figure"), [(name, f"{value:,}") for name, value in rows])


def _config(root: Path) -> BatchConfig:
    return BatchConfig(quiet=True, manifest=str(root / "run.jsonl"), output=OutputConfig(folder=str(root / "out")))


def _process(root: Path, part: int, machines: int, shards: int, failures: float) -> Account:
    """The machines of every PROCESSES-th shard."""
    config, began = _config(root), time.process_time()
    uris = [str(path) for path in sorted((root / "videos").rglob("*.mp4"))]
    names = names_of(uris, dict.fromkeys(uris, str(root / "videos")), config)
    mine = [shard for shard in range(1, shards + 1) if shard % PROCESSES == part]
    of_shards: dict[int, list[str]] = {shard: [] for shard in mine}
    for uri in uris:
        if (shard := shard_of(uri, shards)) in of_shards:
            of_shards[shard].append(uri)
    claimed = claim([uri for uris in of_shards.values() for uri in uris], root / "out", names)
    jobs = {job.uri: job for job in claimed}
    claimed_s = time.process_time() - began
    done: Counter[str] = Counter()
    deaths: list[str] = []

    def machine(number: int) -> None:
        dice = random.Random(number * PROCESSES + part)
        recorder = Machine(config, failures, dice)
        waiting = [jobs[uri] for uri in of_shards[mine[number % len(mine)]]]
        dice.shuffle(waiting)
        here.name = f"machine-{part}-{number}/"
        late: list[Job] = []
        while waiting or late:
            patient = not waiting
            job = late.pop() if patient else waiting.pop()
            try:
                outcome = recorder.attempt(job, patient)
            except Died:
                deaths.append(here.name)
                here.name = f"machine-{part}-{number}-{len(deaths)}/"  # the next one in its place
                late.append(job)
                continue
            if outcome is None:
                late.append(job)
            elif outcome.state == "done":
                done[job.uri] += 1

    with patch.object(leases, "_host", lambda: here.name), ThreadPoolExecutor(machines // PROCESSES) as pool:
        list(pool.map(machine, range(machines // PROCESSES)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Account(done, len(deaths), claimed_s, time.process_time() - began, peak)
