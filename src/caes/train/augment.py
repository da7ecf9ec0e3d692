"""Random changes of the pictures in training that keep their labels.

Simard et al. 2003, "Best Practices for Convolutional Neural Networks Applied to Visual
Document Analysis", section 2, gives the affine and elastic ones; DeVries & Taylor 2017,
"Improved Regularization of Convolutional Neural Networks with Cutout", the square.

A warp is written from the output's pixels to the input's: a 2×3 matrix times (x, y, 1)
is the place in the input that the output's pixel (x, y) is read from. Places are in
pixels, x to the right and y down, from the picture's centre ((W-1)/2, (H-1)/2).
"""

from dataclasses import dataclass, fields
from math import log, radians
from typing import TYPE_CHECKING, Any

from caes.errors import ArgumentError

if TYPE_CHECKING:
    from torch import Generator, Tensor

PRESETS = {
    "digits": "shift:0.08+rotate:12+scale:0.12+shear:10+elastic:0.7",
    "photos": "flip+crop:4",
}

# What each number counts, the largest that is taken, and an example. PIXELS are whole.
NUMBERS = {
    "shift": ("SHARE", 1, 0.1),
    "rotate": ("DEGREES", 180, 15),
    "scale": ("SHARE", 1, 0.1),
    "shear": ("DEGREES", 45, 10),
    "elastic": ("DEVIATION", 100, 1),
    "crop": ("PIXELS", 1000, 4),
    "cutout": ("PIXELS", 1000, 8),
    "brightness": ("SHARE", 1, 0.2),
    "contrast": ("SHARE", 1, 0.2),
}

SWITCHES = ("flip", "turn")
"""Parts without a number."""
NODES = 5  # of the elastic grid along each side: 7 pixels apart at 28×28


@dataclass(frozen=True)
class Augmentation:
    """What may happen to a picture, and how much of it; 0 and False are never.

    The parts come in this order: crop, flip, the warp of shift, rotate, scale, shear
    and elastic, then brightness, contrast, cutout, and turn.
    """

    shift: float = 0  # largest move along each side, as a share of that side
    rotate: float = 0  # largest turn to either side, in degrees
    scale: float = 0  # largest growth, as a share, and as likely the inverse shrinking
    shear: float = 0  # largest slant to either side, in degrees
    elastic: float = 0  # deviation of a smooth random displacement, in pixels
    flip: bool = False  # mirror left to right, one time in two
    crop: int = 0  # pixels added by reflection on every side before cropping back
    # Side in pixels of a square set to the picture's mean colour; its centre is
    # anywhere in the picture, so that it may reach over the edge.
    cutout: int = 0
    brightness: float = 0  # values are multiplied by 1 ± up to this share
    contrast: float = 0  # distances from the mean colour, by the same
    turn: bool = False  # by quarters of a circle; by a half where not square

    def __str__(self) -> str:
        parts = (
            name if name in SWITCHES else f"{name}:{repr(strength).removesuffix('.0')}"
            for name, strength in vars(self).items()
            if strength
        )
        return "+".join(parts) or "none"

    def __call__(self, pictures: "Tensor", generator: "Generator") -> "Tensor":
        """Give changed copies, contiguous; each picture is changed by itself.

        They are N×H×W×C, float32 in [0, 1], with H and W at least 2; the generator is
        on the CPU.
        """
        import torch

        # Two draws a part, wanted or not: no part changes what another one draws.
        names = [field.name for field in fields(self) if field.name != "turn"]
        drawn = torch.rand(len(names), 2, len(pictures), generator=generator)
        draws = dict(zip(names, drawn.to(pictures.device), strict=True))
        changed = pictures
        if self.crop or self.flip:
            changed = _crop_and_flip(changed, self, draws)
        if self.shift or self.rotate or self.scale or self.shear or self.elastic:
            changed = warp(changed, _coefficients(changed, self, draws, generator))
        if self.brightness or self.contrast:
            changed = _expose(changed, self, draws)
        if self.cutout:
            changed = _cut_out(changed, self, draws)
        if self.turn:
            changed = _turned(changed, torch.rand(len(pictures), generator=generator))
        if changed is pictures:
            return pictures.clone(memory_format=torch.contiguous_format)
        return changed.contiguous()


def parse_augmentation(text: str | None) -> Augmentation | None:
    """Read ``shift:0.1+flip`` or a preset's name; None where nothing is to change."""
    if text is None or text == "none":
        return None
    strengths: dict[str, Any] = {}
    for part in PRESETS.get(str(text), str(text)).split("+"):
        name = part.partition(":")[0]
        if name in strengths:
            raise _refusal(part, str(text), "every part once", f"Keep one {name}.")
        strengths[name] = _strength(part, str(text))
    return Augmentation(**strengths) if any(strengths.values()) else None


