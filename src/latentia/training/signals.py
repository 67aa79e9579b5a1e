"""Ctrl-C and SIGTERM: asked for politely, training ends at the next step, with its state saved."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

from latentia.core.errors import Lost


class StopSignals:
    """Remembers the first SIGINT or SIGTERM while it is entered; a second one interrupts at once.

    Not so when ``patient``: a launcher of many processes sends signals as it pleases, and kills what does not end.
    """

    def __init__(self, patient: bool = False) -> None:
        self.patient = patient
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(value, Lost):
            return  # the launcher ends this process by SIGTERM soon; what happened is told before
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None and not self.patient:
            raise KeyboardInterrupt
        self.received = number
