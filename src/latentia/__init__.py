"""Latentia: learning from images without labels. Nothing heavy is imported before it is used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PLACES = {
    "load": "latentia.data.load",
    "ImageSet": "latentia.data.imageset",
    "train": "latentia.api",
    "open_run": "latentia.runs",
    "Run": "latentia.runs",
    "finetune": "latentia.api",
    "select": "latentia.api",
    "compare": "latentia.api",
    "ConvAutoencoder": "latentia.estimators",
    "AutoencoderClassifier": "latentia.estimators",
    "AutoencoderClusterer": "latentia.estimators",
    "AutoencoderDetector": "latentia.estimators",
    "DenoisingAutoencoder": "latentia.estimators",
    "VariationalAutoencoder": "latentia.estimators",
    "crossvalidate": "latentia.api",
}

__all__ = [
    "AutoencoderClassifier",
    "AutoencoderClusterer",
    "AutoencoderDetector",
    "ConvAutoencoder",
    "DenoisingAutoencoder",
    "ImageSet",
    "Run",
    "VariationalAutoencoder",
    "__version__",
    "compare",
    "crossvalidate",
    "finetune",
    "load",
    "open_run",
    "select",
    "train",
]

if TYPE_CHECKING:
    from latentia.api import compare, crossvalidate, finetune, select, train
    from latentia.data.imageset import ImageSet
    from latentia.data.load import load
    from latentia.estimators import (
        AutoencoderClassifier,
        AutoencoderClusterer,
        AutoencoderDetector,
        ConvAutoencoder,
        DenoisingAutoencoder,
        VariationalAutoencoder,
    )
    from latentia.runs import Run, open_run


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(importlib.import_module(_PLACES[name]), name)
    raise AttributeError(f"module 'latentia' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
