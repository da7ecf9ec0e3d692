"""A run on disk: weights as safetensors, everything else as JSON and CSV, no code."""

import csv
import json
import math
from dataclasses import asdict, astuple, dataclass, field, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from caes.data.scales import parse_scale
from caes.data.scaling import Scaling, Values
from caes.errors import CaesError, RunError
from caes.files import TableWriter, read_table, write_whole
from caes.nn.architecture import (
    LARGEST,
    ActivationName,
    Architecture,
    DecoderName,
    PaddingName,
    Shape,
    parse,
)
from caes.nn.classifier import Classifier
from caes.nn.model import Model
from caes.nn.readout import Answers, Readout
from caes.nn.sparsity import parse_sparsity
from caes.nn.stack import autoencoder
from caes.runs.pictures import Opening
from caes.train.history import Ending, Epoch, History

FORMAT = 5
"""Version of the folder's layout; raised when an older caes could not read it."""
MODEL, ABOUT, HISTORY = "model.safetensors", "model.json", "history.csv"
ANSWERS = "answers.safetensors"
TABLES = ("confusion.csv", "per_class.csv", "errors.csv")
PAGE = ("report.html", "figures/*.svg", "figures/*.png", *TABLES)
BESIDE = ("controls.json", "suggestions.csv", "suggestions.png")
FILES = (ABOUT, MODEL, ANSWERS, HISTORY, *BESIDE, *PAGE)
"""All that the folder of a run holds."""
NETWORK: dict[str, tuple[Any, ...]] = {
    "decoder": get_args(DecoderName),
    "padding": get_args(PaddingName),
    "activation": get_args(ActivationName),
    "output": get_args(ActivationName),
    "normalised": (False, True),
    "bounded": (False, True),
    "linear": (False, True),
}
"""What is kept of an architecture beside its text, and what it may be."""


@dataclass
class Run:
    """A trained network with all that is needed to use and explain it."""

    model: Model | Classifier
    scaling: Scaling  # from the pictures' units to its [0, 1]
    params: dict[str, Any]  # the estimator's arguments, as given
    history: History
    # How it was made: versions, machine, seed, data and its fingerprint.
    provenance: dict[str, str] = field(default_factory=dict)
    classes: tuple[int | str, ...] = ()  # a classifier's classes, by index
    names: tuple[str, ...] = ()  # of the classes
    opening: Opening | None = None  # of its pictures, where that is known
    # The arguments again, what was not said filled in; empty where nothing was chosen.
    chosen: dict[str, Any] = field(default_factory=dict)
    # A classifier's simpler answers, which one predicts, and by name its error and
    # cross-entropy on labelled pictures not learnt from.
    answers: Answers | None = None
    answer: str = "network"
    judged: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def picture(self) -> Shape:
        """(H, W, C) of the training pictures."""
        return self.model.picture


def write(folder: Path, run: Run) -> None:
    """Write a run's three files into a folder."""
    about = {
        "format": FORMAT,
        **_network(run.model.arch),
        **_kind(run),
        "picture": list(run.picture),
        "parameters": sum(each.numel() for each in run.model.parameters()),
        "scaling": asdict(run.scaling),
        "training": run.params,
        "chosen": run.chosen,
        "ended": run.history.ended,
        "best_epoch": run.history.best_epoch,
        "data": run.opening and asdict(run.opening),
        "provenance": run.provenance,
    }
    text = json.dumps(about, indent=2, ensure_ascii=False, default=_plain) + "\n"
    write_whole(folder / MODEL, _weights(run.model))
    if run.answers is not None:
        write_whole(folder / ANSWERS, _weights(run.answers))
    with TableWriter(folder / HISTORY) as table:
        table.row(column.name for column in fields(Epoch))
        for epoch in run.history.rows:
            table.row(astuple(epoch))
    write_whole(folder / ABOUT, text.encode())


def classifies(folder: Path) -> bool:
    """Tell whether a run is a classifier's."""
    return "classes" in _about(folder)


def read(folder: Path) -> Run:
    """Read a run back."""
    about = _about(folder)
    try:
        run = _told(about, folder)
    except (LookupError, TypeError, ValueError, ArithmeticError, CaesError) as error:
        raise _damaged(folder / ABOUT, f"contents that cannot be ({error})") from error
    except (MemoryError, RuntimeError) as error:
        received = "a network that needs more memory than there is"
        raise _damaged(folder / ABOUT, received) from error
    run.history.rows = _rows(folder / HISTORY)
    _fill(run.model, folder / MODEL)
    if run.answers is not None:
        _fill(run.answers, folder / ANSWERS)
    return run


