"""Networks compiled by PyTorch (``--compile``) against plain ones: one core's images a second in a training step.

    LATENTIA_DATA=... python benchmarks/compiled.py [--presets cae dae] [--rounds 5]

Processor time of one thread, both sides in turn on one batch that stays; the seconds of compiling are told apart. Writes
``benchmarks/results/compiled.json``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from same_network import BATCH, trainer_of

from latentia import load
from latentia.presets import design
from latentia.training.compiled import CompiledNetworks

RESULT = Path(__file__).parent / "results" / "compiled.json"


def measure(preset: str, rounds: int) -> dict[str, Any]:
    images, made = load("mnist", split="train"), design(preset)
    trainer = trainer_of(made.architecture.build(images.format), made.objective, images)
    batch = next(iter(trainer.train))
    steps = 3 if preset == "dae" else 30

    def rate(networks: CompiledNetworks | None) -> float:
        trainer._networks = networks
        started = time.process_time()
        for _ in range(steps):
            trainer.train_step(batch, 0)
        return steps * BATCH / (time.process_time() - started)

    networks, started = CompiledNetworks(trainer.module), time.perf_counter()
    rate(networks)
    compiling = time.perf_counter() - started
    rate(None)
    turns = [(rate(None), rate(networks)) for _ in range(rounds)]
    ratios = [compiled / plain for plain, compiled in turns]
    return {
        "compiling_s": round(compiling, 1),
        "plain": round(statistics.median(plain for plain, _ in turns)),
        "compiled": round(statistics.median(compiled for _, compiled in turns)),
        "ratio": [round(value, 3) for value in (statistics.median(ratios), min(ratios), max(ratios))],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", default=["cae", "dae"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows = {}
    for preset in given.presets:
        rows[preset] = measure(preset, given.rounds)
        print(preset, rows[preset], flush=True)
    given.output.write_text(json.dumps({"batch": BATCH, "threads": 1, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
