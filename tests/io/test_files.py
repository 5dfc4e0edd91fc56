"""Files are whole or absent; hashes; arrays."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from rewriting import small_disk

from reelprior.io.errors import InputError, OutputError
from reelprior.io.files import atomic_path, load_arrays, save_arrays, sha256


def test_a_finished_file_appears_under_its_name_with_ordinary_permissions(tmp_path):
    plain = tmp_path / "plain.bin"
    plain.write_bytes(b"")
    with atomic_path(tmp_path / "a.bin") as temporary:
        temporary.write_bytes(b"whole")
        assert not (tmp_path / "a.bin").exists()
    assert (tmp_path / "a.bin").read_bytes() == b"whole"
    assert (tmp_path / "a.bin").stat().st_mode == plain.stat().st_mode
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.bin", "plain.bin"]


def test_the_temporary_name_keeps_the_suffix_and_is_hidden(tmp_path):
    with atomic_path(tmp_path / "film.mkv") as temporary:
        temporary.touch()
        assert temporary.suffix == ".mkv"
        assert temporary.name.startswith(".film.")
        assert temporary.parent == tmp_path


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file_and_no_temporary_one(tmp_path, error):
    final = tmp_path / "a.bin"
    final.write_bytes(b"old")
    with pytest.raises(error), atomic_path(final) as temporary:
        temporary.write_bytes(b"half")
        raise error
    assert final.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [final]


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    final = tmp_path / "a.bin"
    with atomic_path(final) as one, atomic_path(final) as two:
        assert one != two
        one.write_bytes(b"one")
        two.write_bytes(b"two")
    assert final.read_bytes() == b"one"  # the outer one was committed last


def test_a_missing_folder_is_named_with_the_remedy(tmp_path):
    final = tmp_path / "nowhere" / "a.bin"
    with (
        pytest.raises(OutputError, match=r"nowhere/a\.bin.*create its folder"),
        atomic_path(final) as temporary,
    ):
        temporary.write_bytes(b"")


def test_a_full_disk_is_one_clear_error_and_leaves_nothing(tmp_path):
    with small_disk(4096), pytest.raises(OutputError, match=r"a\.npz.*free some space"):
        save_arrays(tmp_path / "a.npz", {"big": np.zeros(10_000)})
    assert list(tmp_path.iterdir()) == []


def test_sha256_is_that_of_the_content(tmp_path):
    (tmp_path / "a").write_bytes(b"reel" * 100_000)
    assert sha256(tmp_path / "a") == hashlib.sha256(b"reel" * 100_000).hexdigest()


def test_the_hash_of_a_missing_file_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="missing"):
        sha256(tmp_path / "missing")


_ARRAYS = st.dictionaries(
    st.text("abc.fileé", min_size=1, max_size=6),
    npst.arrays(
        st.sampled_from([np.float32, np.int64, np.bool_, np.uint16, np.complex64]),
        npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    ),
    max_size=3,
)


@settings(max_examples=40, deadline=None)
@given(arrays=_ARRAYS)
def test_arrays_come_back_with_their_names_types_and_shapes(tmp_path_factory, arrays):
    path = tmp_path_factory.mktemp("arrays") / "a.npz"
    save_arrays(path, arrays)
    back = load_arrays(path)
    assert back.keys() == arrays.keys()
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        np.testing.assert_array_equal(back[name], array)


def test_equal_arrays_give_equal_files(tmp_path):
    for name in ("a.npz", "b.npz"):
        save_arrays(tmp_path / name, {"x": np.arange(5), "y": np.ones((2, 2), np.float32)})
    assert sha256(tmp_path / "a.npz") == sha256(tmp_path / "b.npz")


def test_arrays_of_objects_are_refused_both_ways(tmp_path):
    with pytest.raises(ValueError, match=r"'x'.*objects"):
        save_arrays(tmp_path / "a.npz", {"x": np.array([{}, None])})
    assert list(tmp_path.iterdir()) == []
    np.savez(tmp_path / "evil.npz", x=np.array([{}], dtype=object))
    with pytest.raises(InputError, match="evil"):
        load_arrays(tmp_path / "evil.npz")


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04" + bytes(40)])
def test_damaged_array_files_are_input_errors(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.npz"):
        load_arrays(tmp_path / "a.npz")


def test_a_truncated_array_file_is_an_input_error(tmp_path):
    save_arrays(tmp_path / "a.npz", {"x": np.arange(1000)})
    data = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"a\.npz"):
        load_arrays(tmp_path / "a.npz")
