"""From data, design and settings to a run folder with a trained autoencoder in it; and taking such a run up again."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from latentia.core.atomic import write_json
from latentia.core.errors import Interrupted, LatentiaError, Lost, UserError
from latentia.core.launch import launch
from latentia.core.ranks import joined, lead, one_first
from latentia.data.imageset import ImageSet
from latentia.data.load import set_aside, training_parts
from latentia.data.splits import SPLIT_SEED
from latentia.data.stream_batches import batches_of
from latentia.model import Architecture, Autoencoder
from latentia.objective import Objective
from latentia.presets import Design
from latentia.training.contract import Course
from latentia.training.device import describe_device, describe_devices, resolve_device
from latentia.training.initial import initial_model
from latentia.training.learned import keep_learned
from latentia.training.progress import ProgressBar
from latentia.training.run_folder import RunFolder
from latentia.training.settings import TrainSettings, settings_from, settings_json
from latentia.training.sharding import gone_on_with
from latentia.training.signals import StopSignals
from latentia.training.storage import model_description, save_model
from latentia.training.threads import computing_with, threads_of
from latentia.training.trainer import Trainer

Say = Callable[[str], None]
FEW = 10  # images, fewer than which teach nothing but themselves


@dataclasses.dataclass(frozen=True)
class DataChoice:
    """What was asked for as data, so that a run can find it again.

    Attributes:
        location: a name or a path, or ``None`` for images that were handed over in memory.
        options: keyword arguments of :func:`latentia.load` that shape the images (``size``, ``policy``, ``data_dir``).
        split_seed: the seed of the validation split.
        calibration: the share of the training images that is set aside, seen neither by weights nor by the choice of an epoch.
    """

    location: str | None
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    split_seed: int = SPLIT_SEED
    calibration: float = 0.0

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> DataChoice:
        """Return the choice that a run's description holds under ``data``."""
        share = (described.get("calibration") or {}).get("share", 0.0)
        return cls(described["location"], described["options"], described["split_seed"], share)

    def load(self, data: Any = None, validation: Any = None) -> tuple[ImageSet, ImageSet | None]:
        """Return the training and validation images; ``data`` stands in for a location that there is not."""
        train, held, _ = self.parts(data, validation)
        return train, held

    def parts(
        self, data: Any = None, validation: Any = None, *, quiet: bool = False
    ) -> tuple[ImageSet, ImageSet | None, ImageSet | None]:
        """Return the training, validation and calibration images; see :meth:`load`."""
        source = data if data is not None else self.location
        if source is None:
            raise UserError("this run was trained on images in memory: hand the same images over to resume it")
        options: dict[str, Any] = {
            key: tuple(value) if key == "size" and value else value for key, value in self.options.items()
        }
        train, held = training_parts(source, split_seed=self.split_seed, validation=validation, quiet=quiet, **options)
        train, calibration = set_aside(train, self.calibration, split_seed=self.split_seed)
        return train, held, calibration


@dataclasses.dataclass(frozen=True)
class Begun:
    """A run with its folder, to be trained."""

    folder: RunFolder
    model: Autoencoder
    trainer: Trainer

    def fit(self, threads: int = 0) -> Autoencoder:
        """Train to the end, from wherever the folder stands; return the model with its best weights, on the CPU.

        It computes with so many ``threads``; 0: with as many as are fastest.
        """
        fit_in_folder(self.trainer, self.folder, threads)
        return trained(self.trainer)

    def course(self, signals: StopSignals) -> Course:
        """Go through the same training in the hands of whoever takes its steps; see :mod:`latentia.training.stack`."""
        quiet = ProgressBar(self.trainer.settings.epochs, self.trainer.train.count, 0, quiet=True)
        with kept_in(self.folder, self.trainer), quiet as bar:
            yield from self.trainer.course(signals, bar)


