"""``latentia doctor``."""

from __future__ import annotations

import click

from latentia.cli.options import split_option


@click.command(name="doctor")
@click.argument("run")
@click.argument("data", required=False)
@click.option("--json", "as_json", is_flag=True, help="print the findings as JSON")
@split_option()
def command(run: str, data: str | None, as_json: bool, split: str) -> None:
    """Examine RUN: has it learned to copy, collapsed, blurred, over-fitted? Each finding comes with its remedy.

    It is examined with DATA, or else with its own validation images; the findings are kept in RUN/doctor.json.
    """
    import json

    from latentia.runs import open_run

    opened = open_run(run)
    found = opened.doctor(None if data is None else opened.images(data, split))
    click.echo(json.dumps(found.to_json(), indent=2) if as_json else str(found))
