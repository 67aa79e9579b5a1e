"""A training step that is recorded once and replayed: on a GPU, small networks wait for launches, not for arithmetic.

What depends on the step - pixels, labels, ids, the share of training done and the keys of all random draws - lies in tensors
that stay where they are; a replay writes them and runs the recorded kernels (a CUDA graph). So the numbers are those of a
step that isn't recorded.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn

from latentia.core.noise import Keys, Noise, Word
from latentia.core.share import Share
from latentia.data.batches import Batch

ROOM = 0.4  # of a device's memory, that plain steps may take where one is to be recorded
BEFORE = 3  # plain steps before one is recorded, in which libraries choose their kernels and modules their state

Step = Callable[[Batch, Noise, Share], dict[str, Tensor]]


class Recorder(Protocol):
    """What records a function and returns what runs it again."""

    def __call__(self, function: Callable[[], None]) -> Callable[[], None]:
        """Return what runs ``function`` again."""


class RecordedStep:
    """Forward and backward pass of full batches, recorded.

    Args:
        module: whose gradients a step leaves behind.
        step: runs forward and backward pass and returns the terms.
        seed: the noise's seed.
        record: what records; by default a CUDA graph.
        keys: makes the keys of the draws, from the words of an address that change and the device.

    Attributes:
        possible: whether it is not known yet that the step cannot be recorded.
    """

    def __init__(
        self,
        module: nn.Module,
        step: Step,
        seed: int,
        record: Recorder | None = None,
        keys: Callable[[int, torch.device], Keys] = Keys,
    ) -> None:
        self.module, self.step, self.seed = module, step, seed
        self.record, self.keys = record, keys
        self.possible = True
        self._replay: Callable[[], None] | None = None
        self._terms: dict[str, Tensor] = {}
        self._gradients: list[tuple[nn.Parameter, Tensor]] = []
        self._plain = 0

    @property
    def ready(self) -> bool:
        """Whether a step was recorded."""
        return self._replay is not None

    def __call__(self, batch: Batch, share: Share, *address: Word) -> dict[str, Tensor] | None:
        """Run the step, recording it the first time; return the terms, which the next call overwrites.

        ``share`` is the share of training done, a tensor ``[members]`` where several trainings take the step.

        ``None``: nothing was run, and the step is to be taken plainly: too few were yet, the recording is of other batches, or
        something in the step cannot be recorded.
        """
        self._plain += 1
        if not self.possible or self._plain <= BEFORE or not self._fits(batch):
            return None
        if self._replay is None:
            try:
                self._start(batch, share, address)
            except RuntimeError:
                self.possible = False
                return None
        assert self._replay is not None  # a developer's invariant: made just now
        self._batch.pixels.copy_(batch.pixels)
        self._batch.labels.copy_(batch.labels)
        self._batch.ids.copy_(batch.ids)
        self._share.copy_(torch.as_tensor(share), non_blocking=True)
        self._keys.fill(*address)
        self._replay()
        for parameter, gradient in self._gradients:
            parameter.grad = gradient  # a plain step in between has put another one there
        return self._terms

    def _fits(self, batch: Batch) -> bool:
        if self._replay is None:
            return True
        held = self._batch
        return (batch.pixels.shape, batch.total, batch.counted) == (held.pixels.shape, held.total, held.counted)

    def _start(self, batch: Batch, share: Share, address: tuple[Word, ...]) -> None:
        self._batch = dataclasses.replace(
            batch, pixels=batch.pixels.clone(), labels=batch.labels.clone(), ids=batch.ids.clone()
        )
        # a number in double precision, as the one that a plain step has
        held = share if isinstance(share, Tensor) else torch.tensor(share, dtype=torch.float64)
        self._share = held.to(batch.pixels.device, copy=True)
        self._keys = self.keys(len(address), batch.pixels.device)
        self.module.zero_grad(set_to_none=True)

        def run() -> None:
            self._keys.places.clear()
            noise = Noise(self.seed, self._batch.ids, *address, keys=self._keys)
            terms = self.step(self._batch, noise, self._share)
            self._terms = {name: value.detach() for name, value in terms.items()}

        record = self.record or functools.partial(cuda_graph, device=batch.pixels.device)
        self._replay = record(run)
        self._gradients = [
            (parameter, parameter.grad) for parameter in self.module.parameters() if parameter.grad is not None
        ]


def cuda_graph(function: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """Record what ``function`` launches on ``device`` and return what launches it again.

    Raises:
        RuntimeError: something in it cannot be recorded, such as reading a value back, or the device has no room: what a
            recording computes keeps its memory, beside that of the steps that are taken plainly.
    """
    if torch.cuda.max_memory_allocated(device) > ROOM * torch.cuda.get_device_properties(device).total_memory:
        raise RuntimeError("a recording would need as much memory again as a step does")
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.device(device):  # the one that is current may be another
        torch.cuda.synchronize()
        before, generator = torch.cuda.current_stream(), torch.cuda.default_generators[torch.cuda.current_device()]
        drawing, stream = generator.clone_state(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
        try:
            # threads of NCCL look at the device meanwhile
            with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
                function()
        except RuntimeError:
            # a recording that failed leaves its stream current, and the generator waiting for the recording's end
            torch.cuda.set_stream(before)
            generator.graphsafe_set_state(drawing)
            raise
    return graph.replay
