"""What the commands of an index share: which it is, its run, and pictures into it."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from caes.cli.output import announce, counting, decoding, say
from caes.errors import ArgumentError, RunError

if TYPE_CHECKING:
    from caes.data import ImageSet
    from caes.estimators import CAE
    from caes.tasks.index.image_index import ImageIndex


@dataclass(kw_only=True)
class OfIndex:
    """Which index is meant.

    Args:
        index: The folder of an index.
    """

    index: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="INDEX")]


@dataclass(kw_only=True)
class WithRun(OfIndex):
    """Which index is meant, and where its run is.

    Args:
        model: The folder of the index's run, where it was moved.
    """

    model: Annotated[Path | None, tyro.conf.arg(name="run", metavar="RUN")] = None

    def opened(self) -> "tuple[ImageIndex, CAE]":
        """Read the index and its run; another run is refused."""
        from caes.estimators import CAE
        from caes.tasks.index.filling import fingerprint
        from caes.tasks.index.image_index import ImageIndex

        index = ImageIndex.load(self.index)
        cae = CAE.load(self.model or _run_of(index, self.index))
        index.check_run(fingerprint(cae), "--run")
        return index, cae


def _run_of(index: "ImageIndex", folder: Path) -> Path:
    """Find the run of an index: as it was typed, or from where that was."""
    run = index.about.get("run", {})
    if "folder" not in run:
        raise RunError(
            str(folder),
            "an index without the folder of its run",
            "one that caes index build has made",
            "Name the run: --run RUN.",
        )
    typed = Path(run["folder"])
    there = Path(run["from"]) / typed
    return there if there.exists() and not typed.exists() else typed


def pictures(
    index: "ImageIndex", cae: "CAE", source: str, quiet: bool, **given: Any
) -> "ImageSet":
    """Open pictures as those of the index were opened."""
    opening = {**index.about.get("opening", {}), **given}
    if opening.get("size"):
        opening["size"] = tuple(opening["size"])
    images = cae.open(source, **opening, progress=decoding(quiet))
    announce(images, quiet)
    return images


def put_in(
    index: "ImageIndex",
    cae: "CAE",
    images: "ImageSet",
    folder: Path,
    prefix: str,
    quiet: bool,
) -> dict[str, Any]:
    """Put pictures into an index, part by part; the first Ctrl-C keeps what is in."""
    from caes.tasks.index.filling import fill
    from caes.train.loop import stop_on_interrupt

    before, seen = len(index), 0
    with stop_on_interrupt() as stop, counting(len(images), "encoding", quiet) as tell:
        for n in fill(index, cae, images, prefix):
            index.save(folder, graph=False)
            tell(n)
            seen += n
            if stop.is_set():
                break
    added = len(index) - before
    told = index.about.setdefault("added", [])
    told.append({"data": f"{images.source} {images.split}", "pictures": added})
    return {"seen": seen, "added": added, "complete": seen == len(images)}


def finish(
    index: "ImageIndex", folder: Path, done: dict[str, Any], called: Path, quiet: bool
) -> None:
    """Put what is new into the graph, save the index, and say what was put in."""
    with counting(len(index), "graph", quiet) as tell:
        index.save(folder, progress=steps(tell))
    if not done["complete"]:
        left = "add the same pictures again for the rest"
        say(f"interrupted after {done['seen']:,} pictures: {left}", quiet)
    there = done["seen"] - done["added"]
    also = f", {there:,} were there already" if there else ""
    say(f"{done['added']:,} pictures added{also}; {len(index):,} in {called}", quiet)


def steps(tell: Callable[[int], None]) -> Callable[[int, int], None]:
    """Turn numbers of what is done into steps, as a bar takes them."""
    last = 0

    def step(done: int, total: int) -> None:
        nonlocal last
        tell(done - last)
        last = done

    return step


def print_json(values: Any) -> None:
    """Print JSON in ASCII, which every terminal and every pipe can take."""
    print(json.dumps(values, indent=2, allow_nan=False))


@contextmanager
def as_option(argument: str, option: str) -> Iterator[None]:
    """Let an error speak of what was typed where the library speaks of an argument."""
    try:
        yield
    except ArgumentError as error:
        if error.argument == argument:
            error.argument = option
        raise


def some(words: tuple[str, ...], what: str, allowed: str) -> None:
    """Refuse none where one or more have to be typed."""
    if not words:
        raise ArgumentError(what, "nothing", allowed, "Give one or more.")


def checked_outputs(out: Path, force: bool) -> Path:
    """Refuse before the work what cannot be written after it; give the sheet's path."""
    from caes.files import check_new

    if out.suffix.lower() != ".csv":
        raise ArgumentError(
            "--out", repr(str(out)), "a name that ends in .csv", "Try --out found.csv."
        )
    sheet = out.with_suffix(".png")
    out.parent.mkdir(parents=True, exist_ok=True)
    for path in (out, sheet):
        check_new(path, force)
    return sheet
