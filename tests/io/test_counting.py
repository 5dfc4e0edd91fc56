"""AVI, MXF and transport streams: written where they hold a film, refused before the work where they do not."""

from fractions import Fraction

import av
import numpy as np
import pytest
from media import make_video

from reelprior.io.coding import Coding
from reelprior.io.counting import counted
from reelprior.io.errors import OutputError
from reelprior.io.fixity import copied
from reelprior.io.probe import probe
from reelprior.io.reader import open_reader
from reelprior.io.scan import FrameIndex, scan
from reelprior.io.writer import check_output, open_writer

DROPPING = Coding(drop_incompatible=True)
NTSC = Fraction(30000, 1001)


def film(path, *, sound="pcm_s16le", seconds=Fraction(8, 25), late=Fraction(0), tags=(), rate=25):
    """A film of 8 frames with 48 kHz sound of a given length."""
    with av.open(str(path), "w") as output:
        output.metadata.update(dict(tags))
        video = output.add_stream("ffv1", rate=rate)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv422p"
        video.codec_context.time_base = video.time_base = 1 / Fraction(rate)
        track = output.add_stream(sound, rate=48000, layout="stereo") if sound else None
        random = np.random.default_rng(1)
        for number in range(8):
            frame = av.VideoFrame.from_ndarray(random.integers(0, 256, (48, 64, 3), np.uint8))
            frame = frame.reformat(format="yuv422p")
            frame.pts, frame.time_base = number, 1 / Fraction(rate)
            output.mux(video.encode(frame))
        output.mux(video.encode())
        if track is not None:
            samples = random.integers(-9999, 9999, (1, 2 * round(seconds * 48000))).astype(np.int16)
            step = 2 * (track.codec_context.frame_size or 480)
            for start in range(0, samples.shape[1], step):
                part = av.AudioFrame.from_ndarray(samples[:, start : start + step], "s16", "stereo")
                part.sample_rate, part.time_base = 48000, Fraction(1, 48000)
                part.pts = start // 2 + round(late * 48000)
                output.mux(track.encode(part))
            output.mux(track.encode())
    return path


def check(path, source, coding=None):
    index = scan(source)
    return check_output(
        path,
        source=probe(source),
        coding=coding or Coding(),
        overwrite=False,
        frames=range(len(index)),
        index=index,
    )


def restored(path, source, coding=None):
    index = scan(source)
    with (
        open_reader(source, index, clip=False) as reader,
        open_writer(
            path,
            source=probe(source),
            coding=coding or Coding(),
            overwrite=False,
            index=index,
            frames=range(len(index)),
        ) as writer,
    ):
        for frame in reader.read(0):
            writer.write(frame)
    return path


def pictures(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="yuv422p") for frame in container.decode(video=0)]


def seconds(path):
    index = scan(path)
    return [pts * index.time_base for pts in index.pts]


@pytest.mark.parametrize("rate", [25, NTSC])
@pytest.mark.parametrize("suffix", [".avi", ".mxf"])
def test_even_frames_and_their_sound_come_back_bit_by_bit(tmp_path, suffix, rate):
    """Sources of Matroska tell times in milliseconds; the outputs count exactly."""
    source = film(tmp_path / "a.mkv", seconds=Fraction(round(8 / Fraction(rate) * 48000), 48000), rate=rate)
    output = restored(tmp_path / f"b{suffix}", source)
    assert seconds(output) == [number / Fraction(rate) for number in range(8)]
    for before, after in zip(pictures(source), pictures(output), strict=True):
        np.testing.assert_array_equal(after, before)
    (before,), (after,) = copied(source, restored=0), copied(output, restored=0)
    assert before.whole == after.whole


def test_a_transport_stream_keeps_packets_and_moves_everything_alike(tmp_path):
    source = film(tmp_path / "a.mkv", sound="mp2")
    output = restored(tmp_path / "b.ts", source)
    moved = {time - number / Fraction(25) for number, time in enumerate(seconds(output))}
    assert len(moved) == 1
    (before,), (after,) = copied(source, restored=0), copied(output, restored=0)
    assert before.digests == after.digests
    for number in range(len(after.digests)):
        off = after.seconds(number) - before.seconds(number) - moved.copy().pop()
        assert abs(off) <= Fraction(1, 1000)  # the clock of the source


