"""The nearest codes, beside a naive search."""

from collections.abc import Callable
from typing import cast

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from caes import ImageIndex, load
from caes.errors import ArgumentError
from caes.tasks.index import searched
from caes.tasks.index.search import Found, merged, recall
from caes.tasks.index.space import METRICS, MetricName, Space

Codes = NDArray[np.float32]


def drawn(n: int, size: int = 8, seed: int = 0) -> Codes:
    return np.random.default_rng(seed).normal(size=(n, size)).astype(np.float32)


@pytest.mark.parametrize("metric", METRICS)
def test_what_is_found_is_what_scikit_learn_finds_in_the_space(
    metric: MetricName,
) -> None:
    codes, queries = drawn(500), drawn(40, seed=1)
    index = ImageIndex(metric).add(codes[:300]).add(codes[300:])
    space = Space.fit(metric, codes[:300])
    near = NearestNeighbors(n_neighbors=5).fit(space.points(codes))
    distances, rows = near.kneighbors(space.points(queries))
    found = index.search(queries, 5)
    np.testing.assert_array_equal(found.rows, rows)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-4)
    assert found.names[0, 0] == f"{rows[0, 0]:05d}"


def test_distances_are_those_of_the_words() -> None:
    one, other = drawn(2)
    by = {
        metric: float(ImageIndex(metric).add([one]).search([other], 1).distances[0, 0])
        for metric in ("euclidean", "cosine")
    }
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    assert by["euclidean"] == pytest.approx(float(np.linalg.norm(one - other)))
    assert by["cosine"] == pytest.approx(float(np.sqrt(2 - 2 * cosine)), rel=1e-5)


def test_whitened_codes_have_axes_of_the_root_of_their_deviation() -> None:
    codes = drawn(5000, 3) * np.array([1, 4, 9], np.float32) + 7
    space = Space.fit("whitened", codes)
    assert space.matrix is not None
    spread = ((codes - space.mean) @ space.matrix).std(0)
    np.testing.assert_allclose(spread, np.sqrt(np.sort(codes.std(0))), rtol=0.02)


def test_a_value_that_never_changes_is_no_trouble() -> None:
    codes = drawn(50)
    codes[:, 3] = 2
    for metric in METRICS:
        found = ImageIndex(metric).add(codes).search(codes, 1)
        np.testing.assert_array_equal(found.rows[:, 0], np.arange(50))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 4), st.integers(1, 12))
def test_of_several_views_the_nearest_counts(seed: int, views: int, k: int) -> None:
    codes = drawn(9, 3, seed)
    queries = drawn(4 * views, 3, seed + 1).reshape(4, views, 3)
    found = ImageIndex().add(codes).search(queries, k)
    apart = np.linalg.norm(queries[:, :, None] - codes, axis=3).min(1)
    order = apart.argsort(1)[:, :k]
    np.testing.assert_array_equal(found.rows[:, : len(order[0])], order)
    assert (found.rows[:, 9:] == -1).all()
    assert np.isinf(found.distances[:, 9:]).all()
    assert found.names.shape == (4, k)


def test_views_that_find_the_same_are_joined() -> None:
    rows = np.array([[3, 1], [1, -1]])
    found = Found(rows, np.array([[0.5, 1], [0.2, np.inf]], np.float32))
    joined = merged(found, 2, 2)
    assert joined.rows.tolist() == [[1, 3]]
    np.testing.assert_allclose(joined.distances, [[0.2, 0.5]])


def test_only_a_label_or_only_what_is_near_is_found() -> None:
    codes = drawn(60)
    labels = [None if row % 3 == 2 else "ab"[row % 3] for row in range(60)]
    index = ImageIndex().add(codes, labels=labels)
    found = index.search(codes[:5], 30, label="a")
    assert {*found.labels[:, :20].reshape(-1)} == {"a"}
    assert (found.rows[:, 20:] == -1).all()
    near = index.search(codes[:5], 30, within=2.0)
    assert (near.distances[near.rows >= 0] <= 2).all()
    apart = np.linalg.norm(codes[:5, None] - codes, axis=2)
    assert (near.rows >= 0).sum() == (apart <= 2).sum()


def test_what_was_removed_is_not_found_and_may_come_again() -> None:
    codes = drawn(20)
    index = ImageIndex().add(codes).remove(["00004"])
    assert index.search(codes[4:5], 1).names[0, 0] != "00004"
    index.add(codes[4:5] + 9, names=["00004"])
    assert len(index) == 20
    np.testing.assert_allclose(index.codes[-1], codes[4] + 9)
    assert index.names[-1] == "00004"


@pytest.fixture
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searched, "MANY", 1000)
    monkeypatch.setattr(searched, "REST", 100)


