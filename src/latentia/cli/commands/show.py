"""``latentia show``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from latentia.cli.options import data_options, read_data, split_option


@click.command(name="show")
@click.argument("data")
@click.option("-o", "--output", metavar="FILE.png", help="where the picture goes  [default: show-DATA.png]")
@click.option("-n", "--number", type=click.IntRange(min=1), default=64, show_default=True, help="how many images")
@click.option("--seed", type=int, default=0, show_default=True, help="which ones")
@split_option("train")
@data_options
def command(data: str, output: str | None, number: int, seed: int, split: str, **where: Any) -> None:
    """Draw random images of DATA, with labels where there are any, as one picture."""
    from latentia.report.random_images import random_images
    from latentia.report.style import save

    images = read_data(data, split, **where)
    path = Path(output or f"show-{Path(data).stem.replace(':', '-')}.png")
    save(random_images(images, n=number, seed=seed), path)
    click.echo(repr(images))
    click.echo(path)
