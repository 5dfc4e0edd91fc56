"""A long clip: noise must not gather while parameters are handed from frame to frame."""

import numpy as np
import pytest
from photographs import noisy, photograph, psnr

from reelprior.io.chunks import read_frames, write_frames

_FRAMES, _WINDOW = 224, 24


@pytest.mark.slow
@pytest.mark.parametrize("chunk", [32, _FRAMES])
def test_the_last_frames_of_a_still_shot_are_as_good_as_the_first(run, tmp_path, chunk):
    """Not 0.2 dB worse, in chunks and as one walk. The default engine on a picture that stands still in new noise."""
    clean = photograph(48, 64)
    source, output = tmp_path / "still.mkv", tmp_path / "out.mkv"
    write_frames(source, (noisy(clean, 25, seed=frame) for frame in range(_FRAMES)))
    done = run(
        "restore",
        source,
        output,
        "--denoise",
        "25",
        "--pix-fmt",
        "gbrp16le",
        "--set",
        f"chunk.frames={chunk}",
    )
    assert done.status == 0, done.stderr
    scores = [psnr(frame, clean) for frame in read_frames(output)]
    assert len(scores) == _FRAMES
    # The ends themselves have neighbours on one side only.
    inner = slice(8, -8)
    first, last = np.array(scores[:_WINDOW])[inner], np.array(scores[-_WINDOW:])[inner]
    assert last.mean() > first.mean() - 0.2
    assert min(scores) > psnr(noisy(clean, 25), clean) + 10
