"""Memory of a training in two processes, each with all of the model or with a half of it (``--shard``).

    python benchmarks/sharding.py -o benchmarks/results/sharding.json

The network has ten dense layers of equal width (``--width``), so that weights, gradients and Adam's two moments are nearly all
that it takes. What is told is the largest resident memory of a process, less what it took before training, and the seconds of
the training. On processors the leading process gathers what it writes in the same memory; on GPUs, in the machine's.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

IMAGES, SIDE, BATCH = 512, 32, 64


def work(place: Path, shard: bool, width: int) -> None:
    """Train as one of the processes that torchrun started, and write down what it took."""
    import torch

    from latentia import train
    from latentia.core.launch import launch
    from latentia.core.ranks import leave

    torch.set_num_threads(1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    images = np.random.default_rng(0).integers(0, 256, (IMAGES, SIDE, SIDE), dtype=np.uint8)
    started = time.monotonic()
    layers = ",".join([str(width)] * 5)
    options = {"encoder": "dense", "decoder": "dense", "encoder.widths": layers, "decoder.widths": layers}
    run = train(
        images, "cae", runs=place, options=options, epochs=1, batch_size=BATCH, shard=shard, figures=False, quiet=True
    )
    took = {
        "mib": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
        "seconds": time.monotonic() - started,
        "weights": sum(parameter.numel() for parameter in run.model.parameters()),
        "loss": run.history[-1]["train"]["loss"],
    }
    (place / f"{launch().rank}.json").write_text(json.dumps(took))
    leave()


def measure(shard: bool, width: int) -> list[dict[str, float]]:
    """Return what each of two processes took."""
    with tempfile.TemporaryDirectory() as folder:
        words = [
            "-m",
            "torch.distributed.run",
            "--standalone",
            "--nproc-per-node",
            "2",
            __file__,
            "--width",
            str(width),
        ]
        more = ["--work", folder, *(["--shard"] if shard else [])]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run([sys.executable, *words, *more], check=True, env=environment)
        return [json.loads((Path(folder) / f"{rank}.json").read_text()) for rank in range(2)]


def main(width: int, output: Path | None) -> None:
    found = {"shared out": measure(True, width), "whole": measure(False, width)}
    weights = found["whole"][0]["weights"]
    print(f"{weights / 1e6:.1f} million weights, {4 * weights / 2**20:.0f} MiB")
    for way, processes in found.items():
        each = ", ".join(f"{one['mib']:,.0f} MiB in {one['seconds']:.0f} s" for one in processes)
        print(f"{way:<12}{each}; loss {processes[0]['loss']:.6f}")
    if output is not None:
        machine = {"machine": platform.machine(), "cores": os.cpu_count(), "batch_size": BATCH, "width": width}
        output.write_text(json.dumps({**machine, **found}, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=3072)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--shard", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    if given.work is not None:
        work(given.work, given.shard, given.width)
    else:
        main(given.width, given.output)