def _strength(part: str, text: str) -> float:
    """Read a part's number; a flip's, and a turn's, is True."""
    name, colon, number = part.partition(":")
    if name in SWITCHES:
        if colon:
            raise _refusal(part, text, f"{name} without a number", f"Try {name}.")
        return True
    if name not in NUMBERS:
        parts = ", ".join(f"{name}:{unit}" for name, (unit, _, _) in NUMBERS.items())
        allowed = (
            f"{', '.join(PRESETS)}, none, or parts joined by +: {parts}, flip, turn"
        )
        raise _refusal(part, text, allowed, "Try digits, or shift:0.1+flip.")
    unit, most, example = NUMBERS[name]
    whole = unit == "PIXELS"
    try:
        strength = int(number) if whole else float(number)
    except ValueError:
        strength = -1
    if not 0 <= strength <= most:
        kind = "a whole number" if whole else "a number"
        allowed = f"{name}:{unit} with {kind} from 0 to {most}"
        raise _refusal(part, text, allowed, f"Try {name}:{example}.")
    return strength


def _refusal(part: str, text: str, allowed: str, next_step: str) -> ArgumentError:
    received = repr(part) if part == text else f"{part!r} in {text!r}"
    return ArgumentError("augment", received, allowed, next_step)


def _signed(draw: "Tensor") -> "Tensor":
    """[0, 1) to [-1, 1)."""
    return 2 * draw - 1


def _whole(draw: "Tensor", count: int) -> "Tensor":
    """[0, 1) to 0 … count-1, each as likely; int64."""
    # A float32 draw is at most 1 - 2^-24: times a count below 2^24 it stays below it.
    return (draw * count).long()


def reflect(places: "Tensor", side: int) -> "Tensor":
    """Fold any whole places, int64, into 0 … side-1, without repeating the edges."""
    folded = places.remainder(2 * (side - 1))
    return folded.minimum(2 * (side - 1) - folded)


def _crop_and_flip(
    pictures: "Tensor", chosen: Augmentation, draws: "dict[str, Tensor]"
) -> "Tensor":
    """Gather pixels, N×H×W×C, from where crop and flip take them; no value is new."""
    import torch

    n, height, width, channels = pictures.shape
    span = 2 * chosen.crop + 1
    right, down = _whole(draws["crop"], span) - chosen.crop
    first, row, column = (
        torch.arange(size, device=pictures.device) for size in (n, height, width)
    )
    rows = reflect(row + down[:, None], height)
    columns = reflect(column + right[:, None], width)
    if chosen.flip:
        mirrored = draws["flip"][0, :, None] < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    lines = first[:, None] * height + rows
    flat = lines[:, :, None] * width + columns[:, None, :]
    gathered = pictures.reshape(-1, channels).index_select(0, flat.flatten())
    return gathered.view(pictures.shape)


def affine(
    angle: "Tensor", factor: "Tensor", slope: "Tensor", x: "Tensor", y: "Tensor"
) -> "Tensor":
    """Give the matrices, N×2×3, that read pictures turned, scaled, sheared and shifted.

    The matrix is [f·R(a)·S(s) | (x, y)] with R(a) = [[cos a, -sin a], [sin a, cos a]],
    the angle a in radians, and S(s) = [[1, s], [0, 1]]; above a factor f of 1 the
    picture shrinks, for it is read from further out; x and y are in pixels.
    """
    import torch

    cos, sin = factor * angle.cos(), factor * angle.sin()
    to_x = torch.stack([cos, slope * cos - sin, x], 1)
    to_y = torch.stack([sin, slope * sin + cos, y], 1)
    return torch.stack([to_x, to_y], 1)


def _coefficients(
    pictures: "Tensor",
    chosen: Augmentation,
    draws: "dict[str, Tensor]",
    generator: "Generator",
) -> "Tensor":
    """Draw each picture's warp, in pixels: its matrix, and its elastic nodes if any."""
    import torch

    n, height, width, _ = pictures.shape
    matrices = affine(
        radians(chosen.rotate) * _signed(draws["rotate"][0]),
        torch.exp(log(1 + chosen.scale) * _signed(draws["scale"][0])),
        torch.tan(radians(chosen.shear) * _signed(draws["shear"][0])),
        width * chosen.shift * _signed(draws["shift"][0]),
        height * chosen.shift * _signed(draws["shift"][1]),
    )
    if not chosen.elastic:
        return matrices
    nodes = torch.randn(n, 2, NODES**2, generator=generator).to(pictures.device)
    return torch.cat([matrices, chosen.elastic * nodes], 2)


