"""What filters are like, and the figure of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from caes import CAE
from caes import load as load_all
from caes.tasks.studies import filters as module
from caes.tasks.studies.filters import (
    AUTOENCODERS,
    concentration,
    draw_filters,
    impulse_response,
)
from tests.cli.conftest import table
from tests.tasks.conftest import Fits, Interrupt


def test_a_delta_lies_on_one_pixel_and_a_flat_filter_on_all() -> None:
    filters = np.zeros((5, 7, 7, 2), np.float32)  # zeros lie on one, by convention
    filters[0, 2, 5] = (3, -4)
    filters[1] = -0.25
    filters[2, :, :, 1] = np.where(np.indices((7, 7)).sum(0) % 2, 0.5, -0.5)
    filters[3, 0, 0, 0], filters[3, 4, 4, 0] = 2, -2
    np.testing.assert_allclose(concentration(filters), [1, 49, 49, 2, 1])


def test_random_weights_lie_on_a_third_of_the_pixels() -> None:
    # E[w²]² / E[w⁴] is 1/3 for a normal variable.
    filters = np.random.default_rng(0).normal(size=(50, 31, 31, 1))
    found = concentration(filters.astype(np.float32)) / 31**2
    assert found.mean() == pytest.approx(1 / 3, rel=0.03)


@given(st.integers(0, 2**32), st.sampled_from([1, 3]), st.floats(1e-3, 1e3))
def test_it_is_between_1_and_all_and_knows_no_scale(
    seed: int, channels: int, scale: float
) -> None:
    draw = np.random.default_rng(seed)
    filters = draw.normal(size=(4, 3, 3, channels)).astype(np.float32)
    found = concentration(filters)
    assert (found >= 1).all()
    assert (found <= 9).all()
    again = concentration((filters * scale).astype(np.float32))
    np.testing.assert_allclose(again, found, rtol=1e-4)


def naive_response(filters: NDArray[np.float32]) -> NDArray[np.float64]:
    """Σ W(y, x) W(y + dy, x + dx), loop by loop; the mean over channels."""
    _, side, _, channels = filters.shape
    found = np.zeros((2 * side - 1, 2 * side - 1))
    for y, x, v, u in np.ndindex(side, side, side, side):
        product = (filters[:, y, x] * filters[:, v, u]).sum() / channels
        found[y - v + side - 1, x - u + side - 1] += product
    return found


@pytest.mark.parametrize(("side", "channels"), [(1, 1), (3, 1), (4, 3)])
def test_the_response_to_one_pixel_is_as_by_loops(side: int, channels: int) -> None:
    draw = np.random.default_rng(side)
    filters = draw.normal(size=(3, side, side, channels)).astype(np.float32)
    found = impulse_response(filters)
    assert found.shape == (2 * side - 1, 2 * side - 1)
    np.testing.assert_allclose(found, naive_response(filters), atol=1e-6)
    # Its middle is the energy, which nothing else exceeds; it is even.
    energy = (filters.astype(np.float64) ** 2).sum() / channels
    assert found[side - 1, side - 1] == pytest.approx(energy)
    assert np.abs(found).max() <= energy * (1 + 1e-9)
    np.testing.assert_allclose(found, found[::-1, ::-1], atol=1e-9)


def test_filters_that_only_copy_answer_a_pixel_with_a_pixel() -> None:
    # Shifted deltas, one a filter: each picks a pixel and puts it back.
    filters = np.eye(9, dtype=np.float32).reshape(9, 3, 3, 1)
    wanted = np.zeros((5, 5))
    wanted[2, 2] = 9
    np.testing.assert_allclose(impulse_response(filters), wanted)


@pytest.fixture
def few(fits: Fits, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Learn from few pictures; give what was trained."""
    monkeypatch.setattr(
        module, "load", lambda data, split: load_all(data, "train[:64]")
    )
    return fits.stacks


def test_the_figure_and_its_table_are_written_and_kept(
    tmp_path: Path, few: list[str]
) -> None:
    told: list[str] = []
    draw_filters(tmp_path, quick=True, say=told.append)
    rows = table(tmp_path / "filters-quick.csv")
    assert [row["autoencoder"] for row in rows] == [*AUTOENCODERS]
    assert len(few) == 4
    for row in rows:
        assert (row["data"], row["of"]) == ("digits", "49")
        assert (row["pictures"], row["epochs"]) == ("64", "3")
        kept = CAE.load(
            tmp_path / "filters" / f"digits-{row['autoencoder'].replace(' ', '-')}"
        )
        filters = kept.first_filters()
        assert filters is not None
        assert filters.shape == (20, 7, 7, 1)
        assert row["pixels"] == f"{np.median(concentration(filters)):.2f}"
        # By the theorem of Wiener and Khinchin, on a torus that is large enough.
        spectrum = np.abs(np.fft.fft2(filters[..., 0], (13, 13))) ** 2
        answer = np.fft.ifft2(spectrum.sum(0)).real ** 2
        spread = answer.sum() ** 2 / (answer**2).sum()
        assert float(row["response"]) == pytest.approx(spread, abs=0.006)
        assert kept.noise == AUTOENCODERS[row["autoencoder"]].get("noise")
    first = rows[0]
    expected = f"digits, clean: a filter lies on {first['pixels']} of 49 pixels, the linear response to one pixel on {first['response']} of 169"
    assert told[0] == expected
    figure = tmp_path / "filters-digits.png"
    assert told[4] == str(figure)
    with Image.open(figure) as image:
        assert image.format == "PNG"
        width, height = image.size
        assert width > height > 200
        shades = np.unique(np.asarray(image.convert("L")))
        assert len(shades) > 50

    before = figure.read_bytes()
    again: list[str] = []
    draw_filters(tmp_path, quick=True, say=again.append)
    assert len(few) == 4
    assert again == told
    assert table(tmp_path / "filters-quick.csv") == rows
    assert figure.read_bytes() == before


def test_an_auto_encoder_that_was_deleted_is_trained_again_and_counted_once(
    tmp_path: Path, few: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clean: dict[str, Any] = {"clean": AUTOENCODERS["clean"]}
    monkeypatch.setattr(module, "AUTOENCODERS", clean)
    draw_filters(tmp_path, quick=True, say=print)
    (tmp_path / "filters" / "digits-clean").rename(tmp_path / "elsewhere")
    draw_filters(tmp_path, quick=True, say=print)
    assert few == ["20C7", "20C7"]
    assert len(table(tmp_path / "filters-quick.csv")) == 1


def test_a_training_that_was_interrupted_is_not_kept(
    tmp_path: Path, few: list[str], interrupt: Interrupt
) -> None:
    interrupt(CAE)
    with pytest.raises(KeyboardInterrupt):
        draw_filters(tmp_path, quick=True, say=print)
    assert few == ["20C7"]
    assert [path.name for path in tmp_path.iterdir()] == ["filters-quick.csv"]
    assert table(tmp_path / "filters-quick.csv") == []
