"""How the error falls as labels are added, beside networks that saw nothing before."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import product
from typing import Any

from caes.data import ImageSet
from caes.data.labels.draws import only
from caes.data.labels.labelled import labelled_only, labels_of
from caes.estimators import CAE, CAEClassifier
from caes.options import values
from caes.report.pages.label_curve import CurveRun
from caes.runs.ledger import Ledger, Row, pass_on_interruption
from caes.runs.provenance import digest_of
from caes.tasks.classify import CODES, CONTROL, PIXELS
from caes.tasks.probe import fit_probe, pixels_of
from caes.train.recipes import RECIPES, FineTuning, RecipeName, StartName

KEYS = ("contender", "labels", "seed", "settings", "stack", "data")
FIGURES = ("error", "test_pictures", "seconds")
STACK = "the network from the stack"
CONTENDERS = (STACK, CONTROL, CODES, PIXELS)


def label_curve(
    cae: CAE,
    train: ImageSet,
    test: ImageSet,
    counts: Sequence[int],
    seeds: int,
    options: FineTuning,
    ledger: Ledger,
    say: Callable[[str], None],
) -> list[CurveRun]:
    """Train with each number of labels, from each seed, all contenders in pairs."""
    for labels in counts:  # before anything is trained
        only(train, labels, 0)
    ledger.claim()
    about = _about(cae, train, test, options)
    every = product(counts, range(seeds), CONTENDERS)
    runs = [(contender, labels, seed) for labels, seed, contender in every]
    keys = [dict(zip(KEYS, (*run, *about), strict=True)) for run in runs]

    def tell(row: Row) -> None:
        run = f"{int(row['labels']):,} labels, seed {row['seed']}, {row['contender']}"
        say(f"{run}: error {float(row['error']):.2f} %")

    rows = ledger.fill(keys, partial(_figures, cae, train, test, options), tell)
    errors = (ledger.number(row, "error") for row in rows)
    return [CurveRun(*run, error) for run, error in zip(runs, errors, strict=True)]


def trained(
    stack: CAE,
    images: ImageSet,
    labels: int,
    seed: int,
    start: StartName,
    options: Mapping[str, Any],
    *,
    beside: bool,
) -> CAEClassifier:
    """Train one classifier of a pair: both starts of a seed see the same labels.

    ``beside`` says whether it learns from the pictures without labels, too.
    """
    few = only(images, labels, seed)
    if not beside:
        few = labelled_only(few)
    given = {**with_length(options), "start": start, "random_state": seed}
    classifier = CAEClassifier(stack, **given).fit(few)
    pass_on_interruption(classifier.history_)
    return classifier


def with_length(options: Mapping[str, Any]) -> dict[str, Any]:
    """Say how long to train where nothing does: the same for both starts."""
    if options.get("epochs") is None and options.get("steps") is None:
        recipe: RecipeName = options.get("recipe", "default")
        return {**options, "epochs": RECIPES[recipe].epochs or 0}
    return {**options}


def _about(
    cae: CAE, train: ImageSet, test: ImageSet, options: FineTuning
) -> tuple[str, str, str]:
    """Say what all runs of a curve share, so that no other curve's are taken for it."""
    default = vars(FineTuning())
    changed = [f"{k}={v}" for k, v in vars(options).items() if v != default[k]]
    seen, asked = (f"{each.split} {each.fingerprint[:12]}" for each in (train, test))
    stack = f"{cae.architecture_} {digest_of(cae.model_)[:12]}"
    return " ".join(changed), stack, f"{train.source}, {seen}, {asked}"


def _figures(
    cae: CAE,
    train: ImageSet,
    test: ImageSet,
    options: FineTuning,
    key: Mapping[str, Any],
) -> dict[str, object]:
    """Train one contender; give its error on the test pictures in per cent."""
    began = time.perf_counter()
    contender, labels, seed = key["contender"], key["labels"], key["seed"]
    if contender in (STACK, CONTROL):
        start: StartName = "stack" if contender == STACK else "random"
        given = values(options, FineTuning)
        fine = trained(cae, train, labels, seed, start, given, beside=True)
        right = fine.score(test)
    else:
        known = labelled_only(only(train, labels, seed))
        features = cae.transform if contender == CODES else pixels_of(cae)
        fitted = fit_probe("logistic regression", features(known), labels_of(known))
        right = float((fitted.predict(features(test)) == labels_of(test)).mean())
    return {
        "error": f"{100 * (1 - right):.4f}",
        "test_pictures": len(test),
        "seconds": f"{time.perf_counter() - began:.1f}",
    }
