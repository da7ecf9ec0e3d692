"""The classifier beside its controls: who errs how often, and in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from caes.errors import ArgumentError
from caes.report.layout import Verdict
from caes.report.numbers import capital, count, listed, p_words, percent, points
from caes.report.statistics import CHANCE, FEW, accuracy_interval, holm, mcnemar

Right = NDArray[np.bool_]
"""N, one a test picture."""
Role = Literal["control", "own", "plain"]
NAMED = 5
"""Classes without a test picture that are named."""


@dataclass(frozen=True, eq=False)
class Contender:
    """The classifier or one of its controls, by its answers on the test pictures."""

    name: str  # within a sentence, such as "logistic regression on pixels"
    probabilities: NDArray[np.float32]  # N×K, a row a test picture
    seconds: float | None  # of its training; None where that is part of another's
    # A control of the classifier; one of its own answers, which was not chosen; or
    # plain means, which need no auto-encoder.
    role: Role = "control"

    @property
    def title(self) -> str:
        """Its name at the beginning of a sentence."""
        return capital(self.name)

    @property
    def answers(self) -> NDArray[np.int64]:
        """N class indices, the most probable ones."""
        answers: NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return answers


def check(contender: Contender) -> None:
    """Refuse what a network that came to nothing answers.

    Raises:
        ArgumentError: A probability is not finite.
    """
    rows, k = contender.probabilities.shape
    bad = int((~np.isfinite(contender.probabilities).all(axis=1)).sum())
    if bad:
        raise ArgumentError(
            f"probabilities of {contender.name}",
            f"NaN or infinity in {bad:,} of {rows:,} rows",
            f"{rows} × {k} numbers in [0, 1], rows that sum to 1",
            "Give the output of the softmax, or of predict_proba.",
        )


@dataclass(frozen=True, eq=False)
class Standing:
    """How one of the contenders did."""

    title: str
    name: str
    right: Right  # which test pictures it names correctly
    seconds: float | None  # of its training; None for a rule that needs none
    difference: float = 0.0  # its error minus the classifier's
    p: float = 1.0  # of McNemar's exact test against the classifier, corrected
    role: Role = "control"  # as in `Contender`

    @property
    def n(self) -> int:
        """Test pictures."""
        return len(self.right)

    @cached_property
    def wrong(self) -> int:
        """Test pictures it names wrongly."""
        return int(np.count_nonzero(~self.right))

    @property
    def error(self) -> float:
        """The share of them, in [0, 1]."""
        return self.wrong / self.n

    @cached_property
    def interval(self) -> tuple[float, float]:
        """Lower and upper bound of the true error, in [0, 1]."""
        low, high = accuracy_interval(self.n - self.wrong, self.n)
        return 1 - high, 1 - low


def standings(
    contenders: Sequence[Contender], truth: NDArray[np.int64]
) -> list[Standing]:
    """Compare every contender with the first one; each p is corrected for all."""
    own = contenders[0].answers == truth
    rows = [
        replace(
            _beside(own, each.title, each.name, each.answers == truth, each.seconds),
            role=each.role,
        )
        for each in contenders
    ]
    corrected = holm([row.p for row in rows[1:]])
    others = zip(rows[1:], corrected, strict=True)
    return [rows[0], *(replace(row, p=p) for row, p in others)]


def simplest(
    own: Standing, truth: NDArray[np.int64], classes: Sequence[str]
) -> Standing:
    """Give the rule that always answers the class most frequent in ``truth``."""
    most = int(np.bincount(truth).argmax())
    name = f"always answering “{classes[most]}”"
    title = f"Always “{classes[most]}”, the most frequent here"
    return _beside(own.right, title, name, truth == most, None)


def judge(rows: Sequence[Standing], rule: Standing, unseen: Sequence[str]) -> Verdict:
    """Say in plain words how the classifier stands beside controls and rule."""
    own, *others = rows
    controls = [each for each in others if each.role == "control"]
    plain = [each for each in others if each.role == "plain"]
    if plain:  # the best of them speaks for all
        controls.append(min(plain, key=lambda each: each.wrong))
    low, high = (percent(bound, own.n) for bound in own.interval)
    error = (
        f"It errs on {percent(own.error, own.n)} of {count(own.n, 'test picture')} "
        f"(95% confidence: {low} to {high})."
    )
    figures = " ".join([error, *map(_control, controls)])
    caveats = " ".join(_caveats(own, unseen))
    return Verdict(_lead(own, controls, rule), figures, caveats, _enough(controls))


def _beside(
    own: Right, title: str, name: str, right: Right, seconds: float | None
) -> Standing:
    difference = (np.count_nonzero(own) - np.count_nonzero(right)) / len(own)
    return Standing(title, name, right, seconds, float(difference), mcnemar(own, right))


def _lead(own: Standing, controls: Sequence[Standing], rule: Standing) -> str:
    if own.error >= rule.error > 0:
        return f"{own.title} is no better than {rule.name}."
    if not controls and own.wrong:
        shown = percent(1 - own.error, own.n)
        return f"{own.title} names {shown} of the test pictures correctly."
    if not controls:
        return f"{own.title} names every test picture correctly."
    apart = [each for each in controls if each.p < CHANCE]
    ranks = {
        "better than": [each for each in apart if each.difference > 0],
        "worse than": [each for each in apart if each.difference < 0],
        "not to be told apart from": [each for each in controls if each not in apart],
    }
    named = {how: [each.name for each in some] for how, some in ranks.items() if some}
    parts = [f"{how} {listed(names)}" for how, names in named.items()]
    return f"{own.title} is {listed(parts)}."


def _enough(controls: Sequence[Standing]) -> str:
    """Say where plain means do as well."""
    best = next((each for each in controls if each.role == "plain"), None)
    if best is None or (best.difference > 0 and best.p < CHANCE):
        return ""
    return f"Here {best.name} is enough: no auto-encoder is needed for these classes."


def _control(row: Standing) -> str:
    begin = f"{row.title} errs on {percent(row.error, row.n)}"
    p = p_words(row.p)
    if not row.difference:
        return f"{begin} too {p}."
    much = points(abs(row.difference), row.n)
    more = "points more" if row.difference > 0 else "points fewer"
    sure = "is more than chance" if row.p < CHANCE else "may be chance"
    return f"{begin}: {much} {more}, which {sure} {p}."


def _caveats(own: Standing, unseen: Sequence[str]) -> Iterator[str]:
    if unseen:
        named = [f"“{name}”" for name in unseen[:NAMED]]
        more = [f"{len(unseen) - NAMED} more"] if len(unseen) > NAMED else []
        which = listed(named + more)
        yield f"Nothing is known of classes without a test picture: {which}."
    if own.n < FEW:
        yield "So few test pictures make an anecdote, not a measurement."
