"""The processes of one training, joined: what they add up, hand out and agree on. Over gloo on CPUs, over NCCL on GPUs.

A process that has ended is found out by the next thing that the others do together; they then end with one sentence.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from latentia.core.errors import Elsewhere, LatentiaError, Lost
from latentia.core.launch import ALONE, Launch, launch
from latentia.core.meeting import meet

PATIENCE = datetime.timedelta(hours=1)  # for one that is slow; one that has ended is noticed at once
LOADING = datetime.timedelta(days=7)  # for whoever reads the images first
HEAR_OUT = 0.5  # seconds in which the one that caused an end may say why

T = TypeVar("T")


class Ranks:
    """All processes of a training; :func:`join` gives it.

    Every method but :meth:`may_say` is called by all processes, in the same order.
    """

    def __init__(self, place: Launch, store: Any) -> None:
        self.place, self.store = place, store
        self.exchanged = False  # whether a part has asked for the whole of a batch
        self._loads = 0

    @property
    def leads(self) -> bool:
        """Whether this process writes and speaks for all."""
        return self.place.leads

    def add_up(self, values: Tensor) -> Tensor:
        """Replace ``values`` by their sum over all processes, to the same bits in each, and return them."""
        with _together():
            dist.all_reduce(values)
        return values

    def largest(self, values: Tensor) -> Any:
        """Begin to replace ``values``, on the CPU, by their largest over all processes; ``wait()`` of the result ends it."""
        with _together():
            return _Pending(dist.all_reduce(values, dist.ReduceOp.MAX, async_op=True))

    def hand_out(self, tensor: Tensor) -> Tensor:
        """Replace ``tensor`` by that of the leading process, and return it."""
        with _together():
            dist.broadcast(tensor, 0)
        return tensor

    @torch.no_grad()
    def spread(self, module: torch.nn.Module) -> None:
        """Let ``module`` hold in all processes the weights of the leading one."""
        for tensor in module.state_dict().values():
            self.hand_out(tensor)

    def gather(self, rows: Tensor, images: int) -> Tensor:
        """Return the rows of a batch of ``images``, of which each process holds its share, in order; no gradient."""
        shares = [self.place.share(images, rank) for rank in range(self.place.size)]
        counts = [share.stop - share.start for share in shares]
        if rows.dtype == torch.bool:
            return self.gather(rows.to(torch.uint8), images).bool()
        own, most = counts[self.place.rank], max(counts)
        padded = rows.new_zeros(most, *rows.shape[1:])
        padded[:own] = rows[:own]
        parts = [torch.empty_like(padded) for _ in counts]
        with _together():
            dist.all_gather(parts, padded)
        return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])

    def lead(self, function: Callable[[], T]) -> T:
        """Call ``function`` in the leading process alone and return in all of them what it returned, a JSON value.

        Raises:
            Elsewhere: it failed there; in the leading process, what it failed with.
        """
        told: dict[str, Any] = {}
        failed: BaseException | None = None
        if self.leads:
            try:
                told = {"value": function()}
            except LatentiaError as error:
                failed, told = error, {"error": str(error), "code": error.exit_code}
        told = self._hand_out_json(told)
        if failed is not None:
            raise failed
        if "error" in told:
            raise Elsewhere(told["error"], told["code"])
        return told["value"]

    def hand_out_tensors(
        self, read: Callable[[], tuple[Mapping[str, Tensor], dict[str, Any]]]
    ) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return in all processes the CPU tensors and the JSON values that ``read`` gives in the leading one.

        Raises:
            Elsewhere: it failed there; in the leading process, what it failed with.
        """
        tensors: dict[str, Tensor] = {}

        def describe() -> list[Any]:
            found, values = read()
            tensors.update(found)
            kinds = [
                (name, str(value.dtype).removeprefix("torch."), list(value.shape)) for name, value in found.items()
            ]
            return [kinds, values]

        kinds, values = self.lead(describe)
        return {
            name: self.hand_out(
                tensors[name].contiguous() if self.leads else torch.empty(shape, dtype=getattr(torch, dtype))
            )
            for name, dtype, shape in kinds
        }, values

    def one_first(self, function: Callable[[], T]) -> T:
        """Call ``function`` in one process of each machine, then in the others, which find its files made.

        Raises:
            Elsewhere: it failed in the first; there, what it failed with.
        """
        self._loads += 1
        machine = self.place.rank - self.place.local_rank
        key = f"latentia/loaded/{self._loads}/{machine}"
        if self.place.local_rank == 0:
            try:
                found = function()
            except LatentiaError as error:
                self.store.set(key, json.dumps({"error": str(error), "code": error.exit_code}))
                raise
            self.store.set(key, "{}")
            return found
        with _together():
            self.store.wait([key], LOADING)
            told = json.loads(self.store.get(key))
        if "error" in told:
            raise Elsewhere(told["error"], told["code"])
        return function()

    def may_say(self, message: str) -> bool:
        """Return whether this process is the first to say ``message``, an error that others may meet as well."""
        key = hashlib.blake2b(message.encode(), digest_size=8).hexdigest()
        try:
            self.store.add("latentia/said", 1)
            return bool(self.store.add(f"latentia/said/{key}", 1) == 1)
        except RuntimeError:
            return self.leads  # whoever started us has ended, and its store with it

    def has_said(self) -> bool:
        """Return whether any process has said why it ends, after having waited a little for it."""
        time.sleep(HEAR_OUT)
        try:
            return bool(self.store.add("latentia/said", 0) > 0)
        except RuntimeError:
            return False

    def _hand_out_json(self, value: Any) -> Any:
        content = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)
        length = self.hand_out(torch.tensor([len(content)]))
        if not self.leads:
            content = torch.empty(int(length), dtype=torch.uint8)
        return json.loads(self.hand_out(content).numpy().tobytes())


