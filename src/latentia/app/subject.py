"""What is explored: a run's model and images, and what must be known of every image before the page can open."""

from __future__ import annotations

import dataclasses
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from latentia.app.workspace import Workspace, part_name
from latentia.classifier import Classifier
from latentia.core.errors import UserError
from latentia.data.imageset import ImageSet
from latentia.data.load import official_test_names, same_place
from latentia.model import Autoencoder
from latentia.runs import Run, loadable
from latentia.tasks.apply import BATCH, stream
from latentia.tasks.embed import check_codes
from latentia.tasks.predict import Prediction
from latentia.tasks.reconstruct import squared_error
from latentia.training.run_folder import RunFolder
from latentia.training.storage import model_digest

Say = Callable[[str], None]


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
    """A run and images, with what is known of each image.

    Attributes:
        run: the run.
        autoencoder: its autoencoder, which a classifier has, too.
        classifier: the classifier, or ``None``.
        images: the images.
        codes: float32 ``[N, D]``, what the map and clusters are made of: the codes (averaged over positions where they are
            spatial), or a classifier's last layer before its answer.
        scores: float64 ``[N]``, the per-pixel squared error of the reconstruction.
        prediction: what the classifier says, or ``None``.
        testing: bool ``[N]``, images of an official test part, which are never learned from.
        workspace: where things are kept.
        key: a hash of model and images.
    """

    run: Run
    autoencoder: Autoencoder
    classifier: Classifier | None
    images: ImageSet
    codes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float64]
    prediction: Prediction | None
    testing: npt.NDArray[np.bool_]
    workspace: Workspace
    key: str

    def __len__(self) -> int:
        return len(self.images)

    @property
    def model(self) -> Autoencoder | Classifier:
        """The model whose codes are on the map."""
        return self.classifier if self.classifier is not None else self.autoencoder


def open_subject(
    path: str | os.PathLike[str], data: Any = None, split: str = "all", say: Say = lambda _: None
) -> Subject:
    """Open a run for exploring; codes and errors are computed once and kept in the run folder.

    Args:
        path: the run's folder.
        data: the images to explore; the run's own by default.
        split: the part of them.
        say: told what a person should know.

    Raises:
        UserError: no run, one that is being trained or explored by another process, half-written, or of another version; no
            images, or images that do not fit the model.
    """
    run = _run_to_explore(path)
    autoencoder = run.classifier.autoencoder if run.kind == "classifier" else run.model
    classifier = run.classifier if run.kind == "classifier" else None
    trained_on = run.description["data"]["location"]
    location = trained_on if data is None else data
    if location is None:
        raise UserError(f"{run.path} was trained on images in memory: say which images to explore")
    workspace = Workspace(run.path, "" if same_place(location, trained_on) else part_name(_whereabouts(location)))
    workspace.claim()
    try:
        images = run.images(location, split)
        if not len(images):
            raise UserError(f"{images.source} holds no images to explore: name other data or another split")
        for note in images.notes:
            say(note)
        key = f"{model_digest(run.path)}-{images.fingerprint}"
        workspace.use_key(key)
        codes, scores = _known(workspace, autoencoder, classifier, images, say)
        options = {
            name: value for name, value in loadable(run.description["data"]["options"]).items() if name != "split"
        }
        tests = official_test_names(location, **options) if isinstance(location, str | os.PathLike) else frozenset()
        return Subject(
            run=run,
            autoencoder=autoencoder,
            classifier=classifier,
            images=images,
            codes=codes,
            scores=scores,
            prediction=_prediction(run, workspace, images),
            testing=np.array([name in tests for name in images.names]) if tests else np.zeros(len(images), dtype=bool),
            workspace=workspace,
            key=key,
        )
    except BaseException:
        workspace.release()
        raise


def map_code(model: Autoencoder | Classifier, pixels: Tensor) -> Tensor:
    """Return what the map is made of, ``[B, D]``, for ``pixels [B, C, H, W]`` in [0, 1]; see :class:`Subject`."""
    if isinstance(model, Autoencoder):
        return model.encode(pixels).vector(pool=True).float()
    hidden: Tensor = model.features(pixels)
    layers = list(model.head)
    for layer in layers[:-1]:
        if isinstance(layer, nn.Flatten) and len(layers) == 2:  # a linear head: its features, averaged over positions
            return hidden.mean(dim=(2, 3)).float()
        hidden = layer(hidden)
    return hidden.flatten(1).float()


def _run_to_explore(path: str | os.PathLike[str]) -> Run:
    folder = RunFolder.open(path)
    if folder.in_use():
        raise UserError(f"{folder.path} is still being trained: explore it when that has ended, or stop it first")
    if not (folder.path / "model.safetensors").is_file():
        raise UserError(
            f"{folder.path} holds no trained weights yet (model.safetensors is missing): let its training go on with "
            f"latentia train --resume {shlex.quote(str(folder.path))}"
        )
    run = Run(folder)
    missing = [name for name in ("data", "preset", "kind") if name not in run.description]
    if missing or "location" not in run.description["data"]:
        raise UserError(
            f"{folder.path / 'run.json'} lacks {(missing or ['data.location'])[0]!r}: it is no training run"
        )
    return run


def _whereabouts(location: Any) -> str:
    """Return what tells data apart: a place's whole path, or a data set's name."""
    if not isinstance(location, str | os.PathLike):
        return "array"
    return str(Path(location).resolve()) if Path(location).exists() else os.fspath(location)


def _known(
    workspace: Workspace, autoencoder: Autoencoder, classifier: Classifier | None, images: ImageSet, say: Say
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    codes, scores = workspace.kept("codes"), workspace.kept("scores")
    if codes is not None and scores is not None and len(codes) == len(scores) == len(images):
        return codes, scores
    say(f"computing the codes of {len(images):,} images; they are kept in {workspace.path}")
    model = classifier if classifier is not None else autoencoder
    found: list[npt.NDArray[np.float32]] = []

    def step(batch: Any) -> Tensor:
        found.append(map_code(model, batch.pixels).cpu().numpy())
        return squared_error(autoencoder(batch.pixels), batch.pixels)

    # large images in small batches: memory is for the images, not for what the network makes of them
    size = max(1, min(BATCH, 2**22 // max(1, images.format.pixels)))
    scores = np.concatenate(list(stream(autoencoder, images, step, size)))
    codes = check_codes(np.concatenate(found))
    workspace.keep("codes", codes)
    workspace.keep("scores", scores)
    return codes, scores


def _prediction(run: Run, workspace: Workspace, images: ImageSet) -> Prediction | None:
    if run.kind != "classifier":
        return None
    chances = workspace.kept("chances")
    classes = run.classifier.classes
    if chances is None or chances.shape != (len(images), len(classes)):
        chances = run.prediction(images).probabilities
        workspace.keep("chances", chances)
    return Prediction(images, classes, chances)
