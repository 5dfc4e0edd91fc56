"""``verify`` tells a faithful output from one that was tampered with, and says where."""

import json

import av
import numpy as np
import pytest
from jobs import TINY
from media import make_video

from reelprior.io.fixity import differing_samples
from reelprior.io.pictures import encode_png
from reelprior.io.samples import SamplesOf
from reelprior.pipeline.sidecar import read_sidecar, sidecar_path


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return make_video(
        tmp_path_factory.mktemp("source") / "source.mkv",
        frames=6,
        subtitles=True,
        chapters=True,
        attachment=True,
        metadata={"title": "Attic"},
    )


@pytest.fixture
def output(run, source, tmp_path):
    outcome = run("restore", source, tmp_path / "out.mkv", *TINY)
    assert outcome.status == 0, outcome.stderr
    return tmp_path / "out.mkv"


def differing(outcome):
    assert outcome.status == 4
    return {
        check["check"]: check["detail"] for check in outcome.json["checks"] if check["status"] == "differs"
    }


def remux(path, *, keep=lambda stream: True, chapters=True, metadata=True, delay=0, title="Attic"):
    """Write a file anew, with something left out or moved."""
    altered = path.with_name("altered.mkv")
    with av.open(str(path)) as old, av.open(str(altered), "w") as new:
        streams = {s.index: new.add_stream_from_template(s, opaque=True) for s in old.streams if keep(s)}
        for index, stream in streams.items():
            if stream.type != "attachment":
                stream.metadata.update(old.streams[index].metadata)
        if chapters:
            new.set_chapters(old.chapters())
        if metadata:
            new.metadata["title"] = title
        wanted = [old.streams[index] for index, stream in streams.items() if stream.type != "attachment"]
        for packet in old.demux(wanted):
            if packet.size:
                if packet.stream.type == "audio":
                    packet.pts, packet.dts = packet.pts + delay, packet.dts + delay
                packet.stream = streams[packet.stream.index]
                new.mux(packet)
    altered.replace(path)


def test_a_faithful_output_verifies(run, output):
    outcome = run("verify", output, "--json")
    assert outcome.status == 0, outcome.stdout
    checks = {check["check"]: check["status"] for check in outcome.json["checks"]}
    assert set(checks.values()) <= {"ok", "skipped"}
    assert {name for name in checks if "stream" in name} == {
        "audio stream 1",
        "subtitle stream 2",
        "attachment stream 3",
    }
    assert checks["times"] == checks["chapters"] == checks["metadata"] == checks["output hash"] == "ok"


def test_a_part_of_a_source_verifies(run, source, tmp_path):
    run("restore", source, tmp_path / "part.mkv", *TINY, "--frames", "2:5")
    assert run("verify", tmp_path / "part.mkv").status == 0


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        ({"keep": lambda stream: stream.type != "subtitle"}, {"output hash", "subtitle stream 2"}),
        ({"chapters": False}, {"output hash", "chapters"}),
        ({"title": "Cellar"}, {"output hash", "metadata"}),
        ({"delay": 40}, {"output hash", "audio stream 1"}),
    ],
)
def test_what_was_tampered_with_is_named(run, output, changes, faults):
    remux(output, **changes)
    assert set(differing(run("verify", output, "--json"))) == faults


def test_what_was_left_out_on_request_is_no_difference(run, tmp_path):
    source = make_video(tmp_path / "source.mkv", frames=3, subtitles=True)
    target = tmp_path / "out.mp4"
    outcome = run("restore", source, target, *TINY, "--drop-incompatible")
    assert outcome.status == 0, outcome.stderr
    outcome = run("verify", target)
    assert outcome.status == 0
    assert "subrip was left out on request" in outcome.stdout


def test_another_source_differs(run, output, tmp_path):
    other = make_video(tmp_path / "other.mkv", frames=5)
    faults = differing(run("verify", output, "--source", other, "--json"))
    assert {"source hash", "frames"} <= set(faults)


