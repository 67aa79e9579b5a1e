"""``latentia pack``."""

from __future__ import annotations

import re
from typing import Any

import click

from latentia.cli.options import data_options, parse_size

UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


@click.command(name="pack")
@click.argument("data")
@click.option("-o", "--output", required=True, metavar="FOLDER", help="where the shards go")
@click.option(
    "--images-per-shard", type=click.IntRange(min=1), default=10_000, show_default=True, help="the most in a shard"
)
@click.option(
    "--shard-size", default="512M", show_default=True, metavar="SIZE", help="the most bytes of a shard's images"
)
@click.option("--kind", default="auto", show_default=True, metavar="auto|png|npy", help="how images are stored")
@data_options
@click.option("--quiet", is_flag=True, help="no progress on stderr")
def command(data: str, output: str, shard_size: str, **given: Any) -> None:
    """Pack DATA into shards: tar files of images and labels, for data sets larger than memory.

    The pixels stay what they are: PNG, files of the common size as they are, .npy for float32. Read them as
    wds:FOLDER, or with the webdataset library. What was interrupted goes on when the same command is given again.
    """
    from pathlib import Path

    from latentia.data.shards.packing import pack

    given["size"] = parse_size(given["size"])
    packed = pack(data, Path(output), shard_size=_bytes(shard_size), **given)
    for note in () if given["quiet"] else packed.notes:
        click.echo(note, err=True)
    click.echo(str(packed))
    click.echo(output)


def _bytes(text: str) -> int:
    """Return the number of bytes of ``512M``.

    Raises:
        UserError: it cannot be read.
    """
    from latentia.core.errors import UserError

    found = re.fullmatch(r"(\d+)([kmg]?)b?", text.strip().lower())
    if found is None or not int(found[1]):
        raise UserError(f"the size {text!r} cannot be read: write bytes, or a number with K, M or G, such as 512M")
    return int(found[1]) * UNITS[found[2]]
