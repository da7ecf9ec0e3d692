"""DICOM, by the extra of this name: stored values of each frame."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from caes.data.formats import colour
from caes.data.formats.format import (
    Decoded,
    Form,
    Format,
    Opened,
    UnreadableError,
    from_extra,
    native,
)

STORED = "Stored values of DICOM pictures were kept, not rescaled"


class Dicom(Format):
    """DICOM files with their preamble."""

    name = "DICOM"
    suffixes = (".dcm", ".dicom")
    paged = True

    def recognises(self, head: bytes) -> bool:
        """Whether DICM stands behind the preamble."""
        return head[128:132] == b"DICM"

    @contextmanager
    def opened(self, file: BinaryIO) -> Iterator[Opened]:
        """Read everything but decode nothing."""
        with from_extra(self.name):
            from pydicom import dcmread
        yield DicomFrames(dcmread(file))


class DicomFrames(Opened):
    """The frames of an open DICOM file."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        names = ("PixelData", "FloatPixelData")
        if not any(name in dataset for name in names):
            raise UnreadableError("DICOM without a picture")
        stored = max(len(dataset.get(name) or b"") for name in names)
        if len(self) > max(1, stored):  # however they are compressed
            raise UnreadableError("truncated")

    def __len__(self) -> int:
        return max(1, int(self.dataset.get("NumberOfFrames") or 1))

    def form(self, page: int) -> Form:
        """Tell a frame's form."""
        height, width = int(self.dataset.Rows), int(self.dataset.Columns)
        samples = int(self.dataset.get("SamplesPerPixel", 1))
        bits = int(self.dataset.get("BitsAllocated", 8))
        floating = "PixelData" not in self.dataset
        mode = colour.mode(samples, bits, floating=floating)
        if self.dataset.get("PhotometricInterpretation", "") == "PALETTE COLOR":
            mode = "palette"
        return Form(height, width, height * width * samples * bits // 8, mode)

    def read(self, page: int, size: tuple[int, int] | None) -> Decoded:
        """Decode a frame; YCbCr becomes RGB, and palettes their colours."""
        from pydicom.pixels import apply_color_lut

        about = self.dataset
        pixels = self._stored(page)
        notes: tuple[str, ...] = ()
        meaning = about.get("PhotometricInterpretation", "")
        if meaning == "PALETTE COLOR":
            return Decoded(native(apply_color_lut(pixels, about)), (colour.PALETTE,))
        if meaning == "MONOCHROME1":
            pixels = colour.inverted(pixels, int(about.BitsStored))
            notes = (colour.INVERTED,)
        if (about.get("RescaleSlope", 1), about.get("RescaleIntercept", 0)) != (1, 0):
            notes = (*notes, STORED)
        return Decoded(native(pixels), notes)

    def _stored(self, page: int) -> Any:
        from pydicom.pixels import pixel_array

        try:
            return pixel_array(self.dataset, index=page)
        except RuntimeError as error:
            # It names all its plug-ins, and what each of them lacks.
            way = self.dataset.file_meta.TransferSyntaxUID.name
            raise UnreadableError(f"pydicom cannot decode its {way}") from error
