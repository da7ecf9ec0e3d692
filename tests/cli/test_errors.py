"""What the command line says when something is wrong: one line, exit code 2."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from caes.cli import COMMANDS, main
from tests.cli.conftest import Run


@pytest.fixture
def small(in_empty_folder: Path) -> Path:
    path = Path("small.npy")
    np.save(path, np.random.default_rng(0).integers(0, 256, (20, 8, 8), np.uint8))
    return path


def _picture(path: Path, height: int = 8, width: int = 8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(height)
    Image.fromarray(draw.integers(0, 256, (height, width), np.uint8)).save(path)


def test_a_missing_path(refused: Run) -> None:
    assert refused("fit", "photoz/") == (
        "caes: photoz: received a path that does not exist; allowed: a path that exists, "
        "or one of digits, mnist, cifar10. Check the spelling."
    )
    assert refused("info", "mnistt") == (
        "caes: mnistt: received a path that does not exist; allowed: a path that exists, "
        "or one of digits, mnist, cifar10. Did you mean mnist?"
    )


def test_an_empty_folder_and_a_folder_of_text_files(refused: Run) -> None:
    Path("empty").mkdir()
    Path("texts").mkdir()
    Path("texts/a.txt").write_text("x")
    wanted = (
        "allowed: a folder with PNG, JPEG, BMP, WebP, GIF, TIFF, DICOM or FITS files, in sub-folders too. "
        "Check the path."
    )
    assert refused("fit", "empty") == (
        f"caes: empty: received an empty folder; {wanted}"
    )
    assert refused("fit", "texts") == (
        f"caes: texts: received a folder without pictures (1 .txt); {wanted}"
    )


def test_nan_in_an_array(refused: Run, small: Path) -> None:
    pixels = np.zeros((4, 8, 8))
    pixels[1, 2, 3] = np.nan
    np.save("nan.npy", pixels)
    assert refused("fit", "nan.npy") == (
        "caes: nan.npy: received NaN or infinity in 1 of 4 pictures; allowed: finite "
        "numbers. Drop or mend them, for example with numpy.nan_to_num."
    )


def test_an_object_array(refused: Run) -> None:
    pixels = np.empty(2, object)
    pixels[:] = [np.zeros((2, 2)), np.zeros((3, 3))]
    np.save("objects.npy", pixels)
    assert refused("fit", "objects.npy") == (
        "caes: objects.npy: received an array of Python objects; allowed: an array of "
        "numbers, N×H×W or N×H×W×C, saved by numpy.save or numpy.savez. Stack the "
        "pictures into one array of numbers before saving."
    )


def test_mixed_sizes_without_a_size(refused: Run) -> None:
    _picture(Path("mixed/1.png"))
    _picture(Path("mixed/2.png"))
    _picture(Path("mixed/3.png"), 10, 12)
    assert refused("fit", "mixed") == (
        "caes: mixed: received pictures of 2 sizes (2 of 8×8, 1 of 10×12); allowed: "
        "pictures of one size, or a size to bring all of them to. Add --size 8x8."
    )


def test_a_network_too_deep_for_the_picture(refused: Run, small: Path) -> None:
    assert refused("fit", str(small), "--arch", "8C3-MP4-8C3-MP4") == (
        "caes: --arch: received '8C3-MP4-8C3-MP4' for pictures of 8×8; allowed: pictures "
        "of at least 16×16 for its poolings. Take MP parts away, or give larger pictures."
    )
    assert not Path("runs").exists() or not list(Path("runs").iterdir())


EPOHCS = (
    "unknown option --epohcs for caes fit; did you mean --epochs? See caes fit --help."
)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--epochs", "-3"], "--epochs: received -3; allowed: a whole number of at least 1. Try --epochs 20."),
        (["--seed", "-1"], "--seed: received -1; allowed: a whole number of at least 0. Try --seed 0."),
        (["--size", "3by4"], "--size: received '3by4'; allowed: HEIGHTxWIDTH in pixels. Try --size 64x96."),
        (["--size", "0x4"], "--size: received '0x4'; allowed: HEIGHTxWIDTH in pixels. Try --size 64x96."),
        (["--hold-out", "1"], "--hold-out: received 1.0; allowed: a share from 0 to below 1. Try --hold-out 0.1."),
        (["--split", "tset"], "--split: received 'tset'; allowed: parts of train. Choose one of these."),
        (["--precision", "16-mixed"], "--precision: received '16-mixed' on the CPU; allowed: '32-true' or 'bf16-mixed' there. Try --precision 32-true."),
        (["--arch", "8C3-MX"], "--arch: received '8C3-MX', wrong at character 6 ('X'); allowed: 'P', as in MP2. A network reads like 16C3-MP2-8C3-MP2."),
        (["--epochs", "many"], "--epochs: received 'many'; allowed: a whole number, or one for each level with commas between. See caes fit --help."),
        (["--loss", "l1"], "--loss: received 'l1'; allowed: bce, mse. See caes fit --help."),
        (["--channels", "grey"], "--channels: received 'grey'; allowed: a whole number. See caes fit --help."),
        (["--refine", "a"], "--refine: received 'a'; allowed: a whole number. See caes fit --help."),
        (["--hold-out", "a"], "--hold-out: received 'a'; allowed: a number. See caes fit --help."),
        (["--size"], "--size: received nothing; allowed: a value. See caes fit --help."),
        (["--batch-size", "0"], "--batch-size: received 0; allowed: a whole number of at least 1. Try --batch-size 64."),
        (["--scale", "standard"], "--loss: received 'bce' with --scale standard; allowed: 'mse' for pictures that reach beyond [0, 1]. Add --loss mse."),
        (["--overlap", "3"], "--overlap: received 3 without a tile; allowed: an overlap of tiles. Add --tile 128, or leave it out."),
        (["--noise", "snow:1"], "--noise: received 'snow:1'; allowed: masking:SHARE, gaussian:DEVIATION or salt-and-pepper:SHARE. Try --noise masking:0.3."),
        (["--epohcs", "3"], EPOHCS),
        (["--epohcs=3"], EPOHCS),
        (["--bogus"], "unknown option --bogus for caes fit. See caes fit --help."),
        (["twice"], "caes fit takes no 'twice' here. See caes fit --help."),
    ],
)  # fmt: skip
def test_options_that_cannot_work(
    refused: Run, small: Path, options: list[str], message: str
) -> None:
    assert refused("fit", str(small), *options) == f"caes: {message}"
    assert not Path("runs").exists() or not list(Path("runs").iterdir())


def test_a_network_that_no_memory_holds(refused: Run, small: Path) -> None:
    assert refused("fit", str(small), "--arch", "65536C65535") == (
        "caes: --arch: received '65536C65535', which needs more memory than there is; "
        "allowed: a network that fits in memory with its batch. "
        "Take fewer maps, smaller kernels or pictures, or a smaller batch."
    )


def test_an_array_without_axes(refused: Run) -> None:
    np.save("number.npy", np.float32(3))
    assert refused("fit", "number.npy") == (
        "caes: number.npy: received an array of shape (); allowed: N×H×W (grey) or "
        "N×H×W×C. Reshape it; a single picture needs a leading axis: array[None]."
    )


def test_a_device_that_is_not_there(refused: Run, small: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has the device")
    assert refused("fit", str(small), "--device", "cuda") == (
        "caes: --device: received 'cuda'; allowed: one that this machine has. Try --device auto."
    )


def test_an_output_folder_that_exists(refused: Run, small: Path) -> None:
    Path("out").mkdir()
    Path("out/precious").write_text("mine")
    assert refused("fit", str(small), "--out", "out") == (
        "caes: out: received a path that exists; allowed: a new folder. "
        "Give another one, or force (--force) to replace it."
    )
    assert Path("out/precious").read_text() == "mine"


def test_an_unwritable_place(refused: Run, small: Path) -> None:
    Path("file").touch()
    assert refused("fit", str(small), "--out", "file/run") == (
        "caes: file/run: received a path that runs through a file; allowed: a place that "
        "can be written. Choose another folder."
    )


def test_a_folder_without_write_permission(
    refused: Run, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    assert refused("fit", str(small), "--out", "there/run") == (
        "caes: there/run: received a folder without write permission; allowed: a place "
        "that can be written. Choose another folder."
    )


def test_a_full_disk_leaves_what_was_there(
    refused: Run, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("out").mkdir()
    Path("out/model.json").write_text("mine")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    said = refused("fit", str(small), "--epochs", "1", "--out", "out", "--force")
    assert said.endswith(
        "model.safetensors: received a full disk; allowed: a place that can be written. "
        "Free some space, or choose another folder."
    )
    assert Path("out/model.json").read_text() == "mine"
    assert sorted(path.name for path in Path().iterdir()) == ["out", "small.npy"]


@pytest.fixture
def run(small: Path, capfd: pytest.CaptureFixture[str]) -> Path:
    from caes import CAE

    CAE("3C3-MP2", epochs=1).fit(np.load(small)).save("run")
    capfd.readouterr()
    return Path("run")


def test_a_model_from_a_newer_version(refused: Run, run: Path) -> None:
    path = run / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))
    assert refused("reconstruct", "run", "small.npy", "--out", "out") == (
        "caes: run/model.json: received format 99; allowed: formats up to 4. "
        "It was made by a newer caes: pip install --upgrade caes."
    )


def test_truncated_weights(refused: Run, run: Path) -> None:
    path = run / "model.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    said = refused("info", "run")
    assert said.startswith("caes: run/model.safetensors: received a damaged file (")
    assert said.endswith("Copy it again from where it was made, or fit again.")


def test_a_folder_that_is_no_run(refused: Run, small: Path) -> None:
    assert refused("report", "nowhere") == (
        "caes: nowhere: received no model.json in it; allowed: the folder of a run. "
        "Make one with: caes fit DATA --out FOLDER."
    )


def test_a_report_of_a_run_made_in_python_needs_its_pictures(
    refused: Run, run: Path
) -> None:
    assert refused("report", "run") == (
        "caes: run: received a run without the command that made it; allowed: a run of "
        "caes fit, or the pictures to report on. "
        "Name them: caes report RUN --source PICTURES."
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("fitt digits", "unknown command fitt; did you mean fit? See caes --help."),
        ("bogus", "unknown command bogus; there are fit, info, report, reconstruct, predict, classify, probe, label-curve, reproduce, cache. See caes --help."),
        ("fit", "missing: DATA. See caes fit --help."),
        ("predict", "missing: RUN and DATA. See caes predict --help."),
        ("probe digits", "missing: --from. See caes probe --help."),
        ("reproduce foo", "paper: received 'foo'; allowed: masci2011, successors. See caes reproduce --help."),
        ("classify digits --from x --random-state -1", "unknown option --random-state for caes classify. See caes classify --help."),
        ("classify digits --from x --seed=-1", "--seed: received -1; allowed: a whole number of at least 0. Try --seed 0."),
        ("probe digits --from x --seed=-1", "--seed: received -1; allowed: a whole number of at least 0. Try --seed 0."),
    ],
)  # fmt: skip
def test_words_that_are_no_command(refused: Run, words: str, message: str) -> None:
    assert refused(*words.split()) == f"caes: {message}"


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


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    assert end.value.code == 0
    assert f"usage: caes {name} " in capfd.readouterr().out


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
    assert said == (
        "caes: 2.png in photos: received an unreadable picture (truncated); allowed: a "
        "whole PNG, JPEG, BMP, WebP, GIF, TIFF, DICOM or FITS picture. Mend or remove it, or leave out --strict "
        "to skip it."
    )
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
