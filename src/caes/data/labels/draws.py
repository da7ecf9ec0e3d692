"""Drawing rows: evenly over the classes, or a share to keep apart; seeds stay."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.random import Generator

from caes.data.imageset import ImageSet
from caes.data.labels.classes import NONE, Indices
from caes.data.labels.labelled import labels_of
from caes.errors import ArgumentError


def stratified(labels: Indices, count: int, seed: int) -> Indices:
    """Draw labelled pictures without replacement, as many of each class as possible.

    They are dealt in rounds: in each, every class that has pictures left gives one, in
    an order that the seed sets. So two classes differ by one picture at most, unless
    one has no more; and with the same seed a larger count adds rows and keeps all.

    The same seed, at least 0, draws the same ``count`` rows whatever NumPy's version,
    given ascending. Labels are N class indices, -1 for none.
    """
    present = np.unique(labels[labels >= 0])
    _check_count(count, len(present), int((labels >= 0).sum()))
    # Of NumPy's generators, only RandomState promises never to change its stream.
    random = np.random.RandomState(np.random.MT19937(np.random.SeedSequence(seed)))
    rounds, turns = np.zeros_like(labels), np.zeros_like(labels)
    for turn, label in enumerate(random.permutation(present)):
        rows = random.permutation(np.flatnonzero(labels == label))
        rounds[rows], turns[rows] = np.arange(len(rows)), turn
    rows = np.flatnonzero(labels >= 0)
    dealt = rows[np.lexsort((turns[rows], rounds[rows]))]
    return np.sort(dealt[:count]).astype(np.int64)


def _check_count(count: int, classes: int, available: int) -> None:
    if isinstance(count, int | np.integer) and classes <= count <= available != 0:
        return
    if not available:
        raise ArgumentError(
            "labels",
            f"{count}, and no picture has a label",
            "a number of labelled pictures",
            "Label some pictures first.",
        )
    raise ArgumentError(
        "labels",
        str(count),
        f"a whole number from {classes:,} (one for each class) to {available:,} (all "
        "that have a label)",
        f"Try labels={min(10 * classes, available)}.",
    )


def only(images: ImageSet, count: int, seed: int) -> ImageSet:
    """Forget all labels but ``count``, drawn from the seed, of every class alike."""
    labels = labels_of(images)
    kept = np.full(len(images), NONE, np.int64)
    rows = stratified(labels, count, seed)
    kept[rows] = labels[rows]
    return replace(images, labels=kept)


def only_of_each(images: ImageSet, count: int, seed: int) -> ImageSet:
    """Forget all labels but ``count`` of each class, or all it has, if fewer."""
    labels = labels_of(images)
    kept = np.full(len(images), NONE, np.int64)
    for label in np.unique(labels[labels >= 0]).tolist():
        own = np.where(labels == label, label, NONE)
        rows = stratified(own, min(count, int((own >= 0).sum())), seed)
        kept[rows] = label
    return replace(images, labels=kept)


def hold_out(images: ImageSet, share: float, seed: int) -> tuple[ImageSet, ImageSet]:
    """Keep a share of each class's labelled pictures apart to test on.

    Of at least two a class, at least one goes to each side: the rest, and those apart.
    """
    if not 0 < share < 1:
        raise ArgumentError(
            "--hold-out",
            f"{share:g} where the source has no labelled test split",
            "a share of the labelled pictures above 0 and below 1, to test on",
            "Try --hold-out 0.2.",
        )
    labels = labels_of(images)
    apart = np.zeros(len(images), bool)
    for label in np.unique(labels[labels >= 0]):
        own = np.where(labels == label, label, NONE)
        count = int((own >= 0).sum())
        apart[stratified(own, _share_of(count, share, least=1), seed)] = True
    test = replace(images[apart], split=f"{images.split} (held out)")
    return images[~apart], test


def keep_apart(
    images: ImageSet, share: float, groups: Sequence[str] | None = None
) -> tuple[ImageSet, ImageSet]:
    """Keep a share of the pictures apart to show; which ones, is always the same.

    Pictures of one of N groups stay together; where none can be apart, both are all.
    """
    of = np.arange(len(images))
    if groups is not None:
        of = np.unique(groups, return_inverse=True)[1]
    count = int(of.max()) + 1
    number = _share_of(count, share, least=0)
    if number == 0:
        return images, replace(images, split=f"{images.split} (the training pictures)")
    rest, apart = _drawn(count, number, np.random.default_rng(0))
    learn, show = (np.flatnonzero(np.isin(of, each)) for each in (rest, apart))
    return images[learn], replace(images[show], split=f"{images.split}, kept apart")


def split_rows(
    n: int, share: float, random: Generator, groups: Sequence[str] | None = None
) -> tuple[Indices, Indices]:
    """Draw the rows to learn from, and the share of them to watch, both sorted.

    Rows of one of N groups, where there are several, stay together.
    """
    of = np.unique(groups, return_inverse=True)[1] if groups else np.arange(n)
    if n > (count := int(of.max()) + 1) > 1:
        both = split_rows(count, share, random)
        learn, watch = (np.flatnonzero(np.isin(of, each)) for each in both)
        return learn, watch
    apart = round(n * share)
    if share and not 0 < apart < n:
        raise ArgumentError(
            "validation",
            f"{share:g} of {n} pictures",
            "a share that leaves at least one picture on each side",
            "Give more pictures, or validation=0.",
        )
    return _drawn(n, apart, random)


def _share_of(count: int, share: float, least: int) -> int:
    """The nearest number of pictures that leaves at least one."""
    return min(max(round(count * share), least), count - 1)


def _drawn(n: int, apart: int, random: Generator) -> tuple[Indices, Indices]:
    """Draw rows to be apart: the others and those, both sorted."""
    shuffled = random.permutation(n)
    return np.sort(shuffled[apart:]), np.sort(shuffled[:apart])
