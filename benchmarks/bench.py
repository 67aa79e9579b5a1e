"""The tables of speed: what the machine can do, our training step, the usual script, pythae's trainer, data, codes and folds.

    LATENTIA_DATA=... python benchmarks/bench.py [--parts peak step ...] [--rounds 5] [--threads 2]

All sides of a comparison take turns within one process and one run, so that what else the machine does hits all alike; medians
and ranges are kept, and ratios are medians of the ratios of each turn. Parts:

    peak       a float32 matrix product, 1,024 a side
    step       the training step of the presets on one batch: images a second, and the share of the peak that their arithmetic is
    script     the usual script (``usual.py``) with the report's 8-16-32 network, and our trainer on that same network
    pythae     pythae's trainer on pythae's MNIST network in an environment of its own, and our trainer on that same network
    epoch      an epoch's images a second against the step on one batch (``data_overhead.py``)
    folder     a folder of small PNG files: decoded on one core, on all, opened again, and by processes that share nothing
    embed      codes written to a file against the bare forward pass (``embed.py``)
    target     seconds from the first step to a validation MSE of .0090 at 16 numbers: the usual script and ``cae``

Cross-validation is measured by ``crossvalidation.py``, a GPU by ``gpu.py``. Each part replaces its entry in
``benchmarks/results/bench.json``; ``python benchmarks/table.py`` writes the README's table from it.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pythae import ensure_environment
from same_network import BATCH, CPU, PythaeNetwork, Rebuild, Stream, trainer_of
from torch import Tensor
from usual import ReportNetwork, UsualScript

from latentia import load
from latentia.data.batches import Batches
from latentia.presets import design
from latentia.training.device import flushed_denormals, kept_memory
from latentia.training.settings import TrainSettings
from latentia.training.trainer import Trainer

HERE = Path(__file__).parent
RESULT = HERE / "results" / "bench.json"


def spread(values: list[float], digits: int = 0) -> dict[str, float]:
    return {name: round(found, digits) for name, found in _three(values).items()}


def _three(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def ratio(own: list[float], other: list[float]) -> dict[str, float]:
    return spread([one / two for one, two in zip(own, other, strict=True)], 3)


def peak(rounds: int) -> dict[str, Any]:
    first = torch.rand(1024, 1024)
    found = []
    for _ in range(5 + rounds * 4):
        started = time.perf_counter()
        first @ first
        found.append(2 * 1024**3 / (time.perf_counter() - started) / 1e9)
    return {"gigaflops": spread(found[5:], 1)}


def step(rounds: int) -> dict[str, Any]:
    from torch.utils.flop_counter import FlopCounterMode

    images, found = load("mnist", "train"), {}
    limit = max(peak(rounds)["gigaflops"].values())
    ready = []
    for preset in ("cae", "denoising-cae", "vae", "dae"):
        made = design(preset)
        trainer = trainer_of(made.architecture.build(images.format), made.objective, images)
        batch = next(iter(trainer.train))
        with FlopCounterMode(display=False) as counter:
            trainer.train_step(batch, 0)
        ready.append((preset, trainer, batch, counter.get_total_flops() / BATCH, []))
    for _ in range(rounds):
        for preset, trainer, batch, _, rates in ready:
            steps = 3 if preset == "dae" else 30
            started = time.perf_counter()
            for _ in range(steps):
                trainer.train_step(batch, 0)
            rates.append(steps * BATCH / (time.perf_counter() - started))
    for preset, _, _, flops, rates in ready:
        found[preset] = {
            "images_per_second": spread(rates),
            "megaflops_an_image": round(flops / 1e6, 1),
            "share_of_peak": round(statistics.median(rates) * flops / 1e9 / limit, 3),
        }
    return {"gigaflops": limit, "presets": found}


def script(rounds: int) -> dict[str, Any]:
    images = load("mnist", "train")
    pixels = np.asarray(images.pixels)[:, 0]
    torch.manual_seed(0)
    theirs = UsualScript(ReportNetwork(), pixels, BATCH, workers=torch.get_num_threads())
    torch.manual_seed(0)
    ours = Stream(trainer_of(ReportNetwork(), Rebuild(), images))
    ours.rate(20)
    own, other = [], []
    for _ in range(rounds):
        other.append(theirs.rate(120))
        with kept_memory():
            own.append(ours.rate(240))
    return {"usual_script": spread(other), "latentia": spread(own), "ratio": ratio(own, other)}


def pythae(rounds: int, environment: Path) -> dict[str, Any]:
    """Two epochs of 1,280 images on each side, in turn: seconds of training, and the mean squared error in training mode."""
    images = load("mnist", "train").select(np.arange(1280))
    python, epochs = ensure_environment(environment), 2
    own, other, errors, theirs = [], [], [], []
    count = 0
    with tempfile.TemporaryDirectory() as folder:
        np.savez(f"{folder}/images.npz", train=np.asarray(images.pixels))
        for seed in range(rounds):
            job = {"images": f"{folder}/images.npz", "latent_dim": 16, "batch_size": BATCH, "epochs": epochs}
            job |= {"threads": torch.get_num_threads(), "seed": seed}
            command = [str(python), str(HERE / "peers" / "pythae_speed.py"), json.dumps(job)]
            told = json.loads(
                subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=folder).stdout.splitlines()[
                    -1
                ]
            )
            other.append(epochs * len(images) / told["seconds"])
            theirs.append(told["mse"])
            torch.manual_seed(seed)
            network = PythaeNetwork()
            count = sum(parameter.numel() for parameter in network.parameters())
            if count != told["parameters"]:
                raise SystemExit(f"pythae's network has {told['parameters']} parameters, ours {count}")
            trainer = trainer_of(network, Rebuild(summed=True), images)
            started = time.perf_counter()
            with flushed_denormals(), kept_memory():
                Stream(trainer).rate(epochs * len(trainer.train))
            own.append(epochs * len(images) / (time.perf_counter() - started))
            network.train()
            pixels = [batch.pixels for batch in Batches(images, images.format, BATCH)]
            with torch.no_grad():
                wrong = [float((network(some) - some).square().mean()) for some in pixels]
            errors.append(statistics.mean(wrong))
    return {
        "parameters": count,
        "pythae": {"images_per_second": spread(other, 1), "mse": spread(theirs, 5)},
        "latentia": {"images_per_second": spread(own, 1), "mse": spread(errors, 5)},
        "ratio": ratio(own, other),
    }


def epoch(rounds: int) -> dict[str, Any]:
    images = load("mnist", "train")
    made = design("cae")
    trainer = trainer_of(made.architecture.build(images.format), made.objective, images)
    stream, resident = Stream(trainer), next(iter(trainer.train))
    stream.rate(20)
    own, other = [], []
    for _ in range(rounds * 2):
        own.append(stream.rate(60))
        started = time.perf_counter()
        for _ in range(60):
            trainer._add(trainer.train_step(resident, 0), resident.counted)
        other.append(60 * BATCH / (time.perf_counter() - started))
    return {"epoch": spread(own), "resident": spread(other), "ratio": ratio(own, other)}


def folder(rounds: int, count: int = 60_000) -> dict[str, Any]:
    """Each turn is processes of their own with an empty cache: one on one core, one on all, and this again with the cache made.

    Beside them, what the machine allows: on every core a process that shares nothing and reads as many of the files as falls to
    it. Rates are of ``load`` alone and, for one core and all, from the start of the process.
    """
    from PIL import Image

    pixels, cores = np.asarray(load("mnist", "train").pixels)[:, 0], sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as root:
        place, parts = Path(root) / "images", [Path(root) / f"part-{core}" for core in cores]
        for one in (place, *parts):
            one.mkdir()
        for number in range(count):
            name = f"{number:06}.png"
            Image.fromarray(pixels[number % len(pixels)]).save(place / name)
            os.link(place / name, parts[number % len(parts)] / name)
        turns: dict[str, list[float]] = {"one core": [], "all cores": [], "again": [], "apart": []}
        started: dict[str, list[float]] = {"one core": [], "all cores": []}
        for turn in range(rounds):
            for way in turns:
                cache = Path(root) / f"cache-{turn}-{'all cores' if way == 'again' else way}"
                if way == "apart":
                    pairs = list(zip(parts, ([core] for core in cores), strict=True))
                else:
                    pairs = [(place, cores[:1] if way == "one core" else cores)]
                seconds, whole = _read_side_by_side(pairs, cache)
                turns[way].append(count / seconds)
                if way in started:
                    started[way].append(count / whole)
                if way != "all cores":
                    shutil.rmtree(cache)
    return {
        "files": count,
        **{way.replace(" ", "_"): spread(rates) for way, rates in turns.items()},
        "ratio": ratio(turns["all cores"], turns["one core"]),
        "apart_ratio": ratio(turns["apart"], turns["one core"]),
        "ratio_with_start": ratio(started["all cores"], started["one core"]),
        **{f"{way.replace(' ', '_')}_with_start": spread(rates) for way, rates in started.items()},
    }


READ = """
import sys, time
started = time.perf_counter()
import latentia
latentia.load
began = time.perf_counter()
latentia.load(sys.argv[1])
ended = time.perf_counter()
print(ended - began, ended - started)
"""


def _read_side_by_side(pairs: list[tuple[Path, list[int]]], cache: Path) -> tuple[float, float]:
    """Return the seconds of the slowest process, each with a folder and cores of its own: of loading, and from its start."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", READ, str(place)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "LATENTIA_CACHE": str(cache)},
            preexec_fn=functools.partial(os.sched_setaffinity, 0, cores),
        )
        for place, cores in pairs
    ]
    found = []
    for process in running:
        said, _ = process.communicate()
        if process.returncode:
            raise SystemExit("a process that read a folder failed")
        found.append([float(number) for number in said.split()])
    loading, whole = zip(*found, strict=True)
    return max(loading), max(whole)


