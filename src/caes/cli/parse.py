"""Words of the command line to a command, and errors back into words as typed."""

import contextlib
import io
import re
import sys
from dataclasses import fields
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Protocol

import tyro

from caes.cli import COMMANDS, PARTS
from caes.errors import ArgumentError, CaesError, visible

# What tyro says, and how it is said here: option, received, allowed.
_CHOICE = re.compile(
    r"invalid choice ('.*') for argument '(.*)'\. Expected one of (.*)"
)
_VALUE = re.compile(r"Error parsing (--\S+): .*(INT|FLOAT|PATH).* from \[(.*)\]")
_NUMBER = re.compile(r"Error parsing (--\S+): .*(int|float)\b.*: ('.*')")
_NONE = re.compile(r"Missing value for argument '(.*)'()()\. Expected .*")
_KINDS = {"int": "a whole number", "float": "a number", "path": "a path", "": "a value"}


class Command(Protocol):
    """What every command offers."""

    def run(self, typed: str) -> None:
        """Do the work, or raise a `CaesError`."""


def parse(words: list[str]) -> Command:
    """Read a command and its options; leave with one line where they are wrong."""
    name, *rest = words
    if name not in COMMANDS:
        there = _meant(name, [*COMMANDS]) or f"; there are {', '.join(COMMANDS)}."
        _leave(f"unknown command {name}{there} See caes --help.")
    if name in PARTS:
        name, rest = _part(name, rest)
    command = command_class(name)
    found: Command
    known = {*option_names(command).values(), "--help"}
    for word in rest:
        option = word.partition("=")[0].replace("_", "-")
        if word.startswith("--") and option not in known:
            meant = _meant(option, [*known]) or "."
            this = f"unknown option {option} for caes {name}"
            _leave(f"{this}{meant} See caes {name} --help.")
    said, helped = io.StringIO(), io.StringIO()
    try:
        asked = {"-h", "--help"} & {*rest}
        kept = contextlib.redirect_stdout(helped) if asked else contextlib.nullcontext()
        with contextlib.redirect_stderr(said), kept:
            found, more = tyro.cli(
                command,
                prog=f"caes {name}",
                args=rest,
                config=(tyro.conf.FlagCreatePairsOff,),
                return_unknown_args=True,
            )
    except SystemExit as end:
        if end.code:
            _leave(f"{plain(said.getvalue())} See caes {name} --help.")
        print(without_none(helped.getvalue()), end="")
        raise
    if more:
        _leave(f"caes {name} takes no {more[0]!r} here. See caes {name} --help.")
    return found


def _part(name: str, words: list[str]) -> tuple[str, list[str]]:
    """Give a sub-command's whole name, and its words; or list what there is."""
    parts = PARTS[name]
    if not words or words[0] in ("-h", "--help"):
        lines = [f"usage: caes {name} COMMAND …", "", f"{COMMANDS[name].capitalize()}."]
        lines += ["", *(f"{part:<13}{does}" for part, does in parts.items())]
        print("\n".join([*lines, "", f"caes {name} COMMAND --help names its options."]))
        raise SystemExit(0)
    if words[0] not in parts:
        there = _meant(words[0], [*parts]) or f"; there are {', '.join(parts)}."
        _leave(f"unknown command {name} {words[0]}{there} See caes {name} --help.")
    return f"{name} {words[0]}", words[1:]


def command_class(name: str) -> Any:
    """Give a command's class, which only now is imported."""
    *_, last = name.split()
    module = import_module(f"caes.cli.{name.replace('-', '_').replace(' ', '.')}")
    return getattr(module, last.title().replace("-", ""))


def option_names(command: type[Any]) -> dict[str, str]:
    """Give the option of each field as it is typed, such as --seed of random_state."""
    found = {}
    for each in fields(command):
        about = getattr(each.type, "__metadata__", ())
        if tyro.conf.Positional in about or tyro.conf.Suppress in about:
            continue
        own = [a.name for a in about if isinstance(getattr(a, "name", None), str)]
        found[each.name] = f"--{(own or [each.name])[0].replace('_', '-')}"
    return found


