"""The training program: one text that every party executes, and that the plan executes without data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from mpcfl.data.facts import Facts
from mpcfl.data.horizontal import share_moments
from mpcfl.data.moments import Moments, local_moments, split_moments, split_rows
from mpcfl.data.schema import check_enough_rows
from mpcfl.data.source import Source
from mpcfl.data.standardised import Standardised
from mpcfl.data.vertical import share_columns
from mpcfl.errors import GuardError
from mpcfl.models.settings import Settings
from mpcfl.protocols.rounds import together
from mpcfl.sharing.reveal import reveal
from mpcfl.sharing.share import Share
from mpcfl.solvers.gradient import Gradient
from mpcfl.solvers.solution import Solution, converged
from mpcfl.solvers.weights import real, shared_weights
from mpcfl.world.session import Session


@dataclass(frozen=True)
class Outcome:
    """What a receiver learns; NaN at parties that are no receivers and in a dry run."""

    coefficients: npt.NDArray[np.float64]
    intercept: float
    extras: dict[str, Any] = field(default_factory=dict)


def train(session: Session, facts: Facts, settings: Settings, own: Source | None) -> Outcome:
    """Train jointly; `own`: this party's table, None where it brings none and in a dry run.

    GuardError if the weights would be wrong: a column without spread, or a solution not reached. Raises what the local
    part raises (DataError), HeadroomError where a value might leave the ring.
    """
    rows = sum(facts.counts[0].values()) if not facts.holders else max(facts.counts[0].values())
    check_enough_rows(settings.model, rows, len(facts.features), settings.fit_intercept, settings.standard_errors)
    if isinstance(settings.solver, Gradient):
        with session.phase("online"):
            weights = settings.solver.train(session, facts, settings.fit_intercept, settings.alpha, own)
            found = reveal({"weights": weights}, to=settings.to, reason="the trained model")
        return _outcome(found["weights"], settings, facts, {})
    with session.phase("local"):
        moments = _local(facts, own, session) if facts.partition == "horizontal" else None
    with session.phase("online"):
        if facts.partition == "horizontal":
            shared = share_moments(
                session, moments, facts.counts, facts.columns, alpha=settings.alpha, centred=settings.fit_intercept
            )
        else:
            shared = share_columns(session, own, facts, alpha=settings.alpha, centred=settings.fit_intercept)
        solution = settings.solver.solve(session, shared)
        return _reveal(session, facts, settings, shared, solution)


def _local(facts: Facts, own: Source | None, session: Session) -> list[Moments] | None:
    """Moments of this owner's training rows, and of its held-out rows if there are any."""
    if own is None:
        return None

    def progress(rows: int) -> None:
        session.step("reading", rows, facts.rows[session.rank])

    if not facts.test_fraction:
        return [local_moments(own, target=facts.target, on_chunk=progress)]
    held_out = split_rows(own.rows, facts.test_fraction, facts.seed)
    return list(split_moments(own, held_out, target=facts.target, on_chunk=progress))


def _reveal(session: Session, facts: Facts, settings: Settings, shared: Standardised, solution: Solution) -> Outcome:
    guards = [converged(solution.left_over)] if solution.left_over is not None else []
    (mantissa, exponent), *bits = together(session, shared_weights(shared, solution.coefficients), *guards)
    outputs: dict[str, Share] = {"mantissa": mantissa, "exponent": exponent}
    checks: dict[str, Share] = {}
    if bits:
        checks["guard: the solution was reached"] = bits[0]
    if shared.varies is not None:
        checks["guard: each column varies"] = shared.varies
    outputs |= checks
    found = reveal(outputs, to=settings.to, reason="the trained model")
    _check(found, checks, facts)
    return _outcome(real(found["mantissa"], found["exponent"]), settings, facts, {})


def _check(found: dict[str, torch.Tensor], checks: dict[str, Share], facts: Facts) -> None:
    varies = found.get("guard: each column varies")
    if varies is not None and varies.device.type != "meta" and not bool(varies.round().bool().all()):
        names = [*facts.features, facts.target]
        constant = [name for name, bit in zip(names, varies.round().tolist(), strict=True) if not bit]
        raise GuardError(
            f"column '{constant[0]}' is constant, or spreads less than 1/65536 of its size" + _more(constant),
            hint="leave it out, or subtract a common constant from it",
        )
    reached = found.get("guard: the solution was reached")
    if reached is not None and reached.device.type != "meta" and not bool(reached.round()):
        raise GuardError(
            "the solution was not reached: columns depend on each other, or the table is badly conditioned",
            hint="raise [solver] steps (up to 1048576), leave out columns that follow from others, or use ridge",
        )


def _more(names: list[str]) -> str:
    return f" (and {len(names) - 1} more: {', '.join(names[1:6])})" if len(names) > 1 else ""


def _outcome(weights: torch.Tensor, settings: Settings, facts: Facts, extras: dict[str, Any]) -> Outcome:
    d = len(facts.features)
    if weights.device.type == "meta":
        return Outcome(np.full(d, np.nan), float("nan"), extras)
    values = weights.numpy()
    return Outcome(values[:d].copy(), float(values[d]) if settings.fit_intercept else 0.0, extras)
