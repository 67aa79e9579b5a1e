"""Memory of tensors stays with the process while it trains, and goes back at the end."""

from __future__ import annotations

import ctypes
import resource
import sys

import pytest
import torch

from latentia.training.device import kept_memory

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallopt"), reason="the GNU C library's allocator"
)
LARGE = 50_000_000  # bytes: more than the library keeps by itself


def _cleared_pages() -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        torch.ones(LARGE // 4)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_pages_are_cleared_once_and_given_back() -> None:
    _cleared_pages()
    outside = _cleared_pages()
    with kept_memory():
        _cleared_pages()
        assert _cleared_pages() < outside / 10
    assert _cleared_pages() > outside / 10
