"""Several trainings as one: networks of one architecture take their steps in one pass over their weights side by side.

On a GPU a small network waits for launches, and k networks that are stacked (``torch.func``: ``vmap`` over
``functional_call``) launch about as much as one. Each member stays a :class:`~latentia.training.trainer.Trainer` with its
own images, order, noise, optimiser, validation, checkpoints and folder. What is shared is where the weights lie, and the
pass that leaves gradients behind; so what comes of a member is what it would have learned alone, up to rounding. See
decision 13.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from latentia.core.errors import LatentiaError, UserError
from latentia.core.noise import Noise, StackedKeys
from latentia.core.share import Share
from latentia.data.batches import Batch
from latentia.training.contract import Course, Terms
from latentia.training.recorded import RecordedStep
from latentia.training.trainer import Trainer
from latentia.training.update import Updates

APART = 1e-3  # how far a gradient of the first step may be from the one without a stack, relative to it


def train_together(members: Sequence[Trainer], courses: Sequence[Course]) -> list[LatentiaError | None]:
    """Bring the courses of several trainings to their ends, and return what each of them failed with.

    One that fails leaves the others to go on. Members take a step together where their batches are of one size; one whose
    batch is smaller, as at the end of an epoch, takes it by itself, until it is at a full one again.

    Args:
        members: trainings of one architecture and one objective on one device.
        courses: the course of each, not begun yet.
    """
    failed: list[LatentiaError | None] = [None] * len(members)
    asked: dict[int, Batch] = {}

    def go_on(number: int, terms: Any) -> None:
        try:
            asked[number] = courses[number].send(terms)
        except (StopIteration, LatentiaError) as end:
            asked.pop(number, None)
            failed[number] = end if isinstance(end, LatentiaError) else None

    try:
        for number in range(len(members)):
            go_on(number, None)
        while asked:
            there = list(asked)
            stack = Stack([members[number] for number in there])
            while there == list(asked):
                size = max(len(batch) for batch in asked.values())
                behind = [number for number, batch in asked.items() if len(batch) < size]
                if not behind and len(there) > 1:
                    terms = stack.step(list(asked.values()))
                else:
                    behind = behind or there
                    terms = [
                        members[number].train_step(asked[number], members[number].progress.epoch) for number in behind
                    ]
                for number, some in zip(behind or there, terms, strict=True):
                    go_on(number, some)
            stack.dissolve()
    finally:
        for course in courses:
            course.close()
    return failed


def check_stackable(members: Sequence[Trainer]) -> None:
    """Raise a :class:`UserError` where the first step of a stack is not that of its members, each by itself.

    ``vmap`` refuses much of what it cannot do, and passes over the rest: the hook in the gradients of ``dreg``, for one. So
    gradients are compared.

    Args:
        members: two or more trainings as for :func:`train_together`, which are of no use afterwards.
    """
    batches = [next(member.train.epoch(0)) for member in members]
    expected = []
    for member, batch in zip(members, batches, strict=True):
        member.gradients(batch, 0, 1.0)
        expected.append(_gradient(member))
    stack = Stack(members)
    try:
        stack.gradients(batches, [1.0] * len(members))
    except (RuntimeError, TypeError, ValueError) as error:
        raise UserError(
            "a part of it cannot be computed for several networks at once, such as dropout, a learned codebook, a flow, or "
            "gradients within the loss"
        ) from error
    for member, gradient in zip(members, expected, strict=True):
        if not bool((_gradient(member) - gradient).norm() <= APART * gradient.norm()):
            raise UserError("its gradients would be others where they are computed for several networks at once")


def _gradient(member: Trainer) -> Tensor:
    return torch.cat(
        [(torch.zeros_like(one) if one.grad is None else one.grad).flatten() for one in _trained(member.module)]
    )


class Stack:
    """Trainings whose weights lie side by side, each weight of all of them in one tensor ``[members, ...]``.

    A member's own module keeps its parameters, which are views of these: whatever is done with one member by itself, such as
    validating, saving or a step alone, is done as ever.

    Args:
        members: trainings of one architecture and one objective on one device.
    """

    def __init__(self, members: Sequence[Trainer]) -> None:
        self.members = tuple(members)
        first = self.members[0]
        self._whole = _Whole(first)
        self._numbers = torch.arange(len(self.members), device=first.device)
        self._weights: dict[str, Tensor] = {}
        self._lay_side_by_side()
        self._trained = nn.ParameterList(one for one in self._weights.values() if isinstance(one, nn.Parameter))
        seeds = [member.settings.seed for member in self.members]
        self._make_keys = functools.partial(StackedKeys, seeds)
        self._keys = self._make_keys(2, first.device)
        self._recorded: RecordedStep | None = None
        self._updates = Updates([member.update for member in self.members], first.device, first.records)
        self._replayed = False  # whether the gradients as they stand are those of a recording
        if first.records:
            self._recorded = RecordedStep(self._trained, self._pass, 0, keys=self._make_keys)

    def step(self, batches: Sequence[Batch]) -> list[Terms]:
        """Take a step of each member, together, with batches of one size; return the terms of each."""
        terms = self.gradients(batches, [member.share for member in self.members])
        self._updates([member.progress.step for member in self.members], self._replayed)
        return terms

    def gradients(self, batches: Sequence[Batch], shares: Sequence[float]) -> list[Terms]:
        """Leave the gradients of each member's mean loss behind, as :meth:`Trainer.gradients` does; return the terms of each."""
        batch = Batch(
            torch.stack([one.pixels for one in batches]),
            torch.stack([one.labels for one in batches]),
            torch.stack([one.ids for one in batches]),
        )
        done = torch.tensor(shares, dtype=torch.float32)
        terms = self._gradients(batch, tuple(member.progress.epoch for member in self.members), done)
        for parameter, *own in zip(self._trained, *(_trained(member.module) for member in self.members), strict=True):
            gradients = [None] * len(own) if parameter.grad is None else parameter.grad.unbind(0)
            for one, gradient in zip(own, gradients, strict=True):
                one.grad = gradient
        rows = {name: values.detach().unbind(0) for name, values in terms.items()}
        return [{name: values[number] for name, values in rows.items()} for number in range(len(self.members))]

    def dissolve(self) -> None:
        """Give each member weights of its own again."""
        for member in self.members:
            for tensor in _tensors(member.module).values():
                tensor.data = tensor.data.clone()
            member.record_anew()
            member.sharing_time = 1

    def _lay_side_by_side(self) -> None:
        held = [_tensors(member.module) for member in self.members]
        for name, own in held[0].items():
            whole = torch.stack([tensors[name].detach() for tensors in held])
            for tensors, part in zip(held, whole.unbind(0), strict=True):
                tensors[name].data = part
            self._weights[f"module.{name}"] = nn.Parameter(whole) if own.requires_grad else whole
        for member in self.members:
            member.record_anew()
            member.sharing_time = len(self.members)

    def _gradients(self, batch: Batch, epochs: tuple[int, ...], shares: Tensor) -> Terms:
        first = self.members[0]
        if self._recorded is not None and first.may_replay(batch.ids.shape[1]):
            found = self._recorded(batch, shares, "train", epochs)
            self._replayed = found is not None
            if found is not None:
                return found
        self._replayed = False
        self._keys.at("train", epochs)
        return self._pass(batch, Noise(0, batch.ids, "train", epochs, keys=self._keys), shares.to(first.device))

    def _pass(self, batch: Batch, noise: Noise, shares: Share) -> Terms:
        keys = noise.keys
        assert isinstance(keys, StackedKeys) and isinstance(
            shares, Tensor
        )  # a developer's invariant: both callers made them

        def of_one(
            weights: dict[str, Tensor], pixels: Tensor, labels: Tensor, ids: Tensor, number: Tensor, share: Tensor
        ) -> Terms:
            keys.member = number
            own = Noise(0, ids, *noise.address, keys=keys)
            found: Terms = torch.func.functional_call(self._whole, weights, (pixels, labels, own, share))
            return found

        with self.members[0].precision():
            terms = torch.vmap(of_one)(self._weights, batch.pixels, batch.labels, batch.ids, self._numbers, shares)
        self._trained.zero_grad(set_to_none=True)
        # each member's loss depends on its own weights alone: the gradient of the sum is the gradient of each
        terms["loss"].mean(1).sum().backward()  # type: ignore[no-untyped-call]
        return terms


class _Whole(nn.Module):
    """Module and objective as one module, for which ``functional_call`` can put other weights in."""

    def __init__(self, member: Trainer) -> None:
        super().__init__()
        self.module, self.objective = member.module, member.objective

    def forward(self, pixels: Tensor, labels: Tensor, noise: Noise, share: Share) -> Terms:
        return self.objective(self.module, pixels, labels, noise, share)


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def _trained(module: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in module.parameters() if parameter.requires_grad]