def _told(about: dict[str, Any], folder: Path) -> Run:
    """Make a run as model.json tells of it; its weights and history are to come."""
    picture = tuple(map(int, about["picture"]))
    if len(picture) != 3 or not 1 <= min(picture) <= max(picture) <= LARGEST:
        raise ValueError(f"a picture of {picture}")
    model = _model(about, picture, _weights_in(folder / MODEL))
    scaling = _scaling(picture[2], **about["scaling"])
    if parse_scale(scaling.kind).bounded != model.arch.bounded:
        raise ValueError(f"a scaling {scaling.kind!r} for this network")
    history = History(ended=about["ended"], best_epoch=int(about["best_epoch"]))
    if history.ended not in get_args(Ending):
        raise ValueError(f"an ending of {history.ended!r}")
    chosen = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in dict(about.get("chosen") or {}).items()
    }
    provenance = {str(k): str(v) for k, v in dict(about["provenance"]).items()}
    int(provenance["seed"])
    opening = Opening.recorded(provenance)  # all that is known up to format 3
    if about.get("data") is not None:
        opening = Opening.read(about["data"])
    answers = None
    if about.get("answers") is not None:
        answers = _answers(about, picture, _weights_in(folder / ANSWERS)).eval()
    answer, judged = str(about.get("answer", "network")), about.get("judged") or {}
    if answer not in ("network", *(answers.readouts if answers else ())):
        raise ValueError(f"an answer by {answer!r}")
    return Run(
        model.eval(),
        scaling,
        dict(about["training"]),
        history,
        provenance,
        tuple(about.get("classes", ())),
        tuple(map(str, about.get("names", ()))),
        opening,
        chosen,
        answers,
        answer,
        {str(k): (float(v[0]), float(v[1])) for k, v in dict(judged).items()},
    )


def _weights(model: nn.Module) -> bytes:
    kept = {k: v.detach().contiguous() for k, v in model.state_dict().items()}
    return save(kept, {"format": "pt"})


def _network(arch: Architecture) -> dict[str, Any]:
    network = {name: getattr(arch, name) for name in NETWORK}
    return {"architecture": str(arch), "network": network}


def _kind(run: Run) -> dict[str, Any]:
    """Say what makes this network other than a plain auto-encoder."""
    if isinstance(run.model, Classifier):
        return {
            "head": list(run.model.head_units),
            "dropout": run.model.dropout,
            "classes": list(run.classes),
            "names": list(run.names),
            "answer": run.answer,
            "judged": {name: [*each] for name, each in run.judged.items()},
            "answers": run.answers
            and {
                **_network(run.answers.encoder.arch),
                "readouts": {
                    name: [*each.get_buffer("landmarks").shape[::-1]]
                    for name, each in run.answers.readouts.items()
                },
            },
        }
    sparsity = getattr(run.model, "sparsity", None)
    return {"sparsity": sparsity and str(sparsity)}


def _arch(about: dict[str, Any]) -> Architecture:
    told, given = dict(about.get("network", {})), {}
    for name, allowed in NETWORK.items():
        if (value := told.get(name)) is not None:
            given[name] = value
            if value not in allowed:
                raise ValueError(f"a network with {name} {value!r}")
    return replace(parse(about["architecture"]), **given)


def _model(about: dict[str, Any], picture: Shape, most: float) -> Model | Classifier:
    arch = _arch(about)
    classifies = "classes" in about
    units = _listed(about, "head") if classifies else []
    if not all(isinstance(each, int) and 1 <= each <= LARGEST for each in units):
        raise ValueError(f"a head of {units} units")
    widths = [math.prod(arch.code_shape(picture)), *units]
    count = arch.parameters(picture) + sum(a * b for a, b in pairwise(widths))
    if count > most:
        raise ValueError(f"a network of {count:,} weights, far more than are there")
    if classifies:
        return _classifier(about, autoencoder(arch, picture), units)
    return autoencoder(arch, picture, 0, parse_sparsity(about.get("sparsity")))


def _classifier(about: dict[str, Any], trunk: Model, units: list[int]) -> Classifier:
    classes, names = _listed(about, "classes"), _listed(about, "names")
    # As numpy.unique gives them; and of one kind, or comparing them is an error.
    kinds = {*map(type, classes)}
    if len(kinds) != 1 or len(classes) < 2 or sorted({*classes}) != classes:
        raise ValueError("classes that are not different ones in order")
    if len(names) != len(classes):
        raise ValueError(f"{len(names)} names for {len(classes)} classes")
    dropout = float(about["dropout"])
    if not 0 <= dropout < 1:
        raise ValueError(f"a dropout of {dropout}")
    return Classifier(trunk, tuple(units), len(classes), dropout=dropout)


