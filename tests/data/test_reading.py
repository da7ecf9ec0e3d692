import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from caes.data.reading import Reading
from caes.errors import ArgumentError
from tests.refusals import refused

REFUSED: dict[str, tuple[list[Any], str]] = {
    "pages": (["rows"], 'pictures or channels. Try pages="channels".'),
    "channels": ([4], "1 (grey) or 3 (colour). Leave it out to keep them."),
    "resize": (["squeeze"], "stretch, crop, pad or random-crop. Try 'crop'."),
    "seed": ([-1, 0.5], "a whole number of at least 0. Try 0."),
    "size": (
        [(0, 5), (5,), 64, "64x96", (4.5, 4), (10**9, 10**9)],
        "height and width, two whole numbers from 1 to 65,535. Try size=(64, 96).",
    ),
    "tile": (
        [0, -1, 2.5, "128", True, (1, 2, 3), (4, 0)],
        "a side of 1 or more pixels, or (height, width). Try 128.",
    ),
    "overlap": (
        [16, 18, -1, 0.5, "2", False],
        "pixels from 0 to 15, below the tile's 16. Leave it out for an eighth of the tile.",
    ),
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in REFUSED for value in REFUSED[name][0]]
)
def test_what_cannot_be_is_refused(name: str, value: Any) -> None:
    given = {"tile": (16, 20)} | {name: value}
    assert refused(Reading, error=ArgumentError, **given) == (
        f"{name}: received {value!r}; allowed: {REFUSED[name][1]}"
    )


def test_tiles_are_never_prepared() -> None:
    assert refused(Reading, tile=4, prepare=True, error=ArgumentError) == (
        "prepare: received True with tiles; allowed: False or None with tiles, which "
        "are cut in memory. Leave prepare or tile out."
    )


@pytest.mark.parametrize(
    ("tile", "overlap", "tiles"),
    [
        (128, None, ((128, 128), 16)),
        (np.int64(5), None, ((5, 5), 0)),
        ([3, 4], 2, ((3, 4), 2)),
        ((128, 64), None, ((128, 64), 8)),
        ((128, 64), 63, ((128, 64), 63)),
        (None, None, None),
    ],
)
def test_a_tile_is_a_side_or_height_and_width(
    tile: Any, overlap: int | None, tiles: Any
) -> None:
    assert Reading(tile=tile, overlap=overlap).tiles == tiles


def test_numbers_of_numpy_become_plain() -> None:
    found = Reading(size=[np.int64(3), 4], seed=np.uint8(7))  # type: ignore[arg-type]
    assert (found.size, found.seed) == ((3, 4), 7)
    assert {type(found.seed), *map(type, found.size or ())} == {int}


def test_the_description_needs_no_numpy() -> None:
    code = "import sys, caes.data.reading; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False\n"
