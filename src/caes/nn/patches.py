"""One patch a feature map: where only a winner counts, nothing else need be computed.

Tensors here are N×C×H×W. A place is that of a value in a map (flat, row by row) that a
convolution gives; its patch is the k×k values of every channel that it was made of.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from caes.nn.architecture import PaddingName
from caes.nn.layers import frame


def cut(maps: Tensor, places: Tensor, kernel: int, padding: PaddingName) -> Tensor:
    """Take the patches out.

    Args:
        maps: N×C×H×W, what is convolved.
        places: N×K, int64.
        kernel: k.
        padding: Of the convolution: "same" or "valid".

    Returns:
        N×C×K×k².
    """
    whole = F.pad(maps, frame(kernel)) if padding == "same" else maps
    index = _index(places, whole.shape[3], kernel, maps.shape[1])
    found = whole.flatten(2).gather(2, index)
    return found.view(*found.shape[:2], places.shape[1], kernel**2)


def paste(
    patches: Tensor, places: Tensor, size: tuple[int, int], padding: PaddingName
) -> Tensor:
    """Put patches back where they were, the adjoint of `cut`: what overlaps adds up.

    Args:
        patches: N×C×K×k².
        places: N×K, int64.
        size: (H, W).
        padding: As for `cut`.

    Returns:
        N×C×H×W.
    """
    n, channels, _, area = patches.shape
    kernel = round(area**0.5)
    around = frame(kernel) if padding == "same" else (0, 0, 0, 0)
    left, right, top, below = around
    tall, wide = size[0] + top + below, size[1] + left + right
    index = _index(places, wide, kernel, channels)
    empty = patches.new_zeros(n, channels, tall * wide)
    whole = empty.scatter_add(2, index, patches.flatten(2)).view(
        n, channels, tall, wide
    )
    return whole[:, :, top : tall - below, left : wide - right]


def _index(places: Tensor, wide: int, kernel: int, channels: int) -> Tensor:
    """Give where patches lie in flat maps that are so wide: N×C×(K·k²)."""
    across = wide - kernel + 1
    first = places // across * wide + places % across
    steps = torch.arange(kernel, device=places.device)
    within = (steps[:, None] * wide + steps).flatten()
    flat = (first[..., None] + within).flatten(1)
    return flat[:, None].expand(-1, channels, -1)
