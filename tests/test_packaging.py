"""The package as it is installed: four rooms under one name, and the standard library's io left alone."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# `io` at the root would shadow the standard library's if it were not loaded before the path matters.
PROBE = (
    "import io, sys; assert io.__name__ == 'io' and io.StringIO().read() == ''; "
    "import reelprior.io; assert reelprior.io is not io and sys.modules['io'] is io"
)


@pytest.mark.parametrize("folder", [ROOT, ROOT / "tests"], ids=["root", "tests"])
@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        (["-c", PROBE], ""),
        (["-m", "timeit", "-n", "1", "-r", "1", PROBE], ""),  # -m puts the folder first on the path
        ([], PROBE),
    ],
    ids=["python -c", "python -m", "python <"],
)
def test_import_io_is_the_standard_library_wherever_python_starts(folder, arguments, stdin):
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_wheel_holds_the_presets_the_page_templates_and_the_type_markers(tmp_path):
    source = tmp_path / "source"
    ours = shutil.ignore_patterns(
        ".*", "build", "*.egg-info", "__pycache__", "demo", "benchmarks", "tests", "shared"
    )
    shutil.copytree(ROOT, source, ignore=ours)
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path / "dist", source],
        cwd=tmp_path,
        capture_output=True,
        timeout=300,
        check=True,
    )
    [wheel] = (tmp_path / "dist").glob("reelprior-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    presets = {f"reelprior/configs/{preset.name}" for preset in (ROOT / "configs").glob("*.toml")}
    assert presets
    assert names >= presets
    templates = {f"reelprior/pipeline/{template.name}" for template in (ROOT / "pipeline").glob("*.jinja")}
    assert len(templates) == 3
    assert names >= templates
    assert "reelprior/configs/examples/batch.toml" in names
    assert names >= {f"reelprior/{room}/py.typed" for room in ("io", "models", "pipeline", "configs")}
    # Nothing of the repository beside the four rooms.
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"reelprior"}
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
