import numpy as np
import pytest
from pairs import flash_pair
from photographs import panned, photograph, psnr
from shots import XMP, exif_block, icc_profile, write_shot

from reelprior.io.photographs import read_photograph

#: Small and quick; what is tested here is the way from files to files.
QUICK = (
    "--set",
    "fit.iterations=30",
    "--set",
    "network.channels=[16,16]",
    "--set",
    "network.skip_channels=[8,8]",
    "--device",
    "cpu",
)


@pytest.fixture(scope="module")
def shots(tmp_path_factory):
    """A pair of 96 x 112 as files of 16 bits, and the truth."""
    folder = tmp_path_factory.mktemp("pair")
    flash, ambient, clean = flash_pair(96, 112, shadow=False)
    write_shot(folder / "flash.png", flash, bits=16)
    write_shot(folder / "ambient.tif", ambient, bits=16)
    return folder / "flash.png", folder / "ambient.tif", clean


def test_a_pair_becomes_one_photograph_of_the_same_depth_with_a_report(run, shots, tmp_path):
    flash, ambient, clean = shots
    outcome = run(
        "flash", flash, ambient, tmp_path / "out.tif", "--json", "--report", tmp_path / "r.html", *QUICK
    )
    assert outcome.status == 0, outcome.stderr
    facts = outcome.json
    assert facts["alignment"]["kind"] in ("homography", "flow")
    restored = read_photograph(tmp_path / "out.tif")
    assert restored.bits == 16
    assert psnr(restored.pixels, clean) > psnr(read_photograph(ambient).pixels, clean) + 4
    page = (tmp_path / "r.html").read_text()
    assert "Where the flash shot was believed" in page
    assert page.count("data:image/") >= 5


def test_the_output_keeps_the_ambient_shots_metadata(run, tmp_path):
    flash, ambient, _ = flash_pair(64, 80, shadow=False)
    exif = exif_block(flash=False, orientation=1, iso=3200)
    first = write_shot(tmp_path / "f.jpg", flash, exif=exif_block(flash=True))
    second = write_shot(tmp_path / "a.jpg", ambient, exif=exif)
    assert run("flash", first, second, tmp_path / "out.jpg", "--quiet", *QUICK).status == 0
    metadata = read_photograph(tmp_path / "out.jpg").metadata
    assert (metadata.exif, metadata.icc, metadata.xmp) == (exif, icc_profile(), XMP)


def test_a_flash_shot_held_the_other_way_round_is_turned(run, tmp_path):
    flash, ambient, clean = flash_pair(64, 80, shadow=False)
    turned = np.ascontiguousarray(np.rot90(flash, 1, axes=(1, 2)))  # stored turned left: 6 turns it back
    first = write_shot(tmp_path / "f.jpg", turned, exif=exif_block(flash=True, orientation=6))
    second = write_shot(tmp_path / "a.jpg", ambient, exif=exif_block(flash=False))
    assert run("flash", first, second, tmp_path / "out.png", "--quiet", *QUICK).status == 0
    restored = read_photograph(tmp_path / "out.png").pixels
    assert psnr(restored, clean) > psnr(ambient, clean) + 3


def test_swapped_shots_are_noticed_and_put_right(run, shots, tmp_path):
    flash, ambient, clean = shots
    outcome = run("flash", ambient, flash, tmp_path / "out.png", "--json", *QUICK)
    assert outcome.status == 0
    assert "is taken for the ambient shot" in outcome.json["notes"][0]
    assert "is taken for the ambient shot" in outcome.stderr
    assert psnr(read_photograph(tmp_path / "out.png").pixels, clean) > 24


def test_bad_pairs_are_one_line_each(run, shots, tmp_path):
    _, ambient, _ = shots
    other = write_shot(tmp_path / "small.png", photograph(48, 64))
    black = write_shot(tmp_path / "black.png", np.zeros((3, 96, 112), np.float32))
    white = write_shot(tmp_path / "white.png", np.ones((3, 96, 112), np.float32))
    noise = np.random.default_rng(0).random((3, 96, 112), np.float32)
    scene = write_shot(tmp_path / "scene.png", noise * 0.2 + 0.4)
    for first, second, said in [
        (other, ambient, "64x48"),
        (black, ambient, "is black"),
        (white, ambient, "blown out"),
        (scene, ambient, "cannot be aligned"),
        (tmp_path / "none.png", ambient, "none.png"),
    ]:
        outcome = run("flash", first, second, tmp_path / "out.png", *QUICK)
        assert outcome.status == 3, outcome.stderr
        assert said in outcome.stderr.splitlines()[-1]
        assert not (tmp_path / "out.png").exists()


