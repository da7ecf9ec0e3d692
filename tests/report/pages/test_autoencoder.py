import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import caes
from caes.data.imageset import ImageSet, Skipped
from caes.errors import DataError, OutputError
from caes.nn.architecture import DecoderName
from caes.report import write_report
from caes.report.charts import Chart
from caes.report.pages.autoencoder import page
from caes.report.results import examine, examples
from caes.train.history import History
from tests.refusals import refusing
from tests.report.fake import STACK, FakeCAE, a_stack, history, pictures, stack_history
from tests.report.reading import Page, check

TRAIN, TEST = pictures(50, 8, 8, 1), pictures(40, 8, 8, 1, seed=1)


def report(
    folder: Path, cae: FakeCAE, train: ImageSet, test: ImageSet, command: str = "caes"
) -> Page:
    path = write_report(folder, cae, train, test, command=command)
    return Page(path.read_text(encoding="utf-8"))


def without_charts(
    cae: FakeCAE, train: ImageSet, test: ImageSet, command: str = "caes"
) -> Page:
    """The same page with its charts left empty, since drawing takes a second."""
    empty = '<svg width="1pt" height="1pt" viewBox=""></svg>'
    names = ("loss", "accuracy", "psnr", "errors")
    drawn = {name: Chart(name, empty, name) for name in names}
    return Page(page(cae, train, test, examine(cae, train, test), drawn, command))


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Page]:
    folder = tmp_path_factory.mktemp("run")
    (folder / "figures").mkdir()
    (folder / "figures" / "loss.png").touch()  # an older caes drew it
    train = pictures(60, 8, 12, 1, source="letters", split="train")
    test = pictures(40, 8, 12, 1, seed=1, source="letters", split="test")
    cae = FakeCAE((8, 12, 1), arch="4C3-MP2-2C3-MP2")
    return folder, report(folder, cae, train, test, "caes fit letters --epochs 3")


def test_the_page_needs_nothing_but_itself(usual: tuple[Path, Page]) -> None:
    folder, read = usual
    assert len(read.all("img")) == 60
    assert len(read.all("svg")) == 5
    check(folder / "report.html")
    assert [heading.get("id") for heading in read.all("h2")] == [
        *("network", "training", "reconstructions", "extremes", "filters", "errors"),
        *("made", "pictures"),
    ]


def test_the_page_says_what_was_done(usual: tuple[Path, Page]) -> None:
    _, read = usual
    cae = FakeCAE((8, 12, 1), arch="4C3-MP2-2C3-MP2")
    rows = " ".join(
        f"{stage.title} {'×'.join(map(str, stage.output))} {stage.parameters:,}"
        for stage in cae.architecture_.rows((8, 12, 1))
    )
    network = read.text.partition("Parameters encoder")[2].partition("Total")[0]
    assert network.replace(" decoder ", " ").strip() == rows
    for told in (
        "letters 4C3-MP2-2C3-MP2",
        "caes fit letters --epochs 3",
        f"Total, all of them trained {cae.architecture_.parameters((8, 12, 1))}",
        "Code 12 values 2×3×2",
        "Compression 8 : 1 96 values a picture, 8×12×1",
        "Epochs 3 as asked",
        "Speed 2,000 images/s in training, median epoch",
        "Time 4.5 s for all epochs",
        "PCA learned from all 60 training pictures.",
        "Training letters train 60 8×12×1 uint8, 0 to 255",
        "Test letters test 40 8×12×1 uint8, 0 to 255",
        "patience not set",
    ):
        assert told in read.text


@pytest.mark.parametrize(
    ("bounded", "told"),
    [
        (True, ", to which PCA's answers are clipped as the autoencoder's are."),
        (False, "."),
    ],
)
def test_the_page_says_where_pca_is_clipped(bounded: bool, told: str) -> None:
    cae = FakeCAE((8, 8, 1), bounded=bounded)
    text = without_charts(cae, TRAIN, TEST).text
    assert f"All errors are on the scale where black is 0 and white is 1{told}" in text


def test_figures_are_files_too_and_nothing_else_is_left(
    usual: tuple[Path, Page],
) -> None:
    folder, _ = usual
    names = ["errors.csv", "figures", "report.html"]
    assert sorted(path.name for path in folder.iterdir()) == names
    charts = [
        f"{name}.svg" for name in ("accuracy", "errors", "filters", "loss", "psnr")
    ]
    pngs = ["best-and-worst.png", "reconstructions.png"]
    found = sorted(path.name for path in (folder / "figures").iterdir())
    assert found == sorted([*charts, *pngs])


