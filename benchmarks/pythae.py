"""Side by side with pythae: the same network, images, latent size, epochs and loss, each with its own trainer.

    LATENTIA_DATA=... python benchmarks/pythae.py [--seeds 0 1 2] [--images 10000] [--epochs 10] [--environment DIR]

Pythae is installed into an environment of its own (``--environment``, made where it is not there). Its trainer gets Adam at
the better of two learning rates (by the validation loss, one seed) and the plateau schedule of its documentation; ours
has its defaults. Pythae's weights are then loaded into our network, of the same layers, and both are judged on MNIST's test
split by the same code: lower is better in each row. Writes ``benchmarks/results/pythae.json`` after every run, so that it can
be interrupted, and prints the table.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from latentia import load, train
from latentia.data.imageset import ImageSet
from latentia.model import Autoencoder
from latentia.objective import Objective
from latentia.presets import design
from latentia.tasks.density import log_likelihood
from latentia.tasks.evaluate import evaluate
from latentia.tasks.reconstruct import reconstruct

HERE = Path(__file__).parent
RESULT = HERE / "results" / "pythae.json"
SHARED = {"widths": [16, 64], "hidden": 512, "batch_size": 128, "beta": 2.0, "samples": 5, "codebook_size": 256}
RATES = (1e-3, 2e-3)
BOUND_SAMPLES, BOUND_IMAGES = 50, 2000
# our options for each of pythae's models, its latent size, and the figure it is judged by
MODELS: dict[str, tuple[str, int, str]] = {
    "ae": ("cae", 16, "mse"),
    "vae": ("vae", 16, "loss"),
    "beta-vae": ("vae:beta=2", 16, "loss"),
    "iwae": ("iwae:samples=5", 16, "bound"),
    "vq-vae": ("vq-vae:codebook_size=256", 32, "mse"),
}
FIGURES = {
    "mse": "per-pixel MSE",
    "loss": "nats: cross-entropy + beta KL",
    "bound": f"nats: importance-weighted bound, {BOUND_SAMPLES} samples, {BOUND_IMAGES} images",
}


def ensure_environment(path: Path) -> Path:
    """Return the Python of the environment that holds pythae; make it where it is not there."""
    python = path / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(path)], check=True)
        constraints = HERE.parent / "constraints.txt"
        command = [str(python), "-m", "pip", "install", "-q", "-c", str(constraints), "pythae==0.1.2"]
        subprocess.run(command, check=True)
    return python


def designed(name: str) -> tuple[Any, dict[str, Any]]:
    preset, latent_dim, _ = MODELS[name]
    options = {"widths": SHARED["widths"], "latent_dim": latent_dim}
    return preset, options


def judge(model: Autoencoder, objective: Objective, images: ImageSet, figure: str) -> float:
    if figure == "bound":
        some = images.select(np.arange(min(BOUND_IMAGES, len(images))))
        return -float(log_likelihood(model, some, samples=BOUND_SAMPLES).log_likelihood.mean())
    if figure == "mse":
        return float(reconstruct(model, images).errors.mean())
    return evaluate(model, objective, images, images.select(np.arange(2))).figures["loss"]


def ours(name: str, parts: dict[str, ImageSet], seed: int, epochs: int) -> dict[str, Any]:
    preset, options = designed(name)
    with tempfile.TemporaryDirectory() as runs:
        started = time.time()
        run = train(
            parts["train"],
            preset,
            validation=parts["validation"],
            runs=runs,
            epochs=epochs,
            seed=seed,
            figures=False,
            quiet=True,
            options=options,
        )
        seconds = time.time() - started
        figure = MODELS[name][2]
        found = {part: judge(run.model, run.objective, parts[part], figure) for part in ("validation", "test")}
    count = sum(parameter.numel() for parameter in run.model.parameters())
    return {"side": "latentia", "model": name, "seed": seed, "seconds": seconds, "parameters": count, **found}


def theirs(
    name: str, parts: dict[str, ImageSet], images: Path, seed: int, epochs: int, rate: float, python: Path
) -> dict[str, Any]:
    preset, options = designed(name)
    with tempfile.TemporaryDirectory() as folder:
        job = {**SHARED, "images": str(images), "model": name, "seed": seed, "epochs": epochs, "learning_rate": rate}
        job |= {"latent_dim": MODELS[name][1], "output": f"{folder}/weights.npz"}
        command = [str(python), str(HERE / "peers" / "pythae_side.py"), json.dumps(job)]
        environment = {**os.environ, "GOMP_SPINCOUNT": "10000"}
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment, cwd=folder)
        told = json.loads(done.stdout.splitlines()[-1])
        arrays = dict(np.load(job["output"]))
    found: dict[str, float] = {}
    for part in ("validation", "test"):
        if name == "vq-vae":
            pixels = parts[part].format.to_unit(parts[part].pixels)
            found[part] = float(np.square(arrays[part] - pixels, dtype=np.float64).mean())
            continue
        chosen = design(preset, options)
        model = chosen.architecture.build(parts["train"].format)
        take_weights(model, arrays)
        found[part] = judge(model.eval(), chosen.objective, parts[part], MODELS[name][2])
    told["learning_rate"] = rate
    return {"side": "pythae", "model": name, "seed": seed, **told, **found}


def take_weights(model: Autoencoder, arrays: dict[str, np.ndarray[Any, Any]]) -> None:
    """Fill the model, layer for layer; every tensor must have its partner's shape."""
    own = {
        "encoder": {**model.encoder.state_dict(prefix="encoder."), **model.bottleneck.state_dict(prefix="bottleneck.")},
        "decoder": model.decoder.state_dict(prefix="decoder."),
    }
    state = model.state_dict()
    for side, tensors in own.items():
        given = [arrays[f"{side}.{place}"] for place in range(sum(key.startswith(f"{side}.") for key in arrays))]
        for (key, tensor), array in zip(tensors.items(), given, strict=True):
            if tuple(tensor.shape) != array.shape:
                raise ValueError(f"{key}: {tuple(tensor.shape)} here, {array.shape} there")
            state[key] = torch.from_numpy(array)
    model.load_state_dict(state)


