"""PNG: by Pillow, but for colour of 16 bits, of which Pillow keeps 8."""

from typing import BinaryIO

from PIL import Image

from caes.data.formats.by_pillow import FIRST_FRAME, ByPillow, PillowPicture
from caes.data.formats.colour import ALPHA, on_white, upright
from caes.data.formats.format import Decoded, Form, Opened, native

_START = b"\x89PNG\r\n\x1a\n"
_GREY = 0  # the colour type of grey without opacity, which Pillow reads with 16 bits


class Png(ByPillow):
    """PNG of 1 to 16 bits."""

    def __init__(self) -> None:
        super().__init__("PNG", (".png",), _START)

    def picture(self, image: Image.Image, file: BinaryIO) -> Opened:
        """Give what decodes the picture: its depth and colour type say which."""
        file.seek(len(_START))
        header = file.read(8 + 13)[8:]
        deep = header[8] == 16 and header[9] != _GREY
        return DeepColour(image, file) if deep else PillowPicture(image)


class DeepColour(PillowPicture):
    """Grey with opacity, or colour, of 16 bits each."""

    def __init__(self, image: Image.Image, file: BinaryIO) -> None:
        super().__init__(image)
        self.file = file

    def form(self, page: int) -> Form:
        """Tell the form; each value needs two bytes, and is there twice at the end."""
        form = super().form(page)
        return Form(form.height, form.width, 4 * form.bytes, f"16-bit {form.mode}")

    def read(self, page: int, size: tuple[int, int] | None) -> Decoded:
        """Decode with all 16 bits, upright, on white where it is transparent."""
        from imagecodecs import png_decode

        orientation = self.image.getexif().get(0x0112)
        notes = (FIRST_FRAME,) if getattr(self.image, "is_animated", False) else ()
        self.file.seek(0)
        pixels = native(png_decode(self.file.read()))
        if pixels.shape[2] in (2, 4):
            pixels, notes = on_white(pixels), (*notes, ALPHA)
        return Decoded(upright(pixels, orientation), notes)