class _Pending:
    def __init__(self, work: Any) -> None:
        self.work = work

    def wait(self) -> None:
        with _together():
            self.work.wait()


_joined: Ranks | None = None


def join() -> Ranks | None:
    """Join the processes that were started together and return them; ``None`` where this one is alone.

    Raises:
        Lost: one of them did not come.
    """
    global _joined
    place = launch()
    if place is ALONE:
        return None
    if _joined is None:
        # NCCL takes one process for each GPU; where GPUs are shared, which is for trying things out, gloo carries all
        gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
        backend = "cpu:gloo,cuda:nccl" if dist.is_nccl_available() and place.local_size <= gpus else "gloo"
        if gpus:
            torch.cuda.set_device(place.local_rank % gpus)
        with _together():
            store, rank, size = next(iter(rendezvous("env://", timeout=PATIENCE)))
            store = PrefixStore(f"latentia/{meet(store, rank, size)}", store)
            dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=PATIENCE)
        _joined = Ranks(place, store)
    return _joined


def joined() -> Ranks | None:
    """Return the processes that :func:`join` has joined."""
    return _joined


def lead(function: Callable[[], T]) -> T:
    """Call ``function`` where this process leads, or is alone, and return everywhere what it returned; see :class:`Ranks`."""
    ranks = join()
    return function() if ranks is None else ranks.lead(function)


def one_first(function: Callable[[], T]) -> T:
    """Call ``function`` in one process of each machine, then in the others, and return what it returned in each."""
    ranks = join()
    return function() if ranks is None else ranks.one_first(function)


def leave() -> None:
    """Part from the other processes, at the end of what was done together."""
    global _joined
    if _joined is not None:
        _joined = None
        dist.destroy_process_group()


@contextlib.contextmanager
def lost_peers() -> Iterator[None]:
    """Tell, inside, of a peer that is gone in the middle of what PyTorch exchanges by itself, as methods of ranks tell."""
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, dist.DistError) and "gloo" not in str(error):
            raise
        with _together():
            raise


@contextlib.contextmanager
def _together() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # what gloo and NCCL raise when a peer is gone
        with contextlib.suppress(ValueError):  # not the main thread
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the launcher's; what happened is told before
        raise Lost(
            "another process of this training has ended (killed, or out of memory?) or cannot be reached; what was saved "
            "last is whole"
        ) from error


_batch: tuple[Ranks, int] | None = None


@contextlib.contextmanager
def sharing(ranks: Ranks | None, images: int) -> Iterator[None]:
    """Let :func:`whole` and :func:`own` know, inside, that a batch of ``images`` is shared among ``ranks``."""
    global _batch
    before, _batch = _batch, None if ranks is None else (ranks, images)
    try:
        yield
    finally:
        _batch = before


def is_shared() -> bool:
    """Return whether other processes hold rows of the batch that is being computed."""
    return _batch is not None


def shared_images() -> int:
    """Return how many images the batch has that is being shared."""
    assert _batch is not None  # a developer's invariant: asked only where is_shared() says so
    return _batch[1]


def whole(rows: Tensor) -> Tensor:
    """Return the rows of the whole batch ``[B, …]``, whichever process holds them, for what depends on all its images.

    In one process these are ``rows`` themselves. The gradient of every process's loss finds its way back to the process
    that holds a row.
    """
    if _batch is None:
        return rows
    return _Whole.apply(rows, *_batch)  # type: ignore[no-untyped-call]


def own(rows: Tensor) -> Tensor:
    """Return this process's rows of the whole batch's ``rows``, as many as it computes."""
    if _batch is None:
        return rows
    ranks, images = _batch
    return rows[computed(ranks.place, images)]


def computed(place: Launch, images: int) -> slice:
    """Return which rows of a batch this process computes: its share, or where that is empty the first row, counted as none.

    So every process goes through the same operations, whatever is exchanged in them.
    """
    share = place.share(images)
    return share if share.stop > share.start else slice(0, 1)


class _Whole(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, ranks: Ranks, images: int) -> Tensor:
        ranks.exchanged = True
        ctx.ranks, ctx.images, ctx.rows = ranks, images, len(rows)
        return ranks.gather(rows, images)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        total = ctx.ranks.add_up(gradients[0].contiguous().clone())
        share = ctx.ranks.place.share(ctx.images)
        back = total.new_zeros(ctx.rows, *total.shape[1:])
        back[: share.stop - share.start] = total[share]
        return back, None, None
