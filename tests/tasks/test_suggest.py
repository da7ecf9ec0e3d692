"""Which pictures are worth a label next."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from caes import CAE, CAEClassifier, ImageSet
from caes.data.labels.draws import only
from caes.data.labels.labelled import labels_of
from caes.errors import DataError
from caes.tasks.suggest import POOL, _chosen, suggest
from tests.refusals import refusing


def _classifier(images: ImageSet, stack: CAE) -> CAEClassifier:
    return CAEClassifier(stack, recipe="paper", epochs=1, random_state=0).fit(images)


def test_pictures_without_a_label_are_suggested_with_what_they_may_be(
    images: ImageSet, stack: CAE, tmp_path: Path
) -> None:
    train = only(images, 12, 0)
    paths = suggest(_classifier(train, stack), train, 3, tmp_path)
    assert paths == [tmp_path / "suggestions.csv", tmp_path / "suggestions.png"]
    with paths[0].open(newline="") as file:
        rows = list(csv.DictReader(file))
    known = {
        name for name, at in zip(train.names, labels_of(train), strict=True) if at >= 0
    }
    assert len(rows) == 3
    assert not known & {row["name"] for row in rows}
    for row in rows:
        assert float(row["probability"]) >= float(row["its probability"])
        assert row["class"] != row["second"]
    with Image.open(paths[1]) as sheet:
        assert sheet.size[0] > 100


def test_where_every_picture_has_a_label_there_is_nothing_to_suggest(
    images: ImageSet, stack: CAE, tmp_path: Path
) -> None:
    message = f"{images.source}: received a label for every picture; allowed: pictures without a label, to choose from. Give fewer labels, as with --labels 60, or a table of those known."
    with refusing(DataError, message):
        suggest(_classifier(images, stack), images, 3, tmp_path)


@pytest.mark.parametrize("count", [1, 5, 40, 400])
def test_the_least_sure_are_chosen_and_not_all_alike(count: int) -> None:
    random = np.random.default_rng(0)
    told = random.dirichlet([1, 1, 1, 1], 300).astype(np.float32)
    rows = _chosen(told, count)
    assert len({*rows.tolist()}) == min(count, 300)
    ordered = np.sort(told, 1)
    margins = ordered[:, -1] - ordered[:, -2]
    pool = {*np.argsort(margins, kind="stable")[: POOL * count].tolist()}
    assert {*rows.tolist()} <= pool
    if count == 5:
        assert len({*told[rows].argmax(1).tolist()}) >= 3
