"""How processes that were started together find one another, and nobody of an earlier start.

``torchrun`` starts all processes again after a failure and may keep its store, in which the addresses of the dead still stand;
nor does its count of restarts agree between machines. So each process leaves a token of its own, the first one proposes the
tokens that it sees, and a start is one that every process has found its own token in.
"""

from __future__ import annotations

import datetime
import json
import secrets
import time
from typing import Any

PATIENCE = datetime.timedelta(minutes=15)
LOOK = 0.02  # seconds between two looks


def meet(store: Any, rank: int, size: int, patience: datetime.timedelta = PATIENCE) -> str:
    """Return a name that the processes of this start share, and those of no other.

    Args:
        store: a store of ``torch.distributed``.
        rank: which process this is.
        size: how many there are.
        patience: how long to wait for all.

    Raises:
        RuntimeError: not all have come, or the store is gone.
    """
    token = secrets.token_hex(8)
    store.set(f"latentia/here/{rank}", token)
    agreed = ""
    until = time.monotonic() + patience.total_seconds()
    while time.monotonic() < until:
        name = _proposed(store, size) if rank == 0 else _found(store, rank, size, token)
        if rank == 0 and name and store.add(f"latentia/agreed/{name}", 0) == size - 1:
            store.set(f"latentia/begun/{name}", "")
            return name
        if rank > 0 and name:
            if name != agreed:
                store.add(f"latentia/agreed/{name}", 1)
                agreed = name
            if store.check([f"latentia/begun/{name}"]):
                return name
        time.sleep(LOOK)
    raise RuntimeError(f"not all of {size} processes have come within {patience}")


def _proposed(store: Any, size: int) -> str:
    keys = [f"latentia/here/{rank}" for rank in range(size)]
    if not store.check(keys):
        return ""
    tokens = [store.get(key).decode() for key in keys]
    store.set("latentia/start", json.dumps(tokens))
    return "-".join(tokens)


def _found(store: Any, rank: int, size: int, token: str) -> str:
    if not store.check(["latentia/start"]):
        return ""
    tokens = json.loads(store.get("latentia/start"))
    return "-".join(tokens) if len(tokens) == size and tokens[rank] == token else ""