def as_typed(error: CaesError, command: type[Any]) -> str:
    """Write an error with options as typed: ``--epochs 20``, not ``epochs=20``.

    Python's names and values stand in the error, for those who call from there.
    """
    names = option_names(command)
    values = r"""("[^"]*"|'[^']*'|\(\d+, \d+\)|[\w.:+-]*\w)"""
    argument = rf"(?<![\w'\"-])({'|'.join(names)})={values}"

    def option(found: re.Match[str]) -> str:
        value = re.sub(r"\((\d+), (\d+)\)", r"\1x\2", found[2].strip("'\""))
        return names[found[1]] + ("" if value == "True" else f" {value}")

    parts = [error.argument, error.received, error.allowed, error.next_step]
    parts[1:] = [re.sub(argument, option, part) for part in parts[1:]]
    parts[3] = re.sub(r" \(in Python: .*\)", "", parts[3])
    if isinstance(error, ArgumentError) and error.argument in names:
        parts[0] = names[error.argument]
        parts[3] = re.sub(
            r"^Try (['\"]?)([\w.:+-]*\w)\1(?=\.$|, )", rf"Try {parts[0]} \2", parts[3]
        )
    return str(CaesError(*parts))


def without_none(text: str) -> str:
    r"""Take None out of tyro's help: an option that may be left out is not typed so.

    >>> print(without_none("--code {None}|INT  Values. (default:   \n   None)  \nx"))
    --code INT         Values.
    x
    """
    text = re.sub(r"\{None\}\|(\S+)", r"\1" + " " * 7, text).replace("{None,", "{")
    text = re.sub(r"\s*\(default:\s+None\)", "", text)
    return re.sub(r" +$", "", text, flags=re.MULTILINE)


def plain(box: str) -> str:
    r"""Say what tyro's message in its frame says, in our words, as one line.

    >>> plain("╭─ Title ─╮\n│ bad -x │\n│ ─── │\n│ see --help │\n╰────╯")
    'bad -x.'
    >>> plain("│ invalid choice 'l' for argument '--s'. Expected one of ('a', 'b'). │")
    "--s: received 'l'; allowed: a, b."
    """
    lines = [line.strip("│").rstrip() for line in box.splitlines()]
    lines = [line for line in lines if not line.startswith(("╭", "╰"))]
    rule = [at for at, line in enumerate(lines) if re.fullmatch(r" ─+", line)]
    lines = lines[: rule[0] if rule else None]
    if lines and lines[0].startswith(" Missing from"):
        needed = [line.split()[0] for line in lines[1:] if line[:6].strip()]
        return f"missing: {' and '.join(needed)}."
    text = visible(" ".join(" ".join(lines).split())).removesuffix(".")
    if found := _CHOICE.fullmatch(text):
        words = re.findall(r"'([^']*)'", found[3])
        if "None" in words:  # what may be left out: tyro knows no order then
            words = sorted({*words} - {"None"})
        allowed = ", ".join(words)
        return f"{found[2]}: received {found[1]}; allowed: {allowed}."
    text = text.partition(" Got errors:")[0].removesuffix(".")
    for each in (_VALUE, _NUMBER, _NONE):
        if found := each.fullmatch(text):
            allowed = _KINDS[found[2].lower()]
            return f"{found[1]}: received {found[3] or 'nothing'}; allowed: {allowed}."
    return text.removeprefix("Error parsing ") + "."


def per_level(
    number: type[int] | type[float],
) -> "tyro.constructors.PrimitiveConstructorSpec[Any]":
    """Read one value, or one a level: ``3`` as a number, ``3,2,1`` as a tuple."""

    def read(words: list[str]) -> Any:
        if words[0] == "auto":
            return "auto"
        try:
            values = tuple(number(word) for word in words[0].split(","))
        except ValueError:
            kind = _KINDS[number.__name__]
            allowed = f"{kind}, or one for each level with commas between"
            raise ValueError(f"received {words[0]!r}; allowed: {allowed}") from None
        return values if len(values) > 1 else values[0]

    def write(value: Any) -> list[str]:
        if value is None:
            return ["None"]
        values = value if isinstance(value, tuple) else (value,)
        return [",".join(map(str, values))]

    name = number.__name__.upper()
    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar=f"{name}[,{name}…]",
        instance_from_str=read,
        is_instance=lambda value: isinstance(value, int | float | tuple | str | None),
        str_from_instance=write,
    )


def _meant(word: str, known: list[str]) -> str:
    names = {each.lstrip("-"): each for each in known}
    close = get_close_matches(word.lstrip("-"), names, n=1)
    return f"; did you mean {names[close[0]]}?" if close else ""


def _leave(said: str) -> None:
    print(f"caes: {visible(said)}", file=sys.stderr)
    raise SystemExit(2)
