"""Texture and shape statistics of pictures: what plain means see, in one pass.

Grey levels and gradients by their moments and quantiles, local binary patterns (Ojala,
Pietikäinen & Mäenpää 2002) and histograms of oriented gradients (Dalal & Triggs 2005),
as operations on tensors, so that they can stand in a graph.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Quantiles of grey levels and of gradients."""
ORIENTATIONS, CELLS = 8, 4
"""Of histograms of oriented gradients: bins over half a turn, cells along a side."""
SCALES = 2
"""Sizes at which a picture is looked at, each half of the one before."""
ROUND = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
"""The eight neighbours of a pixel, clockwise."""
LEVELS = 255.0
"""Grey levels, in [0, 1], are compared as whole numbers of so many steps."""


def count(channels: int) -> int:
    """Give the number F of statistics of pictures with so many channels."""
    return len(texture(torch.zeros(1, 8, 8, channels))[0])


@torch.no_grad()
def texture(pictures: Tensor) -> Tensor:
    """Give statistics of N×H×W×C float32, in [0, 1] or about it: N×F float32.

    These are, of each channel, mean, standard deviation, skewness, kurtosis and five
    quantiles; of the channels' mean the same of the gradient's magnitude, a histogram
    of orientations and one of uniform local binary patterns, at full and at half size;
    of colour the mean of each channel in 4×4 cells; and oriented gradients in 4×4
    cells, normalised in blocks of 2×2.
    """
    channels = pictures.permute(0, 3, 1, 2)
    grey = channels.mean(1, keepdim=True)
    parts = [*(moments(each.flatten(1)) for each in channels.unbind(1))]
    for scale in range(SCALES):
        if scale:
            grey = F.avg_pool2d(grey, 2, ceil_mode=True, count_include_pad=False)
        size, turned = gradients(grey)
        parts += [moments(size.flatten(1)), shares(turned.mean((2, 3)))]
        parts.append(patterns(grey))
        if not scale:
            parts.append(oriented(turned))
    if len(channels[0]) > 1:
        parts.append(F.adaptive_avg_pool2d(channels, CELLS).flatten(1))
    return torch.cat(parts, 1)


def moments(values: Tensor) -> Tensor:
    """Give mean, deviation, skewness, kurtosis and quantiles of N×M values: N×9."""
    mean = values.mean(1, keepdim=True)
    deviation = values.std(1, correction=0, keepdim=True)
    unit = (values - mean) / (deviation + 1e-3)
    ordered = values.sort(1).values
    rows = [round(share * (values.shape[1] - 1)) for share in SHARES]
    found = [mean, deviation, *((unit**k).mean(1, keepdim=True) for k in (3, 4))]
    return torch.cat([*found, ordered[:, rows]], 1)


def gradients(grey: Tensor) -> tuple[Tensor, Tensor]:
    """Give the gradient's magnitude, N×1×H×W, and its share of each orientation.

    The second, N×ORIENTATIONS×H×W, deals each pixel's magnitude out to the two nearest
    bins, which lie around half a turn: light on dark is as dark on light.
    """
    wide = F.pad(grey, (1, 1, 1, 1), mode="replicate")
    across = (wide[..., 1:-1, 2:] - wide[..., 1:-1, :-2]) / 2
    down = (wide[..., 2:, 1:-1] - wide[..., :-2, 1:-1]) / 2
    size = torch.sqrt(across**2 + down**2)
    place = torch.atan2(down, across) * (ORIENTATIONS / torch.pi)
    bins = torch.arange(ORIENTATIONS, device=grey.device).view(1, -1, 1, 1)
    apart = (place - bins).remainder(ORIENTATIONS)
    apart = torch.minimum(apart, ORIENTATIONS - apart)
    return size, size * (1 - apart).clamp_min(0)


def patterns(grey: Tensor) -> Tensor:
    """Give the shares of N×1×H×W pixels with each uniform local binary pattern: N×10.

    A pixel's pattern says which of its eight neighbours are as light or lighter; it is
    uniform with at most two changes on the way round, and counted by the number of
    lighter ones, 0 to 8; all others are the last.
    """
    whole = torch.round(grey[:, 0] * LEVELS)
    wide = F.pad(whole[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    height, width = whole.shape[1:]
    lighter = torch.stack(
        [
            wide[:, 1 + y : 1 + y + height, 1 + x : 1 + x + width] >= whole
            for y, x in ROUND
        ]
    )
    changes = (lighter != lighter.roll(1, 0)).sum(0)
    kind = torch.where(changes <= 2, lighter.sum(0), len(ROUND) + 1)
    return torch.stack(
        [(kind == each).float().mean((1, 2)) for each in range(len(ROUND) + 2)], 1
    )


def oriented(turned: Tensor) -> Tensor:
    """Put orientations, N×ORIENTATIONS×H×W, in cells, and even out blocks of 2×2.

    Gives N×(3·3·4·ORIENTATIONS), each block of length 1 at most.
    """
    cells = F.adaptive_avg_pool2d(turned, CELLS)  # N×ORIENTATIONS×CELLS×CELLS
    blocks = F.unfold(cells, 2).transpose(1, 2)  # N×9×(4·ORIENTATIONS)
    length = torch.linalg.vector_norm(blocks, dim=2, keepdim=True)
    unit: Tensor = blocks / (length + 1e-3)
    return unit.flatten(1)


def shares(amounts: Tensor) -> Tensor:
    """Give N×K amounts as shares of their sum, all 0 where there is nothing."""
    return amounts / (amounts.sum(1, keepdim=True) + 1e-6)
