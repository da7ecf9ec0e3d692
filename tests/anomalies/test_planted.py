"""Planted defects: where they say they are, of every kind, from nothing but the set."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caes.anomalies.planted import KINDS, WHOLE, any_defect, plant, strange


@pytest.mark.parametrize("kind", KINDS)
@given(
    seed=st.integers(0, 2**16),
    shape=st.tuples(st.integers(8, 60), st.integers(8, 60), st.sampled_from([1, 3])),
    grey=st.sampled_from([0.0, 0.5, 1.0, None]),
)
@settings(max_examples=15, deadline=None)
def test_a_defect_changes_the_picture_where_its_mask_is(
    kind: str, seed: int, shape: tuple[int, int, int], grey: float | None
) -> None:
    random = np.random.default_rng(seed)
    picture = random.random(shape).astype(np.float32)
    if grey is not None:
        picture[:] = grey
    other = random.random((9, 70, shape[2])).astype(np.float32)
    made = any_defect(picture, other, (kind,), random)
    assert made.picture.shape == shape
    assert made.picture.dtype == np.float32
    assert 0 <= made.picture.min() <= made.picture.max() <= 1
    assert made.mask.shape == shape[:2]
    assert made.mask.any()
    apart = np.abs(made.picture - picture).max(2)
    assert apart[~made.mask].max(initial=0) <= apart.max() / 10 + 1e-6


def test_larger_spots_are_larger_and_stronger_ones_stronger() -> None:
    picture = np.full((64, 64, 1), 0.5, np.float32)
    picture[::2] = 0.52

    def spots(size: float, contrast: float) -> list[float]:
        return [
            float(
                np.abs(
                    plant(
                        picture,
                        picture,
                        "spots",
                        size=size,
                        contrast=contrast,
                        random=np.random.default_rng(seed),
                    ).picture
                    - picture
                ).sum()
            )
            for seed in range(20)
        ]

    assert np.mean(spots(20, 2)) > 3 * np.mean(spots(8, 2))
    np.testing.assert_allclose(spots(12, 4), 2 * np.array(spots(12, 2)), rtol=1e-3)


@pytest.mark.parametrize("kind", [*KINDS, *WHOLE])
def test_the_same_seed_plants_the_same(kind: str) -> None:
    picture, other = np.random.default_rng(0).random((2, 20, 24, 1)).astype(np.float32)
    first, again = (
        strange(picture, other, kind, np.random.default_rng(5)) for _ in range(2)
    )
    np.testing.assert_array_equal(first, again)
    assert first.shape == picture.shape
    assert not np.array_equal(first, picture)
