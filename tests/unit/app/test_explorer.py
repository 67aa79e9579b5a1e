"""The shared state: maps, clusters, lessons and trials on a real run; jobs; the channel's manners."""

from __future__ import annotations

import io
import json
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("bokeh", reason="bokeh is not installed: pip install 'latentia[explore]'")

from latentia import load
from latentia.app.channel import Channel, plain
from latentia.app.explorer import Explorer
from latentia.app.jobs import Jobs
from latentia.app.pictures import Pictures, error_map
from latentia.app.subject import open_subject
from latentia.app.teaching import doubts, learn
from latentia.app.trial import attempt
from latentia.core.errors import UserError
from latentia.data.imageset import PixelFormat
from latentia.runs import Run


class Loop:
    """Stands in for the server's loop: what jobs call back is done when the test waits for it."""

    def __init__(self) -> None:
        self.calls: queue.Queue[Callable[[], None]] = queue.Queue()

    def wait(self, explorer: Explorer) -> None:
        while explorer.jobs.busy:
            self.calls.get(timeout=30)()


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def explorer(run: Run, loop: Loop) -> Iterator[Explorer]:
    subject = open_subject(run.path)
    made = Explorer(subject, loop.calls.put)
    yield made
    made.jobs.stop()
    subject.workspace.release()


def fail(text: str) -> None:
    raise AssertionError(text)


def test_clusters_are_found_split_and_shown(explorer: Explorer, loop: Loop) -> None:
    told: list[str] = []
    explorer.listen(told.append)
    assert "cluster" not in [key for key, _ in explorer.colourings()]
    explorer.find_groups(4, "k-means", fail)
    with pytest.raises(UserError, match="the explorer is busy with clusters of 1,797 images: wait"):
        explorer.find_groups(3, "k-means", fail)
    loop.wait(explorer)
    assert "groups" in told
    sizes = [size for _, _, size in explorer.groups.clusters()]
    assert len(sizes) == 4 and sum(sizes) == 1797 and sizes == sorted(sizes, reverse=True)
    assert sum(entry["count"] for entry in explorer.colouring("cluster").legend) == 1797
    explorer.split_group(0, 2, fail)
    loop.wait(explorer)
    assert len(explorer.groups.clusters()) == 5
    for count, told_text in ((0, "0 clusters cannot be made"), (999, "ask for 1 to 200")):
        with pytest.raises(UserError, match=told_text):
            explorer.find_groups(count, "k-means", fail)


def test_a_lesson_gets_better_and_suggests(explorer: Explorer, loop: Loop) -> None:
    truth = load("digits").labels
    assert truth is not None
    with pytest.raises(UserError, match="a classifier needs labels of two classes"):
        explorer.teach(fail)
    for digit in range(10):
        explorer.labels.label(np.flatnonzero(truth == digit)[:8], str(digit))
    explorer.teach(fail)
    loop.wait(explorer)
    lesson = explorer.lesson
    assert lesson is not None and lesson.accuracy is not None
    right, low, high = lesson.accuracy
    assert low < right < high and right > 0.5
    assert (lesson.answers == truth).mean() > 0.6, "on images it has not seen"
    assert f"80 labels of 10 classes: {right:.0%} right in cross-validation" in str(lesson)
    wanted = [row for row, _ in explorer.wanted]
    assert len(wanted) == 12 and not (explorer.labels.numbers[wanted] >= 0).any()
    unsure = [row for row, why in explorer.wanted if why.startswith("unsure")]
    assert unsure and lesson.doubt[unsure].mean() > lesson.doubt.mean()
    colours = explorer.colouring("answer").places
    assert np.array_equal(colours, lesson.answers + 1), "an answer has the colour of its label"


def test_without_a_label_what_is_wanted_is_typical_and_never_a_test_image(explorer: Explorer, loop: Loop) -> None:
    explorer.subject.testing[::2] = True
    explorer.look_for_wanted(fail)
    loop.wait(explorer)
    assert len(explorer.wanted) == 12 and all(row % 2 for row, _ in explorer.wanted)
    assert all(why.startswith("typical of") for _, why in explorer.wanted)


def test_oddness_is_that_of_detection_and_is_kept(explorer: Explorer, run: Run, loop: Loop) -> None:
    assert ("odd", "oddness (to be computed)") in explorer.colourings()
    explorer.find_odd(lambda: None, fail)
    loop.wait(explorer)
    assert explorer.oddness is not None
    assert explorer.oddness == pytest.approx(-run.detect("digits").scores, rel=1e-4, abs=1e-4)
    again = Explorer(explorer.subject, loop.calls.put)
    assert again.oddness is not None and again.pictures.png("odd", 5).startswith(b"\x89PNG")
    again.jobs.stop()


def test_doubt_is_one_minus_the_lead() -> None:
    assert doubts(np.array([[0.5, 0.5, 0.0], [0.1, 0.1, 0.8]])) == pytest.approx([1.0, 0.3])
    assert doubts(np.ones((2, 1))).tolist() == [0, 0]