@pytest.mark.parametrize(
    ("shape", "arch"),
    [
        ((9, 6, 2), "2C3-MP2"),
        ((6, 9, 3), "2C3-MP2-3N"),
        ((7, 5, 13), "2C5"),
        ((4, 4, 1), "5N"),
        ((512, 768, 3), "2C3-MP8"),
    ],
)
def test_any_pictures_give_a_page(
    tmp_path: Path, shape: tuple[int, int, int], arch: str
) -> None:
    cae = FakeCAE(shape, arch=arch)
    read = report(tmp_path, cae, pictures(3, *shape), pictures(2, *shape, seed=1))
    assert ("Filters" in read.text) is (arch != "5N")
    assert (tmp_path / "figures" / "filters.svg").exists() is (arch != "5N")
    assert (tmp_path / "report.html").stat().st_size < 2_000_000
    assert ("the first of 2 channels" in read.text) is (shape[2] == 2)
    assert ("the first 3 of 13 channels" in read.text) is (shape[2] == 13)


def test_one_pixel_and_one_epoch_give_a_page(tmp_path: Path) -> None:
    cae = FakeCAE((1, 1, 1), arch="1C1", history_=history([0.3]))
    read = report(tmp_path, cae, pictures(1, 1, 1, 1), pictures(1, 1, 1, 1, seed=1))
    assert "1 picture, spread evenly over the 1 test picture" in read.text
    assert "Best and worst" not in read.text


def test_a_diverged_run_gives_a_page_that_says_so(tmp_path: Path) -> None:
    losses = [0.3, math.inf, math.nan]
    lost = history(losses, losses, ended="diverged")
    cae = FakeCAE((6, 6, 1), keeps=math.nan, history_=lost)
    read = report(tmp_path, cae, pictures(9, 6, 6, 1), pictures(5, 6, 6, 1, seed=1))
    assert "Training failed: this network is of no use." in read.text
    assert "Epochs 3 of 3: diverged" in read.text
    assert "Test error not a number" in read.text
    assert "5 errors not finite, left out." in read.text


def test_names_from_outside_are_escaped() -> None:
    bad = "<script>alert('x')</script>"
    images = pictures(3, 4, 4, 1, source=bad, notes=(bad,), names=[bad] * 3)
    images = replace(images, skipped=(Skipped(bad, "truncated"),))
    read = without_charts(FakeCAE((4, 4, 1)), images, images, bad)
    assert not read.all("script")
    assert read.text.count(bad) >= 7


def test_what_was_left_out_is_named_once() -> None:
    skipped = tuple(Skipped(f"{at}.png", "truncated") for at in range(203))
    images = pictures(3, 4, 4, 1, skipped=skipped, notes=("Alpha was dropped.",))
    read = without_charts(FakeCAE((4, 4, 1)), images, images)
    assert read.text.count("Alpha was dropped.") == 1
    assert "203 files left out File Reason 0.png truncated" in read.text
    assert "199.png truncated And 3 more." in read.text
    assert "200.png" not in read.text


def test_pictures_of_another_size_are_refused(tmp_path: Path) -> None:
    message = "array: received test pictures of 4×6×1; allowed: pictures like the training ones, 4×4×1. Load them with size and channels as the training pictures were."
    with refusing(DataError, message):
        report(tmp_path, FakeCAE((4, 4, 1)), pictures(3, 4, 4, 1), pictures(3, 4, 6, 1))
    assert not list(tmp_path.iterdir())


def test_an_older_page_stays_when_the_new_one_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("older")
    (tmp_path / "figures").write_text("in the way")
    images = pictures(3, 4, 4, 1)
    with pytest.raises(OutputError):
        report(tmp_path, FakeCAE((4, 4, 1)), images, images)
    assert (tmp_path / "report.html").read_text() == "older"


def test_the_report_costs_nothing_before_it_is_written() -> None:
    heavy = "{'matplotlib', 'sklearn', 'jinja2', 'PIL', 'torch'}"
    code = f"import caes.report, sys; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_trained_autoencoder_gets_the_same_page_twice(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    bright = rng.random((80, 1, 1, 3))
    images = caes.load((rng.random((80, 8, 8, 3)) * bright).astype(np.float32))
    cae = caes.CAE("4C3-MP2-8N", epochs=2, validation=0.1, random_state=0)
    cae.fit(images[:60])
    first, second = (
        write_report(tmp_path / name, cae, images[:60], images[60:], command="caes")
        for name in ("first", "second")
    )
    assert first.read_bytes() == second.read_bytes()
    assert "Code 8 values" in Page(first.read_text(encoding="utf-8")).text


def test_a_difference_is_the_channels_mean_on_a_fixed_scale() -> None:
    images = pictures(3, 4, 4, 2)
    cae = FakeCAE((4, 4, 2), keeps=0.8)
    errors = cae.errors(images)
    (second, first), strongest = examples(cae, images, [1, 0], errors)
    assert (second.name, second.error) == ("00001", errors[1])
    apart = images.pixels[0].mean(axis=-1) / 255 * 0.2
    expected = (apart / strongest * 255).clip(0, 255)
    np.testing.assert_allclose(first.difference, expected, atol=0.51)
    both = images.pixels[:2].mean(axis=-1) / 255 * 0.2
    assert strongest == float(f"{np.percentile(both, 99.9):.2g}")


