"""What all pages of one explorer share: the subject, the labels, clusters, maps, and what was learned from the labels."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from latentia.app.colours import Colouring, by_group, by_value, plain
from latentia.app.groups import GroupBook
from latentia.app.jobs import Jobs, Progress
from latentia.app.labels import LabelStore
from latentia.app.pictures import Pictures
from latentia.app.subject import Subject
from latentia.app.teaching import Lesson, doubts, learn
from latentia.app.trial import usual_distance
from latentia.app.walking import Walker, walk_codes
from latentia.core.errors import UserError, unknown
from latentia.data.labels import class_names
from latentia.examined import NORMAL
from latentia.tasks.anomaly_scores import Normal, learn_normal, score
from latentia.tasks.cluster_methods import fit
from latentia.tasks.map_codes import MAPS, position_all
from latentia.tasks.suggest import suggest

METHODS = ("communities", "k-means")
SUGGESTED = 12
Listener = Callable[[str], None]


class Explorer:
    """The shared state; everything but jobs happens in the thread that serves the pages.

    Args:
        subject: what is explored.
        call_back: hands a function to that thread.
    """

    def __init__(self, subject: Subject, call_back: Callable[[Callable[[], None]], None]) -> None:
        self.subject = subject
        names = subject.images.names
        folder = subject.workspace.path
        allowed = [word for word in class_names(subject.images) if word]
        self.labels = LabelStore(folder / "labels.csv", names, allowed, subject.testing)
        self.groups = GroupBook(folder / "clusters.csv", names)
        self.pictures = Pictures(subject.autoencoder, subject.images)
        self.jobs = Jobs(call_back, lambda: self.notify("busy"))
        self.lesson: Lesson | None = None
        self.lessons: list[tuple[int, float]] = []  # labels and accuracy of each lesson, for the curve
        self.wanted: list[tuple[int, str]] = []  # images worth labelling next, and why
        self.oddness: npt.NDArray[np.float64] | None = subject.workspace.kept("oddness")
        if self.oddness is not None:
            digest = subject.key.partition("-")[0]
            self.pictures.normal = Normal.kept(subject.run.path / NORMAL, digest)
        self.usual = usual_distance(subject.codes)
        self._maps: dict[str, tuple[npt.NDArray[np.float32], int]] = {}
        self._walker: Walker | None = None
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` with what has changed from now on; return how to end that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def notify(self, topic: str) -> None:
        """Tell every page that ``topic`` has changed."""
        for listener in list(self._listeners):
            listener(topic)

    # maps

    def map_methods(self) -> list[str]:
        """Return the maps that can be had here."""
        return [method for method in MAPS if method != "umap" or importlib.util.find_spec("umap") is not None]

    def position(self, method: str) -> npt.NDArray[np.float32] | None:
        """Return the map ``[N, 2]``, or ``None`` where it has yet to be made by :meth:`make_map`.

        Raises:
            UserError: there is no such map.
        """
        if method not in MAPS:
            raise unknown("map", method, MAPS)
        if method not in self._maps:
            kept, placed = (
                self.subject.workspace.kept(f"map-{method}"),
                self.subject.workspace.kept(f"map-{method}-placed"),
            )
            if kept is not None and placed is not None and kept.shape == (len(self.subject), 2):
                self._maps[method] = (kept, int(placed))
            elif method == "pca" or len(self.subject) < 3:
                self._keep_map(method, _flat(self.subject.codes))
        found = self._maps.get(method)
        return None if found is None else found[0]

    def placed(self, method: str) -> int:
        """Return how many images the method has placed itself; the others stand beside their nearest."""
        return self._maps[method][1]

    def make_map(self, method: str, done: Callable[[], None], failed: Callable[[str], None]) -> None:
        """Make a map in the background, and keep it."""
        codes = self.subject.codes

        def finished(found: tuple[npt.NDArray[np.float32], int]) -> None:
            self._keep_map(method, found)
            done()

        self.jobs.start(
            f"a {method} map of {len(codes):,} images", lambda _: position_all(codes, method), finished, failed
        )

    def _keep_map(self, method: str, found: tuple[npt.NDArray[np.float32], int]) -> None:
        self._maps[method] = found
        self.subject.workspace.keep(f"map-{method}", found[0])
        self.subject.workspace.keep(f"map-{method}-placed", np.array(found[1]))
        self.notify("maps")

    # clusters

    def find_groups(self, count: int | None, method: str, failed: Callable[[str], None]) -> None:
        """Cluster the codes in the background; names and corrections of the clusters before can be had back by undo.

        Raises:
            UserError: too few images, or a number of clusters that they cannot have.
        """
        codes = self.subject.codes
        if method not in METHODS:
            raise unknown("clustering method", method, METHODS)
        if len(codes) < 2:
            raise UserError("there is a single image, but clustering needs two or more")
        if count is not None and not 1 <= count <= min(len(codes), 200):
            raise UserError(f"{count} clusters cannot be made here: ask for 1 to {min(len(codes), 200)}")

        def finished(found: Any) -> None:
            self.groups.replace(found.labels)
            self.notify("groups")

        self.jobs.start(f"clusters of {len(codes):,} images", lambda _: fit(codes, method, count, 0), finished, failed)

    def split_group(self, number: int, parts: int, failed: Callable[[str], None]) -> None:
        """Split a cluster by k-means of its codes, in the background."""
        rows = self.groups.rows_of(number)
        parts = min(max(2, parts), 20, len(rows))
        codes = self.subject.codes[rows]

        def finished(found: Any) -> None:
            self.groups.split(number, lambda _: found.labels)
            self.notify("groups")

        self.jobs.start(
            f"splitting {self.groups.title(number)}", lambda _: fit(codes, "k-means", parts, 0), finished, failed
        )

    # learning

    def teach(self, failed: Callable[[str], None]) -> None:
        """Train a probe on the labels so far, in the background.

        Raises:
            UserError: labels of fewer than two classes.
        """
        labels, given = self.labels.learnable(), self.labels.by_row()
        subject = self.subject

        def work(progress: Progress) -> tuple[Lesson, list[tuple[int, str]]]:
            lesson = learn(subject.autoencoder, subject.images, labels, progress=progress)
            return lesson, self._next(given, (lesson.classes, lesson.chances))

        def finished(learned: tuple[Lesson, list[tuple[int, str]]]) -> None:
            lesson, self.wanted = learned
            self.lesson = lesson
            if lesson.accuracy is not None:
                self.lessons = [*self.lessons, (lesson.labels, lesson.accuracy[0])][-50:]
            self.notify("lesson")

        self.jobs.start(f"a classifier from {labels.count:,} labels", work, finished, failed)

    def chances(self) -> tuple[tuple[str, ...], npt.NDArray[np.float64]] | None:
        """Return classes and probabilities ``[N, K]`` of the probe, else of the run's own classifier, else ``None``."""
        if self.lesson is not None:
            return self.lesson.classes, self.lesson.chances
        if self.subject.prediction is not None:
            return self.subject.prediction.classes, self.subject.prediction.probabilities
        return None

    def doubt(self) -> npt.NDArray[np.float64] | None:
        """Return how unsure each answer is ``[N]``, or ``None`` without a classifier."""
        found = self.chances()
        return None if found is None else doubts(found[1])

    def look_for_wanted(self, failed: Callable[[str], None]) -> None:
        """Find the images whose labels would help most, in the background."""
        given, answers = self.labels.by_row(), self.chances()

        def finished(found: list[tuple[int, str]]) -> None:
            self.wanted = found
            self.notify("wanted")

        self.jobs.start("a choice of images to label", lambda _: self._next(given, answers), finished, failed)

    def _next(
        self, given: Mapping[int, str], answers: tuple[tuple[str, ...], npt.NDArray[np.float64]] | None
    ) -> list[tuple[int, str]]:
        classes, chances = answers if answers is not None else ((), None)
        subject = self.subject
        # what may not be labelled counts as asked about already
        passed = frozenset(np.flatnonzero(subject.testing).tolist()) - given.keys()
        if len(given) + len(passed) >= len(subject):
            return []
        found = suggest(
            subject.images, subject.codes, given, SUGGESTED, passed=passed, probabilities=chances, classes=classes
        )
        return list(zip(found.rows.tolist(), found.reasons, strict=True))

    # oddness

    def find_odd(self, done: Callable[[], None], failed: Callable[[str], None]) -> None:
        """Score how odd every image is, as `latentia detect` does, in the background, and keep it.

        Raises:
            UserError: a classifier's run, of which nothing is known that is normal.
        """
        subject = self.subject
        if subject.classifier is not None:
            raise UserError("this is a classifier's run: how odd images are is told by the autoencoder it came from")

        def work(_: Progress) -> npt.NDArray[np.float64]:
            return -score(subject.autoencoder, subject.images, "combined", self.learn_normal())

        def finished(found: npt.NDArray[np.float64]) -> None:
            subject.workspace.keep("oddness", found)
            self.oddness = found
            self.notify("odd")
            done()

        self.jobs.start(f"the oddness of {len(subject):,} images", work, finished, failed)

    def learn_normal(self) -> Normal:
        """Return what is normal by the run's training images, else by those explored; pictures know it too."""
        subject = self.subject
        own = subject.run.description["data"]["location"] is not None
        self.pictures.normal = subject.run.learn_normal() if own else learn_normal(subject.autoencoder, subject.images)
        return self.pictures.normal

    # walking

    def walker(self) -> Walker | None:
        """Return what walks, or ``None`` where its codes have yet to be made by :meth:`make_walker`.

        Raises:
            UserError: the model's code keeps positions.
        """
        subject = self.subject
        if self._walker is None and subject.classifier is None:
            self._walker = Walker(subject.autoencoder, walk_codes(subject.autoencoder, subject.images, subject.codes))
        if self._walker is None:
            kept = subject.workspace.kept("walk")
            if kept is not None and kept.shape == (len(subject), subject.autoencoder.latent_dim):
                self._walker = Walker(subject.autoencoder, kept)
        return self._walker

    def make_walker(self, done: Callable[[], None], failed: Callable[[str], None]) -> None:
        """Compute the codes to walk among, in the background, and keep them."""
        subject = self.subject

        def finished(codes: npt.NDArray[np.float32]) -> None:
            subject.workspace.keep("walk", codes)
            self._walker = Walker(subject.autoencoder, codes)
            done()

        def work(_: Progress) -> npt.NDArray[np.float32]:
            return walk_codes(subject.autoencoder, subject.images, subject.codes)

        self.jobs.start(f"the codes of {len(subject):,} images", work, finished, failed)

    # colours

    def colourings(self) -> list[tuple[str, str]]:
        """Return what points can be coloured by: a key and words for it."""
        images = self.subject.images
        found = [("label", "labels given here")]
        if images.labels is not None and (images.labels >= 0).any():
            found.append(("class", "labels of the data"))
        if self.groups:
            found.append(("cluster", "clusters"))
        found.append(("score", "reconstruction error"))
        if self.subject.classifier is None:
            found.append(("odd", "oddness" if self.oddness is not None else "oddness (to be computed)"))
        if self.chances() is not None:
            what = "probe" if self.lesson is not None else "classifier"
            found += [("answer", f"answers of the {what}"), ("doubt", f"doubt of the {what}")]
        return [*found, ("none", "nothing")]

    def colouring(self, key: str) -> Colouring:
        """Return the colours of all points.

        Raises:
            UserError: there is nothing of that key to colour by.
        """
        known = [name for name, _ in self.colourings()]
        if key not in known:
            raise unknown("colouring", key, known)
        images, answers = self.subject.images, self.chances()
        if key == "label":
            return by_group(self.labels.numbers, self.labels.words, "no label yet")
        if key == "class" and images.labels is not None:
            return by_group(images.labels, class_names(self.subject.images), "unlabelled")
        if key == "cluster":
            numbers = self.groups.numbers
            return by_group(
                numbers, [self.groups.title(each) for each in range(int(numbers.max()) + 1)], "in no cluster"
            )
        if key == "score":
            return by_value(self.subject.scores)
        if key == "odd" and self.oddness is not None:
            return by_value(self.oddness, "{:.2f}")
        if key == "answer" and answers is not None:
            return by_group(self._answers_as_labels(*answers), self._answer_words(answers[0]), "")
        if key == "doubt" and answers is not None:
            return by_value(doubts(answers[1]), "{:.2f}")
        return plain(len(self.subject))

    def _answer_words(self, classes: tuple[str, ...]) -> list[str]:
        words = self.labels.words
        return [*words, *(each for each in classes if each not in words)]

    def _answers_as_labels(self, classes: tuple[str, ...], chances: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """Return answers under the numbers of the labels, so that a class has one colour in both."""
        words = self._answer_words(classes)
        return np.array([words.index(each) for each in classes], dtype=np.int64)[chances.argmax(axis=1)]


def _flat(codes: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], int]:
    """Return codes ``[N, D]`` on their first two principal directions, of however few images."""
    if len(codes) < 3:
        return np.pad(np.arange(len(codes), dtype=np.float32)[:, None], ((0, 0), (0, 1))), len(codes)
    return position_all(codes, "pca")
