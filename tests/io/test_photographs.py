import sys
from datetime import datetime

import cv2
import numpy as np
import pytest
from photographs import photograph
from PIL import Image
from shots import XMP, exif_block, icc_profile, write_dng, write_shot

from reelprior.io.errors import InputError, OutputError
from reelprior.io.photographs import (
    check_photograph_output,
    display_curve,
    read_photograph,
    read_shot,
    write_photograph,
)

TAKEN = datetime(2024, 5, 6, 7, 8, 9)
EXIF = exif_block(flash=False, taken=TAKEN, orientation=6, iso=1600)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
def test_metadata_blocks_come_out_byte_for_byte(tmp_path, suffix):
    source = read_photograph(write_shot(tmp_path / "in.jpg", photograph(40, 56), exif=EXIF))
    write_photograph(tmp_path / f"out{suffix}", source.pixels, like=source)
    again = read_photograph(tmp_path / f"out{suffix}")
    assert (again.metadata.icc, again.metadata.xmp) == (icc_profile(), XMP)
    if suffix != ".tif":  # a TIFF file keeps the entries of EXIF in its own directory
        assert again.metadata.exif == EXIF
    assert again.shot == source.shot
    assert again.shot.orientation == 6


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_stay_exact(tmp_path, suffix):
    samples = np.random.default_rng(0).integers(0, 65536, (20, 30, 3), dtype=np.uint16)
    cv2.imwrite(str(tmp_path / f"in{suffix}"), samples)
    source = read_photograph(tmp_path / f"in{suffix}")
    assert source.bits == 16
    write_photograph(tmp_path / f"out{suffix}", source.pixels, like=source)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / f"out{suffix}"), cv2.IMREAD_UNCHANGED), samples)


def test_pixels_are_not_turned_so_that_the_orientation_still_holds(tmp_path):
    source = read_photograph(write_shot(tmp_path / "in.jpg", photograph(40, 56), exif=EXIF))
    assert source.size == (40, 56)


def test_depth_and_grey_follow_the_source_unless_asked(tmp_path):
    cv2.imwrite(str(tmp_path / "in.png"), np.full((20, 30), 77, np.uint8))
    source = read_photograph(tmp_path / "in.png")
    assert (source.bits, source.is_grey) == (8, True)
    write_photograph(tmp_path / "out.tif", source.pixels, like=source, bits=16)
    written = cv2.imread(str(tmp_path / "out.tif"), cv2.IMREAD_UNCHANGED)
    assert written.dtype == np.uint16
    assert written.shape == (20, 30)


def test_how_it_was_taken_is_read_without_decoding(tmp_path):
    shot = read_shot(write_shot(tmp_path / "in.jpg", photograph(40, 56), exif=EXIF))
    assert (shot.flash_fired, shot.taken, shot.iso) == (False, TAKEN, 1600)


@pytest.mark.parametrize("exif", [b"II*\0\xff\xff\xff\xff", b"MM\0*" + bytes(40), b"rubbish" * 9, EXIF[:60]])
def test_absurd_exif_is_no_reason_to_stop(tmp_path, exif):
    path = tmp_path / "in.png"
    samples = np.zeros((8, 8, 3), np.uint8)
    done, data = cv2.imencodeWithMetadata(
        ".png", samples, [cv2.IMAGE_METADATA_EXIF], [np.frombuffer(exif, np.uint8)]
    )
    assert done
    path.write_bytes(bytes(data))
    source = read_photograph(path)
    assert source.shot.orientation in range(1, 9)


