"""How many threads a training on the processor takes: as many as are fastest for its step, measured once and kept.

A step of a small network is over before many threads have met: from some number on more of them make it slower, and where
other programs compute, too, threads that wait for each other wait long. What is fastest depends on the machine, so it is
measured there; a run keeps the number that it began with, because sums are rounded by how they are shared out.
"""

from __future__ import annotations

import contextlib
import copy
import json
import math
import platform
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from latentia.core.atomic import write_json
from latentia.core.cores import cores
from latentia.core.errors import Interrupted, StorageError
from latentia.core.noise import Noise
from latentia.data.batches import Batch
from latentia.data.cache import entry_key
from latentia.data.load import cache_folder
from latentia.data.stream_batches import StreamBatches
from latentia.training.device import at_work

if TYPE_CHECKING:
    from latentia.training.run_folder import RunFolder
    from latentia.training.trainer import Trainer

WORSE = 1.5  # times the shortest step so far: fewer threads than those that take longer are not tried
TOO_LONG = (
    2.0  # seconds of a step, even with all threads, from which on fewer are not tried: nobody is to wait for that
)
LONG = 0.2  # seconds of a step from which on it is not measured again
TURNS = 5  # of each number of threads, in turn, so that a noisy moment hits all alike
ALIKE = 1.05  # times the shortest step: the fewest threads that stay below it are taken
KEPT = 500  # measurements, the newest


@contextlib.contextmanager
def computing_with(threads: int) -> Iterator[None]:
    """Compute with so many threads inside; 0: with as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def threads_of(folder: RunFolder, trainer: Trainer) -> int:
    """Return the threads of a run: those that it began with, where it may take so many, else the fastest; 0: as it is."""
    if trainer.team is not None or trainer.device.type != "cpu" or trainer.progress.finished:
        return 0
    before = folder.describe().get("threads")
    if isinstance(before, int) and 0 < before <= min(cores(), torch.get_num_threads()):
        return before
    if before is None and trainer.progress.step:
        return 0  # a run of an earlier version took all
    try:
        found = fastest_threads(trainer)
    except KeyboardInterrupt:
        raise Interrupted(f"training was interrupted before its first step: {folder.resuming}", signal.SIGINT) from None
    folder.update(threads=found)
    return found


def fastest_threads(trainer: Trainer) -> int:
    """Return the threads with which a step of ``trainer`` is fastest on this machine, at most as many as PyTorch may take.

    It is measured, on a copy of the network, where there is something to choose: one process, on the processor, with images
    that are at hand. The environment's ``OMP_NUM_THREADS`` and ``torch.set_num_threads`` are the bounds.
    """
    most = torch.get_num_threads()
    streams = isinstance(trainer.train, StreamBatches)
    if most == 1 or trainer.device.type != "cpu" or trainer.team is not None or streams:
        return most
    path, key = _path(), _key(trainer, most)
    if (known := _known(path).get(key)) is not None:
        return known
    try:
        seconds = _measured(trainer, _numbers(most))
    except Exception:  # a part that cannot be copied, too little memory for two networks: training itself will tell
        return most
    found = fewest_of_the_fastest(seconds)
    others = _known(path)  # anew, for measuring took a while
    if key in others or path is None:
        return others.get(key, found)
    with contextlib.suppress(StorageError, OSError):  # it is measured again next time
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, dict([*others.items(), (key, found)][-KEPT:]))
    return found


def fewest_of_the_fastest(seconds: dict[int, float]) -> int:
    """Return the least number of threads whose step takes hardly longer than the shortest."""
    return min(count for count, took in seconds.items() if took <= ALIKE * min(seconds.values()))


def _numbers(most: int) -> list[int]:
    """Return 1, 2, 4 … and ``most``."""
    return [count for count in (1 << power for power in range(most.bit_length())) if count < most] + [most]


def _measured(trainer: Trainer, numbers: Sequence[int]) -> dict[int, float]:
    """Return the seconds of a step with each number of threads that comes into question: the shortest of some."""
    module = copy.deepcopy(trainer.module).train()
    with contextlib.closing(trainer.train.epoch(0)) as batches:  # type: ignore[type-var]
        batch = next(batches)
    found: dict[int, float] = {}

    def take(count: int) -> None:
        with computing_with(count):
            found[count] = min(found.get(count, math.inf), _seconds(trainer, module, batch))

    with at_work(trainer.device):
        for count in sorted(numbers, reverse=True):
            take(count)
            if found[count] > TOO_LONG:
                break
            del found[count]  # the first pass prepares what the others find ready
            take(count)
            if found[count] > WORSE * min(found.values()):
                break
        for count in list(found) * TURNS:
            if found[count] < LONG:
                take(count)
    return found


def _seconds(trainer: Trainer, module: nn.Module, batch: Batch) -> float:
    """Return the time of a forward and a backward pass."""
    started = time.perf_counter()
    noise = Noise(trainer.settings.seed, batch.ids, "threads", 0)
    with trainer.precision():
        terms = trainer.objective(module, batch.pixels, batch.labels, noise, 0.0)
    terms["loss"].mean().backward()  # type: ignore[no-untyped-call]
    return time.perf_counter() - started


def _key(trainer: Trainer, most: int) -> str:
    """Return a hash of what decides how long a step takes: the machine, the network, the batch."""
    shapes = [[name, list(value.shape)] for name, value in trainer.module.state_dict().items()]
    trained = [parameter.requires_grad for parameter in trainer.module.parameters()]
    images, settings = trainer.train.images, trainer.settings
    batch = [min(trainer.train.batch_size, trainer.train.count), *images.pixels.shape[1:]]
    how = getattr(trainer.objective, "how", None)
    objective = type(trainer.objective).__name__, how.fields() if how else getattr(trainer.objective, "to_json", dict)()
    machine = [_processor(), cores(), most, torch.__version__, settings.precision, settings.compile]
    return entry_key([machine, shapes, trained, batch, objective])


def _path() -> Path | None:
    with contextlib.suppress(RuntimeError):  # a process without a home
        return cache_folder() / "threads.json"
    return None


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _known(path: Path | None) -> dict[str, int]:
    try:
        known: Any = json.loads(path.read_text(encoding="utf-8")) if path is not None else {}
    except (OSError, ValueError):
        return {}
    if not isinstance(known, dict):
        return {}
    return {key: value for key, value in known.items() if isinstance(value, int) and value > 0}
