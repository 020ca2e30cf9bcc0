"""Durations as people read and write them."""

import re

from datasets.registry import BadInput

_UNITS = {"s": 1, "m": 60, "h": 3600}
_PRECISE, _DAYS = 600, 48 * 60  # minutes from which on hours, and days, are enough


def about(seconds: float) -> str:
    """In words, as precisely as an estimate deserves: about 35 min, about 4 h 40 min, about 3 days."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than a minute"
    if minutes < 60:
        return f"about {minutes} min"
    tens = round(minutes, -1)
    if tens < _PRECISE:
        return f"about {tens // 60} h" + (f" {tens % 60} min" if tens % 60 else "")
    return f"about {round(minutes / 60)} h" if minutes < _DAYS else f"about {round(minutes / 1440):,} days"


def parse_duration(text: str) -> float:
    """Seconds of 90s, 9m or 2h; raises BadInput otherwise."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text.strip())
    if not match:
        raise BadInput(f"--time-limit {text}: expected a number and a unit, like 90s, 9m or 2h")
    return float(match[1]) * _UNITS[match[2]]
