"""Runs that take a moment: a small network on sixty images of noise."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from latentia import train
from latentia.data.imageset import from_array
from latentia.training.trainer import Trainer

SMALL = {"widths": "4,8", "bottleneck.hidden": 0, "decoder.hidden": 0, "latent_dim": 3}
IMAGES = from_array(np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8))


def small_run(tmp_path: Path, data: Any = IMAGES, **more: Any) -> Any:
    settings = {"epochs": 3, "batch_size": 16, "seed": 1, "quiet": True, "figures": False, "runs": tmp_path, **more}
    return train(data, options=SMALL, **settings)


def weights(run: Any) -> dict[str, torch.Tensor]:
    return run.model.state_dict()


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


def stop_after(monkeypatch: pytest.MonkeyPatch, steps: int, number: int = signal.SIGTERM) -> None:
    """Let this process receive a signal in the middle of training."""
    original = Trainer.train_step
    count = 0

    def counted(self: Trainer, *args: Any) -> Any:
        nonlocal count
        count += 1
        if count == steps:
            os.kill(os.getpid(), number)
        return original(self, *args)

    monkeypatch.setattr(Trainer, "train_step", counted)
