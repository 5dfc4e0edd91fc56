"""Quality: the engine and its peers on the same noisy clips, in one run, and the figures against V-BM3D.

For each noise level all methods restore all clips. The tables show means over the clips, then PSNR and frame-to-frame
error clip by clip; ``results.json`` has every measurement, frame by frame.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict

import clips
from measuring import Measurement, Subject, measure_method, vapoursynth
from methods import BAR, ENGINES, PEERS, Engine, Peer
from noises import Noise
from plots import quality_of_frames, quality_over_time
from reference import REFERENCE_ITERATIONS, speed_ratio, time_of_size
from session import Session
from table import Figure, Section, Table, at_least, at_most
from vapoursynth_environment import MissingError

__all__ = ["measure"]

#: Frames of each clip at other noise than sigma 25, which is the level that most others publish.
_MAIN_NOISE, _OTHER_FRAMES = "sigma25", 10
#: PSNR over the bar, in dB: mean over the clips, and the least of a clip.
_WANTED = {"sigma10": (-0.3, None), "sigma25": (0.0, -0.5), "sigma50": (0.0, None)}
_DEFAULT, _DRAFT, _BEST = "reelprior", "reelprior draft", "reelprior best"
_SPEED, _DRAFT_SPEED = 150, 500

_NOTES = (
    "Noise: `numpy.random.default_rng(7).normal(0, sigma, (T, H, W, 3))` on 8-bit R'G'B', rounded and clipped; sensor: "
    "variance 0.012 x + 0.0004 at a clean value x in [0, 1], Poisson and Gaussian, the same way. The input is "
    "lossless. PSNR: from the squared error over all frames, pixels and channels of the 8-bit output; means over the "
    "clips are means of dB. SSIM: per channel of R'G'B', Gaussian window of 11. Frame to frame: mean |d/dt restored - "
    "d/dt clean| in grey levels. Ratio: time of the published per-frame method, see below, over that of the method. "
    "Peak: resident memory of the process with all it imports. Every method runs in a process of its own and is told "
    "sigma; of the sensor the root mean square over the clip, V-BM3D and BM3D its variance, which they stabilise "
    "(generalised Anscombe transform), and reelprior nothing: it measures it. The slow peers restore only the first "
    "frames of each clip, as many as their name says; differences to the bar are those of the frames they restored.",
)


def measure(session: Session) -> Section:
    """Compare everything at every noise level."""
    figures: list[Figure] = []
    tables: list[Table] = []
    everything: list[Measurement] = []
    for noise in session.wanted_noises():
        found = _compare(session, noise)
        everything += found
        figures += _figures(session, noise, found)
        tables += _tables(session, noise, found)
    notes = [*_NOTES, _strengths(everything)]
    python = vapoursynth(session)
    if isinstance(python, MissingError):
        notes.append(f"**BM3D and V-BM3D did not run: {python}.** Nothing was compared with them.")
    main = [found for found in everything if found.noise == _MAIN_NOISE]
    pictures = {}
    if main and any(m.method == BAR for m in main):
        pictures["quality-over-time.svg"] = quality_over_time(
            _points(main), reference=_reference_seconds(session, main), bar=BAR
        )
        shown = ("OpenCV NLM", BAR, *(engine.name for engine in ENGINES))
        pictures["quality-of-frames.svg"] = quality_of_frames(
            {
                case: {f.method: f.psnr_of_frames for f in main if f.clip == case and f.method in shown}
                for case in _clips(main)
            }
        )
    return Section(
        "Quality", figures, tables, notes, data=[asdict(found) for found in everything], pictures=pictures
    )


def _compare(session: Session, noise: Noise) -> list[Measurement]:
    count = session.frames
    if noise.name != _MAIN_NOISE:
        count = min(count or _OTHER_FRAMES, _OTHER_FRAMES)
    found = []
    for case in session.cases():
        if not noise.is_constant and case not in clips.PACKAGED:
            continue
        subject = Subject.of(case, noise, data=session.data, frames=count)
        methods = [method for method in (*PEERS, *ENGINES) if _takes_part(session, method, subject)]
        results = [measure_method(session, subject, method) for method in (None, *methods)]
        found += [result for result in results if result is not None]
    return found


def _takes_part(session: Session, method: Engine | Peer, subject: Subject) -> bool:
    if not session.wants(method.name):
        return False
    if method.extent == "everywhere":
        return True
    is_packaged = subject.case in clips.PACKAGED
    return subject.noise.name == _MAIN_NOISE and (method.extent == "sigma 25" or is_packaged)


def _figures(session: Session, noise: Noise, found: Sequence[Measurement]) -> list[Figure]:
    """What is promised at a noise level, of what was measured."""
    figures = []
    ours, bar = _of(found, _DEFAULT), _of(found, BAR)
    if noise.name in _WANTED and ours and bar:
        mean, least = _WANTED[noise.name]
        over = {clip: ours[clip].psnr - bar[clip].psnr for clip in ours if clip in bar}
        worst = min(over, key=over.__getitem__)
        name = f"PSNR over {BAR}, {noise.title}"
        figures.append(at_least(f"{name}, mean of {len(over)} clips", _mean(over.values()), mean, unit="dB"))
        if least is not None:
            figures.append(at_least(f"{name}, worst clip ({worst})", over[worst], least, unit="dB"))
        flicker = _mean(m.frame_to_frame_error for m in ours.values()) / _mean(
            m.frame_to_frame_error for m in bar.values()
        )
        figures.append(at_most(f"frame-to-frame error over that of {BAR}, {noise.title}", flicker, 1.0))
    if noise.name != _MAIN_NOISE or not ours:
        return figures
    draft, best = _of(found, _DRAFT), _of(found, _BEST)
    figures.append(_speed(session, ours, "time per frame: reference / reelprior", _SPEED))
    if draft:
        figures.append(_speed(session, draft, "time per frame: reference / draft", _DRAFT_SPEED))
        loss = _mean(ours[clip].psnr - draft[clip].psnr for clip in draft)
        figures.append(at_most("PSNR, draft below standard", loss, 0.7, unit="dB"))
    if best:
        gain = _mean(best[clip].psnr - ours[clip].psnr for clip in best)
        times = _mean(_seconds(best[clip]) / _seconds(ours[clip]) for clip in best)
        figures.append(at_least("PSNR, best above standard", gain, 0.3, unit="dB"))
        figures.append(at_most("time per frame: best / standard", times, 4))
    return figures


def _speed(session: Session, found: dict[str, Measurement], name: str, wanted: float) -> Figure:
    """The least favourable clip decides."""
    ratios = {clip: _ratio(session, measured) for clip, measured in found.items()}
    worst = min(ratios, key=ratios.__getitem__)
    return at_least(f"{name}, worst clip ({worst})", ratios[worst], wanted, digits=0)


def _tables(session: Session, noise: Noise, found: Sequence[Measurement]) -> list[Table]:
    names = _clips(found)
    means, psnrs, flicker = [], [], []
    for method in dict.fromkeys(measured.method for measured in found):
        results = _of(found, method)
        title = _title(method, results)
        whole = len(results) == len(names)
        over = _over(found, method)
        quality = _quality(results) if whole else ("-",) * 3
        means.append((title, *quality, "-" if over is None else f"{over:+.2f}", *_cost(session, results)))
        psnrs.append((title, *_cells(results, names, lambda m: m.psnr)))
        flicker.append((title, *_cells(results, names, lambda m: m.frame_to_frame_error)))
    heading = f"{noise.title}, mean of {len(names)} clips"
    columns = ("PSNR, dB", "SSIM", "frame to frame", f"over {BAR}, dB", "s per frame", "ratio", "peak, MiB")
    return [
        Table((heading, *columns), means),
        Table((f"{noise.title}: PSNR, dB", *names), psnrs),
        Table((f"{noise.title}: frame to frame", *names), flicker),
    ]


def _title(method: str, results: dict[str, Measurement]) -> str:
    peer = next((peer for peer in PEERS if peer.name == method), None)
    limit = peer.frames if peer else None
    bold = method == _DEFAULT
    if limit:
        return f"{method}, {limit} frame{'s' if limit > 1 else ''} of each"
    return f"**{method}**" if bold else method


def _quality(results: dict[str, Measurement]) -> tuple[str, ...]:
    measured = list(results.values())
    flicker = _mean(m.frame_to_frame_error for m in measured)
    return (
        f"{_mean(m.psnr for m in measured):.2f}",
        f"{_mean(m.ssim for m in measured):.3f}",
        f"{flicker:.2f}",
    )


def _cost(session: Session, results: dict[str, Measurement]) -> tuple[str, ...]:
    measured = list(results.values())
    if any(m.seconds_per_frame is None for m in measured):
        return "-", "-", "-"
    ratio = math.exp(_mean(math.log(_ratio(session, m)) for m in measured))
    peak = max(m.peak_bytes or 0 for m in measured)
    return f"{_mean(map(_seconds, measured)):.2f}", f"{ratio:,.0f}", f"{peak / 2**20:.0f}"


def _cells(
    results: dict[str, Measurement], names: Sequence[str], value: Callable[[Measurement], float]
) -> list[str]:
    values = [value(results[name]) if name in results else math.nan for name in names]
    return ["-" if math.isnan(number) else f"{number:.2f}" for number in values]


def _strengths(found: Sequence[Measurement]) -> str:
    """What each peer was given, by noise level, on the first clip."""
    lines = []
    for peer in PEERS:
        given = {m.noise: m.command for m in reversed(found) if m.method == peer.name}
        levels = "; ".join(f"{noise} `{options}`" for noise, options in reversed(given.items()))
        if levels:
            lines.append(f"- {peer.name}: {levels}")
    return "What the peers were given:\n\n" + "\n".join(lines) if lines else "No peer took part."


def _points(found: Sequence[Measurement]) -> dict[str, tuple[float, float]]:
    """Mean seconds per frame, and PSNR over the bar's on the same frames, of every method."""
    points = {}
    for method in dict.fromkeys(m.method for m in found if m.seconds_per_frame is not None):
        over = _over(found, method)
        if over is not None:
            points[method] = (_mean(map(_seconds, _of(found, method).values())), over)
    return points