def begin_run(
    train: ImageSet,
    validation: ImageSet | None,
    design: Design,
    settings: TrainSettings,
    runs: str | os.PathLike[str],
    *,
    choice: DataChoice,
    calibration: ImageSet | None = None,
    prepare: Callable[[Autoencoder], dict[str, Any]] | None = None,
    place: Path | None = None,
    check_place: bool = False,
    notes: Mapping[str, Any] | None = None,
    quiet: bool = False,
    say: Say = lambda text: None,
) -> Begun:
    """Return a new autoencoder with the folder that is made for it, or that it is to be gone on with in.

    Args:
        train, validation: the images; the validation images choose the best weights.
        design: what is built and what it is trained for.
        settings: how it is trained.
        runs: where the run's folder is made.
        choice: how the images were asked for.
        calibration: images that were set aside; they are recorded, and nothing else is done with them.
        prepare: called with the new model before training, to bring weights along; what it returns goes into ``run.json``.
        place: the run's own folder, instead of the next numbered one below ``runs``; a run begun there is gone on with.
        check_place: refuse ``place`` where the run begun there was asked for otherwise.
        notes: further entries of ``run.json``.
        quiet: no progress.
        say: told what a person should know (device, notes on the data).
    """
    settings = settings.for_images(len(train), design.optimizer)
    device = resolve_device(settings.device)
    check_same_images(train, validation, calibration)
    model = initial_model(design.architecture, train, settings.seed)
    origin: dict[str, Any] = {} if prepare is None else lead(lambda: prepare(model))
    # the trainer first: a wrong name is found out before a folder is made
    trainer = _trainer(model, design.objective, train, validation, settings, device, quiet)
    description = {
        "kind": "autoencoder",
        "preset": design.preset,
        "architecture": model.architecture.to_json(),
        "objective": design.objective.to_json(),
        "settings": settings_json(settings),
        "device": describe_device(device),
        "data": describe_data(train, validation, choice, calibration),
        **({"origin": origin} if origin else {}),
        **describe_processes(),
        **(notes or {}),
    }

    def begin() -> str:
        if place is None:
            made = RunFolder.create(Path(runs), f"{Path(train.source).stem or 'images'}-{design.preset}", description)
        else:
            made = RunFolder.at(place, description)
            if check_place:
                made.check_alike(description)
        write_json(made.path / "model.json", model_description(model))
        keep_learned(made.path, train, validation)
        if origin:
            save_model(made.path / "last", model)  # where the run began, so that it can begin again after a kill
        return str(made.path)

    folder = RunFolder(Path(lead(begin)), writes=launch().leads)
    say(f"training on {describe_devices(device)}, in {folder.path}")
    for note in train.notes:
        say(note)
    if len(train) < FEW:
        one = "one image" if len(train) == 1 else f"{len(train)} images"
        say(f"{one} to learn from: so few are learned by heart, and no figure says how others fare")
    return Begun(folder, model, trainer)


def resume_run(
    path: str | os.PathLike[str],
    data: Any = None,
    *,
    validation: Any = None,
    quiet: bool = False,
    say: Say = lambda t: None,
) -> tuple[RunFolder, Autoencoder]:
    """Go on with an unfinished run and return what :func:`begin_run` and :meth:`Begun.fit` would have given, to the bit.

    Raises:
        UserError: no run folder, another process is training in it, or the images are not the ones it began with.
    """
    folder = RunFolder(Path(path), writes=launch().leads)
    described = lead(lambda: RunFolder.open(path).describe())
    try:
        described_data = described["data"]
        choice = DataChoice.of(described_data)
        settings = gone_on_with(settings_from(described["settings"]))
        architecture = Architecture.from_json(described["architecture"])
        objective = Objective.from_json(described["objective"])
    except KeyError as error:
        raise UserError(f"{folder.path / 'run.json'} lacks {error}: it is no training run") from None
    train, held = one_first(lambda: choice.load(data, validation))
    _check_same_data(folder.path, described_data, train, held)
    device = resolve_device(settings.device)
    model = initial_model(architecture, train, settings.seed)
    if "origin" in described and folder.writes:  # the others get it from this process
        from latentia.training.storage import load_state, load_tensors

        beginning = folder.path / "last" / "model.safetensors"
        load_state(model, load_tensors(beginning)[0], beginning)
    if folder.writes:
        write_json(folder.path / "model.json", model_description(model))
        keep_learned(folder.path, train, held)  # a kill, or an earlier version, may have left it out
    say(f"resuming {folder.path} on {describe_devices(device)}")
    trainer = _trainer(model, objective, train, held, settings, device, quiet)
    fit_in_folder(trainer, folder)
    return folder, trained(trainer)


