"""How strange pictures are: a table, heatmaps to look at and to compute with, regions.

A heatmap's units are deviations of normal pictures' heatmaps from their mean.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from caes.anomalies.conformal import Drift, for_recall
from caes.anomalies.estimator import AnomalyDetector
from caes.anomalies.regions import Region, regions
from caes.data import ImageSet, Skipped
from caes.data.reading import guarded
from caes.errors import DataError, by_signs
from caes.files import TableWriter, new_folder, write_atomically, write_whole
from caes.report.pictures import COLOURS, in_bytes, seen
from caes.tasks.reconstruct import picture_path, write_picture

COLUMNS = ("name", "strangeness", "p_value", "flagged", "regions", "row", "column")
REGIONS = "regions.json"
MAPS = (REGIONS, "*.png", "*.tif")
"""All that a folder of heatmaps holds."""
FAINTEST = 0.35
"""How much of the colour is laid over a place just above the threshold."""


class Scored(NamedTuple):
    """One picture, looked at."""

    name: str
    strangeness: float
    p_value: float
    flagged: bool
    regions: list[Region]
    place: tuple[int, int]  # row and column of its strangest place


@dataclass(frozen=True)
class Ignored:
    """Places that do not count: white in a mask, for all pictures or by their names."""

    path: Path

    def of(self, name: str, size: tuple[int, ...]) -> NDArray[np.bool_] | None:
        """Give the mask H×W of a picture; None where a folder has none of that name.

        Raises:
            DataError: It has another size, or cannot be read.
        """
        path = self.path
        if path.is_dir():
            stem = Path(name).with_suffix("")
            path = next(
                (p for e in (".png", ".tif") if (p := path / f"{stem}{e}").is_file()),
                Path(),
            )
            if path == Path():
                return None
        mask = self._read(path)
        if mask.shape != tuple(size):
            raise DataError(
                str(path),
                f"a mask of {by_signs(mask.shape)} for a picture of {by_signs(size)}",
                "a mask of the picture's size",
                "For pictures of several sizes give a folder of masks by their names.",
            )
        return mask

    def _read(self, path: Path) -> NDArray[np.bool_]:
        wanted = "a grey picture, white where to ignore"
        with guarded(path, wanted), Image.open(path) as image:
            return np.asarray(image.convert("L")) > 127


def score(
    detector: AnomalyDetector,
    pieces: Iterable[ImageSet | Skipped],
    table: Path,
    heatmaps: Path | None = None,
    ignored: Ignored | None = None,
    *,
    force: bool = False,
) -> list[Scored]:
    """Score pictures of any sizes, holding a few at a time; write what is found.

    The table has name; strangeness; p_value; flagged, 1 or 0; how many regions of the
    heatmap are above what normal pictures have; row and column of the strangest place.
    In the folder of heatmaps ``NAME.heat.tif`` is the heatmap, float32, ``NAME.png``
    the picture with what is above the normal pictures' coloured over it, always on the
    same scale, and regions.json has all regions.

    With places to be ignored a picture is as strange as its strangest other place, and
    compared with the same parts of normal pictures.
    """
    found: list[Scored] = []
    with ExitStack() as stack:
        rows = stack.enter_context(TableWriter(table))
        folder = None
        if heatmaps is not None:
            folder = stack.enter_context(new_folder(heatmaps, MAPS, force=force))
        rows.row(COLUMNS)
        for picture, each, heat in _examined(detector, pieces, ignored):
            values = (f"{each.strangeness:.3f}", f"{each.p_value:.6g}")
            counts = int(each.flagged), len(each.regions), *each.place
            rows.row([each.name, *values, *counts])
            if folder is not None:
                write_picture(folder / picture_path(each.name, "heat"), heat[..., None])
                shown = overlay(picture, heat, detector.place_threshold_)
                with write_atomically(folder / picture_path(each.name)) as file:
                    Image.fromarray(shown).save(file, "PNG")
            found.append(each)
        if folder is not None:
            listed = {each.name: _plain(each.regions) for each in found}
            text = json.dumps(listed, indent=1, ensure_ascii=False) + "\n"
            write_whole(folder / REGIONS, text.encode())
    return found


def _examined(
    detector: AnomalyDetector,
    pieces: Iterable[ImageSet | Skipped],
    ignored: Ignored | None,
) -> Iterator[tuple[NDArray[np.float32], Scored, NDArray[np.float32]]]:
    """Give pictures in [0, 1], what was found, and heatmaps."""
    view = detector.ensemble_.view
    for images in pieces:
        if isinstance(images, Skipped):
            continue
        at = 0
        for strangeness, maps in detector.examined(images):
            part = images[at : at + len(maps)]
            at += len(maps)
            thresholds = [(detector.threshold_, detector.place_threshold_)] * len(part)
            chances = detector.p_values_of(strangeness)
            if ignored is not None:
                masks = [ignored.of(n, maps.shape[1:]) for n in part.names]
                found = [*map(partial(_elsewhere, detector), maps, masks)]
                strangeness, chances = (
                    np.array([e[at] for e in found]) for at in (0, 1)
                )
                thresholds = [each[2] for each in found]
            unit = view.unit(part.pixels)
            for name, picture, value, chance, heat, (most, place_most) in zip(
                part.names, unit, strangeness, chances, maps, thresholds, strict=True
            ):
                above = regions(heat, place_most)
                row, column = np.unravel_index(int(heat.argmax()), heat.shape)
                place = int(row), int(column)
                flagged = bool(value > most)
                told = name, float(value), float(chance), flagged, above, place
                yield picture, Scored(*told), heat


def _elsewhere(
    detector: AnomalyDetector,
    heat: NDArray[np.float32],
    mask: NDArray[np.bool_] | None,
) -> tuple[float, float, tuple[float, float]]:
    """Blank what is ignored; give strangeness, p-value and thresholds of the rest.

    The rest of the picture is compared with the same parts of normal pictures.
    """
    known = detector.places_.calibration(mask)
    if mask is not None:
        heat[mask] = min(0, heat.min())
    value = float(heat.max())
    chance = float(known.p_values(np.array([value]))[0])
    most = known.threshold(detector.false_alarms)
    return value, chance, (most, detector.place_threshold(known))


def overlay(
    picture: NDArray[np.float32], heat: NDArray[np.float32], threshold: float
) -> NDArray[np.uint8]:
    """Colour what lies above a threshold over a picture; the rest stays grey.

    Args:
        picture: H×W×C in [0, 1].
        heat: H×W.
        threshold: What normal pictures stay below. Three times as much has the
            strongest colour: always, whatever else is in the picture.

    Returns:
        H×W×3 uint8.
    """
    base = seen(picture)
    if base.ndim == 2:
        base = np.repeat(base[..., None], 3, axis=2)
    above = np.clip((heat - threshold) / (2 * threshold), 0, 1)[..., None]
    weight = np.where(heat[..., None] > threshold, FAINTEST + above / 2, 0)
    colour = COLOURS(0.5 + above[..., 0] / 2)[..., :3]
    return in_bytes(base * (1 - weight) + colour * weight)


def _plain(found: list[Region]) -> list[dict[str, Any]]:
    return [
        {
            "box": [each.top, each.left, each.bottom, each.right],
            "area": each.area,
            "score": round(each.score, 3),
        }
        for each in found
    ]


def as_rows(found: list[Scored]) -> list[dict[str, Any]]:
    """Give what was found as JSON has it."""
    return [
        {**each._asdict(), "regions": _plain(each.regions), "place": list(each.place)}
        for each in found
    ]


def strangeness_of(
    detector: AnomalyDetector, pieces: Iterable[ImageSet | Skipped]
) -> NDArray[np.float64]:
    """Give the strangeness of all pictures, N float64."""
    found = [
        detector.strangeness(piece) for piece in pieces if isinstance(piece, ImageSet)
    ]
    return np.concatenate(found) if found else np.empty(0)


def recall_threshold(
    detector: AnomalyDetector,
    pieces: Iterable[ImageSet | Skipped],
    recall: float,
    normal: str,
) -> tuple[float, str]:
    """Find the threshold that flags a share of labelled strange pictures, and say so.

    Args:
        detector: The detector.
        pieces: Pictures with classes.
        recall: The share in (0, 1].
        normal: The class of the normal ones, if some are there.
    """
    scores, strange = [np.empty(0)], [np.empty(0, bool)]
    for piece in pieces:
        if isinstance(piece, ImageSet):
            scores.append(detector.strangeness(piece))
            strange.append(_strange(piece, normal))
    every, truth = np.concatenate(scores), np.concatenate(strange)
    at = for_recall(every[truth], recall)
    found, flagged = int((every[truth] > at).sum()), int((every[~truth] > at).sum())
    kept = detector.calibration_.p_values(np.array([np.nextafter(at, np.inf)]))[0]
    said = f"{found:,} of {int(truth.sum()):,} strange pictures are flagged"
    if (~truth).any():
        said += f", and {flagged:,} of {int((~truth).sum()):,} normal ones"
    return at, f"{said}; false alarms: at most {100 * kept:.3g} % of normal pictures"


def _strange(piece: ImageSet, normal: str) -> NDArray[np.bool_]:
    if piece.labels is None:
        raise DataError(
            piece.source,
            "pictures without classes",
            "a folder with a folder for each kind of picture",
            "Put them into folders, such as normal and scratch.",
        )
    known = np.array([each == normal for each in piece.classes])
    return ~known[piece.labels]


def words(found: Drift) -> str:
    """Say in one sentence whether a threshold still holds."""
    share = found.flagged / max(found.pictures, 1)
    said = (
        f"{found.flagged:,} of {found.pictures:,} new normal pictures are flagged, "
        f"{100 * share:.2g} %, where at most {100 * found.rate:.2g} % were to be"
    )
    if found.holds:
        return f"The threshold holds: {said} (p = {found.chance:.2g})."
    again = "Fit again with pictures such as these."
    return f"It has drifted: {said} (p = {found.chance:.2g}). {again}"
