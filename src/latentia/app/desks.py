"""The page's other places of work: clusters, the classifier, an image of one's own, and walks. Each answers its own messages."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from latentia.app.channel import whole
from latentia.app.explorer import METHODS
from latentia.app.pictures import data_url, heat, shown
from latentia.app.trial import attempt, chances_of
from latentia.app.uploads import from_base64, read_upload
from latentia.app.walking import KINDS, REACH, check_walkable
from latentia.core.errors import UserError

if TYPE_CHECKING:
    from latentia.app.session import Session

TOP = 3  # classes that an answer names


class Desk:
    """One place of work on a page."""

    def __init__(self, session: Session) -> None:
        self.session, self.explorer, self.channel = session, session.explorer, session.channel

    def greet(self) -> None:
        """Tell a page that has just opened what it must know."""

    def refresh(self, topic: str) -> None:
        """Tell the page what follows from a change of ``topic``."""


class ClusterDesk(Desk):
    """Clusters: found, named, merged, split, and turned into labels."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.channel.on(
            {
                "groups-find": self._find,
                "groups-rename": self._rename,
                "groups-merge": self._merge,
                "groups-split": self._split,
                "groups-undo": self._undo,
                "groups-label": self._label,
            }
        )

    def refresh(self, topic: str) -> None:
        """Tell the page the clusters."""
        if topic == "groups":
            groups = self.explorer.groups
            colours = (
                {entry["text"]: entry["colour"] for entry in self.explorer.colouring("cluster").legend}
                if groups
                else {}
            )
            rows = [
                {
                    "number": number,
                    "title": groups.titles.get(number, ""),
                    "shown": title,
                    "size": size,
                    "colour": colours.get(title, ""),
                }
                for number, title, size in groups.clusters()
            ]
            self.channel.tell(
                "groups", clusters=rows, undo=groups.can_undo, methods=list(METHODS), path=str(groups.path)
            )

    def _find(self, asked: dict[str, Any]) -> None:
        count = None if asked.get("count") in (None, "") else whole(asked, "count")
        self.explorer.find_groups(count, str(asked.get("method", METHODS[0])), self.session.later_fail)
        self.session.by = "cluster" if self.explorer.groups else self.session.by

    def _rename(self, asked: dict[str, Any]) -> None:
        self.explorer.groups.rename(whole(asked, "cluster"), str(asked.get("title", "")))
        self.explorer.notify("groups")

    def _merge(self, asked: dict[str, Any]) -> None:
        chosen = asked.get("clusters")
        numbers = [each for each in chosen if isinstance(each, int)] if isinstance(chosen, list) else []
        kept = self.explorer.groups.merge(numbers)
        self.channel.say(f"{len(numbers)} clusters are {self.explorer.groups.title(kept)} now")
        self.explorer.notify("groups")

    def _split(self, asked: dict[str, Any]) -> None:
        self.explorer.split_group(whole(asked, "cluster"), whole(asked, "parts"), self.session.later_fail)

    def _undo(self, _asked: dict[str, Any]) -> None:
        self.channel.say(self.explorer.groups.undo())
        self.explorer.notify("groups")

    def _label(self, asked: dict[str, Any]) -> None:
        number, groups = whole(asked, "cluster"), self.explorer.groups
        if not groups.titles.get(number):
            raise UserError("this cluster has no name yet: name it, and its images can be labelled with the name")
        change = self.explorer.labels.label(groups.rows_of(number), groups.titles[number])
        self.channel.say(change.text)
        self.explorer.notify("labels")


