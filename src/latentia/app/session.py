"""One page of the explorer: map, gallery and labels; thin, for what it shows is decided in the classes beneath."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from bokeh.document import Document

from latentia.app.channel import Channel, whole
from latentia.app.colours import PALETTE
from latentia.app.desks import ClusterDesk, ProbeDesk, TrialDesk, WalkDesk
from latentia.app.explorer import Explorer
from latentia.app.gallery import Gallery
from latentia.app.map_figure import MapFigure
from latentia.core.errors import UserError
from latentia.data.labels import class_names
from latentia.report.images import kind_of

NEIGHBOURS = 24


class Session:
    """What one page shows, in step with what all pages share."""

    def __init__(self, document: Document, explorer: Explorer) -> None:
        self.explorer, self.document, self.channel = explorer, document, Channel()
        subject = explorer.subject
        images = subject.images
        crisp = max(images.format.height, images.format.width) <= 64
        self.map = MapFigure(images.names, subject.key[:12], crisp=crisp)
        self.map.figure.tags = [self.channel.line]
        self.gallery = Gallery(len(subject))
        self._selecting = False
        self.method = "tsne" if explorer.position("tsne") is not None else "pca"
        self.by = self._first_colours()
        self.channel.on(
            {
                "hello": lambda _: self._tell_everything(),
                "gallery": self._turn,
                "look": self._look,
                "colour": self._colour,
                "map": self._map,
                "select": self._select,
                "label": self._label,
                "toggle": self._toggle,
                "clear": lambda asked: self._changed(explorer.labels.clear(self._chosen(asked))),
                "undo": lambda _: self._changed(explorer.labels.undo()),
                "redo": lambda _: self._changed(explorer.labels.redo()),
            }
        )
        self.desks = [ClusterDesk(self), ProbeDesk(self), TrialDesk(self), WalkDesk(self)]
        self.map.points.selected.on_change("indices", self._lassoed)
        self.map.place(self.positions)
        self._recolour()
        document.add_root(self.map.figure)
        # told in the document's own turn, which holds its lock
        stop = explorer.listen(lambda topic: self.later(partial(self._refresh, topic)))
        document.on_session_destroyed(lambda _: stop())

    @property
    def positions(self) -> npt.NDArray[np.float32]:
        """The map that this page shows, ``[N, 2]``."""
        found = self.explorer.position(self.method)
        assert found is not None  # a developer's invariant: a method is chosen when its map is made
        return found

    def row(self, asked: dict[str, Any], field: str = "row") -> int:
        """Return the image that a message names."""
        return whole(asked, field, len(self.explorer.subject))

    def select(self, rows: npt.ArrayLike | None, what: str) -> None:
        """Show images in the gallery and as selected on the map."""
        self.gallery.show(rows, what)
        self._selecting = True
        try:
            self.map.select(self.gallery.rows)
        finally:
            self._selecting = False
        self.tell_gallery()

    def tile(self, row: int) -> dict[str, Any]:
        """Return what a page shows beside one image."""
        explorer = self.explorer
        tile: dict[str, Any] = {
            "row": row,
            "name": explorer.subject.images.names[row],
            "label": explorer.labels.label_of(row),
            "score": float(explorer.subject.scores[row]),
        }
        answers = explorer.chances()
        if answers is not None:
            best = int(answers[1][row].argmax())
            tile.update(answer=answers[0][best], chance=float(answers[1][row][best]))
        return tile

    def tell_gallery(self) -> None:
        """Tell the page what its gallery shows."""
        oddness = self.explorer.oddness
        values = {"odd": self.explorer.subject.scores if oddness is None else oddness}
        doubt = self.explorer.doubt()
        if doubt is not None:
            values["unsure"] = doubt
        gallery = self.gallery
        visible = gallery.visible(values).tolist()
        self.explorer.pictures.expect(visible)
        self.channel.tell(
            "gallery",
            what=gallery.what,
            selected=gallery.rows is not None,
            total=gallery.count,
            page=gallery.page,
            pages=gallery.pages,
            order=gallery.order,
            tiles=[self.tile(row) for row in visible],
        )

    def _first_colours(self) -> str:
        keys = [key for key, _ in self.explorer.colourings()]
        for key in ("label", "answer", "class"):
            if key in keys and (key != "label" or self.explorer.labels.count):
                return key
        return "score"

    def _tell_everything(self) -> None:
        subject = self.explorer.subject
        self.channel.tell(
            "state",
            count=len(subject),
            images=f"{len(subject):,} images, {kind_of(subject.images.format)}",
            key=subject.key[:12],
            rendering="pixelated" if max(subject.images.format.shape[1:]) <= 64 else "auto",
            folder=str(subject.workspace.path),
            allowed=list(self.explorer.labels.allowed),
            own=subject.workspace.path == subject.workspace.top,
            run=str(subject.run.path),
        )
        for topic in ("labels", "maps", "groups", "lesson", "odd", "busy"):
            self._refresh(topic)
        self.tell_gallery()
        for desk in self.desks:
            desk.greet()

    def _refresh(self, topic: str) -> None:
        tell, explorer = self.channel.tell, self.explorer
        if topic == "busy":
            jobs = explorer.jobs
            return tell("busy", name=jobs.name, share=jobs.done / jobs.of if jobs.of else None)
        if topic == "maps":
            return self._tell_maps()
        if topic == "odd":
            tell("odd", known=explorer.oddness is not None, heat=explorer.pictures.normal is not None)
        if topic == "labels":
            store = explorer.labels
            words = [
                {"word": word, "count": count, "colour": self._label_colour(word)} for word, count in store.counts()
            ]
            tell(
                "labels", words=words, total=store.count, undo=store.can_undo, redo=store.can_redo, path=str(store.path)
            )
        for desk in self.desks:
            desk.refresh(topic)
        if topic in ("labels", "lesson"):
            self.tell_gallery()
        if topic == "wanted":
            return None
        shown = {"labels": ("label",), "odd": ("odd",), "groups": ("cluster",), "lesson": ("answer", "doubt")}.get(
            topic, ()
        )
        if topic == "labels" and self.by == "none":
            return None
        if self.by not in [key for key, _ in explorer.colourings()]:
            self.by = "score"  # what it was coloured by is no more
            shown = (self.by,)
        self._recolour(only_legend=self.by not in shown)
        return None

    def _tell_maps(self) -> None:
        count, placed = len(self.explorer.subject), self.explorer.placed(self.method)
        note = "" if placed == count else f"{placed:,} images placed by the method, the others beside their nearest"
        made = [method for method in self.explorer.map_methods() if self.explorer.position(method) is not None]
        self.channel.tell("maps", method=self.method, methods=self.explorer.map_methods(), made=made, note=note)

    def _label_colour(self, word: str) -> str:
        words = self.explorer.labels.words
        number = words.index(word)
        present = [legend for legend in self.explorer.colouring("label").legend if legend["text"] == word]
        return str(present[0]["colour"]) if present else PALETTE[1 + number] if number < 20 else PALETTE[0]

    def _recolour(self, only_legend: bool = False) -> None:
        colouring = self.explorer.colouring(self.by)
        if not only_legend:
            self.map.colour(colouring.places)
        choices = [{"key": key, "text": text} for key, text in self.explorer.colourings()]
        self.channel.tell("colours", by=self.by, choices=choices, legend=colouring.legend, scale=colouring.scale)

    def colour_by(self, key: str) -> None:
        """Colour the map by something else."""
        if key == "odd" and self.explorer.oddness is None:
            again = partial(self.later, partial(self.colour_by, key))
            self.explorer.find_odd(again, self.later_fail)
            self._recolour(only_legend=True)
            return
        self.explorer.colouring(key)
        self.by = key
        self._recolour()

    def _colour(self, asked: dict[str, Any]) -> None:
        self.colour_by(str(asked.get("by")))

    def _map(self, asked: dict[str, Any]) -> None:
        method = str(asked.get("method"))
        if self.explorer.position(method) is None:
            if method not in self.explorer.map_methods():
                raise UserError("UMAP is not installed: pip install 'latentia[umap]', or choose another map")
            self.explorer.make_map(method, partial(self.later, partial(self._show_map, method)), self.later_fail)
            self.channel.tell("maps", method=self.method, methods=self.explorer.map_methods(), made=[], note="")
            return
        self._show_map(method)

    def _show_map(self, method: str) -> None:
        self.method = method
        self.map.place(self.positions)
        self._tell_maps()
        self._refresh("wanted")

    def later(self, function: Callable[[], None]) -> None:
        """Call a function in the document's own turn."""
        self.document.add_next_tick_callback(function)

    def later_fail(self, text: str) -> None:
        """Tell the person that a job did not work, in the document's own turn."""
        self.later(partial(self.channel.fail, text))

    def _lassoed(self, _name: str, _old: list[int], new: list[int]) -> None:
        if not self._selecting:
            self.gallery.show(np.array(sorted(new), dtype=np.int64) if new else None, "selected on the map")
            self.tell_gallery()

    def _turn(self, asked: dict[str, Any]) -> None:
        if "order" in asked:
            self.gallery.sort(str(asked["order"]))
        if "page" in asked:
            self.gallery.turn(whole(asked, "page"))
        self.tell_gallery()

    def _select(self, asked: dict[str, Any]) -> None:
        explorer, of = self.explorer, asked.get("of")
        if of == "label":
            word = str(asked.get("word"))
            self.select(explorer.labels.rows_of(word), f"labelled {word!r}")
        elif of == "unlabelled":
            self.select(np.flatnonzero(explorer.labels.numbers < 0), "without a label")
        elif of == "cluster":
            number = whole(asked, "cluster")
            self.select(explorer.groups.rows_of(number), f"in {explorer.groups.title(number)}")
        elif of == "near":
            row = self.row(asked)
            distances = np.square(explorer.subject.codes - explorer.subject.codes[row]).sum(axis=1)
            self.select(
                np.argsort(distances, kind="stable")[:NEIGHBOURS], f"nearest to {explorer.subject.images.names[row]}"
            )
        elif of == "next":
            self.select([row for row, _ in explorer.wanted], "worth labelling next")
        else:
            self.select(None, "")

    def _look(self, asked: dict[str, Any]) -> None:
        row, subject = self.row(asked), self.explorer.subject
        facts = [["reconstruction error", f"{subject.scores[row]:.3g}, more than {self._share(row):.0%} of the images"]]
        if self.explorer.oddness is not None:
            odd = self.explorer.oddness
            facts.append(["oddness", f"{odd[row]:.2f}, more than {(odd < odd[row]).mean():.0%} of the images"])
        if subject.images.labels is not None and subject.images.labels[row] >= 0:
            facts.append(["label in the data", class_names(subject.images)[subject.images.labels[row]]])
        if self.explorer.groups:
            facts.append(["cluster", self.explorer.groups.title(int(self.explorer.groups.numbers[row]))])
        tile = self.tile(row)
        if tile["label"]:
            facts.append(["label given here", tile["label"]])
        if "answer" in tile:
            facts.append(["classifier's answer", f"{tile['answer']} ({tile['chance']:.0%})"])
        if subject.testing[row]:
            facts.append(["official test image", "never learned from"])
        self.map.mark("tried", self.positions[[row]])
        self.channel.tell("look", facts=facts, **tile)

    def _share(self, row: int) -> float:
        scores = self.explorer.subject.scores
        return float((scores < scores[row]).mean())

    def _chosen(self, asked: dict[str, Any]) -> npt.NDArray[np.int64]:
        if "row" in asked:
            return np.array([self.row(asked)])
        if self.gallery.rows is None:
            raise UserError("nothing is selected: draw a lasso around some points of the map first")
        return self.gallery.rows

    def _label(self, asked: dict[str, Any]) -> None:
        self._changed(self.explorer.labels.label(self._chosen(asked), str(asked.get("word", ""))))

    def _toggle(self, asked: dict[str, Any]) -> None:
        self._changed(self.explorer.labels.toggle(self.row(asked), str(asked.get("word", ""))))

    def _changed(self, change: Any) -> None:
        self.channel.say(change.text)
        if change.count:
            if self.by in ("class", "score", "none") and self.explorer.labels.count:
                self.by = "label"  # so that what was just done is seen
                self._recolour()
            self.explorer.notify("labels")
