"""Export to ONNX: encoder, decoder, both as one, or a classifier, checked against onnxruntime on real images."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import latentia
from latentia.classifier import Classifier
from latentia.core.atomic import write_atomically
from latentia.core.errors import UserError, unknown
from latentia.core.notebook import Printed
from latentia.data.imageset import ImageSet
from latentia.model import Autoencoder
from latentia.tasks._evaluating import evaluating
from latentia.tasks.apply import batches
from latentia.tasks.onnx_modules import NAMES, PARTS, inputs_of, module_of, whole_multiples

TOLERANCE = 1e-5  # the largest difference to PyTorch's answer, as a share of the largest value where that is above 1
CHECKED = 32  # images that a file is checked on


@dataclasses.dataclass(frozen=True)
class Exported(Printed):
    """An ONNX file that agrees with its model.

    Attributes:
        path: the file.
        part: ``whole``, ``encoder``, ``decoder`` or ``classifier``.
        takes, gives: name and shape of what goes in and what comes out, float32 both.
        images: how many it was checked on.
        difference: the largest to PyTorch's answer, as a share of the largest value where that is above 1.
    """

    path: Path
    part: str
    takes: str
    gives: str
    images: int
    difference: float

    def __str__(self) -> str:
        return (
            f"{self.path}: {self.part}, {self.takes} -> {self.gives}; onnxruntime and PyTorch differ by at most "
            f"{self.difference:.0e} on {self.images} images"
        )


def need_onnx() -> None:
    """Raise a :class:`UserError` that says what to install where a package is missing."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(f"export needs {error.name}, which is not installed: pip install 'latentia[onnx]'") from None


def export_onnx(
    model: Autoencoder | Classifier,
    images: ImageSet,
    path: Path,
    *,
    part: str = "whole",
    any_size: bool = False,
    temperature: float = 1.0,
    about: Mapping[str, str] | None = None,
) -> Exported:
    """Write one ONNX file with a free number of images; it stands at ``path`` only where it agrees with the model.

    Args:
        model: an autoencoder, or a classifier, whose file gives calibrated probabilities ``[B, K]``.
        images: images of the model's format to check the file on; up to 32 are used.
        path: where it is written.
        part: of an autoencoder: ``whole`` (images to reconstructions), ``encoder`` (images to codes, deterministic) or
            ``decoder`` (codes to images). Images are float32 ``[B, C, H, W]`` in [0, 1].
        any_size: leave height and width free, in multiples of the model's; for spatial codes.
        temperature: what a classifier's logits are divided by.
        about: further entries of the file's metadata.

    Raises:
        UserError: a package is missing, model and images do not fit, the model cannot be written as ONNX or does not give
            the same answers there, or ``any_size`` is asked of a model that has one size.
        StorageError: the disk is full or cannot be written.
    """
    need_onnx()
    _check_request(model, part, any_size)
    module = module_of(model, part, any_size, temperature)
    shown = images.select(np.linspace(0, len(images) - 1, min(len(images), CHECKED)).astype(np.int64))
    with evaluating(model):
        pixels = torch.cat([batch.pixels for batch in batches(model, shown)])
        sizes = [pixels]
        if any_size:
            sizes = [whole_multiples(each, model.multiple) for each in (pixels, pixels.transpose(2, 3))]  # type: ignore[arg-type]
        inputs = [inputs_of(model, part, each) for each in sizes]
    inputs = [each.clone() for each in inputs]  # those made in inference mode cannot be exported with
    kind = "classifier" if isinstance(model, Classifier) else part
    program = _program(module, inputs[0], NAMES[kind], _free(model, part, any_size))
    takes, gives = (_signature(values[0]) for values in (program.model.graph.inputs, program.model.graph.outputs))
    program.model.metadata_props.update({**_metadata(model, kind, takes, gives), **(about or {})})
    differences: list[float] = []

    def write(temporary: Path) -> None:
        program.save(str(temporary), external_data=False)
        differences.append(max(_difference(temporary, module, each) for each in inputs))
        if not differences[0] <= TOLERANCE:
            raise UserError(
                f"onnxruntime's answers differ from PyTorch's by {differences[0]:.1e} on {len(shown)} images of "
                f"{images.source}, more than the {TOLERANCE:g} that is allowed: nothing was written"
            )

    write_atomically(path, write)
    return Exported(path, kind, takes, gives, len(shown), differences[0])


def _check_request(model: Autoencoder | Classifier, part: str, any_size: bool) -> None:
    if part not in PARTS:
        raise unknown("part to export", part, [*PARTS, "all"])
    if isinstance(model, Classifier) and part != "whole":
        raise UserError(f"a classifier is exported as a whole, without its {part}: leave --part out")
    if any_size and len(model.code_shape) == 1:
        raise UserError(
            f"this model takes images of {model.format.height}x{model.format.width} pixels alone, and only one with a "
            "spatial code, such as dae, takes others: leave --any-size out"
        )


def _free(model: Autoencoder | Classifier, part: str, any_size: bool) -> dict[int, Any]:
    """Return the sides that are free."""
    free: dict[int, Any] = {0: torch.export.Dim("batch")}
    if any_size and isinstance(model, Autoencoder):
        step = 1 if part == "decoder" else model.multiple
        for side, name in ((2, "rows"), (3, "columns")):
            free[side] = torch.export.Dim(name) if step == 1 else step * torch.export.Dim(name)
    return free


def _program(module: nn.Module, example: Tensor, names: tuple[str, str], free: dict[int, Any]) -> Any:
    if len(example) == 1:  # a side of one would be taken for fixed
        example = torch.cat([example, example])
    with _silence():
        try:
            return torch.onnx.export(
                module,
                (example,),
                dynamo=True,
                input_names=[names[0]],
                output_names=[names[1]],
                dynamic_shapes=({**free},),
                verbose=False,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            cause = error.__cause__ or error
            first = str(cause).strip().splitlines()[0].rstrip(".")
            raise UserError(f"this model cannot be written as ONNX ({type(cause).__name__}: {first})") from None


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep to itself what PyTorch's exporter says to its own developers."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _signature(value: Any) -> str:
    sides = [str(side) for side in value.shape]
    # what follows from free sides has no name of its own
    shown = [("batch", "", "rows", "columns")[place] if side[0] == "s" else side for place, side in enumerate(sides)]
    return f"{value.name} [{', '.join(shown)}]"


def _metadata(model: Autoencoder | Classifier, kind: str, takes: str, gives: str) -> dict[str, str]:
    pixel_format = model.format
    entries = {
        "latentia": latentia.__version__,
        "latentia.part": kind,
        "latentia.takes": f"float32 {takes}",
        "latentia.gives": f"float32 {gives}",
        "latentia.pixel_format": json.dumps(dataclasses.asdict(pixel_format)),
        "latentia.images": f"in [0, 1]: (pixel - {pixel_format.low:g}) / ({pixel_format.high:g} - {pixel_format.low:g})",
    }
    if isinstance(model, Classifier):
        entries["latentia.classes"] = json.dumps(list(model.classes))
    return entries


def _difference(path: Path, module: nn.Module, inputs: Tensor) -> float:
    """Return the largest difference between onnxruntime's and PyTorch's answers, to all inputs at once and to the first alone."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    worst = 0.0
    for some in (inputs, inputs[:1]):
        with torch.inference_mode():
            expected = module(some).numpy()
        found = session.run(None, {name: some.numpy()})[0]
        if found.shape != expected.shape:
            return float("inf")
        worst = max(worst, float(np.abs(found - expected).max() / max(1.0, np.abs(expected).max())))
    return worst
