"""What the processes of one training do together at each step and each epoch: so that all take the steps of a single one.

Gradients are added by hand, in one exchange of one buffer, and not by DistributedDataParallel: see decision 10.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentia.core.errors import LatentiaError
from latentia.core.ranks import Ranks
from latentia.training.sharding import is_sharded
from latentia.training.storage import load_tensors

ALIKE = 1e-4  # the largest relative difference of the weights' size between processes; unequal machines may round apart


class Team:
    """Exchanges gradients, sums and wishes of the processes of a training.

    Args:
        ranks: the processes.
        parameters: what is trained, in the same order in each. The gradients of what is shared out are not exchanged here.
    """

    def __init__(self, ranks: Ranks, parameters: Iterable[Tensor]) -> None:
        self.ranks, self.place = ranks, ranks.place
        given = list(parameters)
        self._parameters = [parameter for parameter in given if not is_sharded(parameter)]
        self._shares_out = len(self._parameters) < len(given)
        self._buffers = [_Buffer(group) for group in _by_kind(self._parameters)]
        self._asked: tuple[Tensor, Any] | None = None
        self.stop: int | None = None

    def add_gradients(self) -> None:
        """Replace each gradient by its sum over all processes; one that no loss depends on stays ``None``."""
        for buffer in self._buffers:
            buffer.take()
            self.ranks.add_up(buffer.flat)
            buffer.give()

    def wishes(self, *, stop: int | None, save: bool, diverged: bool) -> tuple[bool, bool]:
        """Tell the others what this process wishes, and return whether to save, and whether a loss is not finite.

        What comes back is what all had wished one step ago: so no step waits for the answer. ``stop``, the number of a
        signal, is kept as :attr:`stop`.
        """
        saves, fails = self._answer()
        wishes = torch.tensor([stop or 0, int(save and not saves), int(diverged)])
        self._asked = (wishes, self.ranks.largest(wishes))
        return saves, fails

    def settle(self, *, stop: int | None) -> None:
        """Let :attr:`stop` be what all wish now, at the end of an epoch."""
        self._answer()
        self.wishes(stop=stop, save=False, diverged=False)
        self._answer()

    def agree(self, fine: bool) -> bool:
        """Return whether all say so; where nothing is shared out, all hold the same and see the same."""
        if not self._shares_out:
            return fine
        spoilt = torch.tensor([0 if fine else 1])
        self.ranks.largest(spoilt).wait()
        return not int(spoilt)

    def sums(self, sums: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the sum of each over all processes."""
        if not sums:
            return {}
        total = self.ranks.add_up(torch.stack(list(sums.values())))
        return dict(zip(sums, total.unbind(), strict=True))

    def read(self, path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return what :func:`load_tensors` reads in the leading process, which alone needs the file."""
        return self.ranks.hand_out_tensors(lambda: load_tensors(path))

    @torch.no_grad()
    def check_alike(self) -> None:
        """Raise an error where the processes no longer hold the same weights."""
        if not self._parameters:
            return
        size = torch.stack([parameter.abs().sum(dtype=torch.float64) for parameter in self._parameters]).cpu()
        ends = torch.cat([size, -size])
        self.ranks.largest(ends).wait()
        most, least = ends[: len(size)], -ends[len(size) :]
        if bool(((most - least) > ALIKE * most).any()):
            raise LatentiaError(
                "the processes no longer hold the same weights: a part that draws or mixes images by itself does not work "
                "with several processes, so train in one"
            )

    def _answer(self) -> tuple[bool, bool]:
        if self._asked is None:
            return False, False
        (wishes, pending), self._asked = self._asked, None
        pending.wait()
        stop, save, diverged = wishes.tolist()
        self.stop = self.stop or stop or None
        return bool(save), bool(diverged)


class _Buffer:
    """The gradients of some parameters side by side."""

    def __init__(self, parameters: list[Tensor]) -> None:
        self.parameters = parameters
        first = parameters[0]
        self.flat = torch.zeros(sum(p.numel() for p in parameters), dtype=first.dtype, device=first.device)
        parts = torch.split(self.flat, [p.numel() for p in parameters])
        # in each parameter's own memory order: fused optimisers walk both together
        self.views = [part.as_strided(p.shape, p.stride()) for part, p in zip(parts, parameters, strict=True)]

    def take(self) -> None:
        gradients = [parameter.grad for parameter in self.parameters]
        given = [(view, grad) for view, grad in zip(self.views, gradients, strict=True) if grad is not None]
        if len(given) < len(gradients):
            self.flat.zero_()
        if given:
            torch._foreach_copy_([view for view, _ in given], [grad for _, grad in given])

    def give(self) -> None:
        for parameter, view in zip(self.parameters, self.views, strict=True):
            if parameter.grad is not None:
                parameter.grad = view


def _by_kind(parameters: list[Tensor]) -> list[list[Tensor]]:
    kinds: dict[tuple[torch.dtype, torch.device], list[Tensor]] = {}
    for parameter in parameters:
        kinds.setdefault((parameter.dtype, parameter.device), []).append(parameter)
    return list(kinds.values())
