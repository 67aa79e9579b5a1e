"""What is asked for as one heap of options, told apart: about the data, about training, and about the design."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from latentia.training.settings import TrainSettings

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
