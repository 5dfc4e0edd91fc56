"""Video files as output: pictures, times, tags, and nothing left behind by an error."""

import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from media import make_video
from rewriting import leftovers, rewrite, small_disk, video_times

from reelprior.io.coding import Coding
from reelprior.io.errors import OutputError
from reelprior.io.files import sha256
from reelprior.io.frame import Frame
from reelprior.io.probe import probe
from reelprior.io.reader import open_reader
from reelprior.io.scan import FrameIndex, scan
from reelprior.io.writer import open_writer

MILLISECOND = Fraction(1, 1000)
# Variable frame rate: a pause, two frames in quick succession, a long last one.
IRREGULAR = [0, 1001, 2002, 4004, 5005, 5105, 8008, 9009]


def pictures_of(path):
    with open_reader(path) as reader:
        return np.stack([frame.pixels for frame in reader.read(0, None)])


def psnr(one, other):
    return -10 * np.log10(np.mean((one - other) ** 2) + 1e-12)


@pytest.mark.parametrize(
    "pix_fmt",
    [
        "yuv420p",
        "yuv411p",
        "yuv422p10le",
        "yuv444p12le",
        "yuv420p16le",
        "gray",
        "gray16le",
        "bgr0",
        "gbrp10le",
    ],
)
def test_ffv1_by_default_is_exact_in_the_format_of_the_source(tmp_path, pix_fmt):
    source = make_video(tmp_path / "a.mkv", frames=3, pix_fmt=pix_fmt, audio=False, matrix=1, color_range=1)
    target = rewrite(source, tmp_path / "b.mkv")
    with av.open(str(source)) as one, av.open(str(target)) as other:
        assert other.streams.video[0].codec_context.name == "ffv1"
        for before, after in zip(one.decode(video=0), other.decode(video=0), strict=True):
            assert after.format.name == pix_fmt
            for plane_before, plane_after in zip(before.planes, after.planes, strict=True):
                assert bytes(plane_after) == bytes(plane_before)


@pytest.mark.parametrize(
    ("name", "codec", "expected"),
    [
        ("b.mp4", None, "h264"),
        ("b.mov", None, "prores"),
        ("b.webm", None, "av1"),
        ("b.mkv", "h264", "h264"),
        ("b.mkv", "hevc", "hevc"),
        ("b.mp4", "h265", "hevc"),
        ("b.mp4", "av1", "av1"),
        ("b.mkv", "prores", "prores"),
        ("b.mp4", "ffv1", "ffv1"),
    ],
)
def test_lossy_codecs_lose_nothing_that_can_be_seen(tmp_path, name, codec, expected):
    source = make_video(tmp_path / "a.mkv", frames=4, audio=False)
    target = rewrite(source, tmp_path / name, coding=Coding(codec=codec))
    assert probe(target).video.codec in (expected, "libdav1d")
    # Far above what is seen; AV1 and H.265 smooth the smooth pattern most.
    assert psnr(pictures_of(source), pictures_of(target)) > 40


@pytest.mark.parametrize("size", [(31, 33), (1, 1), (17, 64), (64, 17)])
def test_any_size_fits_into_the_default_codec(tmp_path, size):
    source = make_video(tmp_path / "a.mkv", frames=2, size=size, audio=False)
    target = rewrite(source, tmp_path / "b.mkv")
    np.testing.assert_array_equal(pictures_of(target), pictures_of(source))


def test_odd_sizes_fit_into_h264(tmp_path):
    source = make_video(tmp_path / "a.mkv", frames=2, size=(31, 33), audio=False)
    assert pictures_of(rewrite(source, tmp_path / "b.mp4")).shape == (2, 3, 31, 33)


@pytest.mark.parametrize("codec", ["h264", "h265", "av1"])
def test_mp4_keeps_irregular_times_exactly(tmp_path, codec):
    source = make_video(
        tmp_path / "a.mp4", frames=8, codec="libx264", pts=IRREGULAR, time_base=Fraction(1, 30000)
    )
    target = rewrite(source, tmp_path / "b.mp4", coding=Coding(codec=codec))
    assert video_times(target) == video_times(source)


def test_matroska_keeps_irregular_times_to_a_millisecond(tmp_path):
    source = make_video(
        tmp_path / "a.mp4", frames=8, codec="libx264", pts=IRREGULAR, time_base=Fraction(1, 30000)
    )
    target = rewrite(source, tmp_path / "b.mkv")
    for before, after in zip(video_times(source), video_times(target), strict=True):
        assert abs(after - before) <= MILLISECOND / 2


def test_durations_and_rate_are_those_of_the_source(tmp_path):
    source = make_video(tmp_path / "a.mp4", frames=6, codec="libx264", rate=Fraction(30000, 1001))
    target = rewrite(source, tmp_path / "b.mp4")
    assert scan(target).durations == scan(source).durations
    assert probe(target).video.average_rate == Fraction(30000, 1001)
    assert probe(rewrite(source, tmp_path / "b.mkv")).video.average_rate == Fraction(30000, 1001)


