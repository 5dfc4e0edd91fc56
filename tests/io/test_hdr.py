"""HDR mastering metadata: read from the stream, and there again after every codec that can hold it."""

from fractions import Fraction

import av
import pytest
from media import make_video
from rewriting import rewrite

from reelprior.io.coding import Coding
from reelprior.io.errors import OutputError
from reelprior.io.hdr import HdrMetadata, hdr_of
from reelprior.io.matroska import padded_name, set_hdr
from reelprior.io.probe import probe

DISPLAY = "G(8500,39850)B(6550,2300)R(35400,14600)WP(15635,16450)L(10000000,50)"
HDR10 = HdrMetadata(
    primaries=(
        (Fraction(708, 1000), Fraction(292, 1000)),
        (Fraction(170, 1000), Fraction(797, 1000)),
        (Fraction(131, 1000), Fraction(46, 1000)),
    ),
    white=(Fraction(3127, 10000), Fraction(329, 1000)),
    luminance=(Fraction(5, 1000), Fraction(1000)),
    content_light=(1000, 400),
)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return make_video(
        tmp_path_factory.mktemp("hdr") / "a.mkv",
        frames=3,
        codec="libx265",
        pix_fmt="yuv420p10le",
        matrix=9,
        color_range=1,
        primaries=9,
        transfer=16,
        audio=False,
        options={"x265-params": f"log-level=error:master-display={DISPLAY}:max-cll=1000,400"},
    )


def assert_same(found, expected):
    """Codecs keep fractions of their own: AV1 counts chromaticity in 1/65536."""
    assert found is not None and found.content_light == expected.content_light
    numbers = [value for place in (*found.primaries, found.white, found.luminance) for value in place]
    wanted = [value for place in (*expected.primaries, expected.white, expected.luminance) for value in place]
    assert [float(value) for value in numbers] == pytest.approx([float(value) for value in wanted], abs=1e-4)


def test_what_the_stream_says_is_read(film):
    assert_same(probe(film).video.hdr, HDR10)


def test_a_clip_without_it_has_none(tmp_path):
    assert probe(make_video(tmp_path / "a.mkv", frames=1)).video.hdr is None


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("b.mkv", None),
        ("b.mkv", "h265"),
        ("b.mp4", "h265"),
        ("b.mp4", "av1"),
        ("b.webm", "av1"),
        ("b.mp4", "h264"),
    ],
)
def test_it_is_there_again_after_every_codec_that_can_hold_it(tmp_path, film, name, codec):
    video = probe(rewrite(film, tmp_path / name, coding=Coding(codec=codec))).video
    assert_same(video.hdr, HDR10)
    assert (video.colour.matrix, video.colour.primaries, video.colour.transfer) == (
        "bt2020nc",
        "bt2020",
        "smpte2084",
    )


def test_the_name_of_the_track_is_what_it_was(tmp_path, film):
    with av.open(str(rewrite(film, tmp_path / "b.mkv"))) as container:
        assert container.streams.video[0].metadata.get("title", "") == ""


def test_a_container_that_cannot_hold_it_is_refused_or_goes_on_without(tmp_path, film):
    with pytest.raises(OutputError, match=r"\.mov with prores cannot hold mastering metadata: use \.mkv"):
        rewrite(film, tmp_path / "b.mov")
    rewrite(film, tmp_path / "b.mov", coding=Coding(drop_incompatible=True))


def test_parameters_of_the_user_stand_beside_it(tmp_path, film):
    wish = Coding(codec="h265", options={"x265-params": "keyint=1"})
    assert_same(probe(rewrite(film, tmp_path / "b.mkv", coding=wish)).video.hdr, HDR10)


def test_both_headers_find_room_in_a_named_track(tmp_path, film):
    path = tmp_path / "a.mkv"
    with av.open(str(film)) as source, av.open(str(path), "w") as output:
        stream = output.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.metadata["title"] = padded_name("Reel 3")
        for frame in source.decode(video=0):
            output.mux(stream.encode(frame.reformat(format="yuv420p")))
        output.mux(stream.encode())
    size = path.stat().st_size
    assert set_hdr(path, HDR10, track=0)
    assert path.stat().st_size == size
    with av.open(str(path)) as container:
        assert container.streams.video[0].metadata["title"] == "Reel 3"
    assert_same(probe(path).video.hdr, HDR10)


def test_frames_with_side_data_that_nobody_knows_have_none():
    class Unknown:
        @property
        def side_data(self):
            raise ValueError("29 is not a valid Type")

    assert hdr_of(Unknown()) is None
