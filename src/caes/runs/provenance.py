"""How a run came about: versions, machine, seed, data. Enough to make it again."""

import platform
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch import nn

from caes.data import ImageSet
from caes.version import __version__


def provenance(images: ImageSet, seed: int, path: str) -> dict[str, str]:
    """Describe a run about to be made.

    Args:
        images: What it learns from.
        seed: Of weights, order and splits.
        path: How and where training runs, such as "fused on cpu".
    """
    n, height, width, channels = images.shape
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": images.source,
        "split": images.split,
        "pictures": f"{n} × {height}×{width}×{channels} {images.dtype}",
        "data fingerprint": f"sha256:{images.fingerprint}",
        "seed": str(seed),
        "computed by": path,
        "threads": str(torch.get_num_threads()),
        "caes": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": version("numpy"),
        "scikit-learn": version("scikit-learn"),
        "machine": f"{platform.system()} {platform.machine()}, {processor()}",
    }


def digest_of(model: nn.Module) -> str:
    """Tell networks apart: SHA-256, in hexadecimal, of all weights.

    It is a run's fingerprint: codes of one run mean nothing to another.
    """
    weights = sha256()
    for value in model.state_dict().values():
        weights.update(np.ascontiguousarray(value.cpu().numpy()).data)
    return weights.hexdigest()


def processor() -> str:
    """Name the processor as well as the system lets us."""
    listing = Path("/proc/cpuinfo")
    if listing.is_file():
        for line in listing.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"
