"""``latentia reconstruct``."""

from __future__ import annotations

import click

from latentia.cli.options import output_folder, split_option


@click.command(name="reconstruct")
@click.argument("run")
@click.argument("data")
@click.option("-o", "--output", required=True, metavar="DIR", help="where the reconstructions go, under the same names")
@split_option()
def command(run: str, data: str, output: str, split: str) -> None:
    """Write the reconstruction of every image of DATA: same name, size, mode and depth."""
    from latentia.data.restore import save_images
    from latentia.runs import open_run

    opened = open_run(run)
    result = opened.reconstruction(opened.images(data, split))
    folder = output_folder(output)
    save_images(result.images, folder, quiet=False)
    click.echo(str(result))
    click.echo(folder)
