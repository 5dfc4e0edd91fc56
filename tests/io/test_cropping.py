"""What only a container hides of a picture: found, kept by Matroska, and refused before the work elsewhere."""

from fractions import Fraction

import av
import pytest
from media import make_video

from reelprior.io.access_copy import write_access_copy
from reelprior.io.cropping import Crop
from reelprior.io.errors import OutputError
from reelprior.io.matroska import padded_name, set_crop
from reelprior.io.probe import probe
from reelprior.io.reader import open_reader
from reelprior.io.scan import scan
from reelprior.io.writer import Coding, check_output, open_writer

CROP = Crop(top=4, bottom=6, left=8, right=2)
DROPPING = Coding(drop_incompatible=True)


def remuxed(path, source, *, title=""):
    """A copy in another container, in whose header FFmpeg's muxer states the crop."""
    with av.open(str(source)) as original, av.open(str(path), "w") as output:
        copy = output.add_stream_from_template(original.streams.video[0], opaque=True)
        copy.metadata["title"] = title
        for packet in original.demux(original.streams.video[0]):
            if packet.size:
                packet.stream = copy
                output.mux(packet)
    return path


def restored(path, source):
    index = scan(source)
    frames = range(len(index))
    with (
        open_reader(source, index) as reader,
        open_writer(
            path, source=probe(source), coding=Coding(), overwrite=False, index=index, frames=frames
        ) as writer,
    ):
        for frame in reader.read(0):
            writer.write(frame)
    return path


def make_cropped(folder, *, codec, **more):
    plain = make_video(folder / "plain.mkv", frames=3, codec=codec, audio=False, **more)
    assert probe(plain).video.crop is None
    path = remuxed(folder / "source.mkv", plain, title=padded_name(""))
    assert set_crop(path, (4, 6, 8, 2), track=0)
    return path


@pytest.fixture(params=["libx264", "ffv1"])
def cropped(request, tmp_path):
    return make_cropped(tmp_path, codec=request.param)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov"])
def test_a_stated_crop_is_found_in_every_container_that_can_say_it(tmp_path, suffix):
    path = make_cropped(tmp_path, codec="libx264")
    assert probe(remuxed(tmp_path / f"copy{suffix}", path)).video.crop == CROP


def test_the_coded_picture_is_restored_and_the_crop_kept(tmp_path, cropped):
    output = probe(restored(tmp_path / "out.mkv", cropped)).video
    assert (output.width, output.height) == (64, 48)
    assert output.crop == CROP


def test_the_shape_of_pixels_is_kept_beside_a_crop(tmp_path):
    source = make_cropped(tmp_path, codec="libx264", sample_aspect_ratio=Fraction(16, 11))
    assert probe(source).video.sample_aspect_ratio == Fraction(16, 11)
    output = probe(restored(tmp_path / "out.mkv", source)).video
    assert (output.sample_aspect_ratio, output.crop) == (Fraction(16, 11), CROP)


@pytest.mark.parametrize("target", ["out.mp4", "out.mov", "stills"])
def test_a_crop_that_the_output_cannot_say_is_refused_before_the_work(tmp_path, cropped, target):
    with pytest.raises(OutputError, match=r"cannot hold the crop .*4 rows at the top.*--drop-incompatible"):
        check_output(tmp_path / target, source=probe(cropped), coding=Coding(), overwrite=False)
    (loss,) = check_output(tmp_path / target, source=probe(cropped), coding=DROPPING, overwrite=False)
    assert "the crop" in loss


def test_an_access_copy_shows_what_the_master_shows(tmp_path, cropped):
    write_access_copy(tmp_path / "access.mp4", cropped)
    video = probe(tmp_path / "access.mp4").video
    assert (video.width, video.height, video.crop) == (54, 38, None)
