"""What came after the paper, on the same tasks: the system's own recipe against it.

The stack and the recipe were chosen on pictures of the training set that the tables do
not learn from. The classifier from the stack learns from the other pictures of the
training set too, by its own sure answers on them. The controls are the same network
from random weights: on the labels alone, and with its own sure answers.
"""

from caes.tasks.studies.study import Table

STACK = {
    "schedule": "greedy",
    "decoder": "tied",
    "loss": "mse",
    "noise": "masking:0.3",
    "epochs": 1,
}

MNIST = Table(
    name="successors-mnist",
    data="mnist",
    learn="train",
    test="test",
    stack=STACK | {"arch": "32C5-MP2-64C5-MP2-128C3-MP2"},
    classifier={},
    seeds={1_000: 5, 60_000: 1},
    changes={60_000: {"epochs": 30}},
    beside=frozenset({1_000}),
    published={
        1_000: {"Ladder": 0.84, "AutoCNN": 1.75, "CONV-WTA": 1.92},
        60_000: {"AutoCNN": 0.39, "CONV-WTA": 0.48},
    },
    retried=frozenset({60_000}),
)
CIFAR10 = Table(
    name="successors-cifar10",
    data="cifar10",
    learn="train",
    test="test",
    stack=STACK | {"arch": "64C3-MP2-128C3-MP2-256C3-MP2"},
    classifier={"augment": "flip+crop:4+cutout:12+brightness:0.3+contrast:0.3"},
    seeds={1_000: 2, 50_000: 1},
    changes={50_000: {"epochs": 18}},
    beside=frozenset({1_000}),
    published={
        1_000: {"Mean Teacher": 21.55, "its ConvNet alone": 46.4},
        50_000: {"AutoCNN": 12.1, "CONV-WTA": 19.9},
    },
    retried=frozenset({50_000}),
)
QUICK = Table(
    name="successors-quick",
    data="digits",
    learn="train",
    test="test",
    stack=STACK | {"arch": "16C3-MP2-32C3-MP2"},
    classifier={"epochs": 20},
    seeds={100: 2},
    beside=frozenset({100}),
)
TABLES = {"mnist": MNIST, "cifar10": CIFAR10}
