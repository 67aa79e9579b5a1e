"""``latentia label``."""

from __future__ import annotations

import click


@click.command(name="label")
@click.argument("run")
@click.argument("clusters")
@click.argument("names")
@click.option("-o", "--output", required=True, metavar="FILE.csv", help="labels, with the columns name and label")
@click.option(
    "--sure", type=float, default=0.0, show_default=True, help="the least membership, 0 to 1; images below are left out"
)
def command(run: str, clusters: str, names: str, output: str, sure: float) -> None:
    """Turn named clusters into labels: CLUSTERS is the folder that `latentia cluster` wrote, NAMES its names.csv, filled in.

    Every image of a cluster gets the cluster's name as its label; clusters without a name are left out, and one name may
    stand for several clusters. `latentia finetune RUN DATA --label-file FILE.csv` takes the result.
    """
    from pathlib import Path

    from latentia.core.errors import UserError
    from latentia.runs import open_run
    from latentia.tasks.clusters import Clusters
    from latentia.tasks.name_clusters import label_images, read_names

    if Path(output).suffix.lower() != ".csv":
        raise UserError(f"labels cannot be written to {output!r}: name a file that ends in .csv")
    if Path(output).resolve() == Path(names).resolve():
        raise UserError(f"-o is the file of names itself, {names}: choose another one")
    opened = open_run(run)
    found = Clusters.load(Path(clusters))
    opened.check_clusters(found)
    result = label_images(found, read_names(Path(names), found), sure)
    result.save(Path(output))
    click.echo(str(result))
    click.echo(output)
