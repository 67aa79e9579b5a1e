"""``latentia baselines``."""

from __future__ import annotations

import click


@click.command(name="baselines")
@click.argument("run")
@click.argument("data", required=False)
@click.option(
    "--split",
    metavar="train|validation|test|all",
    help="the part that judges  [default: validation; test where RUN's own data is named; all of other DATA]",
)
@click.option("-o", "--output", metavar="DIR", help="write there  [default: into RUN, and latentia report shows it]")
@click.option(
    "-n", "--number", type=click.IntRange(min=1), default=2000, show_default=True, help="the most images that judge"
)
@click.option("--seed", type=int, default=0, show_default=True, help="of every random choice")
@click.option("--json", "as_json", is_flag=True, help="print the figures as JSON")
def command(
    run: str, data: str | None, split: str | None, output: str | None, number: int, seed: int, as_json: bool
) -> None:
    """Say whether it was worth training: RUN beside PCA, NMF, raw pixels and, where it denoises, classical methods.

    On the same images and tasks, with times and intervals: reconstruction from as many numbers, denoising, classes from a few
    labels, groups. Everything learns from RUN's training images; its validation images, or those of DATA, judge.
    """
    import json

    from latentia import api
    from latentia.cli.options import output_folder
    from latentia.runs import open_run

    opened = open_run(run)
    folder = opened.path if output is None else output_folder(output)
    found = api.baselines(opened, data, split, most=number, seed=seed, keep=False)
    click.echo(json.dumps(found.to_json(), indent=2) if as_json else str(found))
    written = found.keep(folder)
    if not as_json:
        click.echo("\n".join(map(str, written)))
