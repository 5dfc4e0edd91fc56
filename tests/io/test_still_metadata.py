"""EXIF, ICC and XMP of pictures: read from every kind of file and written into every kind of file."""

import struct

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms
from rewriting import rewrite

from reelprior.io.coding import Coding
from reelprior.io.exif import Entry, orientation, read_tiff, reordered, upright, with_header
from reelprior.io.images import read_image
from reelprior.io.still_metadata import StillMetadata, encode_with, metadata_of

MAKE, ORIENTATION, EXIF_DIRECTORY, EXPOSURE = 271, 274, 0x8769, 33434
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF/></x:xmpmeta>"
SUFFIXES = [".png", ".jpg", ".webp", ".tiff"]


def exif_block(turn=6, order="<"):
    """A maker, an orientation, and an exposure of 1/125 s in a directory of its own."""
    short = struct.pack(f"{order}H", turn)
    inner = {EXPOSURE: Entry(5, struct.pack(f"{order}II", 1, 125))}
    entries = {MAKE: Entry(2, b"Paillard Bolex\0"), ORIENTATION: Entry(3, short)}
    return with_header({**entries, EXIF_DIRECTORY: Entry(4, directory=inner)}, order)


PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def picture(depth=np.uint8):
    random = np.random.default_rng(0)
    return random.integers(0, np.iinfo(depth).max, (6, 8, 3), depth, endpoint=True)


def written(path, *, turn=6, depth=np.uint8):
    data = encode_with(path.suffix, picture(depth), StillMetadata(exif_block(turn), PROFILE, XMP), [])
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_everything_is_read_back(tmp_path, suffix):
    found = metadata_of(written(tmp_path / f"a{suffix}"))
    assert (found.orientation, found.icc, found.xmp) == (6, PROFILE, XMP)
    _, directory = read_tiff(found.exif)
    assert directory[MAKE].data == b"Paillard Bolex\0"
    assert struct.unpack("<II", directory[EXIF_DIRECTORY].directory[EXPOSURE].data) == (1, 125)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_another_program_reads_the_same(tmp_path, suffix):
    with Image.open(written(tmp_path / f"a{suffix}")) as image:
        exif = image.getexif()
        assert exif[MAKE] == "Paillard Bolex"
        assert exif.get_ifd(EXIF_DIRECTORY)[EXPOSURE] == pytest.approx(1 / 125)
        assert image.info["icc_profile"] == PROFILE
        assert image.size == ((6, 8) if suffix == ".tiff" else (8, 6))  # Pillow turns TIFF itself


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("target", SUFFIXES)
def test_a_rewritten_picture_stands_upright_and_keeps_the_rest(tmp_path, suffix, target):
    source = written(tmp_path / f"a{suffix}")
    found = metadata_of(rewrite(source, tmp_path / f"b{target}"))
    assert (found.orientation, found.icc, found.xmp) == (1, PROFILE, XMP)
    assert read_tiff(found.exif)[1][MAKE].data == b"Paillard Bolex\0"
    before, after = read_image(source)[0], read_image(tmp_path / f"b{target}")[0]
    assert after.shape == before.shape == (3, 8, 6)  # turned by a quarter
    if target != ".jpg" and suffix != ".jpg":
        np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_sixteen_bit_and_opacity_stay_exact_beside_them(tmp_path, suffix):
    codes = np.random.default_rng(1).integers(0, 65536, (6, 8, 4), np.uint16)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(encode_with(suffix, codes, StillMetadata(exif_block(1), PROFILE, XMP), []))
    copy = rewrite(path, tmp_path / f"b{suffix}")
    # the copy was written without the source's samples: opacity is full there, colours are exact
    np.testing.assert_array_equal(cv2.imread(str(copy), cv2.IMREAD_UNCHANGED)[..., :3], codes[..., :3])
    assert metadata_of(copy).icc == PROFILE


@pytest.mark.parametrize("turn", range(1, 9))
def test_every_orientation_is_honoured_like_another_program_does(tmp_path, turn):
    path = written(tmp_path / "a.png", turn=turn)
    expected = cv2.imread(str(path), cv2.IMREAD_COLOR)  # OpenCV turns, too
    pixels, _ = read_image(path)
    np.testing.assert_array_equal(np.rint(pixels * 255), expected[..., ::-1].transpose(2, 0, 1))


@pytest.mark.parametrize("order", ["<", ">"])
def test_setting_a_picture_upright_changes_one_entry(order):
    block = exif_block(8, order)
    done = upright(block)
    assert (orientation(block), orientation(done), len(done)) == (8, 1, len(block))
    assert sum(one != other for one, other in zip(block, done, strict=True)) == 1


def test_numbers_change_their_byte_order_and_keep_their_values():
    order, directory = read_tiff(exif_block(3, ">"))
    swapped = with_header(reordered(directory, order, "<"), "<")
    assert swapped == exif_block(3, "<")


def test_a_profile_of_another_kind_of_colour_is_left_out():
    cmyk = bytes(16) + b"CMYK" + bytes(108)
    assert StillMetadata(icc=cmyk).for_output(is_grey=False).icc == b""
    assert StillMetadata(icc=PROFILE).for_output(is_grey=True).icc == b""
    assert StillMetadata(icc=PROFILE).for_output(is_grey=False).icc == PROFILE


@pytest.mark.parametrize("cut", [3, 9, 20, 60, 100])
def test_damaged_blocks_count_as_absent(tmp_path, cut):
    for suffix in SUFFIXES:
        path = written(tmp_path / f"a{suffix}")
        path.write_bytes(path.read_bytes()[:cut])
        assert metadata_of(path).orientation in (1, 6)
    read_tiff(exif_block()[:cut])


def test_what_a_kind_of_file_cannot_hold_is_refused_unless_it_may_be_dropped(tmp_path):
    source = written(tmp_path / "a.png")
    with pytest.raises(
        Exception, match=r"\.bmp cannot hold EXIF and ICC and XMP: use \.png or \.tiff, or --drop"
    ):
        rewrite(source, tmp_path / "b.bmp")
    rewrite(source, tmp_path / "b.bmp", coding=Coding(drop_incompatible=True))
    assert (tmp_path / "b.bmp").exists()
