"""An update that is recorded is the plain one: here calling the function again stands in for a CUDA graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from latentia.training.average import copied
from latentia.training.optimizers import build_optimizer
from latentia.training.settings import TrainSettings
from latentia.training.update import Update, Updates

CPU = torch.device("cpu")
STEPS = 12


def made(optimizer: str = "adam", seed: int = 0, **settings: Any) -> Update:
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Conv2d(8, 8, 3), nn.Flatten(), nn.Linear(8, 4))
    rest = [parameter for layer in (module[0], module[2]) for parameter in layer.parameters()]
    groups = [{"params": rest[:2]}, {"params": rest[2:], "lr": 1e-3, "starts": 0.3}]
    asked = TrainSettings(optimizer=optimizer, **settings)
    average = copied(module.state_dict()) if asked.ema else None
    return Update(module, build_optimizer(optimizer, groups, asked.learning_rate), average, asked, STEPS)


def gradients(update: Update, step: int) -> None:
    generator = torch.Generator().manual_seed(step)
    for parameter in update.module.parameters():
        if parameter.grad is None:
            parameter.grad = torch.empty_like(parameter)
        parameter.grad.copy_(torch.randn(parameter.shape, generator=generator))


def same(one: Update, other: Update) -> None:
    for first, second in zip(one.module.parameters(), other.module.parameters(), strict=True):
        torch.testing.assert_close(first, second, rtol=1e-5, atol=1e-6)
    for name, value in (one.average or {}).items():
        torch.testing.assert_close(value, (other.average or {})[name], rtol=1e-5, atol=1e-6)


def call_again(function: Callable[[], None]) -> Callable[[], None]:
    return function


@pytest.mark.parametrize(
    ("optimizer", "settings"),
    [
        ("adam", {}),
        ("adamw:weight_decay=0.1", {"ema": 0.9, "schedule": "linear"}),
        ("muon:weight_decay=0.1", {"clip": 0.5, "ema": 0.5}),
    ],
)
def test_recorded_updates_are_the_plain_ones(optimizer: str, settings: dict[str, Any]) -> None:
    plain = [made(optimizer, seed, **settings) for seed in (1, 2)]
    recorded = [made(optimizer, seed, **settings) for seed in (1, 2)]
    together = Updates(recorded, CPU, True, record=call_again)
    for step in range(STEPS):
        for update in (*plain, *recorded):
            gradients(update, step)
        for update in plain:
            update(update.numbers(step))
        together([step, step], replayed=True)
        for one, other in zip(recorded, plain, strict=True):
            same(one, other)
            rates = [[group["lr"] for group in each.optimizer.param_groups] for each in (one, other)]
            assert rates[0] == rates[1] == other.numbers(step)[:-1], "numbers, not tensors: they are saved"
            flags = [group.get("capturable", False) for group in one.optimizer.param_groups]
            assert not any(flags), "of the recording nothing is left in what is saved"
    assert together.ready


def test_the_rates_are_those_of_the_schedule_and_a_group_starts_when_it_is_told_to() -> None:
    update = made(warmup=0.0, schedule="linear", ema=0.99)
    early, late = update.numbers(1), update.numbers(11)
    assert early[1] == 0.0 and late[1] == pytest.approx(late[0] / 2) and 0 < late[0] < early[0] <= 2e-3
    assert update.numbers(0)[2] == pytest.approx(0.9) and update.numbers(11)[2] == pytest.approx(1 - 12 / 21)
    gradients(update, 0)
    before = update.module[2].weight.clone()  # type: ignore[union-attr, operator]
    update(early)
    assert torch.equal(update.module[2].weight, before)  # type: ignore[union-attr, arg-type]


def test_what_cannot_be_recorded_is_left_to_be_done_plainly() -> None:
    def refuse(function: Callable[[], None]) -> Callable[[], None]:
        raise RuntimeError("operation not permitted when stream is capturing")

    for optimizer, record, replayed in (
        ("rmsprop", call_again, True),
        ("adam", refuse, True),
        ("adam", call_again, False),
    ):
        update, plain = made(optimizer), made(optimizer)
        updates = Updates([update], CPU, True, record=record)
        for step in range(3):
            gradients(update, step)
            gradients(plain, step)
            updates([step], replayed=replayed)
            plain(plain.numbers(step))
        assert not updates.ready
        for name, value in update.module.state_dict().items():
            assert torch.equal(value, plain.module.state_dict()[name])
        assert all(isinstance(group["lr"], float) for group in update.optimizer.param_groups)
