"""Does memory grow with the number of images? One epoch of training, and `embed`, on shards of 10,000 to 1,000,000 images.

    python benchmarks/stream_memory.py                 about ten minutes and 1.6 GB of disk, removed at the end
    python benchmarks/stream_memory.py --largest 100000

The network is a dense one of 32 units, so that time goes into reading. The images are 16x16 bytes of noise, packed as arrays
(`--kind auto`: as PNG, which takes three times as long). Each figure is the peak of a fresh process (`VmHWM`, mapped pages
included), beside what the process had before it began to read. Written to ``benchmarks/results/stream_memory.json``, with what
packing and reading cost.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from latentia.data.shards.packing import pack

SIDE, SHARD = 16, 10_000
COUNTS = (10_000, 100_000, 1_000_000)


def write_images(path: Path, count: int) -> None:
    random = np.random.default_rng(0)
    mapped = np.lib.format.open_memmap(path, "w+", np.uint8, (count, SIDE, SIDE))
    for start in range(0, count, SHARD):
        mapped[start : start + SHARD] = random.integers(0, 256, (SHARD, SIDE, SIDE), dtype=np.uint8)
    mapped.flush()


def peak() -> float:
    # not ru_maxrss, which a process takes over from the one that started it
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def child(what: str, location: str, folder: Path) -> None:
    import torch

    from latentia import load, open_run, train
    from latentia.tasks.code_files import write_codes

    torch.set_num_threads(1)
    model = open_run(folder / "small").model if what == "embed" else None
    images = load(location, "all" if what == "embed" else "train")
    before, started = peak(), time.perf_counter()
    if model is not None:
        write_codes(model, images, folder / "codes.npy")
    else:
        tiny = {"encoder": "dense", "encoder__widths": (32,), "latent_dim": 4, "batch_size": 512, "epochs": 1}
        run = train(location, runs=folder / "runs", figures=False, quiet=True, **tiny)
        if not (folder / "small").exists():
            run.path.rename(folder / "small")
    seconds = time.perf_counter() - started
    print(json.dumps({"before_mib": round(before), "peak_mib": round(peak()), "seconds": round(seconds, 1)}))


def measured(what: str, count: int, folder: Path) -> dict[str, float]:
    location = f"wds:{folder}/shards/{{000000..{count // SHARD - 1:06d}}}.tar"
    words = [sys.executable, __file__, "--child", what, location, str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    found["images_per_second"] = round(count / found["seconds"])
    print(f"{what:>6} {count:>9,}  {found}", flush=True)
    return found


def main(largest: int, kind: str) -> None:
    counts = [count for count in COUNTS if count <= largest]
    folder = Path(tempfile.mkdtemp(prefix="stream-memory-"))
    try:
        write_images(folder / "images.npy", counts[-1])
        started = time.perf_counter()
        packed = pack(folder / "images.npy", folder / "shards", images_per_shard=SHARD, kind=kind, quiet=True)
        packing = {
            "images_per_second": round(packed.images / (time.perf_counter() - started)),
            "bytes_per_image": round(packed.bytes / packed.images, 1),
            "index_bytes_per_image": round(
                sum(path.stat().st_size for path in (folder / "shards" / "members").iterdir()) / packed.images, 1
            ),
            "peak_mib": round(peak()),
        }
        print("packed", packing, flush=True)
        (folder / "images.npy").unlink()
        result = {
            "image": f"{SIDE}x{SIDE} uint8, packed as {kind}",
            "packing": packing,
            "train": {str(count): measured("train", count, folder) for count in counts},
            "embed": {str(count): measured("embed", count, folder) for count in counts},
        }
    finally:
        shutil.rmtree(folder)
    path = Path(__file__).parent / "results" / "stream_memory.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest", type=int, default=COUNTS[-1])
    parser.add_argument("--kind", default="npy")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child[0], arguments.child[1], Path(arguments.child[2]))
    else:
        main(arguments.largest, arguments.kind)
