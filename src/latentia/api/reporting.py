"""``report``: one page for a run, a classifier, a cross-validation or a selection."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from latentia.api.saying import silent, to_stderr
from latentia.core.errors import LatentiaError, UserError, unknown
from latentia.data.imageset import ImageSet
from latentia.model import Autoencoder
from latentia.report.page.building import FILE, Material, write_page
from latentia.report.page.materials.classifier import ClassifierMaterial
from latentia.report.page.materials.folds import FoldsMaterial
from latentia.report.page.materials.run import MAP, ON_MAP, RunMaterial
from latentia.report.page.materials.selection import SelectionMaterial
from latentia.runs import Run
from latentia.studies.result import CrossValidation
from latentia.studies.selection import open_selection
from latentia.tasks.map_codes import MAPS
from latentia.tasks.predict import Prediction
from latentia.training.run import DataChoice
from latentia.training.run_folder import RunFolder


def report(
    run: Any,
    data: Any = None,
    *,
    output: str | os.PathLike[str] | None = None,
    map: str = MAP,
    map_images: int = ON_MAP,
    quiet: bool = False,
    say: Callable[[str], None] | None = None,
) -> Path:
    """Write the page of a run, a cross-validation or a selection and return its path.

    Args:
        run: the folder, or a :class:`Run` or result that has one.
        data: images like its own, where these were in memory or have moved.
        output: the file; ``report.html`` in the folder by default.
        map: how codes come to the plane: ``pca``, ``tsne`` or ``umap``; ``none`` for no map.
        map_images: the most images on the map.
        quiet: print nothing.
        say: told of what is left out and why; prints to stderr by default.

    Raises:
        UserError: it is no such folder, or there is nothing in it yet. StorageError: the page cannot be written.
    """
    tell = say or (silent if quiet else to_stderr)
    if map not in (*MAPS, "none"):
        raise unknown("map", map, (*MAPS, "none"))
    folder = RunFolder.open(getattr(run, "path", run))
    path = Path(output) if output is not None else folder.path / FILE
    if path.is_dir():
        raise UserError(f"{path} is a folder, but the report is one file: name one that ends in .html")
    return write_page(material_of(folder, data, map, map_images, tell), path, tell)


def material_of(folder: RunFolder, data: Any, map: str, map_images: int, tell: Callable[[str], None]) -> Material:
    """Return what the page of ``folder`` is made of.

    Raises:
        UserError: it is of a kind that has no page, or holds nothing yet.
    """
    described = folder.describe()
    kind = described.get("kind", "autoencoder")
    if kind == "crossvalidation":
        return FoldsMaterial(CrossValidation(folder.path))
    if kind == "selection":
        return SelectionMaterial(open_selection(folder.path))
    if kind not in ("autoencoder", "classifier") or "data" not in described:
        raise UserError(f"{folder.path} holds a {kind}, of which there is no report to make anew: name another folder")
    if not folder.metrics():
        raise UserError(f"{folder.path} has no finished epoch yet, so there is nothing to report: train it first")
    if kind == "classifier":
        return ClassifierMaterial(folder, _shown(Run(folder), data, tell))
    return _run_material(folder, data, map, map_images, tell)


def write_report(material: Material, say: Callable[[str], None]) -> Path | None:
    """Write a finished result's page into its folder; that it cannot be drawn is told, and fails nothing."""
    assert material.path is not None  # a developer's invariant: results have folders
    path = material.path / FILE
    return attempt(lambda: write_page(material, path, say), "report", say)


def attempt(draw: Callable[[], Any], what: str, say: Callable[[str], None]) -> Any:
    """Return what ``draw`` does, or ``None`` where it fails: training is done, and its result must not be lost in a picture."""
    try:
        return draw()
    except Exception as error:
        reason = str(error) if isinstance(error, LatentiaError) else f"{type(error).__name__}: {error}"
        say(f"the {what} could not be drawn: {reason}")
        return None


def _run_material(folder: RunFolder, data: Any, map: str, map_images: int, tell: Callable[[str], None]) -> RunMaterial:
    run, described = Run(folder), folder.describe()
    model: Autoencoder | None = None
    train = held = None
    with _left_out("the pictures of its images", tell):
        model = run.model
        location = described["data"]["location"]
        if data is None and location is None:
            tell(f"{folder.path} was trained on images in memory: name DATA to see them in the report")
        else:
            choice = DataChoice.of(described["data"])
            train, held = choice.load(data)
    return RunMaterial(folder, model, train, held, map, map_images)


def _shown(run: Run, data: Any, tell: Callable[[str], None]) -> Prediction | None:
    try:
        return run.prediction(data) if data is not None else answers_to_unlearned(run)
    except LatentiaError as error:
        tell(f"the report leaves out the answers of the classifier: {error}")
        return None


def answers_to_unlearned(run: Run, images: ImageSet | None = None, most: int = 10_000) -> Prediction | None:
    """Return what a classifier says of images whose labels it did not learn from, or ``None`` where there are none.

    ``images`` stand in where the run's own were in memory. The classifier stands, so other labels may be looked at.
    """
    images = run.unlearned_images() if images is None else images
    if images is None:
        return None
    return run.prediction(images.select(np.linspace(0, len(images) - 1, min(len(images), most)).astype(np.int64)))


@contextlib.contextmanager
def _left_out(what: str, tell: Callable[[str], None]) -> Iterator[None]:
    try:
        yield
    except LatentiaError as error:
        tell(f"the report leaves out {what}: {error}")
