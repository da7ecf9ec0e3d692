"""A few labels on top of a trained auto-encoder, and what they are worth."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caes.data import ImageSet
from caes.data.labels.labelled import labelled_only, labels_of
from caes.errors import RunError
from caes.estimators import CAEClassifier
from caes.files import write_whole
from caes.options import values
from caes.report.comparison import Contender
from caes.report.numbers import duration
from caes.tasks.plain_means import PLAIN_MEANS, statistics
from caes.tasks.probe import fit_probe, fit_quietly
from caes.train.progress import telling
from caes.train.recipes import FineTuning

CONTROL = "the same network from random weights"
PIXELS = "logistic regression on pixels"
CODES = "logistic regression on codes"
ANSWERS = {
    "network": "the network",
    "codes": CODES,
    "statistics": "logistic regression on codes and statistics",
    "kernel": "a kernel machine on codes and statistics",
}
"""What a classifier's answers are called within a sentence."""
CHOSEN = ("answer", "steps", "augment", "rounds")
"""What cross-validation chooses of the recipe."""
CONTROLS = "controls.json"
"""What the contenders answered, for the page to be written again."""


def answers(
    classifier: CAEClassifier,
    images: ImageSet,
    classes: tuple[str, ...],
    by: str | None = None,
) -> NDArray[np.float32]:
    """Give probabilities for all classes, also those that it never met: N×K."""
    found = classifier.probabilities_by(by or classifier.answer_, images)
    return _spread(found, classifier.classes_, len(classes))


def own_answers(
    classifier: CAEClassifier, seconds: float, test: ImageSet, classes: tuple[str, ...]
) -> Iterator[Contender]:
    """Give the classifier, and its answers that were not chosen."""
    chosen = classifier.answer_
    yield Contender("the classifier", answers(classifier, test, classes), seconds)
    about = classifier.answers_
    for name in () if about is None else ("network", *about.readouts):
        if name != chosen:
            told = answers(classifier, test, classes, name)
            yield Contender(ANSWERS[name], told, None, "own")


def rivals(
    classifier: CAEClassifier,
    train: ImageSet,
    test: ImageSet,
    say: Callable[[str], None],
) -> Iterator[Contender]:
    """Give the control and plain means, each trained on the same labels.

    The control is trained as the classifier's network was, for as many steps.
    """
    few = labelled_only(train)
    if classifier.start != "random":
        rows = classifier.history_.rows
        took = duration(sum(row.seconds for row in rows))
        say(f"training the control from random weights, about {took} …")
        start = time.perf_counter()
        control = CAEClassifier(**classifier.get_params(deep=False))
        chosen = {k: classifier.chosen_[k] for k in ("steps", "augment", "rounds")}
        control.set_params(
            **chosen,
            stack=classifier.stack_,
            start="random",
            answer="network",
            verbose=False,
        )
        if chosen["steps"] is None:
            control.set_params(**{name: getattr(classifier, name) for name in chosen})
        with telling(verbose=False) as tell:
            tell.expect(control=0)
            control.fit(train if chosen["rounds"] else few)
        name = CONTROL + ", interrupted" * control.history_.interrupted
        told = answers(control, test, train.classes)
        yield Contender(name, told, time.perf_counter() - start)
        if control.history_.interrupted:
            return
    if classifier.answers_ is None and classifier.stack_ is not None:
        start = time.perf_counter()
        see = classifier.stack_.transform
        fitted = fit_probe("logistic regression", see(few), labels_of(few))
        found = fitted.predict_proba(see(test))
        told = _spread(found, fitted.classes_, len(train.classes))
        yield Contender(CODES, told, time.perf_counter() - start)
    say(f"fitting plain means on {len(few):,} labels …")
    yield from plain_means(classifier, train, test)


