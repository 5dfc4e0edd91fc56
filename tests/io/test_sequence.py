"""Image files as a source: order, gaps, bit depths, orientation."""

import cv2
import numpy as np
import pytest

from reelprior.io.errors import InputError
from reelprior.io.images import list_images
from reelprior.io.probe import probe
from reelprior.io.reader import open_reader
from reelprior.io.sequence import SequenceReader


def write(path, samples, *options):
    """Write RGB or grey samples, (H, W, 3) or (H, W)."""
    path.parent.mkdir(exist_ok=True)
    assert cv2.imwrite(str(path), samples[..., ::-1] if samples.ndim == 3 else samples, list(options))
    return path


def flat(level, size=(4, 6), kind=np.uint8):
    return np.full((*size, 3), level, kind)


def random_samples(kind, shape=(9, 13, 3)):
    top = np.iinfo(kind).max
    return np.random.default_rng(0).integers(0, top, shape, endpoint=True).astype(kind)


def test_numbers_in_names_count_as_numbers(tmp_path):
    for number in (10, 8, 9, 11):
        write(tmp_path / f"shot{number}.png", flat(number))
    reader = SequenceReader(tmp_path)
    assert reader.names == ("shot8.png", "shot9.png", "shot10.png", "shot11.png")
    assert [round(float(frame.pixels[0, 0, 0] * 255)) for frame in reader.read(0)] == [8, 9, 10, 11]


def test_other_names_are_in_natural_order_and_other_files_left_out(tmp_path):
    for name in ("b.png", "a 2.jpg", "a 10.jpg", ".hidden.png"):
        write(tmp_path / name, flat(1))
    (tmp_path / "notes.txt").write_text("x")
    assert [p.name for p in list_images(tmp_path)] == ["a 2.jpg", "a 10.jpg", "b.png"]


def test_a_pattern_takes_what_fits_and_nothing_else(tmp_path):
    for name in ("f_0001.png", "f_0002.png", "f_3.png", "g_0003.png", "f_0003.jpg"):
        write(tmp_path / name, flat(1))
    assert [p.name for p in list_images(tmp_path / "f_%04d.png")] == ["f_0001.png", "f_0002.png"]


def test_a_pattern_goes_on_beyond_its_digits(tmp_path):
    for number in (98, 99, 100):
        write(tmp_path / f"f{number:02d}.png", flat(1))
    assert [p.name for p in list_images(tmp_path / "f%02d.png")] == ["f98.png", "f99.png", "f100.png"]


@pytest.mark.parametrize("pattern", ["", "f%d.png"])
@pytest.mark.parametrize(
    ("numbers", "missing"), [((1, 2, 4), "number 3 is missing"), ((1, 5), "number 2 to 4 is missing")]
)
def test_a_gap_names_the_missing_number(tmp_path, pattern, numbers, missing):
    for number in numbers:
        write(tmp_path / f"f{number}.png", flat(1))
    with pytest.raises(InputError, match=missing):
        list_images(tmp_path / pattern)


def test_a_number_that_is_there_twice_is_refused(tmp_path):
    for name in ("f1.png", "f2.png", "f02.png"):
        write(tmp_path / name, flat(1))
    with pytest.raises(InputError, match="number 2 is there twice"):
        list_images(tmp_path)


@pytest.mark.parametrize("suffix", ["png", "tiff", "bmp", "webp"])
def test_lossless_colour_is_exact(tmp_path, suffix):
    samples = random_samples(np.uint8)
    options = (cv2.IMWRITE_WEBP_QUALITY, 101) if suffix == "webp" else ()
    path = write(tmp_path / f"a.{suffix}", samples, *options)
    frame = next(open_reader(path).read(0))
    np.testing.assert_array_equal(np.rint(frame.pixels * 255), samples.transpose(2, 0, 1))
    assert probe(path).video.pix_fmt == "rgb24"


