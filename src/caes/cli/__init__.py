"""The command line: one thin class a command; its fields are its options."""

import contextlib
import io
import os
import re
import shlex
import sys
import traceback
from collections.abc import Sequence
from typing import Any, Protocol

import tyro

from caes.cli.cache import Cache
from caes.cli.classify import Classify
from caes.cli.fit import Fit
from caes.cli.info import Info
from caes.cli.label_curve import LabelCurve
from caes.cli.predict import Predict
from caes.cli.probe import Probe
from caes.cli.reconstruct import Reconstruct
from caes.cli.report import Report
from caes.cli.reproduce import Reproduce
from caes.errors import CaesError

COMMANDS: dict[str, Any] = {
    "fit": Fit,
    "info": Info,
    "reconstruct": Reconstruct,
    "report": Report,
    "classify": Classify,
    "predict": Predict,
    "probe": Probe,
    "label-curve": LabelCurve,
    "reproduce": Reproduce,
    "cache": Cache,
}


class Command(Protocol):
    """What every command offers."""

    def run(self, typed: str) -> None:
        """Do the work, or raise a `CaesError`.

        Args:
            typed: The command as it was typed, to be typed again.
        """


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line; give its exit code: 0, or 2 with one line of what is wrong.

    Args:
        args: Words after ``caes``; those of the process without it.
    """
    words = list(sys.argv[1:] if args is None else args)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    command = parse(words)
    try:
        command.run(shlex.join(["caes", *words]))
    except KeyboardInterrupt:
        print("caes: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output, such as `head`, has gone: nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except CaesError as error:
        if debug:
            traceback.print_exc()
        print(f"caes: {error}", file=sys.stderr)
        return 2
    return 0


def parse(words: list[str]) -> Command:
    """Read a command and its options; leave with one line where they are wrong."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.extras.subcommand_cli_from_dict(  # type: ignore[no-any-return]
                COMMANDS,
                prog="caes",
                description=DESCRIPTION,
                args=words or ["--help"],
                config=(tyro.conf.FlagCreatePairsOff,),
            )
    except SystemExit as end:
        if end.code:
            print(f"caes: {one_line(said.getvalue())}", file=sys.stderr)
        raise


DESCRIPTION = (
    "Convolutional auto-encoders for people with many pictures and few labels. "
    "Every command takes --debug, which shows the traceback of an error."
)


def one_line(box: str) -> str:
    r"""Take the frame off tyro's message, and join what it says.

    >>> one_line("╭─ Title ─╮\n│ bad -x │\n│ ─── │\n│ see --help │\n╰────╯")
    'bad -x; see --help'
    """
    sections = [""]
    for line in box.splitlines():
        text = line.strip("│ ")
        if re.fullmatch(r"[─ ]+", text):
            sections.append("")
        elif not line.startswith(("╭", "╰")):
            sections[-1] += f" {text}"
    return "; ".join(" ".join(section.split()) for section in sections if section)
