"""An atlas: codes laid out in two dimensions, and how far they stay neighbours."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness
from sklearn.neighbors import KNeighborsRegressor

from caes.errors import ArgumentError
from caes.files import write_atomically
from caes.report.layout import Fact, Verdict
from caes.report.numbers import count
from caes.report.pages.atlas import Points, write_atlas
from caes.report.pictures import Tile
from caes.runs.codes import KEY, Codes, parquet
from caes.runs.ledger import made

MethodName = Literal["tsne", "pca", "umap"]
MOST = 10_000
"""Rows that t-SNE and UMAP are fitted to, and that have pictures."""
JUDGED = 2_000
"""Rows of which the neighbourhoods are compared."""
NEIGHBOURS = 10
FEW = 12
"""Below so many rows there are no neighbourhoods for t-SNE and UMAP to keep."""
PERPLEXITY = 30
WIDE = 50
"""Values that PCA leaves of a code for t-SNE, as its authors do."""
AROUND = 5
"""Rows among which one is placed that the method was not fitted to."""
PAGE, PICTURE, TABLE = "index.html", "atlas.png", "coordinates.parquet"
FILES = (PAGE, PICTURE, TABLE)
"""All that the folder of an atlas holds."""
NAMES = {"tsne": "t-SNE", "pca": "PCA", "umap": "UMAP"}

Places = NDArray[np.float32]
"""N×2, in the method's own units."""


class Layout(NamedTuple):
    """Codes in two dimensions, and how much of their neighbourhoods is left."""

    method: MethodName
    places: Places
    fitted: NDArray[np.int64]  # rows that the method has seen
    judged: int  # rows of which the neighbourhoods were compared
    neighbours: int
    kept: float  # trustworthiness, at most 1; NaN of too few rows
    kept_by_pca: float


