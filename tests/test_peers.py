"""What the engine is compared with: noises, the peers, how they are started and what is made of the results."""

import dataclasses
import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def module(monkeypatch):
    """A module of the benchmarks or of the peers, which are scripts of a folder and no packages."""
    monkeypatch.syspath_prepend(str(BENCHMARKS / "peers"))
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


@pytest.fixture
def flat():
    """Grey frames, (T, H, W, 3)."""
    return np.full((3, 24, 32, 3), 128, np.uint8)


def _measurement(module, method, *, psnr, clip="carphone", noise="sigma25", seconds=1.0, flicker=3.0):
    return module("measuring").Measurement(
        method, clip, noise, 2, psnr, 0.9, flicker, (psnr, psnr), seconds, 2**20, "--option 1"
    )


def _session(module, tmp_path, **options):
    session = module("session").Session(output=tmp_path, data=tmp_path, **options)
    reference = module("reference")
    for case in module("clips").CASES:
        session.memo[f"reference {case.size}"] = reference.IterationTime(median=100.0, fastest=100.0)
    return session


def test_gaussian_noise_is_that_of_the_published_figures(module, flat):
    noisy = module("noises").NOISES["sigma25"].add(flat)
    expected = np.random.default_rng(7).normal(0, 25, flat.shape)
    assert np.array_equal(noisy, np.clip(np.rint(flat + expected), 0, 255))


def test_sensor_noise_has_the_variance_it_states(module):
    sensor = module("noises").SENSOR
    clip = np.full((1, 200, 200, 3), 102, np.uint8)
    deviation = sensor.add(clip).std()
    # 120,000 samples: their deviation is known to 0.2 %, rounding to 8 bits adds 0.1 %.
    assert deviation == pytest.approx(sensor.sigma_8bit(clip), rel=0.01)


def test_a_case_names_a_clean_and_a_noisy_clip(module):
    clips = module("clips")
    clean, noisy = clips.pair("carphone", "sigma10", data=Path())
    assert clean.shape == noisy.shape == (24, 144, 176, 3)
    assert 9 < (noisy.astype(float) - clean).std() < 10.1


@pytest.mark.parametrize("name", ["nlmeans", "bm3d", "atadenoise", "fftdnoiz"])
def test_a_filter_of_ffmpeg_gives_every_frame_back_with_less_noise(module, flat, name):
    peer = next(peer for peer in module("methods").PEERS if peer.name == f"FFmpeg {name}")
    noisy = module("noises").NOISES["sigma10"].add(flat)
    restored = module("ffmpeg_filter").denoise(noisy, graph=peer.options(10.0)[1])
    assert restored.shape == noisy.shape
    assert restored.std() < 0.9 * noisy.std()


def test_opencv_gives_every_frame_back_with_less_noise(module, flat):
    noisy = module("noises").NOISES["sigma10"].add(flat)
    restored = module("opencv_nlm").denoise(noisy, strength=6)
    assert restored.shape == noisy.shape and restored.std() < 0.5 * noisy.std()


def test_the_two_halves_of_zero_shot_noise2noise_are_the_diagonals_of_each_block(module):
    block = torch.tensor([[1.0, 2.0], [3.0, 6.0]])[None, None]
    rising, falling = module("zs_n2n").halve(block)
    assert rising.item() == 2.5 and falling.item() == 3.5


def test_zero_shot_noise2noise_takes_noise_away_from_frames_of_odd_size(module):
    clean = np.full((1, 33, 35, 3), 128, np.uint8)
    noisy = module("noises").NOISES["sigma25"].add(clean)
    restored = module("zs_n2n").denoise(noisy, iterations=60)
    assert restored.shape == clean.shape and restored.std() < 0.8 * noisy.std()


