"""The page: findings into one HTML file that needs nothing else."""

from collections.abc import Mapping

from caes.data.imageset import ImageSet
from caes.report import tiles
from caes.report.facts import facts, rivals
from caes.report.findings import Findings
from caes.report.fitted import Fitted
from caes.report.plate import Plate
from caes.report.sources import Part, sources
from caes.report.templates import render
from caes.report.verdict import verdict


def page(
    cae: Fitted,
    train: ImageSet,
    test: ImageSet,
    findings: Findings,
    plates: Mapping[str, Plate],
    *,
    command: str,
) -> str:
    """Write the page as HTML.

    Args:
        cae: The autoencoder.
        train: What it learned from.
        test: What it was measured on.
        findings: The measurements.
        plates: The charts by name.
        command: The command that made it, for the reader to copy.
    """
    return render(
        "page.html",
        arch=str(cae.architecture_),
        command=command,
        difference=tiles.DIFFERENCE,
        facts=facts(findings),
        findings=findings,
        last=findings.history.rows[-1] if findings.history.rows else None,
        plates=plates,
        provenance=cae.provenance_,
        rivals=rivals(findings),
        settings=cae.get_params(),
        stages=cae.architecture_.stages(cae.picture_shape_),
        verdict=verdict(findings),
        **sources(Part("Training", train), Part("Test", test)),
    )