def curves(side: int) -> "Tensor":
    """Up-sample from the elastic nodes to pixels, bicubically, nodes×side.

    Simard et al. smooth one draw a pixel with a Gaussian; a few nodes up-sampled are
    as smooth for much less. The weights at each pixel have a sum of squares of 1, so
    that independent nodes give every pixel their own standard deviation.
    """
    import torch
    import torch.nn.functional as F

    each = torch.eye(NODES)[None, None]
    size = (NODES, side)
    weights = F.interpolate(each, size, mode="bicubic", align_corners=True)[0, 0]
    return F.normalize(weights, dim=0)


def places(coefficients: "Tensor", height: int, width: int) -> "Tensor":
    """Give the place in the input that each of the output's pixels is read from.

    Matrix and elastic field are one matrix product: both are linear in what was drawn.
    """
    import torch

    # N×2×3, matrices, or N×2×(3+nodes²), with elastic nodes, to N×2×H×W: x, then y
    n, _, terms = coefficients.shape
    y = torch.arange(height) - (height - 1) / 2
    x = torch.arange(width) - (width - 1) / 2
    basis = [x.repeat(height), y.repeat_interleave(width), torch.ones(height * width)]
    if terms > 3:
        basis.extend(torch.kron(curves(height), curves(width)))
    rows = torch.stack(basis).to(coefficients.device)  # terms×(H·W)
    return (coefficients.reshape(2 * n, terms) @ rows).view(n, 2, height, width)


def warp(pictures: "Tensor", coefficients: "Tensor") -> "Tensor":
    """Read each picture at its places, bilinearly; outside is the nearest edge's value.

    With ``align_corners=True``, -1 and 1 are the centres of the first and last pixel,
    (W-1)/2 pixels from the picture's centre.
    """
    import torch.nn.functional as F

    _, height, width, _ = pictures.shape
    half = coefficients.new_tensor([(width - 1) / 2, (height - 1) / 2])
    # x and y as two planes, not side by side, is the layout that grid_sample reads
    # faster; so does one small matrix product write them.
    grid = places(coefficients / half[:, None], height, width).permute(0, 2, 3, 1)
    maps = pictures.permute(0, 3, 1, 2)
    warped = F.grid_sample(
        maps, grid, mode="bilinear", padding_mode="border", align_corners=True
    )
    # The four weights' sum may exceed 1 by a rounding.
    low, high = (bound.item() for bound in pictures.aminmax())
    return warped.clamp_(low, high).permute(0, 2, 3, 1).contiguous()


def _expose(
    pictures: "Tensor", chosen: Augmentation, draws: "dict[str, Tensor]"
) -> "Tensor":
    """Multiply by the brightness b, then distances from the mean by the contrast c."""
    b = 1 + chosen.brightness * _signed(draws["brightness"][0])[:, None, None, None]
    c = 1 + chosen.contrast * _signed(draws["contrast"][0])[:, None, None, None]
    mean = pictures.mean((1, 2), keepdim=True)
    low, high = (bound.item() for bound in pictures.aminmax())
    low, high = min(low, 0), max(high, 1)  # beyond [0, 1] where pictures are
    return (b * c * pictures + b * (1 - c) * mean).clamp_(low, high)


def _turned(pictures: "Tensor", draw: "Tensor") -> "Tensor":
    """Turn each picture by a number of quarters, or halves where it is not square."""
    import torch

    step = 1 if pictures.shape[1] == pictures.shape[2] else 2
    quarters = step * _whole(draw, 4 // step)
    changed = pictures.clone(memory_format=torch.contiguous_format)
    for each in range(step, 4, step):
        rows = torch.nonzero(quarters == each)[:, 0].to(pictures.device)
        changed[rows] = pictures[rows].rot90(each, (1, 2))
    return changed


def _cut_out(
    pictures: "Tensor", chosen: Augmentation, draws: "dict[str, Tensor]"
) -> "Tensor":
    """Set a square to each picture's mean, channel by channel."""
    import torch

    def stretch(draw: "Tensor", side: int) -> "Tensor":
        """Mark a stretch with its centre anywhere on the side, N×side, boolean."""
        first = _whole(draw, side) - chosen.cutout // 2
        place = torch.arange(side, device=draw.device) - first[:, None]
        return (place >= 0) & (place < chosen.cutout)

    _, height, width, _ = pictures.shape
    columns, rows = map(stretch, draws["cutout"], (width, height))
    square = (rows[:, :, None] & columns[:, None, :])[..., None]
    return torch.where(square, pictures.mean((1, 2), keepdim=True), pictures)
