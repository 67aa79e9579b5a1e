"""``suggest``: the images worth labelling next, as a result that draws itself."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentia.api.finetuning import choose_images
from latentia.api.saying import silent, to_stderr
from latentia.core.errors import UserError
from latentia.data.imageset import ImageSet
from latentia.data.labels import LabelRows, read_label_rows
from latentia.runs import Run, open_run
from latentia.tasks.apply import over
from latentia.tasks.embed import check_codes, embed
from latentia.tasks.paying import Paying, cross_validated, find_round_before, stability
from latentia.tasks.predict import learned_labels
from latentia.tasks.suggest import Points, Suggestions, principal
from latentia.tasks.suggest import suggest as choose
from latentia.training.run import DataChoice

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclasses.dataclass(frozen=True, eq=False)
class SuggestionsResult(Suggestions):
    """Suggestions that draw themselves, and say whether more labels pay.

    Attributes:
        paying: what the labels so far tell of that; ``None`` without any.
        origin: the run of the autoencoder to fine-tune with the labels.
    """

    paying: Paying | None = None
    origin: str = ""

    def figure(self) -> Figure:
        """Return a contact sheet of all suggested images as a matplotlib figure."""
        from latentia.report.contact_sheet import contact_sheet

        return contact_sheet(self.images, self.rows, self._captions(), self._title())

    def draw(self, path: str | os.PathLike[str]) -> list[Path]:
        """Draw contact sheets with names under the thumbnails, 40 on each; return the files."""
        from latentia.report.contact_sheet import draw_sheets

        return draw_sheets(Path(path), self.images, self.rows, self._captions(), self._title())

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {**super().to_json(), "paying": None if self.paying is None else self.paying.to_json()}

    def __str__(self) -> str:
        return super().__str__() if self.paying is None else f"{super().__str__()}\n{self.paying}"

    def _captions(self) -> list[str]:
        # what is labelled already stands in the list, where there is more room
        return [reason.partition(" like it,")[0] for reason in self.reasons]

    def _title(self) -> str:
        return f"{len(self.rows)} images of {Path(self.images.source).name} to label next"


def suggest(
    run: Run | str | os.PathLike[str],
    data: Any = None,
    n: int = 20,
    *,
    label_file: str | os.PathLike[str] | None = None,
    by: str = "auto",
    before: Run | str | os.PathLike[str] | None = None,
    seed: int = 0,
    quiet: bool = False,
    say: Callable[[str], None] | None = None,
) -> SuggestionsResult:
    """Return the ``n`` images of ``data`` that are worth labelling next.

    Args:
        run: an autoencoder's run (coverage), or a classifier's (coverage and uncertainty).
        data: whatever :func:`latentia.load` takes; the run's own data by default. Official test images are left out.
        n: how many.
        label_file: the labels so far; what a classifier learned from counts without being named.
        by: ``auto``, ``coverage`` or ``uncertainty``; see :func:`latentia.tasks.suggest.suggest`.
        before: the classifier of the round before, to tell whether more labels pay; by default the one beside ``run`` with
            fewer of the same labels.
        seed: of the clusters.
        quiet: print nothing.
        say: told what a person should know; prints to stderr by default.

    Raises:
        UserError: run, data, labels or an option is wrong, or no image is left.
    """
    tell = say or (silent if quiet else to_stderr)
    source = run if isinstance(run, Run) else open_run(run)
    images = _images(source, data)
    for note in images.notes:
        tell(note)
    rows = LabelRows({}, ()) if label_file is None else read_label_rows(label_file, images)
    emptied = frozenset(rows.empty)  # what a classifier learned as well: its label was taken back
    labels = {row: label for row, label in {**_learned(source, images), **rows.labels}.items() if row not in emptied}
    if source.kind == "classifier":
        points, chances, classes = _features(source, images), source.predict_proba(images), source.classifier.classes
    else:
        points, chances, classes = check_codes(embed(source.model, images)), None, ()
    found = choose(images, points, labels, n, passed=emptied, probabilities=chances, classes=classes, by=by, seed=seed)
    if len(found.rows) < n:
        tell(f"only {len(found.rows)} images have no label yet: all of them are suggested")
    origin = source.description["origin"]["from"] if source.kind == "classifier" else str(source.path)
    paying = _paying(source, images, labels, before, origin, tell) if labels else None
    fields = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
    return SuggestionsResult(**fields, paying=paying, origin=str(origin))


def _images(source: Run, data: Any) -> ImageSet:
    described = source.description["data"]
    location = data if data is not None else described["location"]
    if location is None:
        raise UserError(f"{source.path} was trained on images in memory: say which images to choose from")
    if not isinstance(location, str | os.PathLike):
        return choose_images(source, location, DataChoice(None))
    options = {**described["options"], "split": "all"}
    return choose_images(source, location, DataChoice(os.fspath(location), options, described["split_seed"]))


def _learned(source: Run, images: ImageSet) -> dict[int, str]:
    if source.kind != "classifier":
        return {}
    learned = learned_labels(source.path)
    return {row: learned[name] for row, name in enumerate(images.names) if name in learned}


def _features(source: Run, images: ImageSet) -> Points:
    """Return what the classifier's last layer sees of each image."""
    model = source.classifier
    return check_codes(
        over(model, images, lambda batch: model.head[:-1](model.features(batch.pixels)).flatten(1).float())
    )


def _paying(
    source: Run, images: ImageSet, labels: dict[int, str], before: Any, origin: Any, tell: Callable[[str], None]
) -> Paying:
    rows = sorted(labels)
    probe = None
    try:
        autoencoder = source.model if source.kind != "classifier" else open_run(origin).model
    except (UserError, TypeError):
        tell(f"the autoencoder {origin} is not there, so the labels so far are not cross-validated")
    else:
        codes = principal(check_codes(embed(autoencoder, images.select(rows))), 0)
        probe = cross_validated(codes, [labels[row] for row in rows])
    return Paying(_stability(source, images, before), probe)


def _stability(source: Run, images: ImageSet, before: Any) -> Any:
    if source.kind != "classifier":
        return None
    place = find_round_before(source.path) if before is None else before
    if place is None:
        return None
    earlier = place if isinstance(place, Run) else open_run(place)
    own, others = learned_labels(source.path), learned_labels(earlier.path)
    free = images.select([row for row, name in enumerate(images.names) if name not in own and name not in others])
    if not len(free):
        return None
    return stability(
        (earlier.path.name, earlier.prediction(free).answers, earlier.classifier.classes, len(others)),
        (source.prediction(free).answers, source.classifier.classes, len(own)),
    )
