"""Interlaced, telecined and damaged sources: refused, deinterlaced, repaired, each as asked."""

import json
from fractions import Fraction

import av
import numpy as np
import pytest
from interlacing import interlaced, moving, pulldown, write_frames
from jobs import TINY
from media import make_video

from reelprior.io.probe import probe
from reelprior.io.reader import open_reader
from reelprior.io.scan import scan
from reelprior.pipeline.sidecar import read_sidecar


@pytest.fixture(scope="module")
def woven(tmp_path_factory):
    """4 interlaced frames, top field first."""
    return write_frames(tmp_path_factory.mktemp("woven") / "woven.mkv", interlaced(moving(8)))


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """8 frames, number 3 of which does not decode."""
    path = tmp_path_factory.mktemp("broken") / "broken.mp4"
    make_video(path, frames=8, codec="libx264", options={"g": "1"}, audio=False)
    with av.open(str(path)) as container:
        at, size = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size][3]
    data = bytearray(path.read_bytes())
    data[at : at + size] = b"\xff" * size
    path.write_bytes(data)
    return path


def test_an_interlaced_source_is_refused_with_the_remedy(run, woven, tmp_path):
    outcome = run("restore", woven, tmp_path / "out.mkv", *TINY)
    assert outcome.status == 3
    assert "interlaced, top field first" in outcome.error
    assert "--deinterlace" in outcome.error
    assert not list(tmp_path.iterdir())


def test_probe_says_what_is_interlaced_and_what_cannot_be_read(run, woven, broken):
    facts = run("probe", woven, "--json").json
    assert facts["fields"] == "interlaced, top field first"
    assert any("--deinterlace" in remark for remark in facts["remarks"])
    facts = run("probe", broken, "--json").json
    assert facts["unreadable_frames"] == [3]
    assert any("1 frames cannot be read" in remark for remark in facts["remarks"])


def test_deinterlacing_writes_a_picture_for_every_field_and_verifies(run, woven, tmp_path):
    output = tmp_path / "out.mkv"
    outcome = run("restore", woven, output, *TINY, "--deinterlace", "--json", "--frames", "0:2")
    assert outcome.status == 0, outcome.stderr
    assert outcome.json["frames"] == 4
    index = scan(output)
    assert len(index) == 4
    assert (index.pts[1] - index.pts[0]) * index.time_base == Fraction(1, 50)
    assert probe(output).video.average_rate == 50
    assert index.fields.type == "progressive"
    fields = read_sidecar(output).fields
    assert (fields.treatment, fields.order, fields.every) == ("fields", "top", 1)
    assert run("verify", output).status == 0


def test_deinterlacing_at_the_frame_rate_keeps_count_and_times(run, woven, tmp_path):
    output = tmp_path / "out.mkv"
    outcome = run(
        "restore", woven, output, *TINY, "--deinterlace", "--set", "fields.rate=frame", "--frames", "1:2"
    )
    assert outcome.status == 0, outcome.stderr
    assert len(scan(output)) == 1
    assert run("verify", output).status == 0


def test_frames_are_taken_as_they_are_where_the_user_knows_better(run, woven, tmp_path):
    outcome = run(
        "restore", woven, tmp_path / "out.mkv", *TINY, "--no-deinterlace", "--json", "--frames", ":1"
    )
    assert outcome.json["frames"] == 1


def test_telecine_is_reversed_and_the_film_verifies(run, tmp_path):
    clip = write_frames(tmp_path / "clip.mkv", pulldown(moving(12)), rate=Fraction(30000, 1001))
    output = tmp_path / "out.mkv"
    outcome = run("restore", clip, output, *TINY, "--deinterlace", "--json", "--frames", "4:6")
    assert outcome.status == 0, outcome.stderr
    assert outcome.json["frames"] == 2
    assert read_sidecar(output).fields.treatment == "pulldown"
    assert run("verify", output).status == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "clip.mkv",
        "out.mkv",
        "out.mkv.reelprior.json",
    ]


