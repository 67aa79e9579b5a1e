"""``latentia select``."""

from __future__ import annotations

import sys
from typing import Any

import click

from latentia.cli.options import (
    FOLD_NAMES,
    DesignCommand,
    fold_options,
    parse_size,
    prepare_processes,
    read_weights,
    training_options,
)

HOW = (*FOLD_NAMES, "metric", "search", "trials", "split", "split_seed", "size", "policy", "data_dir", "runs", "quiet")


@click.command(cls=DesignCommand, name="select")
@click.argument("data")
@click.option(
    "--preset",
    "presets",
    multiple=True,
    default=("cae",),
    show_default=True,
    help="presets to choose from, such as vae:beta=1,4; may be given several times",
)
@click.option("--metric", default="reconstruction_mse", show_default=True, help="the out-of-fold figure to judge by")
@click.option(
    "--search",
    type=click.Choice(["grid", "optuna"]),
    default="grid",
    show_default=True,
    help="try all combinations, or let Optuna choose --trials of them",
)
@click.option("--trials", default=20, show_default=True, help="settings that Optuna tries")
@fold_options
@training_options("the part of DATA to divide into folds", latent_dim="INT,INT,…")
@click.pass_context
def command(ctx: click.Context, /, data: str, presets: tuple[str, ...], **given: Any) -> None:
    """Choose settings for DATA without labels; the last line of stdout is the folder of the evidence.

    Values separated by commas are tried in all combinations, each cross-validated on the same folds (a value that holds
    commas itself goes into brackets: "(8,16),(16,32)"). With --search optuna, a value may be a range as well, such as
    --latent-dim 2..64 or --learning-rate 1e-4..1e-2; one that spans a factor of ten or more is searched by factors.
    Recommended is the simplest setting within one standard error of the best out-of-fold error. What has been trained
    already is not trained again.
    """
    prepare_processes(given["jobs"], given["backend"], given["stack"])
    from latentia.api import select

    figures, quiet = not given.pop("no_figures"), given["quiet"]
    given["size"] = parse_size(given["size"])
    weights = read_weights(given.pop("weights"))
    how = {key: value for key in HOW if (value := given.pop(key)) is not None}
    grid = {key: value for key, value in {**given, **weights, **ctx.obj}.items() if value is not None}
    say = None if quiet else lambda text: print(text, file=sys.stderr)
    found = select(data, presets, grid=grid, say=say, **how)
    click.echo(str(found))
    if figures:
        click.echo(f"picture: {found.draw()[0]}")
        click.echo(f"report: {found.report()}")
    click.echo(found.path)
