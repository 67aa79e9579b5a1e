"""``latentia push``."""

from __future__ import annotations

import click


@click.command(name="push")
@click.argument("run")
@click.argument("target", metavar="DIR|hf:OWNER/NAME")
@click.option("--pictures", is_flag=True, help="let the run's pictures go along; they show images of its data")
@click.option("--public", is_flag=True, help="make a new repository of the Hub public; private otherwise")
def command(run: str, target: str, pictures: bool, public: bool) -> None:
    """Hand RUN's model on, with a model card made from the run: into a folder, or onto the Hugging Face Hub.

    The layout is that of the Hub's model mixin: config.json, model.safetensors, README.md. Paths, the command line and
    names of files stay here. Nothing is sent unless the target begins with hf: (pip install 'latentia[hub]', and log in
    with hf auth login).
    """
    from latentia import api

    click.echo(api.push(run, target, pictures=pictures, public=public))
