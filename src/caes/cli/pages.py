"""What --pages takes: `caes.data.kind.Pages`, which --help has no time to import."""

from typing import Literal

Pages = Literal["pictures", "channels"]
