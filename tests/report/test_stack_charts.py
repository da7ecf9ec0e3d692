import math
from collections.abc import Sequence

import numpy as np
import pytest
from matplotlib.axes import Axes

from caes.report import stack_curves, stack_training
from caes.report.canvas import DARK, LIGHT, png
from caes.report.phases import Phase, Plan, phases
from caes.report.plate import Plate
from caes.report.stack_curves import Stretch
from caes.train.history import History
from tests.report.fake import stack_history

TWO = Plan({1: 2, 2: 1})


def stretch(values: Sequence[float], name: str = "level 1", kept: int = 0) -> Stretch:
    curves = {"training": np.array(values, dtype=np.float64)}
    return Stretch(name, name[-1], curves, kept)


def drawn(*stretches: Stretch) -> Axes:
    (axes,) = stack_curves.draw(stretches, LIGHT, title="Loss").axes
    return axes


def plates(about: History, plan: Plan, loss: str = "mse") -> dict[str, Plate]:
    found: list[Phase] = phases(about, plan)
    made = [
        *stack_training.loss(found, loss),
        *stack_training.accuracy(found, "Share of pixels."),
        *stack_training.psnr(found),
    ]
    return {each.name: each for each in made}


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


@pytest.mark.parametrize(
    "stretches",
    [
        [stretch([0.3])],
        [stretch([0.0, 0.0]), stretch([0.0])],
        [stretch([math.nan]), stretch([math.inf, 1e-9])],
        [stretch([1e30, 1e-12]), stretch([1e-12])],
        [stretch(list(1 / np.arange(1.0, 1201)), kept=700)] * 40,
    ],
    ids=["one", "zero", "never finite", "enormous", "many"],
)
def test_every_stack_can_be_drawn(stretches: list[Stretch]) -> None:
    for theme in (LIGHT, DARK):
        figure = stack_curves.draw(stretches, theme, title="Loss")
        assert png(figure).startswith(b"\x89PNG")


def test_each_level_has_a_line_through_its_figures_and_a_room_of_its_own() -> None:
    axes = drawn(stretch([0.4, 0.3, 0.2]), stretch([0.35], "level 2"))
    first, second = (line for line in axes.lines if line.get_label() == "training")
    assert np.asarray(first.get_ydata()).tolist() == [0.4, 0.3, 0.2]
    assert np.asarray(second.get_ydata()).tolist() == [0.35]
    assert (
        (np.asarray(first.get_xdata()) > 0) & (np.asarray(first.get_xdata()) < 1)
    ).all()
    assert np.asarray(second.get_xdata()).tolist() == [1.5]
    assert texts(axes) == ["level 1", "level 2"]
    assert axes.get_xlim() == (0, 2)
    assert axes.get_yscale() == "linear"


def test_epochs_are_numbered_within_each_level() -> None:
    axes = drawn(stretch([3, 2, 1]), stretch([1.5] * 50, "level 2"))
    numbers = [label.get_text() for label in axes.get_xticklabels()]
    assert numbers == ["1", "2", "3", "10", "20", "30", "40", "50"]
    inside = drawn(*[stretch([1.0] * 50)] * 9)
    assert [label.get_text() for label in inside.get_xticklabels()] == ["50"] * 9


@pytest.mark.parametrize(("ratio", "scale"), [(9.9, "linear"), (10.1, "log")])
def test_losses_more_than_tenfold_apart_stand_on_a_logarithmic_axis(
    ratio: float, scale: str
) -> None:
    axes = drawn(stretch([ratio]), stretch([1.0], "level 2"))
    assert axes.get_yscale() == scale


def test_a_loss_of_nothing_has_no_logarithm() -> None:
    assert drawn(stretch([9.0]), stretch([0.0])).get_yscale() == "linear"


def test_names_are_short_where_many_levels_stand_side_by_side() -> None:
    axes = drawn(*(stretch([1.0], f"level {at}") for at in range(1, 10)))
    assert texts(axes) == [*"123456789"]


def test_each_kind_of_line_is_named_once() -> None:
    losses, watched = {1: [3.0, 2, 1], 2: [3.0, 1]}, {1: [3.0, 1, 2], 2: [2.0, 3]}
    about = stack_history(losses, watched, best_epoch=1, ended="early")
    found = phases(about, Plan({1: 3, 2: 5}, best=True))
    axes = drawn(*map(stack_training.losses, found))
    legend = axes.get_legend()
    assert legend is not None
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["training", "validation", "weights kept"]
    marks = [line for line in axes.lines if line.get_label() == "weights kept"]
    places = [float(np.asarray(mark.get_xdata())[0]) for mark in marks]
    assert places == pytest.approx([0.5, 1.27])


def test_the_charts_say_what_a_level_gives_back() -> None:
    made = plates(stack_history({1: [0.4, 0.2], 2: [0.3]}), TWO)
    assert made["loss"].alt == (
        "Loss of level 1 over 2 epochs, from 0.400 to 0.200; of level 2 over 1 epoch: "
        "0.300."
    )
    assert made["loss"].caption == (
        "Level 1 gives back pictures, level 2 gives back the code below; their losses "
        "do not compare, for a code has a scale of its own."
    )
    assert made["accuracy"].caption == (
        "Share of pixels. Of level 1 by itself. The levels above it give back codes."
    )
    assert made["psnr"].alt == "PSNR of level 1 over 2 epochs, from 20.0 dB to 20.0 dB."


def test_two_kinds_of_loss_are_told_apart() -> None:
    about = stack_history({1: [4.0, 2], 2: [0.3], 3: [0.2], 0: [2]})
    made = plates(about, Plan({1: 2, 2: 1, 3: 1, 0: 1}), "bce")
    assert made["loss"].caption == (
        "Level 1 and the refinement give back pictures (binary cross-entropy), levels "
        "2 and 3 give back the code below (mean squared error); their losses do not "
        "compare, for a code has a scale of its own. The axis is logarithmic."
    )
    assert made["psnr"].caption == (
        "Of level 1 by itself, then of all levels in the refinement."
    )


def test_a_grown_level_has_a_loss_and_nothing_of_pictures() -> None:
    made = plates(stack_history({3: [0.4, 0.2]}), Plan({1: 2, 2: 2, 3: 2}))
    assert list(made) == ["loss"]
    assert made["loss"].caption == "Level 3 gives back the code below."


def test_without_an_epoch_there_is_no_chart() -> None:
    assert plates(History([], 0, "interrupted"), TWO) == {}
