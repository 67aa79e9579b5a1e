"""Where what a person should know is told."""

from __future__ import annotations

import sys


def silent(text: str) -> None:
    """Tell nobody."""


def to_stderr(text: str) -> None:
    """Print to stderr."""
    print(text, file=sys.stderr)