class ProbeDesk(Desk):
    """The classifier that is trained from the page, and the images it wants labelled."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.channel.on(
            {
                "teach": lambda _: self.explorer.teach(session.later_fail),
                "wanted": lambda _: self.explorer.look_for_wanted(session.later_fail),
            }
        )

    def refresh(self, topic: str) -> None:
        """Tell the page what was learned; a new lesson colours the map by its answers."""
        if topic in ("lesson", "wanted", "labels"):
            self._tell_wanted()
        if topic != "lesson":
            return
        lesson = self.explorer.lesson
        if lesson is not None and self.session.by not in ("answer", "doubt"):
            self.session.by = "answer"
        self.channel.tell(
            "lesson",
            text="" if lesson is None else str(lesson),
            course=[{"labels": count, "accuracy": right} for count, right in self.explorer.lessons],
        )

    def _tell_wanted(self) -> None:
        tiles = [{**self.session.tile(row), "why": why} for row, why in self.explorer.wanted]
        self.session.map.mark("next", self.session.positions[[row for row, _ in self.explorer.wanted]])
        self.channel.tell("wanted", tiles=tiles)


class TrialDesk(Desk):
    """An image that is drawn or uploaded, and what the model makes of it."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.channel.on({"try": self._try})
        pixels = self.explorer.subject.images.pixels
        some = np.asarray(pixels[np.linspace(0, len(pixels) - 1, min(len(pixels), 64)).astype(np.int64)])
        self._dark = bool(self.explorer.pictures.format.to_unit(some).mean() < 0.5)

    def greet(self) -> None:
        """Tell the page on what ground to draw."""
        shape = self.explorer.subject.autoencoder.format
        self.channel.tell("canvas", dark=self._dark, colour=shape.channels >= 3, height=shape.height, width=shape.width)

    def _try(self, asked: dict[str, Any]) -> None:
        explorer, subject = self.explorer, self.explorer.subject
        policy = subject.run.description["data"].get("options", {}).get("policy")
        image = read_upload(
            from_base64(asked.get("data")),
            subject.autoencoder.format,
            policy=policy if policy in ("pad", "crop") and not asked.get("drawn") else "resize",
            dark=self._dark,
        )
        tried = attempt(subject, image, self.session.positions, explorer.usual)
        shape = subject.autoencoder.format
        self.session.map.mark("tried", tried.place)
        far = "" if np.isnan(tried.usual) else f" (an image's nearest is usually {tried.usual:.3g} away)"
        pictures = [
            ("as the model sees it", data_url(shown(tried.image, shape))),
            ("reconstructed", data_url(shown(tried.reconstruction, shape))),
            ("where they differ", data_url(heat(tried.error, explorer.pictures.top))),
            (tried.corruption, data_url(shown(tried.corrupted, shape))),
            ("denoised", data_url(shown(tried.restored, shape))),
        ]
        self.channel.tell(
            "tried",
            pictures=[{"text": text, "picture": picture} for text, picture in pictures],
            score=f"error {tried.score:.3g}: more than {tried.share:.0%} of the images have",
            share=tried.share,
            distance=f"its nearest image is {tried.distances[0]:.3g} away{far}",
            nearest=[self.session.tile(int(row)) for row in tried.nearest],
            answers=self._answers(tried.image),
        )

    def _answers(self, pixels: Any) -> list[dict[str, Any]]:
        explorer = self.explorer
        if explorer.lesson is not None:
            chances = chances_of(explorer.lesson.model, explorer.lesson.temperature, pixels, explorer.subject)
            classes = explorer.lesson.classes
        elif explorer.subject.classifier is not None:
            from latentia.tasks.calibration import kept_temperature

            chances = chances_of(
                explorer.subject.classifier, kept_temperature(explorer.subject.run.path), pixels, explorer.subject
            )
            classes = explorer.subject.classifier.classes
        else:
            return []
        return [{"text": classes[place], "chance": float(chances[place])} for place in np.argsort(-chances)[:TOP]]


class WalkDesk(Desk):
    """Walks through the codes, decoded while the person moves."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.channel.on({"walk-start": self._start, "walk": self._walk})

    def greet(self) -> None:
        """Tell the page whether there is anything to walk in, and begin at the mean."""
        try:
            check_walkable(self.explorer.subject.autoencoder)
            self._start({"directions": KINDS[0], "row": None})
        except UserError as error:
            self.channel.tell("walk", why=str(error))

    def _start(self, asked: dict[str, Any]) -> None:
        walker = self.explorer.walker()
        if walker is None:
            if asked.get("compute"):
                again = partial(self.session.later, partial(self._start, asked))
                self.explorer.make_walker(again, self.session.later_fail)
            else:
                self.channel.tell("walk", why="", needed=True)
            return
        kind = str(asked.get("directions"))
        row = None if asked.get("row") is None else self.session.row(asked)
        places = walker.places(kind, row)
        self.channel.tell(
            "walk",
            why="",
            directions=kind,
            row=row,
            start="the mean of all codes" if row is None else self.explorer.subject.images.names[row],
            names=list(walker.directions[kind].names),
            places=places,
            reach=REACH,
        )
        self._walk({"directions": kind, "row": row, "moves": {}, "ticket": 0})

    def _walk(self, asked: dict[str, Any]) -> None:
        walker = self.explorer.walker()
        if walker is None:
            return
        row = None if asked.get("row") is None else self.session.row(asked)
        moves = {int(place): float(value) for place, value in dict(asked.get("moves") or {}).items()}
        code = walker.step(str(asked.get("directions")), row, moves)
        nearest = walker.nearest(code)
        picture = data_url(shown(walker.decode(code), self.explorer.subject.autoencoder.format))
        self.channel.tell("walked", ticket=asked.get("ticket"), picture=picture, nearest=self.session.tile(nearest))
        if asked.get("mark"):
            self.session.map.mark("walk", self.session.positions[nearest])
