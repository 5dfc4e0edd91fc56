"""Frame hashes in FFmpeg's framemd5 format: the lines, what is hashed, and what is refused."""

import hashlib
import re
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from media import make_video

from reelprior.io.errors import InputError, OutputError
from reelprior.io.framemd5 import write_framemd5


def entries(path):
    """The lines of the frames, as lists of fields."""
    lines = path.read_text().splitlines()
    return [[field.strip() for field in line.split(",")] for line in lines if not line.startswith("#")]


def test_the_file_is_what_ffmpegs_own_command_writes(tmp_path):
    """Golden lines, made with FFmpeg 9.0; FFV1 decodes to the same bits everywhere.

    `ffmpeg -noautorotate -i a.mkv -map 0:v:0 -copyts -enc_time_base demux -fflags +bitexact -f framemd5 -`
    """
    clip = make_video(tmp_path / "a.mkv", frames=3, pix_fmt="yuv422p10le", audio=False)
    assert write_framemd5(tmp_path / "a.framemd5", clip) == 3
    text = (tmp_path / "a.framemd5").read_text()
    assert text.splitlines()[:9] == [
        "#format: frame checksums",
        "#version: 2",
        "#hash: MD5",
        "#tb 0: 1/1000",
        "#media_type 0: video",
        "#codec_id 0: rawvideo",
        "#dimensions 0: 64x48",
        "#sar 0: 0/1",
        "#stream#, dts,        pts, duration,     size, hash",
    ]
    assert [line[:5] for line in entries(tmp_path / "a.framemd5")] == [
        ["0", str(pts), str(pts), "40", str(64 * 48 * 2 * 2)] for pts in (0, 40, 80)
    ]


def test_the_planes_are_hashed_as_they_are_decoded(tmp_path):
    clip = make_video(tmp_path / "a.mkv", frames=2, pix_fmt="yuv420p")
    write_framemd5(tmp_path / "a.framemd5", clip)
    with av.open(str(clip)) as container:
        planes = [frame.to_ndarray().tobytes() for frame in container.decode(video=0)]
    assert [line[-1] for line in entries(tmp_path / "a.framemd5")] == [
        hashlib.md5(plane, usedforsecurity=False).hexdigest() for plane in planes
    ]


def test_another_container_gives_the_same_hashes(tmp_path):
    matroska = make_video(tmp_path / "a.mkv", frames=3)
    with av.open(str(matroska)) as source, av.open(str(tmp_path / "a.avi"), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    hashes = []
    for name in ("a.mkv", "a.avi"):
        write_framemd5(tmp_path / f"{name}.framemd5", tmp_path / name)
        hashes.append([line[-1] for line in entries(tmp_path / f"{name}.framemd5")])
    assert hashes[0] == hashes[1]


def test_a_part_is_hashed_with_the_times_of_the_whole(tmp_path):
    clip = make_video(
        tmp_path / "a.mkv", frames=4, pts=[0, 30, 95, 120], time_base=Fraction(1, 1000), audio=False
    )
    assert write_framemd5(tmp_path / "part", clip, frames=range(1, 3)) == 2
    assert [line[2] for line in entries(tmp_path / "part")] == ["30", "95"]


def test_pictures_are_hashed_one_by_one_whatever_their_formats(tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    cv2.imwrite(str(folder / "0.png"), np.full((6, 8, 3), 100, np.uint8))
    cv2.imwrite(str(folder / "1.png"), np.full((6, 8), 40000, np.uint16))
    assert write_framemd5(tmp_path / "scans.framemd5", folder) == 2
    lines = entries(tmp_path / "scans.framemd5")
    assert [(line[2], line[4]) for line in lines] == [("0", str(6 * 8 * 3)), ("1", str(6 * 8 * 2))]
    assert lines[0][-1] == hashlib.md5(bytes([100]) * 144, usedforsecurity=False).hexdigest()


def test_nothing_volatile_is_in_the_file(tmp_path):
    clip = make_video(tmp_path / "a.mkv", frames=2)
    for name in ("one", "two"):
        write_framemd5(tmp_path / name, clip)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert not re.search("software|Lavf", (tmp_path / "one").read_text())


def test_frames_beyond_the_end_and_missing_folders_are_refused(tmp_path):
    clip = make_video(tmp_path / "a.mkv", frames=2)
    with pytest.raises(InputError, match=r"a\.mkv: has no frames to hash in 5:9"):
        write_framemd5(tmp_path / "a.framemd5", clip, frames=range(5, 9))
    with pytest.raises(OutputError, match="create its folder"):
        write_framemd5(tmp_path / "missing" / "a.framemd5", clip)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.mkv"]
