"""The command line: one thin class a command; its fields are its options."""

# Nothing heavy here: `caes --help` answers from this file alone, and a Ctrl-C while
# anything else is imported comes to `main`.
import os
import shlex
import sys
import traceback
from collections.abc import Sequence

from caes.errors import CaesError
from caes.version import __version__

_TABLE = (
    ("learn", "fit", "train an auto-encoder on pictures; write its report"),
    ("look", "info", "what a run is, or what is in some pictures"),
    ("", "report", "a run's report and figures, written again"),
    ("use", "reconstruct", "reconstructions of pictures, and a table of errors"),
    ("", "encode", "the code of each picture, as a table"),
    ("", "decode", "pictures of codes that were changed"),
    ("", "atlas", "codes in two dimensions, with their pictures"),
    ("", "index", "the nearest of pictures, and those that are twice"),
    ("", "predict", "the class of each picture, as a table"),
    ("inspect", "anomalies", "what is not like normal pictures, and where"),
    ("few labels", "classify", "train a classifier on labels and an auto-encoder"),
    ("", "probe", "what the codes are worth to simple classifiers"),
    ("", "label-curve", "how the error falls as labels are added"),
    ("papers", "reproduce", "tables and figures of papers, made again"),
    ("house-keeping", "cache", "pictures that are kept decoded: list, delete"),
)
COMMANDS = {name: does for _, name, does in _TABLE}
PARTS: dict[str, dict[str, str]] = {
    "index": {
        "build": "a new index of pictures, of a run's codes",
        "add": "more pictures into an index",
        "drop": "pictures out of an index, by name",
        "info": "what an index is",
        "search": "the pictures of an index that are nearest to others",
        "duplicates": "pictures that are the same, exactly or nearly, in groups",
    },
    "anomalies": {
        "fit": "learn what normal pictures are like; write a detector",
        "score": "how strange pictures are, and where, as table and heatmaps",
        "threshold": "set another threshold, without fitting",
        "drift": "whether the threshold still holds on new normal pictures",
        "suspects": "training pictures that are not like the others",
    },
}
"""The sub-commands of the commands that have some, and what each does.

``caes NAME PART`` is the class ``Part`` in ``caes/cli/name/part.py``.
"""
OVERVIEW = "\n".join(
    [
        "usage: caes COMMAND …",
        "",
        "Convolutional auto-encoders for people with many pictures and few labels.",
        "",
        *(f"{aim:<15}{name:<13}{does}" for aim, name, does in _TABLE),
        "",
        "caes COMMAND --help names a command's options. Every command takes --debug,",
        "which shows the traceback of an error. caes --version says which this is.",
    ]
)


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line; give its exit code: 0, or 2 where something is wrong."""
    words = list(sys.argv[1:] if args is None else args)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    if not words or words[0] in ("-h", "--help"):
        print(OVERVIEW)
        return 0
    if words == ["--version"]:
        print(f"caes {__version__}")
        return 0
    try:
        return _run(words, debug)
    except KeyboardInterrupt:
        print("caes: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output, such as `head`, has gone: nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _run(words: list[str], debug: bool) -> int:
    from caes.cli.parse import as_typed, parse

    command = parse(words)
    try:
        command.run(shlex.join(["caes", *words]))
    except CaesError as error:
        if debug:
            traceback.print_exc()
        print(f"caes: {as_typed(error, type(command))}", file=sys.stderr)
        return 2
    return 0
