"""What is done with a step's gradients: clipping, the optimiser's step, the running average of the weights.

On a GPU it is recorded and replayed, as the pass is: what changes from step to step, the rates and the weight of the average,
lies in a tensor. Of a stack all members' updates are one recording.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from latentia.core.share import Share
from latentia.training.average import move_average
from latentia.training.optimizers import step
from latentia.training.recorded import Recorder, cuda_graph
from latentia.training.schedule import factor
from latentia.training.settings import TrainSettings
from latentia.training.sharding import clip_gradients

BRANCHES = 16  # streams among which the updates of a stack are dealt out


class Update:
    """The update of one training.

    Args:
        module: whose weights are averaged.
        optimizer: takes the step; a group with ``starts``, a share of training, is frozen until then.
        average: the running average of the weights, or ``None``.
        settings: see :class:`TrainSettings`.
        total_steps: the steps of all of training.
    """

    def __init__(
        self,
        module: nn.Module,
        optimizer: torch.optim.Optimizer,
        average: dict[str, Tensor] | None,
        settings: TrainSettings,
        total_steps: int,
    ) -> None:
        self.module, self.optimizer, self.average = module, optimizer, average
        self.settings, self.total_steps = settings, total_steps
        self._base_rates = [group["lr"] for group in optimizer.param_groups]

    def numbers(self, step: int) -> list[float]:
        """Return the rate of each group in ``step``, from 0, and the weight of the new weights in the average."""
        settings, share = self.settings, step / self.total_steps
        rate = factor(settings.schedule, step, self.total_steps, settings.warmup)
        rates = [
            base * rate if share >= group.get("starts", 0.0) else 0.0
            for group, base in zip(self.optimizer.param_groups, self._base_rates, strict=True)
        ]
        # the average starts short and lengthens, so that it does not remember the initial weights
        return [*rates, 1 - min(settings.ema, (1 + step) / (10 + step))]

    def set_rates(self, numbers: Sequence[Share]) -> None:
        """Give each group its rate."""
        for group, rate in zip(self.optimizer.param_groups, numbers, strict=False):
            group["lr"] = rate

    def __call__(self, numbers: Sequence[Share]) -> None:
        """Change the weights by the gradients as they stand; ``numbers`` are those of :meth:`numbers`."""
        self.set_rates(numbers)
        if self.settings.clip:
            clip_gradients(self.module.parameters(), self.settings.clip)
        step(self.optimizer)
        if self.average is not None:
            move_average(self.average, self.module, numbers[-1])

    @property
    def recordable(self) -> bool:
        """Whether all that the optimiser does is done with tensors of the device: of PyTorch's, where it is fused."""
        return all(group.get("records", bool(group.get("fused"))) for group in self.optimizer.param_groups)

    @contextlib.contextmanager
    def being_recorded(self) -> Iterator[None]:
        """Let the optimiser know, inside, that it is recorded; PyTorch's ask to be told."""
        groups = self.optimizer.param_groups
        told = [group for group in groups if "capturable" in group]
        before = [group["capturable"] for group in told]
        rates = [group["lr"] for group in groups]
        for group in told:
            group["capturable"] = True
        try:
            yield
        finally:
            for group, flag in zip(told, before, strict=True):
                group["capturable"] = flag
            self.set_rates(rates)


class Updates:
    """The updates of one training, or of several side by side; recorded and replayed where they can be.

    Args:
        updates: of each training; what they read and write lies where it lay when they were recorded.
        device: where that is.
        records: whether they are recorded, where the optimisers can be.
        record: what records; by default a CUDA graph.
    """

    def __init__(
        self, updates: Sequence[Update], device: torch.device, records: bool, record: Recorder | None = None
    ) -> None:
        self.updates, self.device = tuple(updates), device
        self.possible = records and all(update.recordable for update in updates)
        self._record = record or functools.partial(cuda_graph, device=device)
        self._replay: Callable[[], None] | None = None
        self._numbers = torch.zeros(0)

    @property
    def ready(self) -> bool:
        """Whether the updates were recorded."""
        return self._replay is not None

    def __call__(self, steps: Sequence[int], replayed: bool) -> None:
        """Do the update of each training's step, numbered from 0; ``replayed``: the gradients lie where a recording left them."""
        numbers = [update.numbers(step) for update, step in zip(self.updates, steps, strict=True)]
        if replayed and self.possible and self._replayed(numbers):
            return
        for update, own in zip(self.updates, numbers, strict=True):
            update(own)

    def _replayed(self, numbers: Sequence[Sequence[float]]) -> bool:
        """Replay all updates, which are recorded the first time; return whether that could be."""
        held = torch.tensor([one for own in numbers for one in own], dtype=torch.float32)
        if self._replay is None:
            self._numbers = held.to(self.device, copy=True)
            try:
                with contextlib.ExitStack() as told:
                    for update in self.updates:
                        told.enter_context(update.being_recorded())
                    self._replay = self._record(functools.partial(self._run, [len(own) for own in numbers]))
            except RuntimeError:
                self.possible = False
                return False
        self._numbers.copy_(held, non_blocking=True)
        self._replay()
        for update, own in zip(self.updates, numbers, strict=True):
            update.set_rates(own)  # as a plain step leaves them behind: they are shown, and saved
        return True

    def _run(self, lengths: Sequence[int]) -> None:
        numbers = [own.unbind() for own in torch.split(self._numbers, list(lengths))]
        if self.device.type != "cuda" or len(self.updates) == 1:
            for update, own in zip(self.updates, numbers, strict=True):
                update(own)
            return
        here = torch.cuda.current_stream(self.device)
        streams = [torch.cuda.Stream(self.device) for _ in range(min(BRANCHES, len(self.updates)))]  # type: ignore[no-untyped-call]
        for stream in streams:
            stream.wait_stream(here)
        for place, (update, own) in enumerate(zip(self.updates, numbers, strict=True)):
            with torch.cuda.stream(streams[place % len(streams)]):
                update(own)
        for stream in streams:
            here.wait_stream(stream)
