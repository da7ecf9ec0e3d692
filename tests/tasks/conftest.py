"""What all tasks are tried on."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from caes import CAE, CAEClassifier, ImageSet
from caes.data.labels.labelled import labels_of
from caes.tasks import label_curve
from caes.tasks.probe import fit_probe
from tests import stripes


@pytest.fixture(autouse=True)
def _one_thread(one_thread: None) -> None:
    """Threads that wait for one another are slow where the machine is busy."""


@pytest.fixture(scope="module")
def images() -> ImageSet:
    return stripes.images(30)


@pytest.fixture(scope="module")
def test_images() -> ImageSet:
    return stripes.images(12, seed=1000, split="test")


@pytest.fixture(scope="module")
def stack(images: ImageSet) -> CAE:
    return stripes.stack(images)


@dataclass
class Fits:
    """What was trained: stacks, networks with labels, and simple classifiers."""

    stacks: list[str] = field(default_factory=list)
    """Their notations."""
    networks: list[tuple[str, int, tuple[str, ...], int]] = field(default_factory=list)
    """Start, seed, the names of pictures with labels, and the number of those without."""
    probes: list[tuple[int, ...]] = field(default_factory=list)
    """The labels."""


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> Fits:
    seen = Fits()
    fit: Callable[..., CAEClassifier] = CAEClassifier.fit
    fit_stack: Callable[..., CAE] = CAE.fit

    def network(self: CAEClassifier, images: ImageSet) -> CAEClassifier:
        known = labels_of(images) >= 0
        names = tuple(images[known].names)
        about = (self.start, self.random_state, names, int((~known).sum()))
        seen.networks.append(about)
        return fit(self, images)

    def stack(self: CAE, images: ImageSet) -> CAE:
        seen.stacks.append(self.arch)
        return fit_stack(self, images)

    def simple(name: str, features: Any, labels: Any) -> Any:
        seen.probes.append(tuple(labels.tolist()))
        return fit_probe(name, features, labels)

    monkeypatch.setattr(CAEClassifier, "fit", network)
    monkeypatch.setattr(CAE, "fit", stack)
    monkeypatch.setattr(label_curve, "fit_probe", simple)
    return seen


Interrupt = Callable[..., None]


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch) -> Interrupt:
    """Give what lets trainings of a class, perhaps of one start, end by Ctrl-C."""

    def ending(who: type[Any], start: str | None = None) -> None:
        fit = who.fit

        def cut_short(self: Any, images: ImageSet) -> Any:
            fit(self, images)
            if start is None or self.start == start:
                self.history_.ended = "interrupted"
            return self

        monkeypatch.setattr(who, "fit", cut_short)

    return ending
