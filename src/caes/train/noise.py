"""Noise on what comes in, while the target stays clean: the denoising auto-encoder.

Vincent et al. 2010, "Stacked Denoising Autoencoders", section 3.3, gives the three
kinds; Masci et al. 2011 use masking noise of 30 % and 50 %.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from caes.errors import ArgumentError

if TYPE_CHECKING:
    from torch import Generator, Tensor

KINDS = ("masking", "gaussian", "salt-and-pepper")


@dataclass(frozen=True)
class Corruption:
    """One kind of noise and its strength, written ``masking:0.3``."""

    kind: str  # masking: values set to 0; gaussian: added; salt-and-pepper: 0 or 1
    strength: float  # share of the values that are hit; of gaussian the deviation

    def __str__(self) -> str:
        return f"{self.kind}:{self.strength:g}"

    def __call__(self, clean: "Tensor", generator: "Generator") -> "Tensor":
        """Give a corrupted copy, each value of each channel hit by itself.

        The generator is on the CPU, whatever the device of what is ``clean``; for
        salt-and-pepper that is in [0, 1].
        """
        import torch

        if self.kind == "gaussian":
            noise = torch.randn(clean.shape, generator=generator)
            return clean + self.strength * noise.to(clean.device)
        drawn = torch.rand(clean.shape, generator=generator).to(clean.device)
        hit = drawn < self.strength
        if self.kind == "masking":
            return clean.masked_fill(hit, 0)
        # Where a value is hit, the draw is uniform below the strength: half is salt.
        return torch.where(hit, (drawn < self.strength / 2).to(clean.dtype), clean)


def parse_corruption(text: str | None) -> Corruption | None:
    """Read ``masking:0.3``; None stays None."""
    if text is None:
        return None
    kind, _, number = str(text).partition(":")
    try:
        strength = float(number)
    except ValueError:
        strength = -1.0
    most = float("inf") if kind == "gaussian" else 1.0
    if kind not in KINDS or not 0 <= strength <= most or strength == float("inf"):
        raise ArgumentError(
            "noise",
            repr(text),
            "masking:SHARE, gaussian:DEVIATION or salt-and-pepper:SHARE",
            "Try masking:0.3.",
        )
    return Corruption(kind, strength)
