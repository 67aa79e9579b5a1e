"""From named clusters to labels: a person names ten clusters in place of labelling a thousand images."""

from __future__ import annotations

import csv
import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

from latentia.core.atomic import write_bytes
from latentia.core.errors import UserError
from latentia.core.notebook import Printed
from latentia.tasks.clusters import Clusters, csv_bytes


@dataclasses.dataclass(frozen=True)
class NamedImages(Printed):
    """Labels that come from names of clusters.

    Attributes:
        rows: ``(image, label)`` pairs in the images' order.
        unsure: images left out because their membership was too low.
        unnamed: images left out because their cluster has no name, or because they are in none.
    """

    rows: tuple[tuple[str, str], ...]
    unsure: int
    unnamed: int

    def save(self, path: Path) -> None:
        """Write a CSV file with the columns ``name`` and ``label``."""
        write_bytes(path, csv_bytes(["name", "label"], self.rows))

    def to_json(self) -> dict[str, Any]:
        """Return how many images got which label."""
        return {
            "labels": dict(Counter(label for _, label in self.rows)),
            "unsure": self.unsure,
            "unnamed": self.unnamed,
        }

    def __str__(self) -> str:
        counts = ", ".join(
            f"{label} {count:,}" for label, count in Counter(label for _, label in self.rows).most_common()
        )
        left = [f"{self.unnamed:,} in clusters without a name" if self.unnamed else ""]
        left.append(f"{self.unsure:,} not sure enough" if self.unsure else "")
        out = "; left out: " + " and ".join(each for each in left if each) if any(left) else ""
        return f"{len(self.rows):,} images labelled: {counts}{out}"


def label_images(clusters: Clusters, names: dict[int, str], sure: float = 0.0) -> NamedImages:
    """Return a label for each image whose cluster has a name and whose membership is at least ``sure``.

    Two clusters may have one name.

    Raises:
        UserError: ``sure`` outside 0 to 1, or nothing is left to label.
    """
    if not 0 <= sure <= 1:
        raise UserError(f"--sure is {sure:g}, but a membership lies between 0 and 1")
    rows, unsure, unnamed = [], 0, 0
    for image, cluster, membership in zip(
        clusters.names, clusters.labels.tolist(), clusters.membership.tolist(), strict=True
    ):
        label = names.get(cluster, "")
        if not label:
            unnamed += 1
        elif membership < sure:
            unsure += 1
        else:
            rows.append((image, label))
    if not rows:
        why = (
            "no cluster has a name yet: fill in the column 'name'"
            if not unsure
            else f"no image reaches --sure {sure:g}"
        )
        raise UserError(f"there is nothing to label, for {why}")
    return NamedImages(tuple(rows), unsure, unnamed)


def read_names(path: Path, clusters: Clusters) -> dict[int, str]:
    """Return the names in a CSV file with the columns ``cluster`` and ``name``; empty names are left out.

    Raises:
        UserError: no such file, a missing column, a cluster that does not exist, or one that is named twice.
    """
    if not path.is_file():
        raise UserError(
            f"the file of names {str(path)!r} does not exist: `latentia cluster` writes names.csv to fill in"
        )
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            text = file.read()
    except (UnicodeDecodeError, OSError) as error:
        raise UserError(f"{path} cannot be read as UTF-8 text: {error}") from None
    first = text.split("\n", 1)[0]
    # a spreadsheet in many countries writes semicolons
    reader = csv.DictReader(text.splitlines(), delimiter=";" if first.count(";") > first.count(",") else ",")
    columns = [(column or "").strip().lower() for column in reader.fieldnames or ()]
    for wanted in ("cluster", "name"):
        if wanted not in columns:
            raise UserError(f"{path} has no column {wanted!r}: its first line must be cluster,name")
    reader.fieldnames = columns
    found: dict[int, str] = {}
    for number, row in enumerate(reader, 2):
        cluster, name = (row["cluster"] or "").strip(), (row["name"] or "").strip()
        if not cluster and not name:
            continue
        if not cluster.isdecimal() or int(cluster) >= clusters.count:
            raise UserError(
                f"line {number} of {path} names the cluster {cluster!r}, but the clusters are 0 to {clusters.count - 1}"
            )
        if int(cluster) in found:
            raise UserError(f"line {number} of {path} names cluster {cluster} a second time: keep one of the lines")
        found[int(cluster)] = name
    return {cluster: name for cluster, name in found.items() if name}
