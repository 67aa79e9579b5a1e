"""Accuracy against images a second, for shapes of the convolutional autoencoder: where the default stands on the front.

    LATENTIA_DATA=... python benchmarks/front.py [--images 20000] [--epochs 4] [--rounds 5] [--threads 2]

Every network is trained on the same images for the same epochs to a code of 16 numbers, and judged by its per-pixel error on the
same 2,000 validation images, never on a test split. Its speed is that of the training step on one batch that stays; all
networks take turns, so that what else the machine does hits all alike. Writes ``benchmarks/results/front.json`` and draws
``docs/pictures/front.png``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from same_network import BATCH, trainer_of

from latentia import train
from latentia.data.imageset import ImageSet
from latentia.data.load import training_parts
from latentia.presets import design
from latentia.report.style import BLUE, ORANGE, SOFT, new_figure, save, styled, title

HERE = Path(__file__).parent
NETWORKS: dict[str, dict[str, Any]] = {
    "8-16-32": {"widths": "8x16x32"},
    "8-32": {"widths": "8x32"},
    "16-32": {"widths": "16x32"},
    "16-64": {"widths": "16x64"},
    "32-64": {"widths": "32x64"},
    "16-128": {"widths": "16x128"},
    "16-64-128": {"widths": "16x64x128"},
    "32-128": {"widths": "32x128"},
    "dense 1024-512": {"encoder": "dense"},
    "residual 16-64": {"encoder": "residual"},
}
DEFAULT = "16-64"
BELOW = ("32-128",)  # whose name is written below the point, for another's is above


def errors(images: ImageSet, validation: ImageSet, epochs: int, seed: int) -> dict[str, float]:
    """Return each network's validation MSE."""
    found = {}
    more = {"validation": validation, "epochs": epochs, "seed": seed, "figures": False, "quiet": True}
    for name, options in NETWORKS.items():
        with tempfile.TemporaryDirectory() as runs:
            run = train(images, "cae", options=options, runs=runs, **more)
            found[name] = run.history[-1]["validation"]["mse"]
        print(f"{name}: {found[name]:.5f}", flush=True)
    return found


def speeds(images: ImageSet, rounds: int) -> dict[str, list[float]]:
    """Return each network's images a second in each turn."""
    ready = []
    for name, options in NETWORKS.items():
        made = design("cae", options)
        trainer = trainer_of(made.architecture.build(images.format), made.objective, images)
        batch = next(iter(trainer.train))
        trainer.train_step(batch, 0)
        ready.append((name, trainer, batch))
    found: dict[str, list[float]] = {name: [] for name in NETWORKS}
    for _ in range(rounds):
        for name, trainer, batch in ready:
            started = time.perf_counter()
            for _ in range(20):
                trainer.train_step(batch, 0)
            found[name].append(20 * BATCH / (time.perf_counter() - started))
    return found


def on_front(rows: dict[str, dict[str, float]]) -> list[str]:
    """Return the networks that no other one beats in both error and speed."""
    return [
        name
        for name, own in rows.items()
        if not any(other["mse"] < own["mse"] and other["rate"] > own["rate"] for other in rows.values())
    ]


def draw(rows: dict[str, dict[str, float]], settings: dict[str, Any]) -> Figure:
    """Return the picture: error over images a second, the front as a line, the default marked."""
    front = sorted(on_front(rows), key=lambda name: rows[name]["rate"])
    with styled():
        figure = new_figure(7.0, 4.4)
        axes = figure.subplots()
        axes.plot(
            [rows[name]["rate"] for name in front], [rows[name]["mse"] for name in front], color=SOFT, linewidth=1,
            label="the front: beaten by none in both",
        )  # fmt: skip
        axes.legend(loc="upper left", fontsize=8)
        for name, own in rows.items():
            colour = ORANGE if name == DEFAULT else BLUE
            axes.hlines(own["mse"], own["low"], own["high"], color=colour, linewidth=1.2)
            axes.plot(own["rate"], own["mse"], "D" if name == DEFAULT else "o", color=colour, markersize=6)
            axes.annotate(
                name + (" (default)" if name == DEFAULT else ""), (own["rate"], own["mse"]), (5, -12 if name in BELOW else 5),
                textcoords="offset points", fontsize=8,
            )  # fmt: skip
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda rate, _: f"{rate:,.0f}")
        axes.xaxis.set_minor_formatter(lambda rate, _: f"{rate:,.0f}" if str(int(rate))[0] in "25" else "")
        axes.margins(x=0.12)
        axes.set_xlabel(f"training, images a second, threads: {settings['threads']} (median and range)")
        axes.set_ylabel("validation MSE per pixel, code of 16 numbers")
        title(
            figure,
            "accuracy against speed",
            f"channels after each halving; MNIST, {settings['images']:,} images, {settings['epochs']} epochs",
        )
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--only-speed", action="store_true", help="keep the errors measured before")
    parser.add_argument("-o", "--output", type=Path, default=HERE / "results" / "front.json")
    parser.add_argument("--picture", type=Path, default=HERE.parent / "docs" / "pictures" / "front.png")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    settings = {name: getattr(given, name) for name in ("images", "epochs", "seeds", "threads")}
    images, validation = training_parts("mnist")[:2]
    assert validation is not None
    images, validation = images.select(range(given.images)), validation.select(range(2000))
    if given.only_speed:
        known = json.loads(given.output.read_text())["rows"]
        found = {name: known[name]["mses"] for name in NETWORKS}
    else:
        tries = [errors(images, validation, given.epochs, seed) for seed in given.seeds]
        found = {name: [each[name] for each in tries] for name in NETWORKS}
    rates = speeds(images, given.rounds)
    rows = {
        name: {
            "mse": statistics.mean(found[name]),
            "mses": found[name],
            "rate": statistics.median(rates[name]),
            "low": min(rates[name]),
            "high": max(rates[name]),
        }
        for name in NETWORKS
    }
    given.output.write_text(json.dumps({"settings": settings, "rows": rows, "front": on_front(rows)}, indent=2) + "\n")
    save(draw(rows, settings), given.picture)
    print("| network | validation MSE | images a second | on the front |\n|---|---|---|---|")
    for name, own in sorted(rows.items(), key=lambda row: -row[1]["rate"]):
        print(f"| {name} | {own['mse']:.5f} | {own['rate']:,.0f} | {'yes' if name in on_front(rows) else ''} |")


if __name__ == "__main__":
    main()