def _over(found: Sequence[Measurement], method: str) -> float | None:
    """PSNR over the bar's, frame by frame on the frames that the method restored; a mean of the clips' means."""
    bar = _of(found, BAR)
    shared = [measured for clip, measured in _of(found, method).items() if clip in bar]
    if not shared:
        return None
    return _mean(
        _mean(ours - its for ours, its in zip(m.psnr_of_frames, bar[m.clip].psnr_of_frames, strict=False))
        for m in shared
    )


def _reference_seconds(session: Session, found: Sequence[Measurement]) -> float:
    sizes = {case.name: case.size for case in session.cases()}
    iterations = [time_of_size(session, sizes[clip]).median for clip in _clips(found)]
    return _mean(iterations) / 1000 * REFERENCE_ITERATIONS


def _ratio(session: Session, measured: Measurement) -> float:
    size = next(case.size for case in session.cases() if case.name == measured.clip)
    return speed_ratio(time_of_size(session, size).median, _seconds(measured))


def _seconds(measured: Measurement) -> float:
    assert measured.seconds_per_frame is not None
    return measured.seconds_per_frame


def _of(found: Iterable[Measurement], method: str) -> dict[str, Measurement]:
    return {measured.clip: measured for measured in found if measured.method == method}


def _clips(found: Iterable[Measurement]) -> list[str]:
    return list(dict.fromkeys(measured.clip for measured in found))


def _mean(values: Iterable[float]) -> float:
    numbers = list(values)
    return math.fsum(numbers) / len(numbers)
