"""``latentia crossval``."""

from __future__ import annotations

from typing import Any

import click

from latentia.cli.options import DesignCommand, data_options, parse_size, settings_options
from latentia.training.settings import TrainSettings


@click.command(cls=DesignCommand, name="crossval")
@click.argument("data")
@click.option("--preset", default="cae", show_default=True, help="a named autoencoder, such as vae or vae:beta=4")
@click.option("--folds", default=5, show_default=True, help="the number of folds")
@click.option("--repeats", default=1, show_default=True, help="how often the images are divided anew")
@click.option("--stratify", is_flag=True, help="keep the labels' shares equal over the folds")
@click.option(
    "--keep-duplicates-together/--no-keep-duplicates-together",
    default=True,
    show_default=True,
    help="keep near-duplicates in one fold",
)
@click.option("--jobs", default=0, show_default=True, help="processes side by side; 0: as many as the cores carry")
@click.option("--threads-per-fold", default=1, show_default=True, help="threads of each training")
@click.option("--final/--no-final", default=True, show_default=True, help="also refit one model on all images")
@click.option("--latent-dim", metavar="INT", help="numbers in a code (channels at each position of a spatial one)")
@click.option("--target", metavar="all|changed", help="the pixels that count: all, or those the corruption changed")
@settings_options(TrainSettings)
@data_options
@click.option("--split", metavar="train|validation|test|all", help="the part of DATA to divide into folds")
@click.option("--split-seed", type=int, help="the seed of DATA's own splits and of the folds  [default: 0]")
@click.option("--runs", default="runs", show_default=True, metavar="DIR", help="where the result's folder is made")
@click.option("--resume", metavar="RESULT", help="go on in this folder, which must be of the same settings")
@click.option("--fresh", is_flag=True, help="begin anew even where the same result is there")
@click.option("--no-figures", is_flag=True, help="draw no pictures")
@click.option("--quiet", is_flag=True, help="no progress on stderr")
@click.pass_context
def command(ctx: click.Context, /, data: str, preset: str, **given: Any) -> None:
    """Cross-validate an autoencoder on DATA; the last line of stdout is the folder of the result.

    The training and validation images of DATA are divided into folds; each model is judged on the fold that it has not
    seen. The same command finds its unfinished folder and goes on; test images are not read.
    """
    from latentia.studies.processes import prepare

    if given["jobs"] != 1:
        prepare()
    from latentia.studies.crossvalidation import crossvalidate

    figures = not given.pop("no_figures")
    given["size"] = parse_size(given["size"])
    if given["split_seed"] is None:
        del given["split_seed"]
    result = crossvalidate(data, preset, options=ctx.obj, **given)
    click.echo(str(result))
    if figures:
        from latentia.report.crossval_figures import draw_crossvalidation

        pictures = draw_crossvalidation(result)
        click.echo(f"pictures: {result.path / 'figures'} ({', '.join(picture.stem for picture in pictures)})")
    click.echo(result.path)
