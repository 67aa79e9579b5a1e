"""Compiled networks compute what plain ones do, keep their names, and are plain again outside of training steps."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
import torch
from torch import nn

from latentia import load, open_run, train
from latentia.core.errors import UserError
from latentia.presets import design
from latentia.training.compiled import CompiledNetworks

# PyTorch's compiler warns of what it does itself
pytestmark = pytest.mark.filterwarnings("ignore")
DENSE = {"encoder": "dense:widths=12", "bottleneck.hidden": 0, "latent_dim": 3}


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_a_compiled_training_gives_the_weights_of_a_plain_one_and_goes_on_plainly(
    tmp_path: Path, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # compiling for good takes a minute; the quick backend traces the networks and their gradients all the same
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=backend))
    images = load("digits", split="train").select(range(150))  # two full batches and a smaller one
    common = {"options": DENSE, "epochs": 2, "batch_size": 64, "figures": False, "quiet": True}
    plain = train(images, runs=tmp_path, **common)
    compiled = train(images, runs=tmp_path, compile=True, **common)
    for name, value in plain.model.state_dict().items():
        assert torch.allclose(value, compiled.model.state_dict()[name], atol=1e-4), name
    assert compiled.description["settings"]["compile"] is True
    same = open_run(compiled.path)
    assert torch.equal(torch.from_numpy(same.embed(images)), torch.from_numpy(compiled.embed(images)))


def test_networks_are_plain_outside() -> None:
    images = load("digits", split="test")
    model = design("cae", DENSE).architecture.build(images.format)
    networks, names = CompiledNetworks(model), list(model.state_dict())
    before = [network.forward for network in model.networks]
    with networks.in_use():
        assert all(network.forward != own for network, own in zip(model.networks, before, strict=True))
        assert list(model.state_dict()) == names
    assert [network.forward for network in model.networks] == before
    with pytest.raises(ValueError, match="stopped"), networks.in_use():
        raise ValueError("stopped")
    assert [network.forward for network in model.networks] == before


def test_what_cannot_be_compiled_is_told_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="a Linear names no networks to compile: leave --compile out"):
        CompiledNetworks(nn.Linear(2, 2))

    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", ("no-such-compiler",))
    torch.compiler.reset()  # what was compiled before needs no compiler
    monkeypatch.setattr("torch._inductor.config.force_disable_caches", True)
    with pytest.raises(UserError, match=r"the networks cannot be compiled here: .*leave --compile out"):
        train("digits", runs=tmp_path, compile=True, options=DENSE, epochs=1, figures=False, quiet=True)
    assert not list(tmp_path.iterdir()), "told before a folder is made"
