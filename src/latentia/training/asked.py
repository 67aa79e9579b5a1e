"""What is asked for as one heap of options, told apart: about the data, about training, and about the design."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from latentia.finetuning import FineTuning
from latentia.parts import AUGMENTATIONS
from latentia.training.settings import FineTuneSettings, TrainSettings

DATA_OPTIONS = ("size", "policy", "data_dir", "split")
SETTINGS = frozenset(field.name for field in dataclasses.fields(TrainSettings))


@dataclasses.dataclass(frozen=True)
class Asked:
    """Options by what they are about.

    Attributes:
        data: keyword arguments of :func:`latentia.load`, and ``split``.
        settings: how to train.
        design: options of :func:`latentia.presets.design`.
    """

    data: dict[str, Any]
    settings: TrainSettings
    design: dict[str, Any]


def separate(
    options: Mapping[str, Any] | None, more: Mapping[str, Any], data_names: tuple[str, ...] = DATA_OPTIONS
) -> Asked:
    """Return ``options`` (names of the command line) and ``more`` (keywords, ``__`` for a dot) told apart.

    Options that are ``None`` are as if not given.

    Raises:
        UserError: a setting's value does not fit.
    """
    given = {**dict(options or {}), **{key.replace("__", "."): value for key, value in more.items()}}
    given = {key.replace("-", "_"): value for key, value in given.items() if value is not None}
    data = {key: given.pop(key) for key in data_names if key in given}
    settings = TrainSettings.from_fields({key: given.pop(key) for key in list(given) if key in SETTINGS}, owner="train")
    return Asked(data, settings, given)


@dataclasses.dataclass(frozen=True)
class AskedFineTuning:
    """Options of fine-tuning by what they are about.

    Attributes:
        data: keyword arguments of :func:`latentia.load`.
        settings: how to train.
        how: mode, augmentation and the weights of the loss.
    """

    data: dict[str, Any]
    settings: FineTuneSettings
    how: FineTuning


def separate_finetuning(options: Mapping[str, Any] | None, more: Mapping[str, Any]) -> AskedFineTuning:
    """Return the options of fine-tuning told apart; those that are ``None`` are as if not given.

    Raises:
        UserError: there is no such option, or a value does not fit.
    """
    given = {key.replace("-", "_"): value for key, value in {**dict(options or {}), **more}.items()}
    given = {key: value for key, value in given.items() if value is not None}
    nested = {key.partition(".")[2]: given.pop(key) for key in list(given) if key.startswith("augmentation.")}
    if nested:
        given["augmentation"] = str(AUGMENTATIONS.make(given.get("augmentation", "chain"), **nested))
    data = {key: given.pop(key) for key in DATA_OPTIONS if key in given}
    fields = {field.name for field in dataclasses.fields(FineTuneSettings)}
    settings = FineTuneSettings.from_fields(
        {key: given.pop(key) for key in list(given) if key in fields}, owner="finetune"
    )
    return AskedFineTuning(data, settings, FineTuning.from_fields(given, owner="finetune"))
