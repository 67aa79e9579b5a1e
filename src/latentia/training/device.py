"""Which device computes, and in which precision."""

from __future__ import annotations

import contextlib
import ctypes
import sys
import threading
from collections.abc import Iterator

import torch

from latentia.core.errors import UserError
from latentia.core.launch import launch
from latentia.training.denormals import flushed_denormals

# glibc's names for what mallopt sets, and the values that its own adaptation ends at
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
ADAPTED_TRIM, ADAPTED_MMAP = 1 << 26, 1 << 25
NEVER = (1 << 31) - 1
_LOCK = threading.Lock()
_inside = 0  # how many are inside kept_memory: the setting is the whole process's


def resolve_device(name: str) -> torch.device:
    """Return the device called ``name``; ``auto`` is CUDA, then MPS, then the CPU.

    Of several processes on a machine each has the GPU of its own number; a GPU that is named by number is shared by all.

    Raises:
        UserError: no such device, or none here, or too few of them.
    """
    place = launch()
    if place.size > 1 and name in ("auto", "cuda", "mps") and (name == "mps" or not torch.cuda.is_available()):
        if name != "auto":
            raise UserError(f"several processes cannot train on {name!r} here: use --device cpu, or one process")
        return torch.device("cpu")
    if place.size > 1 and name in ("auto", "cuda"):
        if place.local_size > torch.cuda.device_count():
            raise UserError(
                f"there are {place.local_size} processes and {torch.cuda.device_count()} GPUs on this machine: "
                "start at most one process for each GPU, or train with --device cpu"
            )
        return torch.device("cuda", place.local_rank)
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps") if torch.backends.mps.is_available() else torch.device("cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(f"there is no device {name!r}: use auto, cpu, cuda, cuda:0 … or mps") from None
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if device.type == "cuda" and place.local_size > 1 and place.local_size <= torch.cuda.device_count():
        raise UserError(
            f"each process has a GPU of its own, so --device {name} cannot be the GPU of all: use --device cuda"
        )
    if not available.get(device.type, False):
        raise UserError(f"the device {name!r} is not available on this machine: use --device auto or cpu")
    return device


def describe_device(device: torch.device) -> str:
    """Return the device in words, for a person."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    if device.type == "cpu":
        most = torch.get_num_threads()
        return f"cpu (up to {most} threads)" if most > 1 else "cpu (1 thread)"
    return str(device)


def describe_devices(device: torch.device) -> str:
    """Return this process's device, and how many processes there are where there are several, in words."""
    size = launch().size
    return describe_device(device) + (f" in each of {size} processes" if size > 1 else "")


def autocast_dtype(device: torch.device, precision: str) -> torch.dtype | None:
    """Return the dtype to compute in where that is not float32: bfloat16 on the GPUs that are built for it."""
    if precision == "bfloat16":
        return torch.bfloat16
    if precision == "auto" and device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16
    return None


def reseed(device: torch.device, seed: int) -> None:
    """Seed the global generators of the CPU and of ``device``.

    ``torch.manual_seed`` speaks to every kind of device, and writes down the call stack for each that is not in use: .4 ms,
    which is long beside a step of a small network, and as long as one that a GPU repeats from a recording.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index
        torch.cuda.default_generators[index].manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


@contextlib.contextmanager
def kept_memory() -> Iterator[None]:
    """Let the process keep the memory of tensors inside, and give back what is free at the end of the outermost.

    Each training step allocates the tensors of the step before. The GNU C library returns large ones to the system at once,
    which then clears every page anew: a tenth of a step's time for a network of 17 million weights. Elsewhere this does
    nothing.
    """
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if library is None or not hasattr(library, "mallopt") or not hasattr(library, "malloc_trim"):
        yield
        return
    global _inside
    with _LOCK:
        _inside += 1
        if _inside == 1:
            library.mallopt(TRIM_THRESHOLD, NEVER)
            library.mallopt(MMAP_THRESHOLD, NEVER)
    try:
        yield
    finally:
        with _LOCK:
            _inside -= 1
            if not _inside:
                library.mallopt(TRIM_THRESHOLD, ADAPTED_TRIM)
                library.mallopt(MMAP_THRESHOLD, ADAPTED_MMAP)
                library.malloc_trim(ctypes.c_size_t(0))


@contextlib.contextmanager
def at_work(device: torch.device, *, steady: bool = True) -> Iterator[None]:
    """Compute as trainings do inside, and leave the global generators as they were.

    ``steady``: each step allocates what the one before did, so that its memory is worth keeping.
    """
    devices = [device] if device.type == "cuda" else []
    keeping = kept_memory() if steady else contextlib.nullcontext()
    with flushed_denormals(), keeping, torch.random.fork_rng(devices=devices):
        yield
