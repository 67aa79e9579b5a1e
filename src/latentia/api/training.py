"""``train``: from images to a run with its pictures."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from latentia.api.finetuning import finetune
from latentia.api.reporting import attempt, write_report
from latentia.api.saying import silent, to_stderr
from latentia.core.errors import UserError
from latentia.core.launch import launch
from latentia.core.ranks import join, lead, one_first
from latentia.data.imageset import ImageSet
from latentia.data.splits import SPLIT_SEED
from latentia.data.stream import ImageStream
from latentia.model import Autoencoder
from latentia.presets import design
from latentia.report.page.materials.run import RunMaterial
from latentia.report.run_figures import draw_run
from latentia.runs import Run, loadable
from latentia.training.asked import separate
from latentia.training.run import DataChoice, begin_run, resume_run
from latentia.training.run_folder import RunFolder
from latentia.training.storage import load_tensors
from latentia.training.transfer import transfer

PICTURED = 5000  # images of a stream that pictures and report are made of

P = ParamSpec("P")
T = TypeVar("T")


def train(
    data: Any = None,
    preset: str = "cae",
    *,
    validation: Any = None,
    runs: str | os.PathLike[str] = "runs",
    init_from: Run | str | os.PathLike[str] | None = None,
    resume: str | os.PathLike[str] | None = None,
    into: str | os.PathLike[str] | None = None,
    split_seed: int = SPLIT_SEED,
    calibration: float = 0.0,
    figures: bool = True,
    quiet: bool = False,
    say: Callable[[str], None] | None = None,
    options: Mapping[str, Any] | None = None,
    **more: Any,
) -> Run:
    """Train an autoencoder and return its run.

    Args:
        data: whatever :func:`latentia.load` takes. Of a name or a path the training and validation splits are used; of an
            array or an ImageSet a tenth is set aside for validation.
        preset: the named autoencoder, such as ``"cae"``, ``"dae"`` or ``"vae:beta=4"``.
        validation: images to validate on, instead of those set aside.
        runs: the folder in which the run's own folder is made.
        init_from: a run whose matching layers the new model starts from.
        resume: an unfinished run to go on with; everything but ``data`` (needed where it was in memory) comes from it.
        into: the run's own folder, instead of the next numbered one below ``runs``; an equal run that was begun there is gone
            on with, so that the same call may be made again after a kill, by a batch system or by ``torchrun``.
        split_seed: the seed of the validation split.
        calibration: the share of the training images that is set aside: they are not trained on and choose no epoch, so
            :meth:`Run.detect <latentia.runs.Run.detect>` sets its thresholds by them.
        figures: draw the pictures into the run folder.
        quiet: print nothing.
        say: told what a person should know; prints to stderr by default.
        options: options by the names of the command line, such as ``{"corruption.p": 0.3}``.
        **more: the same by keyword: fields of :class:`TrainSettings` (``epochs``, ``learning_rate``, ``seed``,
            ``device`` …), of the data (``size``, ``policy``, ``data_dir``), parts (``encoder="residual"``) and their
            fields (``latent_dim=32``, ``corruption__p=0.3``).

    Raises:
        UserError: data, preset or an option is wrong. TrainingDiverged, Interrupted, StorageError: see there.
    """
    tell = (say or (silent if quiet else to_stderr)) if launch().leads else silent
    join()  # errors from here on are told once
    if resume is not None and lead(lambda: RunFolder.open(resume).describe().get("kind")) == "classifier":
        return finetune(resume=resume, data=data, figures=figures, quiet=quiet, say=tell)
    if resume is not None:
        folder, model = resume_run(resume, data, validation=validation, quiet=quiet, say=tell)
        return _finished(folder, model, data, validation, figures, tell)
    if data is None:
        raise UserError("there is nothing to train on: name a data set, a folder of images, a file or an array")
    asked = separate(options, more)
    chosen = design(preset, asked.design)
    location = os.fspath(data) if isinstance(data, str | os.PathLike) else None
    choice = DataChoice(location, loadable(asked.data), split_seed, calibration)
    hush = quiet or launch().local_rank > 0
    train_images, held, apart = one_first(lambda: choice.parts(data, validation, quiet=hush))
    if apart is not None:
        tell(f"{len(apart):,} images are set aside for calibration, {len(train_images):,} are trained on")
    prepare = None
    if init_from is not None:
        source = init_from.path if isinstance(init_from, Run) else Path(init_from)
        prepare = functools.partial(_bring_layers, source, tell)
    begun = begin_run(
        train_images,
        held,
        chosen,
        asked.settings,
        runs,
        choice=choice,
        calibration=apart,
        prepare=prepare,
        place=None if into is None else Path(into),
        check_place=True,
        quiet=quiet,
        say=tell,
    )
    return _finished(begun.folder, begun.fit(), train_images, held, figures, tell)


def draw_figures(folder: RunFolder, model: Autoencoder, images: ImageSet) -> list[Path]:
    """Draw the pictures of a run from ``images`` it did not train on (or its training images where there are no others)."""
    return draw_run(RunMaterial(folder, model, held=images))


def _finished(
    folder: RunFolder, model: Autoencoder, data: Any, validation: Any, figures: bool, say: Callable[[str], None]
) -> Run:
    if figures and folder.writes:
        if not isinstance(data, ImageSet):
            described = folder.describe()["data"]
            choice = DataChoice.of(described)
            data, validation = choice.load(data, validation)
        held = _in_memory(validation) if isinstance(validation, ImageSet) else None
        material = RunMaterial(folder, model, _in_memory(data), held)
        attempt(lambda: draw_run(material), "pictures", say)
        write_report(material, say)
    return Run(folder, model)


def _in_memory(images: ImageSet) -> ImageSet:
    """Return the images that pictures are drawn of: a few of a stream's."""
    return images.sample(PICTURED) if isinstance(images, ImageStream) else images


def _bring_layers(source: Path, tell: Callable[[str], None], model: Autoencoder) -> dict[str, Any]:
    if RunFolder.open(source).describe().get("kind") == "classifier":
        raise UserError(
            f"{source} is a classifier already: start from the run of an autoencoder, such as the one it came from"
        )
    weights, _ = load_tensors(source / "model.safetensors")
    moved = transfer(model, weights, str(source))
    tell(f"from {source}: {moved}")
    return {"from": str(source), **moved.to_json()}