def test_what_cannot_be_used_is_one_line_that_names_it(tmp_path):
    picture = Image.fromarray((photograph(40, 56).transpose(1, 2, 0) * 255).astype(np.uint8))
    picture.convert("CMYK").save(tmp_path / "cmyk.jpg")
    picture.convert("CMYK").save(tmp_path / "cmyk.tif")
    picture.save(tmp_path / "pages.tif", save_all=True, append_images=[picture])
    picture.save(tmp_path / "moving.png", save_all=True, append_images=[picture.rotate(9)])
    whole = write_shot(tmp_path / "whole.jpg", photograph(40, 56), exif=EXIF).read_bytes()
    (tmp_path / "half.jpg").write_bytes(whole[: len(whole) - 700])
    png = write_shot(tmp_path / "whole.png", photograph(40, 56)).read_bytes()
    (tmp_path / "half.png").write_bytes(png[: len(png) // 2])
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("hello")
    for name, said in {
        "cmyk.jpg": "CMYK",
        "cmyk.tif": "CMYK",
        "pages.tif": "several pictures",
        "moving.png": "animated|several",
        "half.jpg": "too early",
        "half.png": "too early",
        "empty.jpg": "empty|readable",
        "text.jpg": "readable",
        "none.jpg": "none.jpg",
    }.items():
        with pytest.raises(InputError, match=said) as caught:
            read_photograph(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


def test_an_output_that_cannot_be_is_refused_before_the_work(tmp_path):
    (tmp_path / "there.png").touch()
    for name, bits, said in [
        ("out.webp", None, "written as"),
        ("out.jpg", 16, "8 bits"),
        ("there.png", None, "exists"),
        ("no/out.png", None, "folder"),
    ]:
        with pytest.raises(OutputError, match=said):
            check_photograph_output(tmp_path / name, overwrite=False, bits=bits)
    check_photograph_output(tmp_path / "there.png", overwrite=True)


def test_raw_is_linear_light_between_the_black_and_the_white_level(tmp_path):
    pytest.importorskip("rawpy")
    # Half-way between the levels everywhere: grey, at half of full scale in linear light.
    mosaic = np.full((64, 64), 512 + (15872 - 512) // 2, np.uint16)
    source = read_photograph(write_dng(tmp_path / "in.dng", mosaic, black=512, white=15872))
    assert source.is_linear
    assert source.bits == 16
    assert source.size == (64, 64)
    # LibRaw's integer colour matrix.
    np.testing.assert_allclose(source.pixels[:, 8:-8, 8:-8], 0.5, atol=0.02)
    assert source.metadata.exif


def test_linear_light_gets_a_display_curve_in_eight_bits_only(tmp_path):
    pytest.importorskip("rawpy")
    mosaic = np.full((64, 64), 512 + (15872 - 512) // 2, np.uint16)
    source = read_photograph(write_dng(tmp_path / "in.dng", mosaic, black=512, white=15872))
    write_photograph(tmp_path / "out.jpg", source.pixels, like=source)
    write_photograph(tmp_path / "out.tif", source.pixels, like=source)
    assert read_photograph(tmp_path / "out.jpg").pixels.mean() == pytest.approx(
        float(display_curve(np.float32([0.5]))[0]), abs=0.02
    )
    assert read_photograph(tmp_path / "out.tif").pixels.mean() == pytest.approx(0.5, abs=0.02)


def test_a_damaged_raw_is_one_line(tmp_path):
    pytest.importorskip("rawpy")
    path = write_dng(tmp_path / "in.dng", np.zeros((64, 64), np.uint16), black=0, white=1000)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match=r"in\.dng"):
        read_photograph(path)


def test_heic_is_read_with_its_metadata(tmp_path):
    heif = pytest.importorskip("pillow_heif")
    picture = Image.fromarray((photograph(64, 64).transpose(1, 2, 0) * 255).astype(np.uint8))
    file = heif.from_pillow(picture)
    file.save(tmp_path / "in.heic", quality=95, exif=exif_block(flash=True, iso=200))
    source = read_photograph(tmp_path / "in.heic")
    assert source.size == (64, 64)
    assert source.shot.flash_fired is True
    # x265 at quality 95 with subsampled chroma.
    assert np.abs(source.pixels - photograph(64, 64)).mean() < 0.03


def test_a_missing_extra_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rawpy", None)
    path = write_dng(tmp_path / "in.dng", np.zeros((64, 64), np.uint16), black=0, white=1000)
    with pytest.raises(InputError, match=r"pip install 'reelprior\[raw\]'"):
        read_photograph(path)
