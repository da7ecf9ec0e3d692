"""caes probe: what the codes are worth to simple classifiers."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from caes.cli.pictures import FromStack
from caes.options import whole


@dataclass(kw_only=True)
class Probe(FromStack):
    """Fit logistic regression, a linear SVM and nearest neighbours on the codes.

    The same classifiers on the pixels stand beside them.

    Args:
        labels: A number of labels to draw, or a table of them; without it all are used.
        seed: Draws labels and held-out pictures.
        quiet: Print nothing but errors and the table.
    """

    labels: Annotated[str | None, tyro.conf.arg(metavar="N|CSV")] = None
    seed: int = 0

    def run(self, typed: str) -> None:
        """Do it; ``typed`` is the command as it was typed."""
        from caes.data.labels.labelled import labels_of
        from caes.estimators import CAE
        from caes.tasks.probe import probe

        whole(0)("seed", self.seed, "Try 0.")
        cae = CAE.load(self.stack)
        train, test = self.open(self.opening(cae), self.labels, self.seed)
        known = int((labels_of(train) >= 0).sum())
        print(f"{known:,} labels; error on {len(test):,} pictures:")
        for result in probe(cae, train, test):
            print(
                f"{result.probe:>22} on {result.features:<6}  {result.error:6.2f} %"
                f"  {result.seconds:6.1f} s",
                flush=True,
            )
