"""``latentia traverse``."""

from __future__ import annotations

import click

from latentia.cli.options import split_option


@click.command(name="traverse")
@click.argument("run")
@click.argument("data", required=False)
@click.option("-o", "--output", required=True, metavar="FILE.png", help="where the picture goes")
@click.option("--units", metavar="I,J,…", help="which units  [default: those that vary most]")
@click.option("-n", "--number", type=click.IntRange(min=1), default=10, show_default=True, help="how many units")
@click.option("--steps", type=click.IntRange(min=2), default=9, show_default=True, help="images for each unit")
@click.option(
    "--span", type=float, default=2.5, show_default=True, help="how far to either side, in standard deviations"
)
@click.option(
    "--image", type=click.IntRange(min=0), default=0, show_default=True, help="the image to start from, by place"
)
@split_option("train")
def command(
    run: str, data: str | None, output: str, units: str | None, number: int, image: int, split: str, **how: float
) -> None:
    """Draw what single units of the code do: each moves while the others stay as they are for one image.

    Image and spread are those of RUN's training images, or of DATA.
    """
    import numpy as np

    from latentia.cli.options import picture_path
    from latentia.core.errors import UserError
    from latentia.report.style import save
    from latentia.report.walks import traversals
    from latentia.runs import open_run
    from latentia.tasks.walk import traverse

    path = picture_path(output)
    opened = open_run(run)
    images = opened.training_images() if data is None else opened.images(data, split)
    if image >= len(images):
        raise UserError(f"there is no image {image}: there are {len(images)}, the first of them 0")
    try:
        chosen = [int(unit) for unit in units.split(",")] if units else None
    except ValueError:
        raise UserError(f"the units {units!r} cannot be read: write numbers with commas, such as 0,3") from None
    others = np.setdiff1d(np.arange(min(len(images), 2000)), [image])
    walk = traverse(
        opened.model,
        images.select([image, *others]),
        units=chosen,
        rows=number,
        steps=int(how["steps"]),
        span=how["span"],
    )
    save(traversals(walk, opened.model.format, opened.title), path)
    click.echo(str(walk))
    click.echo(path)
