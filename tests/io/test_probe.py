"""What probe tells about good files, and how bad ones are refused: file, reason and remedy in one line."""

import struct
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from media import make_video

from reelprior.io.errors import InputError
from reelprior.io.probe import probe
from reelprior.io.reader import open_reader
from reelprior.io.scan import scan


def test_everything_around_the_video_is_listed(tmp_path):
    clip = make_video(
        tmp_path / "a.mkv", subtitles=True, chapters=True, attachment=True, metadata={"title": "Der Film"}
    )
    info = probe(clip)
    assert (info.path, info.kind, info.container) == (str(clip), "video", "matroska,webm")
    assert [(s.kind, s.codec) for s in info.streams[:2]] == [("audio", "pcm_s16le"), ("subtitle", "subrip")]
    assert info.streams[1].language == "ger"
    assert (info.streams[2].kind, info.streams[2].title) == ("attachment", "notes.txt")
    assert info.chapters == 2
    assert info.metadata["title"] == "Der Film"


def test_the_video_is_described(tmp_path):
    clip = make_video(
        tmp_path / "a.mov",
        codec="prores_ks",
        frames=5,
        size=(48, 64),
        rate=Fraction(24000, 1001),
        sample_aspect_ratio=Fraction(4, 3),
        matrix=1,
        color_range=1,
        primaries=1,
        transfer=1,
    )
    video = probe(clip).video
    assert (video.codec, video.width, video.height) == ("prores", 64, 48)
    assert (video.pix_fmt, video.bit_depth) == ("yuv422p10le", 10)
    assert video.average_rate == Fraction(24000, 1001)
    assert video.sample_aspect_ratio == Fraction(4, 3)
    assert video.rotation == 0
    assert video.frames_from_header == 5
    assert video.duration_seconds_from_header == pytest.approx(5 * 1001 / 24000, abs=1e-3)
    assert (video.colour.matrix, video.colour.range) == ("bt709", "limited")
    assert (video.colour.primaries, video.colour.transfer) == ("bt709", "bt709")
    assert not video.colour.matrix_is_assumed and not video.colour.range_is_assumed


def test_untagged_colour_is_told_as_assumed(tmp_path):
    colour = probe(make_video(tmp_path / "a.mkv", frames=1)).video.colour
    assert (colour.matrix, colour.range) == ("smpte170m", "limited")
    assert colour.matrix_is_assumed and colour.range_is_assumed


def test_metadata_that_is_not_utf8_is_replaced(tmp_path):
    clip = make_video(tmp_path / "a.mkv", frames=1, metadata={"title": "GRUESSE"})
    clip.write_bytes(clip.read_bytes().replace(b"GRUESSE", b"GR\xfc\xdfe!!"))
    assert probe(clip).metadata["title"].startswith("GR")


def test_names_with_colons_dashes_and_percent_signs_are_only_names(tmp_path):
    for name in ("http:x.mkv", "-i.mkv", "100%05d.mkv"):
        assert probe(make_video(tmp_path / name, frames=1)).kind == "video"


def test_the_sizes_of_an_icon_are_one_picture(tmp_path):
    icon = tmp_path / "a.ico"
    pictures = [
        cv2.imencode(".png", np.full((side, side, 4), 200, np.uint8))[1].tobytes() for side in (32, 16)
    ]
    header = struct.pack("<HHH", 0, 1, len(pictures))
    begin = len(header) + 16 * len(pictures)
    for side, picture in zip((32, 16), pictures, strict=True):
        header += struct.pack("<BBBBHHII", side, side, 0, 0, 1, 32, len(picture), begin)
        begin += len(picture)
    icon.write_bytes(header + b"".join(pictures))
    assert probe(icon).video.width == 32
    assert probe(icon).streams == ()


def test_a_cover_picture_is_not_the_video(tmp_path):
    song, cover = tmp_path / "song.mp4", tmp_path / "cover.jpg"
    cv2.imwrite(str(cover), np.zeros((16, 16, 3), np.uint8))
    with av.open(str(cover)) as picture, av.open(str(song), "w") as output:
        source = picture.streams.video[0]
        stream = output.add_stream_from_template(source)
        stream.disposition = av.stream.Disposition.attached_pic
        for packet in picture.demux(source):
            if packet.size:
                packet.stream = stream
                output.mux(packet)
    with pytest.raises(InputError, match="no video stream"):
        probe(song)


def _missing(folder):
    return folder / "nothing.mkv", "no such file"


def _empty(folder):
    (folder / "empty.mp4").touch()
    return folder / "empty.mp4", "the file is empty"


def _text(folder):
    (folder / "text.mp4").write_text("once upon a time\n" * 50)
    return folder / "text.mp4", "Invalid data"


def _sound_only(folder):
    with av.open(str(folder / "sound.mkv"), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return folder / "sound.mkv", "no video stream, only audio"


def _no_frames(folder):
    clip = make_video(folder / "header.mkv", codec="libx264", audio=False)
    data = clip.read_bytes()
    clip.write_bytes(data[: data.index(b"\x1f\x43\xb6\x75") + 20])  # the first cluster of Matroska breaks off
    return clip, "not one frame can be decoded"


def _truncated_mp4(folder):
    clip = make_video(folder / "half.mp4", codec="libx264")
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    return clip, "Invalid data"


def _bad_image(folder):
    (folder / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    return folder / "bad.png", "image"


def _missing_image(folder):
    return folder / "nothing.png", "no such file"


def _folder_without_images(folder):
    (folder / "notes.txt").write_text("x")
    return folder, "no images in this folder"


def _pattern_without_images(folder):
    return folder / "frame%04d.png", "no image matches"


def _null_byte(folder):
    return f"{folder}/a\0b.mp4", ""


@pytest.mark.parametrize("look", [probe, scan, lambda path: list(open_reader(path).read(0))])
@pytest.mark.parametrize(
    "bad",
    [
        _missing,
        _empty,
        _text,
        _sound_only,
        _no_frames,
        _truncated_mp4,
        _bad_image,
        _missing_image,
        _folder_without_images,
        _pattern_without_images,
        _null_byte,
    ],
)
def test_bad_input_is_refused_in_one_line_that_names_file_reason_and_remedy(tmp_path, bad, look):
    path, reason = bad(tmp_path)
    with pytest.raises(InputError) as caught:
        look(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and reason in message
    assert "\n" not in message
    assert len(message.removeprefix(f"{path}: ").split(": ")) >= 2
