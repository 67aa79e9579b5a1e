"""What the page of a classifier's run is made of."""

from __future__ import annotations

import dataclasses
import functools

from latentia.data.imageset import ImageSet
from latentia.report.page.materials._folder import OfFolder
from latentia.tasks.predict import Judgement, Prediction
from latentia.training.run_folder import RunFolder


@dataclasses.dataclass(eq=False)
class ClassifierMaterial(OfFolder):
    """A classifier's run.

    Attributes:
        folder: the run's folder.
        shown: what it says of images whose labels it did not learn from, or ``None`` where there are none at hand.
    """

    folder: RunFolder
    shown: Prediction | None = None

    kind = "classifier"

    @property
    def heading(self) -> str:
        """What the page is called."""
        return f"classifier on {self.description['data']['source']}"

    @property
    def train(self) -> ImageSet | None:
        """Images like those it learned from."""
        return None if self.shown is None else self.shown.images

    @functools.cached_property
    def judgement(self) -> Judgement | None:
        """How right it is, where the truth is known."""
        return None if self.shown is None else self.shown.judgement()
