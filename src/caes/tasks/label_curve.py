"""How the error falls as labels are added, beside networks that saw nothing before."""

import time
from collections.abc import Callable, Sequence

from caes.data import ImageSet
from caes.estimators import CAE, CAEClassifier
from caes.ledger import Ledger
from caes.recipes import FineTuning
from caes.report.label_summary import CurveRun
from caes.tasks.classify import CODES, CONTROL, PIXELS, only
from caes.tasks.probe import fit_probe, labels_of, pixels_of

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
    """
    about = {
        "settings": " ".join(_changed(options)),
        "stack": cae.provenance_["data fingerprint"][:23] + f" {cae.arch}",
        "data": f"{train.source} {train.split}",
    }
    runs = []
    for labels in counts:
        for seed in range(seeds):
            few = only(train, labels, seed)
            for contender in CONTENDERS:
                key = {"contender": contender, "labels": labels, "seed": seed, **about}
                row = ledger.find(**key)
                if row is None:
                    start = time.perf_counter()
                    error = _error(contender, cae, few, test, options, seed)
                    took = time.perf_counter() - start
                    figures = {
                        "error": f"{error:.4f}",
                        "test_pictures": len(test),
                        "seconds": f"{took:.1f}",
                    }
                    row = ledger.add(key, figures)
                    say(f"{labels:,} labels, seed {seed}, {contender}: {error:.2f} %")
                runs.append(CurveRun(contender, labels, seed, float(row["error"])))
    return runs


def _changed(options: FineTuning) -> list[str]:
    """List the options that are not as they are by default."""
    default = FineTuning()
    return [
        f"{name}={getattr(options, name)}"
        for name in FineTuning.__dataclass_fields__
        if getattr(options, name) != getattr(default, name) and name != "random_state"
    ]


def _error(
    contender: str,
    cae: CAE,
    few: ImageSet,
    test: ImageSet,
    options: FineTuning,
    seed: int,
) -> float:
    """Train one contender; give its error on the test pictures in per cent."""
    known = few[labels_of(few) >= 0]
    if contender in (STACK, CONTROL):
        names = FineTuning.__dataclass_fields__
        given = {name: getattr(options, name) for name in names}
        given["random_state"] = seed
        if contender == CONTROL:
            given["start"] = "random"
        classifier = CAEClassifier(cae, **given)
        classifier.fit(few if contender == STACK else known)
        return 100 * (1 - classifier.score(test))
    features = cae.transform if contender == CODES else pixels_of(cae)
    fitted = fit_probe("logistic regression", features(known), labels_of(known))
    return 100 * float((fitted.predict(features(test)) != labels_of(test)).mean())
