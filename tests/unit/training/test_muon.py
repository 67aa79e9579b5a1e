from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from latentia.core.errors import UserError
from latentia.training.muon import Muon, orthogonal
from latentia.training.optimizers import build_optimizer


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 16, 3), nn.SiLU(), nn.Conv2d(16, 8, 3), nn.Flatten(), nn.Linear(8 * 16, 1))


def loss_of(module: nn.Module) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(32, 1, 8, 8, generator=generator)
    return (module(images)[:, 0] - images.mean((1, 2, 3))).square().mean()


@pytest.mark.parametrize("shape", [(12, 40), (40, 12), (16, 16)])
def test_orthogonal_keeps_the_directions_and_levels_the_singular_values(shape: tuple[int, int]) -> None:
    # away from singular values near zero, which five steps do not lift all the way
    left, _ = torch.linalg.qr(torch.randn(shape[0], min(shape), generator=torch.Generator().manual_seed(2)))
    right, _ = torch.linalg.qr(torch.randn(shape[1], min(shape), generator=torch.Generator().manual_seed(3)))
    values = torch.logspace(0, -1.5, min(shape))
    found = orthogonal(left @ torch.diag(values) @ right.T)
    rotated = left.T @ found @ right
    assert torch.linalg.svdvals(found).min() > 0.6
    assert torch.linalg.svdvals(found).max() < 1.3
    off = rotated - torch.diag(torch.diagonal(rotated))
    assert off.abs().max() < 1e-4


def test_each_kind_of_parameter_gets_its_own_rule() -> None:
    module = network()
    optimizer = Muon(module.parameters(), lr=1e-3)
    orthogonalised = {id(p) for group in optimizer.param_groups if group["orthogonal"] for p in group["params"]}
    assert orthogonalised == {id(module[2].weight)}  # the first layer sees one channel, the last gives one
    everything = [p for group in optimizer.param_groups for p in group["params"]]
    assert {id(p) for p in everything} == {id(p) for p in module.parameters()}
    assert len(everything) == len(list(module.parameters()))


def test_a_step_has_the_size_that_was_asked_for() -> None:
    layer = nn.Linear(32, 16, bias=False)
    before = layer.weight.detach().clone()
    optimizer = Muon(layer.parameters(), lr=1e-3, ratio=25.0)
    layer(torch.randn(64, 32, generator=torch.Generator().manual_seed(4))).square().sum().backward()
    optimizer.step()
    moved = torch.linalg.svdvals(layer.weight.detach() - before)
    assert moved.min() > 0.6 * 0.025
    assert moved.max() < 1.3 * 0.025


def test_what_is_left_to_adam_moves_as_under_adamw() -> None:
    ours, theirs = nn.Linear(5, 3), nn.Linear(5, 3)
    theirs.load_state_dict(ours.state_dict())
    optimizers = Muon(ours.parameters(), lr=1e-2), torch.optim.AdamW(theirs.parameters(), lr=1e-2, weight_decay=0.0)
    inputs = torch.randn(20, 5, generator=torch.Generator().manual_seed(5))
    for module, optimizer in zip((ours, theirs), optimizers, strict=True):
        for _ in range(5):
            optimizer.zero_grad()
            module(inputs).square().sum().backward()
            optimizer.step()
    torch.testing.assert_close(ours.weight, theirs.weight)
    torch.testing.assert_close(ours.bias, theirs.bias)


def test_it_learns_and_its_state_can_be_carried_over() -> None:
    module, twin = network(), network()
    optimizer, other = (build_optimizer("muon", [{"params": list(m.parameters())}], 2e-3) for m in (module, twin))
    first = float(loss_of(module).detach())
    for step in range(30):
        if step == 15:
            twin.load_state_dict(module.state_dict())
            other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        for each, its in ((module, optimizer), (twin, other)) if step >= 15 else ((module, optimizer),):
            its.zero_grad()
            loss_of(each).backward()
            its.step()
    assert float(loss_of(module).detach()) < first / 10
    assert all(torch.equal(a, b) for a, b in zip(module.parameters(), twin.parameters(), strict=True))


@pytest.mark.parametrize("options", ["ratio=-3", "momentum=1", "weight_decay=-1", "betas=(0.9,2)"])
def test_options_out_of_range_are_refused_in_a_sentence(options: str) -> None:
    with pytest.raises(UserError, match=rf"the optimizer 'muon:{options.split('=')[0]}.*cannot be made: \w+ cannot be"):
        build_optimizer(f"muon:{options}", [{"params": list(network().parameters())}], 2e-3)


def test_what_pytorch_refuses_is_told_in_a_sentence() -> None:
    with pytest.raises(UserError, match="the optimizer 'adam:eps=-1' cannot be made: Invalid epsilon value"):
        build_optimizer("adam:eps=-1", [{"params": list(network().parameters())}], 2e-3)


def test_frozen_parameters_stay() -> None:
    module = network()
    module[2].weight.grad = None
    optimizer = Muon(module.parameters(), lr=1e-2)
    before = [p.detach().clone() for p in module.parameters()]
    optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))
