"""Ways to damage a file, from a cut to a number that cannot be."""

import re
import struct
from random import Random

EXTREMES = (0, 1, 2, 255, 65_535, 65_536, 2**31 - 1, 2**32 - 1, 2**63 - 1, -1, -(2**31))
WORDS = (b"0", b"1", b"-1", b"65535", b"2147483647", b"4294967295", b"1e999", b"nan")
HEADER = 512
"""Bytes in which most formats say how large a picture is."""
LONGEST = 2**22
"""Bytes above which no file grows."""


def truncated(random: Random, content: bytes) -> bytes:
    return content[: random.randint(0, len(content))]


def beheaded(random: Random, content: bytes) -> bytes:
    return content[random.randint(0, min(HEADER, len(content))) :]


def flipped(random: Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(random.randint(1, 12)):
        changed[_place(random, content)] ^= 1 << random.randrange(8)
    return bytes(changed)


def overwritten(random: Random, content: bytes) -> bytes:
    start, stop = _span(random, content)
    return content[:start] + random.randbytes(stop - start) + content[stop:]


def copied(random: Random, content: bytes) -> bytes:
    start, stop = _span(random, content)
    place = _place(random, content)
    return content[:place] + content[start:stop] + content[place:]


def swapped(random: Random, content: bytes) -> bytes:
    one, two, three = sorted(random.randint(0, len(content)) for _ in range(3))
    return content[:one] + content[two:three] + content[one:two] + content[three:]


def zeroed(random: Random, content: bytes) -> bytes:
    start, stop = _span(random, content)
    return content[:start] + bytes(stop - start) + content[stop:]


def removed(random: Random, content: bytes) -> bytes:
    start, stop = _span(random, content)
    return content[:start] + content[stop:]


def inserted(random: Random, content: bytes) -> bytes:
    place = _place(random, content)
    more = random.randbytes(random.choice([1, 2, 16, 300]))
    return content[:place] + more + content[place:]


def extreme(random: Random, content: bytes) -> bytes:
    """Write a number that no reader expects, of any width and byte order."""
    width, order = random.choice([2, 4, 8]), random.choice("<>")
    number = random.choice(EXTREMES) % 2 ** (8 * width)
    place = _place(random, content)
    if random.random() < 0.5:
        place -= place % 2
    form = {2: "H", 4: "I", 8: "Q"}[width]
    written = struct.pack(order + form, number)
    return content[:place] + written + content[place + width :]


def renumbered(random: Random, content: bytes) -> bytes:
    """Write another number in the place of one that is text, as in FITS and JSON."""
    found = list(re.finditer(rb"\d+(\.\d+)?", content[: 16 * HEADER]))
    if not found:
        return extreme(random, content)
    old, new = random.choice(found), random.choice(WORDS)
    kept = len(old[0]) if random.random() < 0.5 else len(new)
    new = new[:kept].ljust(kept)
    return content[: old.start()] + new + content[old.end() :]


MUTATIONS = (
    *(truncated, beheaded, flipped, flipped, overwritten, copied, swapped),
    *(zeroed, removed, inserted, extreme, extreme, renumbered),
)
"""Each as often as it stands here."""


def mutated(random: Random, content: bytes, other: bytes) -> bytes:
    """Damage a file in one to four ways, or give it the end of another."""
    if random.random() < 0.08:
        return content[: _place(random, content)] + other[_place(random, other) :]
    if random.random() < 0.03:
        return content + other
    for _ in range(random.choice([1, 1, 1, 2, 3, 4])):
        content = random.choice(MUTATIONS)(random, content or b"\0")[:LONGEST]
    return content


def _place(random: Random, content: bytes) -> int:
    """A place in a file, one time in two within its header."""
    end = len(content) if random.random() < 0.5 else min(HEADER, len(content))
    return random.randrange(end) if end else 0


def _span(random: Random, content: bytes) -> tuple[int, int]:
    start = _place(random, content)
    return start, min(len(content), start + random.choice([1, 2, 4, 16, 64, 1024]))
