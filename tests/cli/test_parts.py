"""Commands with sub-commands: `caes NAME PART`."""

import sys
from dataclasses import dataclass
from types import ModuleType

import pytest

from caes.cli import COMMANDS, PARTS, main
from tests.cli.conftest import Run


@dataclass(kw_only=True)
class Lay:
    """Lay bricks.

    Args:
        bricks: How many.
    """

    bricks: int = 3

    def run(self, typed: str) -> None:
        print(typed, self.bricks)


@pytest.fixture(autouse=True)
def _house(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMMANDS, "house", "what stands on a ground")
    monkeypatch.setitem(PARTS, "house", {"lay": "one on another", "paint": "white"})
    module = ModuleType("caes.cli.house.lay")
    module.Lay = Lay  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "caes.cli.house", ModuleType("caes.cli.house"))
    monkeypatch.setitem(sys.modules, "caes.cli.house.lay", module)


@pytest.mark.parametrize("words", [["house"], ["house", "--help"], ["house", "-h"]])
def test_a_command_with_parts_lists_them(
    words: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 0
    assert capfd.readouterr().out.splitlines() == [
        "usage: caes house COMMAND …",
        "",
        "What stands on a ground.",
        "",
        "lay          one on another",
        "paint        white",
        "",
        "caes house COMMAND --help names its options.",
    ]


def test_a_part_has_options_and_help_of_its_own(
    says: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    assert says("house", "lay", "--bricks", "4") == "caes house lay --bricks 4 4\n"
    with pytest.raises(SystemExit):
        main(["house", "lay", "--help"])
    said = capfd.readouterr().out
    assert "usage: caes house lay [-h] [--bricks INT]" in said
    assert "How many." in said


@pytest.mark.parametrize(
    ("words", "message"),
    {
        "lai": "unknown command house lai; did you mean lay? See caes house --help.",
        "bogus": "unknown command house bogus; there are lay, paint. See caes house --help.",
        "lay --brick 3": "unknown option --brick for caes house lay; did you mean --bricks? See caes house lay --help.",
        "lay twice": "caes house lay takes no 'twice' here. See caes house lay --help.",
        "lay --bricks a": "--bricks: received 'a'; allowed: a whole number. See caes house lay --help.",
    }.items(),
)
def test_what_cannot_be_is_refused_by_the_part_s_whole_name(
    refused: Run, words: str, message: str
) -> None:
    assert refused("house", *words.split()) == f"caes: {message}"
