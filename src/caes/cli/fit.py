"""caes fit: pictures in, a trained auto-encoder and its report out."""

import os
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from caes.cli.parse import per_level
from caes.cli.pictures import Pictures
from caes.data.reading import Pages
from caes.errors import ArgumentError, MixedSizesError, by_signs
from caes.options import values
from caes.train.options import Options

if TYPE_CHECKING:
    from caes.data import ImageSet
    from caes.estimators import CAE
    from caes.runs.pictures import Opening


SINGLE = "a single picture"
LARGE, TILE, LEAST = 512, 64, 8
"""Sides of pictures that are cut into tiles without being asked, of the tiles, and of
the smallest ones, which a single picture may be cut into."""


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
            level, as in 3,2,1; auto goes on until pictures kept apart are not
            reconstructed any better. Without it auto, or 20 with an --arch of your own.
        steps: With --epochs auto, steps to take at most, one number or one a level,
            whatever the clock says; those that a run took give the same weights again.
            Counted in whole stretches.
        learning_rate: Learning rate at the start; in a greedy schedule one number, or
            one a level; 0.001 if not said.
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
        plan: Only say what would be done and why, and stop.
        pages: Whether each page of a TIFF, DICOM or FITS file is a picture, or all are
            channels of one.
    """

    epochs: Annotated[Any, per_level(int)] = None
    steps: Annotated[Any, per_level(int)] = None
    learning_rate: Annotated[Any, per_level(float)] = None
    start: Annotated[Path | None, tyro.conf.arg(name="from", metavar="RUN")] = None
    random_state: Annotated[int | None, tyro.conf.arg(name="seed")] = None
    split: str | None = "train"
    pages: Pages | None = "pictures"
    channels: int | None = None
    hold_out: float = 0.1
    out: Path | None = None
    force: bool = False
    plan: bool = False

    def run(self, typed: str) -> None:
        """Do it; ``typed`` is the command as it was typed."""
        from caes.cli.output import introduce, run_folder, run_name, say, waiting
        from caes.files import new_folder
        from caes.report import MEASURING, write_report
        from caes.runs.checkpoint import FILES

        self.check()
        if self.plan:
            _, train, _ = self._opened()
            self._begun(train)
            return
        with run_folder(self.out, run_name(self.source)) as folder:
            with new_folder(folder, FILES, force=self.force) as staged:
                opening, train, test = self._opened()
                introduce(train, test, quiet=self.quiet)
                cae = self._begun(train).fit(train)
                if test is not None and (n := cae.scaling_.beyond(test.pixels)):
                    say(f"{n:,} values of {test.split} are clipped.", self.quiet)
                cae.provenance_ |= {"command": typed, "folder": os.getcwd()}
                cae.opening_ = replace(opening)  # without what it has opened
                cae.write(staged)
            # The run is safe by now, whatever happens to its report.
            tell = partial(say, quiet=self.quiet)
            with waiting(MEASURING, self.quiet):
                page = write_report(folder, cae, train, test, command=typed, tell=tell)
        if cae.history_.ended != "complete":
            say(f"Training ended: {_ending(cae)}.", self.quiet)
        if train.skipped:
            say(f"{len(train.skipped)} pictures skipped.", self.quiet)
        print(page)

    def _opened(self) -> "tuple[Opening, ImageSet, ImageSet]":
        """Open what to learn from; by tiles, without being asked, where it has to be.

        That is for pictures of several sizes, or so large ones that a code of the whole
        would know only their shades, or a single one, which could not be tested on
        another; and where the network is not one's own.
        """
        from caes.cli.output import decoding, say
        from caes.runs.pictures import learnt_and_shown, why_grey

        opening, progress, why = self._opening(), decoding(self.quiet), ""
        tile = TILE
        tell = partial(say, quiet=self.quiet)
        cut = self.automatic and self.tile is None and self.size is None
        try:
            train, test = learnt_and_shown(opening, progress)
        except MixedSizesError:
            if not cut:
                raise
            why = "pictures of several sizes"
        else:
            sides = train.shape[1:3]
            if cut and max(sides) > LARGE:
                why = f"pictures of {by_signs(sides)}"
            elif cut and len(train) == 1 and min(sides) >= 2 * LEAST:
                why, tile = SINGLE, min(TILE, max(LEAST, min(sides) // 8))
        if why:
            tell(f"{why}: cut into tiles of {tile} (--tile; or --size 64x64)")
            self.tile = tile
            if why == SINGLE and self.overlap is None:  # none is learnt from and tested
                self.overlap = 0
            opening = replace(opening, tile=tile, overlap=self.overlap)
            train, test = learnt_and_shown(opening, progress)
        if self.channels is None and (why := why_grey(train)):
            tell(why)
            opening = replace(opening, channels=1)
            train, test = learnt_and_shown(opening, progress)
        return opening, train, test

    def _opening(self) -> "Opening":
        from caes.runs.pictures import Opening

        given = self.given_alone()
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

    def _begun(self, train: "ImageSet") -> "CAE":
        """Make the estimator, and say what it will do."""
        from caes.cli.output import say
        from caes.estimators import CAE

        given = values(self, Options)
        cae = CAE(**given, start=self.start, verbose=not self.quiet)
        for line in cae.plan(train):
            say(line, self.quiet)
        return cae


def _ending(cae: "CAE") -> str:
    """Say how a training ended before its last epoch, and what is kept of it."""
    history, chosen = cae.history_, cae.chosen_
    last = history.rows[-1] if history.rows else None
    if last and last.steps:
        steps, stretch = last.steps, last.steps // last.epoch
        ways = {"early": "nothing got better", "time": "the time was over"}
        way = ways.get(history.ended, history.ended)
        kept = f"step {history.best_epoch * stretch:,}"
        return f"{way} after {steps:,} steps; the weights of {kept} are kept"
    if history.ended == "interrupted" and chosen["patience"] is None:
        return f"{history.ended}; what was learnt so far is kept"
    kept = f"the weights of epoch {history.best_epoch} are kept"
    return f"{history.ended}; {kept}"
