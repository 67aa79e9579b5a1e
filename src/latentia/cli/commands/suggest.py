"""``latentia suggest``."""

from __future__ import annotations

import shlex

import click


@click.command(name="suggest")
@click.argument("run")
@click.argument("data", required=False)
@click.option("-n", "--number", type=click.IntRange(min=1), default=20, show_default=True, help="how many images")
@click.option(
    "-o", "--output", required=True, metavar="FILE.csv", help="the list to fill in; FILE.png shows the images"
)
@click.option("--label-file", metavar="CSV", help="the labels so far; the same file as -o is gone on with")
@click.option(
    "--by",
    default="auto",
    show_default=True,
    metavar="auto|coverage|uncertainty",
    help="typical images of every region, images the classifier is unsure of, or both as the labels grow",
)
@click.option("--before", metavar="RUN", help="the classifier of the round before  [default: found beside RUN]")
@click.option("--seed", type=int, default=0, show_default=True, help="of the clusters")
@click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
@click.option("--quiet", is_flag=True, help="nothing on stderr")
def command(
    run: str,
    data: str | None,
    number: int,
    output: str,
    label_file: str | None,
    by: str,
    before: str | None,
    seed: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Choose the images of DATA that are worth labelling next, and say whether more labels still pay.

    RUN is an autoencoder's run in the first round, and the classifier's afterwards. Fill in the column `label` of FILE.csv
    and hand it to `latentia finetune --label-file`; FILE.png shows the images with their names. With --label-file FILE.csv the
    next round's images are added to the same file. Images with a label are never suggested, nor are those that were and were
    left empty.
    """
    import json
    from pathlib import Path

    from latentia import api
    from latentia.core.errors import UserError
    from latentia.runs import open_run

    path = Path(output)
    if path.suffix.lower() != ".csv" or path.is_dir():
        raise UserError(f"the output {output!r} is no .csv file: choose another -o")
    if not path.parent.is_dir():
        raise UserError(f"the folder {str(path.parent)!r} of the output does not exist: make it, or choose another -o")
    opened = open_run(run)
    place = data if data is not None else opened.description["data"]["location"]
    if place is not None and Path(place).is_dir() and path.resolve().is_relative_to(Path(place).resolve()):
        raise UserError(f"the contact sheet would lie among the images of {place}: choose another -o")
    after = label_file is not None and path.exists() and path.samefile(label_file)
    if path.exists() and not after:
        raise UserError(f"{path} exists already: give it as --label-file too, to go on from it, or choose another -o")
    pictures = [path.with_suffix(".png"), path.with_name(f"{path.stem}-1.png")]
    if not after and (taken := next((picture for picture in pictures if picture.exists()), None)):
        raise UserError(f"{taken} exists already, and contact sheets would be drawn there: choose another -o")
    found = api.suggest(opened, data, number, label_file=label_file, by=by, before=before, seed=seed, quiet=quiet)
    found.write_csv(path, after=after)
    sheets = found.draw(path.with_suffix(".png"))
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=2))
        return
    click.echo(str(found))
    click.echo(f"contact sheet: {', '.join(map(str, sheets))}")
    known = sum(found.labelled.values())
    if known and not after:
        held = label_file or Path(run, "labels.csv")
        click.echo(
            f"{path} holds none of the {known:,} labels so far, which are in {held}: join the two, one below the other, "
            "before fine-tuning"
        )
    again = shlex.join(["latentia", "finetune", str(found.origin), found.images.source, "--label-file", str(path)])
    click.echo(f"fill in the column 'label', then: {again}")
    click.echo(path)
