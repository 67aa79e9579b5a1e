"""The page: what is in it, what is not, and that what comes from outside is shown as text."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import latentia.report.page.sections as sections
from latentia import Run, api, open_run, train
from latentia.core.errors import UserError
from latentia.report.page import bokeh_map
from latentia.report.page.html import number, table, text_of
from latentia.report.page.pictures import chart
from latentia.report.style import new_figure, styled
from latentia.training.run_folder import RunFolder

QUICK = {"encoder__widths": "4,8", "latent_dim": 3, "batch_size": 64, "epochs": 2, "quiet": True, "figures": False}


class Reader(HTMLParser):
    """Gathers what a browser would make of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page(run: Run | Path, **options: object) -> Reader:
    told: list[str] = []
    path = api.report(run, say=told.append, **{"map_images": 50, **options})  # type: ignore[arg-type]
    assert told == []
    return Reader(path.read_text(encoding="utf-8"))


def anchors(read: Reader) -> list[str]:
    return [str(each["id"]) for each in read.of("section")]


@pytest.mark.parametrize(
    ("preset", "more"), [("cae", []), ("vae", ["samples"]), ("dae", ["restored"])], ids=["cae", "vae", "dae"]
)
def test_sections_appear_where_there_is_data_for_them(trained: dict[str, Run], preset: str, more: list[str]) -> None:
    found = anchors(page(trained[preset]))
    always = [
        "summary",
        "figures",
        "data",
        "doctor",
        "loss",
        "reconstructions",
        "map",
        "best-and-worst",
        "filters",
        "reproduce",
    ]
    assert [anchor for anchor in found if anchor in always] == always
    assert set(found) - set(always) == set(more)


