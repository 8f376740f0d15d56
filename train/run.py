"""What every training run needs: processes that share batches, state that resumes, a log and TensorBoard."""

import json
import math
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from tracker.errors import CheckpointError, SinkError

STATE_FILE = "last.pt"
"""In a run's folder: what it goes on from."""
WARM_UP = 0.1
"""Share of the steps in which the learning rate rises."""


def rank_and_world() -> tuple[int, int]:
    """This process's number and how many there are; 0 and 1 outside torch.distributed."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def device() -> torch.device:
    """The GPU of this process, where there is one; else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    return torch.device("cpu")


def share_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Give every process the mean of all processes' gradients, in one message."""
    _, world = rank_and_world()
    gradients = [p.grad for p in parameters if p.grad is not None]
    if world == 1 or not gradients:
        return
    flat = torch.cat([g.flatten() for g in gradients])
    dist.all_reduce(flat)
    for own, mean in zip(gradients, (flat / world).split([g.numel() for g in gradients]), strict=True):
        own.copy_(mean.view_as(own))


@contextmanager
def torchrun() -> Iterator[None]:
    """Join the processes of torchrun, where it started this one; they share every batch (data parallel)."""
    if "TORCHELASTIC_RUN_ID" not in os.environ or dist.is_initialized():
        yield
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(device())
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


@contextmanager
def first_alone() -> Iterator[None]:
    """The first process runs the body while the others wait; they run it after it, and find what it has written."""
    rank, world = rank_and_world()
    if rank > 0:
        dist.barrier()
    yield
    if rank == 0 and world > 1:
        dist.barrier()


def in_processes(work: Callable[..., None], processes: int, folder: Path, *arguments: Any) -> None:
    """Run work(*arguments) in `processes` processes that share every batch; under torchrun, in torchrun's."""
    if dist.is_initialized() or processes == 1:
        work(*arguments)
    else:
        (folder / "rendezvous").unlink(missing_ok=True)
        torch.multiprocessing.spawn(_process, (processes, folder / "rendezvous", work, arguments), processes)


def _process(rank: int, world: int, meeting: Path, work: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    torch.set_num_threads(max(1, torch.get_num_threads() // world))
    dist.init_process_group("gloo", f"file://{meeting.resolve()}", rank=rank, world_size=world)
    work(*arguments)
    dist.destroy_process_group()


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write a run's state, atomically; SinkError where the disk does not take it."""
    temporary = path.with_suffix(".part")
    try:
        torch.save(state, temporary)
        temporary.replace(path)
    except (OSError, RuntimeError) as error:
        temporary.unlink(missing_ok=True)
        raise SinkError(
            f"{path} cannot be written: {error}; the state before it is kept: free space and go on"
        ) from error


def load_state(path: Path) -> dict[str, Any]:
    """A run's state; CheckpointError where the file is damaged."""
    try:
        return torch.load(path, weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, LookupError, UnpicklingError) as error:
        raise CheckpointError(
            f"{path} is damaged ({type(error).__name__}); delete it to train from the start"
        ) from error


def fill(module: Any, state: Any, path: Path) -> None:
    """Load a state into what has load_state_dict; CheckpointError where it is of another size."""
    try:
        module.load_state_dict(state)
    except (RuntimeError, ValueError, KeyError) as error:
        line = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"{path} was written by another configuration ({line}); give that one, or another --out folder"
        ) from error


def states_of(owner: Any, names: Iterable[str]) -> dict[str, Any]:
    """The state of each named part of a run."""
    return {name: getattr(owner, name).state_dict() for name in names}


def fill_all(owner: Any, names: Iterable[str], states: dict[str, Any], path: Path) -> None:
    """Load the named parts of a run from their states; CheckpointError where one is of another size."""
    for name in names:
        fill(getattr(owner, name), states[name], path)


class Resumable(Protocol):
    """A run whose epochs are counted."""

    folder: Path
    epoch: int
    """Epochs that are done."""


def save_run(owner: Resumable, names: Iterable[str]) -> None:
    """Write the named parts of a run and its epoch to its folder, atomically."""
    save_state(owner.folder / STATE_FILE, {**states_of(owner, names), "epoch": owner.epoch})


def resume_run(owner: Resumable, names: Iterable[str]) -> bool:
    """Go on from what save_run wrote; False where there is nothing."""
    path = owner.folder / STATE_FILE
    if not path.exists():
        return False
    state = load_state(path)
    fill_all(owner, names, state, path)
    owner.epoch = state["epoch"]
    return True


class Log:
    """log.jsonl and TensorBoard's files in a run's folder; only the first process writes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._board: SummaryWriter | None = None

    def write(self, step: int, record: dict[str, float]) -> None:
        """Add one record to both, and show it."""
        if rank_and_world()[0] > 0:
            return
        with (self._folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(record) + "\n")
        tqdm.write(json.dumps(record))
        self._board = self._board or SummaryWriter(str(self._folder / "tensorboard"))
        for name, value in record.items():
            self._board.add_scalar(name, value, step)
        self._board.flush()


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, decay: float, step: int) -> None:
    """Move the averaged weights towards the model's; faster in the first steps."""
    decay = min(decay, (1 + step) / (10 + step))
    for own, new in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        if own.is_floating_point():
            own.lerp_(new, 1 - decay)
        else:
            own.copy_(new)


def make_folder(folder: Path) -> None:
    """Make the folder that a command writes to; SinkError where it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"{folder} cannot be made: {error.strerror}; choose another folder with --out") from error


def rate_of(schedule: str, step: int, total: int) -> float:
    """Share of the learning rate by a schedule: constant, or cosine (see rise_and_fall)."""
    return 1.0 if schedule == "constant" else rise_and_fall(step, total)


def rise_and_fall(step: int, total: int) -> float:
    """Share of the learning rate: up along a cosine over the share WARM_UP of the steps, down along one to zero."""
    rise = WARM_UP * max(1, total)
    if step < rise:
        return 0.04 + 0.48 * (1 - math.cos(math.pi * step / rise))
    return 0.5 * (1 + math.cos(math.pi * (min(step, total) - rise) / (max(1, total) - rise)))


def descend(
    optimiser: torch.optim.Optimizer, schedule: torch.optim.lr_scheduler.LRScheduler, total: Tensor, longest: float
) -> None:
    """One step down the gradient that all processes share, which is cut to the length `longest`."""
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    optimiser.zero_grad()
    total.backward()
    share_gradients(parameters)
    nn.utils.clip_grad_norm_(parameters, longest)
    optimiser.step()
    schedule.step()


def mean_losses(steps: Iterable[dict[str, Tensor]]) -> dict[str, float]:
    """Of each named loss the mean over the steps that had it, rounded for the log."""
    totals: dict[str, list[float]] = {}
    for losses in steps:
        for name, value in losses.items():
            totals.setdefault(name, []).append(float(value))
    return {name: round(sum(values) / len(values), 5) for name, values in totals.items()}


def total_of(losses: dict[str, Tensor], weights: Callable[[str], float]) -> Tensor:
    """The weighted sum of named losses."""
    return torch.stack([weights(name) * value for name, value in losses.items()]).sum()
