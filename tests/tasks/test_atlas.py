"""Codes laid out in two dimensions."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pyarrow import parquet
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness

from caes.report.pages.atlas import CELL, SIDE, Points, atlas_png, cells
from caes.runs.codes import Codes, Part
from caes.runs.pictures import Opening
from caes.tasks import atlas
from caes.tasks.atlas import lay_out, sample, write, write_coordinates
from caes.tasks.thumbnails import thumbnails
from tests import stripes


def groups(n: int, seed: int = 0) -> NDArray[np.float32]:
    """Give codes of three groups that lie far apart on a circle in 6 dimensions."""
    draw = np.random.default_rng(seed)
    middles = np.eye(3, 6) * 20
    return (middles[np.arange(n) % 3] + draw.normal(size=(n, 6))).astype(np.float32)


def table(codes: NDArray[np.float32], labels: list[str | None] | None = None) -> Codes:
    names = [f"{row}.png" for row in range(len(codes))]
    return Codes(Part(names, labels or [None] * len(codes), codes, None), None)


def test_pca_gives_the_first_two_components_and_its_own_figure() -> None:
    codes = groups(90)
    found = lay_out(codes, "pca", 0)
    expected = PCA(2).fit_transform(codes)
    signs = np.sign((expected * found.places).sum(0))
    np.testing.assert_allclose(found.places, expected * signs, rtol=1e-3, atol=1e-4)
    kept = trustworthiness(codes, found.places, n_neighbors=10)
    assert found.kept == pytest.approx(kept)
    assert found.kept_by_pca == found.kept


def test_t_sne_keeps_groups_together_and_the_same_seed_gives_the_same() -> None:
    codes = groups(90)
    found = lay_out(codes, "tsne", 3)
    assert found.kept > 0.8
    middles = np.stack([found.places[at::3].mean(0) for at in range(3)])
    away = np.square(found.places[:, None] - middles).sum(2)
    np.testing.assert_array_equal(away.argmin(1), np.arange(90) % 3)
    np.testing.assert_array_equal(lay_out(codes, "tsne", 3).places, found.places)


def test_rows_beyond_the_sample_stand_among_their_nearest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(atlas, "MOST", 60)
    monkeypatch.setattr(atlas.sample, "__defaults__", (60,))
    codes = groups(150)
    found = lay_out(codes, "tsne", 0)
    np.testing.assert_array_equal(found.fitted, sample(150, 0))
    assert len(found.fitted) == 60
    middles = np.stack(
        [found.places[found.fitted][found.fitted % 3 == at].mean(0) for at in range(3)]
    )
    away = np.square(found.places[:, None] - middles).sum(2)
    np.testing.assert_array_equal(away.argmin(1), np.arange(150) % 3)


@pytest.mark.parametrize(("n", "width"), [(1, 5), (2, 5), (3, 1), (11, 2)])
def test_few_rows_are_laid_out_by_pca(tmp_path: Path, n: int, width: int) -> None:
    codes = np.arange(n * width, dtype=np.float32).reshape(n, width) ** 1.5
    found = lay_out(codes, "tsne", 0)
    assert found.method == "pca"
    assert found.places.shape == (n, 2)
    assert np.isfinite(found.places).all()
    figures = write(tmp_path, Path("c.npy"), table(codes), found, {}, 0, "caes")
    json.dumps(figures, allow_nan=False)
    if n < 3:
        assert figures["trustworthiness"] is None
        page = (tmp_path / "index.html").read_text()
        assert "There are too few rows to have neighbourhoods." in page


def test_codes_that_are_all_the_same_lie_in_one_place() -> None:
    found = lay_out(np.ones((40, 5), np.float32), "tsne", 0)
    assert found.method == "pca"
    assert not found.places.any()


def test_no_picture_covers_another_and_each_is_near_its_place() -> None:
    draw = np.random.default_rng(0)
    places = draw.normal(size=(3000, 2)).astype(np.float32)
    tiles = {row: np.zeros((8, 8), np.uint8) for row in range(0, 3000, 2)}
    points = Points([""] * 3000, [None] * 3000, None, places, tiles)
    found = cells(points)
    assert len(found) == len({*found.values()}) > 100
    for (column, down), row in found.items():
        x, y = points.unit[row]
        assert row % 2 == 0
        assert abs(x * SIDE - (column + 0.5) * CELL) <= CELL / 2 + 1e-6
        assert abs((1 - y) * SIDE - (down + 0.5) * CELL) <= CELL / 2 + 1e-6
    # All cells with a point that has a picture have one.
    at = (points.unit[::2] * (1, -1) + (0, 1)) * (SIDE // CELL)
    filled = {*map(tuple, np.clip(at.astype(int), 0, SIDE // CELL - 1).tolist())}
    assert {*found} == filled


def test_many_classes_share_a_colour_and_unknown_ones_have_none() -> None:
    labels: list[str | None] = [f"{row % 25:02d}" for row in range(60)]
    labels[50:] = [None] * 10
    points = Points([""] * 60, labels, None, np.zeros((60, 2), np.float32), {})
    assert len(points.groups) == 22
    assert [group.name for group in points.groups[-2:]] == [
        "5 other classes",
        "no label",
    ]
    assert sum(group.pictures for group in points.groups) == 60
    counts = np.bincount(points.group_of, minlength=22)
    assert counts.tolist() == [group.pictures for group in points.groups]
    assert atlas_png(points).startswith(b"\x89PNG")


def test_coordinates_stand_beside_names_and_labels(tmp_path: Path) -> None:
    codes = groups(12)
    labels: list[str | None] = ["a", "b", None] * 4
    found = lay_out(codes, "pca", 0)
    write_coordinates(tmp_path / "c.parquet", table(codes, labels), found, {"a": 1})
    read = parquet.read_table(tmp_path / "c.parquet")
    assert read.column_names == ["name", "label", "x", "y"]
    assert read.column("label").to_pylist() == labels
    np.testing.assert_array_equal(read.column("y"), found.places[:, 1])
    assert json.loads(read.schema.metadata[b"caes"]) == {"a": 1}


def test_thumbnails_are_those_of_the_names(tmp_path: Path) -> None:
    stripes.write_folder(tmp_path / "photos", 3)
    opening = Opening(source=str(tmp_path / "photos"))
    found = thumbnails(opening, ["low/1.png", "high/2.png", "none.png"], 6)
    assert sorted(found) == ["high/2.png", "low/1.png"]
    assert found["low/1.png"].shape == (6, 6)
    whole = thumbnails(opening, ["low/1.png"], 64)["low/1.png"]
    np.testing.assert_array_equal(whole, stripes.pixels("low", 801))
    dark = thumbnails(opening, ["low/1.png"], 64, (0, 65535))["low/1.png"]
    np.testing.assert_array_equal(dark, whole)  # bytes among wider ones
    np.save(tmp_path / "deep.npy", np.full((2, 4, 4), 1000, np.uint16))
    deep = Opening(source=str(tmp_path / "deep.npy"))
    found = thumbnails(deep, ["00000"], 64, (0, 2000))
    assert (found["00000"] == 128).all()


def test_names_and_labels_cannot_end_the_page_s_script(tmp_path: Path) -> None:
    codes = groups(30)
    evil = "</script><script>alert(1)</script>"
    rows = Part([evil] * 30, [evil] * 30, codes, None)
    tiles = {0: np.zeros((4, 4), np.uint8)}
    found = lay_out(codes, "pca", 0)
    write(tmp_path, Path("c.npy"), Codes(rows, None), found, tiles, 0, "caes")
    page = (tmp_path / "index.html").read_text()
    assert page.count("<script") == 2
    assert page.count("</script>") == 2
    assert "alert(1)" in page
    assert "http" not in page.replace("http-equiv", "")
