import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from caes import CAE
from caes.data.decode.tiles import starts
from caes.data.scaling import Scaling
from caes.errors import ArgumentError
from caes.nn.architecture import parse
from caes.nn.stack import autoencoder
from caes.nn.windows import TiledInference
from tests.refusals import refused

NETWORKS: list[tuple[str, dict[str, Any]]] = [
    ("4C3-MP2-3C3-MP2", {}),
    ("4C4-MP3-3C2-MP2", {}),
    ("3C5-MP2-3C3", {"decoder": "tied"}),
    ("3C5-MP2-3C4-MP2", {"decoder": "tied", "padding": "valid"}),
    ("3C4-MP2-3C3-MP2", {"decoder": "untied", "padding": "valid", "normalised": True}),
]


def _waves(height: int, width: int, channels: int = 1) -> NDArray[np.float32]:
    y, x, c = np.ogrid[:height, :width, :channels]
    return (0.5 + 0.2 * np.sin(y / 5 + c) + 0.2 * np.cos(x / 7)).astype(np.float32)


def _learnt(arch: str, **options: Any) -> CAE:
    """Learnt waves on tiles of 32×32."""
    pictures = [_waves(90, 121), _waves(64, 57), _waves(20, 200)]
    return CAE(arch, learning_rate=0.01, random_state=0, tile=32, **options).fit(
        pictures
    )


@pytest.fixture(scope="module")
def cae() -> CAE:
    return _learnt("8C3-MP2-4C3-MP2", epochs=30, overlap=8)


@pytest.fixture(scope="module")
def dense() -> CAE:
    return _learnt("4C3-MP2-32N", epochs=10)


@pytest.mark.parametrize("size", [(97, 61), (50, 131), (14, 200), (101, 14)])
@pytest.mark.parametrize("tile", [(16, 16), (24, 40)])
@pytest.mark.parametrize(("text", "options"), NETWORKS)
def test_by_tiles_codes_and_reconstructions_are_those_of_the_whole_picture(
    text: str, options: dict[str, Any], tile: tuple[int, int], size: tuple[int, int]
) -> None:
    arch = replace(parse(text), **options)
    model = autoencoder(arch, (32, 32, 2), 1).eval()
    picture = np.random.default_rng(0).integers(0, 256, (*size, 2), np.uint8)
    scaling = Scaling(0, 255)
    whole = torch.from_numpy(scaling.to_unit(picture[None]))
    through = TiledInference(model, scaling, tile)
    with torch.inference_mode():
        codes, again = model.encode(whole)[0].numpy(), model(whole)[0].numpy()
    np.testing.assert_allclose(
        np.concatenate([*through.encoded(picture)]), codes, atol=3e-6
    )
    np.testing.assert_allclose(
        np.concatenate([*through.reconstructed(picture)]), again, atol=3e-6
    )


def test_a_window_is_a_tile_with_its_context_around_it() -> None:
    model = autoencoder(parse("4C3-MP2-3C3-MP2"), (32, 32, 1), 1).eval()
    assert (model.arch.context, model.arch.stride) == (3, 4)
    seen: list[tuple[int, ...]] = []
    model.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape[1:]))
    through = TiledInference(model, Scaling(0, 255), (24, 40))
    assert [*through.reconstructed(np.zeros((97, 131, 1), np.uint8))]
    assert {*seen} == {(24 + 2 * 3 * 4, 40 + 2 * 3 * 4, 1)}


def test_a_tile_of_less_than_a_cell_is_one_cell() -> None:
    text, options = NETWORKS[-1]
    model = autoencoder(replace(parse(text), **options), (32, 32, 1), 1).eval()
    picture = np.random.default_rng(0).integers(0, 256, (40, 29, 1), np.uint8)
    through = TiledInference(model, Scaling(0, 255), (2, 3))
    with torch.inference_mode():
        codes = model.encode(torch.from_numpy(picture[None] / np.float32(255)))[0]
    found = np.concatenate([*through.encoded(picture)])
    np.testing.assert_allclose(found, codes.numpy(), atol=3e-6)


@pytest.mark.parametrize("size", [(31, 31), (37, 113), (200, 5000), (5, 4), (128, 128)])
def test_what_was_trained_on_tiles_runs_on_any_size(
    cae: CAE, size: tuple[int, int]
) -> None:
    picture = _waves(*size)[None]
    found = cae.reconstruct(picture)
    assert found.shape == picture.shape
    assert found.dtype == np.float32
    whole = CAE.reconstruct(_without_tiles(cae), picture)
    np.testing.assert_allclose(found, whole, atol=3e-6)
    codes = cae.transform(picture)
    assert codes.shape == (1, np.prod(cae.architecture_.code_shape((*size, 1))))
    np.testing.assert_allclose(codes, _without_tiles(cae).transform(picture), atol=3e-5)
    assert cae.score(picture) == pytest.approx(-np.square(found - picture).mean())


def _without_tiles(cae: CAE) -> CAE:
    twin = CAE(cae.arch)._adopt(cae._run())
    twin.n_features_in_, twin._flat = cae.n_features_in_, False
    return twin


def test_pictures_below_the_network_s_smallest_are_mirrored_and_cropped_back(
    cae: CAE,
) -> None:
    picture = _waves(3, 1)[None]
    found = cae.reconstruct(picture)
    assert found.shape == picture.shape
    larger = np.pad(picture, [(0, 0), (0, 1), (0, 3), (0, 0)], mode="symmetric")
    np.testing.assert_allclose(found, cae.reconstruct(larger)[:, :3, :1], atol=1e-6)


