"""``latentia pull``."""

from __future__ import annotations

import click


@click.command(name="pull")
@click.argument("source", metavar="DIR|hf:OWNER/NAME")
@click.option("--runs", default="runs", show_default=True, metavar="DIR", help="where the run's folder is made")
def command(source: str, runs: str) -> None:
    """Make a run of a model that `latentia push` handed on; the last line of stdout is its folder.

    What needs training images, such as new mixtures for generate, asks for DATA: no image comes along.
    """
    from latentia import api

    run = api.pull(source, runs)
    click.echo(run.summary())
    click.echo(run.path)
