"""The nearest of codes, whether few or very many."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from caes.errors import ArgumentError
from caes.tasks.index import store
from caes.tasks.index.rows import Rows
from caes.tasks.index.search import (
    AT_ONCE,
    PROBES,
    WANTED,
    WIDTHS,
    Blocks,
    Found,
    Graph,
    Progress,
    in_blocks,
    measured,
    merged,
    nearest,
    recall,
    side_by_side,
)
from caes.tasks.index.space import MetricName, Points, Space

MANY = 50_000
"""Codes from which on a graph is made: below, comparing all is fast enough."""
BEYOND = 190
"""A value as a byte for which a graph is made anew: its scale was for up to 127."""
K = 10
"""Neighbours of which the graph has to find nearly all."""
REST = 5_000
"""Codes that may be missing in the graph: they are compared each."""


class Neighbours(NamedTuple):
    """What is nearest to each of Q queries, nearest first."""

    names: NDArray[np.object_]  # Q×k; None where there are no more
    labels: NDArray[np.object_]  # Q×k; None without one
    distances: NDArray[np.float32]  # Q×k, in the metric's units; infinite for none
    rows: NDArray[np.int64]  # Q×k, in the order in which they were added; -1 for none

    def of(self, query: int) -> "Neighbours":
        """Give those of one query: all 1×k."""
        one = slice(query, query + 1)
        names, labels, distances, rows = self
        return Neighbours(names[one], labels[one], distances[one], rows[one])


class Searched(Rows):
    """Codes in the space of a metric, where the nearest of others are found."""

    def __init__(self, metric: MetricName = "euclidean") -> None:
        super().__init__()
        self.metric = metric
        self._points: list[Points] = []
        self._space: Space | None = None
        self._graph: Graph | None = None
        self._graph_file: list[Any] | None = None  # None where it is not on disk

    def search(
        self,
        codes: ArrayLike,
        k: int = 10,
        *,
        label: str | None = None,
        within: float = np.inf,
        exact: bool = False,
    ) -> Neighbours:
        """Find the codes nearest to others.

        Args:
            codes: Q×d queries; or Q×views×d: several codes of each, such as of the
                picture and of moved ones, of which the nearest counts.
            k: How many for each; fewer where there are no more.
            label: Only those with this label.
            within: Only those at no larger distance.
            exact: Whether all are compared, however many.

        Returns:
            Names, labels, distances and rows, all Q×k, the nearest first.

        Raises:
            ArgumentError: Codes of another length, k below 1, or an unknown label.
        """
        if k < 1:
            raise ArgumentError("k", str(k), "a whole number of at least 1", "Try 10.")
        given = np.asarray(codes, np.float32)
        views = given.shape[1] if given.ndim == 3 else 1
        if given.ndim == 3:
            given = given.reshape(-1, given.shape[2])
        values = self._checked(given)
        kept = self.live if label is None else self._labelled(label)
        found = self.nearest(values, k, kept, exact or label is not None)
        if views > 1:
            found = merged(found, views, k)
        found.rows[found.distances > within] = -1
        found.distances[found.rows < 0] = np.inf
        there = found.rows >= 0
        told = []
        for column in ("name", "label"):
            words = np.full(found.rows.shape, None, object)
            words[there] = self.column(column, found.rows[there])
            told.append(words)
        return Neighbours(told[0], told[1], found.distances, found.rows)

    def _labelled(self, label: str) -> NDArray[np.bool_]:
        marks = self.column("label")
        kept: NDArray[np.bool_] = self.live & (marks == label)
        if not kept.any():
            known = sorted({each for each in marks[self.live] if each is not None})
            raise ArgumentError(
                "label",
                repr(label),
                f"one of {', '.join(known[:10])}"
                if known
                else "no label: none is known",
                "Check the spelling." if known else "Leave it out.",
            )
        return kept

    def nearest(
        self, codes: Points, k: int, kept: NDArray[np.bool_], exact: bool
    ) -> Found:
        """Find rows; where dropped ones crowd a query out of the graph, by all."""
        empty = np.full((len(codes), k), -1), np.full((len(codes), k), np.inf, "f4")
        if not kept.any():
            return Found(*empty)
        asked = self.space.points(codes)
        if exact or (graph := self._graph_at_hand()) is None:
            rows = nearest(asked, self._blocks, k, kept)
            return measured(asked, rows, self.placed, k)
        rows = self._likely(graph, asked, k)
        rows[~kept[np.maximum(rows, 0)]] = -1
        covered = len(graph)
        if covered < len(kept):
            rest = nearest(asked, lambda: self._blocks(covered), k, kept)
            rows = np.concatenate([rows, rest], 1)
        found = measured(asked, rows, self.placed, k)
        short = (found.rows < 0).any(1) & (len(self) >= k)
        if short.any():
            all_ = nearest(asked[short], self._blocks, k, kept)
            better = measured(asked[short], all_, self.placed, k)
            found.rows[short], found.distances[short] = better
        return found

    @property
    def space(self) -> Space:
        """Where the Euclidean distance is the metric."""
        if self._space is None:
            self._space = Space.fit(
                self.metric, np.concatenate(store.codes_of(self._tables[0]))
            )
        return self._space

    def _all_points(self) -> list[Points]:
        """Give all codes, in the space, piece by piece."""
        done = len(self._points)
        pieces = [each for table in self._tables for each in store.codes_of(table)]
        self._points += [self._in_space(each) for each in pieces[done:]]
        return self._points

    def _blocks(self, start: int = 0) -> Blocks:
        """Give all codes from a row on, in the space, block by block."""
        return in_blocks(self._all_points(), start)

    def _in_space(self, codes: Points) -> Points:
        return codes if self.metric == "euclidean" else self.space.points(codes)

    @property
    def graph(self) -> Graph | None:
        """The graph of many codes, where one was made."""
        return self._graph

    def _graph_at_hand(self) -> Graph | None:
        """Give the graph, made or gone on with where that is due; None for few."""
        if self._due():
            self.update_graph()
        return self._graph

    def _due(self) -> bool:
        """Whether the graph has to be made or gone on with."""
        if self._graph is None:
            return len(self) >= MANY
        return len(self.live) - len(self._graph) > REST

    def update_graph(self, progress: Progress = None) -> None:
        """Put into the graph what is not in it; `search` and `save` do when it is due.

        Args:
            progress: Called with (codes in the graph, codes in all).
        """
        most = max(float(np.abs(each).max()) for each in self._all_points())
        graph, total = self._graph, len(self.live)
        if graph is None or most * graph.scale > BEYOND:
            graph = Graph(self.size, 127 / (most or 1.0))
        if (start := len(graph)) == total:
            return
        new = start + np.flatnonzero(self.live[start:])
        draw = np.random.default_rng(0)
        last = draw.choice(new, min(PROBES, len(new) // 2), replace=False)
        first = np.ones(total, bool)
        first[last] = False
        turn = start + side_by_side([points for _, points in self._blocks(start)])
        turn = turn[first[turn]]
        for at in range(0, len(turn), AT_ONCE):
            rows = turn[at : at + AT_ONCE]
            graph.add(rows, self.placed(rows))
            if progress:
                progress(len(graph), total)
        if len(last):
            self._look_as_far_as_needed(graph, last, first)
            graph.add(last, self.placed(last))
        self._graph, self._graph_file = graph, None

    def _look_as_far_as_needed(
        self, graph: Graph, rows: NDArray[np.int64], others: NDArray[np.bool_]
    ) -> None:
        """Find how far to look for nearly all that is nearest to rows not in there."""
        asked = self.placed(rows)
        truth = nearest(asked, self._blocks, K, others)
        for graph.width in WIDTHS:
            found = measured(asked, self._likely(graph, asked, K), self.placed, K)
            share = recall(found.rows, truth)
            if share >= WANTED:
                break
        self.about["recall"] = round(share, 4)

    def _likely(self, graph: Graph, asked: Points, k: int) -> NDArray[np.int64]:
        """Give more rows than are asked for, some of them dropped or not so near."""
        share = len(self) / len(self.live)
        more = int(np.ceil(1.5 * k / share))
        return graph.search(asked, min(len(graph), more))

    def placed(self, rows: NDArray[np.int64]) -> Points:
        """Give the codes of some rows, n×d, in the space."""
        return self._in_space(self.take(rows))
