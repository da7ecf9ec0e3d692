"""What the command line says when something is wrong: one line, exit code 2."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from caes import CAE, __version__
from caes.cli import COMMANDS, PARTS, main
from tests.cli.conftest import Run


def _picture(path: Path, height: int = 8, width: int = 8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(height)
    Image.fromarray(draw.integers(0, 256, (height, width), np.uint8)).save(path)


@pytest.fixture
def wrong(here: Path) -> None:
    """Put beside the pictures and their stack what may be given by mistake."""
    np.save(
        "small.npy", np.random.default_rng(0).integers(0, 256, (20, 8, 8), np.uint8)
    )
    pixels = np.zeros((4, 8, 8))
    pixels[1, 2, 3] = np.nan
    np.save("nan.npy", pixels)
    objects = np.empty(2, object)
    objects[:] = [np.zeros((2, 2)), np.zeros((3, 3))]
    np.save("objects.npy", objects)
    np.save("number.npy", np.float32(3))
    for name in ("empty", "texts", "out"):
        Path(name).mkdir()
    Path("texts/a.txt").write_text("x")
    Path("out/precious").write_text("mine")
    for name in ("1", "2"):
        _picture(Path(f"mixed/{name}.png"))
    _picture(Path("mixed/3.png"), 10, 12)
    Path("mixed/runs.csv").write_text("a,b\n1,2\n")
    single = "high/0.png,a\nhigh/1.png,a\nlow/0.png,b\nlow/1.png,b\nlow/2.png,c\n"
    Path("single.csv").write_text(single)
    Path("strangers.csv").write_text("high/99.png,a\nx.png,b\nlow/0.png,b\n")


NO_PATH = "received a path that does not exist; allowed: a path that exists, or one of digits, mnist, cifar10."
PICTURES = "allowed: a folder with PNG, JPEG, BMP, WebP, GIF, TIFF, DICOM or FITS files, in sub-folders too. Check the path."
LEAST_0 = "allowed: a whole number of at least 0."
LEAST_1 = "allowed: a whole number of at least 1."
PIXELS = "allowed: HEIGHTxWIDTH in pixels. Try --size 64x96."
HELP = "See caes fit --help."
EPOHCS = f"unknown option --epohcs for caes fit; did you mean --epochs? {HELP}"
A_LEVEL = f"or one for each level with commas between. {HELP}"
HELD_OUT = "where the source has no labelled test split; allowed: a share of the labelled pictures above 0 and below 1, to test on. Try --hold-out 0.2."
COUNTS = "allowed: a whole number from 3 (one for each class) to 18 (all that have a label). Try --labels 18."
SOME = "allowed: whole numbers with commas between them. Try --labels 100,300,1000."
ENOUGH = f"--epochs: received -1; {LEAST_0} Try --epochs 40, or 0 for enough."

COMMAND_LINES = {
    "fitt digits": "unknown command fitt; did you mean fit? See caes --help.",
    "bogus": "unknown command bogus; there are fit, info, report, reconstruct, encode, decode, atlas, index, predict, anomalies, classify, probe, label-curve, reproduce, cache. See caes --help.",
    "fit": f"missing: DATA. {HELP}",
    "predict": "missing: RUN and DATA. See caes predict --help.",
    "probe digits": "missing: --from. See caes probe --help.",
    "fit photoz/": f"photoz: {NO_PATH} Did you mean photos?",
    "fit empty": f"empty: received an empty folder; {PICTURES}",
    "fit texts": f"texts: received a folder without pictures (1 .txt); {PICTURES}",
    "fit nan.npy": "nan.npy: received NaN or infinity in 1 of 4 pictures; allowed: finite numbers. Drop or mend them, for example with numpy.nan_to_num.",
    "fit objects.npy": "objects.npy: received an array of Python objects; allowed: an array of numbers, N×H×W or N×H×W×C, saved by numpy.save or numpy.savez. Stack the pictures into one array of numbers before saving.",
    "fit number.npy": "number.npy: received an array of shape (); allowed: N×H×W (grey) or N×H×W×C. Reshape it; a single picture needs a leading axis: array[None].",
    "fit mixed --arch 2C3": "mixed: received pictures of 2 sizes (2 of 8×8, 1 of 10×12); allowed: pictures of one size, or a size to bring all of them to. Add --size 8x8.",
    "info mnistt": f"mnistt: {NO_PATH} Did you mean mnist?",
    "info empty --json": f"empty: received an empty folder; {PICTURES}",
    "info photos --sheet sheet.jpg": "--sheet: received 'sheet.jpg'; allowed: a name that ends in .png. Try --sheet sheet.png.",
    "info stack --sheet sheet.png": "--sheet: received 'sheet.png' with the folder of a run; allowed: a contact sheet of pictures. See stack/report.html for pictures of a run.",
    "report nowhere": "nowhere: received no model.json in it; allowed: the folder of a run. Make one with: caes fit DATA --out FOLDER.",
    "cache --keep ten": "--keep: received 'ten'; allowed: a size such as 500MB or 10GB. Try --keep 10GB.",
    "cache --older-than 5": "--older-than: received '5'; allowed: a time such as 30d, 12h or 2w. Try --older-than 30d.",
    "reproduce foo": "paper: received 'foo'; allowed: masci2011, successors, one-class. See caes reproduce --help.",
    "reproduce masci2011": "reproduce: received neither a table nor a figure; allowed: --table mnist, --table cifar10, --figure filters or --quick. Try --quick, which takes a few minutes.",
    "reproduce masci2011 --table codes": "--table: received 'codes' with masci2011; allowed: mnist, cifar10, mnist-sealed. Try --table mnist.",
    "reproduce successors --figure filters": "--figure: received 'filters' with successors; allowed: no figure. Leave it out.",
    "reproduce masci2011 --table mnist --out mixed": "mixed/runs.csv: received a table with other columns; allowed: the table of an earlier run of the same command. Name another folder with --out, or move the file away.",
    "classify nowhere --from nowhere --epochs -1": ENOUGH,
    "classify digits --from x --random-state -1": "unknown option --random-state for caes classify. See caes classify --help.",
}
OF_FIT = {
    "--arch 8C3-MP4-8C3-MP4": "--arch: received '8C3-MP4-8C3-MP4' for pictures of 8×8; allowed: pictures of at least 16×16 for its poolings. Take MP parts away, or give larger pictures.",
    "--arch 65536C65535": "--arch: received '65536C65535', which needs more memory than there is; allowed: a network that fits in memory with its batch. Take fewer maps, smaller kernels or pictures, or a smaller batch.",
    "--arch 8C3-MX": "--arch: received '8C3-MX', wrong at character 6 ('X'); allowed: 'P', as in MP2. A network reads like 16C3-MP2-8C3-MP2.",
    "--epochs -3": "--epochs: received -3; allowed: a whole number of at least 1 or 'auto'. Try --epochs 20.",
    "--epochs many": f"--epochs: received 'many'; allowed: a whole number, {A_LEVEL}",
    "--epochs 3,": f"--epochs: received '3,'; allowed: a whole number, {A_LEVEL}",
    "--epochs 2.5": f"--epochs: received '2.5'; allowed: a whole number, {A_LEVEL}",
    "--learning-rate 0.1,,0.2": f"--learning-rate: received '0.1,,0.2'; allowed: a number, {A_LEVEL}",
    "--seed -1": f"--seed: received -1; {LEAST_0} Try --seed 0.",
    "--size 3by4": f"--size: received '3by4'; {PIXELS}",
    "--size 0x4": f"--size: received '0x4'; {PIXELS}",
    "--size": f"--size: received nothing; allowed: a value. {HELP}",
    "--hold-out 1": "--hold-out: received 1.0; allowed: a share from 0 to below 1. Try --hold-out 0.1.",
    "--hold-out a": f"--hold-out: received 'a'; allowed: a number. {HELP}",
    "--split tset": "--split: received 'tset'; allowed: parts of train. Choose one of these.",
    "--precision 16-mixed": "--precision: received '16-mixed' on the CPU; allowed: '32-true' or 'bf16-mixed' there. Try --precision 32-true.",
    "--loss l1": f"--loss: received 'l1'; allowed: bce, mse. {HELP}",
    "--channels grey": f"--channels: received 'grey'; allowed: a whole number. {HELP}",
    "--refine a": f"--refine: received 'a'; allowed: a whole number. {HELP}",
    "--batch-size 0": f"--batch-size: received 0; {LEAST_1} Try --batch-size 64.",
    "--recipe example --loss bce --scale standard": "--loss: received 'bce' with --scale standard; allowed: 'mse' for pictures that reach beyond [0, 1]. Add --loss mse.",
    "--noise snow:1": "--noise: received 'snow:1'; allowed: masking:SHARE, gaussian:DEVIATION or salt-and-pepper:SHARE. Try --noise masking:0.3.",
    "--arch 16C3-MP2-8C3-MP2 --tile 3": "--tile: received 3×3 for '16C3-MP2-8C3-MP2'; allowed: at least 4×4, which its poolings need. Try --tile 128, or take MP parts away.",
    "--tile 16 --overlap 16": "--overlap: received 16; allowed: pixels from 0 to 15, below the tile's 16. Leave it out for an eighth of the tile.",
    "--overlap 4": "--overlap: received 4 without a tile; allowed: an overlap of tiles. Add --tile 128, or leave it out.",
    "--resize crop": "--resize: received 'crop' without a size; allowed: --resize together with --size. Add --size 64x96.",
    "--size 8x8 --resize squash": "--resize: received 'squash'; allowed: stretch, crop, pad or random-crop. Try --resize crop.",
    "--out out": "out: received a path that exists; allowed: a new folder. Give another one, or force (--force) to replace it.",
    "--out small.npy/run": "small.npy/run: received a path that runs through a file; allowed: a place that can be written. Choose another folder.",
    "--epohcs 3": EPOHCS,
    "--epohcs=3": EPOHCS,
    "--bogus": f"unknown option --bogus for caes fit. {HELP}",
    "twice": f"caes fit takes no 'twice' here. {HELP}",
}
OF_LABELS = {
    "photos --hold-out 0": f"--hold-out: received 0 {HELD_OUT}",
    "photos --hold-out nan": f"--hold-out: received nan {HELD_OUT}",
    "flat": "labels: received no labels; allowed: labels of at least two classes. Label some pictures of each class.",
    "photos --labels single.csv": "labels: received a single labelled picture of c; allowed: at least two labelled pictures of each class. Label more of them, or leave the class out.",
    "photos --labels strangers.csv": "strangers.csv: received 2 rows for pictures that do not exist (high/99.png, x.png); allowed: the names of the 24 pictures. Did you mean high/7.png?",
    "photos --labels nowhere.csv": "nowhere.csv: received a path that does not exist; allowed: a CSV file with a picture's name and its label in each row. Check the spelling.",
    "photos --labels 2": f"--labels: received 2; {COUNTS}",
    "photos --labels 19": f"--labels: received 19; {COUNTS}",
    "photos --seed=-1": f"--seed: received -1; {LEAST_0} Try --seed 0.",
    "nowhere": f"nowhere: {NO_PATH} Check the spelling.",
}
OF_CURVES = {
    "3,six": f"--labels: received '3,six'; {SOME}",
    "10,": f"--labels: received '10,'; {SOME}",
    "0": f"--labels: received '0'; {SOME}",
    "3,99": f"--labels: received 99; {COUNTS}",
    "3 --seeds 0": f"--seeds: received 0; {LEAST_1} Try --seeds 5.",
    "3 --out photos": "photos: received a folder of something else; allowed: a new folder, or that of an earlier run of the same command. Give another one with --out.",
    "3 --epochs -1": ENOUGH,
    "3 --start random": "unknown option --start for caes label-curve; did you mean --strict? See caes label-curve --help.",
}


@pytest.mark.usefixtures("one_thread", "wrong")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        *COMMAND_LINES.items(),
        *((f"fit small.npy {words}", said) for words, said in OF_FIT.items()),
        *(
            (f"{command} {words} --from stack", said)
            for command in ("classify", "probe")
            for words, said in OF_LABELS.items()
        ),
        *(
            (f"label-curve photos --from stack --labels {words}", said)
            for words, said in OF_CURVES.items()
        ),
    ],
    ids=lambda text: text[:60],
)
def test_what_cannot_be_is_refused_in_one_line(
    refused: Run, words: str, message: str
) -> None:
    before = sorted(Path().rglob("*"))
    assert refused(*words.split()) == f"caes: {message}"
    assert [path for path in sorted(Path().rglob("*")) if path.name != "runs"] == before


def test_a_device_that_is_not_there(refused: Run, wrong: None) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has the device")
    assert refused("fit", "small.npy", "--device", "cuda") == (
        "caes: --device: received 'cuda'; allowed: one that this machine has. Try --device auto."
    )


def test_a_folder_without_write_permission(
    refused: Run, wrong: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    assert refused("fit", "small.npy", "--out", "there/run") == (
        "caes: there/run: received a folder without write permission; allowed: a place that can be written. Choose another folder."
    )


def test_a_full_disk_leaves_what_was_there(
    refused: Run, wrong: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("out/precious").rename("out/model.json")
    before = sorted(path.name for path in Path().iterdir())

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    words = ["--epochs", "1", "--out", "out", "--force"]
    said = refused("fit", "small.npy", *words)
    assert said.endswith(
        "model.safetensors: received a full disk; allowed: a place that can be written. Free some space, or choose another folder."
    )
    assert Path("out/model.json").read_text() == "mine"
    assert sorted(path.name for path in Path().iterdir()) == before


def test_a_report_of_a_run_made_in_python_needs_its_pictures(
    refused: Run, wrong: None
) -> None:
    CAE("3C3-MP2", epochs=1).fit(np.load("small.npy")).save("own")
    assert refused("report", "own") == (
        "caes: own: received a run without the command that made it; allowed: a run of caes fit, or the pictures to report on. Name them: caes report RUN --source PICTURES."
    )


def test_help_is_one_screen_and_needs_no_torch(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert main([]) == 0
    said = capfd.readouterr().out
    assert main(["--help"]) == 0
    assert capfd.readouterr().out == said
    lines = said.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    for name in COMMANDS:
        assert sum(f" {name} " in line for line in lines) == 1
    assert main(["--version"]) == 0
    assert capfd.readouterr().out == f"caes {__version__}\n"


@pytest.mark.parametrize(
    "name", [*COMMANDS, *(f"{name} {part}" for name in PARTS for part in PARTS[name])]
)
def test_every_command_has_help(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([*name.split(), "--help"])
    assert end.value.code == 0
    said = capfd.readouterr().out
    assert f"usage: caes {name} " in said
    assert "None" not in said  # nobody types it


def test_ctrl_c_during_the_first_imports_shows_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "tyro.py").write_text(
        "import os, signal; os.kill(os.getpid(), signal.SIGINT)"
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    run = subprocess.run(
        [sys.executable, "-m", "caes.cli", "fit", "digits"],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (130, "caes: interrupted\n")


def test_a_truncated_picture_among_good_ones_is_skipped_unless_strict(
    refused: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    for number in range(12):
        _picture(Path(f"photos/{number}.png"))
    whole = Path("photos/1.png").read_bytes()
    Path("photos/2.png").write_bytes(whole[: len(whole) // 2])
    Path("photos/3.png").write_bytes(b"")
    said = refused("fit", "photos", "--strict")
    expected = "caes: 2.png in photos: received an unreadable picture (truncated); allowed: a whole PNG, JPEG, BMP, WebP, GIF, TIFF, DICOM or FITS picture. Mend or remove it, or leave out --strict to skip it."
    assert said == expected
    assert main(["fit", "photos", "--epochs", "1", "--arch", "2C3-MP2"]) == 0
    err = capfd.readouterr().err.splitlines()
    assert "skipped 2.png: truncated" in err
    assert "skipped 3.png: empty" in err
    assert err[-1] == "2 pictures skipped."


def test_debug_shows_the_traceback(
    in_empty_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", "nowhere", "--debug"]) == 2
    said = capfd.readouterr().err
    assert said.startswith("Traceback")
    assert said.splitlines()[-1].startswith("caes: nowhere: received a path")


def test_help_answers_without_torch() -> None:
    code = (
        "import sys\nfrom caes.cli import COMMANDS, main\n"
        "try: main(['fit', '--help'])\n"
        "except SystemExit: pass\n"
        "import caes; caes.parse, caes.CaesError\n"
        "heavy = {'torch', 'sklearn', 'matplotlib', 'lightning_fabric', 'PIL', 'scipy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout.splitlines()[-1] == "[]"
