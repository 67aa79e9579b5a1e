"""``latentia export``."""

from __future__ import annotations

import click


@click.command(name="export")
@click.argument("run")
@click.argument("data", required=False)
@click.option("--onnx", "output", required=True, metavar="FILE.onnx", help="the file to write")
@click.option(
    "--part",
    default="whole",
    show_default=True,
    metavar="whole|encoder|decoder|all",
    help="what it holds; all: FILE-whole.onnx, FILE-encoder.onnx and FILE-decoder.onnx",
)
@click.option("--any-size", is_flag=True, help="leave height and width free too, for models with a spatial code")
def command(run: str, data: str | None, output: str, part: str, any_size: bool) -> None:
    """Write RUN's model as an ONNX file, for programs without Python.

    Images are float32 [batch, channels, height, width] in [0, 1]; the file's metadata says which pixel values these stand
    for. A classifier gives calibrated probabilities. The file is kept only if onnxruntime gives PyTorch's answers, to 1e-5,
    on images of DATA, or else of the run's own data.
    """
    from pathlib import Path

    from latentia.core.errors import UserError
    from latentia.runs import open_run

    path = Path(output)
    if path.suffix.lower() != ".onnx" or path.is_dir():
        raise UserError(f"the output {output!r} is no .onnx file: choose another name")
    if not path.parent.is_dir():
        raise UserError(
            f"the folder {str(path.parent)!r} of the output does not exist: make it, or choose another name"
        )
    opened = open_run(run)
    for each in ("whole", "encoder", "decoder") if part == "all" and opened.kind != "classifier" else (part,):
        place = path if part != "all" else path.with_name(f"{path.stem}-{each}.onnx")
        click.echo(str(opened.export_onnx(place, data, part=each, any_size=any_size)))
