"""``latentia compare``."""

from __future__ import annotations

import json

import click

from latentia.cli.options import picture_path


@click.command(name="compare")
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN …")
@click.option("-o", "--output", metavar="FILE", help="write there: .html the page, .png the curves; no folder is made")
@click.option(
    "--metric", default="reconstruction_mse", show_default=True, help="what cross-validations are compared by"
)
@click.option("--test", is_flag=True, help="judge training runs on the test images of their data, too")
@click.option(
    "--runs", "place", metavar="DIR", help="where the comparison's folder is made  [default: beside the first]"
)
@click.option("--no-figures", is_flag=True, help="make no page and no folder")
@click.option("--json", "as_json", is_flag=True, help="print the figures as JSON, and make no folder")
def command(
    runs: tuple[str, ...],
    output: str | None,
    metric: str,
    test: bool,
    place: str | None,
    no_figures: bool,
    as_json: bool,
) -> None:
    """Compare runs: which settings differ, what each came to, and the same images through each; or two cross-validations.

    A page shows all of it side by side; its folder is the last line of stdout. Cross-validations must be of the same images
    and folds; they are compared fold by fold, by the t-test for folds whose training images overlap (Nadeau & Bengio 2003).
    """
    from pathlib import Path

    from latentia import api
    from latentia.api.comparing import RunsSideBySide
    from latentia.api.saying import to_stderr

    page = output is not None and output.lower().endswith((".html", ".htm"))
    picture = picture_path(output) if output is not None and not page else None
    found = api.compare(runs, metric=metric, test=test)
    click.echo(json.dumps(found.to_json(), indent=2) if as_json else str(found))
    if picture is not None:
        from latentia.report.style import save

        click.echo(save(found.figure(), picture))
    elif output is not None:
        click.echo(found.report(output, to_stderr))
    elif not (no_figures or as_json):
        if isinstance(found, RunsSideBySide) and found.paired is not None:
            click.echo(str(found.paired))
        click.echo(found.keep(place or Path(runs[0]).resolve().parent, to_stderr))
