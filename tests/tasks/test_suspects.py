"""Strangers among digits, on pairs of classes that nothing was chosen by."""

import numpy as np
import pytest

from caes import load
from caes.anomalies.album import Album
from caes.anomalies.detectors.shapes import Shapes
from caes.errors import DataError
from caes.tasks.suspects import Suspect, suspects


def _mixed(usual: int, strange: int) -> tuple[Album, set[str]]:
    digits = load("digits")
    labels = np.asarray(digits.labels)
    few = np.flatnonzero(labels == strange)[:21]
    rows = np.concatenate([np.flatnonzero(labels == usual), few])
    return Album.of(digits[rows]), {digits.names[row] for row in few}


def _ranked(album: Album, seed: int = 0) -> list[Suspect]:
    return suspects(album, seed=seed, steps=None, tell=lambda line: None)


def test_three_quarters_of_the_strangers_are_among_the_first_tenth() -> None:
    shares = []
    for usual in range(10):
        album, strangers = _mixed(usual, (usual + 3) % 10)
        first = {each.name for each in _ranked(album)[: round(len(album) / 10)]}
        shares.append(len(first & strangers) / len(strangers))
    assert np.mean(shares) >= 0.75


def test_a_chance_is_the_share_of_pictures_that_are_as_strange() -> None:
    ranked = _ranked(_mixed(3, 7)[0])
    assert [each.p_value for each in ranked] == pytest.approx(
        np.arange(1, len(ranked) + 1) / len(ranked)
    )
    assert {each.name for each in ranked} == {*_mixed(3, 7)[0].names}


def test_equal_pictures_are_all_as_strange_as_each_other() -> None:
    ranked = _ranked(Album.of(load(np.zeros((9, 8, 8), np.uint8))))
    assert {(each.strangeness, each.p_value) for each in ranked} == {(0.0, 1.0)}


def test_too_few_pictures_are_refused() -> None:
    album = Album.of(load("digits")[:7])
    with pytest.raises(DataError) as refused:
        _ranked(album)
    assert str(refused.value) == (
        "digits: received 7 pictures; allowed: at least 8, to compare each with "
        "others. Add pictures to the set."
    )


def test_shapes_that_a_fifth_does_not_have_are_not_learnt() -> None:
    """Vertical stripes, and few horizontal ones, which differ less from each other."""
    random = np.random.default_rng(0)
    pictures = np.tile(np.arange(16) // 2 % 2, (100, 16, 1)).astype(np.float32)
    pictures[90:] = pictures[90:].swapaxes(1, 2)
    pictures = (pictures + random.normal(0, 0.1, pictures.shape)).clip(0, 1)[..., None]
    shapes = Shapes()
    shapes.learn(pictures.astype(np.float32))
    scores = shapes.scores(pictures.astype(np.float32), None)
    assert np.median(scores) == pytest.approx(1)
    assert scores[90:].min() > 10 * scores[:90].max()
