"""Processes that are started from a user's script."""

from __future__ import annotations

import contextlib
import sys
import types
from collections.abc import Iterator


@contextlib.contextmanager
def without_script() -> Iterator[None]:
    """Start processes inside (``spawn``) that do not run the user's script once more.

    Such a process imports what is ``__main__`` where it was started. A script that is not guarded by ``if __name__ ==
    "__main__"`` would begin anew in each of them, and fail there; what our processes are given is never defined in it.
    """
    script = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script