def embed(rounds: int) -> dict[str, Any]:
    from embed import TIMED, speed, write_images

    with tempfile.TemporaryDirectory() as root:
        path = Path(root) / "images.npy"
        write_images(path, TIMED)
        return speed(path, rounds)


def target(rounds: int, limit: float = 0.0090) -> dict[str, Any]:
    """Seconds of training, validation apart, until the mean squared error on validation images is at the limit.

    The script is looked at after each of at most 30 epochs; where it does not get there, its seconds are a lower bound, and
    its error stands beside them.
    """
    train, held = load("mnist", "train"), load("mnist", "validation")
    shown = torch.from_numpy(np.ascontiguousarray(held.pixels)).float().div(255)
    own, other, errors = [], [], []
    for seed in range(rounds):
        seconds, error = _script_seconds(np.asarray(train.pixels)[:, 0], shown, seed, limit)
        other.append(seconds)
        errors.append(error)
        own.append(_our_seconds(train, shown, seed, limit))
    return {
        "limit": limit,
        "usual_script": spread(other, 1),
        "usual_script_error": spread(errors, 5),
        "latentia": spread(own, 1),
        "ratio": ratio(own, other),
    }


def _error(module: Callable[[Tensor], Tensor], images: Tensor) -> float:
    with torch.inference_mode():
        return float(torch.stack([(module(some) - some).square().mean() for some in images.split(1000)]).mean())


