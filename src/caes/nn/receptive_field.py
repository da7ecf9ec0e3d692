"""How far one pixel of a reconstruction, or one cell of a code, looks around.

Everything is counted along one side and on the safe side. With as much context around
it, a part of a large picture is computed exactly as it would be within the whole.
"""

from caes.nn.architecture import Architecture


def encoder_reach(arch: Architecture) -> int:
    """Give the cells of code, on each side of one, whose pixels take part in it.

    Args:
        arch: A network without dense layers.

    Returns:
        Cells; 0 for valid convolutions, whose windows bring their own context.
    """
    if arch.padding == "valid":
        return 0
    low, high = _into_picture(arch, 0, 0)
    return max(_cells(-low, arch), _cells(high - (arch.stride - 1), arch))


def reconstruction_reach(arch: Architecture) -> int:
    """Give the cells, on each side of one, whose pixels take part in its own pixels.

    A reconstructed pixel looks at code around it, and that at pixels around itself.
    The places of winners, which a stack's way back needs, lie in between.

    Args:
        arch: A network without dense layers.

    Returns:
        Cells of the code.
    """
    low, high = 0, arch.stride - 1
    if arch.decoder == "mirror":
        low, high = _wider(low, high, arch.levels[0].kernel)
        for level in arch.levels:
            low, high = low // level.pool, high // level.pool
            low, high = _wider(low, high, level.kernel)
    else:
        for level in arch.levels:
            low, high = _wider(low, high, level.kernel, arch.padding == "valid")
            low, high = low // level.pool, high // level.pool
    return max(-low, high) + encoder_reach(arch)


def _into_picture(arch: Architecture, low: int, high: int) -> tuple[int, int]:
    """Follow an interval of code cells down to the pixels that it is made of."""
    for level in reversed(arch.levels):
        low, high = low * level.pool, (high + 1) * level.pool - 1
        low, high = _wider(low, high, level.kernel)
    return low, high


def _wider(low: int, high: int, kernel: int, full: bool = False) -> tuple[int, int]:
    """Widen an interval by what a kernel reaches; a full convolution's reaches more."""
    more = kernel - 1 if full else kernel // 2
    return low - more, high + more


def _cells(pixels: int, arch: Architecture) -> int:
    return -(-max(pixels, 0) // arch.stride)
