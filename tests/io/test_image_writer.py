"""Pictures as output: depth, names, and folders that are whole or absent."""

from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from media import make_video
from rewriting import leftovers, rewrite

from reelprior.io.coding import Coding
from reelprior.io.errors import OutputError
from reelprior.io.frame import Frame
from reelprior.io.image_writer import ImageWriter
from reelprior.io.images import read_image
from reelprior.io.reader import open_reader


def frame_of(pixels, index=0):
    return Frame(pixels, index, index, 1, Fraction(1, 25))


def names_in(folder):
    return sorted(entry.name for entry in folder.iterdir())


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff"])
@settings(max_examples=10, deadline=None)
@given(levels=npst.arrays(np.uint16, (3, 5, 7)))
def test_16_bit_pictures_are_exact(tmp_path_factory, suffix, levels):
    path = tmp_path_factory.mktemp("deep") / f"a{suffix}"
    pixels = (levels / np.float32(65535)).astype(np.float32)
    with ImageWriter(path, coding=Coding(), source_pix_fmt="yuv422p10le", frames=range(1)) as writer:
        writer.write(frame_of(pixels))
    back, pix_fmt = read_image(path)
    assert pix_fmt == "rgb48le"
    np.testing.assert_array_equal(np.rint(back * 65535), levels)


@pytest.mark.parametrize(
    ("pix_fmt", "suffix", "stored"),
    [
        ("yuv420p", ".png", "rgb24"),
        ("rgb48le", ".png", "rgb48le"),
        ("gray", ".png", "gray"),
        ("gray10le", ".tif", "gray16le"),
        ("yuv420p", ".bmp", "rgb24"),
        ("yuv420p", ".webp", "rgb24"),
    ],
)
def test_pictures_are_as_deep_as_the_source_and_grey_stays_grey(tmp_path, pix_fmt, suffix, stored):
    path = tmp_path / f"a{suffix}"
    grey = np.random.default_rng(0).integers(0, 256, (8, 9)).astype(np.float32) / 255
    pixels = np.stack([grey, grey, grey])
    with ImageWriter(path, coding=Coding(), source_pix_fmt=pix_fmt, frames=range(1)) as writer:
        writer.write(frame_of(pixels))
    back, pix_fmt_of_file = read_image(path)
    assert pix_fmt_of_file == stored
    np.testing.assert_allclose(back, pixels, atol=0.5 / 65535 + 1e-6)


def test_jpeg_is_close(tmp_path):
    y, x = np.mgrid[:32, :48] / 48
    pixels = np.stack([x, y, 1 - x]).astype(np.float32)
    with ImageWriter(tmp_path / "a.jpg", coding=Coding(), source_pix_fmt="rgb24", frames=range(1)) as writer:
        writer.write(frame_of(pixels))
    back, _ = read_image(tmp_path / "a.jpg")
    np.testing.assert_allclose(back, pixels, atol=6 / 255)


def test_red_is_red(tmp_path):
    red = np.zeros((3, 4, 4), np.float32)
    red[0] = 1
    with ImageWriter(tmp_path / "a.png", coding=Coding(), source_pix_fmt="rgb24", frames=range(1)) as writer:
        writer.write(frame_of(red))
    blue, green, red_channel = cv2.imread(str(tmp_path / "a.png")).transpose(2, 0, 1)
    assert (red_channel.min(), green.max(), blue.max()) == (255, 0, 0)


@given(turns=st.integers(-4, 4))
def test_pictures_are_turned_as_players_turn_the_film(tmp_path_factory, turns):
    path = tmp_path_factory.mktemp("turned") / "a.png"
    pixels = np.random.default_rng(0).integers(0, 2, (3, 4, 6)).astype(np.float32)
    with ImageWriter(
        path, coding=Coding(), source_pix_fmt="rgb24", frames=range(1), rotation=90 * turns
    ) as writer:
        writer.write(frame_of(pixels))
    back, _ = read_image(path)
    np.testing.assert_array_equal(back, np.rot90(pixels, turns, axes=(1, 2)))


def test_a_film_becomes_a_folder_of_numbered_pictures(tmp_path):
    source = make_video(tmp_path / "a.mkv", frames=3)
    rewrite(source, tmp_path / "stills")
    assert names_in(tmp_path / "stills") == ["0000.png", "0001.png", "0002.png"]
    assert leftovers(tmp_path) == []


