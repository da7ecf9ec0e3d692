"""What is said of what cannot be read or done, word for word."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from caes.data.decode.opening import Encoded
from caes.data.decode.pictures import decode, quiet_decoding
from caes.data.formats.format import UnreadableError
from caes.data.reading import Reading
from caes.errors import CaesError, DataError

FORMATS = "PNG, JPEG, BMP, WebP, GIF, TIFF, DICOM or FITS"
NO_PICTURE = f"not a {FORMATS} picture"


def refused(
    do: Callable[..., Any],
    *given: Any,
    error: type[CaesError] = DataError,
    **options: Any,
) -> str:
    """Give the sentence of the error that a call ends with."""
    with pytest.raises(error) as caught:
        do(*given, **options)
    return str(caught.value)


@contextmanager
def refusing(error: type[Exception], message: str) -> Iterator[None]:
    """Expect an error that says this sentence, and nothing else."""
    with pytest.raises(error) as caught:
        yield
    assert str(caught.value) == message


def unreadable(picture: Encoded, reading: Reading | None = None) -> str:
    """Give the reason for which a picture cannot be decoded."""
    with quiet_decoding(), pytest.raises(UnreadableError) as caught:
        decode(picture, reading or Reading())
    return str(caught.value)
