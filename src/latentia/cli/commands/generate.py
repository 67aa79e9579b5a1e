"""``latentia generate``."""

from __future__ import annotations

import click

from latentia.cli.options import output_folder, split_option


@click.command(name="generate")
@click.argument("run")
@click.argument("data", required=False)
@click.option("-n", "--number", type=click.IntRange(min=1), default=64, show_default=True, help="how many images")
@click.option("-o", "--output", required=True, metavar="FILE.png|DIR", help="one picture of all, or a folder of images")
@click.option("--seed", type=int, default=0, show_default=True, help="which ones")
@split_option("train")
def command(run: str, data: str | None, number: int, output: str, seed: int, split: str) -> None:
    """Make new images with RUN's model, in the size, depth and channels that it was trained on.

    A model with a prior (vae and its kin, wae-mmd) draws codes from it. For any other a Gaussian mixture is fitted to the
    codes of the run's training images, or of DATA, and kept in the run's folder.
    """
    from latentia.cli.options import is_picture
    from latentia.data.restore import save_images
    from latentia.runs import open_run

    opened = open_run(run)
    picture = is_picture(output)
    folder = None if picture else output_folder(output)
    result = opened.generation(number, seed, None if data is None else opened.images(data, split))
    if folder is not None:
        save_images(result.images, folder, quiet=False)
    else:
        from pathlib import Path

        from latentia.report.random_images import sample_grid
        from latentia.report.style import save

        save(
            sample_grid(
                result.images, f"{number} new images from {opened.title}, codes drawn from the {result.origin}"
            ),
            Path(output),
        )
    click.echo(str(result))
    click.echo(output)
