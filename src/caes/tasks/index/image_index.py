"""`ImageIndex`: codes with names and labels, to search and to find twins in."""

import os
from pathlib import Path

import numpy as np

from caes.errors import ArgumentError
from caes.files import new_folder, output_errors, sweep, write_atomically
from caes.tasks.index import store
from caes.tasks.index.duplicates import Group, find_groups
from caes.tasks.index.search import Graph, Progress
from caes.tasks.index.searched import Searched
from caes.tasks.index.space import MetricName

MOST = 64
"""Segments, before they are put together into one."""


class ImageIndex(Searched):
    """Codes with names and labels: the nearest of others, and those that are alike.

    Codes come from `CAE.transform` or any other estimator of scikit-learn: what is
    learnt of them here is only, for two of the metrics, the mean and the spread of the
    codes that are added first. Up to 50,000 codes every search compares all of them;
    above, a graph (HNSW) finds nearly all of the nearest.

    Args:
        metric: What near is: "euclidean"; "cosine" (codes of length 1); "standardised"
            (each value less its mean, over its deviation); "whitened" (each principal
            axis over the fourth root of its variance, and of length 1).

    Attributes:
        about: What else is known of the index, as JSON has it: of one that `caes index
            build` has made, its run, how pictures are opened, what was measured.

    Example:
        >>> import numpy as np
        >>> from caes import ImageIndex
        >>> codes = np.eye(4, dtype="float32")
        >>> index = ImageIndex().add(codes, names=["a", "b", "c", "d"])
        >>> index.search(codes[:1] + [[0, 0.5, 0, 0]], k=2).names.tolist()
        [['a', 'b']]
        >>> len(index.remove(["a"]))
        3
    """

    def __init__(self, metric: MetricName = "euclidean") -> None:
        super().__init__(metric)
        self._folder: Path | None = None
        self._files: list[str] = []  # of the first of the segments, in the folder
        self._written = 0

    def duplicates(
        self,
        within: float | None = None,
        *,
        against: "ImageIndex | None" = None,
        progress: Progress = None,
    ) -> list[Group]:
        """Find pictures that are the same as others: in value, or nearly.

        Args:
            within: The largest distance of codes that count as the same. Without it,
                small pictures of those whose codes are nearest are compared, from the
                threshold on that was found when `caes index build` made the index.
            against: Another index of codes of the same kind: only what is in both is
                found, as of a training and a test set.
            progress: Called with (pairs compared, pairs in all).

        Returns:
            Groups of two and more, the picture that was added first before the others,
            which are like it. With ``against``, one of this index, then those of the
            other that are like it.

        Raises:
            ArgumentError: There is no threshold, and no distance; or the other index
                has codes of another run, or no pictures.
        """
        if against is not None:
            self.check_run(against.about.get("run", {}).get("fingerprint"), "against")
            against._checked(np.zeros((1, self.size)))
        return find_groups(self, against, within, progress)

    def save(
        self,
        folder: str | os.PathLike[str],
        *,
        force: bool = False,
        graph: bool = True,
        progress: Progress = None,
    ) -> None:
        """Write the index; into its own folder only what is new.

        Args:
            folder: Where to: a new one, or the one that it was loaded from.
            force: Whether another index there is replaced.
            graph: Whether a graph of many codes is made, or gone on with, where due.
            progress: Called with (codes in the graph, codes in all).

        Raises:
            ArgumentError: It is empty.
            OutputError: The folder exists, or cannot be written, or another process has
                changed the index there since it was loaded.
        """
        path = Path(folder)
        if not self._tables:
            raise ArgumentError(
                "index", "one without codes", "codes in it", "Add some first."
            )
        if self._folder == path.resolve():
            self.write(path)
        else:
            with new_folder(path, store.FILES, force=force) as staged:
                self.start(staged)
                self.write(staged)
            self._folder = path.resolve()
        if graph and self._due():
            self.update_graph(progress)
            self.write(path)

    def start(self, folder: Path) -> None:
        """Begin an index in an empty folder, so that `write` can go on with it."""
        self._folder, self._files, self._graph_file = folder.resolve(), [], None
        self._written = 0
        store.write_space(folder, self.space)
        store.write_listing(folder, store.Listing(self.size, self.metric))

    def write(self, folder: Path) -> None:
        """Write what is new into the folder of this index, and then the new list."""
        with store.alone(folder, self._written), output_errors(folder):
            sweep(folder)
            for table in self._tables[len(self._files) :]:
                name = store.next_name(folder, store.SEGMENTS, self._files)
                store.write_segment(folder / name, table)
                self._files.append(name)
            if len(self._files) > MOST:
                self._put_together(folder)
            if self._graph is not None and self._graph_file is None:
                self._write_graph(folder, self._graph)
            listing = store.Listing(
                size=self.size,
                metric=self.metric,
                written=self._written + 1,
                segments=[
                    [file, len(table)]
                    for file, table in zip(self._files, self._tables, strict=True)
                ],
                dropped=np.flatnonzero(~self.live).tolist(),
                graph=self._graph_file,
                about=self.about,
            )
            store.write_listing(folder, listing)
            self._written += 1
            store.tidy(folder, listing)
        self._reopen(folder)

    def _put_together(self, folder: Path) -> None:
        """Make one segment of all: rows keep their numbers."""
        whole = store.arrow().concat_tables(self._tables)
        name = store.next_name(folder, store.SEGMENTS, self._files)
        store.write_segment(folder / name, whole)
        self._tables, self._files, self._points = [whole], [name], []

    def _write_graph(self, folder: Path, graph: Graph) -> None:
        name = store.next_name(folder, store.GRAPHS, [])
        with write_atomically(folder / name) as file:
            graph.save(file.name)
        self._graph_file = [name, len(graph), graph.scale, graph.width]

    def _reopen(self, folder: Path) -> None:
        """Let what was written lie on disk, and not in memory."""
        pairs = zip(self._files, self._tables, strict=True)
        self._tables = [
            store.read_segment(folder / file, self.size, len(table))
            for file, table in pairs
        ]

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> "ImageIndex":
        """Read what `save` wrote; codes stay on disk until they are used.

        Raises:
            RunError: It is not there, damaged, or from a newer version.
        """
        path = Path(folder)
        listing = store.read_listing(path)
        index = cls(listing.metric)  # type: ignore[arg-type]
        index.about, index._folder = listing.about, path.resolve()
        index._space, index._written = store.read_space(path, listing), listing.written
        for file, rows in listing.segments:
            table = store.read_segment(path / str(file), listing.size, rows)
            index._tables.append(table)
            index._files.append(str(file))
        index.live = np.ones(sum(map(len, index._tables)), bool)
        try:
            index.live[listing.dropped] = False
            if listing.graph is not None:
                file, rows, *how = listing.graph
                index._graph_file = listing.graph
                index._graph = Graph.open(path / file, listing.size, *how)
                if len(index._graph) != rows:
                    raise ValueError(f"a graph of {len(index._graph)} codes")
        except (ValueError, TypeError, IndexError, RuntimeError, OSError) as error:
            raise store.damaged(path / store.LIST, error) from error
        return index