def test_a_stabilised_sensor_has_one_deviation_and_the_inverse_gives_its_mean_back(module):
    sensor = module("noises").SENSOR
    stabiliser = module("anscombe").Stabiliser(sensor.gain, sensor.offset)
    random = np.random.default_rng(0)
    for level in (0.1, 0.4, 0.9):
        counts = random.poisson(level / sensor.gain, 100_000)
        noisy = counts * sensor.gain + random.normal(0, sensor.offset**0.5, counts.size)
        stable = stabiliser.forward(noisy.astype(np.float32))
        # The transform is exact for many counts only: 8 of them, at the darkest level here, are 1 % off.
        assert 255 * stable.std() == pytest.approx(stabiliser.sigma_8bit, rel=0.015)
        assert stabiliser.inverse(stable.mean(keepdims=True))[0] == pytest.approx(level, abs=0.001)


def test_a_peer_s_script_writes_the_clip_and_tells_its_seconds_and_memory(module, flat, tmp_path):
    peer = next(peer for peer in module("methods").PEERS if peer.name == "FFmpeg atadenoise")
    noisy, restored = tmp_path / "noisy.npy", tmp_path / "restored.npy"
    np.save(noisy, flat)
    facts, peak = module("peak").run_measured(peer.command(noisy, restored, sigma_8bit=25))
    assert np.load(restored).shape == flat.shape
    assert facts["seconds"] > 0
    assert 10 * 2**20 < peak < 2**32


def test_a_command_that_fails_ends_the_benchmark_with_what_it_said(module):
    failing = [sys.executable, "-c", "raise SystemExit('no such clip')"]
    with pytest.raises(SystemExit, match="no such clip"):
        module("peak").run_measured(failing)


def test_strengths_between_the_tuned_levels_are_interpolated(module):
    opencv = next(peer for peer in module("methods").PEERS if peer.name == "OpenCV NLM")
    below, between, above = (float(opencv.options(sigma)[1]) for sigma in (10, 17.5, 25))
    assert between == pytest.approx((below + above) / 2)


def test_without_a_python_for_vapoursynth_its_peers_are_left_out_and_the_page_says_why(
    module, monkeypatch, tmp_path, flat
):
    environment, measuring = module("vapoursynth_environment"), module("measuring")
    monkeypatch.setattr(environment, "_candidates", lambda: iter([sys.executable + "-missing"]))
    session = _session(module, tmp_path)
    missing = measuring.vapoursynth(session)
    assert "no Python 3.12 to 3.14" in str(missing)
    noise, case = module("noises").NOISES["sigma25"], module("clips").CASES[0]
    bar = next(peer for peer in module("methods").PEERS if peer.name == module("methods").BAR)
    assert measuring.measure_method(session, measuring.Subject(case, noise, flat, flat), bar) is None


def test_the_figures_compare_with_v_bm3d_clip_by_clip(module, tmp_path):
    quality, noise = module("quality"), module("noises").NOISES["sigma25"]
    found = [
        _measurement(module, method, clip=clip, psnr=psnr, flicker=flicker, seconds=0.5)
        for method, clip, psnr, flicker in (
            ("reelprior", "carphone", 34.0, 3.0),
            ("reelprior", "bikes", 34.6, 4.0),
            ("V-BM3D np", "carphone", 33.6, 4.0),
            ("V-BM3D np", "bikes", 35.2, 4.0),
        )
    ]
    figures = {f.name: f for f in quality._figures(_session(module, tmp_path), noise, found)}
    assert figures["PSNR over V-BM3D np, sigma 25, mean of 2 clips"].value == pytest.approx(-0.1)
    worst = figures["PSNR over V-BM3D np, sigma 25, worst clip (bikes)"]
    assert worst.value == pytest.approx(-0.6) and not worst.passed
    assert figures["frame-to-frame error over that of V-BM3D np, sigma 25"].value == pytest.approx(7 / 8)
    # 100 ms x 1800 / 0.5 s.
    assert figures["time per frame: reference / reelprior, worst clip (carphone)"].value == pytest.approx(360)


def test_variants_of_the_engine_are_held_against_the_default(module, tmp_path):
    quality, noise = module("quality"), module("noises").NOISES["sigma25"]
    found = [
        _measurement(module, "reelprior", psnr=34.0, seconds=1.0),
        _measurement(module, "reelprior draft", psnr=33.5, seconds=0.25),
        _measurement(module, "reelprior best", psnr=34.4, seconds=3.0),
    ]
    figures = {f.name: f.value for f in quality._figures(_session(module, tmp_path), noise, found)}
    assert figures["PSNR, draft below standard"] == pytest.approx(0.5)
    assert figures["PSNR, best above standard"] == pytest.approx(0.4)
    assert figures["time per frame: best / standard"] == pytest.approx(3)


