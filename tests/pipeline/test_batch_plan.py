"""The plan of a batch: names of outputs, what is refused before any work, and what has to be done again."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from reelprior.io.errors import InputError
from reelprior.pipeline.batch_plan import judge, plan_items, wish_covers, wish_hash
from reelprior.pipeline.errors import UsageError
from reelprior.pipeline.store import Entry
from reelprior.pipeline.wishes import Wishes, example_job_file, load_job_file


@pytest.fixture
def make(tmp_path):
    """Make empty files below ``in``."""

    def make_files(*names):
        for name in names:
            path = tmp_path / "in" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path / "in"

    return make_files


def planned(source, tmp_path, **wishes):
    items = plan_items(str(source), tmp_path / "out", Wishes(**wishes))
    return {
        str(Path(item.source).relative_to(tmp_path)): str(Path(item.output).relative_to(tmp_path))
        for item in items
    }


def test_folders_are_kept_and_endings_are_those_of_lossless_files(make, tmp_path):
    source = make("a.mov", "b/c.ts", "b/anna.jpg", "b/otto.tif", "d/1.png", "d/2.png")
    assert planned(source, tmp_path) == {
        "in/a.mov": "out/a.mkv",
        "in/b/c.ts": "out/b/c.mkv",
        "in/b/anna.jpg": "out/b/anna.png",
        "in/b/otto.tif": "out/b/otto.tif",
        "in/d": "out/d",
    }


def test_the_ending_of_videos_may_be_another(make, tmp_path):
    assert planned(make("a.mov"), tmp_path, suffix=".mp4") == {"in/a.mov": "out/a.mp4"}


def test_outputs_within_the_source_are_not_sources(make, tmp_path):
    source = make("a.mov", "out/a.mkv")
    items = plan_items(str(source), source / "out", Wishes())
    assert [Path(item.source).name for item in items] == ["a.mov"]


@pytest.mark.parametrize(
    "names",
    [("a.mov", "a.mp4"), ("a.mov", "A.mp4"), ("a\u0308.mov", "\u00e4.mp4")],
    ids=["suffix", "case", "unicode"],
)
def test_two_sources_of_one_output_are_refused_with_both_names(make, tmp_path, names):
    source = make(*names)
    with pytest.raises(UsageError, match=r"would both become .* rename one of them") as caught:
        planned(source, tmp_path)
    assert all(name in str(caught.value) for name in names)


def test_an_output_within_the_folder_of_another_is_refused(make, tmp_path):
    source = make("scan/1.png", "scan/2.png", "scan/sound.mkv")
    with pytest.raises(UsageError, match=r"sound.mkv would be written into .*out/scan"):
        planned(source, tmp_path)


def test_a_name_of_other_bytes_than_utf_8_is_refused(make, tmp_path):
    source = make("a\udcff.mov")
    with pytest.raises(UsageError, match=r"a\\udcff.mov.* is not valid UTF-8"):
        planned(source, tmp_path)


def test_a_job_file_gives_each_file_its_own_wishes(make, tmp_path):
    make("a.mov", "b/c.mov", "b/d.mov", "scan/x.png", "scan/y7.png")
    job_file = tmp_path / "job.toml"
    job_file.write_text(
        'set = ["seed=1"]\n'
        '[[files]]\npath = "in/b/*.mov"\nset = ["chunk.frames=5"]\n'
        '[[files]]\npath = "in/a.mov"\noutput = "first/a.mp4"\ncodec = "h264"\npriority = 3\nframes = "0:5"\n'
        '[[files]]\npath = "in/scan"\nkind = "sequence"\n'
    )
    items = plan_items(
        str(job_file), tmp_path / "out", Wishes(preset="denoise", set=("seed=9",), suffix=".mov")
    )
    by_name = {str(Path(item.output).relative_to(tmp_path / "out")): item for item in items}
    assert sorted(by_name) == ["c.mov", "d.mov", "first/a.mp4", "scan"]
    jobs = {name: json.loads(item.job) for name, item in by_name.items()}
    assert jobs["c.mov"]["settings"]["chunk"]["frames"] == 5
    assert jobs["c.mov"]["settings"]["seed"] == 1, "the job file wins over the command line"
    assert jobs["first/a.mp4"]["coding"]["codec"] == "h264"
    assert jobs["first/a.mp4"]["frames"] == [0, 5]
    assert by_name["first/a.mp4"].priority == 3
    assert by_name["scan"].kind == "sequence"
    assert by_name["c.mov"].wish == by_name["d.mov"].wish != by_name["first/a.mp4"].wish


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[[files]]\npath = 'in'\npresett = 'x'",
            "entry 1 of files: unknown key presett, did you mean preset",
        ),
        ("sett = []\n[[files]]\npath = 'in'", "unknown key sett, did you mean set"),
        ("[[files]]\npreset = 'denoise'", "entry 1 of files: path is missing"),
        ("preset = 'denoise'", "files is missing"),
        ("[[files]]\npath = 'in'\nseed = -1", "entry 1 of files: seed = -1: should be greater"),
        ("[[files]]\npath = 'in'\npreset = 'denois'", "unknown preset denois, did you mean denoise"),
        ("[[files]]\npath = 'in'\nset = ['seed']", "write key=value"),
        ("[[files]\n", "is not valid TOML"),
        ("[[files]]\npath = 'in/*'\noutput = 'x.mkv'", "2 files cannot all become x.mkv"),
        ("[[files]]\npath = 'in/a.mov'\nframes = '3'", "write A:B"),
    ],
)
def test_a_wrong_job_file_is_refused_in_one_line(make, tmp_path, text, message):
    make("a.mov", "b.mov")
    (tmp_path / "job.toml").write_text(text)
    with pytest.raises(UsageError, match=message) as caught:
        plan_items(str(tmp_path / "job.toml"), tmp_path / "out", Wishes())
    assert "\n" not in str(caught.value)


def test_the_example_job_file_is_valid_and_explains_every_key(tmp_path):
    (tmp_path / "batch.toml").write_text(example_job_file())
    wanted = load_job_file(tmp_path / "batch.toml")
    said = set(wanted.model_fields_set).union(*(entry.model_fields_set for entry in wanted.files))
    assert said == {*type(wanted).model_fields, *type(wanted.files[0]).model_fields}
    lines = example_job_file().splitlines()
    for number, line in enumerate(lines):
        if " = " in line and not line.startswith("#"):
            above = lines[number - 1]
            assert above.startswith(("#", "[[")) or " = " in above, f"{line} has no comment"


def test_the_hash_of_a_wish_is_that_of_what_is_to_come_out_only():
    def hash_of(kind="video", **wishes):
        return wish_hash(Wishes(**wishes).wish(kind), kind)

    usual = hash_of()
    assert usual == hash_of(set=("compute.threads=3", "compute.device=cpu"))
    others = [
        hash_of(seed=1),
        hash_of(codec="h264"),
        hash_of(frames="0:3"),
        hash_of(mask="m.png"),
        hash_of(dust=True),
        hash_of(dust=True, denoise="auto"),
        hash_of("image"),
        hash_of("pair"),
        hash_of("pair", bits=16),
        hash_of(deinterlace=True),
        hash_of(strict=True),
        hash_of(report=True),
    ]
    assert len({usual, *others}) == 1 + len(others)


@pytest.mark.parametrize("aid", ["mask", "profile", "list"])
def test_a_mask_or_a_profile_that_was_edited_makes_another_wish(make, tmp_path, aid):
    source = make("a.mov", "b/c.mov")
    named = tmp_path / {"mask": "m.png", "profile": "p.toml", "list": "m.toml"}[aid]
    edited = tmp_path / "listed.png" if aid == "list" else named
    wishes = Wishes(denoise=str(named)) if aid == "profile" else Wishes(mask=str(named))

    def wish():
        first, second = plan_items(str(source), tmp_path / "out", wishes)
        assert first.wish == second.wish
        return first.wish

    missing = wish()  # not the plan's error: every file says it
    named.write_text('[[mask]]\npath = "listed.png"\n')
    edited.write_text("one")
    before = wish()
    assert wish() == before
    edited.write_text("two")
    assert len({missing, before, wish()}) == 3


def test_a_defect_alone_is_all_that_is_repaired():
    settings = Wishes(dust=True, logo=False).settings()
    assert settings.defects.dust and not settings.defects.logo
    assert settings.denoise == "none"
    assert Wishes(dust=True, denoise="auto").settings().denoise == "auto"
    assert not Wishes(preset="film", scratches=False).settings().defects.scratches


def test_an_output_with_more_beside_it_is_what_is_asked_for_and_one_with_less_is_not():
    rich = Wishes(report=True, premis=True, access=(".mp4",)).wish("video")
    plain = Wishes().wish("video")
    assert wish_covers(rich, plain, "video")
    assert not wish_covers(plain, rich, "video")
    assert not wish_covers(rich, Wishes(seed=1).wish("video"), "video")


def test_another_wish_that_is_satisfied_leaves_a_file_done_with_the_wish_it_was_made_by():
    kept = judged(DONE, wanted=replace(WANTED, wish="less"), same_wish=True)
    assert (kept.state, kept.wish) == ("done", DONE.wish)


def test_a_pair_is_one_source_with_two_files(make, tmp_path):
    source = make("a_flash.jpg", "a_noflash.jpg", "b.jpg", "c/1.png", "c/2.png")
    items = plan_items(str(source), tmp_path / "out", Wishes())
    found = {Path(item.output).name: (item.kind, item.partner and Path(item.partner).name) for item in items}
    assert found == {
        "a_noflash.jpg": ("pair", "a_flash.jpg"),
        "b.png": ("image", None),
        "c": ("sequence", None),
    }
    alone = plan_items(str(source), tmp_path / "out", Wishes(pairs=False))
    assert {item.kind for item in alone} == {"image", "sequence"}


def test_a_job_file_may_name_a_pair_whatever_its_names(make, tmp_path):
    make("4.tif", "5.tif")
    (tmp_path / "job.toml").write_text(
        '[[files]]\npath = "in/4.tif"\nflash = "in/5.tif"\noutput = "anna.tif"\n'
    )
    (item,) = plan_items(str(tmp_path / "job.toml"), tmp_path / "out", Wishes())
    assert (item.kind, Path(item.partner).name, Path(item.output).name) == ("pair", "5.tif", "anna.tif")


def test_pairs_that_are_asked_for_and_not_there_and_masks_of_pairs_are_refused(make, tmp_path):
    source = make("a.jpg", "b.jpg")
    with pytest.raises(InputError, match="no flash/no-flash pairs"):
        plan_items(str(source), tmp_path / "out", Wishes(pairs=True))
    make("c_flash.jpg", "c_noflash.jpg")
    with pytest.raises(UsageError, match="--no-pairs"):
        plan_items(str(source), tmp_path / "out", Wishes(mask="m.png"))


WANTED = Entry(1, "/in/a.mov", "/out/a.mkv", "video", 0, "queued", None, "w")
DONE = replace(WANTED, state="done", source_stamp="s", source_hash="h", output_stamp="o", output_hash="i")


def judged(
    before,
    *,
    wanted=WANTED,
    source="s",
    output="o",
    same_source=False,
    same_output=False,
    same_wish=False,
    **options,
):
    options = {"overwrite": False, "retry_failed": False} | options
    return judge(
        wanted,
        before=before,
        source_stamp=source,
        output_stamp=output,
        same_source=lambda: same_source,
        same_output=lambda: same_output,
        same_wish=lambda: same_wish,
        **options,
    )


def test_a_new_file_is_queued_unless_its_output_is_there():
    assert judged(None, output=None).state == "queued"
    assert judged(None).state == "skipped"
    assert judged(None, overwrite=True).state == "queued"
    assert judged(replace(WANTED, state="skipped")).state == "skipped"
    assert judged(replace(WANTED, state="skipped"), output=None).state == "queued"


def test_what_is_done_and_unchanged_is_not_read_again():
    def read():
        raise AssertionError("nothing has to be read")

    kept = judge(
        WANTED,
        before=DONE,
        source_stamp="s",
        output_stamp="o",
        same_source=read,
        same_output=read,
        same_wish=read,
        overwrite=False,
        retry_failed=True,
    )
    assert kept == DONE


def test_another_time_with_the_same_content_is_unchanged_and_the_new_stamp_is_kept():
    kept = judged(DONE, source="s2", output="o2", same_source=True, same_output=True)
    assert (kept.state, kept.source_stamp, kept.output_stamp) == ("done", "s2", "o2")


def test_changed_sources_settings_and_lost_outputs_are_done_again():
    assert judged(DONE, source="s2").reason == "the source has changed"
    assert judged(DONE, wanted=replace(WANTED, wish="w2")).reason == "the settings have changed"
    assert judged(DONE, output=None).reason == "its output is gone"
    assert judged(DONE, source="s2").state == "queued"


def test_an_output_that_somebody_has_altered_is_left_alone_until_told_otherwise():
    assert judged(DONE, output="o2").state == "skipped"
    assert judged(DONE, output="o2", wanted=replace(WANTED, wish="w2")).state == "skipped"
    assert judged(DONE, output="o2", retry_failed=True).state == "skipped"
    assert judged(DONE, output="o2", overwrite=True).state == "queued"


def test_a_source_that_was_moved_away_after_its_restoration_is_no_matter():
    assert judged(DONE, source=None).state == "done"
    assert judged(DONE, source=None, wanted=replace(WANTED, wish="w2")).state == "done"


def test_a_failure_stays_until_it_is_retried_or_something_has_changed():
    failed = replace(WANTED, state="failed", reason="it diverged")
    assert judged(failed, output=None) == failed
    assert judged(failed, output=None, retry_failed=True).state == "queued"
    assert judged(failed, output=None, wanted=replace(WANTED, wish="w2")).state == "queued"


@pytest.mark.parametrize("state", ["queued", "running"])
def test_what_was_begun_is_queued_and_fails_if_its_source_is_gone(state):
    assert judged(replace(WANTED, state=state), output="half").state == "queued"
    assert judged(replace(WANTED, state=state), source=None).state == "failed"
