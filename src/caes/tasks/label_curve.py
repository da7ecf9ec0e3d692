"""How the error falls as labels are added, beside networks that saw nothing before."""

import time
from collections.abc import Callable, Sequence
from hashlib import sha256

import numpy as np

from caes.data import ImageSet
from caes.data.labels.draws import only
from caes.data.labels.labelled import labelled_only, labels_of
from caes.estimators import CAE, CAEClassifier
from caes.report.label_curve import CurveRun
from caes.runs.ledger import Ledger, pass_on_interruption
from caes.tasks.classify import CODES, CONTROL, PIXELS
from caes.tasks.probe import fit_probe, pixels_of
from caes.train.recipes import FineTuning

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
    """Train with each number of labels, from each seed, all contenders in pairs.

    Args:
        cae: The trained auto-encoder.
        train: Labelled pictures; all of them are seen, only some with their label.
        test: What every error is measured on.
        counts: Numbers of labels.
        seeds: Seeds 0, 1, …: each draws labels, weights and order.
        options: How to train the classifiers.
        ledger: Keeps every run; what is in it is not run again.
        say: Told of every run, a line each.

    Raises:
        ArgumentError: A number of labels that cannot be drawn.
        DataError: The ledger was damaged by hand.
        OutputError: The ledger cannot be written.
    """
    for labels in counts:  # before anything is trained
        only(train, labels, 0)
    ledger.claim()
    about = _about(cae, train, test, options)
    runs = []
    for labels in counts:
        for seed in range(seeds):
            for contender in CONTENDERS:
                key = {"contender": contender, "labels": labels, "seed": seed, **about}
                row = ledger.find(**key)
                if row is None:
                    few = only(train, labels, seed)
                    figures = _figures(contender, cae, few, test, options, seed)
                    row = ledger.add(key, figures)
                    told = f"error {float(row['error']):.2f} %"
                    say(f"{labels:,} labels, seed {seed}, {contender}: {told}")
                error = ledger.number(row, "error")
                runs.append(CurveRun(contender, labels, seed, error))
    return runs


def _about(
    cae: CAE, train: ImageSet, test: ImageSet, options: FineTuning
) -> dict[str, str]:
    """Say what all runs of a curve share, so that no other curve's are taken for it."""
    default = vars(FineTuning())
    changed = [f"{k}={v}" for k, v in vars(options).items() if v != default[k]]
    weights = sha256()
    for value in cae.model_.state_dict().values():
        weights.update(np.ascontiguousarray(value.numpy()).data)
    seen, asked = (f"{each.split} {each.fingerprint[:12]}" for each in (train, test))
    return {
        "settings": " ".join(changed),
        "stack": f"{cae.architecture_} {weights.hexdigest()[:12]}",
        "data": f"{train.source}, {seen}, {asked}",
    }


def _figures(
    contender: str,
    cae: CAE,
    few: ImageSet,
    test: ImageSet,
    options: FineTuning,
    seed: int,
) -> dict[str, object]:
    """Train one contender; give its error on the test pictures in per cent."""
    start = time.perf_counter()
    if contender in (STACK, CONTROL):
        right = _trained(contender, cae, few, options, seed).score(test)
    else:
        known = labelled_only(few)
        features = cae.transform if contender == CODES else pixels_of(cae)
        fitted = fit_probe("logistic regression", features(known), labels_of(known))
        right = float((fitted.predict(features(test)) == labels_of(test)).mean())
    return {
        "error": f"{100 * (1 - right):.4f}",
        "test_pictures": len(test),
        "seconds": f"{time.perf_counter() - start:.1f}",
    }


def _trained(
    contender: str, cae: CAE, few: ImageSet, options: FineTuning, seed: int
) -> CAEClassifier:
    """Train the network from the stack on all pictures, or the control on labels."""
    given = {**vars(options), "random_state": seed}
    if contender == CONTROL:
        given["start"] = "random"
        few = labelled_only(few)
    classifier = CAEClassifier(cae, **given).fit(few)
    pass_on_interruption(classifier.history_)
    return classifier
