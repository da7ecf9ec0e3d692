"""Which pictures without a label would teach most if they had one."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import MiniBatchKMeans

from caes.data import ImageSet
from caes.data.labels.labelled import labels_of
from caes.data.scaling import Scaling
from caes.errors import DataError
from caes.estimators import CAEClassifier
from caes.files import TableWriter, write_whole
from caes.report.numbers import sure
from caes.report.pictures import Strip, enlarged, enlargement, labels, montage, tile

POOL = 10
"""The least sure pictures that are chosen among, for each one that is asked for."""
COLUMNS = 8
"""Of a contact sheet."""
TABLE, SHEET = "suggestions.csv", "suggestions.png"


def suggest(
    classifier: CAEClassifier, images: ImageSet, count: int, folder: Path
) -> list[Path]:
    """Write a table and a contact sheet of pictures that are worth labelling next.

    Of the pictures without a label those come first whose two likeliest classes are
    closest (margin sampling, Scheffer et al. 2001); among ten times as many as are
    asked for, one of each of so many clusters of what the classifier says, so that
    they are not all alike.

    Raises:
        DataError: Every picture has a label.
    """
    open_ones = np.flatnonzero(labels_of(images) < 0)
    if not len(open_ones):
        raise DataError(
            images.source,
            "a label for every picture",
            "pictures without a label, to choose from",
            "Give fewer labels, as with --labels 60, or a table of those known.",
        )
    told = classifier.predict_proba(images[open_ones])
    rows = _chosen(told, min(count, len(open_ones)))
    names = classifier.class_names_
    with TableWriter(folder / TABLE) as table:
        table.row(["name", "class", "probability", "second", "its probability"])
        for row in rows.tolist():
            second, first = np.argsort(told[row], kind="stable")[-2:].tolist()
            pair = (names[at] for at in (first, second))
            best, next_best = (f"{told[row, at]:.6f}" for at in (first, second))
            name = images.names[open_ones[row]]
            table.row([name, next(pair), best, next(pair), next_best])
    write_whole(folder / SHEET, _sheet(images[open_ones[rows]], told[rows], names))
    return [folder / TABLE, folder / SHEET]


def _chosen(told: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Give rows, the least sure first, one of each cluster of N×K probabilities."""
    ordered = np.sort(told, axis=1)
    margins = ordered[:, -1] - ordered[:, -2]
    pool = np.argsort(margins, kind="stable")[: POOL * count]
    if len(pool) <= count:
        return pool
    groups = MiniBatchKMeans(count, random_state=0, n_init=1).fit_predict(told[pool])
    firsts = np.sort(np.unique(groups, return_index=True)[1])
    others = np.setdiff1d(np.arange(len(pool)), firsts)
    taken = np.concatenate([firsts, others])[:count]
    return np.asarray(pool[np.sort(taken)], np.int64)


def _sheet(
    images: ImageSet, told: NDArray[np.float32], classes: tuple[str, ...]
) -> bytes:
    """Draw the pictures over the likeliest class and how sure the classifier is."""
    names = labels(classes, longest=12)
    unit = Scaling(*images.value_range).to_unit(np.asarray(images.pixels))
    tiles = [tile(each) for each in unit]
    factor = 2 * enlargement(tiles[0])
    texts = [
        f"{names[each.argmax()]}?\n{sure(float(each.max()))} sure" for each in told
    ]
    strips = [Strip([], "Worth a label next, the least sure first")]
    for at in range(0, len(tiles), COLUMNS):
        some = [enlarged(each, factor) for each in tiles[at : at + COLUMNS]]
        strips.append(Strip(some, texts=texts[at : at + COLUMNS]))
    return montage(strips)
