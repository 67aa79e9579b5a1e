"""The command line with a planted fault: ``python faulty.py FAULT FOLDER train …``; started by tests, by torchrun too."""

from __future__ import annotations

import errno
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch

from latentia.cli.main import main
from latentia.training import storage
from latentia.training.trainer import Trainer

FAULT, MARK = sys.argv[1], Path(sys.argv[2])
RANK = int(os.environ.get("RANK", 0))
AFTER = 20  # steps


def slow_write(tensors: Any, path: Any, metadata: Any = None) -> None:
    """Write half of a checkpoint, wait, and write it all."""
    whole = ORIGINAL_BYTES(tensors, metadata=metadata)
    Path(path).write_bytes(whole[: len(whole) // 2])
    if "progress" in (metadata or {}):
        (MARK / "writing").touch()
        time.sleep(0.5)
        (MARK / "writing").unlink(missing_ok=True)
    Path(path).write_bytes(whole)


def full_disk(tensors: Any, path: Any, metadata: Any = None) -> None:
    """Fail as a full disk does, from the second checkpoint of a running epoch on."""
    global saves
    saves += "progress" in (metadata or {})
    if saves > 2:
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")
    ORIGINAL(tensors, path, metadata=metadata)


def in_step(self: Trainer, *args: Any) -> Any:
    """Let the step numbered AFTER fail in the process of rank 1."""
    terms = STEP(self, *args)
    if self.progress.step == AFTER and RANK == 1:
        if FAULT == "memory":
            raise MemoryError
        terms["loss"] = terms["loss"] * torch.nan
        with torch.no_grad():
            next(iter(self.module.parameters())).mul_(torch.nan)
    return terms


saves = 0
ORIGINAL, STEP = storage.save_file, Trainer.train_step
if FAULT == "slow":
    from safetensors.torch import save as ORIGINAL_BYTES

    storage.save_file = slow_write  # type: ignore[assignment]
if FAULT == "full":
    storage.save_file = full_disk  # type: ignore[assignment]
if FAULT in ("memory", "nan"):
    Trainer.train_step = in_step  # type: ignore[method-assign]

if __name__ == "__main__":
    sys.argv[1:] = sys.argv[3:]
    main()