def test_a_job_on_film_knows_its_source_when_it_is_resumed(run, tmp_path):
    clip = write_frames(tmp_path / "clip.mkv", pulldown(moving(12)), rate=Fraction(30000, 1001))
    output, job = tmp_path / "out.mkv", tmp_path / "job"
    arguments = ["--deinterlace", "--frames", "4:6", "--job-dir", job]
    assert run("restore", clip, output, *TINY, *arguments).status == 0
    outcome = run("resume", job, "--overwrite", "--json")
    assert outcome.status == 0, outcome.stderr
    assert (outcome.json["input"], outcome.json["chunks_reused"]) == (str(clip), 1)
    assert read_sidecar(output).source.path == str(clip)
    assert run("verify", job).status == 0


def test_a_frame_that_cannot_be_read_is_repaired_listed_and_keeps_its_time(run, broken, tmp_path):
    output = tmp_path / "out.mkv"
    outcome = run("restore", broken, output, *TINY, "--json")
    assert outcome.status == 0
    assert "1 frame cannot be read (3)" in outcome.error
    assert outcome.json["frames"] == 8
    assert read_sidecar(output).repaired_frames == (3,)
    verification = run("verify", output, "--json")
    assert verification.status == 0
    assert any(check["check"] == "repaired" for check in verification.json["checks"])


def pictures_of(path, start):
    """Three frames."""
    with open_reader(path, scan(path)) as reader:
        return np.stack([frame.pixels for frame in reader.read(start, start + 3)])


def test_a_lost_frame_is_restored_through_tiles_and_with_strength(run, broken, tmp_path):
    """What stands in its place, the frame before, has no part in it: not even where the source is blended in."""
    arguments = ["restore", broken, *TINY, "--denoise", "8", "--frames", "2:5"]
    arguments += ["--set", "tile.size=48", "--set", "tile.overlap=8", "--set", "temporal.passes=1"]
    for name, options in (("whole.mkv", []), ("half.mkv", ["--set", "strength=0.5"])):
        assert run(*arguments, tmp_path / name, *options).status == 0
    whole, half = pictures_of(tmp_path / "whole.mkv", 0), pictures_of(tmp_path / "half.mkv", 0)
    source = pictures_of(broken, 2)
    np.testing.assert_array_equal(whole[1], half[1])
    assert np.abs(whole[0] - half[0]).max() > 0
    between = np.abs(source[2] - source[0]).mean()
    for near in (source[0], source[2]):
        assert np.abs(whole[1] - near).mean() < between  # it lies between them


def test_a_lost_frame_is_no_dust_and_is_repaired_where_only_defects_are_filled(run, broken, tmp_path):
    """What is shown in its place, a repetition, is looked at by no detector."""
    job = tmp_path / "job"
    arguments = ["--dust", "--frames", "1:6", "--job-dir", job]
    assert run("restore", broken, tmp_path / "out.mkv", *TINY, *arguments).status == 0
    found = json.loads((job / "masks" / "found.json").read_text())
    assert 3 not in dict(found["marked"])
    restored, source = pictures_of(tmp_path / "out.mkv", 1), pictures_of(broken, 2)
    assert np.abs(restored[1] - source[1]).max() > 0.02  # not the frame before, which the reader shows for it


def test_defects_of_fields_are_shown_for_their_frames(run, woven, tmp_path):
    marks = tmp_path / "marks"
    arguments = ["--deinterlace", "--dust", "--frames", "1:3", "--mark", marks]
    outcome = run("restore", woven, tmp_path / "out.mkv", *TINY, *arguments, "--json")
    assert outcome.status == 0, outcome.stderr
    assert outcome.json["frames"] == 4
    assert [path.name for path in sorted((marks / "masks").iterdir())] == ["000001.png", "000002.png"]
    assert 'frames = "1:3"' in (marks / "masks.toml").read_text()


def test_a_strict_job_stops_at_what_cannot_be_read(run, broken, tmp_path):
    outcome = run("restore", broken, tmp_path / "out.mkv", *TINY, "--strict")
    assert outcome.status == 3
    assert "leave out --strict" in outcome.error
    assert not list(tmp_path.iterdir())
