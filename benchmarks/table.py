"""The figures as people read them: one table for each engine and size."""

import os
import platform
from datetime import date
from pathlib import Path
from statistics import median

MARKER = "<!-- What follows is written by `python -m benchmarks --write`. -->"

NAMES = {
    "run": "rent run",
    "repeat": "run repeated",
    "statement": "statement import",
    "aged": "aged balance",
    "page": "list page: its 50 rows",
    "answer": "list page: as sent",
}
# Work → (greatest ratio to the limit on our own rows, seconds allowed above it).
GOALS = {"run": (1.5, 0), "repeat": (2, 0.2), "statement": (3, 0), "aged": (1.2, 0), "page": (1, 0)}
# The whole page has no ratio: 95 in 100 must be sent within this, seconds.
ANSWER = 0.1
# Greatest ratio of the run to the plain schema.
PLAIN_GOALS = {"sqlite": 2, "postgresql": 3.5}
MEMORY = 150


def of(found: dict) -> str:
    """A table of one engine and size."""
    lines = [
        f"### {found['version']}, {found['leases']:,} leases, {found['months']} months of history\n".replace(
            ",", " "
        ),
        "| work | rows | median s (min–max) | rows/s | limit s | ratio | goal | plain schema s | ratio | goal | peak MB |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for work, kept in found["works"].items():
        lines.append(row(work, kept, found["engine"]))
    return "\n".join(lines) + "\n"


def row(work: str, kept: dict, engine: str) -> str:
    own, bare, took = median(kept["own"]), median(kept["plain"]), median(kept["seconds"])
    if work == "answer":
        late = sorted(kept["seconds"])[int(len(kept["seconds"]) * 0.95)]
        told = f"{late:.3f}" if late <= ANSWER else f"**{late:.3f}**"
        return (
            f"| {NAMES[work]} | {kept['rows']} | {took:.3f} ({min(kept['seconds']):.3f}–{max(kept['seconds']):.3f})"
            f" | | | | 95 % ≤ {ANSWER} s: {told} | | | | {mark_memory(kept['memory'])} |"
        )
    most, above = GOALS[work]
    goal = f"≤ {most}" + (f" + {above} s" if above else "")
    ratio = mark(took / own, took <= most * own + above)
    plain_goal, plain_ratio = "", f"{took / bare:.2f}"
    if work == "run":
        plain_goal = f"≤ {PLAIN_GOALS[engine]}"
        plain_ratio = mark(took / bare, took <= PLAIN_GOALS[engine] * bare)
    return (
        f"| {NAMES[work]} | {kept['rows']:,} | {took:.3f} ({min(kept['seconds']):.3f}–{max(kept['seconds']):.3f}) |"
        f" {int(kept['rows'] / took):,} | {own:.3f} | {ratio} | {goal} | {bare:.3f} | {plain_ratio} | {plain_goal} |"
        f" {mark_memory(kept['memory'])} |"
    ).replace(",", " ")


def mark(ratio: float, met: bool) -> str:
    """A ratio, in bold where its goal is missed."""
    return f"{ratio:.2f}" if met else f"**{ratio:.2f}**"


def mark_memory(megabytes: float) -> str:
    return f"{megabytes:.0f}" if megabytes <= MEMORY else f"**{megabytes:.0f}**"


def machine() -> str:
    """Processor, cores and memory of this machine."""
    processor = platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        named = [
            line.split(":")[1].strip()
            for line in info.read_text().splitlines()
            if line.startswith("model name")
        ]
        processor = named[0] if named else processor
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{processor}, {os.cpu_count()} cores, {gigabytes:.0f} GB, {platform.system()}, Python {platform.python_version()}"


def write(page: Path, found: list[dict], *, today: date) -> None:
    """Replace the tables of a page; what stands above the marker is kept."""
    above = page.read_text("utf-8").split(MARKER)[0] if page.exists() else "# Performance\n\n"
    load = os.getloadavg()[1]
    told = f"Measured on {today:%-d %B %Y}: {machine()}; load average over five minutes {load:.1f}.\n"
    page.write_text(above + MARKER + "\n\n" + told + "\n" + "\n".join(map(of, found)), "utf-8")
