"""Opening labelled pictures as the command line's options say."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from caes.cli.sources import Opening, form_of, opened, parse_size, resize_of
from caes.data import ImageSet, split_names
from caes.data.labels.draws import hold_out, only
from caes.data.labels.labelled import (
    check_classes,
    labelled_only,
    labels_of,
    same_classes,
)
from caes.data.labels.tables import with_table

if TYPE_CHECKING:
    from caes.estimators import CAE


class Labelled(Opening, Protocol):
    """The options that say which labelled pictures are meant."""

    @property
    def split(self) -> str:
        """Which part to learn from."""

    @property
    def size(self) -> str | None:
        """HEIGHTxWIDTH, or None for the model's."""

    @property
    def hold_out(self) -> float:
        """Share of the labelled pictures to test on."""


def labelled_pictures(
    options: Labelled, labels: str | None, cae: "CAE", seed: int
) -> tuple[ImageSet, ImageSet]:
    """Open what to learn from, with labels for some or all of it, and what to test on.

    Args:
        options: Which pictures are meant.
        labels: A number of labels, the path of a table of them, or None for all.
        cae: Pictures come in the form that it was trained on.
        seed: Draws the labels, and the pictures that are kept apart.

    Raises:
        DataError: Pictures or labels that cannot be used.
        ArgumentError: Options that cannot be.
    """
    own, channels = form_of(cae)
    form = (parse_size(options.size) or own, channels, resize_of(options, cae))
    train, test = opened(options, options.split, *form), None
    count = int(labels) if labels and re.fullmatch(r"\d{1,18}", labels) else None
    if labels is not None and count is None:
        train = with_table(train, Path(labels))
    check_classes(labels_of(train), train.classes)
    if (
        "test" in split_names(options.source, pages=options.pages)
        and "test" not in options.split
    ):
        test = opened(options, "test", *form)
    if test is None or (labels_of(test) < 0).all():
        train, test = hold_out(train, options.hold_out, seed)
    test = same_classes(train, labelled_only(test))
    return (train if count is None else only(train, count, seed)), test
