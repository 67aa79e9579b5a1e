"""The running average of a module's weights, which is then validated and kept (Polyak & Juditsky 1992)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn


@torch.no_grad()
def update_average(average: dict[str, Tensor], module: nn.Module, decay: float, step: int) -> None:
    """Move ``average`` towards the weights of ``module`` after ``step``, from 0."""
    # the average starts short and lengthens, so that it does not remember the initial weights
    decay = min(decay, (1 + step) / (10 + step))
    moving: tuple[list[Tensor], list[Tensor]] = [], []
    for name, value in module.state_dict().items():
        held = average[name]
        if held.is_floating_point():
            moving[0].append(held)
            moving[1].append(value)
        else:
            held.copy_(value)
    torch._foreach_lerp_(*moving, 1 - decay)  # one launch on a GPU, where each costs more than its arithmetic


@contextlib.contextmanager
def averaged(module: nn.Module, average: Mapping[str, Tensor] | None) -> Iterator[None]:
    """Let ``module`` hold the averaged weights inside, where there are any."""
    if average is None:
        yield
        return
    own = copied(module.state_dict())
    module.load_state_dict(average)
    try:
        yield
    finally:
        module.load_state_dict(own)


def copied(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights that stay as they are now."""
    return {name: value.detach().clone() for name, value in state.items()}
