"""What an index is, what a search and a hunt for duplicates have found: as text."""

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from caes.data import ImageSet
from caes.estimators import CAE
from caes.files import TableWriter
from caes.report.numbers import count
from caes.tasks.index.duplicates import Group
from caes.tasks.index.filling import small, views_of
from caes.tasks.index.image_index import ImageIndex
from caes.tasks.index.searched import Neighbours

SHOWN = 20
"""Queries on a sheet."""
AT_ONCE = 512


class Answer(NamedTuple):
    """A query that is shown, and what was found for it."""

    name: str
    picture: NDArray[Any]  # h×w×C, uint8
    found: Neighbours  # 1×k


class Answers:
    """Searches for pictures, and writes a row a neighbour as they are found."""

    def __init__(self, path: Path) -> None:
        self._table = TableWriter(path)
        self.shown: list[Answer] = []
        self.as_dicts: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        self._table.__enter__()
        self._table.row(["query", "rank", "name", "label", "distance"])
        return self

    def __exit__(self, *failure: Any) -> bool | None:
        return self._table.__exit__(*failure)

    def take(
        self,
        index: ImageIndex,
        cae: CAE,
        images: ImageSet,
        tell: Callable[[int], None],
        k: int,
        label: str | None = None,
        within: float = math.inf,
    ) -> None:
        """Search for each of some pictures."""
        views = index.about.get("views", "one")
        for start in range(0, len(images), AT_ONCE):
            part = images[start : start + AT_ONCE]
            codes = views_of(cae, part, views)
            found = index.search(codes, k, label=label, within=within)
            few = part[: SHOWN - len(self.shown)] if len(self.shown) < SHOWN else None
            pictures = () if few is None else small(cae, few)
            for row, name in enumerate(part.names):
                mine = found.of(row)
                if row < len(pictures):
                    self.shown.append(Answer(name, pictures[row], mine))
                for each in _ranked(name, mine):
                    self._table.row(each.values())
                    self.as_dicts.append(each)
            tell(len(part))


def _ranked(query: str, found: Neighbours) -> Iterator[dict[str, Any]]:
    for rank, (name, label, distance) in enumerate(
        zip(found.names[0], found.labels[0], found.distances[0], strict=True), start=1
    ):
        if name is not None:
            yield {
                "query": query,
                "rank": rank,
                "name": name,
                "label": label,
                "distance": float(f"{distance:.6g}"),
            }


def write_groups(
    path: Path, groups: Sequence[Group], index: Path, against: Path | None
) -> None:
    """Write a row a picture: group, kind, index, name, label, likeness, distance."""
    with TableWriter(path) as table:
        columns = ("group", "kind", "index", "name", "label", "likeness", "distance")
        table.row(columns)
        for number, group in enumerate(groups_as_dicts(groups, index, against), 1):
            for each in group["pictures"]:
                table.row([number, *(each[name] for name in columns[1:])])


def groups_as_dicts(
    groups: Sequence[Group], index: Path, against: Path | None
) -> list[dict[str, Any]]:
    """Give groups as JSON has them."""
    return [
        {
            "pictures": [
                {
                    "kind": each.kind,
                    "index": str(against if each.against else index),
                    "name": each.name,
                    "label": each.label,
                    "likeness": _number(each.likeness),
                    "distance": _number(each.distance),
                }
                for each in group
            ]
        }
        for group in groups
    ]


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(f"{value:.6g}")


def in_words(groups: Sequence[Group], against: bool) -> str:
    """Say how many pictures are the same as others."""
    more = [each for group in groups for each in group[1:]]
    exact = sum(each.kind == "exact" for each in more)
    of = "the other index has" if against else "beside the first of each"
    kinds = f"{exact:,} exactly, {len(more) - exact:,} nearly"
    return f"{count(len(groups), 'group')}; {of} {count(len(more), 'picture')}: {kinds}"


def as_dict(index: ImageIndex, folder: Path) -> dict[str, Any]:
    """Give all that is known of an index, as JSON has it."""
    labels = [each for each in index.labels if each is not None]
    return {
        "index": str(folder),
        "pictures": len(index),
        "dropped": len(index.live) - len(index),
        "labelled": len(labels),
        "classes": len({*labels}),
        "code": index.size,
        "metric": index.metric,
        "search": "all compared" if index.graph is None else "graph",
        "bytes": sum(path.stat().st_size for path in folder.iterdir()),
        **index.about,
    }


def left_on_disk(index: ImageIndex, folder: Path) -> str:
    """Say how what was dropped goes from the disk as well."""
    run = index.about.get("run", {}).get("folder", "RUN")
    again = f"caes index build {run} DATA --out {folder} --force"
    return f"on disk until the index is built again: {again}"


def print_index(index: ImageIndex, folder: Path) -> None:
    """Print a table of it."""
    from caes.tasks.cache import written_bytes

    found = as_dict(index, folder)
    run, alike = found.get("run", {}), found.get("alike")
    labelled = f"{found['labelled']:,}, of {count(found['classes'], 'class')}"
    rows = {
        "pictures": f"{found['pictures']:,}",
        "dropped": f"{found['dropped']:,}"
        + f", {left_on_disk(index, folder)}" * (found["dropped"] > 0),
        "labelled": labelled,
        "code": f"{found['code']} values",
        "metric": found["metric"],
        "queries": {
            "one": "as they are",
            "moved": "as they are, moved and turned",
            "mirrored": "as they are, moved, turned and mirrored",
        }[found.get("views", "one")],
        "search": found["search"],
        "on disk": written_bytes(found["bytes"]),
    }
    if "recall" in found:
        rows["search"] += f", finds {100 * found['recall']:.1f} % of the 10 nearest"
    if run:
        rows["run"] = f"{run.get('folder', '')} {run['fingerprint'][:19]}"
    for name, share in found.get("precision", {}).items():
        rows[f"same class, {name}"] = f"{share:.2f} % of 10 neighbours"
    if alike:
        f1 = ", ".join(f"{kind} {share:.3f}" for kind, share in alike["f1"].items())
        rows["the same"] = f"from a likeness of {alike['likeness']:.3f} on"
        rows["F1 of it"] = f1
    for each in found.get("added", []):
        rows.setdefault("from", "")
        rows["from"] += f"{each['data']}: {each['pictures']:,}\n"
    table = Table(show_header=False)
    for name, value in rows.items():
        table.add_row(name, value.strip())
    Console().print(table)
