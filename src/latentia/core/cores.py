"""How many processor cores there are to compute on."""

from __future__ import annotations

import os


def cores() -> int:
    """Return the cores that this process may use; a container or a batch system may have given it fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
