"""``latentia evaluate``."""

from __future__ import annotations

from typing import Any

import click


@click.command(name="evaluate")
@click.argument("run")
@click.argument("data", required=False)
@click.option("--split", default="test", show_default=True, metavar="train|validation|test|all", help="which images")
@click.option("--json", "as_json", is_flag=True, help="print the figures as JSON")
@click.option("--density", is_flag=True, help="the log-likelihood by importance sampling, for vae and kin")
@click.option(
    "-K", "samples", type=click.IntRange(min=1), default=500, show_default=True, help="codes an image, for it"
)
@click.option("-n", "--number", type=click.IntRange(min=1), help="the most images to take for it  [default: all]")
@click.option("--seed", type=int, default=0, show_default=True, help="of the codes")
def command(run: str, data: str | None, split: str, as_json: bool, density: bool, **how: Any) -> None:
    """Print the figures of RUN on a split of its data (or of DATA), beside the mean image's and PCA's.

    Of a classifier: error with its interval, and calibration. With --density: a bound of the log-likelihood that rises
    with K (Burda et al. 2016), rate, distortion and active units.
    """
    import json

    from latentia.runs import open_run

    opened = open_run(run)
    result: Any
    if opened.kind == "classifier" and not density:
        if opened.warning:
            click.echo(opened.warning, err=True)
        found = opened.classification(data, split)
        result = found.judgement()
        if not as_json:
            click.echo(f"{found.images.source}, {found.images.split} split, {len(found.images):,} images")
    elif density:
        import numpy as np

        from latentia.tasks.density import log_likelihood

        images = opened.test_images(data, split)
        count = min(len(images), how["number"] or len(images))
        some = images.select(np.linspace(0, len(images) - 1, count).astype(np.int64))
        result = log_likelihood(opened.model, some, samples=how["samples"], seed=how["seed"])
    else:
        result = opened.evaluate(data, split)
    click.echo(json.dumps(result.to_json(), indent=2) if as_json else str(result))
