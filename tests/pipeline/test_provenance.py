"""One restoration with all that can go with it: access copies, frame hashes, PREMIS events, records, report."""

import json
import xml.etree.ElementTree as ET

import av
import pytest
from jobs import TINY

from reelprior.io.files import sha256

P = "{http://www.loc.gov/premis/v3}"


@pytest.fixture(scope="module")
def restored(tmp_path_factory, clip):
    """A restored part of a clip with every companion; its folder and the result."""
    import contextlib
    import io

    from reelprior.pipeline.cli import run_command_line

    folder = tmp_path_factory.mktemp("restored")
    wishes = ["--frames", "4:10", "--access", folder / "a.mp4", "--access", folder / "a.webm"]
    wishes += ["--framemd5", "--premis", "--report", folder / "r.html", "--job-dir", folder / "job", "--json"]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        status = run_command_line([str(a) for a in ["restore", clip, folder / "out.mkv", *wishes, *TINY]])
    assert status == 0
    return folder, json.loads(printed.getvalue())


def frame_hashes(path):
    return [line.split(",")[-1].strip() for line in path.read_text().splitlines() if not line.startswith("#")]


def test_one_restoration_makes_master_and_access_copies(restored):
    folder, result = restored
    assert result["access"] == [str(folder / "a.mp4"), str(folder / "a.webm")]
    for name, codec in (("out.mkv", "ffv1"), ("a.mp4", "h264"), ("a.webm", "libdav1d")):
        with av.open(str(folder / name)) as container:
            assert container.streams.video[0].codec_context.name == codec
            assert sum(1 for _ in container.decode(video=0)) == 6
            assert container.streams.audio


def test_the_master_is_ffv1_as_archives_ask_for_it(restored):
    """Version 3, every frame a key frame, checksums: read from the stream's own header (RFC 9043, section 4.3)."""
    folder, _ = restored
    with av.open(str(folder / "out.mkv")) as container:
        stream = container.streams.video[0]
        assert all(packet.is_keyframe for packet in container.demux(stream) if packet.size)
        header = bytes(stream.codec_context.extradata)
    assert len(header) > 4  # only version 3 and later have a configuration record
    remainder = 0
    for byte in header:  # its last four bytes are a CRC that makes the remainder of the whole zero
        remainder ^= byte << 24
        for _ in range(8):
            remainder = (remainder << 1) ^ (0x04C11DB7 if remainder & 0x80000000 else 0)
        remainder &= 0xFFFFFFFF
    assert remainder == 0


def test_the_frames_of_source_and_output_are_hashed(restored):
    folder, _ = restored
    source, output = (frame_hashes(folder / f"out.mkv{end}") for end in (".source.framemd5", ".framemd5"))
    assert len(source) == len(output) == 6
    assert not set(source) & set(output)


def test_the_premis_events_tell_the_whole_story(restored, clip):
    folder, result = restored
    root = ET.parse(folder / "out.mkv.premis.xml").getroot()
    events = [event.find(f"{P}eventType").text for event in root.iter(f"{P}event")]
    digest = "message digest calculation"
    assert events == [digest, "modification", digest, digest, digest, "migration", "migration"]
    hashes = [element.text for element in root.iter(f"{P}messageDigest")]
    assert hashes == [sha256(path) for path in (clip, *(folder / n for n in ("out.mkv", "a.mp4", "a.webm")))]
    details = [element.text for element in root.iter(f"{P}eventDetail")]
    assert json.loads(details[1].partition("Settings: ")[2]) == result["settings"]


def test_every_frame_of_the_report_has_a_record(restored):
    folder, result = restored
    page = (folder / "r.html").read_text(encoding="utf-8")
    assert "Time for each frame" in page
    assert "nobody can tell which is nearer to the truth" in page
    assert result["worker_seconds"] > 0
    records = sorted(path.name for path in (folder / "job" / "records").iterdir())
    assert records == ["chunk-00000.json", "chunk-00001.json", "key-00000.json", "key-00001.json"]


def test_a_second_run_makes_other_companions_without_restoring_anything_again(run, restored, clip):
    folder, _ = restored
    wishes = ["--frames", "4:10", "--access", folder / "b.mp4", "--job-dir", folder / "job", "--json", "-y"]
    again = run("restore", clip, folder / "out.mkv", *wishes, *TINY)
    assert again.status == 0, again.stderr
    assert again.json["chunks_reused"] == again.json["chunks"]
    assert (folder / "b.mp4").exists()


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        (["--access", "copy.avi"], "an access copy is .mp4 or .webm"),
        (["--access", "out.mp4"], "is the source, the output or another copy"),
        (["--access", "a.mp4", "--access", "a.mp4"], "is the source, the output or another copy"),
    ],
)
def test_impossible_companions_are_refused_before_the_work(run, clip, tmp_path, monkeypatch, wishes, message):
    monkeypatch.chdir(tmp_path)
    done = run("restore", clip, "out.mp4", *wishes, *TINY)
    assert done.status in {2, 5}
    assert message in done.error
    assert not list(tmp_path.iterdir())