def plain_means(
    classifier: CAEClassifier, train: ImageSet, test: ImageSet
) -> Iterator[Contender]:
    """Give classifiers that need no network, trained on the same labels."""
    few = labelled_only(train)
    known = labels_of(few)
    found: dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]] = {}
    for name, kind, make in PLAIN_MEANS:
        start = time.perf_counter()
        if kind not in found:
            see = statistics if kind == "statistics" else _flat
            found[kind] = see(classifier.to_unit(few)), see(classifier.to_unit(test))
        inside, outside = found[kind]
        fitted = fit_quietly(make(len(few)), inside, known)
        told = fitted.predict_proba(outside)
        spread = _spread(told, fitted.classes_, len(train.classes))
        yield Contender(name, spread, time.perf_counter() - start, "plain")


def _spread(
    told: NDArray[Any], met: NDArray[np.int64], classes: int
) -> NDArray[np.float32]:
    """Give N probabilities of the classes met as those of all classes: N×K."""
    spread = np.zeros((len(told), classes), np.float32)
    spread[:, met] = told
    return spread


def _flat(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    return pictures.reshape(len(pictures), -1)


def keep(
    folder: Path, test: ImageSet, seconds: float, some: Sequence[Contender]
) -> None:
    """Write down what the controls answered, for `kept` to read."""
    told = [
        {
            "name": each.name,
            "seconds": each.seconds,
            "role": each.role,
            "answers": each.answers.tolist(),
        }
        for each in some
    ]
    about = {"test": test.fingerprint, "seconds": seconds, "controls": told}
    write_whole(folder / CONTROLS, (json.dumps(about) + "\n").encode())


def kept(folder: Path, test: ImageSet, classes: int) -> tuple[float, list[Contender]]:
    """Read them back: the classifier's seconds, and the controls, sure of themselves.

    Raises:
        RunError: They are not there, or answered about other pictures.
    """
    path = folder / CONTROLS
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        if about["test"] != test.fingerprint:
            raise ValueError("answers about other pictures")
        sure = np.eye(classes, dtype=np.float32)
        found = [
            Contender(
                str(each["name"]),
                sure[np.array(each["answers"], int)],
                each["seconds"],
                each["role"],
            )
            for each in about["controls"]
        ]
        return float(about["seconds"]), found
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise RunError(
            str(path),
            f"no answers of the controls ({error})",
            "the file as caes classify wrote it, and the pictures that it tested on",
            "Train again: caes classify DATA --from RUN.",
        ) from error


def write_page(
    folder: Path,
    classifier: CAEClassifier,
    contenders: Sequence[Contender],
    train: ImageSet,
    test: ImageSet,
    command: str,
    stack: str,
    tell: Callable[[str], None] | None = None,
) -> Path:
    """Write the classifier's report, of the classifier first and those beside it."""
    from caes.report.pages.classifier import write_classification_report

    recipe = classifier.resolved()
    known = int((labels_of(train) >= 0).sum())
    # Every option as it came to be; epochs as many as were asked for.
    learned = known - round(known * classifier.validation)
    now: dict[str, object] = {
        "epochs": recipe.passes(learned),
        "random_state": classifier.seed_,
    }
    chosen = {name: classifier.chosen_[name] for name in CHOSEN}
    length = "as asked"
    if chosen["steps"] is not None:
        now["epochs"] = None
        length = "as cross-validation chose" if recipe.automatic else length
    options = {**values(classifier, FineTuning), **vars(recipe), **chosen, **now}
    judged = {ANSWERS[name]: each for name, each in classifier.judged_.items()}
    return write_classification_report(
        folder,
        images=test,
        truth=labels_of(test),
        classes=train.classes,
        contenders=contenders,
        history=classifier.history_,
        settings={"stack": stack, **options},
        provenance=classifier.provenance_,
        command=command,
        notes=train.notes,
        labelled=known,
        unlabelled=len(train) - known if options["rounds"] else 0,
        judged=judged,
        answer=ANSWERS[classifier.answer_],
        length=length,
        tell=tell,
    )
