"""What --pages takes: `caes.data.reading.Pages`, which --help has no time for."""

from typing import Literal

Pages = Literal["pictures", "channels"]
