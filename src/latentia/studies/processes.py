"""Folds side by side in processes of this machine, each forked from a nursery (see there)."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from latentia.studies.fold_run import Outcome


class Nursery:
    """A nursery process and the way to it.

    Attributes:
        process: its id, which is that of its session, too.
        requests, answers: the ends of the pipes.
    """

    def __init__(self, process: int, requests: int, answers: int) -> None:
        self.process, self.requests, self.answers = process, requests, answers

    @classmethod
    def start(cls) -> Nursery:
        """Start one afresh, which takes as long as importing PyTorch."""
        here = str(Path(__file__).parent.parent.parent)
        inherited = os.environ.get("PYTHONPATH")
        environment = {**os.environ, "PYTHONPATH": here + (os.pathsep + inherited if inherited else "")}
        (theirs_in, ours_out), (ours_in, theirs_out) = os.pipe(), os.pipe()
        words = [sys.executable, "-m", "latentia.studies.nursery"]
        # a session of its own: a Ctrl-C in the terminal comes to this process alone, which hands it on
        started = subprocess.Popen(words, stdin=theirs_in, stdout=theirs_out, env=environment, start_new_session=True)
        started.returncode = 0  # it is waited for by its id
        os.close(theirs_in)
        os.close(theirs_out)
        return cls(started.pid, ours_out, ours_in)

    @classmethod
    def fork(cls) -> Nursery:
        """Fork one off this process, with which it shares the memory of all that is imported."""
        from latentia.studies.nursery import quiet_fork, serve

        (theirs_in, ours_out), (ours_in, theirs_out) = os.pipe(), os.pipe()
        process = quiet_fork()
        if process == 0:
            try:
                os.setsid()
                os.close(ours_out)
                os.close(ours_in)
                serve(theirs_in, theirs_out)
            finally:
                os._exit(0)
        os.close(theirs_in)
        os.close(theirs_out)
        return cls(process, ours_out, ours_in)

    def send(self, line: str) -> None:
        """Send a line; where the nursery has died, the missing outcomes will tell."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self.requests, line.encode() + b"\n")

    def end(self, *, now: bool = False) -> None:
        """Let it end; ``now`` ends all its folds as well."""
        if now:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process, signal.SIGKILL)
        os.close(self.requests)
        os.close(self.answers)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.process, 0)


_ready: Nursery | None = None


def prepare() -> None:
    """Fork the nursery off this process, if this process is so fresh that it may; called by commands before all else."""
    global _ready
    if _ready is None and sys.platform == "linux" and "torch" not in sys.modules and threading.active_count() == 1:
        from latentia.studies.nursery import warm_up

        warm_up()
        _ready = Nursery.fork()


def run_in_processes(result: Path, numbers: Sequence[int], jobs: int, work: str) -> list[Outcome]:
    """Return the outcomes of the folds that came to an end; a fold whose process died has none.

    Ctrl-C and SIGTERM are handed on once, so that the folds save their state; a second one ends them at once.

    Args:
        result: the result's folder.
        numbers: the folds.
        jobs: the most processes at a time.
        work: the function that does a fold, ``module:name``.
    """
    from latentia.studies.fold_run import Outcome
    from latentia.training.signals import StopSignals

    global _ready
    nursery, kept, _ready = _ready or Nursery.start(), _ready is not None, None
    asked = {"result": str(result.resolve()), "numbers": list(numbers), "jobs": jobs, "work": work, "path": sys.path}
    content, told, whole = b"", False, False
    try:
        with StopSignals() as signals:
            nursery.send(json.dumps(asked))
            while not whole:
                if signals.received is not None and not told:
                    nursery.send(str(int(signals.received)))
                    told = True
                if select.select([nursery.answers], [], [], 0.1)[0]:
                    read = os.read(nursery.answers, 65536)
                    if not read:
                        break
                    content += read
                    whole = content == b"\n" or content.endswith(b"\n\n")
    except BaseException:
        nursery.end(now=True)
        raise
    if kept and whole and not told:
        _ready = nursery  # a selection has more to do
    else:
        nursery.end()
    outcomes = [Outcome(**json.loads(line)) for line in content.decode().splitlines() if line]
    if signals.received is not None and not any(outcome.signal_number for outcome in outcomes):
        outcomes.append(Outcome(numbers[0], "interrupted", int(signals.received)))
    return outcomes
