"""Clustering: planted groups are found, scores are the textbook's, what is saved is read again, names become labels."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from latentia import load, train
from latentia.core.errors import UserError
from latentia.data.imageset import from_array
from latentia.runs import Run
from latentia.tasks.cluster_methods import METHODS, agreement_of_runs, fit, over_subsets, space_of
from latentia.tasks.cluster_scores import agreement, cohesions, stabilities
from latentia.tasks.clusters import Clusters
from latentia.tasks.communities import choose_count, communities, gain_shares, merged, modularity, moved
from latentia.tasks.name_clusters import label_images, read_names
from latentia.tasks.neighbour_graph import neighbour_graph, spectral_embedding

UMAP = importlib.util.find_spec("umap") is not None


def groups(count: int, each: int = 60, seed: int = 0, dimensions: int = 5) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    centres = random.normal(0, 6, (count, dimensions))
    truth = np.repeat(np.arange(count), each)
    order = random.permutation(len(truth))
    return (centres[truth] + random.normal(0, 0.5, (len(truth), dimensions))).astype(np.float32)[order], truth[order]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("runs")
    return train("digits", "cae", runs=folder, epochs=40, figures=False, quiet=True, widths="16x32", latent_dim=8)


@pytest.fixture(scope="module")
def clusters(run: Run) -> Clusters:
    return run.cluster("digits", seed=1, repeats=2)


@pytest.mark.parametrize("method", [name for name in METHODS if name != "hdbscan"])
@pytest.mark.parametrize("count", [3, 7])
def test_planted_groups_and_their_number_are_found(method: str, count: int) -> None:
    for seed in range(3):
        points, truth = groups(count, seed=seed)
        for wanted in (None, count):
            found = fit(points, method, wanted, seed)
            assert agreement("", found.labels, truth).accuracy == 1.0, (method, count, wanted, seed)
        assert found.membership.min() >= 0 and found.membership.max() <= 1


def test_hdbscan_finds_groups_and_strays() -> None:
    points, truth = groups(4)
    points[0] = 100.0
    found = fit(points, "hdbscan", None, 0)
    assert found.labels[0] == -1 and agreement("", found.labels[1:], truth[1:]).accuracy > 0.95
    with pytest.raises(UserError, match="hdbscan finds the number of clusters itself"):
        fit(points, "hdbscan", 3, 0)


def test_rings_need_the_graph() -> None:
    angle = np.random.default_rng(0).uniform(0, 2 * np.pi, 600)
    truth = np.arange(600) % 2
    points = (np.stack([np.cos(angle), np.sin(angle)], axis=1) * (1 + 3 * truth)[:, None]).astype(np.float32)
    assert agreement("", fit(points, "k-means", 2, 0).labels, truth).accuracy < 0.8
    on_graph = space_of(points, "graph", "k-means", 0)
    assert agreement("", fit(on_graph[:, :2], "k-means", 2, 0).labels, truth).accuracy > 0.99


def test_modularity_is_that_of_the_definition() -> None:
    points, truth = groups(3, each=15)
    graph = neighbour_graph(points, 5)
    dense = graph.toarray()
    assert np.allclose(dense, dense.T) and dense.min() >= 0 and dense.max() <= 1 and np.all(dense.diagonal() == 0)
    degree, total = dense.sum(1), dense.sum()
    same = truth[:, None] == truth[None, :]
    expected = ((dense - np.outer(degree, degree) / total) * same).sum() / total
    assert modularity(graph, truth) == pytest.approx(expected)
    maps, course = merged(graph, np.arange(45))
    assert [len(np.unique(each)) for each in maps] == list(range(1, 46))
    assert course[2] == pytest.approx(modularity(graph, np.unique(maps[2], return_inverse=True)[1]))
    spoilt = truth.copy()
    spoilt[:5] = (truth[:5] + 1) % 3
    assert modularity(graph, moved(graph, spoilt, 0)) == pytest.approx(expected), "images go back where they belong"


def test_the_number_is_where_the_gain_falls() -> None:
    equal = [1 - 1 / k for k in range(1, 8)]
    assert np.allclose(gain_shares(equal), 1.0)
    assert choose_count([*equal, equal[-1] + 0.001, equal[-1] + 0.001]) == 7
    assert choose_count([0.0, 0.01, 0.01]) == 1
    losing = [*equal, *(equal[-1] - 0.02 * (k + k % 3) for k in range(1, 20))]
    assert choose_count(losing) == 7, "what happens among losses is of no account"
    assert choose_count([0.0]) == 1


def test_the_graph_of_few_and_equal_points() -> None:
    for points in (np.zeros((2, 3)), np.zeros((40, 3)), np.arange(6.0)[:, None]):
        graph = neighbour_graph(points)
        assert np.isfinite(graph.toarray()).all()
        assert np.isfinite(spectral_embedding(graph, 5)).all()
        for count in (None, 1, 2, len(points)):
            found = communities(graph, count)
            assert count is None or len(np.unique(found.labels)) == count, (points.shape, count)


def test_groups_without_edges_between_them_are_not_mixed() -> None:
    random = np.random.default_rng(0)
    truth = np.repeat(np.arange(3), 100)
    along = random.uniform(-1, 1, 300)[:, None] * np.array([[3.0, 0, 0, 0]])
    points = (np.eye(4)[truth] * 20 + along + random.normal(0, 0.02, (300, 4))).astype(np.float32)
    graph = neighbour_graph(points)
    assert agreement("", communities(graph, 3).labels, truth).accuracy == 1.0
    for count in (None, 4, 5, 7, 9):
        labels = communities(graph, count).labels
        assert all(len(np.unique(truth[labels == each])) == 1 for each in np.unique(labels)), count


def test_a_large_graph_uses_few_eigenvectors() -> None:
    points, truth = groups(5, each=150)
    assert spectral_embedding(neighbour_graph(points), 7).shape == (750, 7)
    assert agreement("", communities(neighbour_graph(points), None).labels, truth).accuracy == 1.0


def test_scores_are_the_textbooks() -> None:
    truth = np.array([0, 0, 0, 1, 1, 1, -1])
    assert agreement("", np.array([5, 5, 5, 2, 2, 2, 0]), truth).accuracy == 1.0
    assert agreement("", np.array([0, 0, 1, 1, 1, 1, 0]), truth).accuracy == pytest.approx(5 / 6)
    assert agreement("", np.array([-1, 0, 0, 1, 1, 1, 0]), truth).accuracy == pytest.approx(5 / 6)
    assert agreement("", np.zeros(7, dtype=np.int64), truth).ari == 0.0
    runs = [np.array([0, 0, 1, 1, -2]), np.array([1, 1, 0, 0, 2])]
    assert agreement_of_runs(runs) == 1.0 and np.isnan(agreement_of_runs(runs[:1]))
    assert stabilities(np.array([0, 0, 1, 1, 1]), [np.array([3, 3, 3, 4, 4])], 2) == pytest.approx([2 / 3, 2 / 3])
    points, labels = groups(3)
    assert min(cohesions(points, labels, 3)) > 0.7 and np.isnan(cohesions(points, np.zeros_like(labels), 1)[0])


def test_stability_tells_groups_from_none() -> None:
    stable, _ = groups(4)
    loose = np.random.default_rng(0).normal(size=stable.shape).astype(np.float32)
    values = []
    for points in (stable, loose):
        runs = over_subsets(
            len(points), lambda rows, turn, points=points: fit(points[rows], "k-means", 4, turn).labels, 4, 0
        )
        assert all((run > -2).sum() == round(0.8 * len(points)) for run in runs)
        values.append(agreement_of_runs(runs))
    assert values[0] == 1.0 and values[1] < 0.8


def test_digits_are_clustered_better_than_their_pixels(clusters: Clusters) -> None:
    assert clusters.labels.shape == (1797,) and set(clusters.labels) == set(range(clusters.count))
    sizes = [each.size for each in clusters.summaries]
    assert sizes == sorted(sizes, reverse=True) and sum(sizes) == 1797
    own, pixels, _ = clusters.agreement
    assert own.nmi > pixels.nmi
    text = str(clusters)
    for part in ("beside the labels", "k-means on pixels", "k-means on PCA", "<- taken", "no labels used", "stability"):
        assert part in text
    json.dumps(clusters.to_json(), allow_nan=False)


def test_unstable_clusters_are_said_to_be(clusters: Clusters) -> None:
    assert "not certain" in str(dataclasses.replace(clusters, stability=0.5))
    assert "not certain" not in str(dataclasses.replace(clusters, stability=0.95))


def test_labels_take_no_part(run: Run, clusters: Clusters) -> None:
    unlabelled = run.cluster(from_array(load("digits").pixels), seed=1, repeats=0)
    assert unlabelled.agreement == () and np.array_equal(unlabelled.labels, clusters.labels)
    other = run.cluster("digits", 5, seed=2, repeats=0, method="k-means")
    assert other.count == 5 and np.isnan(other.stability)


def test_what_is_saved_is_read_again(run: Run, clusters: Clusters, tmp_path: Path) -> None:
    clusters.save(tmp_path / "c")
    again = Clusters.load(tmp_path / "c")
    assert list(again.names) == list(clusters.names) and np.array_equal(again.labels, clusters.labels)
    assert np.array_equal(again.codes, clusters.codes) and np.allclose(again.distance, clusters.distance, rtol=1e-5)
    assert np.allclose(again.membership, clusters.membership, atol=1e-6) and str(again) == str(clusters)
    with pytest.raises(UserError, match="know no model to embed new images with"):
        again.predict(load("digits"))
    opened = run.clusters(tmp_path / "c")
    new = load("digits").select(np.arange(300))
    assert np.array_equal(opened.predict(new), clusters.labels[:300]), "an image is its own nearest neighbour"
    with pytest.raises(UserError, match="the codes have 3 values, but these clusters were made of codes of 8"):
        again.predict_codes(np.zeros((1, 3)))
    (tmp_path / "c" / "clusters.csv").write_text("name,cluster\n")
    with pytest.raises(UserError, match=r"are damaged \(0 rows, 1797 codes"):
        Clusters.load(tmp_path / "c")
    with pytest.raises(UserError, match="is not a folder of clusters"):
        Clusters.load(tmp_path)


def test_new_images_go_where_they_belong(run: Run) -> None:
    old, new = load("digits", "train"), load("digits", "test")
    found = run.cluster(old, 10, repeats=0)
    truth = agreement("", found.labels, old.labels).accuracy
    assert abs(agreement("", found.predict(new), new.labels).accuracy - truth) < 0.1


def test_names_become_labels(clusters: Clusters, tmp_path: Path) -> None:
    clusters.save(tmp_path)
    template = (tmp_path / "names.csv").read_text().splitlines()
    assert template == ["cluster,name", *(f"{number}," for number in range(clusters.count))]
    assert read_names(tmp_path / "names.csv", clusters) == {}
    with pytest.raises(UserError, match="no cluster has a name yet"):
        label_images(clusters, {})
    (tmp_path / "names.csv").write_text("\ufeffCluster;Name\n1;round, and red\n0; one \n2;\n", encoding="utf-8")
    names = read_names(tmp_path / "names.csv", clusters)
    assert names == {0: "one", 1: "round, and red"}
    result = label_images(clusters, names)
    assert len(result.rows) == clusters.summaries[0].size + clusters.summaries[1].size
    assert result.unnamed == 1797 - len(result.rows)
    place = dict(zip(clusters.names, clusters.labels, strict=True))
    assert all(names[place[image]] == label for image, label in result.rows)
    sure = label_images(clusters, names, sure=0.9)
    assert len(sure.rows) == int(((clusters.labels < 2) & (clusters.membership >= 0.9)).sum()) and sure.unsure > 0
    assert "left out" in str(sure) and sure.to_json()["unsure"] == sure.unsure
    result.save(tmp_path / "labels.csv")
    assert (tmp_path / "labels.csv").read_text().splitlines()[0] == "name,label"
    written = (tmp_path / "names.csv").read_bytes()
    clusters.save(tmp_path)
    assert (tmp_path / "names.csv").read_bytes() == written, "the same clusters again keep their names"
    other = dataclasses.replace(clusters, labels=np.roll(clusters.labels, 1))
    with pytest.raises(UserError, match="holds names of other clusters, which would be lost"):
        other.save(tmp_path)
    assert (tmp_path / "names.csv").read_bytes() == written


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cluster,label\n0,a\n", "has no column 'name'"),
        ("", "has no column 'cluster'"),
        ("cluster,name\n0,a\n0,b\n", "line 3 of .* names cluster 0 a second time"),
        ("cluster,name\n99,a\n", "line 2 of .* names the cluster '99', but the clusters are 0 to"),
        ("cluster,name\none,a\n", "names the cluster 'one'"),
    ],
)
def test_bad_names_are_said(clusters: Clusters, tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "names.csv").write_text(text)
    with pytest.raises(UserError, match=expected):
        read_names(tmp_path / "names.csv", clusters)
    with pytest.raises(UserError, match="does not exist"):
        read_names(tmp_path / "none.csv", clusters)
    with pytest.raises(UserError, match=r"--sure is 2, but a membership lies between 0 and 1"):
        label_images(clusters, {0: "a"}, sure=2)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"k": 0}, "the number of clusters is 0, but it must be at least 1"),
        ({"k": 21}, "21 clusters are asked for, but digits has 20 images"),
        ({"method": "kmeans"}, "no clustering method called 'kmeans'; did you mean 'k-means'"),
        ({"on": "pixels"}, "no space to cluster on called 'pixels'"),
    ],
)
def test_bad_requests_are_said(run: Run, options: dict[str, object], expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        run.cluster(load("digits").select(np.arange(20)), **options)  # type: ignore[arg-type]


def test_too_few_images_and_bad_codes_are_said(run: Run) -> None:
    with pytest.raises(UserError, match="digits has 1 image, but clustering needs two or more"):
        run.cluster(load("digits").select([0]))
    two = run.cluster(load("digits").select([0, 1]), 2)
    assert sorted(two.labels) == [0, 1]
    for method in METHODS:
        assert len(run.cluster(load("digits").select(np.arange(7)), method=method)) == 7
    spoilt = Run(run._folder, run.model.__class__(run.model.architecture, run.model.format))
    for parameter in spoilt.model.bottleneck.parameters():
        parameter.data.fill_(float("nan"))
    with pytest.raises(UserError, match="20 of 20 codes hold NaN"):
        spoilt.cluster(load("digits").select(np.arange(20)))


def test_umap_says_how_to_get_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(UserError, match=r"pip install 'latentia\[umap\]'"):
        run.cluster("digits", on="umap")


@pytest.mark.slow
@pytest.mark.skipif(not UMAP, reason="umap is an extra")
@pytest.mark.filterwarnings("ignore")
def test_clustering_on_umap(run: Run) -> None:
    images = load("digits").select(np.arange(500))
    found = run.cluster(images, 10, method="mixture", on="umap", repeats=0)
    assert found.count == 10 and found.agreement[0].accuracy > 0.5
    assert run.map(images, method="umap").trustworthiness > 0.8


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("count", [2, 3, 5, 8, 12, 20])
def test_a_handful_of_images_is_enough_for_every_method(method: str, count: int) -> None:
    points, _ = groups(1, each=count)
    found = fit(points, method, None, seed=0)
    assert found.labels.shape == (count,)
    coinciding = fit(np.zeros((count, 3), dtype=np.float32), method, None, seed=0)  # images that are all the same
    assert coinciding.labels.shape == (count,)
