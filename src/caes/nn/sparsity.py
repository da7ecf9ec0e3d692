"""Winner-take-all sparsity (Makhzani & Frey 2015, "Winner-Take-All Autoencoders")."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from caes.errors import ArgumentError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Sparsity:
    """Only winners of a code may reconstruct; written ``wta`` or ``wta:0.05``."""

    # Share of a batch's pictures, in (0, 1], for which each map (or unit) survives
    # while training; 1 for all.
    lifetime: float = 1.0

    def __str__(self) -> str:
        return "wta" if self.lifetime == 1 else f"wta:{self.lifetime}"

    def __call__(self, maps: "Tensor") -> "Tensor":
        """Set all but the winners to 0; shapes as for `winners`."""
        return maps.where(self.winners(maps), 0)

    def winners(self, maps: "Tensor") -> "Tensor":
        """Tell the winners.

        Spatial sparsity (section 4 there): of each picture's map only the largest value
        survives. Lifetime sparsity (section 4.1): of these winners, each map keeps the
        largest ones over the batch; only while gradients are computed, since a single
        picture has no batch. Where the largest value is 0 nothing wins; what is not a
        number always does, so that it is seen. N×maps×h×w, or N×units, which have
        lifetime sparsity only, give the same shape, bool.
        """
        import torch

        values = maps.detach()
        spatial = maps.ndim == 4
        if spatial:
            values, where = values.flatten(2).max(2)
        survive = values != 0
        if self.lifetime < 1 and torch.is_grad_enabled():
            kept = max(1, round(self.lifetime * len(values)))
            least = values.topk(kept, dim=0).values[-1]
            survive &= (values < least).logical_not_()  # NaN is not below anything
        if not spatial:
            return survive
        places = torch.zeros_like(maps, dtype=torch.bool).flatten(2)
        return places.scatter(2, where[..., None], survive[..., None]).view(maps.shape)


def parse_sparsity(text: str | None) -> Sparsity | None:
    """Read ``wta`` or ``wta:0.05``; None stays None."""
    if text is None:
        return None
    kind, colon, number = str(text).partition(":")
    try:
        lifetime = float(number) if colon else 1.0
    except ValueError:
        lifetime = 0.0
    if kind != "wta" or not 0 < lifetime <= 1:
        raise ArgumentError(
            "sparsity",
            repr(text),
            "wta, or wta:SHARE with a share above 0 and up to 1",
            "Try wta:0.05.",
        )
    return Sparsity(lifetime)