def test_the_index_is_the_truth_about_times_not_the_frames(tmp_path):
    source = make_video(tmp_path / "a.mkv", frames=3, audio=False)
    info, index = probe(source), scan(source)
    moved = replace(index, pts=(100, 170, 210))
    with (
        open_reader(source, index) as reader,
        open_writer(
            tmp_path / "b.mkv", source=info, coding=Coding(), overwrite=False, index=moved, frames=range(3)
        ) as writer,
    ):
        for frame in reader.read(0, 3):
            writer.write(replace(frame, pts=0))
    assert video_times(tmp_path / "b.mkv") == [MILLISECOND * time for time in (100, 170, 210)]


@pytest.mark.parametrize(("name", "first"), [("b.mkv", -80), ("b.mp4", 0)])
def test_times_before_zero_are_kept_or_the_whole_film_moves(tmp_path, name, first):
    source = make_video(tmp_path / "a.mkv", frames=4, audio=False)
    info, index = probe(source), scan(source)
    early = replace(index, pts=tuple(time - 80 for time in index.pts))
    with (
        open_reader(source, index) as reader,
        open_writer(
            tmp_path / name, source=info, coding=Coding(), overwrite=False, index=early, frames=range(4)
        ) as writer,
    ):
        for frame in reader.read(0, 4):
            writer.write(frame)
    assert video_times(tmp_path / name) == [MILLISECOND * (first + 40 * number) for number in range(4)]


def test_colour_tags_are_written(tmp_path):
    hdr = {"matrix": 9, "color_range": 1, "primaries": 9, "transfer": 16}
    source = make_video(tmp_path / "a.mkv", frames=2, pix_fmt="yuv420p10le", audio=False, **hdr)
    for name, codec in [
        ("b.mkv", "ffv1"),
        ("c.mkv", "h264"),
        ("d.mp4", "h265"),
        ("e.mp4", "av1"),
        ("f.mov", "prores"),
    ]:
        target = rewrite(source, tmp_path / name, coding=Coding(codec=codec))
        assert probe(target).video.colour == probe(source).video.colour, name


SHORT_FILMS = """
import sys
from pathlib import Path
from media import make_video
from rewriting import packets_of, rewrite
from reelprior.io.coding import Coding

folder = Path(sys.argv[1])
for frames in (1, 2, 3):
    source = make_video(folder / f"{frames}.mkv", frames=frames, audio=False)
    for options in ({}, {"x265-params": "bframes=8"}):
        target = rewrite(source, folder / "a.mp4", coding=Coding(codec="h265", options=options), overwrite=True)
        assert all(abs(packet.dts) < 1 for packet in packets_of(target, 0))
"""


