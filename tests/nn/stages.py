"""Steps of an encoder, as an architecture would give them, for levels by themselves."""

from caes.nn.architecture import ActivationName, Level, PaddingName, Stage


def convolution(
    inputs: int,
    level: Level,
    *,
    padding: PaddingName = "same",
    activation: ActivationName = "linear",
    normalised: bool = False,
) -> Stage:
    side = 12 * level.pool
    lost = level.kernel - 1 if padding == "valid" else 0
    maps = (12, 12, level.maps)
    return Stage(
        "encoder",
        "convolve",
        (side + lost, side + lost, inputs),
        maps,
        level.kernel,
        pool=level.pool,
        padding=padding,
        activation=activation,
        normalised=normalised,
    )


def dense(inputs: tuple[int, ...], units: int, activation: ActivationName) -> Stage:
    return Stage("encoder", "connect", inputs, (units,), activation=activation)
