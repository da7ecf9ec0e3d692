"""What cross-validation on the labels says: changes, length, and which answer is best.

So few labels do not let any of them be kept apart for good: each is learnt from, and
each is tested on once, by what has learnt from the others.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caes.data import ImageSet
from caes.data.labels.draws import stratified
from caes.data.scaling import Scaling
from caes.nn.classifier import Classifier
from caes.nn.inference import AT_ONCE, infer
from caes.nn.readout import Answers, Readout
from caes.train.augment import parse_augmentation
from caes.train.batches import Batches
from caes.train.finetune import finetune
from caes.train.history import History
from caes.train.loop import Machine
from caes.train.progress import Progress
from caes.train.readout import (
    GRIDS,
    Features,
    Fold,
    Judged,
    Labels,
    Strength,
    answers,
    best_strength,
    fit,
    folds_of,
    judged,
)
from caes.train.recipes import Recipe

CHANGES = {
    "shift:0.08": 1.05,
    "rotate:12+scale:0.12+shear:10+elastic:0.7": 1.05,
    "flip": 1.0,
    "turn": 1.0,
    "brightness:0.2+contrast:0.2": 1.05,
}
"""Changes that may keep the class, tried one after the other, and up to which multiple
of the cross-entropy without it each is taken up: a linear answer has less use for small
ones than a network."""
COPIES, TRIED_ON = 3, 300
"""Changed copies of a picture, and most pictures, that show whether it does."""
MOST = 5000
"""Most labels that a readout is fitted to."""
STEPS, LONGER = (300, 1500), 1.5
"""Fewest and most steps of the network's training, and how much longer it is than the
trials, which had fewer labels and whose rate did not fall to nothing."""
TRIALS = 0.4
"""Share of the time for the network's trials on the folds."""
TRUSTED = 0.9
"""Share of right ones among the sure answers from which unlabelled pictures help."""


@dataclass(frozen=True)
class Labelled:
    """What is learnt from."""

    images: ImageSet
    labels: Labels  # -1 where there is none
    scaling: Scaling
    seed: int
    fabric: Machine
    progress: Progress


@dataclass(frozen=True)
class Choice:
    """What was chosen, and what the answers were worth on pictures not learnt from."""

    recipe: Recipe  # answer, steps, augment and rounds filled in
    readouts: dict[str, Readout] = field(default_factory=dict)  # of all labels
    judged: dict[str, Judged] = field(default_factory=dict)
    # Of a fold, where Ctrl-C came within the trials: the network there is.
    partial: tuple[Classifier, History] | None = None


