"""What an output cannot hold is found before the work, told with a way out, and left out on request."""

from fractions import Fraction

import av
import numpy as np
import pytest
from media import make_video
from rewriting import rewrite

from reelprior.io import muxing, rehearsal
from reelprior.io.coding import Coding
from reelprior.io.errors import InputError, OutputError
from reelprior.io.probe import probe
from reelprior.io.writer import check_output


def test_a_data_stream_without_a_place_is_refused_unless_it_may_be_dropped(tmp_path):
    source = tmp_path / "a.ts"
    with av.open(str(source), "w") as output:
        video = output.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        data = output.add_data_stream("klv")
        for number in range(4):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 99, np.uint8)).reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(video.encode(frame))
            packet = av.Packet(b"height 3000 m")
            packet.stream, packet.time_base, packet.pts, packet.dts = data, Fraction(1, 25), number, number
            output.mux(packet)
        output.mux(video.encode())
    info = probe(source)
    with pytest.raises(
        OutputError, match=r"\.mkv cannot hold data stream 1 .*use \.mov, or --drop-incompatible"
    ):
        check_output(tmp_path / "b.mkv", source=info, coding=Coding(), overwrite=False)
    drop = Coding(drop_incompatible=True)
    (loss,) = check_output(tmp_path / "b.mkv", source=info, coding=drop, overwrite=False)
    assert loss.startswith(".mkv cannot hold data stream 1")
    written = rewrite(source, tmp_path / "b.mkv", coding=drop)
    assert [stream.kind for stream in probe(written).streams] == []


def test_a_stream_that_no_container_holds_makes_the_source_unsupported(tmp_path, monkeypatch):
    source = make_video(tmp_path / "a.mkv", frames=4, audio=True)
    monkeypatch.setattr(rehearsal, "is_held", lambda container, stream, path: stream.type != "audio")
    with pytest.raises(InputError, match=r"a\.mkv: nothing .* can hold audio stream 1 .*--drop-incompatible"):
        check_output(tmp_path / "b.mkv", source=probe(source), coding=Coding(), overwrite=False)
    drop = Coding(drop_incompatible=True)
    assert len(check_output(tmp_path / "b.mkv", source=probe(source), coding=drop, overwrite=False)) == 1


def test_packets_that_a_muxer_refuses_are_found_before_the_work(tmp_path, monkeypatch):
    # Without the flag that lets MP4 rewrite ADTS framing, the header passes and the first packet does not.
    monkeypatch.setitem(muxing._OPTIONS, "fflags", "bitexact")
    source = make_video(tmp_path / "a.ts", frames=4, codec="libx264", audio="aac")
    with pytest.raises(OutputError, match=r"\.mp4 refuses the packets of audio stream 1 of .*a\.ts"):
        check_output(tmp_path / "b.mp4", source=probe(source), coding=Coding(), overwrite=False)
