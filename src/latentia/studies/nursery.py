"""A process that has imported everything and computed nothing: every fold is a fork of it (Linux).

Each fold has a process of its own, so that one that dies takes no other with it and memory is given back at its end; and all of
them share the pages of Python and PyTorch, which are most of what a small training takes. Nothing but a process that has
not computed yet may be forked so: OpenMP's threads would not come along.

It reads requests, one line of JSON each, and answers with the outcome of each fold as a line, then with an empty line. While
folds run, a signal's number on a line is handed on to them. Where its input ends, whoever asked has ended, and so do the folds.
"""

from __future__ import annotations

import dataclasses
import gc
import importlib
import json
import os
import select
import signal
import sys
import traceback
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latentia.studies.fold_run import Outcome

LONGEST = 1000  # characters of a sentence: a line this short is written to a pipe in one piece


def warm_up() -> None:
    """Import what every fold needs, and keep the collector from touching, and thereby copying, the pages that are shared."""
    importlib.import_module("latentia.studies.fold_run")
    importlib.import_module("torch._dynamo")  # every optimiser imports it at its first step
    gc.collect()
    gc.freeze()


def serve(requests: int, answers: int) -> None:
    """Do what comes in by the file descriptor ``requests`` until it ends."""
    while line := _read_line(requests):
        if line.startswith(b"{"):  # a signal that came too late for the folds is left out
            asked = json.loads(line)
            sys.path[:] = asked["path"]
            if not _run(asked, requests, answers):
                return
            os.write(answers, b"\n")


def _run(asked: dict[str, Any], requests: int, answers: int) -> bool:
    """Do the folds of a request; return whether whoever asked is still there."""
    waiting, running, stopped = list(asked["numbers"]), set[int](), False
    while running or (waiting and not stopped):
        while waiting and not stopped and len(running) < asked["jobs"]:
            running.add(_fork(asked["work"], asked["result"], waiting.pop(0), answers))
        if select.select([requests], [], [], 0.05)[0]:
            line = _read_line(requests)
            for process in running:
                os.kill(process, int(line) if line else signal.SIGKILL)
            if not line:
                return False
            stopped = True
        running = {process for process in running if not os.waitpid(process, os.WNOHANG)[0]}
    return True


def _fork(work: str, result: str, number: int, answers: int) -> int:
    process = quiet_fork()
    if process:
        return process
    code = 1
    try:
        module, _, name = work.partition(":")
        tell(answers, getattr(importlib.import_module(module), name)(result, number))
        code = 0
    except BaseException as error:
        traceback.print_exc()
        from latentia.studies.fold_run import Outcome

        tell(answers, Outcome(number, f"{type(error).__name__}: {error}"))
    finally:
        sys.stderr.flush()
        os._exit(code)


def quiet_fork() -> int:
    """Fork; Python's warning about threads is left out, for NumPy's BLAS, which has some, sees to its own forks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def tell(answers: int, outcome: Outcome) -> None:
    """Write an outcome as one line."""
    short = dataclasses.replace(outcome, problem=" ".join(outcome.problem.split())[:LONGEST])
    os.write(answers, (json.dumps(dataclasses.asdict(short), ensure_ascii=False) + "\n").encode())


def _read_line(file: int) -> bytes:
    """Return the next line, byte by byte: what follows it must be left for ``select``."""
    line = b""
    while (byte := os.read(file, 1)) not in (b"", b"\n"):
        line += byte
    return line


if __name__ == "__main__":
    warm_up()
    serve(0, 1)
