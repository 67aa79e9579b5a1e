"""``latentia embed``."""

from __future__ import annotations

import click

from latentia.cli.options import split_option


@click.command(name="embed")
@click.argument("run")
@click.argument("data")
@click.option("-o", "--output", required=True, metavar="FILE", help="codes.npy, codes.parquet or codes.csv")
@click.option("--pool", is_flag=True, help="average a spatial code, or a layer's maps, over their positions")
@click.option("--features", metavar="LAYER", help="the output of one of the encoder's layers in place of the code")
@split_option()
def command(run: str, data: str, output: str, pool: bool, features: str | None, split: str) -> None:
    """Write the code of every image of DATA: deterministic, the posterior mean where there is a posterior.

    A .npy file holds float32 [N, D], with the names in FILE.names.txt beside it; .parquet and .csv hold names and labels too.
    Codes are written as they come, so a million images need no more memory than a thousand.
    """
    from pathlib import Path

    from latentia.runs import open_run
    from latentia.tasks.code_files import check_kind, write_codes

    check_kind(Path(output))
    opened = open_run(run)
    result = write_codes(opened.model, opened.images(data, split), Path(output), pool=pool, features=features)
    click.echo(str(result))
    click.echo(output)
