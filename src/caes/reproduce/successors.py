"""What came after the paper, on the same tasks: the system's own recipe against it.

The stack and the recipe were chosen on pictures of the training set that the tables do
not learn from. The control is the same network from random weights, on the labels
alone; the classifier from the stack learns from the other pictures of the training set
too, without their labels.
"""

from caes.reproduce.study import Table

MNIST = Table(
    name="successors-mnist",
    data="mnist",
    learn="train",
    test="test",
    stack={
        "arch": "32C3-32C3-MP2-64C3-64C3-MP2",
        "schedule": "greedy",
        "decoder": "tied",
        "loss": "mse",
        "noise": "masking:0.3",
        "epochs": 1,
    },
    classifier={},
    seeds={1_000: 5, 60_000: 1},
    changes={60_000: {"epochs": 10}},
    beside=True,
    published={
        1_000: {"Ladder": 0.84, "AutoCNN": 1.75, "CONV-WTA": 1.92},
        60_000: {"AutoCNN": 0.39, "CONV-WTA": 0.48},
    },
)
QUICK = Table(
    name="successors-quick",
    data="digits",
    learn="train",
    test="test",
    stack={**MNIST.stack, "arch": "16C3-MP2-32C3-MP2"},
    classifier={"epochs": 20},
    seeds={100: 2},
    beside=True,
)
TABLES = {"mnist": MNIST}
