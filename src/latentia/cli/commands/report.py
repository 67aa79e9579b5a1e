"""``latentia report``."""

from __future__ import annotations

import click


@click.command(name="report")
@click.argument("run")
@click.argument("data", required=False)
@click.option("-o", "--output", metavar="FILE.html", help="where the page goes  [default: report.html in RUN]")
@click.option(
    "--map",
    "map_method",
    default="tsne",
    show_default=True,
    metavar="pca|tsne|umap|none",
    help="how codes come to two dimensions",
)
@click.option("--map-images", type=click.IntRange(min=3), default=600, show_default=True, help="the most on the map")
@click.option("--quiet", is_flag=True, help="do not say on stderr what is left out")
def command(run: str, data: str | None, output: str | None, map_method: str, map_images: int, quiet: bool) -> None:
    """Make the page of RUN: one HTML file that needs no server and no network, for any browser, phone or printer.

    RUN is the folder of a run, a cross-validation or a selection. DATA stands in for its images where these were in memory
    or have moved. train, finetune, crossval and select make the page themselves; this makes it anew.
    """
    from latentia import api

    click.echo(api.report(run, data, output=output, map=map_method, map_images=map_images, quiet=quiet))
