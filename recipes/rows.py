"""Measured rows, kept in a JSON file after each one: a recipe that is stopped goes on where it was."""

from __future__ import annotations

import json
import math
import os
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from latentia.core.atomic import write_json


class Rows:
    """The rows of one recipe under one set of settings; rows made under other settings are dropped.

    Args:
        path: the JSON file; ``None`` keeps rows in memory only.
        settings: what every row has in common.
    """

    def __init__(self, path: Path | None, settings: dict[str, Any]) -> None:
        self.path, self.settings = path, json.loads(json.dumps(settings))
        kept = json.loads(path.read_text()) if path is not None and path.exists() else {}
        self.rows: list[dict[str, Any]] = kept["rows"] if kept.get("settings") == self.settings else []

    def has(self, **key: Any) -> bool:
        """Return whether a row with these values is there."""
        return any(all(row.get(name) == value for name, value in key.items()) for row in self.rows)

    def add(self, **row: Any) -> dict[str, Any]:
        """Keep a row, print it, and return it."""
        self.rows.append(row)
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_json(self.path, {"settings": self.settings, "cores": os.cpu_count(), "rows": self.rows})
        print(", ".join(f"{name} {_short(value)}" for name, value in row.items()), flush=True)
        return row

    def values(self, field: str, **key: Any) -> list[float]:
        """Return ``field`` of every row with these values, in the order of the seeds."""
        chosen = [row for row in self.rows if all(row.get(name) == value for name, value in key.items())]
        return [float(row[field]) for row in sorted(chosen, key=lambda row: row.get("seed", 0))]


def spread(values: Iterable[float], digits: int = 2) -> str:
    """Return ``mean ± standard deviation (n seeds)``."""
    numbers = list(values)
    if len(numbers) < 2:
        return f"{numbers[0]:.{digits}f} (one seed)" if numbers else "—"
    return f"{statistics.mean(numbers):.{digits}f} ± {statistics.stdev(numbers):.{digits}f} ({len(numbers)} seeds)"


def interval(differences: list[float]) -> tuple[float, float]:
    """Return the 95 % t-interval of the mean of paired differences."""
    from scipy.stats import t

    if len(differences) < 2:
        return -math.inf, math.inf
    half = t.ppf(0.975, len(differences) - 1) * statistics.stdev(differences) / math.sqrt(len(differences))
    return statistics.mean(differences) - half, statistics.mean(differences) + half


def _short(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)
