"""``latentia finetune``."""

from __future__ import annotations

from typing import Any

import click

from latentia.cli.options import AugmentedCommand, data_options, parse_size, settings_options
from latentia.core.launch import launch
from latentia.finetuning import FineTuning
from latentia.training.settings import FineTuneSettings


@click.command(cls=AugmentedCommand, name="finetune")
@click.argument("run", required=False)
@click.argument("data", required=False)
@click.option("--labels", type=click.IntRange(min=1), metavar="N", help="draw so many of DATA's labels, class-balanced")
@click.option("--label-file", metavar="CSV", help="labels from a file with the columns name and label")
@click.option("--label-seed", type=int, help="which labels are drawn  [default: 0]")
@settings_options(FineTuning, without=("augmentation",))
@settings_options(FineTuneSettings)
@data_options
@click.option(
    "--split",
    metavar="train|validation|test|all",
    help="the part of DATA to learn from  [default: train; with --label-file all but an official test part]",
)
@click.option("--runs", default="runs", show_default=True, metavar="DIR", help="where run folders are made")
@click.option("--resume", metavar="RUN", help="go on with this unfinished classifier's run")
@click.option("--control", is_flag=True, help="also train the same network from scratch, and show both")
@click.option("--no-figures", is_flag=True, help="draw no pictures")
@click.option("--quiet", is_flag=True, help="no progress on stderr")
@click.pass_context
def command(ctx: click.Context, /, run: str | None, data: str | None, resume: str | None, **given: Any) -> None:
    """Make a classifier of RUN's autoencoder with a few labels of DATA; the last line of stdout is its folder.

    Without --labels and --label-file all labels of DATA are used; images without one still help. No other label is read.
    --augmentation names what may happen to an image without changing what it shows (none: nothing); chain, the default,
    bends, turns and shifts a little and does not flip.
    """
    from latentia import api
    from latentia.core.errors import UserError

    runs, quiet, figures = given.pop("runs"), given.pop("quiet"), not given.pop("no_figures")
    if resume is not None:
        clashing = sorted(key for key, value in {**given, **ctx.obj, "run": run, "data": data}.items() if value)
        if clashing:
            raise UserError(
                f"--resume goes on with the run's own data and settings, so {', '.join(clashing)} cannot be given with it"
            )
        done = api.finetune(resume=resume, figures=figures, quiet=quiet)
    else:
        given["size"] = parse_size(given["size"])
        named = {key: given.pop(key) for key in ("labels", "label_file", "label_seed", "mode", "split", "control")}
        done = api.finetune(
            run,
            data,
            **{key: value for key, value in named.items() if value is not None},
            runs=runs,
            figures=figures,
            quiet=quiet,
            options={**ctx.obj, **given},
        )
    if not launch().leads:
        return
    click.echo(done.summary())
    beside = done.control
    if beside is not None:
        if done.unlearned_images() is not None:
            click.echo(done.beside_control())
        click.echo(f"control: {beside.path}")
    click.echo(done.path)


command.many_processes = True  # type: ignore[attr-defined]
