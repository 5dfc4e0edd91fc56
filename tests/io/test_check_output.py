"""Every reason why an output cannot be written is found before the work, and named with a remedy."""

import cv2
import numpy as np
import pytest
from media import make_video

from reelprior.io.coding import Coding
from reelprior.io.errors import OutputError
from reelprior.io.probe import probe
from reelprior.io.writer import check_output


def check(source, target, *, coding=None, overwrite=False, **more):
    check_output(target, source=probe(source), coding=coding or Coding(), overwrite=overwrite, **more)


@pytest.fixture
def film(tmp_path):
    return make_video(tmp_path / "a.mkv", frames=3)


@pytest.fixture
def stills(tmp_path):
    (tmp_path / "scan").mkdir()
    for number in range(3):
        cv2.imwrite(str(tmp_path / "scan" / f"{number:04d}.png"), np.zeros((6, 8, 3), np.uint8))
    return tmp_path / "scan"


@pytest.mark.parametrize("name", ["b.mkv", "b.mp4", "b.mov", "b.mp4", "stills", "s_%04d.png"])
def test_a_good_output_passes_and_nothing_is_written(tmp_path, film, name):
    check(film, tmp_path / name)
    assert list(tmp_path.iterdir()) == [film]


def test_an_existing_output_needs_permission(tmp_path, film):
    (tmp_path / "b.mkv").touch()
    with pytest.raises(OutputError, match=r"b\.mkv: exists already: use --overwrite"):
        check(film, tmp_path / "b.mkv")
    check(film, tmp_path / "b.mkv", overwrite=True)


def test_an_existing_picture_of_a_pattern_needs_permission(tmp_path, film):
    (tmp_path / "s_0002.png").touch()
    with pytest.raises(OutputError, match=r"s_0002\.png: exists already"):
        check(film, tmp_path / "s_%04d.png", frames=range(3))
    check(film, tmp_path / "s_%04d.png", frames=range(2))


def test_an_existing_folder_needs_permission_unless_it_is_empty(tmp_path, film):
    (tmp_path / "out").mkdir()
    check(film, tmp_path / "out")
    (tmp_path / "out" / "0000.png").touch()
    with pytest.raises(OutputError, match=r"out: exists already"):
        check(film, tmp_path / "out")
    check(film, tmp_path / "out", overwrite=True)


def test_a_folder_with_other_things_is_never_replaced(tmp_path, film):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.docx").touch()
    with pytest.raises(OutputError, match=r"holds 'thesis\.docx'"):
        check(film, tmp_path / "out", overwrite=True)


def test_a_folder_is_no_video_file(tmp_path, film):
    (tmp_path / "b.mkv").mkdir()
    with pytest.raises(OutputError, match=r"b\.mkv: is a folder"):
        check(film, tmp_path / "b.mkv", overwrite=True)


def test_a_missing_folder_is_named(tmp_path, film):
    with pytest.raises(OutputError, match=r"nowhere does not exist: create it"):
        check(film, tmp_path / "nowhere" / "b.mkv")


def test_a_folder_that_takes_no_files_is_found(film):
    with pytest.raises(OutputError, match=r"/proc/b\.mkv: cannot be written"):
        check(film, "/proc/b.mkv")


@pytest.mark.parametrize("overwrite", [False, True])
def test_the_source_is_never_overwritten(tmp_path, film, overwrite):
    (tmp_path / "link.mkv").symlink_to(film)
    (tmp_path / "hard.mkv").hardlink_to(film)
    (tmp_path / "sub").mkdir()
    for target in (film, tmp_path / "link.mkv", tmp_path / "hard.mkv", tmp_path / "sub" / ".." / "a.mkv"):
        with pytest.raises(OutputError, match="is the source itself"):
            check(film, target, overwrite=overwrite)


def test_a_sequence_is_never_overwritten(tmp_path, stills):
    for source, target in [
        (stills, stills),
        (stills / "%04d.png", stills / "%04d.png"),
        (stills / "%04d.png", stills / "0001.png"),
        (stills / "0000.png", stills / "0000.png"),
    ]:
        with pytest.raises(OutputError, match="is the source itself"):
            check(source, target, overwrite=True, frames=range(1) if target.suffix else None)


def test_the_folder_of_the_source_is_never_replaced(tmp_path, stills):
    cv2.imwrite(str(stills / "a.tif"), np.zeros((6, 8, 3), np.uint8))
    with pytest.raises(OutputError, match="is the folder of the source"):
        check(stills / "a.tif", stills, overwrite=True)