def test_no_seam_is_left_where_tiles_are_blended(dense: CAE) -> None:
    y, x = np.mgrid[:150, :210]
    for picture in (np.full((150, 210), 0.5), 0.3 + (y / 150 + x / 210) / 5):
        given = picture.astype(np.float32)[None, ..., None]
        again = dense.reconstruct(given)[0, ..., 0]
        for lines in (again, again.T):
            jumps = np.abs(np.diff(lines, axis=0)).mean(axis=1)
            begins = np.array(starts(len(lines), 32, 4))
            ends = begins[:-1] + 32
            borders = np.concatenate([begins[1:], ends[ends < len(lines)]]) - 1
            inner = np.ones(len(jumps), bool)
            inner[borders] = inner[:8] = inner[-8:] = False
            assert jumps[borders].max() <= 1.6 * jumps[inner].max() + 1e-6


def test_winners_over_whole_maps_make_tiles_that_are_blended() -> None:
    pictures = np.stack([_waves(64, 64), 1 - _waves(64, 64)])
    options: dict[str, Any] = {"decoder": "tied", "sparsity": "wta", "random_state": 0}
    stack = CAE("4C5-MP2", epochs=1, tile=16, overlap=4, **options).fit(pictures)
    assert not stack.model_.is_local
    picture = _waves(40, 61)
    found = stack.reconstruct(picture[None])
    first = stack.reconstruct(picture[None, :16, :16])
    np.testing.assert_allclose(found[0, :12, :12], first[0, :12, :12], atol=1e-6)
    codes = stack.transform(picture[None])  # winners are for reconstructing only
    np.testing.assert_allclose(
        codes, _without_tiles(stack).transform(picture[None]), atol=1e-6
    )


def test_dense_codes_are_those_of_the_tiles_row_by_row(dense: CAE) -> None:
    picture = _waves(60, 88)
    codes = dense.transform(picture[None]).reshape(2, 3, 32)
    for row, top in enumerate((0, 28)):
        for column, left in enumerate((0, 28, 56)):
            tile = picture[None, top : top + 32, left : left + 32]
            np.testing.assert_allclose(
                dense.transform(tile)[0], codes[row, column], atol=1e-5
            )


def test_bands_are_the_picture_and_its_reconstruction_from_the_top(cae: CAE) -> None:
    pictures = np.stack([_waves(70, 45), 1 - _waves(70, 45)])
    again = cae.reconstruct(pictures)
    for row, bands in enumerate(cae.bands(pictures)):
        before, after = (np.concatenate(each) for each in zip(*bands, strict=True))
        np.testing.assert_allclose(before, cae.to_unit(pictures)[row], atol=1e-7)
        np.testing.assert_allclose(after, again[row], atol=1e-6)


def test_the_tile_is_kept_with_the_run(cae: CAE, tmp_path: Any) -> None:
    cae.save(tmp_path / "run")
    again = CAE.load(tmp_path / "run")
    assert (again.tile, again.overlap) == (32, 8)
    picture = _waves(45, 70)[None]
    np.testing.assert_array_equal(again.reconstruct(picture), cae.reconstruct(picture))


def test_tiles_that_do_not_suit_the_network_are_refused(cae: CAE, dense: CAE) -> None:
    picture = _waves(40, 50)[None]
    for model, tiles, message in (
        (
            cae,
            {"tile": (3, 40)},
            "tile: received 3×40 for '8C3-MP2-4C3-MP2'; allowed: at least 4×4, which "
            "its poolings need. Try 128, or take MP parts away.",
        ),
        (
            cae,
            {"tile": 16, "overlap": 16},
            "overlap: received 16; allowed: pixels from 0 to 15, below the tile's 16. "
            "Leave it out for an eighth of the tile.",
        ),
        (
            dense,
            {"tile": 16},
            "tile: received 16×16 for a network with dense layers; allowed: 32×32, the "
            "size it was trained on. Give that one, or train with other tiles.",
        ),
        (
            _without_tiles(cae),
            {"overlap": 4},
            "overlap: received 4 without a tile; allowed: an overlap of tiles. Add "
            "tile=128, or leave it out.",
        ),
    ):
        assert (
            refused(model.reconstruct, picture, error=ArgumentError, **tiles) == message
        )
    assert refused(cae.reconstruct, np.zeros((1, 40, 50, 3))) == (
        "X: received pictures of 40×50×3; allowed: pictures of 1 channels. Load them "
        "with size= and channels= as the model was trained."
    )


SCENE = """
import resource
import numpy as np
from caes import CAE
small = np.random.default_rng(0).random((32, 64, 64), np.float32)
cae = CAE("16C3-MP2-8C3-MP2", epochs=1, tile=128, random_state=0)
cae.fit(small)
scene = np.full((1, 8000, 8000), 100, np.uint8)
scene[:, ::2] = 200
cae.scaling_ = type(cae.scaling_)(0, 255)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows = 0
for bands in cae.bands(scene):
    for _, again in bands:
        rows += len(again)
assert rows == 8000
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.slow
def test_a_scene_of_8000_by_8000_takes_less_than_200_mb_beside_itself() -> None:
    found = subprocess.run(
        [sys.executable, "-c", SCENE], capture_output=True, text=True, check=True
    )
    # The whole would take 4 GB for the first level's maps alone.
    assert int(found.stdout) < 200
