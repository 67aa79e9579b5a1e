"""What can be known of several processes in one; what they do together is tested with real ones, end to end."""

from __future__ import annotations

import datetime
import signal
import threading
import time

import pytest
import torch

from latentia.cli.main import cli
from latentia.core.errors import Lost, UserError
from latentia.core.launch import ALONE, Launch, launch
from latentia.core.meeting import meet
from latentia.core.ranks import computed, join, lead, one_first, own, whole
from latentia.data.batches import Batches
from latentia.data.imageset import from_array
from latentia.training.device import resolve_device
from latentia.training.signals import StopSignals


@pytest.fixture
def second_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": 1, "WORLD_SIZE": 2, "LOCAL_RANK": 1, "LOCAL_WORLD_SIZE": 2}.items():
        monkeypatch.setenv(name, str(value))


def test_one_process_is_alone_and_nothing_is_exchanged() -> None:
    assert launch() is ALONE
    assert join() is None
    rows = torch.rand(3)
    assert whole(rows) is rows and own(rows) is rows
    assert lead(lambda: (1, 2)) == (1, 2)
    assert one_first(lambda: rows) is rows


def test_a_launcher_that_says_half_is_none(monkeypatch: pytest.MonkeyPatch, second_of_two: None) -> None:
    assert launch() == Launch(1, 2, 1, 2)
    monkeypatch.delenv("LOCAL_RANK")  # a batch system sets some of the names, too
    assert launch() is ALONE


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("count", [1, 2, 6, 16])
def test_shares_are_a_batch(size: int, count: int) -> None:
    rows = list(range(count))
    shares = [rows[Launch(rank, size).share(count)] for rank in range(size)]
    assert [row for share in shares for row in share] == rows
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert all(len(rows[computed(Launch(rank, size), count)]) >= 1 for rank in range(size))


def test_batches_of_two_are_the_batches_of_one() -> None:
    images = from_array(torch.arange(11 * 4, dtype=torch.uint8).view(11, 2, 2).numpy())
    whole_ones = list(Batches(images, images.format, 5, seed=3).epoch(1))
    halves = [list(Batches(images, images.format, 5, seed=3, place=Launch(rank, 2)).epoch(1)) for rank in (0, 1)]
    assert [len(batch) for batch in halves[0]] == [len(batch) for batch in halves[1]] == [5, 5, 1]
    for batch, *shares in zip(whole_ones, *halves, strict=True):
        counted = [(share.ids[: share.counted], share.pixels[: share.counted]) for share in shares]
        assert torch.equal(torch.cat([ids for ids, _ in counted]), batch.ids)
        assert torch.equal(torch.cat([pixels for _, pixels in counted]), batch.pixels)


def test_commands_that_run_as_one_process_say_so(second_of_two: None) -> None:
    message = "latentia crossval runs as one process, not as 2: start it without torchrun"
    with pytest.raises(UserError, match=message):
        cli.main(["crossval", "digits"], standalone_mode=False)


def test_each_process_has_a_gpu_of_its_own(second_of_two: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve_device("auto") == torch.device("cpu")
    with pytest.raises(
        UserError, match="several processes cannot train on 'mps' here: use --device cpu, or one process"
    ):
        resolve_device("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("auto") == resolve_device("cuda") == torch.device("cuda", 1)
    with pytest.raises(
        UserError, match="each process has a GPU of its own, so --device cuda:0 cannot be the GPU of all"
    ):
        resolve_device("cuda:0")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UserError, match="there are 2 processes and 1 GPUs on this machine: start at most one process"):
        resolve_device("auto")
    assert resolve_device("cuda:0") == torch.device("cuda", 0), "sharing one GPU is for trying things out"


def test_a_launcher_may_repeat_its_signals() -> None:
    assert threading.current_thread() is threading.main_thread()
    with StopSignals(patient=True) as signals:
        for _ in range(3):
            signal.raise_signal(signal.SIGTERM)
        assert signals.received == signal.SIGTERM


def test_who_has_lost_the_others_is_not_ended_before_it_tells() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(Lost), StopSignals(patient=True):
            raise Lost("gone")
        signal.raise_signal(signal.SIGTERM)  # still held off
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])


def test_processes_of_one_start_find_one_another_and_nobody_of_an_earlier_one() -> None:
    """The store of a launcher outlives a start: names of the dead stand in it, and one process comes late."""
    store = torch.distributed.HashStore()

    def start(size: int, late: int) -> set[str]:
        names: list[str] = []

        def come(rank: int) -> None:
            if rank == late:
                time.sleep(0.2)
            names.append(meet(store, rank, size, datetime.timedelta(seconds=20)))

        threads = [threading.Thread(target=come, args=(rank,)) for rank in range(size)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert len(names) == size
        return set(names)

    found = [start(3, late) for late in (0, 1, 2)] + [start(2, 0), start(4, 3)]
    assert all(len(names) == 1 for names in found)
    assert len(set().union(*found)) == 5
    with pytest.raises(RuntimeError, match="not all of 2 processes have come"):
        meet(store, 1, 2, datetime.timedelta(seconds=0.1))
