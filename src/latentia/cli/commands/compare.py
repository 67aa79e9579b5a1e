"""``latentia compare``."""

from __future__ import annotations

import json

import click

from latentia.cli.options import picture_path


@click.command(name="compare")
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN …")
@click.option("-o", "--output", metavar="FILE.png", help="draw the comparison there")
@click.option(
    "--metric", default="reconstruction_mse", show_default=True, help="what cross-validations are compared by"
)
@click.option("--test", is_flag=True, help="judge training runs on the test images of their data, too")
@click.option("--json", "as_json", is_flag=True, help="print the figures as JSON")
def command(runs: tuple[str, ...], output: str | None, metric: str, test: bool, as_json: bool) -> None:
    """Compare runs: which settings differ, and what each came to; or two cross-validations, fold by fold.

    Cross-validations must be of the same images and folds; they are compared by the t-test for folds whose training images
    overlap (Nadeau & Bengio 2003).
    """
    from latentia import api

    path = picture_path(output) if output is not None else None
    found = api.compare(runs, metric=metric, test=test)
    click.echo(json.dumps(found.to_json(), indent=2) if as_json else str(found))
    if path is not None:
        from latentia.report.style import save

        click.echo(save(found.figure(), path))
