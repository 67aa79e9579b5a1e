"""The data card: random images, counts, sizes, splits, and what was skipped."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup

from latentia.data.imageset import ImageSet, PixelFormat
from latentia.data.thumbnails import class_of
from latentia.report.images import kind_of
from latentia.report.page.html import Text, details, facts, gallery, joined, listed, table
from latentia.report.page.pictures import pictures
from latentia.report.page.section import Section

PLACE, KINDS = 20, ("autoencoder", "classifier", "crossvalidation")
SHOWN, MOST_CLASSES = 45, 30


def section(material: Any) -> Section:
    """Return the facts about the data and random images of it."""
    described: dict[str, Any] = material.description["data"]
    images: ImageSet | None = material.train
    parts: list[Text] = [facts(_facts(described, images))]
    if described.get("notes"):
        parts.append(
            details(f"{len(described['notes'])} remarks from reading the files", listed(described["notes"]), open=True)
        )
    if images is not None:
        parts.append(_random(images))
    if images is not None and material.kind != "classifier":  # of what that has learned from, the labels are told below
        parts.append(_classes(images))
    if "labels" in described:
        parts.append(_labels(material.description))
    return Section("Data", joined(parts))


def _facts(described: dict[str, Any], images: ImageSet | None) -> list[tuple[str, Text]]:
    found: list[tuple[str, Text]] = [("source", str(described["source"]))]
    if "train" in described:
        held = described.get("validation")
        found.append(("training images", f"{described['train']['count']:,}"))
        found.append(("validation images", f"{held['count']:,}" if held else "none"))
        if described.get("calibration"):
            count = described["calibration"]["count"]
            found.append(("calibration images", f"{count:,}, set aside for the thresholds of latentia detect"))
        if described.get("location") is not None and (described.get("options") or {}).get("split") is None:
            found.append(("test images", "set aside, not read"))
    else:
        found.append(("images in folds", f"{described['count']:,}"))
    pixel_format = described.get("pixel_format")
    if pixel_format:
        found.append(("an image", kind_of(PixelFormat(**pixel_format))))
    elif images is not None:
        found.append(("an image", kind_of(images.format)))
    if images is not None and images.geometry is not None:
        found.append(("original sizes", _sizes(images)))
    if images is not None and images.labels is not None and "labels" not in described:
        known = int((images.labels >= 0).sum())
        found.append(("with a label", f"{known:,} of {len(images):,}"))
    return found


def _sizes(images: ImageSet) -> str:
    assert images.geometry is not None  # a developer's invariant: asked only where there is one
    heights, widths = zip(*((each.height, each.width) for each in images.geometry), strict=True)
    policies = sorted({each.policy for each in images.geometry} - {"none"})
    span = f"{min(heights)} × {min(widths)} to {max(heights)} × {max(widths)}"
    same = min(heights) == max(heights) and min(widths) == max(widths)
    text = f"{heights[0]} × {widths[0]}" if same else span
    return f"{text}; brought to one size by {', '.join(policies)}" if policies else text


def _random(images: ImageSet) -> Markup:
    chosen = images.select(np.random.default_rng(0).permutation(len(images))[:SHOWN])
    labels = [class_of(chosen, index) for index in range(len(chosen))]
    alts = [
        f"image {name}" + (f", labelled {label}" if label else "")
        for name, label in zip(chosen.names, labels, strict=True)
    ]
    shown = pictures(chosen, alts, images.format)
    heading = Markup("<h3>{} random images</h3>").format(len(chosen))
    return joined(
        [heading, gallery((([each], label) for each, label in zip(shown, labels, strict=True)), kind="small")]
    )


def _classes(images: ImageSet) -> Markup:
    if images.labels is None or not (images.labels >= 0).any():
        return Markup("")
    values, counts = np.unique(images.labels[images.labels >= 0], return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MOST_CLASSES]
    names = [images.classes[value] if value < len(images.classes) else str(value) for value in values[order]]
    rows = [[name, f"{count:,}"] for name, count in zip(names, counts[order], strict=True)]
    rest = len(values) - len(order)
    caption = f"training images of each of {len(values)} classes" + (f", the {len(order)} largest" if rest else "")
    return details(
        f"{len(values)} classes, {counts.min():,} to {counts.max():,} images each",
        table(["class", "images"], rows, caption, "narrow"),
    )


def _labels(description: dict[str, Any]) -> Markup:
    counts = description["data"]["labels"]["of each class"]
    rows = [[name, f"{count:,}"] for name, count in zip(description["classes"], counts, strict=True)][:MOST_CLASSES]
    notes = description["data"]["labels"].get("notes") or []
    made = details(
        f"{sum(counts):,} labels, {min(counts):,} to {max(counts):,} a class",
        table(["class", "labels"], rows, "labels learned from", "narrow"),
    )
    return joined([listed(notes), made]) if notes else made