def table(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| model | figure | pythae | latentia | seconds, pythae | seconds, latentia |",
        "|---|---|---|---|---|---|",
    ]
    for name, (_, _, figure) in MODELS.items():
        own = {side: [row for row in rows if (row["side"], row["model"]) == (side, name)] for side in SIDES}
        if not all(own.values()):
            continue
        cells = [_cell([row["test"] for row in own[side]]) for side in SIDES]
        seconds = [f"{statistics.median(row['seconds'] for row in own[side]):.0f}" for side in SIDES]
        lines.append(f"| {name} | {FIGURES[figure]} | {' | '.join(cells)} | {' | '.join(seconds)} |")
    return "\n".join(lines)


SIDES = ("pythae", "latentia")


def _cell(values: list[float]) -> str:
    spread = f" ± {statistics.stdev(values):.2g}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.5g}{spread}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--images", type=int, default=10_000, help="training images")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--environment", type=Path, default=HERE.parent / ".venv-pythae")
    arguments = parser.parse_args()
    python = ensure_environment(arguments.environment)
    full = {part: load(arguments.data, part) for part in ("train", "validation", "test")}
    full["train"] = full["train"].select(np.arange(min(arguments.images, len(full["train"]))))
    settings = {"data": arguments.data, "images": len(full["train"]), "epochs": arguments.epochs, **SHARED}
    kept = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    rows = kept["rows"] if kept.get("settings") == settings else []

    def add(row: dict[str, Any]) -> None:
        rows.append(row)
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(json.dumps({"settings": settings, "rows": rows}, indent=2) + "\n")
        print({key: value for key, value in row.items() if key != "parameters"}, flush=True)

    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "images.npz"
        np.savez(images, **{part: found.pixels for part, found in full.items()})
        for name in arguments.models:
            trials = [row for row in rows if row["side"] == "pythae, trial" and row["model"] == name]
            for rate in RATES[len(trials) :]:
                row = theirs(name, full, images, 1000, arguments.epochs, rate, python)
                trials.append({**row, "side": "pythae, trial"})
                add(trials[-1])
            rate = min(trials, key=lambda row: row["validation"])["learning_rate"]
            for seed in arguments.seeds:  # in turn, so that noise of the machine hits both
                done = {row["side"] for row in rows if row["model"] == name and row["seed"] == seed}
                if "pythae" not in done:
                    add(theirs(name, full, images, seed, arguments.epochs, rate, python))
                if "latentia" not in done:
                    add(ours(name, full, seed, arguments.epochs))
    print(table(rows))


if __name__ == "__main__":
    main()
