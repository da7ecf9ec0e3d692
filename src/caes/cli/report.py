"""caes report: a run's page, written again."""

import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from caes.cli.fit import Fit
from caes.errors import RunError

if TYPE_CHECKING:
    from caes.estimators import CAE


@dataclass(frozen=True, kw_only=True)
class Report:
    """Write a run's report.html and figures again.

    Args:
        model: The folder of a run.
        source: Pictures to report on; without it, those the run was trained on.
    """

    model: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    source: str | None = None

    def run(self, typed: str) -> None:
        """Do it; ``typed`` is the command as it was typed."""
        from caes.cli.sources import announce, opened_for_training
        from caes.estimators import CAE
        from caes.report import write_report

        cae = CAE.load(self.model)
        command = cae.provenance_.get("command", "")
        train, test = opened_for_training(self._fit(cae, command))
        announce(train)
        if f"sha256:{train.fingerprint}" != cae.provenance_["data fingerprint"]:
            print(
                f"note: these are not the pictures {self.model} was trained on, "
                "or they have changed since",
                file=sys.stderr,
            )
        print(write_report(self.model, cae, train, test, command=command))

    def _fit(self, cae: "CAE", command: str) -> Fit:
        """Read the recorded command again, for how it opened its pictures."""
        made = tyro.cli(Fit, args=shlex.split(command)[2:]) if command else None
        if self.source is not None:
            return Fit(
                source=self.source,
                arch=cae.arch,
                tile=cae.tile,
                overlap=cae.overlap,
                pages=made.pages if made else "pictures",
            )
        if made is None:
            raise RunError(
                str(self.model),
                "a run without the command that made it",
                "a run of caes fit, or the pictures to report on",
                "Name them: caes report RUN --source PICTURES.",
            )
        here = Path(cae.provenance_["folder"]) / made.source
        moved = here.exists() and not Path(made.source).exists()
        return replace(made, source=str(here)) if moved else made
