"""``latentia predict``."""

from __future__ import annotations

import click

from latentia.cli.options import split_option


@click.command(name="predict")
@click.argument("run")
@click.argument("data")
@click.option("-o", "--output", required=True, metavar="FILE.csv", help="where names, labels and probabilities go")
@click.option(
    "--unsure",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="below this probability the answer is unsure",
)
@click.option("--figures", metavar="DIR", help="draw the answers, and where there are labels what is wrong with them")
@split_option()
def command(run: str, data: str, output: str, unsure: float, figures: str | None, split: str) -> None:
    """Name the class of every image of DATA with RUN's classifier.

    Probabilities are calibrated without any label set aside; of a classifier from a handful of labels they may be too sure.
    Where DATA has labels, images whose labels were learned apart, error and calibration are printed.
    """
    from pathlib import Path

    from latentia.cli.options import output_folder
    from latentia.core.errors import UserError
    from latentia.runs import open_run

    path = Path(output)
    if path.suffix.lower() != ".csv" or path.is_dir():
        raise UserError(f"the output {output!r} is no .csv file: choose another -o")
    if not path.parent.is_dir():
        raise UserError(f"the folder {str(path.parent)!r} of the output does not exist: make it, or choose another -o")
    opened = open_run(run)
    if opened.warning:
        click.echo(opened.warning, err=True)
    drawn = None if figures is None else output_folder(figures, "--figures")
    found = opened.prediction(data, split=split, unsure=unsure)
    found.write_csv(path)
    if drawn is not None:
        from latentia.report.classifier_figures import draw_classifier

        draw_classifier(drawn, opened.title, [], found)
    click.echo(str(found))
    click.echo(path)
