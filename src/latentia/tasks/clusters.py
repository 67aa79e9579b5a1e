"""Clusters of images as they are kept: who belongs where, how sure that is, and the codes that place new images."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from latentia.core.atomic import storage_errors, write_atomically, write_bytes, write_json
from latentia.core.errors import UserError
from latentia.core.notebook import Printed
from latentia.core.npy import load_npy
from latentia.tasks.cluster_scores import Agreement
from latentia.tasks.embed import check_codes
from latentia.training.storage import FORMAT, read_json

NEAREST = 15  # codes that vote on a new image
MEMBERS, NAMES, CODES, ABOUT = "clusters.csv", "names.csv", "codes.npy", "clusters.json"


@dataclasses.dataclass(frozen=True)
class ClusterSummary:
    """One cluster.

    Attributes:
        cluster: its number.
        size: how many images.
        cohesion: the mean silhouette of its codes, -1 to 1; NaN where there is no other cluster.
        stability: how much of it comes back on re-runs (mean Jaccard), 0 to 1.
        sure: the mean membership.
    """

    cluster: int
    size: int
    cohesion: float
    stability: float
    sure: float


@dataclasses.dataclass(frozen=True)
class Clusters(Printed):
    """A clustering of images.

    Attributes:
        names: of the images.
        labels: int64 ``[N]``, 0 to K - 1, largest cluster first; -1 for an image in none (hdbscan).
        membership: float64 ``[N]``, 0 to 1, in the sense of the method.
        distance: float64 ``[N]``, from the cluster's mean code, in the units of the code.
        codes: float32 ``[N, D]``.
        summaries: one for each cluster.
        evidence: a row for each number of clusters that was considered.
        stability: mean pairwise adjusted Rand index of re-runs on subsets.
        agreement: beside labels, these clusters first and then the baselines; empty without labels.
        embed: the function from images to codes by which new images are placed; ``None`` for clusters read without a run.
        about: method, space, seed, source, what the number of clusters was chosen by, and the model's digest.
    """

    names: Sequence[str]
    labels: npt.NDArray[np.int64]
    membership: npt.NDArray[np.float64]
    distance: npt.NDArray[np.float64]
    codes: npt.NDArray[np.float32]
    summaries: tuple[ClusterSummary, ...]
    evidence: tuple[dict[str, float], ...]
    stability: float
    agreement: tuple[Agreement, ...]
    about: dict[str, Any]
    embed: Callable[[Any], npt.NDArray[np.float32]] | None = dataclasses.field(default=None, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def count(self) -> int:
        """The number of clusters."""
        return len(self.summaries)

    def members(self, cluster: int) -> npt.NDArray[np.int64]:
        """Return the places of a cluster's images, the most central first."""
        places = np.flatnonzero(self.labels == cluster)
        return places[np.argsort(self.distance[places], kind="stable")]

    def of_names(self, names: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return the clusters of images by their names, int64, -1 for names that were not clustered.

        Raises:
            UserError: none of them was.
        """
        known = dict(zip(self.names, self.labels.tolist(), strict=True))
        found = [known.get(name) for name in names]
        if all(each is None for each in found):
            raise UserError(
                f"none of the images is among the clusters, which are of {self.about['source']}: name the data they were made of"
            )
        return np.array([-1 if each is None else each for each in found], dtype=np.int64)

    def predict(self, images: Any) -> npt.NDArray[np.int64]:
        """Return the clusters of new images, int64 ``[M]``: their 15 nearest codes vote.

        Raises:
            UserError: images that do not fit the model, or clusters that were read without their run.
        """
        if self.embed is None:
            raise UserError(
                "these clusters know no model to embed new images with: open them with run.clusters(folder)"
            )
        return self.predict_codes(self.embed(images))

    def predict_codes(self, codes: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Return the clusters of new codes ``[M, D]`` of the same model, int64 ``[M]``.

        Raises:
            UserError: codes of another size, or NaN among them.
        """
        from sklearn.neighbors import KNeighborsClassifier

        new = check_codes(codes)
        if new.shape[1] != self.codes.shape[1]:
            raise UserError(
                f"the codes have {new.shape[1]} values, but these clusters were made of codes of {self.codes.shape[1]}: "
                "use the model that made them"
            )
        voters = KNeighborsClassifier(min(NEAREST, len(self)), weights="distance").fit(self.codes, self.labels)
        return np.asarray(voters.predict(new), dtype=np.int64)

    def to_json(self) -> dict[str, Any]:
        """Return everything but the images' own rows; NaN becomes null."""
        values = {
            "clusters": self.count,
            "images": len(self),
            "stability": self.stability,
            "summary": [dataclasses.asdict(each) for each in self.summaries],
            "evidence": list(self.evidence),
            "agreement": [dataclasses.asdict(each) for each in self.agreement],
            "about": self.about,
        }
        return dict(_finite(values))

    def __str__(self) -> str:
        from latentia.tasks.cluster_table import table

        return table(self)

    def save(self, folder: Path) -> None:
        """Write ``clusters.csv``, ``names.csv`` (to be filled in), ``codes.npy`` and ``clusters.json``.

        Raises:
            UserError: the folder holds names that a person has filled in for other clusters; those of the same clusters stay.
            StorageError: the disk is full or cannot be written.
        """
        named = _filled(folder / NAMES)
        if named and not self._are_those_in(folder):
            raise UserError(
                f"{folder / NAMES} holds names of other clusters, which would be lost: choose another folder"
            )
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        rows = zip(self.names, self.labels.tolist(), self.membership.tolist(), self.distance.tolist(), strict=True)
        shown = ((name, label, f"{sure:.6f}", f"{distance:.6g}") for name, label, sure, distance in rows)
        write_bytes(folder / MEMBERS, csv_bytes(["name", "cluster", "membership", "distance"], shown))
        if not named:
            empty = ((each.cluster, "") for each in self.summaries)
            write_bytes(folder / NAMES, csv_bytes(["cluster", "name"], empty))
        write_atomically(folder / CODES, lambda path: _save(path, self.codes))
        write_json(folder / ABOUT, {"format": FORMAT, "kind": "clusters", **self.to_json()})

    def _are_those_in(self, folder: Path) -> bool:
        """Return whether the folder's clusters have the same images under the same numbers."""
        try:
            there = type(self).load(folder)
        except UserError:
            return False
        return list(there.names) == list(self.names) and bool(np.array_equal(there.labels, self.labels))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the clusters that :meth:`save` wrote.

        Raises:
            UserError: the folder holds none, or they are damaged.
        """
        folder = Path(folder)
        described = read_json(folder / ABOUT, "folder of clusters")
        try:
            with (folder / MEMBERS).open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
            codes = load_npy(folder / CODES)
            if not len(rows) == len(codes) == described["images"]:
                raise ValueError(f"{len(rows)} rows, {len(codes)} codes, {described['images']} images")
            return cls(
                names=[row["name"] for row in rows],
                labels=np.array([int(row["cluster"]) for row in rows], dtype=np.int64),
                membership=np.array([float(row["membership"]) for row in rows]),
                distance=np.array([float(row["distance"]) for row in rows]),
                codes=codes,
                summaries=tuple(ClusterSummary(**_numbers(each)) for each in described["summary"]),
                evidence=tuple(_numbers(each) for each in described["evidence"]),
                stability=_number(described["stability"]),
                agreement=tuple(Agreement(**_numbers(each)) for each in described["agreement"]),
                about=described["about"],
            )
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise UserError(f"the clusters in {folder} are damaged ({error}): make them anew") from None


def csv_bytes(header: Sequence[str], rows: Any) -> bytes:
    """Return a CSV file's content."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8")


def _filled(path: Path) -> bool:
    """Return whether a person has written names into the file: whether a line holds more than a number."""
    if not path.is_file():
        return False
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[1:]
    return any(not line.strip(' ,;\t"').isdecimal() for line in lines if line.strip(' ,;\t"'))


def _save(path: Path, codes: npt.NDArray[Any]) -> None:
    with path.open("wb") as file:
        np.save(file, codes, allow_pickle=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _number(value: Any) -> Any:
    return math.nan if value is None else value


def _numbers(values: dict[str, Any]) -> dict[str, Any]:
    return {key: _number(value) for key, value in values.items()}
