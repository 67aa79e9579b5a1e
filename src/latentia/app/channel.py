"""The line between a page and its session: one Bokeh model with two texts, so that everything goes through one websocket."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from bokeh.core.properties import String
from bokeh.model import DataModel

from latentia.core.errors import LatentiaError

log = logging.getLogger(__name__)
Handler = Callable[[dict[str, Any]], None]


class Line(DataModel):
    """What the page asked last, and what it was told last, each as JSON."""

    asked: Any = String(default="")
    told: Any = String(default="")


class Channel:
    """Takes what a page asks to the handler of its kind, and tells the page things.

    A handler's :class:`LatentiaError` is told as a sentence; any other error is logged, and the page stays alive.
    """

    def __init__(self) -> None:
        self.line = Line(name="line")
        self._handlers: dict[str, Handler] = {}
        self._count = 0
        self.line.on_change("asked", self._asked)

    def on(self, handlers: Mapping[str, Handler]) -> None:
        """Add handlers by the kind of message."""
        self._handlers.update(handlers)

    def tell(self, kind: str, **values: Any) -> None:
        """Tell the page something."""
        self._count += 1  # two equal messages are two messages
        self.line.told = json.dumps(plain({"kind": kind, "count": self._count, **values}), allow_nan=False)

    def say(self, text: str, tone: str = "info") -> None:
        """Tell the person a sentence; ``tone`` is ``info`` or ``error``."""
        self.tell("said", text=text, tone=tone)

    def fail(self, text: str) -> None:
        """Tell the person that something did not work."""
        self.say(text, "error")

    def receive(self, text: str) -> None:
        """Take one message of the page to its handler."""
        try:
            asked = json.loads(text)
            handler = self._handlers[asked["kind"]]
        except (ValueError, KeyError, TypeError):
            log.warning("a message that is none was passed over: %.80r", text)
            return
        try:
            handler(asked)
        except LatentiaError as error:
            self.fail(str(error))
        except Exception as error:  # whatever it is, the page must stay alive
            log.exception("%s failed", asked["kind"])
            self.fail(f"that failed ({type(error).__name__}): see the explorer's terminal")

    def _asked(self, _name: str, _old: str, new: str) -> None:
        self.receive(new)


def plain(value: Any) -> Any:
    """Return a value as JSON has it: arrays become lists, and what is not finite becomes null."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(each) for each in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def whole(asked: Mapping[str, Any], field: str, below: int | None = None) -> int:
    """Return a whole number of a message.

    Raises:
        ValueError: there is none, or it is out of range.
    """
    value = asked.get(field)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0 or (below is not None and value >= below):
        raise ValueError(f"{field} is {value!r}")
    return value
