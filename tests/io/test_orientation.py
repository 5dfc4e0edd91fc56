import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from reelprior.io.orientation import turned, turned_like

PIXELS = np.random.default_rng(0).integers(0, 255, (3, 4, 6)).astype(np.float32)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pixels_are_turned_as_pillow_turns_them(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    Image.fromarray(PIXELS.astype(np.uint8).transpose(1, 2, 0)).save(buffer, "PNG", exif=exif)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(buffer)))
    np.testing.assert_array_equal(turned(PIXELS, orientation).transpose(1, 2, 0), upright)


@pytest.mark.parametrize("stored", range(1, 9))
@pytest.mark.parametrize("wanted", range(1, 9))
def test_a_picture_turned_like_another_stands_upright_with_it(stored, wanted):
    like = turned_like(PIXELS, stored, wanted)
    np.testing.assert_array_equal(turned(like, wanted), turned(PIXELS, stored))