def test_a_page_asks_for_nothing_and_every_picture_has_a_text(trained: dict[str, Run]) -> None:
    read = page(trained["vae"])
    addresses = [
        value for _, attributes in read.tags for key, value in attributes.items() if key in ("src", "href", "srcset")
    ]
    assert addresses
    assert all(str(address).startswith(("data:", "#")) for address in addresses)
    assert not re.search(r"url\((?!data:|#)", " ".join(read.texts[:50]))
    assert all(image.get("alt") for image in read.of("img"))
    assert all(drawing.get("aria-label") for drawing in read.of("svg") if drawing.get("role") == "img")
    policy = next(each["content"] for each in read.of("meta") if each.get("http-equiv"))
    assert "default-src 'none'" in str(policy)
    ids = [attributes["id"] for _, attributes in read.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert read.of("html")[0]["lang"] == "en"
    assert len(read.of("h1")) == 1


def test_a_page_is_small(trained: dict[str, Run]) -> None:
    path = api.report(trained["cae"])  # with as many images on the map as by default
    assert path.stat().st_size < (2_500_000 if bokeh_map.has_bokeh() else 1_000_000)


def test_without_bokeh_the_map_is_a_picture(trained: dict[str, Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bokeh_map, "has_bokeh", lambda: False)
    read = page(trained["cae"])
    assert len([image for image in read.of("img") if image.get("class") == "still"]) == 1
    assert not [script for script in read.of("script") if script.get("id")]


def test_names_and_labels_are_text(hostile: Path, tmp_path: Path) -> None:
    run = train(hostile, runs=tmp_path / "runs", **QUICK)
    read = page(run)
    scripts = [script.get("id") for script in read.of("script")]
    assert scripts in ([None], ["map-data", "bokeh-js", None])
    assert not [attributes for _, attributes in read.tags if any(key.startswith("on") for key in attributes)]
    shown = " ".join(read.texts)
    assert "onerror=hacked=1" in " ".join(str(image["alt"]) for image in read.of("img"))
    assert "Zoë ∑ ${x} {{ 7*7 }}" in shown


def test_a_section_exists_because_its_file_exists(
    trained: dict[str, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "planted_section.py").write_text(
        "from markupsafe import Markup\nfrom latentia.report.page.section import Section\n"
        "PLACE, KINDS = 25, ('autoencoder',)\n"
        "def section(material):\n    return Section('Planted', Markup('<p>{}</p>').format(material.heading))\n"
    )
    monkeypatch.setattr(sections, "__path__", [*sections.__path__, str(tmp_path)])
    found = anchors(page(trained["cae"], map="none"))
    assert found.index("data") < found.index("planted-section") < found.index("loss")
    assert "map" not in found


def test_a_section_that_fails_is_told_and_takes_nothing_along(
    trained: dict[str, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_section.py").write_text(
        "PLACE, KINDS = 1, ('autoencoder',)\ndef section(m):\n    return 1 / 0\n"
    )
    monkeypatch.setattr(sections, "__path__", [*sections.__path__, str(tmp_path)])
    told: list[str] = []
    path = api.report(trained["cae"], map="none", say=told.append)
    assert [text.split(" (")[0] for text in told] == [
        "the section 'broken_section' of the report could not be drawn: ZeroDivisionError: division by zero"
    ]
    assert "summary" in anchors(Reader(path.read_text()))


@pytest.mark.parametrize(
    "what", ["latentia.report.page.building.make_sections", "latentia.report.run_figures.draw_run"]
)
def test_a_picture_that_fails_does_not_fail_a_training(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*given: object) -> None:
        raise RuntimeError("no ink")

    monkeypatch.setattr(what, broken)
    monkeypatch.setattr("latentia.api.training.draw_run", broken)
    told: list[str] = []
    run = train("digits", runs=tmp_path, say=told.append, **{**QUICK, "epochs": 1, "figures": True})
    assert run.description["status"] == "finished"
    assert any(text.endswith("could not be drawn: RuntimeError: no ink") for text in told)


def test_training_makes_the_page_itself(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 10, 12, 3), dtype=np.uint8)
    told: list[str] = []
    run = train(pixels, runs=tmp_path, say=told.append, **{**QUICK, "figures": True})
    read = Reader((run.path / "report.html").read_text())
    assert "reconstructions" in anchors(read)
    assert "report.html" in run.summary()
    assert not [text for text in told if "could not" in text]
    # later its images are gone, and said to be; given again, they are back
    api.report(run.path, say=told.append)
    assert told[-1].endswith("was trained on images in memory: name DATA to see them in the report")
    assert "reconstructions" not in anchors(Reader((run.path / "report.html").read_text()))
    assert "reconstructions" in anchors(page(run.path, data=pixels))


def test_images_that_have_moved_are_told_and_left_out(image_folder: Path, tmp_path: Path) -> None:
    run = train(image_folder, runs=tmp_path / "runs", **QUICK)
    assert {"data", "best-and-worst"} <= {*anchors(page(run)), "best-and-worst"}
    image_folder.rename(tmp_path / "elsewhere")
    told: list[str] = []
    path = api.report(run.path, map_images=50, say=told.append)
    assert "the report leaves out the pictures of its images" in told[0]
    found = anchors(Reader(path.read_text()))
    assert "loss" in found
    assert "reconstructions" not in found


def test_a_run_that_goes_on_is_called_so(trained: dict[str, Run], tmp_path: Path) -> None:
    import shutil

    shutil.copytree(trained["cae"].path, tmp_path / "run")
    RunFolder(tmp_path / "run").update(status="running")
    assert "its status is “running”" in " ".join(page(tmp_path / "run", map="none").texts)
    (tmp_path / "run" / "model.safetensors").unlink()
    told: list[str] = []
    path = api.report(tmp_path / "run", map_images=50, say=told.append)
    assert "does not exist" in told[0]
    assert "loss" in anchors(Reader(path.read_text()))


def test_what_cannot_be_reported_is_said(trained: dict[str, Run], tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "cae", {"kind": "autoencoder", "data": {}})
    with pytest.raises(UserError, match="has no finished epoch yet, so there is nothing to report: train it first"):
        api.report(folder.path)
    other = RunFolder.create(tmp_path, "comparison", {"kind": "comparison"})
    with pytest.raises(UserError, match="holds a comparison, of which there is no report to make anew"):
        api.report(other.path)
    with pytest.raises(UserError, match="there is no map called 'tnse'; did you mean 'tsne'"):
        api.report(trained["cae"], map="tnse")
    with pytest.raises(UserError, match="is a folder, but the report is one file"):
        api.report(trained["cae"], output=tmp_path)
    with pytest.raises(UserError, match="the run folder 'nowhere' does not exist"):
        api.report("nowhere")


def test_a_classifier_has_its_own_page(trained: dict[str, Run], tmp_path: Path) -> None:
    run = api.finetune(trained["cae"], labels=30, runs=tmp_path, epochs=2, quiet=True)
    read = Reader((run.path / "report.html").read_text())
    assert anchors(read) == ["summary-classifier", "data", "learning", "confusion", "answers", "reproduce"]
    cells = [attributes for tag, attributes in read.tags if tag == "td" and attributes.get("class") == "right"]
    assert len(cells) == 10
    assert anchors(page(open_run(run.path))) == anchors(read)


def test_charts_follow_the_page_and_share_no_names() -> None:
    def drawing(name: str) -> str:
        with styled():
            figure = new_figure(3, 2)
            axes = figure.subplots()
            axes.plot([0, 1], [0, 1], color="#0072b2", marker="o")
            axes.set_title('a <b> & "c" $x$')
        return str(chart(figure, 'what "it" shows', name))

    first, second = drawing("one"), drawing("two")
    assert "var(--blue)" in first
    assert "#0072b2" not in first
    assert "a &lt;b&gt; &amp;" in first
    assert "what &#34;it&#34; shows" in first
    names = [re.findall(r' id="([^"]*)"', text) for text in (first, second)]
    assert names[0]
    assert not set(names[0]) & set(names[1])
    for reference in re.findall(r"(?:url\(|href=\")#(\w+)", first):
        assert reference in names[0]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: number(None), "–"),
        (lambda: number(float("nan")), "–"),
        (lambda: number(1234567), "1,234,567"),
        (lambda: number(0.00001234), "1.234e-05"),
        (lambda: number(0.5), "0.5"),
        (lambda: text_of([True, None, 2.50, "x"]), "yes, none, 2.5, x"),
        (lambda: "<b>" in str(table(["<b>"], [["<b>", "<b>"]], "<b>")), False),
    ],
)
def test_words(make: Callable[[], object], text: object) -> None:
    assert make() == text
