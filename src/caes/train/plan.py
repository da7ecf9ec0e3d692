"""What a training will do and why, in three sentences, before it begins."""

import math

from caes.data.scaling import Scaling
from caes.nn.architecture import Architecture, Shape
from caes.train.options import MINUTES, Resolved, per_level

LOSSES = {"mse": "squared error", "bce": "binary cross-entropy"}


def describe(
    chosen: Resolved, arch: Architecture, pictures: Shape, scaling: Scaling
) -> tuple[str, str, str]:
    """Tell of network, length and range; ``chosen`` has everything filled in.

    ``pictures`` is (N, H, W, C).
    """
    return (
        f"network: {_network(arch, pictures[1:])}",
        f"training: {_training(chosen, arch, pictures[0])}",
        f"range: {_range(scaling)}",
    )


def _network(arch: Architecture, picture: Shape) -> str:
    code, values = math.prod(arch.code_shape(picture)), math.prod(picture)
    beside = ", beside a linear path that begins as PCA" * arch.linear
    return f"{arch}{beside}: {code:,} values of the {values:,} of a picture"


def _training(chosen: Resolved, arch: Architecture, pictures: int) -> str:
    watched = round(pictures * chosen.validation)
    steps = -(-(pictures - watched) // chosen.batch_size)
    of = f"{LOSSES[chosen.loss]}, {chosen.batch_size} pictures a step"
    told = [*dict.fromkeys(per_level(chosen, "epochs", arch))]
    if told == ["auto"]:
        end = f"until {watched:,} pictures kept apart are reconstructed no better"
        if chosen.steps is not None:
            each = per_level(chosen, "steps", arch)
            most = " + ".join(f"{steps:,}" for steps in each)
            return f"{of}, {end}, {most} steps at most"
        return f"{of}, {end}, {chosen.minutes or MINUTES:g} minutes at most"
    epochs = " + ".join(map(str, per_level(chosen, "epochs", arch)))
    plural = "s" * (steps > 1)
    return f"{of}, {epochs} epochs of {steps:,} step{plural}"


def _range(scaling: Scaling) -> str:
    low, high = scaling.extent
    of = f" of {scaling.dtype}" if scaling.dtype else ""
    why = "" if scaling.kind in ("auto", "dtype") else f", by {scaling.kind}"
    if scaling.clipped:
        why = ", of which less than half is in use; beyond is clipped"
    return f"black is {low:,.6g} and white {high:,.6g}{of}{why}"
