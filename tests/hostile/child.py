"""The process that tries cases, one after another: what is wrong may end it.

    python -m tests.hostile.child FOLDER

Cases come as pickles on standard input, and what became of them goes to standard output.
"""

import contextlib
import faulthandler
import gc
import io
import os
import pickle
import resource
import shutil
import signal
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

from caes.errors import visible
from tests.hostile.arrays import ROWS
from tests.hostile.cases import MEMORY, SECONDS, Case, Outcome, good, untouched
from tests.hostile.others import NAMES


class WrongError(Exception):
    """What was read or said is not as it should be."""


def main(folder: Path) -> None:
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no outcome
    _import_all(folder)
    limit = _status("VmSize") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    unraisable: list[str] = []
    sys.unraisablehook = lambda about: unraisable.append(f"{about.exc_value!r}")
    warnings.simplefilter("error")
    pickle.dump(None, channel)
    channel.flush()
    while True:
        try:
            case: Case = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        outcome = tried(case, folder, unraisable)
        pickle.dump(outcome, channel)
        channel.flush()


def tried(case: Case, folder: Path, unraisable: list[str]) -> Outcome:
    """Try a case in an emptied folder; the process ends if it hangs."""
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    for name, content in case.files.items():
        path = work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    work.mkdir(exist_ok=True)
    os.environ["CAES_DATA"] = str(work)
    os.chdir(work)
    _forget_peak()
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


def _answered(case: Case, work: Path) -> tuple[str, str]:
    from caes.errors import CaesError

    try:
        skipped = ASKED[case.what](case, work)
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


def _loaded(case: Case, work: Path) -> list[str]:
    from caes.data import load

    images = load(_path(case, work), **case.ways)
    _check_images(images)
    return [f"{each.name}: {each.reason}" for each in images.skipped]


def _surveyed(case: Case, work: Path) -> list[str]:
    from caes.data import survey

    pages = case.ways.get("pages", "pictures")
    found = survey(_path(case, work), pages=pages)
    return [f"{each.name}: {each.reason}" for each in found.skipped]


def _path(case: Case, work: Path) -> str | Path:
    return case.source if case.source == "cifar10" else work / case.source


def _check_images(images: Any) -> None:
    import numpy as np

    pixels = np.asarray(images.pixels)
    if pixels.ndim != 4 or not pixels.size or pixels.dtype.kind not in "buif":
        raise WrongError(f"pixels {pixels.shape} of {pixels.dtype}")
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise WrongError("NaN or infinity among the pixels")
    if not np.isfinite(images.value_range).all():
        raise WrongError(f"values in {images.value_range}")
    if len(images.names) != len(pixels) or len({*images.names}) != len(pixels):
        raise WrongError(f"{len(images.names)} names for {len(pixels)} pictures")
    labels = images.labels
    if labels is not None and not (
        -1 <= labels.min() <= labels.max() < len(images.classes)
    ):
        raise WrongError(f"labels of {len(images.classes)} classes: {labels!r}")
    for line in (*images.names, *images.notes, *images.classes):
        _check_line(line)


def _labelled(case: Case, work: Path) -> list[str]:
    from caes.data.labels.tables import read_labels

    labels, classes = read_labels(work / case.source, NAMES)
    if len(labels) != len(NAMES) or labels.max() >= len(classes):
        raise WrongError(f"labels {labels!r} of {classes!r}")
    return []


def _opened(case: Case, work: Path) -> list[str]:
    import json

    import numpy as np

    from caes import CAE, CAEClassifier
    from caes.tasks.info import print_run

    about = case.files[f"{case.source}/model.json"]
    try:
        kind = CAEClassifier if "classes" in json.loads(about) else CAE
    except (ValueError, TypeError, RecursionError):
        kind = CAE
    model = kind.load(work / case.source)
    with contextlib.redirect_stdout(io.StringIO()):
        print_run(work / case.source)
    given = model.predict if isinstance(model, CAEClassifier) else model.transform
    given(np.zeros((2, *model.picture_shape_), np.uint8))
    return []


def _optional(case: Case, work: Path) -> list[str]:
    READERS.get(case.source, _command)(case.source, case.ways["text"])
    return []


def _trapped(case: Case, work: Path) -> list[str]:
    """Do what no reader must, for the tests of this machinery."""
    if case.source == "sleep":
        time.sleep(60)
    elif case.source == "end":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif case.source == "memory":
        bytearray(2 * MEMORY)
    elif case.source == "leave open":
        (work / "file").write_bytes(b"")
        (work / "file").open()
    elif case.source == "warn":
        warnings.warn("careful", stacklevel=1)
    return [case.ways["reason"]] if case.ways else []


def _command(option: str, text: str) -> None:
    """Type it, and begin what the command does; the refusal must be one line."""
    from caes.cli.fit import Fit
    from caes.cli.parse import parse
    from caes.errors import ArgumentError

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


def _arch(option: str, text: str) -> None:
    from caes.train.options import Options

    arch = Options(arch=text).check()
    arch.parameters((28, 28, 1))


def _augment(option: str, text: str) -> None:
    from caes.train.augment import parse_augmentation

    found = parse_augmentation(text)
    if parse_augmentation(str(found) or None) != found:
        raise WrongError(f"{found!r} from {text!r}")


def _head(option: str, text: str) -> None:
    from caes.train.recipes import parse_head

    parse_head(text)


def _size(option: str, text: str) -> None:
    import numpy as np

    from caes.cli.pictures import parse_size
    from caes.data import load

    size = parse_size(text)
    if size is None or size[0] * size[1] < 2**20:
        load(np.zeros((1, 4, 4), np.uint8), size=size)


def _split(option: str, text: str) -> None:
    import numpy as np

    from caes.data import load

    load(np.zeros((100, 2, 2), np.uint8), text)


READERS = {
    "arch": _arch, "augment": _augment, "head": _head, "size": _size, "split": _split
}  # fmt: skip
ASKED = {
    "load": _loaded, "survey": _surveyed, "labels": _labelled, "run": _opened,
    "option": _optional, "trap": _trapped,
}  # fmt: skip


def _import_all(folder: Path) -> None:
    """Import what is imported late, so that no case pays for it."""
    import astropy.io.fits
    import imagecodecs
    import pyarrow.compute
    import pyarrow.parquet
    import pydicom.pixels
    import tifffile
    import torch

    import caes
    from caes.data.sources import cifar10
    from caes.tasks import info

    torch.set_num_threads(1)
    cifar10.ROWS = ROWS
    assert all((caes.CAE, info, astropy, imagecodecs, pyarrow, pydicom, tifffile))
    os.environ["CAES_CACHE"] = str(folder / "cache")
    seen: set[str] = set()
    for seed in good():
        if seed.kind not in seen:
            seen.add(seed.kind)
            tried(untouched(seed), folder, [])


def _forget_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(dict(line.split(":", 1) for line in lines)[name].split()[0]) * 1024


if __name__ == "__main__":
    main(Path(sys.argv[1]))
