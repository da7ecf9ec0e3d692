"""caes fit: pictures in, a trained auto-encoder and its report out."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from caes.cli.parse import per_level
from caes.cli.pictures import Pictures
from caes.data.reading import Pages
from caes.errors import ArgumentError
from caes.options import values
from caes.train.options import Options

if TYPE_CHECKING:
    from caes.runs.pictures import Opening


@dataclass(kw_only=True)
class Fit(Pictures, Options):
    """Train a convolutional auto-encoder on pictures and write its report.

    Writes a folder with model.safetensors, model.json, history.csv, figures and
    report.html. Ctrl-C ends the training and keeps what was learnt.

    Args:
        source: digits, mnist, cifar10, or the path of pictures: a folder, .npy, .npz,
            IDX, Parquet or Arrow; or hf:owner/name, hf:PATH or hf-stream:owner/name,
            what the Hugging Face library opens.
        epochs: Passes over the pictures; in a greedy schedule one number, or one a
            level, as in 3,2,1.
        learning_rate: Learning rate at the start; in a greedy schedule one number, or
            one a level.
        start: The run of a stack whose levels are taken over and stay; only those
            above, in --arch, are trained.
        random_state: Seed of weights, order and splits; the same one gives the same
            weights.
        split: Which part to learn from, as in train, train[:1000] or train[10%:].
        size: HEIGHTxWIDTH to resize every picture to, such as 64x96.
        resize: How to bring pictures to that size: stretch, crop (evenly), pad (by
            their mirror image) or random-crop (a piece, not scaled); without it
            stretched.
        channels: 1 for grey, 3 for colour; without it pictures stay as they are.
        hold_out: Share of the pictures kept apart for the report, where the source
            has no test split; 0 for none.
        out: Folder of the run; without it runs/NAME-N, N counted up.
        force: Replace the folder if it exists.
        pages: Whether each page of a TIFF, DICOM or FITS file is a picture, or all are
            channels of one.
    """

    epochs: Annotated[int | tuple[int, ...], per_level(int)] = 20
    learning_rate: Annotated[float | tuple[float, ...], per_level(float)] = 1e-3
    start: Annotated[Path | None, tyro.conf.arg(name="from", metavar="RUN")] = None
    random_state: Annotated[int | None, tyro.conf.arg(name="seed")] = None
    split: str | None = "train"
    pages: Pages | None = "pictures"
    channels: int | None = None
    hold_out: float = 0.1
    out: Path | None = None
    force: bool = False

    def run(self, typed: str) -> None:
        """Do it; ``typed`` is the command as it was typed."""
        from caes.cli.output import decoding, introduce, run_folder, run_name, say
        from caes.estimators import CAE
        from caes.files import new_folder
        from caes.report import write_report
        from caes.runs.checkpoint import FILES
        from caes.runs.pictures import learnt_and_shown

        self.check()
        with run_folder(self.out, run_name(self.source)) as folder:
            with new_folder(folder, FILES, force=self.force) as staged:
                opening = self._opening()
                train, test = learnt_and_shown(opening, decoding(self.quiet))
                introduce(train, test, quiet=self.quiet)
                chosen = {**values(self, Options), "start": self.start}
                cae = CAE(**chosen, verbose=not self.quiet).fit(train)
                cae.provenance_ |= {"command": typed, "folder": os.getcwd()}
                cae.opening_ = replace(opening)  # without what it has opened
                cae.write(staged)
            # The run is safe by now, whatever happens to its report.
            page = write_report(folder, cae, train, test, command=typed)
        history = cae.history_
        kept = f"the weights of epoch {history.best_epoch} are kept"
        if history.interrupted and self.patience is None:
            kept = "what was learnt so far is kept"
        if history.ended != "complete":
            say(f"Training ended: {history.ended}; {kept}.", self.quiet)
        if train.skipped:
            say(f"{len(train.skipped)} pictures skipped.", self.quiet)
        print(page)

    def _opening(self) -> "Opening":
        from caes.runs.pictures import Opening

        given = {name: value for name, value in self.given().items() if value}
        if self.resize is not None and "size" not in given:
            raise ArgumentError(
                "--resize",
                f"{self.resize!r} without a size",
                "--resize together with --size",
                "Add --size 64x96.",
            )
        if not 0 <= self.hold_out < 1:
            raise ArgumentError(
                "--hold-out",
                str(self.hold_out),
                "a share from 0 to below 1",
                "Try --hold-out 0.1.",
            )
        return Opening(
            source=self.source,
            folder=os.getcwd(),
            channels=self.channels,
            tile=self.tile,
            overlap=self.overlap,
            hold_out=self.hold_out,
            seed=self.random_state or 0,
            **given,
        )
