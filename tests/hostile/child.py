"""The process that tries cases, one after another: what is wrong may end it.

    python -m tests.hostile.child FOLDER

Cases come as pickles on standard input, and what became of them goes to standard output.
"""

import contextlib
import faulthandler
import gc
import io
import json
import os
import pickle
import resource
import shutil
import signal
import sys
import time
import traceback
import warnings
from importlib import import_module
from pathlib import Path

import numpy as np
import torch

from caes import CAE, CAEClassifier
from caes.cli.fit import Fit
from caes.cli.parse import parse
from caes.cli.pictures import parse_size
from caes.data import ImageSet, load, survey
from caes.data.labels.tables import read_labels
from caes.data.sources import cifar10
from caes.errors import ArgumentError, CaesError, visible
from caes.tasks.info import print_run
from caes.train.augment import parse_augmentation
from caes.train.options import Options
from caes.train.recipes import parse_head
from tests.hostile.cases import MEMORY, SECONDS, Case, Outcome, good, untouched
from tests.hostile.others import NAMES
from tests.hostile.seeds import ROWS

LATE = ("astropy.io.fits", "imagecodecs", "pyarrow.compute", "pyarrow.parquet",
        "pydicom.pixels", "tifffile")  # fmt: skip
"""What caes imports when it is needed, so that no case pays for it."""


class WrongError(Exception):
    """What was read or said is not as it should be."""


def main(folder: Path) -> None:
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no outcome
    _prepare(folder)
    limit = _status("VmSize") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    unraisable: list[str] = []
    sys.unraisablehook = lambda about: unraisable.append(f"{about.exc_value!r}")
    warnings.simplefilter("error")
    outcome: Outcome | None = None
    while True:
        pickle.dump(outcome, channel)
        channel.flush()
        try:
            case: Case = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        outcome = tried(case, folder, unraisable)


def _prepare(folder: Path) -> None:
    """Import everything, and read a good file of each kind."""
    for name in LATE:
        import_module(name)
    torch.set_num_threads(1)
    cifar10.ROWS = ROWS
    os.environ["CAES_CACHE"] = str(folder / "cache")
    for seed in {seed.kind: seed for seed in reversed(good())}.values():
        tried(untouched(seed), folder, [])


def tried(case: Case, folder: Path, unraisable: list[str]) -> Outcome:
    """Try a case in an emptied folder; the process ends if it hangs."""
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    for name, content in case.files.items():
        path = work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    os.environ["CAES_DATA"] = str(work)
    os.chdir(work)
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # forgets the peak of memory
    unraisable.clear()
    faulthandler.dump_traceback_later(SECONDS, exit=True)
    start = time.perf_counter()
    try:
        end, said = _answered(case, work)
    except Exception as error:
        end, said = "failed", _trace(error)
    seconds = time.perf_counter() - start
    if seconds > 1 or unraisable:
        gc.collect()
    faulthandler.cancel_dump_traceback_later()
    if unraisable:
        end, said = "failed", f"not to be raised: {unraisable[0]}"
    return Outcome(end, said, seconds, _status("VmHWM"))


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(dict(line.split(":", 1) for line in lines)[name].split()[0]) * 1024


def _answered(case: Case, work: Path) -> tuple[str, str]:
    try:
        skipped = ASKED[case.what](case, work / case.source)
        for reason in skipped:
            _check_line(reason)
        if any("than memory holds" in each for each in skipped):
            return "failed", f"memory: {skipped[0]}"
        return ("skipped", skipped[0]) if skipped else ("read", "")
    except CaesError as error:
        _check_line(str(error))
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, MemoryError):
                return "failed", f"memory: {error}\n{_trace(error)}"
            cause = cause.__cause__ or cause.__context__
        return "refused", str(error)
    except SystemExit as error:
        raise WrongError("an exit") from error


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))[-3500:]


def _check_line(text: str) -> None:
    if not text.strip() or text.splitlines() != [text] or visible(text) != text:
        raise WrongError(f"not one line: {text!r}")


