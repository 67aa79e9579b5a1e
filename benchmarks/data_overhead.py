"""What data handling costs: an epoch's images a second against the same step on one batch that stays where it is.

    LATENTIA_DATA=... python benchmarks/data_overhead.py

The two are measured in turn, so that a machine whose speed drifts drifts for both; the median ratio and its range are
printed and written to ``benchmarks/results/data_overhead.json``.
"""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path

import torch

from latentia import load
from latentia.data.batches import Batches
from latentia.presets import design
from latentia.training.device import flushed_denormals, kept_memory, resolve_device
from latentia.training.settings import TrainSettings
from latentia.training.trainer import Trainer

STEPS, ROUNDS = 60, 15


def main() -> None:
    images, device = load("mnist", "train"), resolve_device("auto")
    settings, chosen = TrainSettings(epochs=20), design("cae")
    model = chosen.architecture.build(images.format)
    batches = Batches(images, model.format, settings.batch_size, device, seed=0)
    trainer = Trainer(model, chosen.objective, batches, None, settings, device, quiet=True)
    stream = batches.epoch(0)
    resident = next(stream)
    epoch_rates, resident_rates = [], []
    with flushed_denormals(), kept_memory():
        for batch in [resident] * 20:
            trainer.train_step(batch, 0)
        for turn in range(ROUNDS):
            stream = batches.epoch(turn)
            started = time.perf_counter()
            for _ in range(STEPS):
                trainer.train_step(next(stream), 0)
            epoch_rates.append(STEPS * settings.batch_size / (time.perf_counter() - started))
            started = time.perf_counter()
            for _ in range(STEPS):
                trainer.train_step(resident, 0)
            resident_rates.append(STEPS * settings.batch_size / (time.perf_counter() - started))
    ratios = [own / other for own, other in zip(epoch_rates, resident_rates, strict=True)]
    result = {
        "threads": torch.get_num_threads(),
        "device": str(device),
        "epoch_images_per_second": round(statistics.median(epoch_rates)),
        "resident_images_per_second": round(statistics.median(resident_rates)),
        "ratio_median": round(statistics.median(ratios), 4),
        "ratio_range": [round(min(ratios), 4), round(max(ratios), 4)],
        "rounds": ROUNDS,
    }
    path = Path(__file__).parent / "results" / "data_overhead.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