def describe_data(
    train: ImageSet, validation: ImageSet | None, choice: DataChoice, calibration: ImageSet | None = None
) -> dict[str, Any]:
    """Return what ``run.json`` says of the data."""
    set_apart = {} if calibration is None else {"calibration": {"share": choice.calibration, **_content(calibration)}}
    return {
        "source": train.source,
        "location": choice.location,
        "options": {key: value for key, value in choice.options.items() if value is not None},
        "split_seed": choice.split_seed,
        "pixel_format": dataclasses.asdict(train.format),
        "classes": list(train.classes),
        "notes": list(train.notes),
        "train": _content(train),
        "validation": None if validation is None else _content(validation),
        **set_apart,
    }


def _content(images: ImageSet) -> dict[str, Any]:
    return {"count": len(images), "fingerprint": images.fingerprint}


def describe_processes() -> dict[str, int]:
    """Return what ``run.json`` says of the processes that train together; nothing of one alone."""
    return {"processes": launch().size} if launch().size > 1 else {}


def check_same_images(*parts: ImageSet | None) -> None:
    """Raise a :class:`UserError` where this process has other images than the one that leads."""
    own = [None if part is None else part.fingerprint for part in parts]
    if lead(lambda: own) != own:
        raise UserError(
            f"process {launch().rank} has other images than process 0: every machine needs the same files under the same path"
        )


def _trainer(
    model: Autoencoder,
    objective: Objective,
    train: ImageSet,
    validation: ImageSet | None,
    settings: TrainSettings,
    device: Any,
    quiet: bool,
) -> Trainer:
    place, ranks, held = launch(), joined(), None
    batches = batches_of(train, model.format, settings.batch_size, device, seed=settings.seed, place=place)
    if validation is not None:
        held = batches_of(validation, model.format, max(settings.batch_size, 256), device, place=place)
    return Trainer(model, objective, batches, held, settings, device, quiet=quiet or not place.leads, ranks=ranks)


def fit_in_folder(trainer: Trainer, folder: RunFolder, threads: int = 0) -> None:
    """Take up what ``folder`` holds of this training, bring it to its end there, and write down how it ended.

    It computes with so many ``threads``; 0: with as many as are fastest.
    """
    with kept_in(folder, trainer), computing_with(threads or threads_of(folder, trainer)):
        trainer.fit()


def trained(trainer: Trainer) -> Any:
    """Return the model that was trained, on the CPU, to be used."""
    return trainer.module.cpu().eval()


@contextlib.contextmanager
def kept_in(folder: RunFolder, trainer: Trainer) -> Iterator[None]:
    """Take up what ``folder`` holds of a training that goes on inside, and write down how it ended."""
    lead(folder.lock)
    trainer.folder = folder
    try:
        trainer.restore()
        folder.update(status="running")
        yield
    except Interrupted:
        folder.update(status="interrupted")
        raise
    except Lost as error:
        folder.update(status="interrupted")
        raise Lost(f"{error}: {folder.resuming}") from error
    except LatentiaError as error:
        folder.update(status=f"failed: {error}")
        raise
    finally:
        folder.release()
    progress = trainer.progress
    folder.update(status="finished", best_epoch=progress.best_epoch, seconds=round(progress.seconds, 2))


def _check_same_data(path: Path, described: dict[str, Any], train: ImageSet, held: ImageSet | None) -> None:
    for name, images in (("train", train), ("validation", held)):
        before = described[name]
        now = None if images is None else images.fingerprint
        if (before or {}).get("fingerprint") != now:
            count = 0 if images is None else len(images)
            raise UserError(
                f"{path} cannot be resumed: its {name} images have changed (it began with "
                f"{(before or {}).get('count', 0)}, there are {count} now, and their fingerprints differ)"
            )
