"""Pictures of codes, which a person may have changed: the way back from encode."""

import math
from collections import Counter
from pathlib import Path

from caes.errors import DataError, by_signs
from caes.estimators import CAE
from caes.files import TableWriter
from caes.nn.architecture import Shape
from caes.nn.inference import AT_ONCE
from caes.runs.codes import Codes
from caes.runs.provenance import digest_of
from caes.tasks.reconstruct import picture_path, write_picture

TABLE = "decoded.csv"
FILES = (TABLE, "*.png", "*.tif")


def check_codes(cae: CAE, codes: Codes, path: Path) -> None:
    """Refuse what this run cannot decode.

    Raises:
        DataError: Codes of another run, summed up, or of another number of values; or
            two rows whose names give the same file.
    """
    about, own = codes.about, f"sha256:{digest_of(cae.model_)}"
    count, needed = codes.rows.codes.shape[1], _code(cae, codes)
    twice, times = Counter(map(picture_path, codes.rows.names)).most_common(1)[0]
    if about and about.run != own:
        received = f"codes of the run {about.folder} ({about.run[:19]}…)"
        allowed = f"codes of this run ({own[:19]}…)"
        next_step = "Decode them with that run, or encode the pictures with this one."
    elif about and about.pool != "none":
        received = f"codes summed up by --pool {about.pool}"
        allowed = "whole codes, which alone can be decoded"
        next_step = "Encode the pictures again without --pool."
    elif count != math.prod(needed):
        received = f"codes of {count:,} values"
        allowed = f"{math.prod(needed):,} values ({by_signs(needed)})"
        next_step = "Leave their number as caes encode gave it."
    elif times > 1:
        received = f"{times:,} rows whose pictures would be {twice}"
        allowed, next_step = "rows of different names", "Rename them."
    else:
        return
    raise DataError(str(path), received, allowed, next_step)


def decode(cae: CAE, codes: Codes, folder: Path) -> None:
    """Write the picture of each row, in the source's units and type, and decoded.csv.

    It is ``NAME.png``, or ``NAME.tif`` where PNG cannot hold it, as for `reconstruct`;
    the table has each row's name and its file.
    """
    names, values = codes.rows.names, codes.rows.codes
    height, width, _ = _picture(cae, codes)
    with TableWriter(folder / TABLE) as table:
        table.row(["name", "file"])
        for start in range(0, len(names), AT_ONCE):
            part = values[start : start + AT_ONCE]
            pictures = cae.from_unit(cae.inverse_transform(part, size=(height, width)))
            for name, picture in zip(names[start:], pictures, strict=False):
                path = write_picture(folder / picture_path(name), picture)
                table.row([name, path.relative_to(folder).as_posix()])


def _picture(cae: CAE, codes: Codes) -> Shape:
    """Give H×W×C of the pictures; of the training pictures where nobody says."""
    return (codes.about and codes.about.picture) or cae.picture_shape_


def _code(cae: CAE, codes: Codes) -> tuple[int, ...]:
    return cae.architecture_.code_shape(_picture(cae, codes))
