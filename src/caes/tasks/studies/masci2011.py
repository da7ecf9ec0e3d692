"""Masci et al. 2011, "Stacked Convolutional Auto-Encoders": its tables and its figure.

The paper gives network, noise and loss; preprocessing, learning rates and epochs are
not stated. Chosen here, on pictures of the training set that the tables do not learn
from: pictures scaled to [0, 1] and nothing else; Adam with a cosine schedule instead of
plain gradient descent; the epochs below. The stack learns from the same pictures as the
classifiers, without labels, once for all seeds; a seed draws the labelled pictures, as
many of each class, and the order, the head and the random weights. The sealed table has
three stacks and chooses by itself: see `caes.tasks.studies.sealed`.
"""

from itertools import product

from caes.tasks.studies.sealed import SealedTable, Setting
from caes.tasks.studies.study import Table

NETWORK = "100C5-MP2-150C5-MP2-200C3"
STACK = {
    "arch": NETWORK,
    "schedule": "greedy",
    "decoder": "tied",
    "padding": "valid",
    "activation": "tanh",
    "loss": "mse",
    "noise": "masking:0.5",
    "epochs": 2,
}


def _published(*rows: tuple[int, float, float, float]) -> dict[int, dict[str, float]]:
    names = ("paper, stack", "paper, random", "replication, stack")
    return {labels: dict(zip(names, errors, strict=True)) for labels, *errors in rows}


# The replication by Kohlbrenner et al. has 55,000 and 45,000 labels in its last rows.
MNIST_ERRORS = _published(
    (1_000, 7.23, 7.63, 7.65), (10_000, 1.88, 2.21, 2.20), (50_000, 0.71, 0.79, 1.23)
)
CIFAR_ERRORS = _published(
    (1_000, 52.30, 55.52, 63.33),
    (10_000, 34.35, 35.23, 44.14),
    (50_000, 21.80, 22.50, 34.58),
)

MNIST = Table(
    name="masci2011-mnist",
    data="mnist",
    learn="train[:50000]",
    test="test",
    stack=STACK,
    classifier={"recipe": "paper"},
    seeds={1_000: 5, 10_000: 5, 50_000: 2},
    changes={10_000: {"epochs": 8}, 50_000: {"epochs": 12, "learning_rate": 3e-4}},
    published=MNIST_ERRORS,
    retried=frozenset({50_000}),
)
CIFAR10 = Table(
    name="masci2011-cifar10",
    data="cifar10",
    learn="train",
    test="test",
    stack=STACK | {"epochs": 1},
    classifier={"recipe": "paper"},
    seeds={1_000: 3, 10_000: 3, 50_000: 1},
    changes={1_000: {"epochs": 30}, 10_000: {"epochs": 8}, 50_000: {"epochs": 8}},
    published=CIFAR_ERRORS,
    retried=frozenset({50_000}),
)
QUICK = Table(
    name="masci2011-quick",
    data="digits",
    learn="train",
    test="test",
    stack=STACK | {"arch": "20C5-MP2-30C5-MP2-40C3"},
    classifier={"recipe": "paper", "epochs": 20},
    seeds={100: 3, 1_000: 2},
)
TABLES = {"mnist": MNIST, "cifar10": CIFAR10}


def _grid(rates: tuple[float, ...], epochs: tuple[int, ...]) -> tuple[Setting, ...]:
    return tuple(Setting(*each) for each in product(rates, epochs))


# The earlier choosing watched MNIST's last 30,000 training pictures, never these first.
SEALED = SealedTable(
    name="masci2011-mnist-sealed",
    data="mnist",
    learn="train[5000:50000]",
    watch="train[50000:]",
    sealed="train[:5000]",
    test="test",
    stack=STACK,
    classifier={"recipe": "paper"},
    grid={
        1_000: _grid((3e-4, 1e-3, 3e-3), (20, 60)),
        45_000: _grid((5e-4, 1e-3), (4, 8)),
    },
    chosen={
        1_000: {"stack": Setting(3e-4, 60), "random": Setting(1e-3, 60)},
        45_000: {"stack": Setting(1e-3, 4), "random": Setting(1e-3, 8)},
    },
    seeds={1_000: 5, 45_000: 3},
    published={1_000: MNIST_ERRORS[1_000], 45_000: MNIST_ERRORS[50_000]},
)
SEALED_QUICK = SealedTable(
    name="masci2011-sealed-quick",
    data="digits",
    learn="train[500:3500]",
    watch="train[3500:]",
    sealed="train[:500]",
    test="test",
    stack=QUICK.stack,
    classifier={"recipe": "paper"},
    grid={100: _grid((3e-4, 3e-3), (5, 20))},
    chosen={100: {"stack": Setting(3e-3, 20), "random": Setting(3e-3, 20)}},
    seeds={100: 3},
)
