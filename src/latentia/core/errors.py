"""The errors a user may meet. Each message is one sentence: what is wrong, with which value, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class LatentiaError(Exception):
    """Base of every error that Latentia raises on purpose; the command line turns it into one sentence."""

    exit_code = 1


class UserError(LatentiaError, ValueError):
    """The user's input cannot be used: a missing file, a wrong name, a value out of range (exit code 2)."""

    exit_code = 2


class DownloadError(LatentiaError):
    """A download failed on every mirror, stalled, or had a wrong checksum."""


class StorageError(LatentiaError, OSError):
    """A file could not be written, for example because the disk is full; what stood there before still stands."""


class DamagedData(LatentiaError):
    """Images that stream could not be read on: a shard is cut off, a member corrupt, or a reader died."""


class TrainingDiverged(LatentiaError):
    """The loss is no longer finite; the last good weights are kept in the run folder."""


class Interrupted(LatentiaError):
    """Training was stopped by a signal after its state had been saved; it can be resumed."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


class Elsewhere(LatentiaError):
    """Another process of this training has failed, with this message, and has told the user."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Lost(LatentiaError):
    """Another process of this training is gone; the run can be resumed from what was saved last."""


def nearest(name: str, choices: Iterable[str], *, alike: float = 0.5) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest of ``choices``, or an empty string when none is ``alike`` enough."""
    close = difflib.get_close_matches(name.lower(), list(choices), n=1, cutoff=alike)
    return f"; did you mean {close[0]!r}?" if close else ""


def unknown(what: str, name: str, choices: Iterable[str]) -> UserError:
    """Return the error for a name that does not exist, with the nearest one and the whole list."""
    known = sorted(choices)
    suggestion = nearest(name, known) or ";"
    return UserError(f"there is no {what} called {name!r}{suggestion} (known: {', '.join(known)})".replace("; (", " ("))