def _loaded(case: Case, path: Path) -> list[str]:
    images = load("cifar10" if case.source == "cifar10" else path, **case.ways)
    _check_images(images)
    return [f"{each.name}: {each.reason}" for each in images.skipped]


def _surveyed(case: Case, path: Path) -> list[str]:
    pages = case.ways.get("pages", "pictures")
    found = survey("cifar10" if case.source == "cifar10" else path, pages=pages)
    return [f"{each.name}: {each.reason}" for each in found.skipped]


def _check_images(images: ImageSet) -> None:
    pixels, labels = np.asarray(images.pixels), images.labels
    if pixels.ndim != 4 or not pixels.size or pixels.dtype.kind not in "buif":
        raise WrongError(f"pixels {pixels.shape} of {pixels.dtype}")
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise WrongError("NaN or infinity among the pixels")
    if not np.isfinite(images.value_range).all():
        raise WrongError(f"values in {images.value_range}")
    if len(images.names) != len(pixels) or len({*images.names}) != len(pixels):
        raise WrongError(f"{len(images.names)} names for {len(pixels)} pictures")
    known = len(images.classes)
    if labels is not None and not -1 <= labels.min() <= labels.max() < known:
        raise WrongError(f"labels of {known} classes: {labels!r}")
    for line in (*images.names, *images.notes, *images.classes):
        _check_line(line)


def _labelled(case: Case, path: Path) -> list[str]:
    labels, classes = read_labels(path, NAMES)
    if len(labels) != len(NAMES) or labels.max() >= len(classes):
        raise WrongError(f"labels {labels!r} of {classes!r}")
    return []


def _opened(case: Case, path: Path) -> list[str]:
    try:
        about = json.loads(case.files[f"{case.source}/model.json"])
        kind = CAEClassifier if "classes" in about else CAE
    except (ValueError, TypeError, RecursionError):
        kind = CAE
    model = kind.load(path)
    with contextlib.redirect_stdout(io.StringIO()):
        print_run(path)
    given = model.predict if isinstance(model, CAEClassifier) else model.transform
    given(np.zeros((2, *model.picture_shape_), np.uint8))
    return []


def _optional(case: Case, path: Path) -> list[str]:
    """Read an option's text by what reads it, most by the command itself."""
    text: str = case.ways["text"]
    if case.source == "arch":
        Options(arch=text).check().parameters((28, 28, 1))
    elif case.source == "augment":
        found = parse_augmentation(text)
        if parse_augmentation(str(found) or None) != found:
            raise WrongError(f"{found!r} from {text!r}")
    elif case.source == "head":
        parse_head(text)
    elif case.source == "size":
        size = parse_size(text)
        if size is None or size[0] * size[1] < 2**20:
            load(np.zeros((1, 4, 4), np.uint8), size=size)
    elif case.source == "split":
        load(np.zeros((100, 2, 2), np.uint8), text)
    else:
        _command(case.source, text)
    return []


def _command(option: str, text: str) -> None:
    """Type it, and begin what the command does; the refusal must be one line."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            fit = parse(["fit", "digits", f"--{option}={text}"])
    except SystemExit as end:
        if end.code != 2 or said.getvalue().count("\n") != 1:
            raise WrongError(f"code {end.code}, {said.getvalue()!r}") from end
        raise ArgumentError(option, "typed", "by tyro", said.getvalue()) from end
    assert isinstance(fit, Fit)
    fit.check()


def _trapped(case: Case, path: Path) -> list[str]:
    """Do what no reader must, for the tests of this machinery."""
    if case.source == "sleep":
        time.sleep(60)
    elif case.source == "end":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif case.source == "memory":
        bytearray(2 * MEMORY)
    elif case.source == "leave open":
        path.write_bytes(b"")
        path.open()
    elif case.source == "warn":
        warnings.warn("careful", stacklevel=1)
    return [case.ways["reason"]] if case.ways else []


ASKED = {
    "load": _loaded, "survey": _surveyed, "labels": _labelled, "run": _opened,
    "option": _optional, "trap": _trapped,
}  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]))
