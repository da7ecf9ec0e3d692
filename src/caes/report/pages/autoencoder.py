"""The page of an auto-encoder, its charts and montages."""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from caes.data.imageset import ImageSet
from caes.report import charts, training
from caes.report.baseline import Fitted
from caes.report.charts import Chart, Filters, chart
from caes.report.layout import publish, render, sources
from caes.report.numbers import count
from caes.report.numbers import figure as written
from caes.report.pictures import (
    SHARPNESS,
    Strip,
    enlarged,
    enlargement,
    heat,
    montage,
    per_row,
)
from caes.report.results import Example, Results, examine, facts, rivals
from caes.report.verdict import verdict

COUNTED_GREY = (
    "As Keras counts it: the share of pixels that equal their reconstruction rounded "
    "to 0 or 1. A grey pixel never does, so 100% is out of reach."
)
COUNTED = (
    "As Keras counts it: the share of pixels whose strongest channel is the same in "
    "the reconstruction."
)


def write(
    folder: Path,
    cae: Fitted,
    train: ImageSet,
    test: ImageSet,
    command: str,
    tell: Callable[[str], None] | None = None,
) -> Path:
    """Measure, draw, and write the page; as `caes.report.write_report` says."""
    results = examine(cae, train, test)
    if tell is not None:
        found = verdict(results)
        tell(" ".join(filter(None, (found.lead, found.advice))))
    drawn = {each.name: each for each in draw(results)}
    text = page(cae, train, test, results, drawn, command)
    errors = [
        ["answers by", "mean squared error"],
        ["autoencoder", f"{results.mse:.9g}"],
        ["PCA", f"{results.pca_mse:.9g}"],
        ["mean picture", f"{results.mean_mse:.9g}"],
    ]
    shown = dict(montages(results))
    return publish(folder, text, drawn.values(), shown, {"errors": errors})


def page(
    cae: Fitted,
    train: ImageSet,
    test: ImageSet,
    results: Results,
    drawn: dict[str, Chart],
    command: str,
) -> str:
    """Write the page as HTML, with the charts drawn, by name."""
    rows = results.history.rows
    phases, shape = results.phases, results.picture_shape
    table = rivals(results)
    entries = training.entries(phases, results.arch, shape, results.loss)
    return render(
        "autoencoder.html",
        arch=str(results.arch),
        beside=results.winners,
        charts=drawn,
        command=command,
        entries=entries if results.staged and rows else [],
        facts=facts(results),
        largest=max(each.mse for each in table if math.isfinite(each.mse)) or 1.0,
        last=rows[-1] if rows else None,
        loss=training.loss_name(0, results.loss),
        provenance=cae.provenance_,
        results=results,
        rivals=table,
        rows=results.arch.rows(shape),
        schooling=training.story(phases),
        # But for the settings of what is within another one.
        settings={k: v for k, v in cae.chosen_.items() if "__" not in k},
        source=train.source,
        verdict=verdict(results),
        way=_way(cae),
        **sources({"Training": train, "Test": test}),
    )


def draw(results: Results) -> Iterator[Chart]:
    """Draw every chart that there is something to draw for."""
    counted = COUNTED_GREY if results.picture_shape[-1] == 1 else COUNTED
    yield from training.draw(results.phases, results.loss, counted)
    yield _errors(results)
    if results.filters is not None:
        found = charts.coloured(results.filters)
        side = results.filters.shape[1]
        alt = f"Grid of {count(len(found.tiles), 'filter')} of {side}×{side}."
        yield chart("filters", partial(charts.filters, found), alt, _scale(found))


def montages(results: Results) -> Iterator[tuple[str, bytes]]:
    """Lay test pictures over their reconstructions, for papers and slides."""
    strips = partial(_strips, strongest=results.strongest)
    yield "reconstructions", montage([*strips("Test pictures", results.shown)])
    if results.best:
        best = strips("Best reconstructed", results.best)
        worst = strips("Worst reconstructed", results.worst)
        yield "best-and-worst", montage([*best, *worst])


def _strips(
    title: str, examples: Sequence[Example], strongest: float
) -> Iterator[Strip]:
    first = examples[0].picture
    heading = f"{title}, each over its squared error"
    factor, step = SHARPNESS * enlargement(first), per_row(first)
    for at in range(0, len(examples), step):
        some = examples[at : at + step]
        pictures = [enlarged(each.picture, factor) for each in some]
        again = [enlarged(each.again, factor) for each in some]
        apart = [enlarged(heat(each.difference), factor) for each in some]
        texts = [written(each.error) for each in some]
        yield Strip(pictures, heading if at == 0 else "", "picture")
        yield Strip(again, name="reconstruction")
        yield Strip(apart, name=f"difference,\n0 to {strongest:g}", texts=texts)


def _way(cae: Fitted) -> str:
    """Say what a network is, beside its text; nothing of a plain mirrored one."""
    arch = cae.architecture_
    if arch.decoder == "mirror":
        return "beside a linear path that began as PCA" * arch.linear
    one_by_one = cae.chosen_.get("schedule") == "greedy" and arch.depth > 1
    learned = "level by level" if one_by_one else "all levels at once"
    return f"{arch.decoder} decoder, trained {learned}"


def _errors(results: Results) -> Chart:
    median = float(np.median(results.pca.errors))
    own = float(np.median(results.errors))
    alt = (
        f"Histogram of the errors of {count(len(results.errors), 'test picture')}; "
        f"their median is {written(own)}, that of PCA {written(median)}."
    )
    unusable = int((~np.isfinite(results.errors)).sum())
    caption = f"{count(unusable, 'error')} not finite, left out." if unusable else ""
    histogram = partial(charts.histogram, results.errors, median)
    return chart("errors", histogram, alt, caption)


def _scale(found: Filters) -> str:
    drawn, channels, reach = len(found.tiles), found.channels, f"{found.strongest:.2g}"
    words = f"The first {drawn} of {found.total}. " * (drawn < found.total)
    if channels <= 2:
        words += "The first of 2 channels. " * (channels == 2)
        words += "Red adds, blue takes away, white is 0."
    else:
        first = f"the first 3 of {channels} channels as " * (channels > 3)
        words += f"The weights of {first}red, green and blue; grey is 0."
    return f"{words} One scale for all, from −{reach} to {reach}."
