"""Runs side by side: which settings differ, and what each came to on the images that it was validated on."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from latentia.core.errors import UserError
from latentia.core.notebook import Printed
from latentia.studies.folder import KIND, flat
from latentia.training.run_folder import RunFolder

ABSENT = "-"
LONGEST = 24  # characters of a value in the table


@dataclasses.dataclass(frozen=True)
class ComparedRun:
    """One run.

    Attributes:
        path: its folder.
        settings: preset, data, architecture, objective and settings of training, by dotted names.
        best_epoch, epochs: as trained.
        seconds: of training; NaN where it has not ended.
        figures: of the best epoch, on the validation images where there are any, else on the training images.
        on: ``validation`` or ``training``: what ``figures`` were measured on.
        data: fingerprint of these images; figures on other images do not compare.
        history: one record for each epoch.
    """

    path: Path
    settings: dict[str, Any]
    best_epoch: int
    epochs: int
    seconds: float
    figures: dict[str, float]
    on: str
    data: str
    history: list[dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class RunComparison(Printed):
    """Several runs.

    Attributes:
        runs: in the order given.
        test: figures on the test images of each run's own data, where they were asked for.
    """

    runs: tuple[ComparedRun, ...]
    test: tuple[dict[str, float], ...] = ()

    @property
    def names(self) -> list[str]:
        """What the runs are called in tables and pictures: the folders' names, or paths where names are equal."""
        names = [run.path.name for run in self.runs]
        return names if len(set(names)) == len(names) else [str(run.path) for run in self.runs]

    @property
    def differences(self) -> dict[str, list[Any]]:
        """The settings that are not the same in all runs: one value for each."""
        keys = dict.fromkeys(key for run in self.runs for key in run.settings)
        found = {key: [run.settings.get(key, ABSENT) for run in self.runs] for key in keys}
        return {key: values for key, values in found.items() if any(value != values[0] for value in values)}

    @property
    def figures(self) -> dict[str, list[float | None]]:
        """Each figure of the runs; ``None`` where a run has no such figure."""
        keys = dict.fromkeys(key for run in self.runs for key in run.figures)
        return {key: [run.figures.get(key) for run in self.runs] for key in keys}

    @property
    def same_images(self) -> bool:
        """Whether all were judged on the same images."""
        return len({(run.on, run.data) for run in self.runs}) == 1

    def to_json(self) -> dict[str, Any]:
        """Return names, differing settings and figures."""
        return {
            "runs": [str(run.path) for run in self.runs],
            "differences": self.differences,
            "figures": self.figures,
            "test": list(self.test),
            "judged_on": [run.on for run in self.runs],
            "same_images": self.same_images,
            "epochs": [run.epochs for run in self.runs],
            "best_epochs": [run.best_epoch for run in self.runs],
            "seconds": [run.seconds for run in self.runs],
        }

    def __str__(self) -> str:
        rows = [["", *self.names]]
        rows += [[key, *map(_text, values)] for key, values in self.differences.items()]
        if len(rows) == 1:
            rows.append(["settings", *["the same"] * len(self.runs)])
        rows.append(["best epoch", *[f"{run.best_epoch} of {run.epochs}" for run in self.runs]])
        rows.append(["seconds", *[f"{run.seconds:,.1f}" for run in self.runs]])
        on = {run.on for run in self.runs}
        where = f"{on.pop()} " if len(on) == 1 else ""
        for key, values in self.figures.items():
            rows.append([f"{where}{key}", *map(_figure, values)])
        for key in dict.fromkeys(key for figures in self.test for key in figures):
            rows.append([f"test {key}", *[_figure(figures.get(key)) for figures in self.test]])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(
                [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
            )
            for row in rows
        ]
        if not self.same_images:
            lines.append("the runs were judged on different images, so these figures do not compare")
        return "\n".join(line.rstrip() for line in lines)


def compare_runs(paths: Sequence[str | os.PathLike[str]]) -> RunComparison:
    """Return the runs in the folders ``paths`` side by side.

    Raises:
        UserError: fewer than two, one is no run, or one has no finished epoch.
    """
    if len(paths) < 2:
        raise UserError("there is one run only, so nothing to compare it with: name two or more")
    return RunComparison(tuple(_read(Path(path)) for path in paths))


def are_crossvalidations(paths: Sequence[str | os.PathLike[str]]) -> bool:
    """Return whether the folders are those of cross-validations, rather than of runs.

    Raises:
        UserError: some are and some are not, or one is no run folder at all.
    """
    kinds = {RunFolder.open(path).describe().get("kind") == KIND for path in paths}
    if len(kinds) > 1:
        raise UserError("a cross-validation and a training run do not compare: name folders of one kind")
    return kinds == {True}


def _read(path: Path) -> ComparedRun:
    folder = RunFolder.open(path)
    described, history = folder.describe(), folder.metrics()
    if "settings" not in described or "data" not in described:
        raise UserError(f"{path} holds no training run, but a {described.get('kind', 'folder')}: name run folders")
    if not history:
        raise UserError(f"{path} has no finished epoch yet: train it first")
    best = next((record for record in history if record["epoch"] == described.get("best_epoch")), history[-1])
    validated = best.get("validation") is not None
    data = described["data"]
    judged = data["validation"] if validated else data["train"]
    return ComparedRun(
        path=path,
        settings=_settings(described),
        best_epoch=best["epoch"],
        epochs=len(history),
        seconds=described.get("seconds", history[-1].get("seconds", float("nan"))),
        figures=best["validation"] if validated else best["train"],
        on="validation" if validated else "training",
        data=(judged or {}).get("fingerprint", ""),
        history=history,
    )


def _settings(described: Mapping[str, Any]) -> dict[str, Any]:
    data = described["data"]
    return flat(
        {
            "preset": described["preset"],
            "data": {"source": data["source"], "images": data["train"]["count"], **(data.get("options") or {})},
            **described["architecture"],
            **described["objective"],
            "training": described["settings"],
        }
    )


def _figure(value: float | None) -> str:
    return ABSENT if value is None else f"{value:.5g}"


def _text(value: Any) -> str:
    text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
