"""Images corrupted as in training, and restored."""

from __future__ import annotations

from latentia.report.page.html import gallery
from latentia.report.page.materials.run import RunMaterial
from latentia.report.page.pictures import pictures
from latentia.report.page.section import Section
from latentia.report.reconstructions import psnr

PLACE, KINDS = 45, ("autoencoder",)


def section(material: RunMaterial) -> Section | None:
    """Return clean, corrupted and restored images with the PSNR before and after; ``None`` where nothing is corrupted."""
    found = material.restoration
    if found is None:
        return None
    columns = [
        pictures(images, [f"{what} {name}" for name in images.names], found.clean.format)
        for what, images in (("clean image", found.clean), ("corrupted", found.corrupted), ("restored", found.restored))
    ]
    before, after = psnr(found.clean, found.corrupted), psnr(found.clean, found.restored)
    captions = [f"{low:.1f} to {high:.1f} dB" for low, high in zip(before, after, strict=True)]
    lead = (
        f"From above: clean, corrupted as in training ({material.objective.corruption}), restored; beneath, the PSNR of the "
        f"corrupted and of the restored image. {material.on.capitalize()} images."
    )
    return Section("Corrupted and restored", gallery(zip(zip(*columns, strict=True), captions, strict=True)), lead=lead)
