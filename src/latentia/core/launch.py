"""Which of how many processes this one is, as ``torchrun`` says it in the environment. Imports no torch."""

from __future__ import annotations

import dataclasses
import os

NAMES = {"rank": "RANK", "size": "WORLD_SIZE", "local_rank": "LOCAL_RANK", "local_size": "LOCAL_WORLD_SIZE"}


@dataclasses.dataclass(frozen=True)
class Launch:
    """One process among those that were started together.

    Attributes:
        rank: its number, from 0; the process of rank 0 leads: it writes and speaks.
        size: how many there are, on all machines.
        local_rank: its number on its machine.
        local_size: how many there are on its machine.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes and speaks for all."""
        return self.rank == 0

    def share(self, count: int, rank: int | None = None) -> slice:
        """Return which of the ``count`` rows of a batch are this process's, or ``rank``'s; shares differ by at most one row."""
        number = self.rank if rank is None else rank
        return slice(number * count // self.size, (number + 1) * count // self.size)


ALONE = Launch()


def launch() -> Launch:
    """Return this process's place; ``ALONE`` where no launcher has set it."""
    try:
        found = Launch(**{field: int(os.environ[name]) for field, name in NAMES.items()})
    except (KeyError, ValueError):
        return ALONE
    return found if found.size > 1 else ALONE
