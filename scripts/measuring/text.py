"""Numbers for the eye."""

from __future__ import annotations

import math


def size(count: float) -> str:
    """Bytes with three digits: 288 kB, 1.04 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def times(ratio: float) -> str:
    """A ratio with two digits, three from 100 on."""
    return f"{ratio:.2g}" if ratio < 99.5 else f"{ratio:,.0f}"


def seconds(value: float) -> str:
    """0.84 ms, 83 ms, 1.3 s, 29 min; nothing for NaN."""
    if math.isnan(value):
        return ""
    if value < 0.9995:
        return f"{1e3 * value:.2g} ms" if value < 0.0995 else f"{1e3 * value:.0f} ms"
    return f"{value:.2g} s" if value < 99.5 else f"{value / 60:.0f} min"


def error(value: float) -> str:
    """1.1e-5, without a leading zero in the exponent."""
    if value == 0:
        return "0"
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa}e{int(exponent)}"
