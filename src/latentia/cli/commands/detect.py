"""``latentia detect``."""

from __future__ import annotations

import click

from latentia.cli.options import output_folder, split_option


@click.command(name="detect")
@click.argument("run")
@click.argument("data")
@click.option("-o", "--output", required=True, metavar="DIR", help="where scores.csv and the pictures go")
@click.option(
    "--score",
    default="combined",
    show_default=True,
    metavar="reconstruction|neighbours|density|masked|combined",
    help="what normal is judged by",
)
@click.option(
    "--false-alarms", type=float, default=0.0, help="flag so that at most this share of normal images is flagged"
)
@click.option("--fdr", type=float, default=0.0, help="flag so that at most this share of the flagged is normal")
@click.option(
    "--calibrate",
    metavar="DATA",
    help="normal images that RUN has not seen, to set the threshold by; by default those that train --calibration set "
    "aside, else the test part of its own data",
)
@click.option("--heat-maps", is_flag=True, help="write each image's map of where it is wrong, at its own size")
@split_option()
def command(
    run: str,
    data: str,
    output: str,
    score: str,
    false_alarms: float,
    fdr: float,
    calibrate: str | None,
    heat_maps: bool,
    split: str,
) -> None:
    """Find the odd ones out in DATA with RUN's autoencoder, or with the folds of the cross-validation RUN.

    Every image gets a score, higher for more normal, and with calibration images a p-value. --false-alarms 0.01 flags at most
    1 % of normal images; --fdr 0.1 flags so that at most a tenth of the flagged is normal: different promises. By a
    cross-validation each image is judged by models that have not seen it; then at most twice the share is guaranteed.
    """
    from latentia.api.detecting import detect, write_detection
    from latentia.training.run_folder import RunFolder

    RunFolder.open(run)  # a wrong RUN leaves no folder behind
    folder = output_folder(output)
    opened, found = detect(run, data, split=split, score=score, calibrate=calibrate, false_alarms=false_alarms, fdr=fdr)
    write_detection(opened, found, folder, maps=heat_maps)
    click.echo(str(found))
    click.echo(folder)
