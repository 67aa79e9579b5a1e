"""Processes beside this one: all results in order, whoever found them; who dies, fails or never wakes is noticed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from latentia.core.errors import LatentiaError
from latentia.data import helpers
from latentia.data.helpers import IN_PROCESS, Helpers, map_files

COUNT = IN_PROCESS + 100


def place(number: int) -> tuple[int, int]:
    time.sleep(0.001)
    return number, os.getpid()


def die_beside(number: int) -> None:
    if multiprocessing.parent_process() is not None:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.001)


def fail_beside(number: int) -> None:
    if multiprocessing.parent_process() is not None:
        raise ValueError(f"no {number}")
    time.sleep(0.001)


def answer_more(number: int, content: bytes) -> tuple[int, bytes]:
    time.sleep(0.001)
    return number, 2 * content


def ready(processes: int) -> Helpers:
    found = Helpers(processes)
    found.begin(COUNT)
    while found.waking:
        found.wake()
    return found


def jobs() -> list[tuple[int]]:
    return [(number,) for number in range(COUNT)]


def test_all_work_and_results_are_in_order() -> None:
    with ready(3) as beside:
        for _ in range(2):  # the same processes serve twice
            found = map_files(place, jobs(), title="working", quiet=True, helpers=beside)
            assert [number for number, _ in found] == list(range(COUNT))
            assert len({process for _, process in found}) == 3
    assert os.getpid() in {process for _, process in found}


def test_helpers_that_are_not_ready_hold_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with Helpers(2) as beside:
        monkeypatch.setattr(beside, "wake", lambda: None)
        found = map_files(place, jobs(), title="working", quiet=True, helpers=beside)
    assert {process for _, process in found} == {os.getpid()}


def in_a_pool(count: int) -> int:
    with Helpers(2) as beside:
        return len(map_files(place, [(number,) for number in range(count)], title="", quiet=True, helpers=beside))


def test_a_worker_of_a_pool_may_start_none_and_does_all_by_itself() -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(in_a_pool, (COUNT,)) == COUNT


def test_few_files_start_no_process() -> None:
    with Helpers(2) as beside:
        map_files(place, jobs()[: helpers.IN_PROCESS - 1], title="working", quiet=True, helpers=beside)
        assert not beside.waking
        assert not beside.ready


def test_a_killed_helper_ends_in_a_sentence() -> None:
    with (
        pytest.raises(
            LatentiaError, match=r"working has ended before its time \(killed, or out of memory\?\).*start again"
        ),
        ready(2) as beside,
    ):
        map_files(die_beside, jobs(), title="working", quiet=True, helpers=beside)


def test_what_a_helper_raises_is_raised_here() -> None:
    with pytest.raises(ValueError, match="no "), ready(2) as beside:
        map_files(fail_beside, jobs(), title="working", quiet=True, helpers=beside)


UNGUARDED = """
print("begun")
from latentia.data.helpers import Helpers
with Helpers(2) as beside:
    beside.begin(1000)
    while beside.waking:
        beside.wake()
    print(len(beside.ready))
"""


def test_a_script_without_a_guard_runs_once(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(UNGUARDED)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, timeout=60)
    assert (done.stdout, done.stderr) == ("begun\n1\n", "")


def test_jobs_larger_than_a_pipe_holds_up_nobody() -> None:
    big = [(number, b"x" * 20_000) for number in range(COUNT)]
    with ready(2) as beside:
        found = map_files(answer_more, big, title="working", quiet=True, helpers=beside)
    assert [(number, len(answer)) for number, answer in found] == [(number, 40_000) for number in range(COUNT)]


def test_helpers_end_with_their_context() -> None:
    before = set(multiprocessing.active_children())
    with ready(2):
        (child,) = set(multiprocessing.active_children()) - before
    child.join(20)
    assert child.exitcode == 0


def test_who_looks_at_files_waits_for_neither_numpy_nor_torch() -> None:
    code = "import sys, latentia.data.helpers, latentia.data.looking; print({'numpy', 'torch'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
