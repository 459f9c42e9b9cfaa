"""Guards: bits that are revealed with the weights, and without which these would be wrong, and nobody would know.

A guard that is not set ends the run, at every receiver, with an error that names the column or the setting.
"""

from __future__ import annotations

import torch

from mpcfl.data.facts import Facts
from mpcfl.data.faults import NO_SPREAD_HINT, NO_TARGET_HINT
from mpcfl.errors import GuardError
from mpcfl.models.metrics import PREDICTED
from mpcfl.solvers.doubling import MOST_STEPS

REACHED = "guard: the solution was reached"
MINIMUM = "guard: the solution is the minimum"
VARIES = "guard: each column varies"
FITS = "guard: held-out rows are like the others"
IN_RANGE = "guard: every row stayed in range"
BOTH = "guard: both classes occur"
EVERY = "guard: every class occurs"
REASONS = {
    EVERY: "one bit a class: the weights of a class without rows would grow as long as there are iterations",
    BOTH: "one bit: with one class the weights would grow as long as there are iterations",
    IN_RANGE: "one bit: beyond the range of the loss the weights would be wrong",
    MINIMUM: "one bit: for other signs of the weights the solution would be another, and nobody would know",
    REACHED: "one bit: without it the weights would be wrong, and nobody would know",
    VARIES: "one bit a column: a column without spread has no weight",
    PREDICTED: "one bit: beyond the range of the loss the deviance would be wrong",
    FITS: "one bit a column: the metrics would be wrong where it is not set",
}
"""Why each is revealed: what the ledger says."""

NOT_REACHED = (
    "the solution was not reached: columns depend on each other, or the table is badly conditioned",
    "leave out columns that follow from others, or use ridge, or elastic net for lasso",
)
STILL_MOVING = (
    "the optimum was not reached: the last step still changed a weight by more than [solver] tolerance",
    "raise [solver] iterations, or tolerance if that will do; a larger penalty (a larger alpha, a smaller C) makes the "
    "problem easier, and separable classes need one",
)


def not_reached(steps: int) -> tuple[str, str]:
    """Message and hint where so many gradient steps, as [solver] counts them, were too few."""
    message, hint = NOT_REACHED
    return message, hint if steps >= MOST_STEPS else f"[solver] steps = {MOST_STEPS} goes furthest; or {hint}"


def check(
    found: dict[str, torch.Tensor], facts: Facts, hint: str | None = None, unreached: tuple[str, str] = NOT_REACHED
) -> None:
    """GuardError, which names column or setting, unless every guard in `found` is set. hint: what to do about a row
    out of range; unreached: message and hint where the solution was not reached."""
    names = [*facts.features, facts.target]
    constant = _unset(found.get(VARIES), names)
    if constant:
        raise GuardError(
            f"column '{constant[0]}' is constant, or spreads less than 1/4096 of its size{_more(constant)}",
            hint=NO_TARGET_HINT if constant[0] == facts.target else NO_SPREAD_HINT,
        )
    if _unset(found.get(MINIMUM), ["minimum"]):
        raise GuardError(
            "what was found is not the minimum: some weights are zero, or have a sign, that they should not",
            hint="raise [solver] iterations or refits, or the penalty alpha; a lower l1_ratio helps where columns are "
            "highly correlated",
        )
    if _unset(found.get(BOTH), ["classes"]):
        raise GuardError(
            f"all rows of all parties are of one class of '{facts.target}'",
            hint="a classifier needs both: see whether target names the right column, or bring rows of the other class",
        )
    if EVERY in found:
        missing = _unset(found[EVERY], [str(label) for label in range(found[EVERY].numel())])
        if missing:
            raise GuardError(
                f"no row of any party is of class {missing[0]} of '{facts.target}'{_more(missing)}",
                hint="code the classes as 0, 1, ... without gaps, and count them in [model] classes",
            )
    if _unset(found.get(IN_RANGE), ["range"]):
        raise GuardError(
            "a row left the range in which the loss is right: |X w| came near its end, or was far beyond it",
            hint=hint,
        )
    if _unset(found.get(REACHED), ["solution"]):
        raise GuardError(unreached[0], hint=unreached[1])
    if _unset(found.get(PREDICTED), ["range"]):
        raise GuardError(
            "a held-out row left the range in which its deviance is right",
            hint="raise [model] log_range, or leave the metric out",
        )
    wild = _unset(found.get(FITS), names)
    if wild:
        raise GuardError(
            f"column '{wild[0]}' spreads many times more in the held-out rows than in the others{_more(wild)}",
            hint="choose another [job] seed, or shuffle the rows",
        )


def _unset(bits: torch.Tensor | None, names: list[str]) -> list[str]:
    if bits is None or bits.device.type == "meta":
        return []
    return [name for name, bit in zip(names, bits.reshape(-1).round().tolist(), strict=True) if not bit]


def _more(names: list[str]) -> str:
    return f" (and {len(names) - 1} more: {', '.join(names[1:6])})" if len(names) > 1 else ""