@pytest.mark.usefixtures("few_are_many")
def test_a_graph_finds_nearly_all_of_what_a_full_search_does() -> None:
    codes, queries = drawn(3000), drawn(200, seed=1)
    index = ImageIndex().add(codes)
    found = index.search(queries)
    truth = index.search(queries, exact=True)
    assert index.graph is not None
    assert len(index.graph) == 3000
    assert recall(found.rows, truth.rows) >= 0.95
    assert index.about["recall"] >= 0.97


@pytest.mark.usefixtures("few_are_many")
def test_codes_that_are_not_in_the_graph_yet_are_found_too() -> None:
    codes, more = drawn(1500), drawn(90, seed=1)
    index = ImageIndex().add(codes)
    index.search(codes[:1])
    index.add(more, names=[f"more {row}" for row in range(90)])
    assert index.search(more, 1).names[:, 0].tolist() == index.names[1500:]
    assert index.graph is not None
    assert len(index.graph) == 1500
    index.add(more + 50, names=[f"other {row}" for row in range(90)])
    assert index.search(more + 50, 1).names[:, 0].tolist() == index.names[1590:]
    assert len(index.graph) == 1680


@pytest.mark.usefixtures("few_are_many")
def test_what_crowds_out_of_the_graph_is_looked_for_everywhere() -> None:
    codes = drawn(1500)
    index = ImageIndex().add(codes)
    index.search(codes[:1])
    index.remove(index.names[:1400])
    found = index.search(codes[:50], 10)
    truth = index.search(codes[:50], 10, exact=True)
    np.testing.assert_array_equal(found.rows, truth.rows)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda index: index.search(np.zeros((2, 5))),
            "codes: received an array of 2×5; allowed: N×8. Pass what transform gives.",
        ),
        (
            lambda index: index.search(np.zeros((2, 8)), 0),
            "k: received 0; allowed: a whole number of at least 1. Try 10.",
        ),
        (
            lambda index: index.search(np.zeros((2, 8)), label="c"),
            "label: received 'c'; allowed: one of a, b. Check the spelling.",
        ),
        (
            lambda index: index.add(np.full((1, 8), np.nan)),
            "codes: received NaN or infinity; allowed: finite numbers. Drop these rows, or see what made them.",
        ),
        (
            lambda index: index.add(np.zeros((2, 8)), names=["0", "1"]),
            "names: received '0', which is there already (1 more); allowed: names that the index does not have yet. Remove them first, or put something before the new ones.",
        ),
        (
            lambda index: index.add(np.zeros((2, 8)), names=["x", "x"]),
            "names: received a name twice; allowed: names that the index does not have yet. Remove them first, or put something before the new ones.",
        ),
        (
            lambda index: index.add(np.zeros((2, 8)), names=["x"]),
            "names: received 1 for 2 codes; allowed: one for each code. Check how the two were selected.",
        ),
        (
            lambda index: index.remove(["x", "y"]),
            "names: received 'x' and 1 more; allowed: names that are in the index. Check the spelling.",
        ),
        (
            lambda index: index.duplicates(),
            "within: received None for an index that has no threshold of its own; allowed: a distance of codes. Try within=0.1, and look at what is found.",
        ),
        (
            lambda index: (
                ImageIndex(cast("MetricName", "manhattan"))
                .add(np.zeros((1, 8)))
                .search(np.zeros((1, 8)))
            ),
            "metric: received 'manhattan'; allowed: euclidean, cosine, standardised, whitened. Try 'cosine'.",
        ),
        (
            lambda index: ImageIndex().save("x"),
            "index: received one without codes; allowed: codes in it. Add some first.",
        ),
    ],
    ids=range(11),
)
def test_what_cannot_be_is_refused(
    call: Callable[[ImageIndex], object], message: str
) -> None:
    index = ImageIndex().add(drawn(4), names="0123", labels=["a", "b", None, None])
    with pytest.raises(ArgumentError) as refused:
        call(index)
    assert str(refused.value) == message
    assert len(index) == 4


def test_any_transformer_of_scikit_learn_gives_codes() -> None:
    images = load("digits", "test[:200]")
    flat = np.asarray(images.pixels).reshape(200, -1)
    codes = PCA(16, random_state=0).fit_transform(flat)
    index = ImageIndex("cosine").add(codes, names=images.names, labels=images.labels)
    found = index.search(codes, 2)
    assert found.names[:, 0].tolist() == list(images.names)
    assert (found.labels[:, 0] == found.labels[:, 1]).mean() > 0.7


def test_arrow_tables_bring_their_names_and_labels() -> None:
    codes = drawn(3)
    table = pa.table(
        {"name": ["a", "b", "c"], "label": ["x", None, "y"], "code": [*codes]}
    )
    index = ImageIndex().add(table)
    assert (index.names, index.labels) == (["a", "b", "c"], ["x", None, "y"])
    np.testing.assert_array_equal(index.codes, codes)
    with pytest.raises(ArgumentError, match="a table with the columns name, label"):
        ImageIndex().add(table.drop_columns("code"))