def test_a_cut_off_output_differs(run, output):
    data = output.read_bytes()
    output.write_bytes(data[: len(data) * 2 // 3])
    assert {"output hash", "record"} <= set(differing(run("verify", output, "--json")))


def test_without_a_record_the_source_has_to_be_given(run, source, tmp_path):
    output = tmp_path / "out.mkv"
    assert run("restore", source, output, *TINY, "--no-sidecar").status == 0
    assert not sidecar_path(output).exists()
    outcome = run("verify", output)
    assert outcome.status == 2
    assert "give --source" in outcome.error
    assert run("verify", output, "--source", source).status == 0


def test_a_source_that_is_gone_is_not_a_difference(run, output, source, tmp_path):
    path = sidecar_path(output)
    record = json.loads(path.read_text())
    record["source"]["path"] = str(tmp_path / "gone.mkv")
    path.write_text(json.dumps(record))
    outcome = run("verify", output)
    assert outcome.status == 0
    assert "give --source where it is" in outcome.stdout


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 9}', "\x00\xff"])
def test_a_damaged_record_is_refused_in_one_line(run, output, text):
    sidecar_path(output).write_text(text, encoding="latin-1")
    outcome = run("verify", output)
    assert outcome.status == 3
    assert "out.mkv.reelprior.json" in outcome.error


def test_the_record_says_what_a_reader_needs(run, output, source):
    record = read_sidecar(output)
    assert record.source.path == str(source)
    assert len(record.source.sha256) == len(record.output.sha256) == 64
    assert (record.frames, record.width, record.height) == (6, 64, 48)
    assert record.settings["fit"]["iterations"] == 3
    assert "torch" in record.versions


def test_pictures_get_a_record_only_on_request(run, source, tmp_path):
    arguments = ["restore", source, tmp_path / "one.png", *TINY, "--frames", "0:1"]
    assert run(*arguments).status == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.png"]
    assert run(*arguments, "--overwrite", "--sidecar").status == 0
    assert read_sidecar(tmp_path / "one.png").frames == 1


@pytest.mark.parametrize("pix_fmt", ["bgr0", "yuv420p", "yuv422p10le"])
def test_outside_a_mask_every_sample_counts(run, tmp_path, pix_fmt):
    source = make_video(tmp_path / "source.mkv", frames=2, pix_fmt=pix_fmt, audio=False)
    mask = np.zeros((3, 48, 64), np.float32)
    mask[:, 10:20, 10:20] = 1
    (tmp_path / "mask.png").write_bytes(encode_png(mask))
    output = tmp_path / "out.mkv"
    outcome = run("restore", source, output, *TINY, "--mask", tmp_path / "mask.png")
    assert outcome.status == 0, outcome.stderr
    checks = {check["check"]: check for check in run("verify", output, "--json").json["checks"]}
    assert checks["unmasked samples"]["status"] == "ok", checks["unmasked samples"]
    other = make_video(tmp_path / "other.mkv", frames=2, pix_fmt=pix_fmt, audio=False, noise_8bit=9)
    faults = differing(run("verify", output, "--source", other, "--json"))
    assert "samples of frame 0" in faults["unmasked samples"]


def test_a_list_of_feathered_masks_verifies_and_found_defects_are_passed_over(run, tmp_path):
    source = make_video(tmp_path / "source.mkv", frames=3, audio=False)
    mask = np.zeros((3, 48, 64), np.float32)
    mask[:, 10:20, 10:20] = 1
    (tmp_path / "mask.png").write_bytes(encode_png(mask))
    (tmp_path / "masks.toml").write_text('[[mask]]\npath = "mask.png"\nframes = "1:3"\n')
    reach = ["--set", "mask.grow=1", "--set", "mask.feather=2", "--mask", tmp_path / "masks.toml"]
    for name, more, status in (("given.mkv", [], "ok"), ("found.mkv", ["--dust"], "skipped")):
        assert run("restore", source, tmp_path / name, *TINY, *reach, *more).status == 0
        outcome = run("verify", tmp_path / name, "--json")
        assert outcome.status == 0, outcome.stdout
        checks = {check["check"]: check["status"] for check in outcome.json["checks"]}
        assert checks["mask hash"] == "ok"
        assert checks["unmasked samples"] == status
    assert "dust_percent" in read_sidecar(tmp_path / "found.mkv").defects


def test_strength_0_changes_no_sample_and_verify_proves_it(run, tmp_path):
    source = make_video(tmp_path / "source.mkv", frames=2, pix_fmt="yuv420p10le", audio=False)
    output = tmp_path / "out.mkv"
    assert run("restore", source, output, *TINY, "--set", "strength=0").status == 0
    checks = {check["check"]: check["detail"] for check in run("verify", output, "--json").json["checks"]}
    assert checks["unmasked samples"] == "identical in 2 frames, as yuv420p10le"


def test_a_source_is_read_as_the_record_says(run, tmp_path):
    source = make_video(tmp_path / "source.mkv", frames=2, audio=False)
    output = tmp_path / "out.mkv"
    assert run("restore", source, output, *TINY, "--set", "source.matrix=bt709").status == 0
    assert run("verify", output).status == 0


def test_pictures_of_a_series_with_gaps_verify(run, tmp_path):
    (tmp_path / "in").mkdir()
    for number in (1, 2, 4):
        (tmp_path / "in" / f"{number}.png").write_bytes(encode_png(np.full((3, 48, 64), 0.5, np.float32)))
    arguments = ["restore", tmp_path / "in", tmp_path / "out", *TINY, "--allow-gaps", "--sidecar"]
    assert run(*arguments).status == 0
    outcome = run("verify", tmp_path / "out")
    assert outcome.status == 0, outcome.stdout


def test_a_bag_verifies_until_something_in_it_is_altered(run, output, tmp_path):
    pytest.importorskip("bagit", reason="needs bagit: pip install '.[archive]'")
    bag = tmp_path / "bag"
    assert run("bag", output, "--to", bag).status == 0
    assert run("verify", bag, "--json").json["ok"]
    (bag / "data" / "out.mkv.reelprior.json").write_text("{}")
    assert "bag" in differing(run("verify", bag, "--json"))


def test_differing_samples_are_counted_in_every_plane():
    frames = []
    for _ in range(2):
        frame = av.VideoFrame(8, 8, "yuv420p10le")
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frames.append(frame)
    luma = np.frombuffer(memoryview(frames[1].planes[0]), np.uint16).reshape(8, -1)
    luma[2, 3] = 1
    chroma = np.frombuffer(memoryview(frames[1].planes[1]), np.uint16).reshape(4, -1)
    chroma[3, 3] = 256
    missing = np.zeros((8, 8), np.bool_)
    assert differing_samples(*map(SamplesOf(), frames), missing) == 2
    missing[2, 3] = True
    assert differing_samples(*map(SamplesOf(), frames), missing) == 1
    missing[7, 6] = True  # one of the four pixels of that chroma sample
    assert differing_samples(*map(SamplesOf(), frames), missing) == 0
