"""Codes with names and labels, in the order in which they were added."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from caes.data.measures import DIGEST
from caes.errors import ArgumentError, by_signs
from caes.runs.codes import KEY, About
from caes.tasks.index import store
from caes.tasks.index.space import Points


class Rows:
    """Codes with names, labels, digests and small pictures, in Arrow tables.

    A row keeps its number for ever; one that was removed is not live any more.
    """

    def __init__(self) -> None:
        self.about: dict[str, Any] = {}
        self.live = np.zeros(0, bool)
        self._tables: list[Any] = []  # a segment each

    def __len__(self) -> int:
        return int(self.live.sum())

    @property
    def names(self) -> list[str]:
        """The names, in the order in which they were added."""
        return list(self.column("name")[self.rows])

    @property
    def labels(self) -> list[str | None]:
        """The labels, in the same order."""
        return list(self.column("label")[self.rows])

    @property
    def codes(self) -> Points:
        """The codes as they were added, N×d float32."""
        return self.take(self.rows)

    @property
    def rows(self) -> NDArray[np.int64]:
        """The rows that were not removed."""
        return np.flatnonzero(self.live)

    @property
    def size(self) -> int:
        """Values of a code; 0 while there is none."""
        return (
            self._tables[0].schema.field("code").type.list_size if self._tables else 0
        )

    def add(
        self,
        codes: ArrayLike,
        names: Iterable[str] | None = None,
        labels: Iterable[Any] | None = None,
        *,
        contents: Iterable[bytes] | None = None,
        thumbnails: NDArray[np.uint8] | None = None,
    ) -> Self:
        """Put codes in.

        Args:
            codes: N×d, finite numbers; or an Arrow table with the columns ``code``, a
                list of numbers, ``name`` and, where there are labels, ``label``, as
                `caes encode` writes it.
            names: N names that are not in the index yet; without them those of a table,
                or the rows' numbers, "00000" on.
            labels: N labels; None where there is none.
            contents: N digests: the same for what is the same picture.
            thumbnails: N×h×w×C small pictures, of one size in all of the index.

        Returns:
            The index itself.

        Raises:
            ArgumentError: Codes of another length, or not finite; a name that is
                there already, or twice; not as many names or labels as codes.
        """
        if hasattr(codes, "column_names"):
            self._take_run(codes)
            codes, names, labels = _out_of_table(codes, names, labels)
        table = self._table(codes, names, labels, contents, thumbnails)
        start = len(self.live)
        self._row_of |= {name.as_py(): start + at for at, name in enumerate(table[0])}
        self._tables.append(table)
        self.live = np.append(self.live, np.ones(len(table), bool))
        return self

    def _take_run(self, table: Any) -> None:
        """Take the run that a table of `caes encode` names; refuse another."""
        told = (table.schema.metadata or {}).get(KEY.encode())
        if told is not None:
            run = About.read(told).run
            self.check_run(run, "codes")
            self.about.setdefault("run", {"fingerprint": run})

    def _table(
        self,
        codes: Any,
        names: Iterable[str] | None,
        labels: Iterable[Any] | None,
        contents: Iterable[bytes] | None,
        thumbnails: NDArray[np.uint8] | None,
    ) -> Any:
        pa, values = store.arrow(), self._checked(codes)
        start = len(self.live)
        if names is None:
            names = [f"{start + row:05d}" for row in range(len(values))]
        called = [str(name) for name in names]
        told = labels if labels is not None else [None] * len(values)
        marks = [None if each is None else str(each) for each in told]
        for what, given in (("names", called), ("labels", marks)):
            if len(given) != len(values):
                raise ArgumentError(
                    what,
                    f"{len(given)} for {len(values)} codes",
                    "one for each code",
                    "Check how the two were selected.",
                )
        self._check_names(called)
        small = None
        if thumbnails is not None:
            self.about["thumbnail"] = list(thumbnails.shape[1:])
            small = [each.tobytes() for each in thumbnails]
        none = [None] * len(values)
        flat = pa.array(values.reshape(-1))
        return pa.table(
            [
                pa.array(called, pa.string()),
                pa.array(marks, pa.string()),
                pa.FixedSizeListArray.from_arrays(flat, values.shape[1]),
                pa.array(none if contents is None else [*contents], pa.binary()),
                pa.array(small or none, pa.binary()),
            ],
            schema=store.schema(values.shape[1]),
        )

    def _checked(self, codes: Any) -> Points:
        values = np.ascontiguousarray(codes, np.float32)
        size = self.size or (values.shape[1] if values.ndim == 2 else 0)
        if values.ndim != 2 or not size or values.shape[1] != size:
            raise ArgumentError(
                "codes",
                f"an array of {by_signs(values.shape)}",
                f"N×{size or 'd'}",
                "Pass what transform gives.",
            )
        if not np.isfinite(values).all():
            raise ArgumentError(
                "codes",
                "NaN or infinity",
                "finite numbers",
                "Drop these rows, or see what made them.",
            )
        return values

    def _check_names(self, names: Sequence[str]) -> None:
        known = self._row_of
        twice = len(names) - len({*names})
        there = [name for name in names if name in known]
        if there or twice:
            said = f"{there[0]!r}, which is there already" if there else "a name twice"
            more = f" ({len(there) - 1} more)" if len(there) > 1 else ""
            raise ArgumentError(
                "names",
                said + more,
                "names that the index does not have yet",
                "Remove them first, or put something before the new ones.",
            )

    @cached_property
    def _row_of(self) -> dict[str, int]:
        """The row of each name."""
        return dict(zip(self.names, self.rows.tolist(), strict=True))

    def holds(
        self, names: Sequence[str], contents: Sequence[bytes]
    ) -> NDArray[np.bool_]:
        """Tell which pictures are there, by name and digest: N."""
        known = self._row_of
        rows = np.array([known.get(name, -1) for name in names])
        found = rows >= 0
        kept = self.column("content", rows[found])
        same = [
            one == other
            for one, other in zip(kept, np.array(contents, object)[found], strict=True)
        ]
        found[found] = same
        return found

    def remove(self, names: Iterable[str]) -> Self:
        """Take codes out, by name.

        Returns:
            The index itself.

        Raises:
            ArgumentError: A name that is not there.
        """
        wanted, known = [*names], self._row_of
        if absent := [name for name in wanted if name not in known]:
            more = f" and {len(absent) - 1:,} more" if len(absent) > 1 else ""
            raise ArgumentError(
                "names",
                f"{absent[0]!r}{more}",
                "names that are in the index",
                "Check the spelling.",
            )
        self.live[[known[name] for name in wanted]] = False
        for name in {*wanted}:
            del known[name]
        return self

    def check_run(self, fingerprint: str | None, argument: str = "run") -> None:
        """Refuse codes of another run than this index has."""
        mine = self.about.get("run", {}).get("fingerprint")
        if mine and fingerprint and mine != fingerprint:
            raise ArgumentError(
                argument,
                f"codes of another run ({fingerprint[:19]})",
                f"codes of the run that the index has ({mine[:19]})",
                "Codes of two runs mean different things: build another index.",
            )

    def take(self, rows: NDArray[np.int64]) -> Points:
        """Give the codes of some rows, n×d, as they were added."""
        pieces = [each for table in self._tables for each in store.codes_of(table)]
        starts = np.cumsum([0, *(len(each) for each in pieces)])
        if len(pieces) == 1:
            return np.take(pieces[0], rows, axis=0)
        found = np.empty((len(rows), self.size), np.float32)
        at = np.searchsorted(starts, rows, "right") - 1
        for piece in np.unique(at):
            here = np.flatnonzero(at == piece)
            found[here] = np.take(pieces[piece], rows[here] - starts[piece], axis=0)
        return found

    def column(self, name: str, rows: NDArray[np.int64] | None = None) -> Any:
        """Give a column's values, of some rows or of all, as an array of objects."""
        pa = store.arrow()
        if not self._tables:
            return np.zeros(0, object)
        column = pa.concat_tables(self._tables).column(name)
        column = column if rows is None else column.take(pa.array(rows))
        found: NDArray[Any] = column.to_numpy(zero_copy_only=False)
        return found.astype(object, copy=False)

    def thumbnails(self, rows: NDArray[np.int64]) -> NDArray[np.uint8] | None:
        """Give the small pictures of some rows, n×h×w×C; None where there are none."""
        if "thumbnail" not in self.about:
            return None
        shape = self.about["thumbnail"]
        blank = bytes(int(np.prod(shape)))
        each = [one or blank for one in self.column("thumbnail", rows)]
        return np.frombuffer(b"".join(each), np.uint8).reshape(-1, *shape)

    def contents(self) -> NDArray[np.void] | None:
        """Give each row's digest; None where one is not known."""
        found = self.column("content")
        if any(each is None for each in found):
            return None
        return np.frombuffer(b"".join(found), f"V{DIGEST}")


def _out_of_table(table: Any, names: Any, labels: Any) -> tuple[Any, Any, Any]:
    """Give codes, names and labels of an Arrow table."""
    there = table.column_names
    if "code" not in there:
        raise ArgumentError(
            "codes",
            f"a table with the columns {', '.join(there)}",
            "one with the columns code and name",
            "Name the column of codes so: table.rename_columns.",
        )
    codes = np.stack(table.column("code").to_numpy(zero_copy_only=False))
    if names is None and "name" in there:
        names = table.column("name").to_pylist()
    if labels is None and "label" in there:
        labels = table.column("label").to_pylist()
    return codes, names, labels
