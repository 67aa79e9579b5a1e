"""``latentia learning-curve``."""

from __future__ import annotations

from typing import Any

import click

from latentia.cli.options import AugmentedCommand, data_options, parse_counts, parse_size, settings_options
from latentia.finetuning import FineTuning
from latentia.training.settings import FineTuneSettings


@click.command(cls=AugmentedCommand, name="learning-curve")
@click.argument("run")
@click.argument("data", required=False)
@click.option("--labels", metavar="N,N,…", help="numbers of labels  [default: 10,30,100,300,1000 as far as there are]")
@click.option("--draws", type=int, default=5, show_default=True, help="how often each number is drawn")
@click.option("--rows", metavar="ROW,ROW,…", help="which ways to a classifier are measured; an unknown one lists all")
@click.option("--label-file", metavar="CSV", help="labels from a file with the columns name and label")
@click.option("--label-seed", type=int, default=0, show_default=True, help="the seed of the first draw")
@click.option(
    "--split",
    metavar="validation|test|aside",
    help="what judges  [default: validation with 200 labels or more, else a third of the labels, set aside]",
)
@settings_options(FineTuning, without=("augmentation", "scratch"))
@settings_options(FineTuneSettings)
@data_options
@click.option("--runs", default="runs", show_default=True, metavar="DIR", help="where its folder is made")
@click.option("--stack", is_flag=True, help="train all draws as one, their networks stacked: for small ones on a GPU")
@click.option("--no-figures", is_flag=True, help="draw no picture")
@click.option("--json", "as_json", is_flag=True, help="print the figures as JSON")
@click.option("--quiet", is_flag=True, help="no progress on stderr")
@click.pass_context
def command(ctx: click.Context, /, run: str, data: str | None, **given: Any) -> None:
    """Show what labels and pre-training buy: error over the number of labels; the last line of stdout is its folder.

    For each number of labels and each draw: RUN's network fine-tuned, the same network from scratch (same labels,
    unlabelled images, losses, augmentation and steps), and classifiers of scikit-learn on the frozen codes, on raw pixels and
    on PCA. All are judged on the same images, whose labels were not shown. What was trained once is not trained again: a
    stopped curve goes on, and more draws or labels are added to it.
    """
    import json

    from latentia import api

    figures, as_json = not given.pop("no_figures"), given.pop("as_json")
    given["size"] = parse_size(given["size"])
    labels, rows = given.pop("labels"), given.pop("rows")
    named = {
        key: given.pop(key) for key in ("draws", "label_file", "label_seed", "split", "mode", "runs", "stack", "quiet")
    }
    found = api.learning_curve(
        run,
        data,
        labels=None if labels is None else parse_counts(labels),
        rows=None if rows is None else [row.strip() for row in rows.split(",") if row.strip()],
        figures=figures,
        options={**ctx.obj, **given},
        **{key: value for key, value in named.items() if value is not None},
    )
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=2))
        return
    click.echo(str(found))
    if figures:
        click.echo(f"picture: {found.path / 'figures' / 'learning-curve.png'}")
    click.echo(found.path)
