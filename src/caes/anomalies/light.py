"""Uneven light taken out, and pictures halved: what detectors of places see."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

NEAR, FAR = 8.0, 16.0
"""Pixels: standard deviations of the surroundings' mean and of their contrast."""
SPAN = 3.0
"""Local standard deviations from the middle to black and to white."""
LEAST = 0.01
"""Added to each contrast, so that empty ground stays empty."""


def levelled(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """Subtract each place's surroundings, and divide by the contrast there.

    The contrast is the mean of the local standard deviation and the picture's median of
    it, so that a strong defect does not hide itself (a local form of Jarrett et al.
    2009, section 2.1).

    Args:
        pictures: N×H×W×C float32 in [0, 1].

    Returns:
        N×H×W×C float32 in [0, 1]; 0.5 is what the surroundings are like.
    """
    near, far = (0, NEAR, NEAR, 0), (0, FAR, FAR, 0)
    apart = pictures - gaussian_filter(pictures, near)
    contrast = np.sqrt(gaussian_filter(np.square(apart), far))
    usual = np.median(contrast, axis=(1, 2), keepdims=True)
    apart /= (contrast + usual) / 2 + LEAST
    found: NDArray[np.float32] = np.clip(0.5 + apart / (2 * SPAN), 0, 1)
    return found


def halved(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give means of 2×2 pixels, N×⌈H/2⌉×⌈W/2⌉×C of N×H×W×C; of fewer at odd ends."""
    planes = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2)
    found = F.avg_pool2d(planes, 2, ceil_mode=True, count_include_pad=False)
    return np.asarray(found.permute(0, 2, 3, 1).contiguous().numpy())
