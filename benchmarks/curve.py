"""The reference's curve: PSNR of the published method over its iterations, on a small crop, for a limited time."""

from clips import PACKAGED, load
from measuring import psnr_of
from noises import NOISES
from plots import curves
from reference import REFERENCE_ITERATIONS
from session import Session
from still import follow_reference
from table import Section, Table

__all__ = ["measure"]

#: The middle of the first carphone frame, where the face is; the whole 256x256 picture is followed by ``--only still``.
_SIDE, _SECONDS = 96, 240.0


def measure(session: Session) -> Section:
    """Follow it for a few minutes."""
    noise, case = NOISES["sigma25"], PACKAGED[0]
    frame = load(case, data=session.data, count=1)[0]
    top, left = ((side - _SIDE) // 2 for side in frame.shape[:2])
    clean = frame[top : top + _SIDE, left : left + _SIDE]
    looks = follow_reference(
        noise.add(clean[None])[0],
        noise,
        iterations=REFERENCE_ITERATIONS if session.frames is None else 20 * session.frames,
        score=lambda picture: psnr_of(picture, clean),
        seconds=_SECONDS,
    )
    if not looks:
        return Section("The reference's curve", notes=[f"Not one look was possible within {_SECONDS:g} s."])
    best, last = max(looks, key=lambda look: look.average), looks[-1]
    rows = [
        (name, str(look.iteration), f"{look.average:.2f}", f"{look.iterate:.2f}")
        for name, look in (("best average", best), ("last look", last))
    ]
    axis = [look.iteration for look in looks]
    lines = {
        "average of the iterates": (axis, [look.average for look in looks]),
        "iterates": (axis, [look.iterate for look in looks]),
    }
    notes = [
        f"{case.name}, one frame, the middle {_SIDE}x{_SIDE}, sigma 25; preset `reference`, at most "
        f"{REFERENCE_ITERATIONS} iterations or {_SECONDS:g} s. The best average is an oracle's choice: nothing stops "
        "the published method there."
    ]
    return Section(
        "The reference's curve",
        (),
        [Table(("reference", "iteration", "average, dB", "iterate, dB"), rows)],
        notes,
        data=[vars(look) for look in looks],
        pictures={"reference-curve.svg": curves(lines, {}, x_label="iterations of the published method")},
    )
