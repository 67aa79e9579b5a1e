"""What was read or computed last is kept, up to a number of bytes, so that images that lie together cost it once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """The values that were asked for last. Threads may share one; another process begins with an empty one.

    Args:
        most: bytes that all of them take together; the last one is kept whatever it takes.
    """

    def __init__(self, most: int) -> None:
        self._most, self._held = most, 0
        self._values: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()
        self._lock = threading.Lock()

    def __reduce__(self) -> Any:
        return type(self), (self._most,)

    def get(self, key: Hashable, make: Callable[[], T], size: int) -> T:
        """Return the value under ``key``, made now, of about ``size`` bytes, where it is not there."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key][0]
        value = make()  # outside of the lock: two threads may make it at once, and others need not wait
        with self._lock:
            if key not in self._values:
                self._values[key] = value, size
                self._held += size
            while self._held > self._most and len(self._values) > 1:
                self._held -= self._values.popitem(last=False)[1][1]
        return value
