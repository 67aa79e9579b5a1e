"""``latentia judge``."""

from __future__ import annotations

import click


@click.command(name="judge")
@click.argument("run")
@click.argument("data", required=False)
@click.option(
    "--features", required=True, metavar="RUN", help="a classifier's run, whose features images are compared by"
)
@click.option("-o", "--output", metavar="FILE.png", help="draw new images beside their nearest training images")
@click.option(
    "-n", "--number", type=click.IntRange(min=1), default=5000, show_default=True, help="the most images of each set"
)
@click.option("--split", default="test", show_default=True, metavar="train|validation|test|all", help="what to be like")
@click.option("--seed", type=int, default=0, show_default=True, help="of the new images")
@click.option("--json", "as_json", is_flag=True, help="print the figures as JSON")
def command(
    run: str, data: str | None, features: str, output: str | None, number: int, split: str, seed: int, as_json: bool
) -> None:
    """Say what the new images of RUN (see generate) are worth, beside images that it has not seen.

    Fréchet distance, precision and recall by the features of a classifier of your own, made by `latentia finetune`; the same of
    training images, which is what no generator should be expected to beat; and a look for copies of training images.
    """
    import json

    from latentia import api
    from latentia.cli.options import picture_path

    path = None if output is None else picture_path(output)
    found = api.judge(run, features, data, split=split, n=number, seed=seed)
    if path is not None:
        from latentia.report.style import save

        save(found.figure(), path)
    click.echo(json.dumps(found.to_json(), indent=2) if as_json else str(found))
    if path is not None:
        click.echo(path)
