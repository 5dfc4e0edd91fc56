"""Chunk files: exact at 16 bits, reproducible, streamed."""

import itertools
import tracemalloc

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from raw_frames import planes, random_frame

from reelprior.io.chunks import ffv1_options, read_frames, write_frames
from reelprior.io.errors import InputError, OutputError
from reelprior.io.files import sha256


def levels_to_frame(levels):
    return (levels / np.float32(65535)).astype(np.float32)


def test_every_level_of_16_bits_comes_back_exactly(tmp_path):
    levels = np.arange(65536).reshape(256, 256)
    frame = levels_to_frame(np.stack([levels, levels[::-1], levels.T]))
    write_frames(tmp_path / "a.mkv", [frame])
    (back,) = read_frames(tmp_path / "a.mkv")
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, frame)


@settings(max_examples=25, deadline=None)
@given(
    levels=npst.arrays(
        np.uint16, st.tuples(st.integers(1, 3), st.just(3), st.integers(1, 20), st.integers(1, 20))
    )
)
def test_clips_of_any_size_come_back_exactly(tmp_path_factory, levels):
    path = tmp_path_factory.mktemp("chunk") / "a.mkv"
    write_frames(path, levels_to_frame(levels))
    np.testing.assert_array_equal(np.stack(list(read_frames(path))), levels_to_frame(levels))


@settings(max_examples=15, deadline=None)
@given(
    frame=npst.arrays(np.float32, (3, 4, 5), elements=st.floats(-4, 4, width=32)),
)
def test_values_on_both_sides_of_the_range_are_rounded_to_the_nearest_step(tmp_path_factory, frame):
    path = tmp_path_factory.mktemp("chunk") / "a.mkv"
    write_frames(path, [frame], clip=False)
    (back,) = read_frames(path)
    half_a_step = 0.5 / 65535 + 5e-7  # the second term: rounding of float32 near 4
    np.testing.assert_allclose(back, frame, atol=half_a_step, rtol=0)


def test_equal_frames_give_byte_identical_files(tmp_path):
    frames = np.random.default_rng(0).random((4, 3, 48, 64), dtype=np.float32)
    write_frames(tmp_path / "a.mkv", frames)
    write_frames(tmp_path / "b.mkv", iter(frames))
    assert sha256(tmp_path / "a.mkv") == sha256(tmp_path / "b.mkv")


def test_memory_does_not_grow_with_the_number_of_frames(tmp_path):
    frame = np.random.default_rng(0).random((3, 96, 128), dtype=np.float32)

    def peak(count):
        tracemalloc.start()
        write_frames(tmp_path / "a.mkv", itertools.repeat(frame, count))
        for _ in read_frames(tmp_path / "a.mkv"):
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak(2)  # what is loaded on the first use
    assert peak(30) < 1.1 * peak(3)


def test_reading_may_stop_in_the_middle(tmp_path):
    write_frames(tmp_path / "a.mkv", np.zeros((5, 3, 8, 8), np.float32))
    frames = read_frames(tmp_path / "a.mkv")
    next(frames)
    frames.close()
    (tmp_path / "a.mkv").unlink()


def test_an_error_among_the_frames_leaves_no_file(tmp_path):
    def frames():
        yield np.zeros((3, 8, 8), np.float32)
        raise RuntimeError("the fit failed")

    with pytest.raises(RuntimeError, match="the fit failed"):
        write_frames(tmp_path / "a.mkv", frames())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([], "no frames"),
        ([np.zeros((3, 8, 8), np.float32), np.zeros((3, 8, 9), np.float32)], "frame 1 has shape"),
        ([np.full((3, 8, 8), np.nan, np.float32)], "not numbers"),
    ],
)
def test_frames_that_make_no_clip_are_refused(tmp_path, frames, message):
    with pytest.raises(ValueError, match=message):
        write_frames(tmp_path / "a.mkv", frames)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="create its folder"):
        write_frames(tmp_path / "nowhere" / "a.mkv", [np.zeros((3, 8, 8), np.float32)])


@pytest.mark.parametrize("content", [None, b"", b"not a video" * 100])
def test_what_is_no_chunk_is_an_input_error(tmp_path, content):
    if content is not None:
        (tmp_path / "a.mkv").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.mkv"):
        list(read_frames(tmp_path / "a.mkv"))


@pytest.mark.parametrize(("size", "slices"), [((1920, 1080), 16), ((16, 16), 16), ((3, 2), 6), ((1, 1), 1)])
def test_ffv1_gets_as_many_slices_as_the_frame_has_room_for(size, slices):
    width, height = size
    assert ffv1_options(width, height, "gbrp16le")["slices"] == str(slices)


def test_frames_are_clipped_unless_told_otherwise(tmp_path):
    frame = np.linspace(-1, 2, 3 * 4 * 5, dtype=np.float32).reshape(3, 4, 5)
    write_frames(tmp_path / "a.mkv", [frame])
    (back,) = read_frames(tmp_path / "a.mkv")
    np.testing.assert_allclose(back, frame.clip(0, 1), atol=0.5 / 65535 + 1e-7, rtol=0)  # half a step


@pytest.mark.parametrize(("pix_fmt", "size"), [("yuv410p", (178, 293)), ("yuv411p", (48, 61))])
def test_slices_are_chosen_so_that_no_chroma_is_missed(tmp_path, pix_fmt, size):
    height, width = size
    frame = random_frame(pix_fmt, size, seed=0)
    frame.pts = 0
    with av.open(str(tmp_path / "a.mkv"), "w") as output:
        stream = output.add_stream("ffv1", rate=25, options=dict(ffv1_options(width, height, pix_fmt)))
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        output.mux(stream.encode(frame))
        output.mux(stream.encode())
    with av.open(str(tmp_path / "a.mkv")) as container:
        (back,) = container.decode(video=0)
        for one, other in zip(planes(frame), planes(back), strict=True):
            np.testing.assert_array_equal(other, one)
