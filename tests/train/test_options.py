"""What the options of both kinds of training may be, and what is said of others."""

from typing import Any, get_args, get_type_hints

import pytest

from caes.errors import ArgumentError
from caes.train.options import Options
from caes.train.recipes import FineTuning

LEAST_0 = "a whole number of at least 0"
LEAST_1 = "a whole number of at least 1"
ABOVE_0 = "a number above 0"
SHARE = "a number above 0 and below 1"
PATIENCE = (LEAST_1, "Try patience=5, or leave it out.")
ENOUGH = (LEAST_0, "Try epochs=40, or 0 for enough.")
TIED: dict[str, Any] = {"decoder": "tied"}
GREEDY: dict[str, Any] = TIED | {"schedule": "greedy"}
ONE_A_LEVEL = "one value, or in a greedy schedule one a level. Give a single value."
OF_ITS_OWN = "with the mirrored decoder; allowed: a decoder of each level's own for it. Add decoder='tied'."
HEAD = "allowed: dense layers such as 300N or 500N-100N, or none. Try '300N'."


def _refused(declared: type[Options | FineTuning], **given: Any) -> str:
    options = declared(**given)
    with pytest.raises(ArgumentError) as caught:
        options.check() if isinstance(options, Options) else options.resolved()
    return str(caught.value)


def _choices() -> list[tuple[type[Options | FineTuning], str, tuple[Any, ...]]]:
    """Every option of both classes that is one of several words, or yes or no."""
    found = []
    for declared in (Options, FineTuning):
        for name, kind in get_type_hints(declared).items():
            kinds = [kind, *get_args(kind)]
            words = [get_args(k) for k in kinds if str(k).startswith("typing.Literal")]
            if name == "epochs":  # a number, or a word
                continue
            if words or bool in kinds:
                found.append((declared, name, words[0] if words else (False, True)))
    return found


@pytest.mark.parametrize(("declared", "name", "words"), _choices())
def test_a_word_that_is_no_choice_is_refused_with_those_that_are(
    declared: type[Options | FineTuning], name: str, words: tuple[Any, ...]
) -> None:
    expected = f"{name}: received 'lion'; allowed: {' or '.join(map(repr, words))}. Try {words[0]!r}."
    assert _refused(declared, **{name: "lion"}) == expected


@pytest.mark.parametrize(
    ("declared", "name", "value", "allowed", "hint"),
    [
        (Options, "epochs", -3, f"{LEAST_1} or 'auto'", "Try epochs=20."),
        (Options, "epochs", 2.5, f"{LEAST_1} or 'auto'", "Try epochs=20."),
        (Options, "refine", -1, LEAST_0, "Try refine=5, or leave it out."),
        (Options, "batch_size", 0, LEAST_1, "Try batch_size=64."),
        (Options, "learning_rate", float("nan"), ABOVE_0, "Try 0.001."),
        (Options, "validation", 1.5, SHARE, "Try 0.1."),
        (Options, "patience", 0, *PATIENCE),
        (Options, "random_state", -1, LEAST_0, "Try 0."),
        (FineTuning, "epochs", -1, *ENOUGH),
        (FineTuning, "epochs", 2.5, *ENOUGH),
        (FineTuning, "epochs", True, *ENOUGH),
        (FineTuning, "batch_size", -1, LEAST_1, "Try batch_size=64."),
        (FineTuning, "learning_rate", float("nan"), ABOVE_0, "Try 0.001."),
        (FineTuning, "learning_rate", "0.1", ABOVE_0, "Try 0.001."),
        (FineTuning, "weight_decay", -0.1, ABOVE_0, "Try 0 for none."),
        (FineTuning, "dropout", 1, SHARE, "Try 0.4, or 0 for none."),
        (FineTuning, "average", 1.0, SHARE, "Try 0.99, or 0 for none."),
        (FineTuning, "confidence", 1.0, SHARE, "Try 0.95."),
        (FineTuning, "rounds", -1, LEAST_0, "Try rounds=1, or 0 for none."),
        (FineTuning, "round_epochs", -1, LEAST_0, "Try 4, or 0 for enough."),
        (FineTuning, "validation", 1.5, SHARE, "Try 0.1."),
        (FineTuning, "validation", None, SHARE, "Try 0.1."),
        (FineTuning, "patience", 0, *PATIENCE),
        (FineTuning, "random_state", -1, LEAST_0, "Try 0."),
    ],
)
def test_numbers_beyond_their_bounds_are_refused(
    declared: type[Options | FineTuning], name: str, value: Any, allowed: str, hint: str
) -> None:
    assert _refused(declared, **{name: value}) == (
        f"{name}: received {value!r}; allowed: {allowed}. {hint}"
    )


