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
    "ConvAutoencoder": "latentia.estimators",
    "crossvalidate": "latentia.api",
}

__all__ = ["ConvAutoencoder", "ImageSet", "Run", "__version__", "crossvalidate", "load", "open_run", "train"]

if TYPE_CHECKING:
    from latentia.api import crossvalidate, train
    from latentia.data.imageset import ImageSet
    from latentia.data.load import load
    from latentia.estimators import ConvAutoencoder
    from latentia.runs import Run, open_run


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(importlib.import_module(_PLACES[name]), name)
    raise AttributeError(f"module 'latentia' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