@pytest.mark.parametrize(
    ("suffix", "how", "reason"),
    [
        (".avi", {"late": Fraction(1, 10)}, "begins 0.100 s after the picture"),
        (".mxf", {"seconds": Fraction(1, 2)}, "is 0.1800 s longer than the picture"),
        (".mxf", {"sound": "ac3"}, r"cannot hold audio stream 1 \(ac3\)"),
        (".ts", {}, r"cannot hold audio stream 1 \(pcm_s16le\)"),
    ],
)
def test_sound_that_would_be_lost_or_out_of_sync_is_refused(tmp_path, suffix, how, reason):
    source = film(tmp_path / "a.mkv", **how)
    with pytest.raises(OutputError, match=rf"{reason}.*use .mkv.*--drop-incompatible"):
        check(tmp_path / f"b{suffix}", source)
    (loss,) = check(tmp_path / f"b{suffix}", source, DROPPING)
    assert "audio stream 1" in loss
    assert probe(restored(tmp_path / f"c{suffix}", source, DROPPING)).streams == ()


@pytest.mark.parametrize("suffix", [".avi", ".mxf"])
def test_frames_that_are_not_evenly_spaced_are_refused(tmp_path, suffix):
    source = make_video(
        tmp_path / "a.mkv", frames=4, pts=[0, 40, 120, 160], time_base=Fraction(1, 1000), audio=False
    )
    with pytest.raises(OutputError, match=r"not evenly spaced: use .mkv"):
        check(tmp_path / f"b{suffix}", source)


def test_a_rate_that_mxf_does_not_know_is_refused(tmp_path):
    source = make_video(tmp_path / "a.mkv", frames=4, rate=12, audio=False)
    with pytest.raises(OutputError, match=r"23.976, 24, 25.* frames a second, not 12"):
        check(tmp_path / "b.mxf", source)


@pytest.mark.parametrize("suffix", [".avi", ".mxf", ".ts"])
def test_what_a_muxer_drops_in_silence_is_named_before_the_work(tmp_path, suffix):
    source = make_video(
        tmp_path / "a.mkv",
        audio=False,
        chapters=True,
        metadata={"reel": "7"},
        matrix=1,
        color_range=2,
        rotation=90,
    )
    with pytest.raises(OutputError, match=r"the tag REEL.*the 2 chapters.*--drop-incompatible"):
        check(tmp_path / f"b{suffix}", source)
    dropped = check(tmp_path / f"b{suffix}", source, DROPPING)
    assert any("the 2 chapters" in loss for loss in dropped)
    if suffix == ".avi":
        assert any("the colour matrix bt709" in loss for loss in dropped)


@pytest.mark.parametrize(("name", "codec"), [("b.avi", "h264"), ("b.mxf", "av1"), ("b.ts", "ffv1")])
def test_a_codec_that_a_container_does_not_really_hold_is_refused(tmp_path, name, codec):
    source = make_video(tmp_path / "a.mkv", frames=3, audio=False)
    with pytest.raises(OutputError, match=rf"cannot hold {codec}: use .* or write .mkv"):
        check(tmp_path / name, source, Coding(codec=codec))


def test_a_rounded_rate_is_recognised(tmp_path):
    pts = tuple(round(number * 1000 / NTSC) for number in range(100))
    index = FrameIndex(pts=pts, durations=(33,) * 100, time_base=Fraction(1, 1000), scene_scores=(0.0,) * 100)
    info = probe(make_video(tmp_path / "a.mkv", frames=2, audio=False))
    even = counted(tmp_path / "b.avi", "avi", source=info, index=index, frames=range(10, 90))
    assert even.time_base == 1 / NTSC
    assert even.pts[10:13] == (0, 1, 2)
