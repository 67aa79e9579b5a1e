"""``latentia map``."""

from __future__ import annotations

import click

from latentia.cli.options import split_option


@click.command(name="map")
@click.argument("run")
@click.argument("data")
@click.option("-o", "--output", required=True, metavar="FILE.png", help="the picture; positions go beside it as .csv")
@click.option(
    "--method", default="tsne", show_default=True, metavar="pca|tsne|umap", help="how codes come to two dimensions"
)
@click.option(
    "--most", type=int, default=5000, show_default=True, help="the most images on the map, evenly spaced over DATA"
)
@click.option("--clusters", metavar="DIR", help="colour by these clusters of `latentia cluster`, not by DATA's labels")
@click.option(
    "--positions", metavar="FILE", help="where positions go, .csv or .npy  [default: the picture's name, .csv]"
)
@click.option("--seed", type=int, default=0, show_default=True, help="of t-SNE and UMAP")
@split_option()
def command(
    run: str,
    data: str,
    output: str,
    method: str,
    most: int,
    clusters: str | None,
    positions: str | None,
    seed: int,
    split: str,
) -> None:
    """Draw the codes of DATA in the plane: similar images lie together. Colours are DATA's labels where there are any.

    The trustworthiness tells how far the picture's neighbourhoods are those of the codes (1 is best). pca is linear and quick,
    tsne keeps neighbourhoods, umap needs `pip install 'latentia[umap]'`.
    """
    from pathlib import Path

    from latentia.cli.options import picture_path
    from latentia.report.map_picture import map_picture
    from latentia.report.style import save
    from latentia.runs import open_run
    from latentia.tasks.clusters import Clusters
    from latentia.tasks.map_codes import check_positions

    path = picture_path(output)
    beside = Path(positions) if positions else path.with_suffix(".csv")
    check_positions(beside)
    opened = open_run(run)
    chosen = None if clusters is None else Clusters.load(Path(clusters))
    found = opened.map(opened.images(data, split), method=method, most=most, seed=seed)
    if chosen is None:
        picture = map_picture(found, opened.title)
    else:
        picture = map_picture(found, opened.title, chosen.of_names(found.images.names), kind="cluster")
    save(picture, path)
    found.save(beside)
    click.echo(str(found))
    click.echo(beside)
    click.echo(path)
