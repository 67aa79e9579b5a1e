"""``latentia denoise``."""

from __future__ import annotations

from typing import Any

import click

from latentia.cli.options import output_folder, split_option


@click.command(name="denoise")
@click.argument("run")
@click.argument("data")
@click.option("-o", "--output", required=True, metavar="DIR", help="where restored images go, under the same names")
@click.option("--clean", metavar="DATA", help="the same images without noise, to judge by: PSNR and SSIM")
@click.option(
    "--classical", is_flag=True, help="set median, total variation and non-local means beside (needs --clean)"
)
@click.option(
    "--mask", metavar="DATA", help="images of the same names, not black where pixels are lost, for --classical"
)
@click.option(
    "--tile", type=int, default=256, show_default=True, help="larger images are restored in tiles of this side"
)
@split_option()
def command(run: str, data: str, output: str, split: str, **how: Any) -> None:
    """Restore the noisy images of DATA as they are: same name, size, mode and depth.

    A model with a spatial code (dae, mae) takes images at their own size; for any other they are brought to its size and back.
    """
    from latentia.core.errors import UserError
    from latentia.data.restore import save_images
    from latentia.runs import open_run
    from latentia.tasks.compare import Comparison, need_partners
    from latentia.tasks.denoise import denoise_parts

    if (how["classical"] or how["mask"]) and not how["clean"]:
        raise UserError("--classical compares with clean images: give them with --clean")
    if how["mask"] and not how["classical"]:
        raise UserError("--mask is for the classical filling: give --classical, too")
    opened = open_run(run)
    noisy = opened.images(data, split)
    others = {kind: opened.images(how[kind], split) for kind in ("clean", "mask") if how[kind]}
    for kind, images in others.items():
        need_partners(noisy, images, kind)
    folder = output_folder(output)
    if opened.objective.corruption.name == "none":
        click.echo("this model was trained without corruption and may copy noise: see --preset dae", err=True)
    comparison = Comparison(opened.model, classical=how["classical"], **others)
    count = 0
    for part, restored in denoise_parts(opened.model, noisy, tile=how["tile"]):
        save_images(restored, folder, quiet=False)
        comparison.add(part, restored)
        count += len(part)
    click.echo(comparison.result() or f"{count} images restored")
    click.echo(folder)
