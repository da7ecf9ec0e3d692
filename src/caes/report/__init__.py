"""The report of a training: figures, and one page that needs nothing else."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from caes.data.imageset import ImageSet
    from caes.report.baseline import Fitted

__all__ = ["MEASURING", "write_report"]

MEASURING = "measuring the autoencoder and PCA on the test pictures, drawing the page"
"""What `write_report` does, for those who wait."""


def write_report(
    folder: Path,
    cae: "Fitted",
    train: "ImageSet",
    test: "ImageSet",
    *,
    command: str,
    tell: Callable[[str], None] | None = None,
) -> Path:
    """Measure a trained autoencoder and write ``figures/`` and ``report.html``.

    Args:
        folder: The run's folder; figures of the same names are replaced.
        cae: A fitted `caes.CAE`.
        train: The pictures it learned from; PCA learns from them too.
        test: The pictures both are measured on, of the same H×W×C.
        command: The command that made the run, for the reader to copy.
        tell: Called with the page's first sentences, before anything is drawn.

    Returns:
        The path of the page.

    Raises:
        DataError: The two are not of one H×W×C.
        OutputError: The folder cannot be written.
    """
    # Only now, for matplotlib and scikit-learn take a second to import.
    from caes.report.pages.autoencoder import write

    return write(folder, cae, train, test, command, tell)