def _script_seconds(pixels: Any, held: Tensor, seed: int, limit: float, epochs: int = 30) -> tuple[float, float]:
    torch.manual_seed(seed)
    network = ReportNetwork()
    made = UsualScript(network, pixels, BATCH, workers=torch.get_num_threads())
    seconds = error = 0.0
    for _ in range(epochs):
        started = time.perf_counter()
        for _ in made.steps():
            pass
        seconds += time.perf_counter() - started
        network.eval()
        error = _error(network, held)
        if error <= limit:
            break
    return seconds, error


def _our_seconds(train: Any, held: Tensor, seed: int, limit: float) -> float:
    """Of ``cae`` with Muon and a schedule of 1, 2, 3 … epochs, the shortest that is there at its end."""
    mean = torch.from_numpy(np.asarray(train.pixels).mean((0, 2, 3), dtype=np.float64)).float().div(255)
    for epochs in (1, 2, 3, 4, 6):
        made = design("cae:latent_dim=16")
        model = made.architecture.build(train.format, seed=seed)
        settings = TrainSettings(epochs=epochs, batch_size=BATCH, optimizer="muon", seed=seed)
        model.start_at(mean)
        batches = Batches(train, train.format, BATCH, seed=seed)
        trainer = Trainer(model, made.objective, batches, None, settings, CPU, quiet=True)
        started = time.perf_counter()
        trainer.fit()
        seconds = time.perf_counter() - started
        if _error(model, held) <= limit:
            return seconds
    raise SystemExit(f"no schedule of six epochs or fewer reaches {limit}")


PARTS: dict[str, Callable[..., dict[str, Any]]] = {
    "peak": peak,
    "step": step,
    "script": script,
    "pythae": pythae,
    "epoch": epoch,
    "folder": folder,
    "embed": embed,
    "target": target,
}


def main(parts: list[str], rounds: int, threads: int, environment: Path, output: Path) -> None:
    if threads:
        torch.set_num_threads(threads)
    kept = json.loads(output.read_text()) if output.exists() else {}
    for name in parts:
        ours_alone = kept_memory() if name in ("step", "epoch") else contextlib.nullcontext()
        with flushed_denormals(), ours_alone:
            found = pythae(rounds, environment) if name == "pythae" else PARTS[name](rounds)
        kept[name] = {
            **found,
            "rounds": rounds,
            "threads": torch.get_num_threads(),
            "load": round(os.getloadavg()[0], 1),
        }
        kept["machine"] = {
            "processor": _processor(),
            "cpus": len(os.sched_getaffinity(0)),
            "python": platform.python_version(),
            "torch": torch.__version__,
        }
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(kept, indent=2) + "\n")
        print(name, json.dumps(kept[name]), flush=True)


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=list(PARTS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="0: PyTorch's choice")
    parser.add_argument(
        "--environment", type=Path, default=HERE.parent / ".venv-pythae", help="made where it is not there"
    )
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    main(**vars(parser.parse_args()))
