"""What is said where a model cannot be shared out, and that nothing changes where it is not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from latentia.core.errors import UserError
from latentia.core.launch import Launch
from latentia.data.imageset import PixelFormat
from latentia.presets import design
from latentia.training import settings as settings_module
from latentia.training import sharding
from latentia.training.optimizers import step
from latentia.training.settings import TrainSettings
from latentia.training.sharding import clip_gradients, emptied, filled, gone_on_with, shard, wholes

FORMAT = PixelFormat(1, 8, 8, "uint8", 0.0, 255.0)


@pytest.fixture
def two_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (sharding, settings_module):
        monkeypatch.setattr(module, "launch", lambda: Launch(rank=0, size=2, local_rank=0, local_size=2))


@pytest.mark.usefixtures("two_processes")
@pytest.mark.parametrize(
    ("preset", "settings", "message"),
    [
        (
            "cae",
            {"optimizer": "muon:momentum=0.9"},
            "muon looks at whole layers: with --shard choose another --optimizer",
        ),
        ("cae", {"optimizer": "adafactor"}, "adafactor looks at whole layers"),
        ("cae", {"optimizer": "sgd:fused=true"}, "sgd is not fused where a model is shared out"),
        ("cae", {"optimizer": "adam", "compile": True}, "are not compiled: leave --shard or --compile out"),
        ("contractive", {"optimizer": "adam"}, "the penalty 'contractive' differentiates the network within a step"),
    ],
)
def test_what_needs_whole_layers_is_refused(preset: str, settings: dict[str, Any], message: str) -> None:
    made = design(preset)
    asked = TrainSettings(epochs=1, shard=True, **settings)
    with pytest.raises(UserError, match=message):
        shard(made.architecture.build(FORMAT), made.objective, asked, torch.device("cpu"))


@pytest.mark.usefixtures("two_processes")
def test_a_foreign_module_is_refused() -> None:
    with pytest.raises(UserError, match="does not know which parts of a Linear can be shared out"):
        shard(nn.Linear(2, 2), None, TrainSettings(epochs=1, shard=True, optimizer="adam"), torch.device("cpu"))


def test_one_process_goes_on_with_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = TrainSettings(epochs=3, shard=True)
    assert not gone_on_with(settings).shard and gone_on_with(settings).epochs == 3
    monkeypatch.setattr(sharding, "launch", lambda: Launch(rank=1, size=2, local_rank=1, local_size=2))
    assert gone_on_with(settings).shard


def test_an_emptied_copy_is_filled_again() -> None:
    model = design("vq-vae", {"codebook_size": 8}).architecture.build(FORMAT, seed=3)
    next(model.parameters()).requires_grad_(False)
    empty = emptied(model)
    assert all(parameter.is_meta for parameter in empty.parameters())
    assert not any(parameter.is_meta for parameter in model.parameters())
    again = filled(empty, wholes(model.state_dict())).eval()
    images = torch.rand(2, 1, 8, 8)
    assert torch.equal(again(images), model.eval()(images))
    assert [one.requires_grad for one in again.parameters()] == [one.requires_grad for one in model.parameters()]


def test_without_shares_clipping_and_steps_are_pytorchs() -> None:
    weights: list[list[torch.Tensor]] = []
    for own in (True, False):
        layer = nn.Linear(3, 2)
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.copy_(torch.linspace(-1, 1, parameter.numel()).view_as(parameter))
        optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
        layer(torch.ones(4, 3)).square().sum().backward()
        if own:
            clip_gradients(layer.parameters(), 0.5)
            step(optimizer)
        else:
            nn.utils.clip_grad_norm_(layer.parameters(), 0.5)
            optimizer.step()
        weights.append([parameter.detach() for parameter in layer.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*weights, strict=True))
