"""Figures, sections and how they are written down: Markdown for people, JSON for programs. Pure text, no measuring."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Figure", "Section", "Table", "at_least", "at_most", "embed", "identical", "render", "to_json"]

BEGIN, END = "<!-- results -->", "<!-- end of results -->"


@dataclass(frozen=True)
class Figure:
    """One number that the project promises, and whether it is kept."""

    name: str
    value: float | bool
    measured: str
    """The value as people read it, with its unit."""
    wanted: str
    passed: bool


@dataclass(frozen=True)
class Table:
    """Numbers beside the figures: what they are made of, and what they are compared with."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """The first column is text, the others are numbers; every row has as many cells as the header."""
        if wrong := [row for row in self.rows if len(row) != len(self.header)]:
            raise ValueError(f"a row of {len(wrong[0])} cells under {len(self.header)} headings: {wrong[0]}")
        rule = ["---", *["---:"] * (len(self.header) - 1)]
        return "\n".join(_row(cells) for cells in (self.header, rule, *self.rows))


@dataclass(frozen=True)
class Section:
    """What one benchmark found.

    Attributes
    ----------
    data
        Single measurements, for the JSON only.
    pictures
        SVG documents by the name of their file; the page shows them.
    """

    title: str
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()
    notes: Sequence[str] = field(default_factory=tuple)
    data: Sequence[Mapping[str, Any]] = ()
    pictures: Mapping[str, str] = field(default_factory=dict)


def at_least(name: str, value: float, bound: float, *, unit: str = "", digits: int = 2) -> Figure:
    """A figure that has to reach a bound."""
    return Figure(
        name, value, _number(value, unit, digits), f"at least {_number(bound, unit)}", value >= bound
    )


def at_most(name: str, value: float, bound: float, *, unit: str = "", digits: int = 2) -> Figure:
    """A figure that must not exceed a bound."""
    return Figure(
        name, value, _number(value, unit, digits), f"at most {_number(bound, unit)}", value <= bound
    )


def identical(name: str, same: bool, *, what: str) -> Figure:
    """Two things that have to be the same; ``what`` says how many of them were compared."""
    return Figure(name, same, f"{'identical' if same else 'DIFFERENT'} ({what})", "identical", same)


def render(
    sections: Iterable[Section],
    *,
    machine: dict[str, str],
    versions: dict[str, str],
    command: str,
    judged: bool,
    seconds: Mapping[str, float] | None = None,
) -> str:
    """The whole result as Markdown: all figures first, then each section's details.

    ``judged`` is false for shortened runs, whose numbers say nothing about the bounds; ``seconds`` are how long the
    parts of the run took.
    """
    sections = list(sections)
    figures = [
        (figure.name, figure.measured, figure.wanted, _verdict(figure, judged=judged))
        for section in sections
        for figure in section.figures
    ]
    parts = [
        f"Command: `{command}`",
        "; ".join(f"{name} {value}" for name, value in machine.items()) + ".",
        ", ".join(f"{name} {version}" for name, version in versions.items()) + ".",
    ]
    if seconds:
        parts.append(f"Minutes: {', '.join(f'{name} {spent / 60:.1f}' for name, spent in seconds.items())}.")
    if not judged:
        parts.append("**A shortened run: its numbers are no results.**")
    if figures:
        parts.append(Table(("figure", "measured", "wanted", "verdict"), figures).markdown())
    for section in sections:
        parts.append(f"### {section.title}")
        parts += [f"![{name.removesuffix('.svg').replace('-', ' ')}]({name})" for name in section.pictures]
        parts += [table.markdown() for table in section.tables]
        parts += section.notes
    return "\n\n".join(parts) + "\n"


def to_json(
    sections: Iterable[Section],
    *,
    machine: dict[str, str],
    versions: dict[str, str],
    command: str,
    judged: bool,
) -> dict[str, Any]:
    """The same for programs."""
    return {
        "command": command,
        "machine": machine,
        "versions": versions,
        "judged": judged,
        "sections": [
            {
                "title": section.title,
                "figures": [
                    asdict(figure) | {"verdict": _verdict(figure, judged=judged)}
                    for figure in section.figures
                ],
                "tables": [
                    [dict(zip(table.header, row, strict=True)) for row in table.rows]
                    for table in section.tables
                ],
                "notes": list(section.notes),
                "data": list(section.data),
            }
            for section in sections
        ],
    }


def embed(page: str, results: str, *, part: str | None = None) -> str:
    """The page with everything between two markers replaced.

    Parameters
    ----------
    page, results
        The page, and what goes into it.
    part
        Of a run of one part, its name: if the page has a place of its own for it, that is where its results go.

    Raises
    ------
    ValueError
        If the page does not have each marker once, in this order.
    """
    first, last = BEGIN, END
    if part is not None and f"<!-- results of {part} -->" in page:
        first, last = f"<!-- results of {part} -->", f"<!-- end of results of {part} -->"
    before, begin, rest = page.partition(first)
    _, end, after = rest.partition(last)
    if not (begin and end) or first in rest or last in before + after:
        raise ValueError(f"the page needs {first} and {last}, once each, in this order")
    return f"{before}{begin}\n\n{results.strip()}\n\n{end}{after}"


def _verdict(figure: Figure, *, judged: bool) -> str:
    return ("PASS" if figure.passed else "short") if judged else "not judged"


def _number(value: float, unit: str, digits: int | None = None) -> str:
    text = f"{value:g}" if digits is None else f"{value:.{digits}f}"
    return f"{text} {unit}".rstrip()


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
