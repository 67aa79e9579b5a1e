"""The doctor: what may be wrong with a trained autoencoder, each finding with its number, what is normal, and a remedy.

A finding is one file in ``findings/`` with a function ``find(patient)``; it exists because its file exists.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from latentia.core.atomic import write_json
from latentia.core.bars import tqdm
from latentia.core.errors import UserError
from latentia.core.notebook import Printed
from latentia.data.imageset import ImageSet
from latentia.model import Autoencoder
from latentia.objective import Objective
from latentia.tasks.apply import check_fit, format_for, over
from latentia.tasks.embed import embed
from latentia.tasks.reconstruct import reconstruct
from latentia.tasks.subsets import some

FINE, LOOK, FAULT = "fine", "look", "fault"
FINDINGS = "latentia.tasks.findings"
RISE = 0.05  # of what the validation loss had gained: more than that is over-fitting
MOST = 2000  # images that are looked at


@dataclasses.dataclass(frozen=True)
class Finding(Printed):
    """One thing that was looked at.

    Attributes:
        name: what, in a few words.
        verdict: ``fine``, ``look`` or ``fault``.
        numbers: what was measured.
        says: what it means here, one sentence.
        normal: what is normal.
        remedy: what to do; empty where it is fine.
    """

    name: str
    verdict: str
    numbers: Mapping[str, float]
    says: str
    normal: str
    remedy: str = ""

    def __str__(self) -> str:
        mark = {FINE: "   fine", LOOK: "   LOOK", FAULT: "  FAULT"}[self.verdict]
        lines = [f"{mark}  {self.name}: {self.says}"]
        if self.verdict != FINE:
            lines += [f"         normal: {self.normal}", f"         remedy: {self.remedy}"]
        return "\n".join(lines)


@dataclasses.dataclass(frozen=True)
class Diagnosis(Printed):
    """All findings of one run.

    Attributes:
        name: the run.
        source, count: the images it was examined with.
        findings: faults first.
    """

    name: str
    source: str
    count: int
    findings: tuple[Finding, ...]

    @property
    def faults(self) -> tuple[Finding, ...]:
        """Those findings that are not fine."""
        return tuple(each for each in self.findings if each.verdict != FINE)

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {**dataclasses.asdict(self), "findings": [dataclasses.asdict(each) for each in self.findings]}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return what :meth:`to_json` gave."""
        findings = tuple(Finding(**each) for each in values["findings"])
        return cls(values["name"], values["source"], values["count"], findings)

    def save(self, path: Path) -> None:
        """Write it as JSON, atomically."""
        write_json(path, self.to_json())

    def __str__(self) -> str:
        faults = len(self.faults)
        end = "nothing to mend" if not faults else f"{faults} of {len(self.findings)} findings to look at"
        head = f"{self.name}, examined with {self.count:,} images of {self.source}: {end}"
        return "\n".join([head, *map(str, self.findings)])


@dataclasses.dataclass(eq=False)
class Patient:
    """A trained autoencoder and the images it is examined with.

    Attributes:
        model: the autoencoder.
        objective: what it was trained for.
        images: images it was not trained on (or its training images where there are no others).
        train: its training images, or ``None``.
        history: one record for each epoch.
        held_out: whether ``images`` are others than ``train``.
    """

    model: Autoencoder
    objective: Objective
    images: ImageSet
    train: ImageSet | None = None
    history: Sequence[Mapping[str, Any]] = ()
    held_out: bool = True

    @functools.cached_property
    def curve(self) -> list[float]:
        """The validation loss, epoch by epoch; empty where there were no such images."""
        return [record["validation"]["loss"] for record in self.history if "validation" in record]

    @functools.cached_property
    def risen(self) -> float:
        """How much the validation loss rose again after its best epoch, as a share of what it had gained by then."""
        gained = self.curve[0] - min(self.curve) if self.curve else 0.0
        return (self.curve[-1] - min(self.curve)) / gained if gained > 0 else 0.0

    @functools.cached_property
    def unit(self) -> npt.NDArray[np.float32]:
        """The images in [0, 1], ``[N, C, H, W]``."""
        return format_for(self.model, self.images).to_unit(np.asarray(self.images.pixels))

    @functools.cached_property
    def restored(self) -> npt.NDArray[np.float32]:
        """Their reconstructions in [0, 1], ``[N, C, H, W]``."""
        return np.asarray(over(self.model, self.images, lambda batch: self.model(batch.pixels).float()))

    @functools.cached_property
    def codes(self) -> npt.NDArray[np.float32]:
        """Their codes ``[N, D]``, the values of a spatial code behind one another."""
        return embed(self.model, self.images)

    @functools.cached_property
    def error(self) -> float:
        """The per-pixel squared error."""
        return float(np.square(self.restored - self.unit, dtype=np.float64).mean())

    @functools.cached_property
    def training_error(self) -> float | None:
        """The same of as many training images, or ``None`` where these are the images or are not at hand."""
        if self.train is None or not self.held_out or not len(self.train):
            return None
        return float(reconstruct(self.model, some(self.train, len(self.images))).errors.mean())


def kinds_of_finding() -> dict[str, Callable[[Patient], Finding | None]]:
    """Return what can be looked at, by the names of the files."""
    package = importlib.import_module(FINDINGS)
    names = [module.name for module in pkgutil.iter_modules(package.__path__) if not module.name.startswith("_")]
    return {name: importlib.import_module(f"{FINDINGS}.{name}").find for name in sorted(names)}


def examine(patient: Patient, name: str = "the model") -> Diagnosis:
    """Return all findings, faults first.

    Raises:
        UserError: no images, or model and images do not fit each other.
    """
    if not len(patient.images):
        raise UserError(f"{patient.images.source} has no images, so there is nothing to examine {name} with")
    check_fit(patient.model, patient.images)
    looks = kinds_of_finding().values()
    bar = tqdm(looks, unit=" findings", delay=2.0, disable=None, leave=False)
    found = [finding for finding in (look(patient) for look in bar) if finding is not None]
    rank = {FAULT: 0, LOOK: 1, FINE: 2}
    return Diagnosis(
        name, patient.images.source, len(patient.images), tuple(sorted(found, key=lambda each: rank[each.verdict]))
    )
