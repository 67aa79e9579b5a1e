"""Tiny numbers count as zero in every thread, also in those that computed before; and only while it is asked for."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from latentia.training import denormals

pytestmark = pytest.mark.skipif(denormals._openmp() is None, reason="PyTorch computes with another OpenMP than GNU's")
COUNTED = """
import json, sys, torch
torch.set_num_threads(3)
from latentia.training.denormals import flushed_denormals

def zeros():
    return float((torch.full((3_000_000,), 1e-39) * 0.5).eq(0).double().mean())

found = [zeros()] if sys.argv[1] == "threads that are there" else []
with flushed_denormals():
    found.append(zeros())
    with flushed_denormals():
        pass
    found.append(zeros())
print(json.dumps([*found, zeros()]))
"""


@pytest.mark.parametrize("when", ["threads that are there", "threads that are not there yet"])
def test_every_thread_flushes_inside_and_none_outside(when: str) -> None:
    # in a process of its own, whose threads no other test has set
    found = subprocess.run([sys.executable, "-c", COUNTED, when], capture_output=True, text=True, check=True)
    assert json.loads(found.stdout)[-3:] == [1.0, 1.0, 0.0]
