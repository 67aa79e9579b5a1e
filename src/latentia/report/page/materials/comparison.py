"""What the page of a comparison is made of."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from latentia.studies.comparison import RunComparison
from latentia.studies.paired import Paired
from latentia.studies.result import Comparison


@dataclasses.dataclass(eq=False)
class ComparisonMaterial:
    """Runs side by side.

    Attributes:
        comparison: the runs.
        paired: the same images through each model, where they fit all of them.
        description: what is known of the comparison itself: command, versions, time.
        path: its folder, where it has one.
    """

    comparison: RunComparison
    paired: Paired | None
    description: dict[str, Any]
    path: Path | None = None

    kind = "comparison"

    @property
    def heading(self) -> str:
        """What the page is called."""
        names = self.comparison.names
        return " and ".join(names) if len(names) < 3 else f"{len(names)} runs side by side"


@dataclasses.dataclass(eq=False)
class FoldComparisonMaterial:
    """Two cross-validations, fold by fold."""

    comparison: Comparison
    description: dict[str, Any]
    path: Path | None = None

    kind = "fold-comparison"

    @property
    def heading(self) -> str:
        """What the page is called."""
        return " and ".join(self.comparison.names)
