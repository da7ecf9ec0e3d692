import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from caes.report import confusion, scores
from caes.report.canvas import DARK, LIGHT, png

ROUNDS = st.tuples(st.integers(2, 6), st.integers(1, 60), st.integers(0, 999))


def answered(k: int, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, k, n), rng.integers(0, k, n)


@given(ROUNDS)
def test_confusions_and_scores_are_scikit_learns(size: tuple[int, int, int]) -> None:
    truth, given = answered(*size)
    k = size[0]
    counts = confusion.count_confusions(truth, given, k)
    every = list(range(k))
    np.testing.assert_array_equal(
        counts, metrics.confusion_matrix(truth, given, labels=every)
    )
    found = scores.scores(counts, [str(at) for at in every])
    expected = metrics.precision_recall_fscore_support(
        truth, given, labels=every, zero_division=np.nan
    )
    measured = [(each.precision, each.recall, each.f1, each.support) for each in found]
    np.testing.assert_allclose(np.array(measured).T, np.array(expected))


def test_what_is_not_defined_is_left_empty() -> None:
    counts = np.array([[3, 1, 0, 0], [0, 2, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]])
    rows = scores.scores(counts, ["a", "b", "c", "d"])
    assert scores.table(rows) == [
        ("class", "precision", "recall", "f1", "support"),
        ("a", "0.75", "0.75", "0.75", 4),
        ("b", "0.666667", "1", "0.8", 2),
        ("c", "", "", "", 0),
        ("d", "", "0", "0", 1),
    ]
    assert scores.mean_f1(rows) == pytest.approx((0.75 + 0.8 + 0) / 3)
    assert math.isnan(rows[2].f1)


def test_a_class_is_taken_for_its_most_frequent_wrong_answer() -> None:
    counts = np.array([[9, 1, 2], [0, 5, 0], [4, 4, 0]])
    rows = scores.scores(counts, ["a", "b", "c"])
    told = [(row.number, row.taken_for, row.taken) for row in rows]
    assert told == [(1, "c", 2), (2, "", 0), (3, "a", 4)]


def test_the_classes_with_most_mistakes_are_drawn_in_their_order() -> None:
    counts = np.diag(np.full(40, 7))
    counts[38, 3] = 2
    counts[5, 39] = 1
    drawn = confusion.confusion(counts, [str(at) for at in range(40)])
    assert drawn.total == 40
    assert list(drawn.names) == [*map(str, range(28)), "38", "39"]
    assert drawn.counts[28, 3] == 2
    assert drawn.shares[28, 3] == 2 / 9


def test_a_class_without_pictures_has_no_shares() -> None:
    drawn = confusion.confusion(np.array([[0, 0], [1, 3]]), ["a", "b"])
    assert drawn.shares.tolist() == [[0, 0], [0.25, 0.75]]


def test_the_matrix_has_its_classes_at_both_sides() -> None:
    table = confusion.table(np.array([[1, 2], [3, 4]]), ["a", "b, c"])
    assert table == [["true class", "a", "b, c"], ["a", 1, 2], ["b, c", 3, 4]]


def test_the_figure_has_a_number_for_every_cell_that_is_not_empty() -> None:
    counts = np.array([[12, 0, 3], [0, 0, 0], [1, 0, 5000]])
    drawn = confusion.confusion(counts, ["$a$", "b", "猫"])
    (axes,) = confusion.draw(drawn, LIGHT).axes
    placed = {text.get_position(): text.get_text() for text in axes.texts}
    assert placed == {(0, 0): "12", (2, 0): "3", (0, 2): "1", (2, 2): "5000"}
    names = [tick.get_text() for tick in axes.get_yticklabels()]
    assert names == ["$a$", "b", "no. 3"]


@pytest.mark.parametrize("k", [2, 10, 30, 100])
@pytest.mark.parametrize("name", ["", "a very long name, of a class: $x^$ <b>"])
def test_any_classes_can_be_drawn(k: int, name: str) -> None:
    truth, given = answered(k, 500, seed=0)
    counts = confusion.count_confusions(truth, given, k)
    drawn = confusion.confusion(counts, [f"{name}{at}" for at in range(k)])
    assert png(confusion.draw(drawn, DARK)).startswith(b"\x89PNG")


def test_right_and_wrong_have_colours_of_their_own() -> None:
    drawn = confusion.confusion(np.array([[4, 0], [4, 0]]), ["a", "b"])
    (image,) = confusion.draw(drawn, LIGHT).axes[0].images
    colours = np.asarray(image.get_array()) * 255
    paper, right, wrong = (
        tuple(bytes.fromhex(colour[1:]))
        for colour in (LIGHT.paper, LIGHT.first, LIGHT.second)
    )
    np.testing.assert_allclose(colours[0], [right, paper])
    np.testing.assert_allclose(colours[1], [wrong, paper])