@dataclass
class Trial:
    """The network on the folds: what it answered, and how long it took."""

    probabilities: NDArray[np.float32]  # N×K of the labelled pictures, NaN if not known
    steps: list[int] = field(default_factory=list)  # after which nothing got better
    speeds: list[float] = field(default_factory=list)  # in steps a second
    cut: int = 0  # folds on which it was still getting better when the time was over
    model: Classifier = field(init=False)  # of the last fold that was finished
    history: History = field(init=False)

    def take_note(self) -> None:
        """Take down the length and the speed of the last fold's training."""
        rows = self.history.rows
        steps = rows[-1].steps or 1
        self.steps.append(self.history.best_epoch * steps // len(rows))
        self.speeds.append(steps / sum(row.seconds for row in rows))
        self.cut += self.history.ended == "time" and self.steps[-1] == steps

    def trusted(self, labels: Labels, confidence: float) -> bool:
        """Tell whether what it is sure of is right, on pictures not learnt from."""
        sure = np.nan_to_num(self.probabilities).max(1) >= confidence
        right = self.probabilities[sure].argmax(1) == labels[sure]
        return bool(sure.any() and right.mean() >= TRUSTED)


def choose(
    build: Callable[[], Classifier],
    about: Answers | None,
    given: Labelled,
    recipe: Recipe,
    rounds: int | None,
) -> Choice:
    """Choose by cross-validation whatever the recipe leaves open.

    ``build`` gives the network before its training; ``about`` holds the encoder whose
    codes are read, None where there is none; ``rounds`` are those of self-training
    that were asked for, if any.
    """
    known = np.flatnonzero(given.labels >= 0)
    few = replace(given, images=given.images[known], labels=given.labels[known])
    folds = folds_of(few.labels, given.seed)
    if not folds:  # a class with a single picture
        usual = "network" if recipe.answer == "auto" else recipe.answer
        return Choice(replace(recipe, answer=usual))
    readouts: dict[str, Readout] = {}
    found: dict[str, NDArray[np.float32]] = {}
    if about is not None:
        readouts, found = _read_out(about, few, folds)
        if recipe.augment == "auto":
            taken = changes_for(about, few)
            words = taken.replace("+", ", ")
            given.progress.note(f"changes that keep the class: {words}")
            recipe = replace(recipe, augment=taken)
    trial = None
    if recipe.automatic:
        trial = _trial(build, given, known, folds, recipe)
        if trial.steps:
            found["network"] = trial.probabilities
    told = [np.isfinite(each[:, 0]) for each in found.values()]
    common = np.all(told, axis=0) if told else np.zeros(len(known), bool)
    truth = few.labels[common]
    results = {name: judged(each[common], truth) for name, each in found.items()}
    if recipe.answer == "auto":
        short = trial is not None and 2 * trial.cut > len(trial.steps)
        best = best_of(results, int(common.sum()), short)
        recipe = replace(recipe, answer=best)  # type: ignore[arg-type]
    if trial is None:
        return Choice(recipe, readouts, results)
    if trial.history.broken_off:
        return Choice(recipe, readouts, results, (trial.model, trial.history))
    if rounds is None and not trial.trusted(few.labels, recipe.confidence):
        recipe = replace(recipe, rounds=0)
    recipe = _bounded(recipe, trial)
    each = (recipe.steps or 0) / float(np.median(trial.speeds))
    later = 2 * each * recipe.rounds  # rounds, which take twice as many steps
    given.progress.expect(folds=0, network=0, rounds=later)
    if "control" in given.progress.coming:
        given.progress.expect(control=each + later)
    return Choice(recipe, readouts, results)


def best_of(results: Mapping[str, Judged], pictures: int, short: bool) -> str:
    """Give the answer with the smallest error on so many pictures.

    Where the network's trials were cut ``short`` by the time while they still got
    better, it is worth more than it shows: it is taken unless the best one's error is
    smaller by more than a standard deviation of that.
    """
    best = min(results, key=lambda name: results[name], default="network")
    if short and "network" in results:
        error = results[best].error
        deviation = (error * (1 - error) / max(pictures, 1)) ** 0.5
        if results["network"].error <= error + deviation:
            return "network"
    return best


def _bounded(recipe: Recipe, trial: Trial) -> Recipe:
    """Take as many steps as made the trials better, and as fit in the time left."""
    left = 60 * recipe.minutes * (1 - TRIALS) * float(np.median(trial.speeds))
    most = min(STEPS[1], int(left / (3 if recipe.rounds else 1)))
    wanted = round(LONGER * float(np.median(trial.steps)))
    steps = min(max(STEPS[0], wanted), max(STEPS[0] // 3, most))
    return replace(recipe, steps=steps)


def _read_out(
    about: Answers, few: Labelled, folds: Sequence[Fold]
) -> tuple[dict[str, Readout], dict[str, NDArray[np.float32]]]:
    """Fit every readout, of the strength that tells the folds' test rows best.

    Gives them, fitted to all labels, or to as many as are taken, and what those fitted
    to the folds say of the test rows.
    """
    rows = _at_most(few, MOST)
    labels, within = few.labels[rows], _within(folds, rows)
    seen = _features(about, few, rows)
    codes = seen.shape[1] - about.statistics
    readouts, found = {}, {}
    for name in GRIDS:
        part = seen[:, :codes] if name == "codes" else seen
        strength, told = best_strength(name, part, codes, labels, within)
        readouts[name] = fit(part, codes, labels, strength)
        found[name] = np.full((len(few.labels), told.shape[1]), np.nan, np.float32)
        found[name][rows[np.concatenate([fold.test for fold in within])]] = told
    return readouts, found


def _trial(
    build: Callable[[], Classifier],
    given: Labelled,
    known: NDArray[np.int64],
    folds: Sequence[Fold],
    recipe: Recipe,
) -> Trial:
    """Train the network on each fold until those kept apart are told no better."""
    minutes = TRIALS * recipe.minutes / len(folds)
    network = 60 * (1 - TRIALS) * recipe.minutes
    recipe = replace(recipe, minutes=minutes, steps=STEPS[1])
    classes = int(given.labels.max()) + 1
    trial = Trial(np.full((len(known), classes), np.nan, np.float32))
    for number, fold in enumerate(folds, 1):
        given.progress.note(f"cross-validating the network, {number} of {len(folds)}")
        folded = 60 * minutes * (len(folds) - number)
        given.progress.expect(folds=folded, network=network)
        model = build()
        history = finetune(
            model,
            given.images,
            given.labels,
            given.scaling,
            recipe,
            seed=given.seed,
            fabric=given.fabric,
            progress=given.progress,
            fold=Fold(known[fold.learn], known[fold.test]),
        )
        if history.broken_off and trial.steps:  # that of the fold before is whole
            trial.history.ended = history.ended
            break
        trial.model, trial.history = model, history
        if history.broken_off:
            break
        rows = known[fold.test]
        batches = Batches(given.images, given.scaling, AT_ONCE, rows=rows)
        told = infer(model, model.probabilities, batches, given.fabric.device)
        trial.probabilities[fold.test] = np.concatenate([*told])
        trial.take_note()
    return trial


def changes_for(about: Answers, few: Labelled) -> str:
    """Take up each of `CHANGES` that leaves pictures not learnt from as easy to tell.

    A linear answer learns from pictures and changed copies of them, and is tested on
    pictures as they are: where digits are mirrored too, or textures turned that have a
    direction, it gets worse.
    """
    rows = _at_most(few, TRIED_ON)
    labels, pixels = few.labels[rows], few.images[rows].pixels
    unit = torch.from_numpy(few.scaling.to_unit(np.asarray(pixels)))
    folds = folds_of(labels, few.seed)
    truth = labels[np.concatenate([fold.test for fold in folds])]
    unchanged = _seen(about, unit)
    codes = unchanged.shape[1] - about.statistics
    strength = Strength(0.1 / (COPIES + 1))

    def loss(parts: Sequence[str]) -> float:
        changed = parse_augmentation("+".join(parts) or "none")
        random = torch.Generator().manual_seed(few.seed)
        copies = [unchanged] * (COPIES + 1)
        if changed is not None:
            copies[1:] = [_seen(about, changed(unit, random)) for _ in range(COPIES)]
        told = []
        for fold in folds:
            learnt = np.concatenate([each[fold.learn] for each in copies])
            repeated = np.tile(labels[fold.learn], len(copies))
            readout = fit(learnt, codes, repeated, strength)
            told.append(answers(readout, unchanged[fold.test]))
        return judged(np.concatenate(told), truth).loss

    taken: list[str] = []
    best = loss(taken)
    for change, most in CHANGES.items():
        tried = loss([*taken, change])
        if tried <= most * best:
            taken, best = [*taken, change], min(best, tried)
    return "+".join(taken) or "none"


def _features(about: Answers, few: Labelled, rows: NDArray[np.int64]) -> Features:
    """Give codes, and texture statistics behind them, of some pictures."""
    batches = Batches(few.images, few.scaling, AT_ONCE, rows=rows)
    return np.concatenate([*infer(about, about.features, batches, few.fabric.device)])


def _seen(about: Answers, unit: Tensor) -> Features:
    """Do the same for N×H×W×C in [0, 1]."""
    with torch.inference_mode():
        parts = [about.features(part) for part in torch.split(unit, AT_ONCE)]
        return torch.cat(parts).numpy()


def _at_most(few: Labelled, most: int) -> NDArray[np.int64]:
    """Draw rows, as many of each class as possible, if there are more."""
    return stratified(few.labels, min(most, len(few.labels)), few.seed)


def _within(folds: Sequence[Fold], rows: NDArray[np.int64]) -> list[Fold]:
    """Give folds as places among some of the rows."""
    return [
        Fold(*(np.flatnonzero(np.isin(rows, part)) for part in fold)) for fold in folds
    ]
