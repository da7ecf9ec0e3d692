"""What goes wrong, in one line: argument, value, what is allowed, what to do now."""

import unicodedata
from collections.abc import Iterable

_UNSEEN = ("Cc", "Cs", "Zl", "Zp")  # control characters, half a pair, ends of lines


def by_signs(shape: Iterable[int]) -> str:
    """Write sizes as 28×28×1."""
    return "×".join(map(str, shape))


def visible(text: str) -> str:
    r"""Escape what could end a line or command a terminal, and half a UTF-16 pair.

    >>> visible("a\n\x1b[31mb")
    'a\\n\\x1b[31mb'
    """
    if text.isprintable():
        return text
    return "".join(
        letter.encode("unicode_escape").decode()
        if unicodedata.category(letter) in _UNSEEN
        else letter
        for letter in text
    )


class CaesError(Exception):
    """The base of every error that caes raises on purpose.

    Its text is one line, ready for a terminal:
    ``epochs: received -3; allowed: a whole number of at least 1. Try epochs=20.``

    Args:
        argument: The argument, option, file or folder at fault.
        received: The value that came, already written out (use ``repr`` for strings).
        allowed: What would have been accepted.
        next_step: One sentence on what to do now, with its full stop.
    """

    def __init__(
        self, argument: str, received: str, allowed: str, next_step: str
    ) -> None:
        super().__init__(argument, received, allowed, next_step)
        self.argument = argument
        self.received = received
        self.allowed = allowed
        self.next_step = next_step

    def __str__(self) -> str:
        sentence = (
            f"{self.argument}: received {self.received}; "
            f"allowed: {self.allowed}. {self.next_step}"
        )
        return visible(" ".join(sentence.split()))


class ArgumentError(CaesError, ValueError):
    """An argument or option has a value that cannot work."""


class NotationError(ArgumentError):
    """A network such as ``16C3-MP2`` cannot be read, or does not fit the picture."""


class DataError(CaesError, ValueError):
    """Pictures are missing, unreadable, or not of the form that was asked for."""


class MixedSizesError(DataError):
    """Pictures of several sizes, and no size given to bring them to."""


class RunError(CaesError):
    """A run folder is missing, damaged, or from a newer version."""


class OutputError(CaesError):
    """Something could not be written; what was on disk before is still there."""