def test_a_part_of_a_film_is_numbered_like_the_film(tmp_path):
    source = make_video(tmp_path / "a.mkv", frames=5)
    rewrite(source, tmp_path / "stills", frames=range(2, 4))
    assert names_in(tmp_path / "stills") == ["0002.png", "0003.png"]


def test_a_folder_of_tiff_keeps_the_names_of_a_sequence(tmp_path):
    (tmp_path / "scan").mkdir()
    for name in ("shot_07.png", "shot_08.png"):
        cv2.imwrite(str(tmp_path / "scan" / name), np.full((6, 8, 3), 9000, np.uint16))
    rewrite(tmp_path / "scan", tmp_path / "out", coding=Coding(codec="tiff"))
    assert names_in(tmp_path / "out") == ["shot_07.tiff", "shot_08.tiff"]
    with open_reader(tmp_path / "out") as reader:
        for frame in reader.read(0, 2):
            np.testing.assert_array_equal(np.rint(frame.pixels * 65535), 9000)


def test_a_pattern_counts_the_frames(tmp_path):
    source = make_video(tmp_path / "a.mkv", frames=2)
    (tmp_path / "out").mkdir()
    rewrite(source, tmp_path / "out" / "50%_%03d.png")
    assert names_in(tmp_path / "out") == ["50%_000.png", "50%_001.png"]


def test_one_frame_becomes_one_picture(tmp_path):
    source = make_video(tmp_path / "a.mkv", frames=4)
    rewrite(source, tmp_path / "still.png", frames=range(2, 3))
    assert names_in(tmp_path) == ["a.mkv", "still.png"]


def test_a_picture_becomes_a_picture_of_the_same_depth(tmp_path):
    levels = np.random.default_rng(0).integers(0, 65536, (6, 8, 3)).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), levels)
    rewrite(tmp_path / "a.png", tmp_path / "b.tif")
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "b.tif"), cv2.IMREAD_UNCHANGED), levels)


def test_a_replaced_folder_holds_the_new_pictures_only(tmp_path):
    source = make_video(tmp_path / "a.mkv", frames=4)
    rewrite(source, tmp_path / "stills")
    rewrite(source, tmp_path / "stills", frames=range(2), overwrite=True)
    assert names_in(tmp_path / "stills") == ["0000.png", "0001.png"]
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("name", ["stills", "still_%02d.png"])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_leaves_neither_pictures_nor_folders(tmp_path, name, error):
    with (
        pytest.raises(error),
        ImageWriter(tmp_path / name, coding=Coding(), source_pix_fmt="rgb24", frames=range(3)) as writer,
    ):
        writer.write(frame_of(np.zeros((3, 4, 4), np.float32)))
        raise error
    assert list(tmp_path.iterdir()) == []


def test_missing_pictures_are_an_error_that_keeps_the_old_folder(tmp_path):
    source = make_video(tmp_path / "a.mkv", frames=2)
    rewrite(source, tmp_path / "stills")
    with (
        pytest.raises(OutputError, match="only 1 of 5"),
        ImageWriter(tmp_path / "stills", coding=Coding(), source_pix_fmt="rgb24", frames=range(5)) as writer,
    ):
        writer.write(frame_of(np.zeros((3, 4, 4), np.float32)))
    assert names_in(tmp_path / "stills") == ["0000.png", "0001.png"]
    assert leftovers(tmp_path) == []


def test_pictures_out_of_order_are_refused(tmp_path):
    with (
        pytest.raises(ValueError, match="is not frame number 0"),
        ImageWriter(tmp_path / "stills", coding=Coding(), source_pix_fmt="rgb24", frames=range(3)) as writer,
    ):
        writer.write(frame_of(np.zeros((3, 4, 4), np.float32), index=1))


def test_a_size_that_the_format_cannot_hold_is_one_clear_error(tmp_path):
    with (
        pytest.raises(OutputError, match=r"a\.webp.*use \.png"),
        ImageWriter(tmp_path / "a.webp", coding=Coding(), source_pix_fmt="rgb24", frames=range(1)) as writer,
    ):
        writer.write(frame_of(np.zeros((3, 1, 17000), np.float32)))
    assert list(tmp_path.iterdir()) == []
