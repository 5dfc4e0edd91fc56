"""Presets: commented TOML files of `reelprior.configs` or of the user's, and ``--set key=value`` on top.

A preset sets what differs from the defaults; ``denoise.toml`` spells all of them out. This module turns names
and files into `Settings` and knows nothing of jobs.
"""

import copy
import difflib
import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from reelprior.pipeline.errors import UsageError
from reelprior.pipeline.quality import Quality, changes_of
from reelprior.pipeline.settings import Settings, setting_keys, validate_settings

__all__ = ["fitting_preset", "load_settings", "preset_names", "preset_summary", "preset_text"]

_CONFIGS = "reelprior.configs"


def preset_names() -> tuple[str, ...]:
    """The presets that ship with the package, in alphabetical order."""
    files = (entry.name for entry in resources.files(_CONFIGS).iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in files if name.endswith(".toml")))


def preset_text(preset: str) -> str:
    """The commented TOML of a preset by name, or of a file of the user's.

    Raises
    ------
    UsageError
        If there is neither a preset of that name nor a readable file.
    """
    if preset in preset_names():
        return (resources.files(_CONFIGS) / f"{preset}.toml").read_text(encoding="utf-8")
    path = Path(preset)
    if path.suffix == ".toml" or path.is_file():
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise UsageError(f"preset file {preset} cannot be read: {reason}") from error
    nearest = difflib.get_close_matches(preset, preset_names(), n=1, cutoff=0.5)
    hint = f", did you mean {nearest[0]}?" if nearest else ";"
    raise UsageError(
        f"unknown preset {preset}{hint} there are {', '.join(preset_names())}, or a .toml file of your own"
    )


def preset_summary(preset: str) -> str:
    """What a preset is for: the first comment line of its file."""
    first = preset_text(preset).partition("\n")[0]
    return first.lstrip("# ").strip()


def fitting_preset(options: Mapping[str, Any], *, has_mask: bool) -> str:
    """The preset for what is asked for where none is named.

    Parameters
    ----------
    options
        As for `load_settings`.
    has_mask
        Whether a mask is given.
    """
    if "denoise" in options:
        return "denoise"
    # A mask, a defect or a size alone asks for that to be repaired or raised, and for nothing else to be touched.
    if options.get("scale", 1) > 1:
        return "upscale"
    if has_mask or any(value for key, value in options.items() if key.startswith("defects.")):
        return "inpaint"
    return "jpeg" if options.get("deblock") else "denoise"


def load_settings(
    preset: str,
    *,
    quality: Quality = Quality.STANDARD,
    overrides: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
) -> Settings:
    """Settings of a preset with the user's changes.

    Parameters
    ----------
    preset
        A name of `preset_names`, or the path of a TOML file.
    quality
        Changes budget and ensemble of the preset.
    overrides
        ``key=value`` as ``--set`` takes them: dotted key, value in TOML syntax, bare words allowed. They win
        over preset and quality, and the later over the earlier.
    options
        Dotted keys and values of command line options of their own (``--seed``); they win over everything.

    Raises
    ------
    UsageError
        In one line: unknown preset, broken TOML, unknown key (with the nearest), or a value that is not
        allowed.
    """
    try:
        tree = tomllib.loads(preset_text(preset))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"preset {preset} is not valid TOML: {error}") from error
    origins: dict[str, str] = {}
    for key, value in changes_of(quality).items():
        tree = _with_key(tree, key, value)
        origins[key] = f"--quality {quality}"
    for assignment in overrides:
        key, value = _parse_assignment(assignment)
        tree = _with_key(tree, key, value)
        origins[key] = f"--set {assignment}"
    for key, value in (options or {}).items():
        tree = _with_key(tree, key, value)
        origins[key] = f"--{key.rpartition('.')[2]} {value}"

    def origin_of(key: str) -> str:
        within = [origin for changed, origin in origins.items() if changed.startswith(f"{key}.")]
        return origins.get(key) or (within[-1] if within else f"preset {preset}")

    # All at once: two changes may be wrong one by one and right together.
    return validate_settings(tree, where=origin_of)


def _parse_assignment(assignment: str) -> tuple[str, Any]:
    key, equals, text = assignment.partition("=")
    key, text = key.strip(), text.strip()
    if not equals or not key or not text:
        raise UsageError(f"--set {assignment}: write key=value, for example --set fit.iterations=400")
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return key, text  # a bare word: --set compute.device=cpu
    return key, parsed["value"] if set(parsed) == {"value"} else text


def _with_key(tree: Mapping[str, Any], key: str, value: object) -> dict[str, Any]:
    """A copy of the tree with one dotted key set; `validate_settings` judges whether the key exists."""
    changed = copy.deepcopy(dict(tree))
    *groups, name = key.split(".")
    place = changed
    for group in groups:
        inner = place.setdefault(group, {})
        if not isinstance(inner, dict):
            raise UsageError(
                f"unknown key {key}: {group} is a single value; the keys are {', '.join(setting_keys())}"
            )
        place = inner
    place[name] = value
    return changed
