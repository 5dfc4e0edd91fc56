"""A job that changes nothing gives back what it was given: every sample, whatever the pixel format says."""

from itertools import pairwise

import av
import cv2
import numpy as np
import pytest
from jobs import TINY
from media import make_video
from raw_frames import planes, random_frame
from rewriting import packets_of, video_times

from reelprior.io.probe import probe
from reelprior.io.samples import changed_samples
from reelprior.pipeline.cli import run_command_line

IDENTITY = [*TINY, "--set", "strength=0"]


def make_film(path, pix_fmt, *, codec="ffv1", frames=3, size=(46, 62), grey=False):
    """Random codes: most of them are colours, or brightnesses, that R'G'B' within [0, 1] does not have."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = *size, pix_fmt
        for number in range(frames):
            frame = random_frame(pix_fmt, size, seed=number)
            if grey:
                for plane in frame.planes[1:]:
                    np.frombuffer(memoryview(plane), np.uint8)[:] = 128
            frame.pts = number
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return path


def decoded(path):
    with av.open(str(path)) as container:
        return [planes(frame) for frame in container.decode(video=0)]


def assert_equal_frames(before, after):
    for one, other in zip(before, after, strict=True):
        for plane, copy in zip(one, other, strict=True):
            np.testing.assert_array_equal(copy, plane)


@pytest.mark.parametrize(
    "pix_fmt", ["yuv420p", "yuv411p", "yuv422p10le", "yuva444p10le", "gray16le", "gbrap12le"]
)
def test_a_job_of_no_strength_changes_no_sample(tmp_path, pix_fmt):
    source = make_film(tmp_path / "a.mkv", pix_fmt)
    assert run_command_line(["restore", str(source), str(tmp_path / "b.mkv"), "-q", *IDENTITY]) == 0
    assert_equal_frames(decoded(source), decoded(tmp_path / "b.mkv"))


def test_opacity_is_carried_around_the_restoration(tmp_path):
    source = make_film(tmp_path / "a.mkv", "yuva420p")
    assert run_command_line(["restore", str(source), str(tmp_path / "b.mkv"), "-q", *TINY]) == 0
    for before, after in zip(decoded(source), decoded(tmp_path / "b.mkv"), strict=True):
        np.testing.assert_array_equal(after[3], before[3])
        assert (after[0] != before[0]).any()


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le", "gbrp10le"])
def test_outside_the_mask_every_sample_is_the_source_s(tmp_path, pix_fmt):
    source = make_film(tmp_path / "a.mkv", pix_fmt)
    mask = np.zeros((46, 62), np.uint8)
    mask[10:21, 31:40] = 255
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    command = [
        "restore",
        str(source),
        str(tmp_path / "b.mkv"),
        "-q",
        "--mask",
        str(tmp_path / "mask.png"),
        *TINY,
    ]
    assert run_command_line(command) == 0
    for before, after in zip(decoded(source), decoded(tmp_path / "b.mkv"), strict=True):
        for plane, copy in zip(before, after, strict=True):
            known = ~changed_samples(mask > 0, plane.shape)
            np.testing.assert_array_equal(copy[known], plane[known])
            assert (copy != plane).any()


def test_a_grey_film_in_a_colour_format_stays_grey(tmp_path):
    source = make_film(tmp_path / "a.mkv", "yuv420p", grey=True)
    assert run_command_line(["restore", str(source), str(tmp_path / "b.mkv"), "-q", *TINY]) == 0
    for _, *chroma in decoded(tmp_path / "b.mkv"):
        assert all((plane == 128).all() for plane in chroma)


def test_tags_that_the_user_knows_better_decide_and_are_written(tmp_path):
    source = make_film(tmp_path / "a.mkv", "yuv420p")
    known = [
        "--set",
        "source.matrix=bt2020nc",
        "--set",
        "source.transfer=smpte2084",
        "--set",
        "source.range=full",
    ]
    assert run_command_line(["restore", str(source), str(tmp_path / "b.mkv"), "-q", *IDENTITY, *known]) == 0
    colour = probe(tmp_path / "b.mkv").video.colour
    assert (colour.matrix, colour.range, colour.transfer) == ("bt2020nc", "full", "smpte2084")
    assert not colour.matrix_is_assumed
    assert_equal_frames(decoded(source), decoded(tmp_path / "b.mkv"))


def test_a_series_with_gaps_keeps_names_numbers_and_times(tmp_path):
    folder = tmp_path / "scan"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in (7, 8, 11):
        cv2.imwrite(str(folder / f"reel_{number:04d}.png"), random.integers(0, 256, (46, 62, 3), np.uint8))
    assert run_command_line(["restore", str(folder), str(tmp_path / "out"), "-q", *IDENTITY]) == 3
    allowed = [*IDENTITY, "--allow-gaps", "-q"]
    assert run_command_line(["restore", str(folder), str(tmp_path / "out"), *allowed]) == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [f"reel_{n:04d}.png" for n in (7, 8, 11)]
    assert run_command_line(["restore", str(folder), str(tmp_path / "new_%03d.png"), *allowed]) == 0
    assert sorted(p.name for p in tmp_path.glob("new*")) == [f"new_{n:03d}.png" for n in (7, 8, 11)]
    assert run_command_line(["restore", str(folder), str(tmp_path / "b.mkv"), *allowed]) == 0
    assert [later - earlier for earlier, later in pairwise(video_times(tmp_path / "b.mkv"))] == [
        pytest.approx(1 / 25),
        pytest.approx(3 / 25),
    ]


def test_what_a_container_cannot_hold_is_told_when_it_is_dropped(tmp_path, capsys):
    source = make_video(tmp_path / "a.mkv", frames=3, subtitles=True)
    command = ["restore", str(source), str(tmp_path / "b.mp4"), *IDENTITY]
    assert run_command_line([*command, "-q"]) == 5
    assert "--drop-incompatible" in capsys.readouterr().err
    assert run_command_line([*command, "--json", "--drop-incompatible"]) == 0
    assert "cannot hold subtitle stream 2 (subrip)" in capsys.readouterr().out
    assert [stream.kind for stream in probe(tmp_path / "b.mp4").streams] == ["audio"]
    assert packets_of(tmp_path / "b.mp4", 1)[0].data == packets_of(source, 1)[0].data


@pytest.mark.parametrize(("suffix", "sound"), [(".ts", "aac"), (".avi", "pcm_s16le")])
def test_what_other_containers_hold_verifies_and_the_rest_was_named(run, tmp_path, suffix, sound):
    source = make_video(tmp_path / "a.mkv", frames=6, audio=sound, chapters=True, pix_fmt="yuv422p")
    order = ["restore", source, tmp_path / f"b{suffix}", *IDENTITY]
    refused = run(*order)
    assert (refused.status, (tmp_path / f"b{suffix}").exists()) == (5, False)
    assert f"{suffix} cannot hold the 2 chapters" in refused.error
    assert run(*order, "--drop-incompatible").status == 0
    checked = run("verify", tmp_path / f"b{suffix}", "--json")
    assert checked.status == 0, checked.stdout
    states = {check["check"]: check["status"] for check in checked.json["checks"]}
    assert (states["audio stream 1"], states["chapters"]) == ("ok", "skipped")