def test_h265_of_a_film_of_a_frame_or_two_does_not_depend_on_what_memory_holds(tmp_path):
    # Memory that nobody has written is zero by chance, mostly; with this variable the C library fills it.
    dirty = {**os.environ, "MALLOC_PERTURB_": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    if paths := os.environ.get("PYTHONPATH"):
        dirty["PYTHONPATH"] += os.pathsep + paths
    subprocess.run([sys.executable, "-c", SHORT_FILMS, tmp_path], env=dirty, check=True)


def test_full_range_stays_full_or_becomes_limited_where_the_codec_cannot_say(tmp_path):
    source = make_video(tmp_path / "a.mkv", frames=2, audio=False, matrix=1, color_range=2)
    for name, value_range in [("b.mkv", "full"), ("b.mp4", "full"), ("b.mov", "limited")]:
        target = rewrite(source, tmp_path / name)
        assert probe(target).video.colour.range == value_range
        assert psnr(pictures_of(source), pictures_of(target)) > 40


@pytest.mark.parametrize(
    ("name", "codec"), [("b.mkv", "ffv1"), ("b.mkv", "av1"), ("b.mp4", "h264"), ("b.mov", None)]
)
def test_the_shape_of_pixels_and_the_rotation_are_kept(tmp_path, name, codec):
    source = make_video(
        tmp_path / "a.mp4", frames=2, codec="libx264", sample_aspect_ratio=Fraction(16, 15), rotation=90
    )
    target = rewrite(source, tmp_path / name, coding=Coding(codec=codec))
    assert probe(source).video.sample_aspect_ratio == Fraction(16, 15)
    assert probe(target).video.sample_aspect_ratio == Fraction(16, 15)
    assert probe(target).video.rotation == probe(source).video.rotation != 0


@pytest.mark.parametrize(("name", "codec"), [("b.mkv", "ffv1"), ("b.mp4", "av1"), ("b.mov", None)])
def test_two_runs_give_byte_identical_files(tmp_path, name, codec):
    # Without h264: x264 with its lookahead now and then codes equal small frames differently, on one thread too.
    size = (144, 176)
    source = make_video(
        tmp_path / "a.mp4", frames=4, size=size, codec="libx264", chapters=True, metadata={"title": "T"}
    )
    first = sha256(rewrite(source, tmp_path / name, coding=Coding(codec=codec)))
    assert sha256(rewrite(source, tmp_path / name, coding=Coding(codec=codec), overwrite=True)) == first


def test_larger_frames_than_the_source_make_a_larger_film(tmp_path):
    source = make_video(tmp_path / "a.mkv", frames=2)
    info, index = probe(source), scan(source)
    with open_writer(
        tmp_path / "b.mkv", source=info, coding=Coding(), overwrite=False, index=index, frames=range(2)
    ) as writer:
        for number in range(2):
            pixels = np.full((3, 96, 128), 0.5, np.float32)
            writer.write(Frame(pixels, number, index.pts[number], 40, index.time_base))
    assert (probe(tmp_path / "b.mkv").video.width, probe(tmp_path / "b.mkv").video.height) == (128, 96)


def test_a_sequence_of_pictures_becomes_a_film_of_25_frames_a_second(tmp_path):
    video = make_video(tmp_path / "a.mkv", frames=3, audio=False)
    rewrite(video, tmp_path / "stills")
    target = rewrite(tmp_path / "stills", tmp_path / "b.mkv")
    assert video_times(target) == [Fraction(number, 25) for number in range(3)]
    assert probe(target).video.average_rate == 25
    np.testing.assert_array_equal(pictures_of(target), pictures_of(tmp_path / "stills"))


# --- nothing is left behind ------------------------------------------------------------------------------


@pytest.fixture
def clip(tmp_path):
    (tmp_path / "in").mkdir()
    return make_video(tmp_path / "in" / "a.mkv", frames=5)


def open_for(clip, target, **changes):
    index = scan(clip)
    settings = {
        "source": probe(clip),
        "coding": Coding(),
        "overwrite": True,
        "index": index,
        "frames": range(5),
    }
    return open_writer(target, **{**settings, **changes})


@pytest.mark.parametrize("codec", ["ffv1", "h264", "h265", "av1", "prores"])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_keeps_the_old_file_and_leaves_no_other(tmp_path, clip, codec, error):
    target = tmp_path / "b.mkv"
    target.write_bytes(b"old")
    with (
        open_reader(clip) as reader,
        pytest.raises(error),
        open_for(clip, target, coding=Coding(codec=codec)) as writer,
    ):
        for frame in reader.read(0, 2):
            writer.write(frame)
        raise error
    assert target.read_bytes() == b"old"
    assert leftovers(tmp_path) == []


def test_a_film_with_frames_missing_is_not_finished(tmp_path, clip):
    with (
        open_reader(clip) as reader,
        pytest.raises(OutputError, match="only 2 of 5 frames"),
        open_for(clip, tmp_path / "b.mkv") as writer,
    ):
        for frame in reader.read(0, 2):
            writer.write(frame)
    assert not (tmp_path / "b.mkv").exists()
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("positions", [[1], [0, 0], [0, 2]])
def test_frames_out_of_order_are_refused(tmp_path, clip, positions):
    with open_reader(clip) as reader:
        frames = list(reader.read(0, 5))
    with pytest.raises(ValueError, match="is not frame number"), open_for(clip, tmp_path / "b.mkv") as writer:
        for position in positions:
            writer.write(frames[position])
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("frames", [range(0), range(2, 9), range(-1, 3), range(0, 4, 2)])
def test_ranges_that_are_no_part_of_the_clip_are_refused(tmp_path, clip, frames):
    with pytest.raises(ValueError, match="is not a part of the 5 frames"):
        open_for(clip, tmp_path / "b.mkv", frames=frames)


def test_times_that_do_not_increase_are_refused(tmp_path, clip):
    index = FrameIndex((0, 40, 40, 80, 120), (40,) * 5, MILLISECOND, (0.0,) * 5)
    with pytest.raises(ValueError, match="do not increase"):
        open_for(clip, tmp_path / "b.mkv", index=index)


@pytest.mark.parametrize("name", ["b.mkv", "b.mp4", "stills"])
def test_a_full_disk_is_one_clear_error_and_leaves_nothing(tmp_path, name):
    source = make_video(tmp_path / "a.mp4", frames=6, size=(128, 160), codec="libx264", noise_8bit=40)
    with small_disk(30_000), pytest.raises(OutputError, match=rf"{name}.*free some space"):
        rewrite(source, tmp_path / name)
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("name", ["take: 2.mkv", "100% Größe.mp4", "file:b.mkv", "-b.mkv", "a b'c\".mov"])
def test_any_name_of_a_file_will_do(tmp_path, clip, name):
    assert scan(rewrite(clip, tmp_path / name)).pts


def test_a_relative_path_will_do(tmp_path, clip, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rewrite(clip, "b:c.mkv")
    assert (tmp_path / "b:c.mkv").is_file()


def test_what_a_killed_run_left_is_replaced(tmp_path, clip):
    (tmp_path / ".b.part.mkv").write_bytes(b"half")
    rewrite(clip, tmp_path / "b.mkv")
    assert leftovers(tmp_path) == []