@pytest.mark.parametrize(
    ("declared", "recipe"), [(Options, "example"), (FineTuning, "default")]
)
def test_patience_without_validation_is_refused(declared: Any, recipe: str) -> None:
    expected = "patience: received 3 without validation pictures; allowed: patience together with validation. Add validation=0.1."
    assert _refused(declared, patience=3, recipe=recipe) == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"arch": 3}, "arch: received 3; allowed: a network as text. Try '16C3-MP2-8C3-MP2'."),
        ({"schedule": "greedy"}, f"schedule: received 'greedy' {OF_ITS_OWN}"),
        ({"padding": "valid"}, f"padding: received 'valid' {OF_ITS_OWN}"),
        ({"sparsity": "wta:0.1"}, f"sparsity: received 'wta:0.1' {OF_ITS_OWN}"),
        (TIED | {"sparsity": "wta:2"}, "sparsity: received 'wta:2'; allowed: wta, or wta:SHARE with a share above 0 and up to 1. Try wta:0.05."),
        ({"epochs": (3, 2)}, f"epochs: received 2 values for 1 level trained at once; allowed: {ONE_A_LEVEL}"),
        ({"noise": "masking:0.3,none"}, f"noise: received 2 values for 1 level trained at once; allowed: {ONE_A_LEVEL}"),
        (GREEDY | {"learning_rate": (0.1, 0.1, 0.1)}, f"learning_rate: received 3 values for 2 levels; allowed: {ONE_A_LEVEL}"),
        (GREEDY | {"noise": "masking:0.3,masking:0.3,none"}, f"noise: received 3 values for 2 levels; allowed: {ONE_A_LEVEL}"),
        (GREEDY | {"epochs": (3, 0)}, f"epochs: received 0; allowed: {LEAST_1} or 'auto'. Try epochs=20."),
        (GREEDY | {"learning_rate": (0.1, -1)}, f"learning_rate: received -1; allowed: {ABOVE_0}. Try 0.001."),
        ({"code": 8, "arch": "2C3"}, "code: received 8 with the network 2C3; allowed: a size of the code that arch auto chooses the network for. Leave arch and recipe out."),
        ({"compression": 4, "recipe": "example"}, "compression: received 4 with the network 16C3-MP2-8C3-MP2; allowed: a size of the code that arch auto chooses the network for. Leave arch and recipe out."),
        ({"code": 8, "compression": 4}, "compression: received 4 together with a code of 8; allowed: one of the two. Leave one out."),
        ({"epochs": 3, "minutes": 2}, "minutes: received 2 for a fixed number of epochs; allowed: minutes together with epochs auto. Add epochs='auto'."),
        ({"epochs": 3, "steps": 200}, "steps: received 200 together with 3 epochs; allowed: one of the two. Leave one out."),
        ({"linear": True, "arch": "2C3"}, "linear: received True beside '2C3' with a decoder 'mirror'; allowed: a linear path beside a mirrored network with a dense code. Try arch='16C3-MP2-64N', or arch='auto'."),
        ({"loss": "bce"}, "loss: received 'bce' with a linear path; allowed: 'mse', since what comes out is not held between 0 and 1. Leave loss out, or add linear=False."),
        (GREEDY | {"noise": "none,fog:0.3"}, "noise: received 'fog:0.3'; allowed: masking:SHARE, gaussian:DEVIATION or salt-and-pepper:SHARE. Try masking:0.3."),
    ],
)  # fmt: skip
def test_options_that_do_not_go_together_are_refused(
    given: dict[str, Any], message: str
) -> None:
    assert _refused(Options, **given) == message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"head": "4C3"}, f"head: received '4C3'; {HEAD}"),
        ({"head": "4C3-10N"}, f"head: received '4C3-10N'; {HEAD}"),
        ({"head": ""}, f"head: received ''; {HEAD}"),
        ({"head": "0N"}, f"head: received '0N'; {HEAD}"),
        ({"head": 300}, f"head: received '300'; {HEAD}"),
        ({"head": (300,)}, f"head: received '(300,)'; {HEAD}"),
        ({"augment": "rotate:999"}, "augment: received 'rotate:999'; allowed: rotate:DEGREES with a number from 0 to 180. Try rotate:15."),
    ],
)  # fmt: skip
def test_texts_that_cannot_be_read_are_refused(
    given: dict[str, Any], message: str
) -> None:
    assert _refused(FineTuning, **given) == message


@pytest.mark.parametrize(
    ("options", "output"),
    [
        ({"decoder": "mirror", "loss": "mse", "activation": "tanh"}, "sigmoid"),
        ({"loss": "bce", "activation": "tanh"}, "sigmoid"),
        ({"loss": "mse", "activation": "tanh"}, "tanh"),
        ({"loss": "mse", "activation": "sigmoid"}, "sigmoid"),
        ({"loss": "mse", "activation": "relu"}, "linear"),
        ({"loss": "mse", "activation": "elu"}, "linear"),
        ({"loss": "mse", "activation": "linear"}, "linear"),
    ],
)
def test_the_picture_s_activation_follows_from_loss_and_levels(
    options: dict[str, Any], output: str
) -> None:
    assert Options(arch="2C3", **TIED | options).check().output == output


def test_what_is_not_said_is_chosen_for_the_picture_or_as_in_the_example() -> None:
    def chosen(**said: Any) -> tuple[Any, ...]:
        full = Options(**said).resolved((64, 64, 3))
        return full.arch, full.linear, full.epochs, full.loss, full.validation

    deep = "16C3-MP2-32C3-MP2-64C3-MP2-256N"
    assert chosen() == (f"{deep}-64N", True, "auto", "mse", 0.1)
    assert chosen(compression=64) == (f"{deep}-192N", True, "auto", "mse", 0.1)
    assert chosen(epochs=3, code=5) == (f"{deep}-5N", True, 3, "mse", 0.0)
    example = ("16C3-MP2-8C3-MP2", False, 20, "bce", 0.0)
    assert chosen(recipe="example") == chosen(decoder="tied") == example
    assert chosen(arch="2C3") == ("2C3", False, 20, "bce", 0.0)
    assert chosen(arch="2C3", steps=9) == ("2C3", False, "auto", "bce", 0.1)
    assert chosen(arch="2C3", scale="standard")[3] == "mse"
    # What was chosen is itself a choice of nothing more.
    full = Options().resolved((64, 64, 3))
    assert vars(full.resolved((8, 8, 1))) == vars(full)