def test_a_method_that_left_clips_out_has_no_mean(module, tmp_path):
    quality, noise = module("quality"), module("noises").NOISES["sigma25"]
    found = [
        _measurement(module, "OpenCV NLM", psnr=26.0),
        _measurement(module, "OpenCV NLM", clip="bikes", psnr=28.0),
        _measurement(module, "BM3D", psnr=31.0),
    ]
    means, psnrs, _ = quality._tables(_session(module, tmp_path), noise, found)
    assert means.rows[0][:2] == ("OpenCV NLM", "27.00") and means.rows[1][1] == "-"
    assert psnrs.rows[1] == ("BM3D", "31.00", "-")


def test_differences_to_the_bar_are_those_of_the_frames_that_a_method_restored(module):
    quality = module("quality")
    bar = _measurement(module, "V-BM3D np", psnr=33.0)
    slow = dataclasses.replace(_measurement(module, "ZS-N2N", psnr=30.0), psnr_of_frames=(30.0,))
    bar = dataclasses.replace(bar, psnr_of_frames=(32.0, 34.0))
    assert quality._over([bar, slow], "ZS-N2N") == pytest.approx(-2.0)
    assert quality._over([slow], "ZS-N2N") is None


def test_pictures_are_svg_with_their_text_and_the_same_for_the_same_numbers(module):
    plots = module("plots")
    points = {"reelprior": (2.0, 0.3), "V-BM3D np": (0.2, 0.0)}
    first, second = (plots.quality_over_time(points, reference=500.0, bar="V-BM3D np") for _ in range(2))
    assert first == second and "reelprior" in first and "</svg>" in first
    panels = plots.quality_of_frames(
        {"carphone": {"reelprior": (33.0, 34.0)}, "bikes": {"reelprior": (33.0, 34.0)}}
    )
    assert "carphone" in panels and "bikes" in panels
    assert "iterates" in plots.curves({"iterates": ((1, 2), (20.0, 30.0))}, {"reelprior": 31.0}, x_label="x")


def test_hidden_pixels_show_their_neighbours_and_tell_how_far_a_guess_is_off(module, flat):
    film = module("film")
    captured = flat.copy()
    captured[1, 8, 8] = 200
    shown, hidden = film.hide(captured)
    assert 0.01 < hidden.mean() < 0.02
    assert (shown[hidden] == 128).all() and np.array_equal(shown[~hidden], captured[~hidden])
    assert film.hidden_error(shown, shown, hidden) == 0
    assert film.hidden_error(shown + np.uint8(2), shown, hidden) == 2


def test_the_reference_is_followed_to_its_last_iteration(module):
    noisy = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    looks = module("still").follow_reference(
        noisy, module("noises").NOISES["sigma25"], iterations=2, score=lambda picture: float(picture.shape[0])
    )
    assert [(look.iteration, look.average, look.iterate) for look in looks] == [(2, 64.0, 64.0)]


def test_the_reference_stops_when_its_time_is_up(module):
    noisy = np.zeros((64, 64, 3), np.uint8)
    noise = module("noises").NOISES["sigma25"]
    looks = module("still").follow_reference(noisy, noise, iterations=500, score=lambda _: 0.0, seconds=0.0)
    assert looks == []


def test_an_unknown_clip_is_refused_with_the_known_ones(module, monkeypatch, capsys):
    run = module("run")
    with pytest.raises(SystemExit):
        run._parse(["--clips", "carphone,nothing"])
    assert "'nothing' is none of carphone" in capsys.readouterr().err


def test_measurements_go_into_the_json(module):
    table = module("table")
    section = table.Section("Things", data=[{"psnr": 30.0}])
    written = table.to_json([section], machine={}, versions={}, command="c", judged=True)
    assert json.loads(json.dumps(written))["sections"][0]["data"] == [{"psnr": 30.0}]
