"""A run on disk: weights as safetensors, everything else as JSON and CSV, no code."""

import csv
import io
import json
import math
from dataclasses import asdict, astuple, dataclass, field, fields
from pathlib import Path
from typing import Any, get_args

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from caes.errors import CaesError, RunError
from caes.files import write_atomically
from caes.history import Ending, Epoch, History
from caes.model import Autoencoder
from caes.notation import LARGEST, Shape, parse
from caes.scaling import Scaling

FORMAT = 1
"""Version of the folder's layout; raised when an older caes could not read it."""
MODEL, ABOUT, HISTORY = "model.safetensors", "model.json", "history.csv"
FILES = (ABOUT, MODEL, HISTORY, "report.html", "figures/*.png")
"""All that the folder of a run holds."""


@dataclass
class Run:
    """A trained auto-encoder with all that is needed to use and explain it.

    Args:
        model: The network.
        scaling: From the pictures' units to its [0, 1].
        params: The estimator's arguments, as given.
        history: What happened in training.
        provenance: How it was made: versions, machine, seed, data and its fingerprint.
    """

    model: Autoencoder
    scaling: Scaling
    params: dict[str, Any]
    history: History
    provenance: dict[str, str] = field(default_factory=dict)

    @property
    def picture(self) -> Shape:
        """(H, W, C) of the training pictures."""
        return self.model.picture


def write(folder: Path, run: Run) -> None:
    """Write a run's three files into a folder.

    Raises:
        OutputError: The folder cannot be written.
    """
    weights = {k: v.detach().contiguous() for k, v in run.model.state_dict().items()}
    about = {
        "format": FORMAT,
        "architecture": str(run.model.arch),
        "picture": list(run.picture),
        "parameters": run.model.arch.parameters(run.picture),
        "scaling": asdict(run.scaling),
        "training": run.params,
        "ended": run.history.ended,
        "best_epoch": run.history.best_epoch,
        "provenance": run.provenance,
    }
    text = json.dumps(about, indent=2, ensure_ascii=False) + "\n"
    _write(folder / MODEL, save(weights, {"format": "pt"}))
    _write(folder / HISTORY, _table(run.history).encode())
    _write(folder / ABOUT, text.encode())


def read(folder: Path) -> Run:
    """Read a run back.

    Raises:
        RunError: It is not there, damaged, or from a newer version.
    """
    about = _about(folder)
    try:
        picture = tuple(map(int, about["picture"]))
        if len(picture) != 3 or not 1 <= min(picture) <= max(picture) <= LARGEST:
            raise ValueError(f"a picture of {picture}")
        model = Autoencoder(parse(about["architecture"]), picture)
        scaling = _scaling(**about["scaling"])
        history = History(ended=about["ended"], best_epoch=int(about["best_epoch"]))
        if history.ended not in get_args(Ending):
            raise ValueError(f"an ending of {history.ended!r}")
        params = dict(about["training"])
        provenance = {str(k): str(v) for k, v in dict(about["provenance"]).items()}
        int(provenance["seed"])
    except (KeyError, TypeError, ValueError, OverflowError, CaesError) as error:
        raise _damaged(folder / ABOUT, f"contents that cannot be ({error})") from error
    except (MemoryError, RuntimeError) as error:
        received = "a network that needs more memory than there is"
        raise _damaged(folder / ABOUT, received) from error
    history.rows = _rows(folder / HISTORY)
    _fill(model, folder / MODEL)
    return Run(model, scaling, params, history, provenance)


def _write(path: Path, content: bytes) -> None:
    with write_atomically(path) as file:
        file.write(content)


def _about(folder: Path) -> dict[str, Any]:
    path = folder / ABOUT
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(
            str(folder),
            "no model.json in it",
            "the folder of a run",
            "Make one with: caes fit DATA --out FOLDER.",
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, f"text that is not JSON ({error})") from error
    if not isinstance(about, dict) or not isinstance(about.get("format"), int):
        raise _damaged(path, "JSON without a format number")
    if about["format"] > FORMAT:
        raise RunError(
            str(path),
            f"format {about['format']}",
            f"formats up to {FORMAT}",
            "It was made by a newer caes: pip install --upgrade caes.",
        )
    return about


def _fill(model: Autoencoder, path: Path) -> None:
    try:
        weights: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        reason = str(error) or "an unreadable file"
        raise _damaged(path, f"a damaged file ({reason})") from error
    expected = {name: value.shape for name, value in model.state_dict().items()}
    if expected != {name: value.shape for name, value in weights.items()}:
        raise _damaged(path, f"weights that are not those of {model.arch}")
    model.load_state_dict(weights)


def _damaged(path: Path, received: str) -> RunError:
    return RunError(
        str(path),
        received,
        "the file as caes wrote it",
        "Copy it again from where it was made, or fit again.",
    )


def _table(history: History) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(column.name for column in fields(Epoch))
    writer.writerows(astuple(row) for row in history.rows)
    return text.getvalue()


def _scaling(low: float, high: float) -> Scaling:
    if not 0 < float(high) - float(low) < math.inf:
        raise ValueError(f"a scaling from {low} to {high}")
    return Scaling(float(low), float(high))


def _rows(path: Path) -> list[Epoch]:
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [_epoch(row) for row in csv.DictReader(file)]
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise _damaged(path, f"a table that cannot be read ({error})") from error


def _epoch(row: dict[str, str]) -> Epoch:
    watched = row["validation_loss"]
    return Epoch(
        int(row["epoch"]),
        float(row["loss"]),
        float(watched) if watched else None,
        *(float(row[column.name]) for column in fields(Epoch)[3:]),
    )
