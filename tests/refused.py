"""What is refused, and the whole sentence that says so."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def refused(error: type[Exception], message: str) -> Iterator[None]:
    """Expect an error that says this, and nothing else."""
    with pytest.raises(error) as caught:
        yield
    assert str(caught.value) == message
