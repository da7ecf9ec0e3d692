"""The page of a detector: what it finds of planted defects, beside the baselines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from caes.anomalies.estimator import AnomalyDetector
from caes.report import charts
from caes.report.charts import Chart, chart
from caes.report.layout import Fact, Table, Verdict, publish, render
from caes.report.numbers import count
from caes.report.pictures import SHARPNESS, Strip, Tile, enlarged, enlargement, montage

Scores = NDArray[np.float64]
GIVEN_BACK = 0.5
"""From this share of a defect on, the auto-encoder is said to reconstruct it."""
FOUND = 0.5
"""From this share of defects on, those of a size are said to be found."""


class Cell(NamedTuple):
    """Planted spots of one size and contrast."""

    size: int  # pixels
    contrast: float  # standard deviations of the picture
    found: float  # share of them in pictures that are flagged
    localised: float  # share of them on which the strangest place lies
    given_back: float  # share of the defect that the auto-encoder reconstructs


class Example(NamedTuple):
    """A picture, what is strange in it coloured, and how strange it is."""

    name: str
    picture: Tile
    overlay: Tile
    strangeness: float
    p_value: float


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """A detector on normal pictures that nothing was learnt from, and on planted ones.

    Args:
        normal: Strangeness of normal pictures, kept for the calibration.
        planted: Of the same with a defect, by its kind.
        areas: Area under the ROC curve by contender and kind; "this detector" first,
            then the baselines.
        cells: Spots by size and contrast.
        most: The most normal pictures, and
        least: the strangest.
        examples: Planted ones, with their heatmaps.
    """

    normal: Scores
    planted: Mapping[str, Scores]
    areas: Mapping[str, Mapping[str, float]]
    cells: Sequence[Cell]
    most: Sequence[Example]
    least: Sequence[Example]
    examples: Sequence[Example]

    def mean(self, name: str) -> float:
        """Give a contender's mean area over the kinds."""
        return float(np.mean([*self.areas[name].values()]))

    @property
    def rival(self) -> str:
        """The best of the baselines."""
        return max([*self.areas][1:], key=self.mean)


def write_anomalies_report(
    folder: Path, detector: AnomalyDetector, found: Diagnosis, *, command: str
) -> Path:
    """Write ``report.html`` and ``figures/``."""
    drawn = draw(detector, found)
    page = render(
        "anomalies.html",
        charts=drawn,
        choice=detector.ensemble_.choice,
        command=command,
        data=detector.provenance_["data"],
        facts=facts(detector, found),
        found=found,
        advice=advice(found),
        grid=grid(found.cells),
        parts={},
        provenance=detector.provenance_,
        settings=detector.get_params(deep=False),
        verdict=verdict(detector, found),
    )
    shown = {"heatmaps": side_by_side(found.examples)}
    return publish(folder, page, drawn.values(), shown, {"normal": normal(found)})


def verdict(detector: AnomalyDetector, found: Diagnosis) -> Verdict:
    """Judge a detector beside the baselines."""
    mine, rival = found.mean("this detector"), found.mean(found.rival)
    flagged = np.concatenate([*found.planted.values()]) > detector.threshold_
    rate = detector.calibration_.held(detector.false_alarms)
    least = rate > detector.false_alarms
    held = f"{100 * rate:.2g} % false alarms" + " at best" * least
    lead = f"At {held} it flags {flagged.mean():.0%} of planted defects."
    better = "more than" if mine > rival else "no more than"
    figures = (
        f"Planted into {count(len(found.normal), 'normal picture')} that nothing was "
        f"learnt from, they are told with an AUROC of {100 * mine:.1f}, {better} "
        f"{found.rival}, the best of the trivial ways ({100 * rival:.1f})."
    )
    few = (
        f"So few pictures kept apart cannot hold {100 * detector.false_alarms:.3g} %."
        if least
        else ""
    )
    context = (
        "Planted defects are of many kinds, sizes and contrasts, many of them hardly "
        "to be seen; real ones may be easier or harder."
    )
    weak = mine <= rival
    what = "Trust the simpler way here, or give more normal pictures." if weak else ""
    return Verdict(lead, figures, f"{few} {context}".strip(), what)


def facts(detector: AnomalyDetector, found: Diagnosis) -> list[Fact]:
    """Give the headline figures."""
    kept = len(detector.calibration_)
    kind = "groups kept apart" if detector.calibration_.groups else "kept apart"
    rate = detector.calibration_.held(detector.false_alarms)
    mine = found.mean("this detector")
    return [
        Fact("False alarms", f"{100 * rate:.2g} %", "of normal pictures, at most"),
        Fact("Threshold", f"{detector.threshold_:.2f}", "strangeness"),
        Fact("Calibrated on", f"{kept:,}", kind),
        Fact("AUROC", f"{100 * mine:.1f}", "planted defects"),
        Fact("Detectors", f"{len(detector.ensemble_.choice.used)}", "answer together"),
    ]


def advice(found: Diagnosis) -> str:
    """Say what follows from what is reconstructed, and from which size on is found."""
    strong = max(cell.contrast for cell in found.cells)
    row = [cell for cell in found.cells if cell.contrast == strong]
    sizes = [cell.size for cell in row if cell.found >= FOUND]
    back = [cell.size for cell in row if cell.given_back >= GIVEN_BACK]
    said = "Not even strong spots are found, of no size: look at the pictures' light."
    if sizes:
        said = f"Strong spots are found from {min(sizes)} pixels on."
    if not back:
        return (
            f"{said} The auto-encoder reconstructs none of them: its error shows them."
        )
    least, most = min(back), max(back)
    which = f"of {least} pixels" if least == most else f"of {least} to {most} pixels"
    return (
        f"{said} The auto-encoder reconstructs strong spots {which} too, so its error "
        "alone misses them: a smaller code, or noise on what comes in, would help it; "
        "here the other detectors stand beside it. For smaller defects keep the "
        "pictures' full resolution."
    )


def grid(cells: Sequence[Cell]) -> list[tuple[float, list[Cell]]]:
    """Give the cells by contrast, each row by size."""
    contrasts = sorted({cell.contrast for cell in cells})
    return [
        (each, sorted(cell for cell in cells if cell.contrast == each))
        for each in contrasts
    ]


def draw(detector: AnomalyDetector, found: Diagnosis) -> dict[str, Chart]:
    """Draw the scores with the threshold."""
    planted = np.concatenate([*found.planted.values()])
    at = detector.threshold_
    over = int((planted > at).sum())
    alt = (
        f"Histogram of strangeness: {over:,} of {len(planted):,} pictures with planted "
        f"defects, and {int((found.normal > at).sum()):,} of {len(found.normal):,} "
        "normal ones, lie above the threshold."
    )
    made = partial(charts.strangeness, found.normal, planted, at)
    return {"strangeness": chart("strangeness", made, alt)}


def normal(found: Diagnosis) -> Table:
    """Lay the normal pictures' strangeness out for a file."""
    return [("strangeness",), *((f"{each:.3f}",) for each in found.normal)]


def side_by_side(examples: Sequence[Example]) -> bytes:
    """Lay pictures over their heatmaps, five side by side."""
    strips = []
    for at in range(0, len(examples), 5):
        some = examples[at : at + 5]
        factor = SHARPNESS * enlargement(some[0].picture)
        texts = [f"{each.name}\n{each.strangeness:.1f}" for each in some]
        strips.append(Strip([enlarged(each.picture, factor) for each in some]))
        tiles = [enlarged(each.overlay, factor) for each in some]
        strips.append(Strip(tiles, texts=texts))
    return montage(strips)
