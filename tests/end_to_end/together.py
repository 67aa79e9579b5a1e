"""Trains what a JSON file asks for, one after the other, as one of several processes; started by test_many_processes."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from latentia import finetune, train
from latentia.core.launch import launch
from latentia.core.ranks import leave
from latentia.data.imageset import from_array
from latentia.training.sharding import local
from latentia.training.trainer import Trainer

STEP = Trainer.train_step
held: list[int] = []


def watched(self: Trainer, *arguments: Any) -> Any:
    """Take a step and note how many weights, gradients and numbers of the optimiser this process holds."""
    terms = STEP(self, *arguments)
    parameters = list(self.module.parameters())
    tensors = [*parameters, *(parameter.grad for parameter in parameters if parameter.grad is not None)]
    for state in self.optimizer.state.values():
        tensors += [value for value in state.values() if isinstance(value, torch.Tensor) and value.ndim]
    held.append(sum(local(tensor).numel() for tensor in tensors))
    return terms


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
        (place / f"{name}-{launch().rank}-held.json").write_text(json.dumps(held))
        held.clear()
        if launch().leads:
            (place / f"{name}.json").write_text(json.dumps(run.history))


if __name__ == "__main__":
    Trainer.train_step = watched  # type: ignore[method-assign]
    warnings.simplefilter("error")
    run_all(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
    leave()
