"""``latentia drift``."""

from __future__ import annotations

import click

from latentia.cli.options import split_option


@click.command(name="drift")
@click.argument("run")
@click.argument("data")
@click.option(
    "--reference",
    metavar="DATA",
    help="what to compare with  [default: RUN's calibration images, or its validation images]",
)
@click.option(
    "--reference-split",
    default="all",
    show_default=True,
    metavar="train|validation|test|all",
    help="the part of it that is meant",
)
@click.option("-o", "--output", metavar="DIR", help="write drift.json, images.csv, drift.png and changed.png there")
@click.option(
    "--level", type=float, default=0.05, show_default=True, help="how often to say changed where nothing has changed"
)
@click.option(
    "-n", "--number", type=click.IntRange(min=1), default=2000, show_default=True, help="the most images of each set"
)
@click.option("--seed", type=int, default=0, show_default=True, help="of every random choice")
@click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
@split_option()
def command(
    run: str,
    data: str,
    reference: str | None,
    reference_split: str,
    output: str | None,
    level: float,
    number: int,
    seed: int,
    as_json: bool,
    split: str,
) -> None:
    """Say whether the images of DATA have changed against those that RUN knows, in what, and how much.

    Codes are compared as a whole; scores and looks (brightness, contrast, detail) one by one; p-values are adjusted, and beside
    each stands how far apart the images are. RUN's training images are never compared with: it draws them better than others.
    """
    import json

    from latentia import api
    from latentia.cli.options import output_folder
    from latentia.runs import open_run

    opened = open_run(run)
    images = opened.images(data, split)
    known = None if reference is None else opened.images(reference, reference_split)
    folder = None if output is None else output_folder(output)
    found = api.drift(opened, images, known, level=level, most=number, seed=seed)
    click.echo(json.dumps(found.to_json(), indent=2) if as_json else str(found))
    if folder is not None:
        found.keep(folder)
        click.echo(folder)
