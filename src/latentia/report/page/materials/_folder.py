"""What pages of run folders have in common."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from latentia.training.run_folder import RunFolder


class OfFolder:
    """Material that lies in the run folder ``folder``."""

    folder: RunFolder

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self.folder.path

    @functools.cached_property
    def description(self) -> dict[str, Any]:
        """What ``run.json`` says."""
        return self.folder.describe()

    @functools.cached_property
    def history(self) -> list[dict[str, Any]]:
        """One record an epoch."""
        return self.folder.metrics()
