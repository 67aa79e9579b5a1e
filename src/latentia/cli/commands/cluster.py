"""``latentia cluster``."""

from __future__ import annotations

import click

from latentia.cli.options import split_option


@click.command(name="cluster")
@click.argument("run")
@click.argument("data")
@click.option("-o", "--output", required=True, metavar="DIR", help="where tables and contact sheets go")
@click.option("--clusters", "count", type=int, metavar="K", help="how many  [default: found without labels]")
@click.option(
    "--method",
    default="auto",
    show_default=True,
    metavar="communities|k-means|mixture|hdbscan",
    help="auto is communities of the neighbour graph",
)
@click.option(
    "--on",
    default="auto",
    show_default=True,
    metavar="codes|graph|umap",
    help="what is clustered; auto suits the method",
)
@click.option("--seed", type=int, default=0, show_default=True, help="of every random choice")
@click.option("--repeats", type=click.IntRange(min=0), default=5, show_default=True, help="re-runs for the stability")
@click.option("--no-pictures", is_flag=True, help="write tables alone")
@click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
@split_option()
def command(
    run: str,
    data: str,
    output: str,
    count: int | None,
    method: str,
    on: str,
    seed: int,
    repeats: int,
    no_pictures: bool,
    as_json: bool,
    split: str,
) -> None:
    """Group the images of DATA by their codes, without labels, and draw a contact sheet of each group.

    DIR gets clusters.csv (who belongs where), names.csv (to fill in, for `latentia label`), overview.png and a sheet for each
    cluster. Labels that DATA has are only compared with, beside k-means on pixels and on PCA.
    """
    import json

    from latentia.cli.options import output_folder
    from latentia.runs import open_run

    opened = open_run(run)
    images = opened.images(data, split)
    folder = output_folder(output)
    result = opened.cluster(images, count, method=method, on=on, seed=seed, repeats=repeats)
    result.save(folder)
    if not no_pictures:
        from latentia.report.cluster_pictures import draw_clusters

        draw_clusters(result, images, folder)
    click.echo(json.dumps(result.to_json(), indent=2) if as_json else str(result))
    click.echo(folder)
