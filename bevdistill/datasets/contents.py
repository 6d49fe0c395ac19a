"""Tell whether bytes are an image or points, by what is cheap to look at."""

from __future__ import annotations

import io
import math
import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..file_kind import TEXT

MOST_PIXELS = 100_000_000
AGAIN = 'Copy it again; is the download complete?'
FARTHEST_POINT = 1e5
"""Metres that no coordinate exceeds; other number types read as float32 soon do."""
ENDS = {'JPEG': b'\xff\xd9', 'PNG': b'IEND'}
"""What a whole file has near its end; a decoder fills what is missing of a picture with grey."""
TAIL = 1024
ORIENTATION = 0x0112
"""The EXIF entry by which some decoders turn an image, and others do not."""
WIDEST = 175.0
"""Degrees that no image without distortion is wide or high."""
SHORTEST = 0.5 / math.tan(math.radians(WIDEST / 2))
"""Focal length of such an image, in parts of its width or height."""
MOST_FEATURES = 12
"""Numbers per point that are tried where those that were named cannot be."""
ROWS_COMPARED, FEWEST_ROWS = 4096, 500
ALIKE = 0.1
"""Largest difference of two distributions that are one, of samples of 500."""


class ImageHeader(NamedTuple):
    """What the first bytes of an image say: format, size in pixels, and PIL's mode."""

    kind: str
    width: int
    height: int
    mode: str


def image_header(content: bytes) -> ImageHeader:
    """Read the header of an image, without decoding it.

    Raises:
        ValueError: If it is no whole image of three channels; the message says what was expected and found.
    """
    if not content:
        raise ValueError(f'expected an image, found an empty file. {AGAIN}')
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            with Image.open(io.BytesIO(content)) as image:
                header = ImageHeader(str(image.format), image.width, image.height, image.mode)
                # PIL decodes a whole PNG to look for an entry that comes after the pixels.
                known = image.format != 'PNG' or 'exif' in image.info
                turned = image.getexif().get(ORIENTATION, 1) if known else 1
    except Image.DecompressionBombError as error:
        raise ValueError(f'expected at most {MOST_PIXELS} pixels, found far more') from error
    except Exception as error:  # A damaged header can fail in any way.
        raise ValueError(f'expected an image, found {len(content)} bytes that are none. {AGAIN}') from error
    if header.width * header.height > MOST_PIXELS:
        raise ValueError(f'expected at most {MOST_PIXELS} pixels, found {header.width} x {header.height}')
    if header.mode not in ('RGB', 'P'):
        raise ValueError(
            f'expected an image of three channels (RGB), found mode {header.mode}; convert it to RGB'
        )
    if turned not in (0, 1):
        raise ValueError(
            f'expected an upright image, found one that its EXIF entry turns (orientation {turned}); write it upright '
            'without the entry, and calibrate the upright image'
        )
    if ENDS.get(header.kind, b'') not in content[-TAIL:]:
        found = f'found one that is cut off after {len(content)} bytes. {AGAIN}'
        raise ValueError(f'expected a whole {header.kind} file, {found}')
    return header


def as_points(content: bytes, features: int) -> NDArray[np.float32]:
    """View bytes as float32 rows (P, features).

    Raises:
        ValueError: If they cannot be points: the message says what was expected and found.
    """
    row = 4 * features
    if content and not content[:256].translate(None, TEXT):
        raise ValueError('expected float32 numbers, found text')
    if len(content) % row:
        raise ValueError(
            f'expected a multiple of {row} bytes ({features} float32 per point), found {len(content)}: the file is '
            f'truncated, or has other numbers per point'
        )
    points = np.frombuffer(content, dtype=np.float32).reshape(-1, features)
    right = np.isfinite(points).all(axis=1) & (np.abs(points[:, :3]) <= FARTHEST_POINT).all(axis=1)
    if not right.all():
        raise ValueError(
            f'expected finite float32 numbers and coordinates of at most {FARTHEST_POINT:g} m, found others in '
            f'{(~right).sum()} of {len(points)} points: NaN, infinite, or another number type or layout'
        )
    return points


def check_row_length(content: bytes, features: int) -> None:
    """Look whether points can be rows of so many numbers; needs 500 of them.

    Read in rows of another length, columns hold the numbers of a point in turn: those that lie a divisor of the length
    apart have one distribution, which they have in no point cloud.

    Raises:
        ValueError: If columns repeat, and those of another length do not.
    """
    flat = np.frombuffer(content[: 4 * MOST_FEATURES * ROWS_COMPARED], dtype=np.float32)
    if len(flat) // features < FEWEST_ROWS or not _columns_repeat(flat, features):
        return
    lengths = [length for length in range(3, MOST_FEATURES + 1) if len(content) % (4 * length) == 0]
    fitting = [str(length) for length in lengths if not _columns_repeat(flat, length)]
    if fitting:
        fit = ' or '.join(fitting)
        raise ValueError(f'expected {features} numbers per point, found a file whose numbers fit {fit}')


def _columns_repeat(flat: NDArray[np.float32], length: int) -> bool:
    """Tell whether all columns that lie some divisor of the length apart are alike, by Kolmogorov and Smirnov."""
    rows = min(len(flat) // length, ROWS_COMPARED)
    columns = np.sort(flat[: rows * length].reshape(rows, length), axis=0).T

    def alike(first: int, second: int) -> bool:
        places = np.concatenate((columns[first], columns[second]))
        counts = [np.searchsorted(columns[which], places, side='right') for which in (first, second)]
        return bool(np.abs(counts[0] - counts[1]).max() < ALIKE * rows)

    return any(
        all(alike(column, column % step) for column in range(step, length))
        for step in range(1, length // 2 + 1)
        if length % step == 0
    )


def check_size(width: int, height: int, cam2img: Any, where: str) -> None:
    """Check that the camera's centre lies in its image, and that its focal lengths are pixels of it.

    Raises:
        ValueError: If not: the image was made smaller than the one that was calibrated, or the calibration is in parts
            of the image or in millimetres.
    """
    across, down = float(cam2img[0][2]), float(cam2img[1][2])
    shortest = min(float(cam2img[0][0]) / width, float(cam2img[1][1]) / height)
    if shortest < SHORTEST:
        raise ValueError(
            f'{where}: expected focal lengths in pixels of an image of {width} x {height}, found '
            f'{float(cam2img[0][0]):g} and {float(cam2img[1][1]):g}, more than {WIDEST:.0f} degrees wide; are they in '
            'parts of the image, or in mm?'
        )
    if not (0 < across < width and 0 < down < height):
        raise ValueError(
            f'{where}: expected an image around the centre of its calibration ({across:.0f}, {down:.0f}), found '
            f'{width} x {height} pixels; use the image that was calibrated'
        )
