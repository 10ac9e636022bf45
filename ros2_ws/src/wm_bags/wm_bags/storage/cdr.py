"""The beginning of serialised messages, without deserialising them: stamp, size and encoding of images.

Format: OMG DDSI-RTPS 2.5, 10 (encapsulation), and XCDR1: numbers aligned to their size, strings with length and a final 0.
"""

import struct
from typing import NamedTuple

HEADERLESS = ("std_msgs/msg/Float64MultiArray",)
IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"

STRIDE = 96  # bytes; a multiple of every pixel's size, so that an image of one value gives one value


class ImageHead(NamedTuple):
    """`form`: encoding of an Image, format of a CompressedImage; `size`: width and height, of an Image only."""

    form: str
    size: tuple[int, int] | None
    begin: int  # of the pixels
    digest: int | None  # of some pixels; None where they are all the same and so say nothing


def stamp_of(data: bytes) -> int:
    """Stamp [ns] of a message that begins with a std_msgs/Header; raises ValueError when it is too short."""
    if len(data) < 12:
        raise ValueError(f"expected a message with a header, got {len(data)} bytes")
    seconds, nanoseconds = struct.unpack_from("<iI" if data[1] & 1 else ">iI", data, 4)
    return seconds * 1_000_000_000 + nanoseconds


def image_head(data: bytes, kind: str) -> ImageHead:
    """What an Image or CompressedImage is; raises ValueError when it is none."""
    order = "<" if data[1] & 1 else ">"
    try:
        _, at = _string(data, 12, order)
        size = None
        if kind == IMAGE:
            height, width = struct.unpack_from(f"{order}II", data, at)
            size, at = (width, height), at + 8
        form, at = _string(data, at, order)
    except (struct.error, UnicodeDecodeError) as error:
        raise ValueError(f"expected an image, got {len(data)} bytes that are none") from error
    begin = at + (12 if size else 4)  # behind byte order, step and length, or behind the length
    part = data[begin::STRIDE]
    return ImageHead(form, size, begin, hash(part) if part and part.count(part[0]) != len(part) else None)


def same_picture(data: bytes, other: bytes, kind: str) -> bool:
    """Whether two images are the same byte by byte, and say something: an image of one value does not."""
    head, before = image_head(data, kind), image_head(other, kind)
    return head.digest is not None and head.digest == before.digest and data[head.begin :] == other[before.begin :]


def _string(data: bytes, at: int, order: str) -> tuple[str, int]:
    """A string, and where the next number of four bytes is."""
    (length,) = struct.unpack_from(f"{order}I", data, at)
    text = data[at + 4 : at + 4 + max(length - 1, 0)].decode()
    return text, at + 4 + (length + 3) // 4 * 4
