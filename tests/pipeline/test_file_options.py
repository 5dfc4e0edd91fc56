"""What may be said of a file: one place for the options of commands and the keys of job files."""

import inspect

import pytest

from reelprior.pipeline.batch_commands import batch
from reelprior.pipeline.cli import restore
from reelprior.pipeline.errors import UsageError
from reelprior.pipeline.file_options import FileOptions, Setting, takes
from reelprior.pipeline.wishes import FileEntry


def test_every_field_is_an_option_of_restore_and_of_batch_and_a_key_of_job_files():
    for command in (restore, takes(FileOptions)(batch)):
        assert FileOptions.model_fields.keys() <= inspect.signature(command).parameters.keys()
    assert FileOptions.model_fields.keys() <= FileEntry.model_fields.keys()


def test_a_new_field_of_the_model_reaches_a_command_as_what_was_given():
    got = []

    @takes(FileOptions)
    def command(wanted: FileOptions, more: int = 3) -> None:
        got.append((wanted, more))

    nothing = dict.fromkeys(FileOptions.model_fields)
    command(**nothing, more=4)
    command(**{**nothing, "deinterlace": False, "encoder_options": ["crf=16"]}, more=5)
    assert [more for _, more in got] == [4, 5]
    assert got[0][0].model_fields_set == set()
    assert got[1][0].model_fields_set == {"deinterlace", "encoder_options"}
    assert got[1][0].encoder_options == {"crf": "16"}


@pytest.mark.parametrize(("said", "handling"), [(True, "deinterlace"), (False, "ignore"), (None, "refuse")])
def test_an_option_that_stands_for_a_setting_changes_it(said, handling):
    assert FileOptions(deinterlace=said).settings().fields.handling == handling


def test_every_setting_that_an_option_stands_for_exists():
    for field in FileOptions.model_fields.values():
        for setting in (mark for mark in field.metadata if isinstance(mark, Setting)):
            settings = FileOptions().settings()
            for part in setting.key.split("."):
                settings = getattr(settings, part)


def test_a_number_of_a_job_file_is_read_as_on_the_command_line():
    assert FileOptions(denoise=8).settings() == FileOptions(denoise="8").settings()
    with pytest.raises(UsageError):
        FileOptions(denoise="loud").settings()


def test_a_mask_alone_asks_for_nothing_but_its_being_filled():
    assert FileOptions(mask="m.png").settings().denoise == "none"
    assert FileOptions(mask="m.png").job("a.mkv", "b.mkv", report="r.html").report == "r.html"
