"""What writing codes costs, and whether memory grows: `embed` to a .npy file against the bare forward pass of the same encoder.

    python benchmarks/embed.py                        10,000 and 1,000,000 images, some minutes
    python benchmarks/embed.py --large 100000

Speed: the whole of `write_codes` from a memory-mapped uint8 file of 28x28 images, against `encode` on a batch that stays where
it is, in turn, so that a machine whose speed drifts drifts for both. Memory: the peak of a fresh process for each number of
images (`VmHWM`, mapped pages included). Written to ``benchmarks/results/embed.json``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from latentia import load
from latentia.data.batches import Batches
from latentia.model import Autoencoder
from latentia.presets import design
from latentia.tasks.apply import BATCH
from latentia.tasks.code_files import write_codes

SMALL, TIMED = 10_000, 30_000


def built(path: Path) -> tuple[Autoencoder, object]:
    images = load(path)
    return design("cae").architecture.build(images.format, seed=0).eval(), images


def write_images(path: Path, count: int) -> None:
    random = np.random.default_rng(0)
    mapped = np.lib.format.open_memmap(path, "w+", np.uint8, (count, 28, 28))
    for start in range(0, count, 10_000):
        part = mapped[start : start + 10_000]
        part[:] = random.integers(0, 256, part.shape, dtype=np.uint8)
    mapped.flush()


def memory(path: Path) -> dict[str, int]:
    """Return the peak memory of a fresh process that embeds the file, in MiB: after its start, and at the end."""
    done = subprocess.run([sys.executable, __file__, "--child", str(path)], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def child(path: Path) -> None:
    model, images = built(path)
    with torch.inference_mode():
        model.encode(torch.zeros(BATCH, 1, 28, 28))
    before = peak()
    write_codes(model, images, path.with_name("codes.npy"))
    print(json.dumps({"before_mib": before, "peak_mib": peak()}))


def peak() -> int:
    """Return the most memory that this process has held, in MiB (`ru_maxrss` would begin at what its parent held)."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) // 1024


def speed(path: Path, rounds: int) -> dict[str, object]:
    model, images = built(path)
    batch = next(iter(Batches(images, model.format, BATCH))).pixels
    steps = -(-len(images) // BATCH)
    own, bare = [], []
    with torch.inference_mode():
        for _ in range(20):
            model.encode(batch)
    for _ in range(rounds):
        started = time.perf_counter()
        write_codes(model, images, path.with_name("codes.npy"))
        own.append(len(images) / (time.perf_counter() - started))
        started = time.perf_counter()
        with torch.inference_mode():
            for _ in range(steps):
                model.encode(batch)
        bare.append(steps * BATCH / (time.perf_counter() - started))
    ratios = [first / second for first, second in zip(own, bare, strict=True)]
    return {
        "embed_images_per_second": round(statistics.median(own)),
        "bare_images_per_second": round(statistics.median(bare)),
        "ratio_median": round(statistics.median(ratios), 4),
        "ratio_range": [round(min(ratios), 4), round(max(ratios), 4)],
        "rounds": rounds,
    }


def main(large: int, rounds: int) -> None:
    result: dict[str, object] = {"threads": torch.get_num_threads(), "model": "cae", "batch": BATCH}
    with tempfile.TemporaryDirectory() as folder:
        for count in {SMALL, TIMED, large}:
            write_images(Path(folder) / f"{count}.npy", count)
        result |= speed(Path(folder) / f"{TIMED}.npy", rounds)
        result["memory"] = {str(count): memory(Path(folder) / f"{count}.npy") for count in (SMALL, large)}
    path = Path(__file__).parent / "results" / "embed.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child)
    else:
        main(arguments.large, arguments.rounds)