def test_wrong_options_are_usage(run, shots, tmp_path):
    flash, ambient, _ = shots
    for options, said in [
        (("--align", "maybe"), "--align maybe"),
        (("--bits", "12"), "--bits 12"),
        (("--denoise", "none"), "none"),
        (("--set", "scale=2"), "a flash pair keeps its resolution"),
        (("--set", "photo.tile=64", "--set", "photo.overlap=40"), "overlap"),
    ]:
        outcome = run("flash", flash, ambient, tmp_path / "out.png", *options)
        assert outcome.status == 2
        assert said in outcome.stderr


def test_an_existing_output_is_not_replaced_unasked(run, shots, tmp_path):
    (tmp_path / "out.png").write_text("mine")
    outcome = run("flash", *shots[:2], tmp_path / "out.png")
    assert outcome.status == 5
    assert (tmp_path / "out.png").read_text() == "mine"


def test_a_folder_goes_on_after_a_pair_that_fails(run, tmp_path):
    source = tmp_path / "shots"
    source.mkdir()
    flash, ambient, _ = flash_pair(64, 80, shadow=False)
    for name, first in (("a", np.zeros_like(flash)), ("b", flash)):
        write_shot(source / f"{name}_flash.png", first)
        write_shot(source / f"{name}_noflash.png", ambient)
    write_shot(source / "alone.png", flash)
    outcome = run("flash", source, tmp_path / "out", "--json", *QUICK)
    assert outcome.status == 4
    facts = outcome.json
    assert [pair["output"] for pair in facts["pairs"]] == [str(tmp_path / "out" / "b_noflash.png")]
    assert "a_flash.png: is black" in outcome.stderr
    assert "alone.png: belongs to no pair" in outcome.stderr
    assert "1 of 2 pairs failed" in outcome.stderr


def test_a_burst_becomes_one_photograph(run, tmp_path):
    clean = panned(3, 96, 112, step=(2, 1))
    noise = np.random.default_rng(1).normal(0, 0.08, clean.shape)
    paths = [write_shot(tmp_path / f"{t}.png", (clean + noise)[t].astype(np.float32)) for t in range(3)]
    outcome = run("burst", *paths, tmp_path / "out.png", "--json", *QUICK)
    assert outcome.status == 0, outcome.stderr
    assert outcome.json["shots"] == 3
    restored = read_photograph(tmp_path / "out.png").pixels
    assert psnr(restored, clean[0]) > psnr(read_photograph(paths[0]).pixels, clean[0]) + 4


def test_a_burst_of_one_is_usage(run, tmp_path):
    path = write_shot(tmp_path / "0.png", photograph(48, 64))
    assert run("burst", path, tmp_path / "out.png").status == 2
    assert run("burst", path, path, tmp_path / "out.png", "--scale", "3").status == 2


def test_a_noise_profile_is_read_at_the_iso_value_of_the_ambient_shot(run, tmp_path):
    flash, ambient, _ = flash_pair(64, 80, shadow=False)
    first = write_shot(tmp_path / "f.jpg", flash, exif=exif_block(flash=True))
    second = write_shot(tmp_path / "a.jpg", ambient, exif=exif_block(flash=False, iso=1600))
    profile = tmp_path / "camera.toml"
    profile.write_text("[iso.400]\noffset = 25.0\n[iso.1600]\noffset = 400.0\n")
    outcome = run("flash", first, second, tmp_path / "out.png", "--json", "--denoise", profile, *QUICK)
    assert outcome.status == 0, outcome.stderr
    # The square root of 400; clipping narrows nothing at mid-grey.
    assert outcome.json["noise"]["sigma_8bit"] == pytest.approx(20, rel=0.02)
