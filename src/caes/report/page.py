"""The page: findings into one HTML file that needs nothing else."""

from collections.abc import Mapping

from caes.data.imageset import ImageSet
from caes.report import tiles
from caes.report.account import Entry, entries, story
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
        entries=_entries(findings),
        difference=tiles.DIFFERENCE,
        facts=facts(findings),
        findings=findings,
        last=findings.history.rows[-1] if findings.history.rows else None,
        plates=plates,
        provenance=cae.provenance_,
        rivals=rivals(findings),
        schooling=story(findings.phases),
        settings=_settings(cae),
        staged=findings.plan.staged,
        stages=cae.architecture_.rows(cae.picture_shape_),
        way=_way(cae),
        told=findings.winners,
        verdict=verdict(findings),
        **sources(Part("Training", train), Part("Test", test)),
    )


def _entries(findings: Findings) -> list[Entry]:
    if not (findings.plan.staged and findings.history.rows):
        return []
    picture, loss = findings.picture_shape, findings.loss
    return entries(findings.phases, findings.arch, picture, loss)


def _settings(cae: Fitted) -> dict[str, object]:
    """Give the settings, but for those within another one."""
    given = cae.get_params()
    return {name: value for name, value in given.items() if "__" not in name}


def _way(cae: Fitted) -> str:
    """Say what a stack is, beside its text; nothing of a mirrored decoder."""
    arch = cae.architecture_
    if arch.decoder == "mirror":
        return ""
    one_by_one = cae.get_params().get("schedule") == "greedy" and arch.depth > 1
    learned = "level by level" if one_by_one else "all levels at once"
    return f"{arch.decoder} decoder, trained {learned}"
