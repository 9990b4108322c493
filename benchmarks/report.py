"""Series of measurements, their ratios, and the tables made of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

from .contenders import REFERENCE

COLUMNS = ("contender", "median", "min..max", "ratio", "min..max")


@dataclass
class Series:
    """One quantity of every contender: ``values[contender]`` holds one number per round."""

    case: str
    title: str
    unit: str
    ratio: bool = True  # whether the quotient of two such numbers means anything
    part: str = ""  # which quantity, where a case has several
    values: dict[str, list[float]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return f"{self.case} ({self.part})" if self.part else self.case

    def add(self, contender: str, value: float) -> None:
        self.values.setdefault(contender, []).append(value)

    def fail(self, contender: str, why: str) -> None:
        """Drop the contender's numbers: a spread of some of the rounds would mislead."""
        self.values.pop(contender, None)
        self.errors[contender] = why

    def ratios(self, contender: str) -> list[float]:
        """The contender's number over tensorgrad's, round by round; [] without both."""
        own, reference = self.values.get(contender), self.values.get(REFERENCE)
        if not (self.ratio and own and reference):
            return []
        return [a / b for a, b in zip(own, reference, strict=True)]

    def as_dict(self) -> dict:
        contenders = {
            name: {"median": median(values), "values": values, "ratio": spread(self.ratios(name))}
            for name, values in self.values.items()
        }
        head = {"case": self.case, "title": self.title, "unit": self.unit}
        return head | {"contenders": contenders, "errors": self.errors}


def spread(numbers: list[float]) -> dict[str, float] | None:
    if not numbers:
        return None
    return {"median": median(numbers), "min": min(numbers), "max": max(numbers)}


def table(series: Series) -> str:
    """A title, then a row per contender: its median and spread, and those of its ratio."""
    rows = [COLUMNS]
    for name, values in series.values.items():
        rows.append((name, *cells(values, number), *cells(series.ratios(name), "{:.2f}".format)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [f"{series.label}: {series.title}, {series.unit}"]
    for name, *texts in rows:
        aligned = [text.rjust(width) for text, width in zip(texts, widths[1:], strict=True)]
        lines.append("  ".join(["", name.ljust(widths[0]), *aligned]).rstrip())
    lines += [f"  {name.ljust(widths[0])}  failed: {why}" for name, why in series.errors.items()]
    return "\n".join(lines) + "\n"


def summary(results: list[Series]) -> str:
    """A Markdown table of all cases: tensorgrad's median, then the ratio of each other one."""
    others = list(dict.fromkeys(name for s in results for name in s.values if s.ratios(name)))
    others = [name for name in others if name != REFERENCE]
    lines = [
        " | ".join(["| case", REFERENCE, *others]) + " |",
        "|---|" + "--:|" * (1 + len(others)),
    ]
    for series in results:
        if series.ratios(REFERENCE):
            ratios = [cells(series.ratios(name), "{:.2f}".format)[0] for name in others]
            own = f"{number(median(series.values[REFERENCE]))} {series.unit}"
            lines.append(" | ".join([f"| {series.label}", own, *ratios]) + " |")
    return "\n".join(lines)


def cells(numbers: list[float], write) -> tuple[str, str]:
    """The median, and the spread where there is more than one number."""
    if not numbers:
        return "", ""
    ends = f"{write(min(numbers))}..{write(max(numbers))}"
    return write(median(numbers)), ends if len(numbers) > 1 else ""


def number(x: float) -> str:
    """Three or more significant digits: 0.123, 12.3, 1,234."""
    return f"{x:,.0f}" if abs(x) >= 100 else f"{x:.3g}"
