"""Trains what a JSON file asks for, one after the other, as one of several processes; started by test_many_processes."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import numpy as np

from latentia import finetune, train
from latentia.core.launch import launch
from latentia.core.ranks import leave
from latentia.data.imageset import from_array

IMAGES = np.random.default_rng(0).integers(0, 256, (50, 8, 8), dtype=np.uint8)


def run_all(wanted: dict[str, dict[str, object]], place: Path) -> None:
    """Train each of ``wanted`` in ``place / name``, and leave its weights, its history and what other processes hold."""
    for name, options in wanted.items():
        fine = dict(options.pop("finetune", {}))  # type: ignore[call-overload]
        data = options.pop("data", from_array(IMAGES))
        run = train(data, runs=place / name, quiet=True, figures=False, **options)
        if fine:
            labels = np.where(np.arange(50) % 5 == 0, np.arange(50) // 5 % 2, -1)
            run = finetune(run, from_array(IMAGES), labels=labels, runs=place / name, quiet=True, figures=False, **fine)
        model = run.classifier if fine else run.model
        found = {key: value.numpy() for key, value in model.state_dict().items()}
        np.savez(place / f"{name}-{launch().rank}.npz", **found)
        if launch().leads:
            (place / f"{name}.json").write_text(json.dumps(run.history))


if __name__ == "__main__":
    warnings.simplefilter("error")
    run_all(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
    leave()
