"""k small networks trained as one (``crossval --stack``) against the same trainings whose steps are taken one after the other.

    LATENTIA_DATA=... python benchmarks/stacked.py [--members 5] [--seconds 3] [--rounds 5] [--device auto]

Each row trains k members through their trainers, data handling, optimiser and sums included, each with images, order and seed
of its own. Both ways take turns; images a second of all members together, and medians and ranges, are written to
``benchmarks/results/stacked.json``, where each device has a list of its own. On a processor it is one thread and its own time
that is counted, for other work may share the machine; on a GPU, where steps are recorded, wall-clock time.
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from latentia import load
from latentia.data.batches import Batch, Batches
from latentia.presets import design
from latentia.training.device import at_work, describe_device, resolve_device
from latentia.training.initial import initial_model
from latentia.training.settings import TrainSettings
from latentia.training.stack import Stack
from latentia.training.trainer import Trainer

TINY: dict[str, Any] = {"widths": "4,8", "bottleneck.hidden": 0, "decoder.hidden": 0, "latent_dim": 4}
# data, preset, options, batch
ROWS: list[tuple[str, str, dict[str, Any], int]] = [
    ("digits", "cae", TINY, 32),
    ("digits", "cae", {}, 32),
    ("mnist", "cae", TINY, 128),
    ("mnist", "cae", {"widths": "8,16,32"}, 128),
    ("mnist", "cae", {}, 128),
    ("mnist", "vae", {}, 128),
    ("mnist", "denoising-cae", {"encoder": "dense"}, 128),
]


class Members:
    """k trainings, and what takes the next step of each with the batches that come next."""

    def __init__(self, row: tuple[str, str, dict[str, Any], int], count: int, device: torch.device) -> None:
        data, preset, options, size = row
        images, made, self.size = load(data, "train"), design(preset, options), size
        self.trainers, self.streams = [], []
        for seed in range(count):
            share = images.select(range(seed, len(images), count))
            model = initial_model(made.architecture, share, seed)
            settings = TrainSettings(epochs=1000, batch_size=size, seed=seed, schedule="constant")
            batches = Batches(share, images.format, size, device, seed=seed)
            self.trainers.append(Trainer(model, made.objective, batches, None, settings, device, quiet=True))
            self.streams.append(full(batches))

    def alone(self) -> None:
        for trainer, stream in zip(self.trainers, self.streams, strict=True):
            batch = next(stream)
            trainer._add(trainer.train_step(batch, 0), batch.counted)

    def together(self, stack: Stack) -> None:
        terms = stack.step([next(stream) for stream in self.streams])
        for trainer, some in zip(self.trainers, terms, strict=True):
            trainer._add(some, None)


def full(batches: Batches) -> Iterator[Batch]:
    for epoch in itertools.count():
        yield from (batch for batch in batches.epoch(epoch) if len(batch) == batches.batch_size)


def rate(step: Callable[[], None], images: int, seconds: float, device: torch.device) -> float:
    """Return images a second, after steps enough for a recording."""
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    steps, began = 0, clock()
    while clock() - began < seconds:
        step()
        steps += 1
        if device.type == "cuda" and steps % 20 == 0:
            torch.cuda.synchronize()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return steps * images / (clock() - began)


def spread(values: list[float], digits: int = 0) -> dict[str, float]:
    found = {"median": statistics.median(values), "low": min(values), "high": max(values)}
    return {name: round(value, digits) for name, value in found.items()}


def measure(
    row: tuple[str, str, dict[str, Any], int], count: int, seconds: float, rounds: int, device: torch.device
) -> dict[str, Any]:
    apart, joined = Members(row, count, device), Members(row, count, device)
    stack = Stack(joined.trainers)
    ways: dict[str, tuple[Callable[[], None], list[float]]] = {
        "one_after_the_other": (apart.alone, []),
        "stacked": (lambda: joined.together(stack), []),
    }
    for step, _ in ways.values():
        for _ in range(10):
            step()
    for number in range(rounds):
        for name in list(ways)[:: 1 if number % 2 else -1]:
            step, found = ways[name]
            found.append(rate(step, count * row[3], seconds, device))
    data, preset, options, size = row
    ratios = [one / other for one, other in zip(ways["stacked"][1], ways["one_after_the_other"][1], strict=True)]
    return {
        "data": data,
        "preset": preset,
        "options": options,
        "batch_size": size,
        "members": count,
        "weights": sum(weight.numel() for weight in apart.trainers[0].module.parameters()),
        **{name: spread(found) for name, (_, found) in ways.items()},
        "ratio": spread(ratios, 2),
    }


def main(members: int, seconds: float, rounds: int, device_name: str, output: Path) -> None:
    torch.set_num_threads(1)
    device = resolve_device(device_name)
    rows = []
    for row in ROWS:
        with at_work(device):
            rows.append(measure(row, members, seconds, rounds, device))
        print(json.dumps(rows[-1]), flush=True)
    kept = json.loads(output.read_text()) if output.exists() else {}
    where = describe_device(device) if device.type == "cuda" else f"{platform.machine()}, one thread"
    kept[device.type] = {"device": where, "torch": torch.__version__, "rounds": rounds, "rows": rows}
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(kept, indent=2) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", dest="device_name", default="auto")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent / "results" / "stacked.json")
    main(**vars(parser.parse_args()))
