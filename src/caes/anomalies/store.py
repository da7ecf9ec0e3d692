"""Detectors on disk: weights as safetensors, everything else as JSON, no code."""

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file
from safetensors.numpy import save as packed

from caes.anomalies.album import Album
from caes.anomalies.choice import Choice, Scale
from caes.anomalies.conformal import Calibration, Places
from caes.anomalies.detectors.detector import State, View
from caes.anomalies.ensemble import Ensemble, HeatScale, candidates
from caes.data.scaling import Scaling
from caes.errors import CaesError, RunError
from caes.estimators import CAE
from caes.files import write_whole
from caes.runs.pictures import Opening
from caes.runs.provenance import processor
from caes.version import __version__

FORMAT = 1
"""Version of the folder's layout; raised when an older caes could not read it."""
ABOUT, WEIGHTS, ENCODER = "detector.json", "detector.safetensors", "autoencoder"
FILES = (ABOUT, WEIGHTS, f"{ENCODER}/*", "report.html", "figures/*", "normal.csv")
"""All that the folder of a detector holds."""


@dataclass(frozen=True)
class Kept:
    """What is kept of a detector beside its arguments."""

    ensemble: Ensemble
    calibration: Calibration
    places: Places
    threshold: float
    seed: int
    provenance: dict[str, str]
    opening: Opening | None


def made(album: Album, seed: int) -> dict[str, str]:
    """Say how a detector came about."""
    sizes = album.size
    size = "several sizes" if sizes is None else f"{sizes[0]}×{sizes[1]}"
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": album.source,
        "pictures": f"{len(album)} of {size}, {album.channels} channels",
        "seed": str(seed),
        "threads": str(torch.get_num_threads()),
        "caes": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "machine": f"{platform.system()} {platform.machine()}, {processor()}",
    }


def write_arrays(kept: Kept, folder: Path) -> None:
    """Write weights, and the auto-encoder's folder."""
    ensemble = kept.ensemble
    (folder / ENCODER).mkdir(exist_ok=True)
    ensemble.cae.write(folder / ENCODER)
    arrays: State = {"calibration": kept.calibration.scores}
    arrays["places"] = kept.places.strangest
    for at, (name, each) in enumerate(ensemble.detectors.items()):
        arrays |= {f"{at}/{key}": value for key, value in each.state().items()}
        if name in ensemble.heats:
            heat = ensemble.heats[name]
            arrays |= {f"{at}:middle": heat.middle, f"{at}:spread": heat.spread}
    whole = {name: np.ascontiguousarray(value) for name, value in arrays.items()}
    write_whole(folder / WEIGHTS, packed(whole))


def write_about(params: Mapping[str, Any], kept: Kept, folder: Path) -> None:
    """Write detector.json: an estimator's arguments, and all that is no array."""
    ensemble = kept.ensemble
    about = {
        "format": FORMAT,
        "params": params,
        "view": asdict(ensemble.view),
        "detectors": [*ensemble.detectors],
        "scales": {name: asdict(each) for name, each in ensemble.scales.items()},
        "mapping": list(ensemble.mapping),
        "chosen": {"used": list(ensemble.choice.used), "found": ensemble.choice.found},
        "groups": list(kept.calibration.groups),
        "threshold": kept.threshold,
        "seed": kept.seed,
        "data": kept.opening and asdict(kept.opening),
        "provenance": kept.provenance,
    }
    text = json.dumps(about, indent=2, ensure_ascii=False) + "\n"
    write_whole(folder / ABOUT, text.encode())


def load(folder: Path) -> tuple[dict[str, Any], Kept]:
    """Read a detector's arguments, and what else is kept of it."""
    about = _about(folder)
    cae = CAE.load(folder / ENCODER)
    try:
        arrays = load_file(folder / WEIGHTS)
        if not all(np.isfinite(value).all() for value in arrays.values()):
            raise ValueError("NaN or infinity in a tensor")
        params = {**about["params"]}
        if params["detectors"] is not None:
            params["detectors"] = tuple(params["detectors"])
        if params["image_shape"] is not None:
            params["image_shape"] = tuple(params["image_shape"])
        groups = tuple(map(str, about["groups"]))
        opening = about["data"] and Opening.read(about["data"])
        kept = Kept(
            _ensemble(about, arrays, cae),
            Calibration(arrays["calibration"], groups),
            Places(_by_parts(arrays["places"]), groups),
            float(about["threshold"]),
            int(about["seed"]),
            {str(k): str(v) for k, v in dict(about["provenance"]).items()},
            opening,
        )
    except (
        LookupError,
        TypeError,
        ValueError,
        OSError,
        RuntimeError,
        SafetensorError,
        CaesError,
    ) as error:
        raise _damaged(folder, f"contents that cannot be ({error})") from error
    return params, kept


def _by_parts(places: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Take n×parts×parts, or n, of whole pictures, as the first versions wrote it."""
    known = places[:, None, None] if places.ndim == 1 else places
    return known.astype(np.float32)


def _ensemble(
    about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], cae: CAE
) -> Ensemble:
    view = _view(**about["view"])
    known, detectors, heats = candidates(view), {}, {}
    for at, name in enumerate(about["detectors"]):
        state = {
            key.partition("/")[2]: value
            for key, value in arrays.items()
            if key.startswith(f"{at}/")
        }
        detectors[name] = known[name]
        detectors[name].restore(state, view, cae)
        if f"{at}:middle" in arrays:
            heats[name] = HeatScale(arrays[f"{at}:middle"], arrays[f"{at}:spread"])
    chosen = about["chosen"]
    return Ensemble(
        view,
        cae,
        detectors,
        {name: Scale(**each) for name, each in about["scales"].items()},
        heats,
        Choice(chosen["found"], tuple(chosen["used"])),
        tuple(about["mapping"]),
    )


def _view(
    scaling: dict[str, Any],
    level: bool,
    whole: list[int] | None,
    channels: int,
    half: bool,
) -> View:
    lines: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in scaling.items()
    }
    size = None if whole is None else (int(whole[0]), int(whole[1]))
    return View(Scaling(**lines), bool(level), size, int(channels), bool(half))


def _about(folder: Path) -> dict[str, Any]:
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(
            str(folder),
            f"no {ABOUT} in it",
            "the folder of a detector",
            "Make one with: caes anomalies fit NORMAL --out FOLDER.",
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(folder, f"text that is not JSON ({error})") from error
    if not isinstance(about, dict) or not isinstance(about.get("format"), int):
        raise _damaged(folder, "JSON without a format number")
    if about["format"] > FORMAT:
        raise RunError(
            str(folder / ABOUT),
            f"format {about['format']}",
            f"formats up to {FORMAT}",
            "It was made by a newer caes: pip install --upgrade caes.",
        )
    return about


def _damaged(folder: Path, received: str) -> RunError:
    return RunError(
        str(folder / ABOUT),
        received,
        "the folder as caes wrote it",
        "Copy it again from where it was made, or fit again.",
    )
