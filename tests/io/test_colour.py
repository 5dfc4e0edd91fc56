"""Pixel formats to R'G'B' and back, colour tags, and the policy for untagged input."""

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_frames import MAX_CODE, PLANAR, frame_of, planes, random_frame

from reelprior.io.colour import STAND_IN, FromRgb, ToRgb, is_exact
from reelprior.io.errors import InputError
from reelprior.io.layout import bit_depth, layout_of
from reelprior.io.tags import ColourTags, colour_tags, set_colour_tags, tags_for

PACKED = [
    *("rgb24", "bgr24", "bgra", "rgb48le", "rgb48be", "rgba64le", "nv12", "yuyv422", "uyvy422", "p210le"),
    *("yuv420p10be", "gray16be", "gbrap10be", "yuva444p10le", "xv36le", "p010le", "p016le", "nv16", "ya8"),
    *("ya16be", "yuva420p", "ayuv64le"),
]
TAGS = st.builds(
    ColourTags,
    matrix=st.sampled_from(["bt709", "smpte170m", "bt470bg", "bt2020nc", "smpte240m", "fcc", "ycgco"]),
    range=st.sampled_from(["limited", "full"]),
)


@pytest.mark.parametrize("pix_fmt", PLANAR)
@settings(max_examples=8, deadline=None)
@given(size=st.tuples(st.integers(1, 40), st.integers(1, 40)), tags=TAGS, seed=st.integers(0, 1000))
def test_every_code_survives_the_way_to_rgb_and_back(pix_fmt, size, tags, seed):
    frame = random_frame(pix_fmt, size, seed)
    back = FromRgb(pix_fmt, tags)(ToRgb(tags_for(pix_fmt, tags, height=size[0]), clip=False)(frame))
    for before, after in zip(planes(frame), planes(back), strict=True):
        np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("pix_fmt", PACKED)
@pytest.mark.parametrize("size", [(32, 48), (31, 47)])
def test_packed_formats_survive_too(pix_fmt, size):
    planar = layout_of(pix_fmt).planar
    tags = ColourTags("bt709", "limited")
    pixels = ToRgb(tags_for(planar, tags, height=size[0]), clip=False)(random_frame(planar, size, seed=1))
    packed = FromRgb(pix_fmt, tags)(pixels)
    assert packed.format.name == pix_fmt
    again = ToRgb(clip=False)(packed)
    # half a code at most: what rounding to the format's own depth takes
    assert np.abs(again - pixels).max() < 1e-6 + 0.5 / MAX_CODE[bit_depth(pix_fmt)]


@settings(max_examples=20, deadline=None)
@given(pix_fmt=st.sampled_from(PLANAR), tags=TAGS, seed=st.integers(0, 1000))
def test_colours_within_the_cube_come_back_within_one_code_when_clipped(pix_fmt, tags, seed):
    # one colour per picture: subsampled chroma makes colours outside the cube of any other
    colour = np.random.default_rng(seed).random((3, 1, 1), np.float32)
    first = FromRgb(pix_fmt, tags)(np.tile(colour, (1, 24, 36)))
    second = FromRgb(pix_fmt, tags)(ToRgb()(first))
    for before, after in zip(planes(first), planes(second), strict=True):
        assert np.abs(after.astype(int) - before).max() <= 1


# Codes of saturated colours: ITU-R BT.709-6 and BT.601-7, quantised by their formulas.
@pytest.mark.parametrize(
    ("matrix", "value_range", "codes", "rgb"),
    [
        ("bt709", "limited", (235, 128, 128), (1, 1, 1)),
        ("bt709", "limited", (16, 128, 128), (0, 0, 0)),
        ("bt709", "limited", (63, 102, 240), (1, 0, 0)),
        ("bt709", "limited", (173, 42, 26), (0, 1, 0)),
        ("smpte170m", "limited", (81, 90, 240), (1, 0, 0)),
        ("bt470bg", "limited", (145, 54, 34), (0, 1, 0)),
        ("smpte170m", "full", (76, 85, 255), (1, 0, 0)),
        ("smpte170m", "full", (255, 128, 128), (1, 1, 1)),
        ("bt2020nc", "limited", (74, 97, 240), (1, 0, 0)),
    ],
)
def test_known_colours_have_their_known_codes(matrix, value_range, codes, rgb):
    tags = ColourTags(matrix, value_range)
    frame = frame_of("yuv444p", (2, 2), lambda number, shape: np.full(shape, codes[number]))
    pixels = ToRgb(tags, clip=False)(frame)
    np.testing.assert_allclose(pixels[:, 0, 0], rgb, atol=0.008)  # two codes: the codes are rounded
    target = FromRgb("yuv444p", tags)(np.tile(np.float32(rgb)[:, None, None], (1, 2, 2)))
    assert tuple(int(p[0, 0]) for p in planes(target)) == codes


def test_white_is_exactly_one_at_every_depth():
    for pix_fmt, white in [("gray", 255), ("gray10le", 1023), ("gray16le", 65535)]:
        frame = frame_of(pix_fmt, (2, 2), lambda _, shape, code=white: np.full(shape, code))
        assert (ToRgb()(frame) == 1).all()


def test_grey_has_three_equal_channels():
    pixels = ToRgb()(random_frame("gray10le", (5, 7), seed=0))
    assert pixels.shape == (3, 5, 7) and pixels.dtype == np.float32
    assert (pixels[0] == pixels[1]).all() and (pixels[0] == pixels[2]).all()


