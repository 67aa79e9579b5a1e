"""``latentia crossval``."""

from __future__ import annotations

from typing import Any

import click

from latentia.cli.options import (
    DesignCommand,
    fold_options,
    parse_size,
    prepare_processes,
    read_weights,
    training_options,
)


@click.command(cls=DesignCommand, name="crossval")
@click.argument("data")
@click.option("--preset", default="cae", show_default=True, help="a named autoencoder, such as vae or vae:beta=4")
@fold_options
@click.option("--final/--no-final", default=True, show_default=True, help="also refit one model on all images")
@training_options("the part of DATA to divide into folds")
@click.option("--resume", metavar="RESULT", help="go on in this folder, which must be of the same settings")
@click.option("--fresh", is_flag=True, help="begin anew even where the same result is there")
@click.pass_context
def command(ctx: click.Context, /, data: str, preset: str, **given: Any) -> None:
    """Cross-validate an autoencoder on DATA; the last line of stdout is the folder of the result.

    The training and validation images of DATA are divided into folds; each model is judged on the fold that it has not
    seen. The same command finds its unfinished folder and goes on; test images are not read.
    """
    prepare_processes(given["jobs"], given["backend"], given["stack"])
    from latentia.api import crossvalidate

    figures = not given.pop("no_figures")
    given["size"] = parse_size(given["size"])
    if given["split_seed"] is None:
        del given["split_seed"]
    options = {**ctx.obj, **read_weights(given.pop("weights"))}
    result = crossvalidate(data, preset, options=options, **given)
    click.echo(str(result))
    if figures:
        pictures = result.draw()
        click.echo(f"pictures: {result.path / 'figures'} ({', '.join(picture.stem for picture in pictures)})")
        click.echo(f"report: {result.report()}")
    click.echo(result.path)
