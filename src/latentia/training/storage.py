"""A model on disk: ``model.json`` says what it is, ``model.safetensors`` holds its weights. No pickle anywhere."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

import latentia
from latentia.classifier import Classifier, classifier_from_json
from latentia.core.atomic import write_atomically, write_json
from latentia.core.errors import UserError
from latentia.data.imageset import PixelFormat
from latentia.model import Architecture, Autoencoder
from latentia.training.sharding import as_in

FORMAT = 1  # of every JSON file that Latentia writes; a reader refuses a newer one


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any] | None = None) -> None:
    """Write named tensors and JSON metadata atomically as one safetensors file."""
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    texts = {key: json.dumps(value) for key, value in (metadata or {}).items()}
    write_atomically(path, lambda temporary: save_file(contiguous, temporary, metadata=texts))


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and the metadata of a safetensors file.

    Raises:
        UserError: it is missing, truncated, or not a safetensors file.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist: this run folder holds no such file, or training has not saved it yet")
    try:
        with safe_open(path, framework="pt") as opened:
            metadata = {key: json.loads(value) for key, value in (opened.metadata() or {}).items()}
        return load_file(path), metadata
    except (SafetensorError, json.JSONDecodeError, OSError) as error:
        raise UserError(f"{path} is not a whole safetensors file (truncated or foreign): {error}") from None


def read_json(path: Path, what: str) -> dict[str, Any]:
    """Return a JSON file that Latentia wrote.

    Raises:
        UserError: it is missing, damaged, foreign, or of a newer format.
    """
    if not path.is_file():
        raise UserError(f"{path.parent} is not a {what}: it has no {path.name}")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is damaged: {error}") from None
    if not isinstance(values, dict) or not isinstance(values.get("format"), int):
        raise UserError(f"{path} was not written by Latentia")
    if values["format"] > FORMAT:
        raise UserError(
            f"{path} has format {values['format']}, but this Latentia {latentia.__version__} reads up to {FORMAT}: "
            "use a newer Latentia"
        )
    return values


def model_description(model: Autoencoder | Classifier) -> dict[str, Any]:
    """Return what ``model.json`` says."""
    if isinstance(model, Classifier):
        return {"format": FORMAT, "latentia": latentia.__version__, "kind": "classifier", **model.to_json()}
    return {
        "format": FORMAT,
        "latentia": latentia.__version__,
        "kind": "autoencoder",
        "pixel_format": dataclasses.asdict(model.format),
        "architecture": model.architecture.to_json(),
    }


def save_model(folder: Path, model: Autoencoder | Classifier, state: Mapping[str, Tensor] | None = None) -> None:
    """Write ``model.json`` and ``model.safetensors``; ``state`` replaces the module's own weights."""
    write_json(folder / "model.json", model_description(model))
    save_tensors(folder / "model.safetensors", state if state is not None else model.state_dict())


def load_model(folder: Path) -> Autoencoder:
    """Return the saved autoencoder, in evaluation mode, on the CPU.

    Raises:
        UserError: the files are missing, damaged, foreign, newer, do not belong together, or hold a classifier.
    """
    values = read_json(folder / "model.json", "saved model")
    if values.get("kind") == "classifier":
        raise UserError(
            f"{folder} is a classifier already: this needs the run of an autoencoder, such as the one it was made from"
        )
    try:
        architecture = Architecture.from_json(values["architecture"])
        model = architecture.build(PixelFormat(**values["pixel_format"]))
    except (KeyError, TypeError) as error:
        raise UserError(f"{folder / 'model.json'} does not describe an autoencoder: {error!r}") from None
    tensors, _ = load_tensors(folder / "model.safetensors")
    load_state(model, tensors, folder / "model.safetensors")
    return model.eval()


def model_digest(folder: Path) -> str:
    """Return a hash of the saved weights in ``folder``: what is fitted to a model is told by it from what is not."""
    return hashlib.blake2b((folder / "model.safetensors").read_bytes(), digest_size=16).hexdigest()


def load_classifier(folder: Path) -> Classifier:
    """Return the saved classifier, in evaluation mode, on the CPU.

    Raises:
        UserError: the files are missing, damaged, foreign, newer, do not belong together, or hold an autoencoder.
    """
    values = read_json(folder / "model.json", "saved model")
    if values.get("kind") != "classifier":
        raise UserError(f"{folder} is no classifier yet: make one of it with latentia finetune {folder} DATA")
    try:
        model = classifier_from_json(values)
    except (KeyError, TypeError) as error:
        raise UserError(f"{folder / 'model.json'} does not describe a classifier: {error!r}") from None
    tensors, _ = load_tensors(folder / "model.safetensors")
    load_state(model, tensors, folder / "model.safetensors")
    return model.eval()


def load_state(module: torch.nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Load ``tensors`` into ``module``; every name and shape must agree.

    Raises:
        UserError: they do not; the first difference is named.
    """
    own = module.state_dict()
    for name in [*own, *tensors]:
        if name not in tensors or name not in own or own[name].shape != tensors[name].shape:
            held = tuple(tensors[name].shape) if name in tensors else "missing"
            wanted = tuple(own[name].shape) if name in own else "not part of the model"
            raise UserError(f"{path} does not fit its model: {name!r} is {held} in the file and {wanted} in the model")
    module.load_state_dict(as_in(tensors, own))
