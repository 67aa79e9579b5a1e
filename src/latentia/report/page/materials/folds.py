"""What the page of a cross-validation is made of."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from latentia.data.imageset import ImageSet
from latentia.studies.result import CrossValidation


@dataclasses.dataclass(eq=False)
class FoldsMaterial:
    """A finished cross-validation."""

    result: CrossValidation

    kind = "crossvalidation"

    @property
    def path(self) -> Path:
        """The result's folder."""
        return self.result.path

    @property
    def description(self) -> dict[str, Any]:
        """What ``run.json`` says."""
        return self.result.description

    @property
    def heading(self) -> str:
        """What the page is called."""
        return f"{self.description['preset']} on {self.description['data']['source']}, {len(self.result.folds)} folds"

    @property
    def train(self) -> ImageSet:
        """The pool."""
        return self.result.images