def test_pictures_that_would_get_one_name_are_found(tmp_path, stills):
    cv2.imwrite(str(stills / "0003.png"), np.zeros((6, 8, 3), np.uint8))
    for number in range(4, 8):
        cv2.imwrite(str(stills / f"{number:04d}.tif"), np.zeros((6, 8, 3), np.uint8))
    check(stills, tmp_path / "out")
    for old in stills.iterdir():
        old.unlink()
    for name in ("a.png", "a.tif"):
        cv2.imwrite(str(stills / name), np.zeros((6, 8, 3), np.uint8))
    with pytest.raises(OutputError, match=r"called 'a': rename"):
        check(stills, tmp_path / "out")


def test_several_frames_do_not_fit_into_one_picture(tmp_path, film):
    with pytest.raises(OutputError, match=r"3 frames do not fit.*b_%04d\.png"):
        check(film, tmp_path / "b.png", frames=range(3))
    with pytest.raises(OutputError, match=r"several frames do not fit"):
        check(film, tmp_path / "b.png")
    check(film, tmp_path / "b.png", frames=range(1, 2))


@pytest.mark.parametrize(
    ("name", "codec"), [("b.mov", "ffv1"), ("b.webm", "ffv1"), ("b.webm", "h264"), ("b.mp4", "prores")]
)
def test_a_codec_that_the_container_refuses_is_found(tmp_path, name, codec):
    source = make_video(tmp_path / "a.mkv", frames=2, audio=False)
    with pytest.raises(OutputError, match=rf"{name}.*cannot hold {codec}: use \.mkv"):
        check(source, tmp_path / name, coding=Coding(codec=codec))


def test_an_unknown_codec_is_found(tmp_path, film):
    with pytest.raises(OutputError, match=r"unknown codec 'divx': use one of ffv1"):
        check(film, tmp_path / "b.mkv", coding=Coding(codec="divx"))


def test_an_unknown_suffix_is_found(tmp_path, film):
    with pytest.raises(OutputError, match=r"unknown kind of output '\.xyz'"):
        check(film, tmp_path / "b.xyz")


def test_an_option_that_the_encoder_does_not_know_is_found(tmp_path, film):
    with pytest.raises(OutputError, match=r"libx264 has no option sharpness"):
        check(film, tmp_path / "b.mp4", coding=Coding(options={"sharpness": "3"}))


def test_an_option_of_impossible_value_is_found(tmp_path, film):
    with pytest.raises(OutputError, match=r"crf=nonsense.*change one of them"):
        check(film, tmp_path / "b.mp4", coding=Coding(options={"crf": "nonsense"}))


def test_a_size_that_the_codec_does_not_take_is_found(tmp_path, film):
    with pytest.raises(OutputError, match=r"av1 does not take yuv420p at 17000x64"):
        check(film, tmp_path / "b.mp4", coding=Coding(codec="av1"), size=(64, 17000))


@pytest.mark.parametrize(
    ("extra", "name", "message"),
    [
        ({"subtitles": True}, "b.mp4", r"\.mp4 cannot hold subtitle stream 2 \(subrip\) of .*: use \.mkv"),
        (
            {"attachment": True},
            "b.mp4",
            r"\.mp4 cannot hold attachment stream 2 \(notes\.txt\) of .*: use \.mkv",
        ),
        ({"audio": "pcm_u8"}, "b.mp4", r"\.mp4 cannot hold audio stream 1 \(pcm_u8\) of .*: use \.mkv"),
        ({"audio": "flac"}, "b.mov", r"\.mov cannot hold audio stream 1 \(flac\) of .*: use \.mkv or \.mp4"),
        ({}, "b.webm", r"\.webm cannot hold audio stream 1 \(pcm_s16le\)"),
    ],
)
def test_streams_that_the_container_cannot_hold_are_named_with_the_remedy(tmp_path, extra, name, message):
    source = make_video(tmp_path / "a.mkv", frames=3, **extra)
    with pytest.raises(OutputError, match=message):
        check(source, tmp_path / name)
    check(source, tmp_path / "b.mkv")


def test_pcm_goes_into_mp4_as_it_is(tmp_path, film):
    check(film, tmp_path / "b.mp4")


def test_nothing_is_printed_about_any_of_this(tmp_path, film, capfd):
    for name, codec in [
        ("b.mkv", "ffv1"),
        ("b.mp4", "h264"),
        ("b.mp4", "h265"),
        ("b.mp4", "av1"),
        ("b.mov", None),
    ]:
        check(film, tmp_path / name, coding=Coding(codec=codec))
    for options in ({"crf": "nonsense"}, {"preset": "nonsense"}, {"nonsense": "1"}):
        with pytest.raises(OutputError):
            check(film, tmp_path / "b.mp4", coding=Coding(options=options))
    assert capfd.readouterr() == ("", "")
