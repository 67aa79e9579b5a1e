"""``latentia interpolate``."""

from __future__ import annotations

from pathlib import Path

import click

from latentia.cli.options import split_option


@click.command(name="interpolate")
@click.argument("run")
@click.argument("data")
@click.option("-o", "--output", required=True, metavar="FILE.png", help="where the picture goes")
@click.option("-n", "--number", type=click.IntRange(min=1), default=8, show_default=True, help="pairs of images")
@click.option("--steps", type=click.IntRange(min=2), default=9, show_default=True, help="images from one to the other")
@click.option("--seed", type=int, default=0, show_default=True, help="which pairs")
@split_option()
def command(run: str, data: str, output: str, number: int, steps: int, seed: int, split: str) -> None:
    """Draw what lies between random pairs of images of DATA: their codes are mixed and decoded."""
    import numpy as np

    from latentia.cli.options import picture_path
    from latentia.core.errors import UserError
    from latentia.report.style import save
    from latentia.report.walks import interpolation_strips
    from latentia.runs import open_run
    from latentia.tasks.walk import interpolate

    path: Path = picture_path(output)
    opened = open_run(run)
    images = opened.images(data, split)
    if len(images) < 2:
        raise UserError(f"{data} has one image, but an interpolation needs two: give more")
    chosen = np.random.default_rng(seed).permutation(len(images))[: 2 * number]
    pairs = len(chosen) // 2
    walk = interpolate(
        opened.model, images.select(chosen[:pairs]), images.select(chosen[pairs : 2 * pairs]), steps=steps
    )
    save(interpolation_strips(walk, opened.model.format, opened.title), path)
    click.echo(str(walk))
    click.echo(path)
