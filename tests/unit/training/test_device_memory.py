"""Memory of tensors stays with the process while it trains, and goes back at the end."""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallopt"), reason="the GNU C library's allocator"
)
# in a process of its own: a hole that earlier tests left in the heap would hold the tensors anyway; the tensors are larger than
# what the library keeps by itself
COUNTED = """
import json, resource, torch
from latentia.training.device import kept_memory

def cleared_pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        torch.ones(50_000_000 // 4)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

cleared_pages()
outside = cleared_pages()
with kept_memory():
    for _ in range(4):  # until a place is found that fits
        inside = cleared_pages()
print(json.dumps([outside, inside, cleared_pages()]))
"""


def test_pages_are_cleared_once_and_given_back() -> None:
    found = subprocess.run([sys.executable, "-c", COUNTED], capture_output=True, text=True, check=True)
    outside, inside, after = json.loads(found.stdout)
    assert inside < outside / 10
    assert after > outside / 10
