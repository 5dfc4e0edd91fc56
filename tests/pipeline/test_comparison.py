"""One pass over the clips: which numbers and pictures stay, and how a wrong reference is refused."""

from dataclasses import dataclass
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from reelprior.io.errors import InputError
from reelprior.io.frame import Frame
from reelprior.pipeline.comparison import check_reference, compare
from reelprior.pipeline.metrics import frame_to_frame_error, psnr
from reelprior.pipeline.showcase import PICTURE_WIDTH

SHAPE = (3, 24, 32)


@dataclass
class ClipReader:
    """A reader over frames in memory that remembers what it was asked for."""

    path: str
    frames: list

    def __post_init__(self):
        self.info = SimpleNamespace(path=self.path)
        self.asked = []

    def read(self, start, stop):
        self.asked.append((start, stop))
        for index in range(start, min(stop, len(self.frames))):
            yield Frame(self.frames[index], index, 40 * index, 40, Fraction(1, 1000))


@pytest.fixture
def truth():
    rng = np.random.default_rng(3)
    return ClipReader("truth.mkv", [rng.random(SHAPE, dtype=np.float32) * 0.8 for _ in range(8)])


def with_error(clip: ClipReader, path: str, errors: list[float]) -> ClipReader:
    """The clip with a constant error for each frame, in grey levels."""
    return ClipReader(path, [f + np.float32(e / 255) for f, e in zip(clip.frames, errors, strict=True)])


def labelled(comparison, label):
    """Indices of the pictures that are shown for a reason."""
    return [p.index for p in comparison.pictures if label in p.label.split(" and ")]


def test_ranges_the_source_and_the_truth_by_index_and_the_output_from_its_start(truth):
    before = with_error(truth, "before.mkv", [10] * 8)
    after = ClipReader("after.mkv", [frame + np.float32(1 / 255) for frame in truth.frames[2:7]])
    comparison = compare(before, after, truth, range(2, 7))
    assert (before.asked, after.asked, truth.asked) == ([(2, 7)], [(0, 5)], [(2, 7)])
    assert [frame.index for frame in comparison.frames] == [2, 3, 4, 5, 6]
    assert comparison.scores()["psnr_before"] == pytest.approx(20 * np.log10(255 / 10), abs=1e-3)
    assert comparison.scores()["psnr_after"] == pytest.approx(20 * np.log10(255 / 1), abs=1e-3)
    assert [frame.change for frame in comparison.frames] == pytest.approx([9.0] * 5, abs=1e-3)


def test_the_scores_are_those_of_the_metrics_module(truth):
    rng = np.random.default_rng(4)
    before = ClipReader(
        "before.mkv", [f + rng.normal(0, 0.1, SHAPE).astype(np.float32) for f in truth.frames]
    )
    after = ClipReader("after.mkv", [f + rng.normal(0, 0.02, SHAPE).astype(np.float32) for f in truth.frames])
    comparison = compare(before, after, truth, range(8))
    clips = np.stack(after.frames), np.stack(truth.frames)
    assert comparison.after.psnr == pytest.approx(psnr(*clips))
    assert comparison.after.frame_to_frame_error == pytest.approx(frame_to_frame_error(*clips))
    assert comparison.frames[3].psnr_before == pytest.approx(psnr(before.frames[3], truth.frames[3]))
    assert sorted(comparison.scores()) == [
        "frame_to_frame_error_after",
        "frame_to_frame_error_before",
        "psnr_after",
        "psnr_before",
        "ssim_after",
        "ssim_before",
    ]


def test_the_worst_frame_is_the_one_of_lowest_psnr(truth):
    after = with_error(truth, "after.mkv", [1, 1, 1, 1, 1, 5, 1, 1])
    comparison = compare(with_error(truth, "before.mkv", [9] * 8), after, truth, range(8))
    assert labelled(comparison, "worst") == [5]
    assert labelled(comparison, "first") == [0]
    assert labelled(comparison, "middle") == [4]
    picture = next(picture for picture in comparison.pictures if picture.index == 5)
    np.testing.assert_array_equal(picture.after, after.frames[5])
    assert picture.pts_seconds == pytest.approx(0.2)