def _answers(about: dict[str, Any], picture: Shape, most: float) -> Answers:
    """Make room for the simpler answers of a classifier, as many as there are told."""
    arch = _arch(about["answers"])
    count, readouts = arch.parameters(picture), {}
    for name, sizes in dict(about["answers"]["readouts"]).items():
        features, landmarks = (int(each) for each in sizes)
        classes = len(about["classes"])
        count += (landmarks or features) * classes + landmarks * features
        if not 1 <= features <= LARGEST or landmarks < 0 or count > most:
            raise ValueError(f"an answer {name!r} of {sizes}")
        readouts[str(name)] = Readout(features, classes, landmarks)
    return Answers(autoencoder(arch, picture), readouts)


def _listed(about: dict[str, Any], name: str) -> list[Any]:
    value = about[name]
    if not isinstance(value, list):
        raise ValueError(f"{name} that are no list")
    return value


def _weights_in(path: Path) -> float:
    """Give the most weights that a file of this size may hold, a little generous."""
    return path.stat().st_size / 2 + 2**20 if path.is_file() else math.inf


def _plain(value: object) -> Any:
    """Give a NumPy number, as a search over options leaves it, as JSON knows it."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not kept in JSON")


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


def _fill(model: Model | Classifier | Answers, path: Path) -> None:
    try:
        weights: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        reason = str(error) or "an unreadable file"
        raise _damaged(path, f"a damaged file ({reason})") from error
    expected = {name: value.shape for name, value in model.state_dict().items()}
    if expected != {name: value.shape for name, value in weights.items()}:
        of = "the answers" if isinstance(model, Answers) else model.arch
        raise _damaged(path, f"weights that are not those of {of}")
    for name, value in weights.items():
        if not value.isfinite().all():
            raise _damaged(path, f"NaN or infinity in the tensor {name}")
    model.load_state_dict(weights)


def _damaged(path: Path, received: str) -> RunError:
    return RunError(
        str(path),
        received,
        "the file as caes wrote it",
        "Copy it again from where it was made, or fit again.",
    )


def _scaling(
    channels: int,
    low: Any,
    high: Any,
    kind: str = "auto",
    value_range: Any = None,
    dtype: str | None = None,
    clipped: bool = False,
) -> Scaling:
    """Check a scaling; of runs up to format 2, only ``low`` and ``high`` are known."""
    lines = _line(low, channels), _line(high, channels)
    lows, highs = (np.broadcast_to(each, channels) for each in lines)
    if not all(_spans(*ends) for ends in zip(lows, highs, strict=True)):
        raise ValueError(f"a scaling from {low} to {high}")
    if value_range is not None:
        value_range = (float(value_range[0]), float(value_range[1]))
        if not _spans(*value_range):
            raise ValueError(f"a range of values from {value_range}")
    if dtype is not None and np.dtype(str(dtype)).kind not in "buif":
        raise ValueError(f"pictures of type {dtype!r}")
    kind = str(parse_scale(kind))
    return Scaling(*lines, kind, value_range, dtype, clipped is True)


def _line(value: Any, channels: int) -> Values:
    if not isinstance(value, list):
        return float(value)
    if len(value) != channels:
        raise ValueError(f"a scaling of {len(value)} channels")
    return tuple(map(float, value))


def _spans(low: float, high: float) -> bool:
    return 0 < float(high) - float(low) < math.inf


def _rows(path: Path) -> list[Epoch]:
    if not path.is_file():
        return []
    try:
        columns, *rows = read_table(path) or [[]]
        return [_epoch(dict(zip(columns, row, strict=False))) for row in rows]
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise _damaged(path, f"a table that cannot be read ({error})") from error


def _epoch(row: dict[str, str]) -> Epoch:
    def known(name: str) -> float | None:
        return float(row[name]) if row[name] else None

    return Epoch(
        epoch=int(row["epoch"]),
        loss=float(row["loss"]),
        validation_loss=known("validation_loss"),
        accuracy=known("accuracy"),
        psnr=known("psnr"),
        seconds=float(row["seconds"]),
        images_per_second=float(row["images_per_second"]),
        level=int(row.get("level") or 0),
        waiting=known("waiting") if "waiting" in row else None,
        steps=int(row["steps"]) if row.get("steps") else None,
    )
