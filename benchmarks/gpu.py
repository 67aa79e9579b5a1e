"""What one GPU trains in a second: our step recorded and plain, in bfloat16 and float32, and the usual script beside it.

    LATENTIA_DATA=... python benchmarks/gpu.py [--seconds 2]

Each row trains on MNIST's training split through the trainer, data handling included (pixels stay on the GPU), for at least
``--seconds``, three times in turn with the others; the median and the range of images a second are written to
``benchmarks/results/gpu.json``. The usual script (``benchmarks/usual.py``) has eight loader processes. The peak is that of an
8,192-sided bfloat16 matrix product.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from usual import ReportNetwork, UsualScript

from latentia import load
from latentia.data.batches import Batch, Batches
from latentia.presets import design
from latentia.training.device import describe_device, resolve_device
from latentia.training.settings import TrainSettings
from latentia.training.trainer import Trainer

# preset, options, batch, recorded, precision
ROWS: list[tuple[str, dict[str, object], int, str, str]] = [
    ("cae", {}, 128, "off", "bfloat16"),
    ("cae", {}, 128, "auto", "bfloat16"),
    ("cae", {}, 128, "auto", "float32"),
    ("cae", {}, 1024, "auto", "bfloat16"),
    ("cae", {}, 4096, "auto", "bfloat16"),
    ("cae", {"widths": "8,16,32"}, 128, "auto", "bfloat16"),
    ("cae", {"widths": "8,16,32"}, 4096, "auto", "bfloat16"),
    ("vae", {"latent_dim": 40}, 128, "off", "bfloat16"),
    ("vae", {"latent_dim": 40}, 128, "auto", "bfloat16"),
    ("vae", {"latent_dim": 40}, 1024, "auto", "bfloat16"),
    ("dae", {}, 128, "off", "bfloat16"),
    ("dae", {}, 128, "auto", "bfloat16"),
    ("dae", {}, 1024, "auto", "bfloat16"),
]


def forever(batches: Batches, size: int) -> Iterator[Batch]:
    for epoch in itertools.count():
        for batch in batches.epoch(epoch):
            if len(batch) == size:
                yield batch


def prepare(row: tuple[str, dict[str, object], int, str, str], device: torch.device) -> Callable[[float], float]:
    """Return what trains for some seconds and returns images a second; three plain steps and the recording are done."""
    preset, options, size, graph, precision = row
    images = load("mnist", "train")
    made = design(preset, options)
    model = made.architecture.build(images.format, seed=0)
    settings = TrainSettings(
        epochs=100, batch_size=size, graph=graph, precision=precision, optimizer=made.optimizer, schedule="constant"
    )
    batches = Batches(images, model.format, size, device, seed=0)
    trainer = Trainer(model, made.objective, batches, None, settings, device, quiet=True)
    stream = forever(batches, size)
    for _ in range(20):
        trainer.train_step(next(stream), 0)

    def rate(seconds: float) -> float:
        torch.cuda.synchronize()
        started, seen = time.perf_counter(), 0
        while time.perf_counter() - started < seconds:
            for _ in range(20):
                batch = next(stream)
                trainer._add(trainer.train_step(batch, 0), batch.counted)
                seen += size
            torch.cuda.synchronize()
        return seen / (time.perf_counter() - started)

    return rate


def peak(device: torch.device) -> float:
    """Return teraflops of a bfloat16 matrix product."""
    first = torch.randn(8192, 8192, device=device, dtype=torch.bfloat16)
    for _ in range(3):
        first @ first
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(20):
        first @ first
    torch.cuda.synchronize()
    return 20 * 2 * 8192**3 / (time.perf_counter() - started) / 1e12


def main(seconds: float, output: Path) -> None:
    device = resolve_device("cuda")
    result: dict[str, object] = {
        "device": describe_device(device),
        "torch": torch.__version__,
        "tflops": round(peak(device), 1),
    }
    ready = []
    for row in ROWS:
        try:
            ready.append((row, prepare(row, device), []))
        except Exception as error:
            print(f"{row}: {type(error).__name__}: {error}", flush=True)
    for _ in range(3):
        for _, rate, found in ready:
            found.append(rate(seconds))
    rows = [
        {
            "preset": preset,
            "options": options,
            "batch_size": size,
            "recorded": graph == "auto",
            "precision": precision,
            "images_per_second": round(statistics.median(found)),
            "range": [round(min(found)), round(max(found))],
        }
        for (preset, options, size, graph, precision), _, found in ready
    ]
    pixels = np.asarray(load("mnist", "train").pixels)[:, 0]
    torch.manual_seed(0)
    script = UsualScript(ReportNetwork(), pixels, device="cuda", workers=8)
    rates = [script.rate(150) for _ in range(2)]
    result |= {
        "rows": rows,
        "usual_script_8_16_32": {"batch_size": 128, "images_per_second": [round(one) for one in rates]},
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent / "results" / "gpu.json")
    given = parser.parse_args()
    main(given.seconds, given.output)
