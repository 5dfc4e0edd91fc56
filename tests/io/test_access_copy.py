"""Access copies: what every player shows, with the master's pictures, times and sound."""

import av
import cv2
import numpy as np
import pytest
from media import make_video, pattern

from reelprior.io.access_copy import check_access_copy, write_access_copy
from reelprior.io.errors import OutputError
from reelprior.io.reader import open_reader

CODECS = {".mp4": ("h264", "aac"), ".webm": ("libdav1d", "opus")}


@pytest.mark.parametrize("suffix", CODECS)
def test_pictures_times_and_sound_are_those_of_the_master(tmp_path, suffix):
    """Lossy: 30 dB and more on a smooth pattern; the sound may be padded by a frame of its codec (1024 samples)."""
    master = make_video(tmp_path / "master.mkv", frames=12, pix_fmt="yuv422p10le")
    copy = tmp_path / f"access{suffix}"
    write_access_copy(copy, master)
    with av.open(str(copy)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, audio.codec_context.name) == CODECS[suffix]
        assert video.codec_context.pix_fmt == ("yuv420p" if suffix == ".mp4" else "yuv420p10le")
        times = [frame.time for frame in container.decode(video)]
    assert times == pytest.approx([i / 25 for i in range(12)], abs=1e-3)
    with av.open(str(copy)) as container:
        seconds = sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))
    assert seconds == pytest.approx(12 / 25, abs=0.1)
    with open_reader(copy) as reader:
        errors = [np.mean((frame.pixels - pattern(frame.index)) ** 2) for frame in reader.read(0)]
    assert -10 * np.log10(max(errors)) > 30


def test_a_master_without_sound_has_a_silent_copy(tmp_path):
    master = make_video(tmp_path / "master.mkv", frames=3, audio=False)
    write_access_copy(tmp_path / "a.mp4", master)
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert [stream.type for stream in container.streams] == ["video"]


def test_odd_sides_lose_their_last_row_and_column(tmp_path):
    master = make_video(tmp_path / "master.mkv", frames=2, size=(47, 63), pix_fmt="yuv444p", audio=False)
    write_access_copy(tmp_path / "a.mp4", master)
    with av.open(str(tmp_path / "a.mp4")) as container:
        video = container.streams.video[0]
        assert (video.width, video.height) == (62, 46)


def test_rotation_title_and_colour_are_kept(tmp_path):
    master = make_video(
        tmp_path / "m.mp4",
        frames=3,
        codec="libx264",
        rotation=90,
        metadata={"title": "Reel 7"},
        matrix=1,
        color_range=1,
        primaries=1,
        transfer=1,
    )
    write_access_copy(tmp_path / "a.mp4", master)
    with av.open(str(tmp_path / "a.mp4")) as container:
        frame = next(container.decode(video=0))
        assert frame.rotation % 360 == 90
        assert (frame.colorspace, frame.color_range, frame.color_primaries) == (1, 1, 1)
        assert container.metadata["title"] == "Reel 7"


def test_a_sequence_of_pictures_becomes_a_film(tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((16, 32, 3), 60 * number, np.uint8))
    write_access_copy(tmp_path / "a.mp4", folder)
    with open_reader(tmp_path / "a.mp4") as reader:
        assert [round(float(frame.pixels.mean()) * 255) for frame in reader.read(0)] == pytest.approx(
            [0, 60, 120], abs=3
        )


def test_an_mp4_begins_with_its_index(tmp_path):
    """A browser can begin to show it before it has all of it."""
    master = make_video(tmp_path / "master.mkv", frames=3)
    write_access_copy(tmp_path / "a.mp4", master)
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.mkv", r"a\.mkv: an access copy is \.mp4 or \.webm"),
        ("missing/a.mp4", "its folder does not exist"),
        ("there.mp4", "exists already: use --overwrite"),
    ],
)
def test_what_could_not_be_written_is_refused_before_the_work(tmp_path, name, message):
    (tmp_path / "there.mp4").touch()
    with pytest.raises(OutputError, match=message):
        check_access_copy(tmp_path / name, overwrite=False)
    check_access_copy(tmp_path / "there.mp4", overwrite=True)


def test_a_master_that_is_too_small_leaves_no_copy(tmp_path):
    cv2.imwrite(str(tmp_path / "thin.png"), np.zeros((48, 1, 3), np.uint8))
    with pytest.raises(
        OutputError, match=r"a\.mp4: this access copy cannot be made of .*1x48 pixels are too few"
    ):
        write_access_copy(tmp_path / "a.mp4", tmp_path / "thin.png")
    assert [entry.name for entry in tmp_path.iterdir()] == ["thin.png"]
