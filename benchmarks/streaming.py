"""What a processor core reads from shards, what they take on disk, and what an index and a checkpoint cost.

    python benchmarks/streaming.py                     about two minutes; MNIST has to be there (LATENTIA_DATA)

Images a second are of processor time (`process_time`) of one process, so that a shared machine matters less; the files are in the
system's cache, so the disk is left out. MNIST is read as PNG and as arrays; smooth colour pictures of 128x128 as JPEG files
packed as they are, and as PNG. Written to ``benchmarks/results/streaming.json``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from latentia import load
from latentia.data.shards.catalogue import Catalogue, Shard, index_json, read_index, table_path
from latentia.data.shards.images import Form
from latentia.data.shards.packing import pack
from latentia.data.stream import ImageStream
from latentia.data.stream_batches import Order, StreamBatches
from latentia.model import Autoencoder
from latentia.presets import design
from latentia.training.checkpoint import Progress, checkpoint_state, save_checkpoint
from latentia.training.optimizers import build_optimizer

ROUNDS, PICTURES = 3, 600


def pictures(folder: Path, ending: str) -> Path:
    """Write smooth colour pictures with some noise, as photographs have: random fields of 16x16, enlarged."""
    random = np.random.default_rng(0)
    folder.mkdir()
    for number in range(PICTURES):
        small = Image.fromarray(random.integers(0, 256, (16, 16, 3), dtype=np.uint8))
        large = np.asarray(small.resize((128, 128), Image.Resampling.BICUBIC), dtype=np.float32)
        noisy = np.clip(large + random.normal(0, 4, large.shape), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / f"{number:05d}.{ending}", quality=90)
    return folder


def reading(data: Any, folder: Path, kind: str) -> dict[str, float]:
    began = time.process_time()
    packed = pack(data, folder, kind=kind, quiet=True)
    packing = packed.images / (time.process_time() - began)
    images: Any = load(f"wds:{folder}")
    rates = []
    for number in range(ROUNDS):
        started = time.process_time()
        count = sum(len(batch) for batch in StreamBatches(images, images.format, 256, seed=0).epoch(number))
        rates.append(count / (time.process_time() - started))
    rate, each = float(np.median(rates)), packed.bytes / packed.images
    kept = images.format
    return {
        "images": packed.images,
        "bytes_per_image_on_disk": round(each, 1),
        "bytes_per_image_decoded": kept.pixels * np.dtype(kept.dtype).itemsize,
        "images_per_second_of_a_core": round(rate),
        "range": [round(min(rates)), round(max(rates))],
        "mb_per_second_of_a_core": round(rate * each / 1e6, 1),
        "packed_per_second_of_a_core": round(packing),
    }


def checkpoint(folder: Path, preset: str, shape: tuple[int, int, int]) -> dict[str, float]:
    images = load(np.zeros((4, *shape), dtype=np.uint8))
    chosen = design(preset)
    model: Autoencoder = chosen.architecture.build(images.format, seed=0)
    optimizer = build_optimizer("adam", [{"params": list(model.parameters())}], 1e-3)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        save_checkpoint(folder / "checkpoint.safetensors", checkpoint_state(model, optimizer, None, {}, Progress(), []))
        seconds.append(time.perf_counter() - started)
    size = (folder / "checkpoint.safetensors").stat().st_size
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return {
        "parameters": parameters,
        "bytes": size,
        "bytes_per_parameter": round(size / parameters, 2),
        "seconds_median": round(float(np.median(seconds)), 3),
        "seconds_range": [round(min(seconds), 3), round(max(seconds), 3)],
    }


def index(folder: Path, shards: int = 100_000, each: int = 10_000) -> dict[str, float]:
    """Return what the index of a billion images costs a process that opens it."""
    splits = {"train": 8 * each // 10, "validation": each // 10, "test": each // 10, "all": each}
    entries = tuple(
        Shard(folder / name, table_path(folder, name), "all", each, number * each, 1, splits, "0" * 64)
        for number, name in enumerate(f"{number:06d}.tar" for number in range(shards))
    )
    content = index_json(Catalogue(entries, Form("L", (1, 28, 28), "uint8"), 0, 255), "made up", folder)
    (folder / "index.json").write_text(json.dumps(content))
    words = [sys.executable, __file__, "--index", str(folder)]
    found: dict[str, float] = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    return {
        "shards": shards,
        "images": shards * each,
        "mb": round((folder / "index.json").stat().st_size / 1e6, 1),
    } | found


def resident() -> float:
    # the memory that the process holds now, in MiB; not ru_maxrss, which it takes over from the one that started it
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def open_index(folder: Path) -> None:
    before, started = resident(), time.process_time()
    catalogue = read_index(folder)
    assert catalogue is not None
    images = ImageStream.of(catalogue, "made up", "train")
    reading = time.process_time() - started
    grown = resident() - before
    started = time.process_time()
    assert images.view is not None
    Order(images.view, 0, 3).pieces(5, 1000)
    found = {"seconds": reading, "order_seconds": time.process_time() - started}
    print(json.dumps({"mib": round(grown), **{name: round(value, 4) for name, value in found.items()}}))


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        digits = load("mnist", "train").select(np.arange(20_000))
        result = {
            "reading": {
                "mnist, png": reading(digits, folder / "a", "png"),
                "mnist, npy": reading(digits, folder / "b", "npy"),
                "128x128 colour, jpg": reading(pictures(folder / "jpg", "jpg"), folder / "c", "auto"),
                "128x128 colour, png": reading(folder / "jpg", folder / "d", "png"),
            },
            "index": index(folder),
            "checkpoint": {
                "cae, 1x28x28": checkpoint(folder, "cae", (1, 28, 28)),
                "dae, 3x128x128": checkpoint(folder, "dae", (3, 128, 128)),
                "cae, 3x128x128": checkpoint(folder, "cae", (3, 128, 128)),
            },
        }
    path = Path(__file__).parent / "results" / "streaming.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    open_index(Path(sys.argv[2])) if sys.argv[1:2] == ["--index"] else main()
