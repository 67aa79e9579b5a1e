"""``latentia select``."""

from __future__ import annotations

import sys
from typing import Any

import click

from latentia.cli.options import DesignCommand, data_options, parse_size, settings_options
from latentia.training.settings import TrainSettings


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
@click.option("--latent-dim", metavar="INT,INT,…", help="numbers in a code")
@click.option("--metric", default="reconstruction_mse", show_default=True, help="the out-of-fold figure to judge by")
@click.option("--folds", default=5, show_default=True, help="the number of folds")
@click.option("--repeats", default=1, show_default=True, help="how often the images are divided anew")
@click.option("--stratify", is_flag=True, help="keep the labels' shares equal over the folds")
@click.option("--jobs", default=0, show_default=True, help="processes side by side; 0: as many as the cores carry")
@click.option("--threads-per-fold", default=1, show_default=True, help="threads of each training")
@settings_options(TrainSettings)
@data_options
@click.option("--runs", default="runs", show_default=True, metavar="DIR", help="where the results' folders are made")
@click.option("--no-figures", is_flag=True, help="draw no pictures")
@click.option("--quiet", is_flag=True, help="no progress on stderr")
@click.pass_context
def command(ctx: click.Context, /, data: str, presets: tuple[str, ...], **given: Any) -> None:
    """Choose settings for DATA without labels; the last line of stdout is the folder of the evidence.

    Values separated by commas are tried in all combinations, each cross-validated on the same folds (a value that holds
    commas itself goes into brackets: "(8,16),(16,32)"). Recommended is the simplest setting within one standard error of
    the best out-of-fold error. What has been trained already is not trained again.
    """
    from latentia.studies.selection import select

    figures, quiet = not given.pop("no_figures"), given["quiet"]
    given["size"] = parse_size(given["size"])
    fixed = ("metric", "folds", "repeats", "stratify", "jobs", "threads_per_fold", "runs", "quiet")
    data_names = ("size", "policy", "data_dir")
    how = {key: given.pop(key) for key in (*fixed, *data_names)}
    grid = {key: value for key, value in {**given, **ctx.obj}.items() if value is not None}
    say = None if quiet else lambda text: print(text, file=sys.stderr)
    found = select(data, presets, grid=grid, say=say, **how)
    click.echo(str(found))
    if figures:
        from latentia.report.selection_figure import draw_selection

        click.echo(f"picture: {draw_selection(found)[0]}")
    click.echo(found.path)
