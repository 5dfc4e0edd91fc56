"""What an encoder does to the process that opens it."""

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from reelprior.io.encoders import open_encoder

THREADS = Path("/proc/self/task")


@pytest.mark.skipif(not THREADS.is_dir(), reason="threads are listed on Linux only")
@pytest.mark.parametrize("name", ["libsvtav1", "libx264"])
def test_no_thread_becomes_a_real_time_one(name):
    encoder = av.CodecContext.create(name, "w")
    encoder.width, encoder.height, encoder.pix_fmt = 64, 64, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, 25), Fraction(25)
    before = os.sched_getscheduler(0)
    open_encoder(encoder)
    assert {os.sched_getscheduler(int(thread.name)) for thread in THREADS.iterdir()} == {before}
    picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8)).reformat(format="yuv420p")
    assert sum(packet.size for packet in [*encoder.encode(picture), *encoder.encode(None)])
    assert os.sched_getscheduler(0) == before
