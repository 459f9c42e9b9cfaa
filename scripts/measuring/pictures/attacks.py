"""Pictures of the attacks, by the figure whose rows they show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from measuring.rows import Row

PICTURES: Mapping[str, Mapping[str, Callable[[Sequence[Row], Path], None]]] = {}