def test_grey_in_limited_range_is_stretched():
    frame = frame_of("gray", (2, 2), lambda _, shape: np.full(shape, 235))
    frame.color_range = 1
    np.testing.assert_allclose(ToRgb()(frame), 1, atol=1e-6)


def test_clipping_is_the_default_and_can_be_left_out():
    frame = frame_of("yuv444p", (2, 2), lambda number, shape: np.full(shape, (255, 128, 128)[number]))
    assert ToRgb()(frame).max() == 1
    assert ToRgb(clip=False)(frame).max() > 1.05


def test_alpha_is_left_out_and_comes_back_opaque():
    frame = FromRgb("yuva420p", ColourTags("bt709", "limited"))(np.full((3, 4, 6), 0.5, np.float32))
    assert (planes(frame)[3] == 255).all()
    assert ToRgb()(frame).shape == (3, 4, 6)


def test_semiplanar_ten_bit_of_odd_size_is_read_exactly():
    codes = random_frame("yuv420p10le", (9, 13), seed=0)
    luma, cb, cr = planes(codes)
    frame = av.VideoFrame(13, 9, "p010le")
    chroma = np.stack([cb, cr], axis=-1).reshape(len(cb), -1)
    for plane, values in zip(frame.planes, (luma, chroma), strict=True):
        target = np.frombuffer(memoryview(plane), np.uint16).reshape(plane.height, -1)
        target[:, : values.shape[1]] = values << 6  # the samples are in the high bits
    np.testing.assert_array_equal(ToRgb()(frame), ToRgb()(codes))


@pytest.mark.parametrize(
    ("pix_fmt", "height", "matrix", "value_range", "assumed"),
    [
        ("yuv420p", 576, "smpte170m", "limited", (True, True)),
        ("yuv420p", 719, "smpte170m", "limited", (True, True)),
        ("yuv420p", 720, "bt709", "limited", (True, True)),
        ("yuvj420p", 720, "bt709", "full", (True, False)),
        ("gray", 100, "smpte170m", "full", (True, True)),
        ("rgb24", 100, "gbr", "full", (False, False)),
        ("pal8", 100, "gbr", "full", (False, False)),
        ("gbrp16le", 2000, "gbr", "full", (False, False)),
    ],
)
def test_untagged_input_follows_the_policy(pix_fmt, height, matrix, value_range, assumed):
    tags = colour_tags(av.VideoFrame(64, height, pix_fmt))
    assert (tags.matrix, tags.range) == (matrix, value_range)
    assert (tags.matrix_is_assumed, tags.range_is_assumed) == assumed
    assert (tags.primaries, tags.transfer) == ("unknown", "unknown")


def test_tags_are_read_and_written():
    tags = ColourTags("bt2020nc", "full", "bt2020", "smpte2084")
    frame = av.VideoFrame(16, 16, "yuv420p10le")
    set_colour_tags(frame, tags)
    assert colour_tags(frame) == tags
    assert (frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc) == (9, 2, 9, 16)


def test_frames_carry_the_tags_they_were_made_with():
    tags = ColourTags("smpte170m", "limited", "smpte170m", "smpte170m")
    assert colour_tags(FromRgb("yuv422p", tags)(np.zeros((3, 4, 4), np.float32))) == tags


def test_rgb_is_full_range_whatever_its_tag_says():
    frame = random_frame("gbrp", (4, 4), seed=0)
    frame.color_range, frame.colorspace = 1, 1
    assert (colour_tags(frame).matrix, colour_tags(frame).range) == ("gbr", "full")


@pytest.mark.parametrize(
    ("source", "pix_fmt", "matrix", "value_range"),
    [
        (ColourTags("smpte170m", "limited"), "gbrp", "gbr", "full"),
        (ColourTags("gbr", "full"), "yuv420p", "smpte170m", "limited"),
        (ColourTags("bt2020nc", "limited"), "gray16le", "bt2020nc", "limited"),
        (ColourTags("bt709", "limited"), "yuvj420p", "bt709", "full"),
    ],
)
def test_tags_follow_the_storage(source, pix_fmt, matrix, value_range):
    tags = tags_for(pix_fmt, source, height=576)
    assert (tags.matrix, tags.range) == (matrix, value_range)
    assert not tags.matrix_is_assumed and not tags.range_is_assumed


def test_an_assumption_stays_one_when_the_storage_changes():
    tags = tags_for("yuv444p10le", ColourTags("bt709", "limited", matrix_is_assumed=True), height=1080)
    assert tags.matrix_is_assumed and not tags.range_is_assumed


@pytest.mark.parametrize("matrix", ["bt2020c", "ictcp", "smpte2085", "chroma-derived-nc", "ycgco-re"])
def test_codes_of_a_matrix_that_is_not_linear_survive_by_a_stand_in(matrix):
    tags = ColourTags(matrix, "limited")
    assert not is_exact(matrix) and is_exact(STAND_IN)
    frame = random_frame("yuv420p10le", (18, 22), seed=0)
    back = FromRgb("yuv420p10le", tags)(ToRgb(tags, clip=False)(frame))
    assert colour_tags(back).matrix == matrix
    for before, after in zip(planes(frame), planes(back), strict=True):
        np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("pix_fmt", ["vaapi", "no_such_format"])
def test_formats_without_samples_are_refused(pix_fmt):
    with pytest.raises(InputError, match=pix_fmt):
        FromRgb(pix_fmt, ColourTags("bt709", "limited"))