def test_without_a_reference_the_most_changed_frame_is_shown_and_there_are_no_scores(truth):
    after = with_error(truth, "after.mkv", [1, 1, 1, 1, 7, 1, 1, 1])
    comparison = compare(truth, after, None, range(8))
    assert labelled(comparison, "middle") == labelled(comparison, "most changed") == [4]
    assert comparison.scores() == {}
    assert comparison.frames[4].psnr_after is None


def test_infinite_scores_are_none_in_json(truth):
    scores = compare(truth, truth, truth, range(1)).scores()
    assert scores["psnr_after"] is None
    assert scores["frame_to_frame_error_after"] is None
    assert scores["ssim_after"] == pytest.approx(1.0)


def test_one_frame_is_one_picture(truth):
    comparison = compare(truth, truth, truth, range(1))
    assert [picture.label for picture in comparison.pictures] == ["first and middle and worst"]


def test_pictures_of_large_frames_are_scaled_down():
    large = ClipReader("large.mkv", [np.zeros((3, 8, 2 * PICTURE_WIDTH), np.float32)])
    assert compare(large, large, None, range(1)).pictures[0].after.shape == (3, 4, PICTURE_WIDTH)


def test_a_clip_that_ends_early_is_named(truth):
    short = ClipReader("short.mkv", truth.frames[:3])
    with pytest.raises(InputError, match=r"short\.mkv: has fewer than the 8 frames"):
        compare(truth, short, None, range(8))
    with pytest.raises(InputError, match=r"short\.mkv: has fewer than the 8 frames"):
        compare(truth, truth, short, range(8))


def test_a_reference_is_checked_at_its_last_frame_only(truth):
    check_reference(truth, truth, range(2, 6))
    assert truth.asked == [(5, 6), (5, 6)]


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (ClipReader("ref.mkv", [np.zeros(SHAPE, np.float32)] * 5), r"ref\.mkv: has fewer than the 8 frames"),
        (
            ClipReader("ref.mkv", [np.zeros((3, 24, 30), np.float32)] * 8),
            r"ref\.mkv: 30x24 pixels cannot be compared with 32x24 of truth\.mkv",
        ),
    ],
)
def test_an_unfit_reference_is_refused_before_the_work(truth, reference, message):
    with pytest.raises(InputError, match=message):
        check_reference(reference, truth, range(8))


def test_of_neighbours_only_the_worst_is_shown():
    clean = ClipReader("clean.mkv", [np.full(SHAPE, np.float32(0.4))] * 40)
    errors = [1.0] * 40
    errors[20:23] = [7.0, 9.0, 8.0]
    errors[35] = 5.0
    comparison = compare(clean, with_error(clean, "after.mkv", errors), clean, range(40))
    assert labelled(comparison, "worst") == [21]
    assert labelled(comparison, "second worst") == [35]


def test_the_baseline_is_applied_to_the_source_and_scored_like_the_result(truth):
    before, after = with_error(truth, "before.mkv", [10] * 8), with_error(truth, "after.mkv", [2] * 8)
    asked = []

    def halved(frame, missing):
        asked.append(missing)
        return frame - np.float32(5 / 255)

    comparison = compare(before, after, truth, range(8), baseline=halved)
    assert comparison.scores()["psnr_baseline"] == pytest.approx(20 * np.log10(255 / 5), abs=1e-3)
    assert comparison.frames[3].psnr_baseline == pytest.approx(20 * np.log10(255 / 5), abs=1e-3)
    assert asked == [None] * 8
    np.testing.assert_allclose(
        comparison.pictures[0].baseline, truth.frames[0] + np.float32(5 / 255), atol=1e-6
    )
    np.testing.assert_array_equal(comparison.pictures[0].reference, truth.frames[0])


def test_what_the_mask_marks_is_no_residual(truth):
    """Half of the pixels are filled with something else; the known ones differ by nothing."""
    missing = np.zeros(SHAPE[1:], bool)
    missing[:12] = True
    after = ClipReader("after.mkv", [np.where(missing, np.float32(0.5), frame) for frame in truth.frames])
    comparison = compare(truth, after, None, range(8), missing=lambda _: missing)
    assert {frame.missing for frame in comparison.frames} == {0.5}
    assert [frame.residual for frame in comparison.frames] == [0.0] * 8


def test_flicker_is_not_measured_across_cuts_nor_at_the_ends(truth):
    comparison = compare(truth, truth, None, range(8), cuts={0, 4})
    known = [frame.index for frame in comparison.frames if frame.flicker_after is not None]
    assert known == [1, 2, 5, 6]
