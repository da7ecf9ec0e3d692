"""Files of tables, damaged at random."""

from hypothesis import strategies as st


def damaged(data: st.DataObject, whole: bytes) -> bytes:
    """Change up to three bytes of a file's content, and perhaps cut off its end."""
    content = bytearray(whole)
    places = st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255))
    for place, value in data.draw(st.lists(places, max_size=3)):
        content[place] = value
    end = data.draw(st.one_of(st.none(), st.integers(0, len(content))))
    return bytes(content[:end])
