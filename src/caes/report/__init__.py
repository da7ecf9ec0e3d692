"""The report of a training: figures, and one page that needs nothing else."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from caes.data.imageset import ImageSet
    from caes.report.fitted import Fitted

__all__ = ["write_report"]


def write_report(
    folder: Path,
    cae: "Fitted",
    train: "ImageSet",
    test: "ImageSet",
    *,
    command: str,
) -> Path:
    """Measure a trained autoencoder and write ``figures/*.png`` and ``report.html``.

    Args:
        folder: The run's folder; figures of the same names are replaced.
        cae: A fitted `caes.CAE`.
        train: The pictures it learned from; PCA learns from them too.
        test: The pictures both are measured on, of the same H×W×C.
        command: The command that made the run, for the reader to copy.

    Returns:
        The path of the page.

    Raises:
        DataError: The two are not of one H×W×C.
        OutputError: The folder cannot be written.
    """
    # Only now, for matplotlib and scikit-learn take a second to import.
    from caes.report.findings import examine
    from caes.report.page import page
    from caes.report.plates import galleries, plates
    from caes.report.publish import publish

    findings = examine(cae, train, test)
    drawn = plates(findings)
    figures = {name: plate.light for name, plate in drawn.items()}
    text = page(cae, train, test, findings, drawn, command=command)
    return publish(folder, text, figures | galleries(findings))