def test_one_label_of_a_class_is_no_cross_validation(run: Run) -> None:
    images = load("digits")
    numbers = np.full(len(images), -1)
    numbers[:4] = [0, 0, 1, 0]
    from latentia.data.labels import Labels

    lesson = learn(run.model, images, Labels(numbers, ("round", "tall")))
    assert lesson.accuracy is None
    assert "no cross-validation yet, for 'tall' has a single label" in str(lesson)


def test_an_image_of_the_set_is_its_own_nearest(explorer: Explorer) -> None:
    positions = explorer.position("pca")
    assert positions is not None
    tried = attempt(explorer.subject, explorer.subject.images.select([41]), positions, explorer.usual)
    assert tried.nearest[0] == 41 and tried.distances[0] < 1e-2
    assert tried.score == pytest.approx(explorer.subject.scores[41], rel=1e-4)
    assert tried.place == pytest.approx(positions[41], abs=1e-2)
    assert not np.array_equal(tried.corrupted, tried.image)
    assert 0 <= tried.share <= 1 and tried.error.shape == (8, 8)


def test_maps_are_made_once_and_kept(explorer: Explorer, run: Run, loop: Loop) -> None:
    assert explorer.position("tsne") is None
    explorer.subject.workspace.keep("map-tsne", np.ones((1797, 2), np.float32))
    explorer.subject.workspace.keep("map-tsne-placed", np.array(1797))
    assert explorer.position("tsne") is not None and explorer.placed("tsne") == 1797
    with pytest.raises(UserError, match="there is no map called 'globe'"):
        explorer.position("globe")


def test_pictures_show_the_image_and_where_it_differs(run: Run) -> None:
    images = load("digits")
    pictures = Pictures(run.model, images)
    for kind in ("image", "reconstruction", "error"):
        assert pictures.png(kind, 3).startswith(b"\x89PNG")
    for kind, row in (("image", 1797), ("secret", 0), ("image", -1), ("odd", 0)):
        with pytest.raises(KeyError):
            pictures.png(kind, row)
    pictures.expect([7, 3, 9])
    backs = run.reconstruct("digits").pixels
    for row in (3, 9, 7, 1200):
        shown = np.asarray(Image.open(io.BytesIO(pictures.png("reconstruction", row))))
        assert np.abs(shown.astype(int) - backs[row, 0]).max() <= 1, "each image its own, however they are grouped"
    grey = PixelFormat(2, 1, 2, "uint8", 0.0, 255.0)
    error = error_map(np.array([[[0, 51]], [[0, 0]]], np.uint8), np.array([[[0, 0]], [[0, 255]]], np.uint8), grey)
    assert error == pytest.approx(np.array([[0.0, 0.6]]))


def test_jobs_tell_failures_as_sentences() -> None:
    calls: queue.Queue[Callable[[], None]] = queue.Queue()
    jobs = Jobs(calls.put, lambda: None)
    told: list[str] = []
    for error in (UserError("too few"), ZeroDivisionError()):

        def work(_: Any, error: Exception = error) -> None:
            raise error

        jobs.start("counting", work, fail, told.append)
        calls.get(timeout=10)()
        assert not jobs.busy
    assert told[0] == "too few"
    assert told[1] == "counting failed (ZeroDivisionError): see the explorer's terminal"
    jobs.stop()


def test_a_job_ends_when_the_explorer_does() -> None:
    jobs = Jobs(lambda function: None, lambda: None)
    begun, ended = threading.Event(), threading.Event()

    def work(progress: Callable[[int, int], None]) -> None:
        begun.set()
        try:
            for _ in range(10_000):
                progress(0, 1)
                threading.Event().wait(0.001)
        finally:
            ended.set()

    jobs.start("waiting", work, fail, fail)
    assert begun.wait(5)
    jobs.stop()
    assert ended.wait(5)


def test_the_channel_survives_anything() -> None:
    channel = Channel()
    heard: list[Any] = []

    def good(asked: dict[str, Any]) -> None:
        heard.append(asked["x"])

    def bad(asked: dict[str, Any]) -> None:
        raise UserError("no <b>such</b> thing")

    channel.on({"good": good, "bad": bad, "worse": lambda asked: 1 / 0})
    for text in ("", "{", "[]", "5", '{"kind": 3}', '{"kind": "other"}', '{"kind": "good", "x": 7}'):
        channel.receive(text)
    assert heard == [7]
    channel.receive('{"kind": "bad"}')
    assert json.loads(channel.line.told)["text"] == "no <b>such</b> thing"
    channel.receive('{"kind": "worse"}')
    assert json.loads(channel.line.told)["tone"] == "error"
    assert plain({"a": np.float32(1.5), "b": float("nan"), "c": np.arange(2)}) == {"a": 1.5, "b": None, "c": [0, 1]}