@pytest.mark.parametrize("suffix", ["png", "tiff"])
@pytest.mark.parametrize(("shape", "pix_fmt"), [((9, 13, 3), "rgb48le"), ((9, 13), "gray16le")])
def test_sixteen_bit_is_exact(tmp_path, suffix, shape, pix_fmt):
    samples = random_samples(np.uint16, shape)
    path = write(tmp_path / f"a.{suffix}", samples)
    info = probe(path)
    assert (info.kind, info.video.pix_fmt, info.video.bit_depth) == ("image", pix_fmt, 16)
    (frame,) = open_reader(path).read(0)
    expected = samples.transpose(2, 0, 1) if samples.ndim == 3 else np.broadcast_to(samples, (3, 9, 13))
    np.testing.assert_array_equal(np.rint(frame.pixels.astype(float) * 65535), expected)


def test_jpeg_is_read_in_colour_and_in_grey(tmp_path):
    colour = write(tmp_path / "colour.JPG", flat((200, 100, 50), (16, 16)), cv2.IMWRITE_JPEG_QUALITY, 95)
    grey = write(tmp_path / "grey.jpg", np.full((16, 16), 77, np.uint8))
    pixels = next(open_reader(colour).read(0)).pixels * 255
    np.testing.assert_allclose(pixels[:, 8, 8], (200, 100, 50), atol=3)
    assert probe(grey).video.pix_fmt == "gray"


def test_exif_orientation_is_honoured(tmp_path):
    samples = random_samples(np.uint8, (4, 6, 3))
    turn_right = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"  # orientation 6
    path = tmp_path / "a.png"
    exif = np.frombuffer(turn_right, np.uint8)[None]
    assert cv2.imwriteWithMetadata(str(path), samples[..., ::-1], [cv2.IMAGE_METADATA_EXIF], [exif])
    (frame,) = open_reader(path).read(0)
    expected = np.rot90(samples, k=-1)
    np.testing.assert_array_equal(np.rint(frame.pixels * 255), expected.transpose(2, 0, 1))
    assert (probe(path).video.width, probe(path).video.height) == (4, 6)


def test_alpha_is_left_out(tmp_path):
    samples = random_samples(np.uint8, (5, 7, 4))
    assert cv2.imwrite(str(tmp_path / "a.png"), samples)
    (frame,) = open_reader(tmp_path / "a.png").read(0)
    np.testing.assert_array_equal(np.rint(frame.pixels * 255), samples[..., 2::-1].transpose(2, 0, 1))


def test_a_sequence_is_described(tmp_path):
    for number in range(3):
        write(tmp_path / f"{number}.png", flat(number))
    info = probe(tmp_path)
    assert (info.kind, info.container, info.streams) == ("sequence", "png", ())
    assert (info.video.frames_from_header, info.video.average_rate) == (3, 25)
    assert info.video.colour.matrix == "gbr"


def test_a_black_first_picture_does_not_make_the_series_grey(tmp_path):
    write(tmp_path / "0.png", np.zeros((4, 6), np.uint8))
    write(tmp_path / "1.png", flat((10, 20, 30)))
    assert probe(tmp_path).video.pix_fmt == "rgb24"
    assert len(list(SequenceReader(tmp_path).read(0))) == 2


def test_ranges_are_exact(tmp_path):
    for number in range(6):
        write(tmp_path / f"{number}.png", flat(number))
    frames = list(open_reader(tmp_path).read(2, 5))
    assert [(frame.index, frame.pts, frame.duration) for frame in frames] == [(2, 2, 1), (3, 3, 1), (4, 4, 1)]
    with pytest.raises(InputError, match="frames 2:7 asked for, but there are 6"):
        list(open_reader(tmp_path).read(2, 7))


def test_another_size_names_frame_and_sizes(tmp_path):
    write(tmp_path / "0.png", flat(0, (4, 6)))
    write(tmp_path / "1.png", flat(0, (8, 6)))
    with pytest.raises(InputError, match=r"1\.png: frame 1 is 6x8, the first is 6x4"):
        list(open_reader(tmp_path).read(0))


def test_samples_of_another_kind_are_refused(tmp_path):
    path = tmp_path / "a.tiff"
    cv2.imwrite(str(path), np.zeros((4, 4), np.int32))
    with pytest.raises(InputError, match=r"samples of type int32: convert"):
        probe(path)
