"""The state to resume from, as one safetensors file: weights, running averages, optimiser, and where training stood."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from latentia.core.errors import UserError
from latentia.training.optimizers import trained_by
from latentia.training.sharding import as_in, part_of, wholes
from latentia.training.storage import load_state, load_tensors, save_tensors

# in which an optimiser computes: those of this training's device and processes, not of the one before
WAYS = ("fused", "foreach")
State = tuple[dict[str, Tensor], dict[str, Any]]  # tensors and JSON values, as they stand in the file


@dataclasses.dataclass
class Progress:
    """Where training stands.

    Attributes:
        epoch: epochs that are complete.
        position: batches of the running epoch that are done.
        step: optimiser steps done in all.
        best: the lowest headline figure on validation so far.
        best_epoch: the epoch it was reached in, from 1; 0 before any.
        seconds: training time so far, over all sittings.
        finished: whether training has come to its end.
    """

    epoch: int = 0
    position: int = 0
    step: int = 0
    best: float = float("inf")
    best_epoch: int = 0
    seconds: float = 0.0
    finished: bool = False


def checkpoint_state(
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: dict[str, Tensor] | None,
    sums: dict[str, Tensor],
    progress: Progress,
    history: list[dict[str, Any]],
) -> State:
    """Return the tensors and the metadata to write, whole; every process that has a part of them calls it."""
    tensors = {f"module.{name}": tensor for name, tensor in module.state_dict().items()}
    tensors |= {f"average.{name}": tensor for name, tensor in (average or {}).items()}
    tensors |= {f"sums.{name}": tensor for name, tensor in sums.items()}
    state = optimizer.state_dict()
    plain: dict[str, dict[str, Any]] = {}
    for index, values in state["state"].items():
        for key, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{index}.{key}"] = value
            else:
                plain.setdefault(str(index), {})[key] = value
    metadata = {
        "progress": dataclasses.asdict(progress),
        "optimizer": {"plain": plain, "groups": state["param_groups"]},
        "history": history,
    }
    return wholes(tensors, to_write=True), metadata


def save_checkpoint(path: Path, state: State) -> None:
    """Write what :func:`checkpoint_state` returned atomically."""
    save_tensors(path, *state)


def load_checkpoint(
    path: Path,
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    device: torch.device,
    read: State | None = None,
) -> tuple[Progress, dict[str, Tensor] | None, dict[str, Tensor], list[dict[str, Any]]]:
    """Bring module and optimiser to the saved state; return progress, averages, running sums and history.

    ``read`` is what ``path`` holds, where that was read already.

    Raises:
        UserError: the file is missing, damaged, or belongs to another model.
    """
    tensors, metadata = read or load_tensors(path)
    try:
        progress = Progress(**metadata["progress"])
        plain, groups = metadata["optimizer"]["plain"], metadata["optimizer"]["groups"]
        history = metadata["history"]
    except (KeyError, TypeError) as error:
        raise UserError(f"{path} is not a checkpoint of this version: {error!r}") from None
    load_state(module, _under("module.", tensors), path)
    states: dict[int, dict[str, Any]] = {int(index): dict(values) for index, values in plain.items()}
    parameters = trained_by(optimizer)
    for name, tensor in _under("optimizer.", tensors).items():
        index, _, key = name.partition(".")
        states.setdefault(int(index), {})[key] = part_of(tensor, parameters[int(index)])
    for saved, group in zip(groups, optimizer.param_groups, strict=False):
        saved.update({name: group[name] for name in WAYS if name in group})
    optimizer.load_state_dict({"state": states, "param_groups": groups})
    own = module.state_dict()
    average = {name: tensor.to(device) for name, tensor in as_in(_under("average.", tensors), own).items()}
    sums = {name: tensor.to(device) for name, tensor in _under("sums.", tensors).items()}
    return progress, average or None, sums, history


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