def test_the_page_of_a_stack_says_what_was_done() -> None:
    read = without_charts(
        a_stack(epochs=(3, 3), learning_rate=(0.001, 5e-4)), TRAIN, TEST
    )
    for told in (
        "Stack of convolutional autoencoders · report of a training",
        "2C3-MP2-2C3-MP2 , tied decoder, trained level by level",
        "Epochs 3 + 3 + 2 as asked, level by level, then all at once",
        "un-pooling 2×2, to where the largest were 4×4×2 0",
        "tied transposed convolution 2@3×3, relu 4×4×2 2",
        "Total 61",
        "Tied: the weights are the encoder's, transposed; only the biases are the decoder's own, and only they are counted there.",
        "then all learned together, from pictures to pictures.",
        "Level 2 2C3-MP2 the code of level 1, 4×4×2 mean squared error 3 of 3 0.200 –",
        "Refinement all levels pictures, 8×8×1 mean squared error 2 of 2 0.300 –",
        "Autoencoder 8 + 40 places 61 ",
        "Autoencoder, from its code alone 8 61 ",
        "and the places beside them of the largest values in the picture's own maps: 32 at level 1 and 8 at level 2, each one of 4. From the code alone, each value counts in all places of its cell alike.",
        "epochs 3, 3",
        "learning_rate 0.001, 0.0005",
    ):
        assert told in read.text
    assert "After epoch" not in read.text
    assert "all of them trained" not in read.text


def test_a_stack_that_learned_all_at_once_is_one_training() -> None:
    lower = a_stack()  # is named among the settings, and not spelled out
    settings = {"schedule": "joint", "start": lower, "start__epochs": 7}
    read = without_charts(a_stack(history([0.4, 0.3, 0.3]), **settings), TRAIN, TEST)
    for told in (
        "tied decoder, trained all levels at once",
        "After epoch 3 the mean squared error was 0.300",
        "Epochs 3 as asked",
        "Autoencoder 8 + 40 places",
        "start a trained 2C3-MP2-2C3-MP2",
    ):
        assert told in read.text
    assert "start__epochs" not in read.text


def test_the_code_alone_is_measured_on_every_test_picture() -> None:
    found = examine(a_stack(), TRAIN, TEST)
    expected = np.square((TEST.pixels / 255) * (1 - 0.45)).mean(axis=(1, 2, 3))
    assert found.alone is not None
    np.testing.assert_allclose(found.alone, expected, rtol=1e-5)
    # Pictures of another size have no code for this decoder.
    larger = pictures(9, 12, 8, 1)
    cae = replace(a_stack(), decoder="untied")
    assert examine(cae, larger, larger).alone is None


@pytest.mark.parametrize(
    ("about", "told"),
    [
        (STACK, "3 + 3 + 2 as asked"),
        (stack_history({2: [0.4, 0.3, 0.2]}), "Epochs 3 + 0 of 3 + 2 Speed"),
        (stack_history({1: [0.4]}, ended="interrupted", best_epoch=0), "interrupted in the first epoch of level 2"),
        (stack_history({1: [math.nan]}, ended="diverged", best_epoch=0), "diverged in epoch 1 of level 1"),
        (history([], ended="interrupted"), "0 of 3 + 3 + 2: not one was finished"),
    ],
)  # fmt: skip
def test_any_history_of_a_stack_gives_a_page(
    tmp_path: Path, about: History, told: str
) -> None:
    read = report(tmp_path, a_stack(about), TRAIN, TEST)
    assert told in read.text
    assert ("No epoch was finished." in read.text) is (not about.rows)
    assert (tmp_path / "figures" / "loss.svg").exists() is bool(about.rows)
    if about.rows:
        check(tmp_path / "report.html")


@pytest.mark.parametrize("decoder", ["tied", "untied"])
def test_a_trained_and_grown_stack_gets_its_pages(
    tmp_path: Path, decoder: DecoderName
) -> None:
    images = caes.load(pictures(60, 9, 10, 1).pixels)
    train, test = images[:40], images[40:]
    cae = caes.CAE("3C3-MP2-2C3", decoder=decoder, schedule="greedy", random_state=0)
    cae.set_params(
        epochs=(2, 1), noise="masking:0.5,none", refine=1, padding="valid", loss="mse"
    )
    cae.fit(train)
    cae.save(tmp_path / "run")
    again = caes.CAE.load(tmp_path / "run")
    first, loaded = (
        write_report(tmp_path / name, each, train, test, command="caes")
        for name, each in (("first", cae), ("loaded", again))
    )
    read = Page(first.read_text(encoding="utf-8"))
    assert "Epochs 2 + 1 + 1 as asked, level by level, then all at once" in read.text
    assert f"{decoder} decoder, trained level by level" in read.text
    assert "noise masking:0.5,none" in read.text
    assert Page(loaded.read_text(encoding="utf-8")).text == read.text
    grown = cae.grow("4N", train)
    path = write_report(tmp_path / "grown", grown, train, test, command="caes")
    text = Page(path.read_text(encoding="utf-8")).text
    assert "Epochs 1 as asked, of level 3" in text
    assert "Level 2 2C3 the code of level 1, 4×4×3 – taken over as it was – –" in text
    assert "start a trained 3C3-MP2-2C3" in text
