"""What the page of a selection is made of."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

from latentia.studies.selection import Selection
from latentia.training.run_folder import RunFolder


@dataclasses.dataclass(eq=False)
class SelectionMaterial:
    """Settings compared by cross-validation."""

    selection: Selection

    kind = "selection"

    @property
    def path(self) -> Path:
        """The selection's folder."""
        return self.selection.path

    @functools.cached_property
    def description(self) -> dict[str, Any]:
        """What ``run.json`` says."""
        return RunFolder(self.path).describe()

    @property
    def heading(self) -> str:
        """What the page is called."""
        source = self.selection.candidates[0].result.description["data"]["source"]
        return f"{len(self.selection.candidates)} settings on {source}"
