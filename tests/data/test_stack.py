from typing import Any

import numpy as np
import pytest

from caes.data.decode.gather import Gatherer
from caes.data.decode.pictures import Decoded
from caes.data.imageset import Skipped

NAMES = [f"{number}" for number in range(300)]


@pytest.mark.parametrize("count", [1, 2, 8, 9, 64, 65, 300])
def test_all_pictures_are_kept_however_many_come(count: int) -> None:
    gatherer = Gatherer(300, "somewhere")
    pictures = np.random.default_rng(0).integers(0, 256, (count, 3, 4, 1), np.uint8)
    for row, picture in enumerate(pictures):
        gatherer.add(row, Decoded(picture, ("Seen",)))
    batch = gatherer.batch(NAMES)
    assert batch.pixels.tolist() == pictures.tolist()
    assert batch.rows == list(range(count))
    assert batch.notes == (f"Seen: {count}.",)


def test_widening_late_counts_every_picture_before() -> None:
    gatherer = Gatherer(300, "somewhere")
    for row in range(100):
        gatherer.add(row, Decoded(np.full((2, 2, 1), row, np.uint8)))
    gatherer.add(100, Decoded(np.full((2, 2, 3), 300, np.uint16)))
    batch = gatherer.batch(NAMES)
    assert batch.pixels[:100, 0, 0, 2].tolist() == [257 * row for row in range(100)]
    assert batch.notes == (
        "Grey pictures among colour ones were repeated to three channels: 100.",
        "8-bit pictures among 16-bit ones were multiplied by 257: 100.",
    )


@pytest.mark.parametrize("odd", [0, 7, 99])
def test_one_huge_odd_picture_takes_no_room_for_all(odd: int) -> None:
    gatherer: Any = Gatherer(10**9, "somewhere")
    for row in range(12):
        gatherer.add(row, Decoded(np.zeros((2, 2, 1), np.uint8)))
    gatherer.add(odd + 100, Decoded(np.zeros((2000, 2000, 5), np.float32)))
    batch = gatherer.batch(NAMES)
    assert len(batch.pixels) == 12
    assert batch.skipped == (
        Skipped(
            f"{odd + 100}",
            "5 channels of float32, while most pictures have 1 channel of uint8",
        ),
    )
    assert sum(group.pixels.nbytes for group in gatherer._groups.values()) < 10**9
