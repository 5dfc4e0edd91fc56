"""What an output is coded as."""

import pytest

from reelprior.io.coding import Coding, choose_pix_fmt, codec_names, target_kind, video_encoding
from reelprior.io.errors import OutputError
from reelprior.io.image_coding import image_format


def encoding(path, *, source="yuv420p", size=(64, 48), **coding):
    return video_encoding(path, Coding(**coding), source_pix_fmt=source, width=size[0], height=size[1])


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("film.mkv", "video"),
        ("FILM.MP4", "video"),
        ("still.png", "image"),
        ("still_%04d.tif", "pattern"),
        ("still_%d.png", "pattern"),
        ("stills", "folder"),
    ],
)
def test_the_suffix_says_what_the_output_is(path, kind):
    assert target_kind(path) == kind


def test_an_unknown_suffix_is_an_error_that_lists_the_known_ones():
    with pytest.raises(OutputError, match=r"film\.xyz.*'\.xyz'.*\.mkv.*\.png"):
        target_kind("film.xyz")


def test_an_existing_folder_may_have_a_dot_in_its_name(tmp_path):
    assert target_kind(tmp_path) == "folder"
    (tmp_path / "take.2").mkdir()
    assert target_kind(tmp_path / "take.2") == "folder"


@pytest.mark.parametrize(
    ("path", "codec"), [("a.mkv", "ffv1"), ("a.mp4", "h264"), ("a.mov", "prores"), ("a.webm", "av1")]
)
def test_each_container_has_a_default_codec(path, codec):
    assert encoding(path).codec == codec


def test_ffv1_is_written_for_preservation():
    options = encoding("a.mkv").options
    assert options == {"level": "3", "g": "1", "slices": "16", "slicecrc": "1", "coder": "1", "context": "1"}


@pytest.mark.parametrize("name", ["h265", "hevc", "libx265", "x265"])
def test_codecs_go_by_several_names(name):
    assert encoding("a.mkv", codec=name).encoder == "libx265"


def test_an_unknown_codec_is_an_error_that_lists_the_known_ones():
    with pytest.raises(OutputError, match=", ".join(codec_names())):
        encoding("a.mkv", codec="divx")


@pytest.mark.parametrize(
    ("codec", "source", "chosen"),
    [
        ("ffv1", "yuv420p", "yuv420p"),
        ("ffv1", "yuvj422p", "yuv422p"),
        ("ffv1", "yuv411p", "yuv411p"),
        ("ffv1", "yuv444p12le", "yuv444p12le"),
        ("ffv1", "gray", "gray"),
        ("ffv1", "gray16le", "gray16le"),
        ("ffv1", "rgb24", "bgr0"),
        ("ffv1", "rgb48le", "gbrp16le"),
        ("ffv1", "nv12", "yuv420p"),
        ("ffv1", "p010le", "yuv420p10le"),
        ("ffv1", "yuva420p", "yuva420p"),
        ("ffv1", "pal8", "bgr0"),
        ("ffv1", "gbrpf32le", "gbrp16le"),
        ("h264", "yuv420p10le", "yuv420p10le"),
        ("h264", "yuv411p", "yuv422p"),
        ("h264", "yuv440p", "yuv444p"),
        ("h264", "rgb24", "yuv444p10le"),
        ("h265", "yuv422p12le", "yuv422p12le"),
        ("h265", "rgb24", "gbrp"),
        ("h265", "gray12le", "gray12le"),
        ("av1", "yuv420p", "yuv420p"),
        ("av1", "gray", "yuv420p"),
        ("prores", "yuv420p", "yuv422p10le"),
        ("prores", "yuv444p", "yuv444p10le"),
        ("prores", "rgb24", "yuv444p10le"),
    ],
)
def test_the_default_keeps_depth_and_chroma_or_takes_the_nearest_that_is_no_worse(codec, source, chosen):
    assert encoding("a.mkv", codec=codec, source=source).pix_fmt == chosen


@pytest.mark.parametrize(
    ("codec", "source"),
    [("h264", "yuv420p12le"), ("av1", "yuv422p"), ("prores", "yuv422p12le"), ("av1", "rgb24")],
)
def test_a_codec_that_would_lose_something_is_an_error_that_names_the_choices(codec, source):
    with pytest.raises(OutputError, match=rf"{source}.*state one of .*yuv42.*or use ffv1"):
        encoding("a.mkv", codec=codec, source=source)


def test_a_stated_pixel_format_may_be_worse():
    assert (
        encoding("a.mkv", codec="av1", source="yuv444p12le", pix_fmt="yuv420p10le").pix_fmt == "yuv420p10le"
    )


def test_a_stated_pixel_format_that_the_codec_lacks_is_an_error_that_names_the_choices():
    with pytest.raises(OutputError, match=r"av1 has no pixel format 'yuv444p'.*yuv420p, yuv420p10le"):
        encoding("a.mkv", codec="av1", pix_fmt="yuv444p")


def test_full_range_formats_of_old_become_plain_ones():
    assert encoding("a.mp4", pix_fmt="yuvj420p").pix_fmt == "yuv420p"


@pytest.mark.parametrize(
    ("size", "chosen"),
    [((63, 48), "yuv444p"), ((64, 47), "yuv422p"), ((63, 47), "yuv444p"), ((64, 48), "yuv420p")],
)
def test_odd_sizes_get_a_chroma_that_they_divide_into(size, chosen):
    assert encoding("a.mp4", size=size).pix_fmt == chosen


def test_options_of_the_user_go_over_the_defaults():
    options = encoding("a.mp4", options={"crf": "20", "tune": "film"}).options
    assert options == {"crf": "20", "preset": "slow", "tune": "film"}


def test_parameters_of_x265_are_joined_so_that_it_stays_silent():
    options = encoding("a.mp4", codec="h265", options={"x265-params": "psy-rd=1"}).options
    assert options["x265-params"] == "log-level=error:psy-rd=1"


def test_an_unknown_preset_is_found_before_the_encoder_prints_about_it():
    with pytest.raises(OutputError, match=r"'fastest'.*ultrafast"):
        encoding("a.mp4", options={"preset": "fastest"})


def test_nothing_fits_where_nothing_is_supported():
    assert choose_pix_fmt("yuv420p", []) is None


@pytest.mark.parametrize(
    ("path", "codec", "source", "expected"),
    [
        ("stills", None, "yuv420p", (".png", "rgb24")),
        ("stills", "tiff", "yuv422p10le", (".tiff", "rgb48le")),
        ("still.png", None, "gray", (".png", "gray")),
        ("still.tif", None, "gray10le", (".tif", "gray16le")),
        ("still.jpg", None, "rgb48le", (".jpg", "rgb24")),
        ("s_%04d.png", "png", "gbrp16le", (".png", "rgb48le")),
    ],
)
def test_pictures_have_16_bits_where_the_source_has_more_than_8(path, codec, source, expected):
    assert image_format(path, Coding(codec=codec), source_pix_fmt=source) == expected


@pytest.mark.parametrize(
    ("path", "coding", "message"),
    [
        ("stills", Coding(codec="h264"), "a folder holds pictures.*png or tiff"),
        ("still.png", Coding(codec="tiff"), "does not go with"),
        ("still.jpg", Coding(pix_fmt="rgb48le"), "use gray, rgb24"),
        ("still.png", Coding(options={"crf": "3"}), "no encoder options.*crf"),
    ],
)
def test_codings_that_pictures_do_not_have_are_errors(path, coding, message):
    with pytest.raises(OutputError, match=message):
        image_format(path, coding, source_pix_fmt="rgb24")
