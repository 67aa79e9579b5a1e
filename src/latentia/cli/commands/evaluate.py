"""``latentia evaluate``."""

from __future__ import annotations

import click


@click.command(name="evaluate")
@click.argument("run")
@click.argument("data", required=False)
@click.option("--split", default="test", show_default=True, metavar="train|validation|test|all", help="which images")
@click.option("--json", "as_json", is_flag=True, help="print the figures as JSON")
def command(run: str, data: str | None, split: str, as_json: bool) -> None:
    """Print the figures of RUN on a split of its data (or of DATA), beside the mean image's and PCA's."""
    import json

    from latentia.api import open_run

    result = open_run(run).evaluate(data, split)
    click.echo(json.dumps(result.to_json(), indent=2) if as_json else str(result))