def lay_out(codes: NDArray[np.float32], method: MethodName, seed: int) -> Layout:
    """Lay codes N×K out in two dimensions.

    PCA sees all rows. t-SNE (van der Maaten & Hinton 2008) and UMAP (McInnes et al.
    2018) see 10,000 at most, drawn by the seed; each other row stands among its five
    nearest of these, weighted by their distances. Fewer than twelve rows are laid out
    by PCA, and so are codes that are all the same.

    The trustworthiness (Venna & Kaski 2001) tells how far the ten nearest neighbours in
    the picture are neighbours of the codes as well, of 2,000 rows at most: 1 is best,
    and chance is about 0.5.

    Raises:
        ArgumentError: UMAP is not installed.
    """
    fitted = np.arange(len(codes))
    by_pca = places = _by_pca(codes, seed)
    if len(codes) < FEW or not np.ptp(by_pca):
        method = "pca"
    if method != "pca":
        fitted = sample(len(codes), seed)
        fit = {"tsne": _by_tsne, "umap": _by_umap}[method]
        places = _placed(codes, fitted, fit(codes[fitted], seed))
    judged = sample(len(codes), seed + 1, JUDGED)
    near = min(NEIGHBOURS, (len(judged) - 1) // 2)

    def kept(found: Places) -> float:
        if near < 1:
            return math.nan
        return float(trustworthiness(codes[judged], found[judged], n_neighbors=near))

    figures = kept(places), kept(by_pca)
    return Layout(method, places, fitted, len(judged), near, *figures)


def sample(n: int, seed: int, most: int = MOST) -> NDArray[np.int64]:
    """Draw rows out of ``n``, ascending; all where there are no more."""
    drawn = np.random.default_rng(seed).permutation(n)[:most]
    return np.sort(drawn)


def _by_pca(codes: NDArray[np.float32], seed: int) -> Places:
    if not np.ptp(codes, axis=0).any():  # a single row, or all alike
        return np.zeros((len(codes), 2), np.float32)
    count = min(2, *codes.shape)
    found = PCA(count, random_state=seed).fit_transform(codes)
    return np.pad(found, [(0, 0), (0, 2 - count)]).astype(np.float32)


def _by_tsne(codes: NDArray[np.float32], seed: int) -> Places:
    if codes.shape[1] > WIDE and len(codes) > WIDE:
        codes = PCA(WIDE, random_state=seed).fit_transform(codes)
    perplexity = min(PERPLEXITY, (len(codes) - 1) / 3)
    tsne = TSNE(perplexity=perplexity, random_state=seed)
    return np.asarray(tsne.fit_transform(codes), np.float32)


def check_method(method: MethodName) -> None:
    """Refuse a method whose package is missing."""
    if method == "umap":
        _umap()


def _umap() -> Any:
    try:
        from umap import UMAP
    except ImportError as error:
        raise ArgumentError(
            "method",
            "'umap', and the package umap-learn is not installed",
            "tsne or pca, or umap once the extra of this name is installed",
            'Run: pip install "caes[umap]"',
        ) from error
    return UMAP


def _by_umap(codes: NDArray[np.float32], seed: int) -> Places:
    near = min(15, len(codes) - 1)
    umap = _umap()(n_neighbors=near, random_state=seed, n_jobs=1)
    return np.asarray(umap.fit_transform(codes), np.float32)


def _placed(
    codes: NDArray[np.float32], fitted: NDArray[np.int64], found: Places
) -> Places:
    """Place the rows that were not fitted among their nearest that were."""
    if len(fitted) == len(codes):
        return found
    among = KNeighborsRegressor(AROUND, weights="distance", algorithm="brute")
    among.fit(codes[fitted], found)
    places = np.empty((len(codes), 2), np.float32)
    others = np.setdiff1d(np.arange(len(codes)), fitted)
    places[fitted] = found
    for rows in np.array_split(others, -(-len(others) // MOST)):
        places[rows] = among.predict(codes[rows])
    return places


def write_coordinates(
    path: Path, codes: Codes, layout: Layout, about: dict[str, Any]
) -> None:
    """Write name, label, x and y of each row, and ``about`` as JSON in the metadata."""
    import pyarrow as pa

    columns = {
        "name": pa.array(codes.rows.names, pa.string()),
        "label": pa.array(codes.rows.labels, pa.string()).dictionary_encode(),
        "x": layout.places[:, 0],
        "y": layout.places[:, 1],
    }
    table = pa.table(columns).replace_schema_metadata({KEY: json.dumps(about)})
    with write_atomically(path) as file:
        parquet(path).write_table(table, file)


def write(
    folder: Path,
    path: Path,
    codes: Codes,
    layout: Layout,
    tiles: dict[int, Tile],
    seed: int,
    typed: str,
) -> dict[str, Any]:
    """Write the page, the picture and the table; give what is said of them in figures.

    ``tiles`` are the small pictures of some rows, ``path`` is where the codes are from.
    """
    figures = {
        "method": layout.method,
        "seed": seed,
        "rows": len(codes.rows.names),
        "fitted": len(layout.fitted),
        "trustworthiness": _known(layout.kept),
        "trustworthiness_of_pca": _known(layout.kept_by_pca),
        "judged": layout.judged,
        "neighbours": layout.neighbours,
        "pictures": len(tiles),
        "run": codes.about and codes.about.run,
    }
    rows, about = codes.rows, codes.about
    points = Points(rows.names, rows.labels, rows.errors, layout.places, tiles)
    settings = {"codes": path, "method": NAMES[layout.method], "seed": seed}
    settings |= {"values of a code": rows.codes.shape[1]}
    if about:
        settings |= {"summed up over places": about.pool}
        settings |= {"run": about.folder, "fingerprint of the run": about.run}
    write_coordinates(folder / TABLE, codes, layout, figures)
    write_atlas(
        folder,
        points,
        verdict=_verdict(layout),
        facts=[*_facts(codes, layout, len(tiles))],
        heading=(about and about.opening and about.opening.source) or path.name,
        about=f"{count(len(rows.names), 'code')} by {NAMES[layout.method]}",
        command=typed,
        notes=[*_notes(codes, layout, len(tiles))],
        settings=settings,
        provenance=made(),
    )
    return figures


def _known(figure: float) -> float | None:
    return None if math.isnan(figure) else figure


def _verdict(layout: Layout) -> Verdict:
    name = NAMES[layout.method]
    if math.isnan(layout.kept):
        return Verdict("There are too few rows to have neighbourhoods.", "", "")
    over = (
        f"That is how far {count(layout.neighbours, 'nearest neighbour')} in the "
        f"picture are neighbours by their codes, of {count(layout.judged, 'row')} "
        "among one another (trustworthiness): 1 is best, and chance about 0.5."
    )
    context = {
        "pca": "Distances are those of the codes, as far as two axes hold them.",
        "tsne": "Groups are to be believed more than how far apart or large they are.",
        "umap": "Groups are to be believed more than how far apart or large they are.",
    }[layout.method]
    if layout.method == "pca":
        lead = f"PCA keeps the codes' neighbourhoods to {layout.kept:.3f}."
        return Verdict(lead, over, context, "Try --method tsne for more.")
    better = layout.kept > layout.kept_by_pca
    than = "PCA" if better else "and so no better than PCA,"
    lead = (
        f"{name} keeps the codes' neighbourhoods to {layout.kept:.3f}, "
        f"{than} to {layout.kept_by_pca:.3f}."
    )
    return Verdict(lead, over, context)


def _facts(codes: Codes, layout: Layout, pictures: int) -> Iterator[Fact]:
    name = NAMES[layout.method]
    yield Fact("Rows", f"{len(codes.rows.names):,}", f"{pictures:,} with a picture")
    if not math.isnan(layout.kept):
        yield Fact("Trustworthiness", f"{layout.kept:.3f}", f"of {name}; 1 is best")
    if not math.isnan(layout.kept) and layout.method != "pca":
        yield Fact("Of PCA", f"{layout.kept_by_pca:.3f}", "the first two components")
    classes = len({*codes.rows.labels} - {None})
    if classes:
        yield Fact("Classes", f"{classes:,}", "told by colour, not used")


def _notes(codes: Codes, layout: Layout, pictures: int) -> Iterator[str]:
    n, seen = len(codes.rows.names), len(layout.fitted)
    if seen < n:
        yield (
            f"{NAMES[layout.method]} has seen {seen:,} rows, drawn by the seed; each "
            "other one stands among its five nearest of these."
        )
    if 0 < pictures < n:
        yield f"There are pictures of {pictures:,} of the {n:,} rows; all have dots."
    if codes.about and not codes.about.complete:
        yield "The table of codes was cut short by Ctrl-C: pictures are missing in it."
