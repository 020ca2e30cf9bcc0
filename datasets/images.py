"""The one place that opens image files which a person gave: what comes out is uint8 RGB, or an error with the name."""

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from datasets.base import DataCorrupt

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage
    from PIL.Image import Transpose

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
_BITS_PER_SAMPLE, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0  # tags of TIFF 6.0, section 8
_PNG_16_BIT_GREY = b"\x10\x00"  # bit depth and colour type, at 24 in a PNG
_ORIENTATION = 0x0112  # tag of Exif 2.3, section 4.6.4
_UPRIGHT = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # by orientation, what PIL.Image.Transpose undoes it
_BILINEAR = 2


class Picture(NamedTuple):
    """An image in 8-bit RGB, and whether colours of it were stored under transparency, where nobody saw them."""

    rgb: "PilImage"
    uncovers: bool


class Header(NamedTuple):
    """What an image says of itself before it is decoded: pixels as stored, and whether it is to be turned upright."""

    width: int
    height: int
    turned: bool


def read_header(content: bytes) -> Header | None:
    """The header of the image that these bytes hold; None for what is none: `open_rgb` says what is wrong with it."""
    from PIL import Image

    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(content)) as image:
            return Header(*image.size, _turn(image) is not None)
    except MemoryError:
        raise
    except Exception:  # as in open_rgb
        return None


def open_rgb(content: bytes, file: Path, as_stored: bool = False) -> Picture:
    """The image that `content`, the bytes of `file`, holds, turned as its EXIF says; of several frames the first.

    Grey of 9 to 16 bits is scaled to 8: the high bits stay. Transparency is left off: the colours that were stored
    under it stand. Raises DataCorrupt, with the file's name, for what is no image, has more than 179 million
    pixels, or cannot be brought to RGB without a guess: 32-bit and floating-point pixels, CMYK with a profile.
    as_stored: CMYK is taken as if it had no profile and nothing is turned, which is how ImageNet is read everywhere.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        # warnings tell of odd metadata: nothing that a person could act on
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(content)) as image:
            turn = None if as_stored else _turn(image)  # before decoding, as in read_header
            rgb = _to_rgb(image, as_stored)
            return Picture(rgb if turn is None else rgb.transpose(turn), _hides_colours(image))
    except Image.DecompressionBombError as error:
        raise DataCorrupt(f"{file} is too large an image to be read ({error}): make it smaller") from error
    except UnidentifiedImageError as error:  # whose message is about a buffer in memory
        raise DataCorrupt(f"{file} is not a readable image ({_instead_of_image(content)})") from error
    except _Unscalable as error:
        raise DataCorrupt(f"{file} has {error}: convert it to 8-bit RGB") from error
    except MemoryError:
        raise
    except Exception as error:  # Pillow's decoders raise what they stumble on: SyntaxError, struct.error, KeyError, ...
        raise DataCorrupt(f"{file} is not a readable image ({error})") from error


def _instead_of_image(content: bytes) -> str:
    return "it begins as none does" if content else "it is empty"


def hides_colours(content: bytes) -> bool:
    """Whether an image's bytes have colours under transparency; pixels are looked at only where they may. False for
    what `open_rgb` refuses."""
    from PIL import Image

    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(content)) as image:
            return _hides_colours(image)
    except MemoryError:
        raise
    except Exception:  # as above: whoever uses the image hears what is wrong with it
        return False


def is_16_bit_grey(content: bytes) -> bool:
    """Whether these are the bytes of a PNG of 16-bit grey, which came out white before it was scaled."""
    return content.startswith(b"\x89PNG\r\n\x1a\n") and content[24:26] == _PNG_16_BIT_GREY


class _Unscalable(ValueError):
    """Pixels whose black and white nobody knows, or whose colours need a profile; the message says which."""


def central_square(image: "PilImage", size: int) -> "PilImage":
    """The central square of an image, size×size pixels then: as resized and cropped, without what is cropped away."""
    side = min(image.size)
    left, top = ((length - side) // 2 for length in image.size)
    return image.resize((size, size), _BILINEAR, box=(left, top, left + side, top + side))


def _turn(image: "PilImage") -> "Transpose | None":
    """What brings an image upright that is stored otherwise. TIFFs are: Pillow turns them itself."""
    from PIL.Image import Transpose

    if "exif" not in image.info:
        return None
    try:
        turn = _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # odd metadata: Pillow raises what it stumbles on, and the pixels are as good as they were
        return None
    return None if turn is None else Transpose(turn)


def _to_rgb(image: "PilImage", any_cmyk: bool) -> "PilImage":
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):  # "I" in Pillow before 11.3
        return _from_16_bits(image)
    if image.mode in ("I", "F"):
        raise _Unscalable("32-bit pixels" if image.mode == "I" else "floating-point pixels")
    if image.mode == "CMYK" and image.info.get("icc_profile") and not any_cmyk:
        raise _Unscalable("CMYK colours with a profile of their own")
    return image.convert("RGB")


def _from_16_bits(image: "PilImage") -> "PilImage":
    from PIL import Image

    tags = getattr(image, "tag_v2", {})
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        raise _Unscalable("16-bit pixels of which 0 is white")
    bits = tags.get(_BITS_PER_SAMPLE, (16,))[0]
    grey = np.asarray(image).astype(np.int64) >> (bits - 8)
    return Image.fromarray(grey.clip(0, 255).astype(np.uint8)).convert("RGB")


def _hides_colours(image: "PilImage") -> bool:
    if not image.has_transparency_data:
        return False
    return bool((np.asarray(image.convert("RGBA").getchannel("A")) < 255).any())
