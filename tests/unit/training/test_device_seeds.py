"""Seeding for a step: the numbers of ``torch.manual_seed``, without a word to devices that are not there."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest
import torch

from latentia import train
from latentia.training.device import reseed


def test_the_numbers_are_those_of_manual_seed() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2**62 + 5)
        wanted = torch.rand(4)
        reseed(torch.device("cpu"), 2**62 + 5)
        assert torch.equal(torch.rand(4), wanted)


def test_a_step_writes_no_call_stack_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    original = traceback.format_stack
    monkeypatch.setattr(traceback, "format_stack", lambda *how, **more: written.append(1) or original(*how, **more))
    counts = []
    for epochs in (1, 3):
        written.clear()
        train("digits", epochs=epochs, figures=False, quiet=True, runs=tmp_path)
        counts.append(len(written))
    assert counts[0] == counts[1]
