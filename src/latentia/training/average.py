"""The running average of a module's weights, which is then validated and kept (Polyak & Juditsky 1992)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from latentia.core.share import Share
from latentia.training.sharding import local


@torch.no_grad()
def move_average(average: dict[str, Tensor], module: nn.Module, share: Share) -> None:
    """Move ``average`` by a share of the way towards the weights of ``module``; a tensor where that is recorded."""
    moving: tuple[list[Tensor], list[Tensor]] = [], []
    for name, value in module.state_dict().items():
        held = average[name]
        if held.is_floating_point():
            moving[0].append(local(held))
            moving[1].append(local(value))
        else:
            held.copy_(value)
    # few launches on a GPU, where each costs more than its arithmetic
    if isinstance(share, Tensor):
        way = torch._foreach_sub(moving[1], moving[0])
        torch._foreach_mul_(way, share)
        torch._foreach_add_(moving[0], way)
    else:
        torch._foreach_lerp_(*moving, share)


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
