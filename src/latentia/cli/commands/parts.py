"""``latentia parts``."""

from __future__ import annotations

import click


@click.command(name="parts")
@click.argument("kind", required=False)
def command(kind: str | None) -> None:
    """List the parts that an autoencoder is put together from, with their fields and defaults."""
    from latentia.core.errors import unknown
    from latentia.parts import KINDS

    if kind is not None and kind not in KINDS:
        raise unknown("kind of part", kind, KINDS)
    for name, registry in KINDS.items():
        if kind is not None and name != kind:
            continue
        click.secho(name, bold=True)
        for part in (registry.describe(part) for part in registry.names()):
            click.echo(f"  {part.name:<18} {part.summary}")
            for field, annotation, default in part.fields:
                click.echo(f"  {'':<18}   --{name}.{field} {default}  ({annotation})")
