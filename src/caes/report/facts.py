"""The page's headline figures, and the table of the autoencoder's rivals."""

import math
import statistics
from dataclasses import dataclass

from caes.report.account import reckoning
from caes.report.amounts import count, decibels, duration, figure, shape
from caes.report.findings import Findings
from caes.train.history import History


@dataclass(frozen=True)
class Fact:
    """One headline figure.

    Args:
        name: What it is.
        value: How much.
        note: A few words to read it by; may be empty.
    """

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Rival:
    """One row of the comparison on the test pictures.

    Args:
        name: The method.
        code: Values it keeps of a picture.
        places: Places of winners it is told beside them.
        learned: Numbers it learned.
        mse: Its mean squared error.
        psnr: The same in dB.
        share: Its error, in per cent of the largest one in the table.
        own: Whether it is the autoencoder.
    """

    name: str
    code: int
    places: int
    learned: int
    mse: str
    psnr: str
    share: float
    own: bool


def facts(findings: Findings) -> list[Fact]:
    """Give the headline figures in the page's order."""
    return [
        Fact("Parameters", f"{findings.parameters:,}", "weights and biases"),
        _code(findings),
        _compression(findings),
        Fact(
            "Test error",
            figure(findings.mse),
            f"mean squared, {count(len(findings.errors), 'picture')}",
        ),
        Fact("Test PSNR", decibels(findings.psnr), "of that mean error"),
        _epochs(findings),
        *_speed(findings),
    ]


def rivals(findings: Findings) -> list[Rival]:
    """Compare the autoencoder with PCA and with the mean training picture."""
    pca, told = findings.pca, findings.winners
    own = (told.size, told.count, findings.parameters, findings.mse)
    rows = [("Autoencoder", *own)]
    if findings.alone_mse is not None:
        alone = (told.size, 0, findings.parameters, findings.alone_mse)
        rows.append(("Autoencoder, from its code alone", *alone))
    ours = len(rows)
    rows.append(("PCA", pca.components, 0, pca.learned, findings.pca_mse))
    rows.append(("Mean training picture", 0, 0, pca.features, findings.mean_mse))
    largest = max(mse for *_, mse in rows if math.isfinite(mse)) or 1.0
    return [
        Rival(
            name=name,
            code=code,
            places=places,
            learned=learned,
            mse=figure(mse),
            psnr=decibels(findings.psnr_of(mse)),
            share=100 * mse / largest if math.isfinite(mse) else 100.0,
            own=at < ours,
        )
        for at, (name, code, places, learned, mse) in enumerate(rows)
    ]


def epochs(history: History, asked: int) -> Fact:
    """Say how many epochs there were, and why not all of them.

    Args:
        history: How the training went.
        asked: Epochs in the settings.
    """
    run = len(history.rows)
    endings = {
        "early": f"of {asked:,}: stopped early",
        "interrupted": f"of {asked:,}: interrupted",
        "diverged": f"of {asked:,}: diverged",
    }
    notes = [endings.get(history.ended, "as asked")]
    if history.best_epoch < run:
        notes.append(f"weights of epoch {history.best_epoch} kept")
    return Fact("Epochs", f"{run:,}", "; ".join(notes))


def _epochs(findings: Findings) -> Fact:
    if findings.plan.staged:
        return Fact("Epochs", *reckoning(findings.phases))
    (asked,) = findings.plan.epochs.values()
    return epochs(findings.history, asked)


def _code(findings: Findings) -> Fact:
    maps = len(findings.code_shape) > 1
    note = shape(findings.code_shape) if maps else "one a dense unit"
    return Fact("Code", count(findings.code_size, "value"), note)


def _compression(findings: Findings) -> Fact:
    ratio = findings.picture_size / findings.code_size
    return Fact(
        "Compression",
        f"{ratio:.3g} : 1",
        f"{findings.picture_size:,} values a picture, {shape(findings.picture_shape)}",
    )


def _speed(findings: Findings) -> list[Fact]:
    rows = findings.history.rows
    if not rows:
        return []
    speed = statistics.median(row.images_per_second for row in rows)
    spent = sum(row.seconds for row in rows)
    return [
        Fact("Speed", f"{speed:,.0f} images/s", "in training, median epoch"),
        Fact("Time", duration(spent), "for all epochs"),
    ]
