"""``latentia train``."""

from __future__ import annotations

from typing import Any

import click

from latentia.cli.options import DesignCommand, parse_size, read_weights, training_options
from latentia.core.launch import launch


@click.command(cls=DesignCommand, name="train")
@click.argument("data", required=False)
@click.option("--preset", default="cae", show_default=True, help="a named autoencoder, such as vae or vae:beta=4")
@training_options("the part of DATA to train on and validate with")
@click.option(
    "--calibration",
    type=float,
    metavar="SHARE",
    help="set this share of the training images aside, for the thresholds of latentia detect",
)
@click.option("--from", "init_from", metavar="RUN", help="start from the matching layers of this run's model")
@click.option("--into", metavar="RUN", help="train in this very folder; an equal run begun there is gone on with")
@click.option("--resume", metavar="RUN", help="go on with this unfinished run, with its own data and settings")
@click.pass_context
def command(ctx: click.Context, /, data: str | None, resume: str | None, **given: Any) -> None:
    """Train an autoencoder on DATA; the last line of stdout is the folder of the run.

    Training and validation images are used, test images are not read. Ctrl-C ends cleanly; --resume goes on to the
    bit where it ended.
    """
    from latentia import api
    from latentia.core.errors import UserError

    runs, init_from, quiet = given.pop("runs"), given.pop("init_from"), given.pop("quiet")
    figures = not given.pop("no_figures")
    calibration, into = given.pop("calibration") or 0.0, given.pop("into")
    preset, weights, split_seed = given.pop("preset"), given.pop("weights"), given.pop("split_seed")
    if resume is not None:
        named = {"data": data, "from": init_from, "into": into, "calibration": calibration}
        clashing = sorted(key for key, value in {**given, **ctx.obj, **named}.items() if value)
        if clashing:
            raise UserError(
                f"--resume goes on with the run's own data and settings, so {', '.join(clashing)} cannot be given with it"
            )
        run = api.train(resume=resume, figures=figures, quiet=quiet)
    else:
        given["size"] = parse_size(given["size"])
        options = {**ctx.obj, **given, **read_weights(weights)}
        if split_seed is not None:
            options["split_seed"] = split_seed
        seed = {"split_seed": options.pop("split_seed")} if "split_seed" in options else {}
        run = api.train(
            data,
            preset,
            runs=runs,
            init_from=init_from,
            into=into,
            calibration=calibration,
            figures=figures,
            quiet=quiet,
            options=options,
            **seed,
        )
    if launch().leads:
        click.echo(run.summary())
        click.echo(run.path)


command.many_processes = True  # type: ignore[attr-defined]
