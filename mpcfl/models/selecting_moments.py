"""Choose the penalty of ridge, lasso and elastic net by cross-validation: shared moments are enough.

All (penalty, fold) problems are solved side by side, in the rounds of one, and each model is scored by the moments of
the fold that it has not seen. The weakest ridge penalty is shared with the moments, and each is put in its place at a
scale of its own: so the final solution needs nothing shared again, and costs the same whichever penalty has won.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from mpcfl.data.facts import Facts
from mpcfl.data.standardised import FOLD_SLACK, Fold, Standardised
from mpcfl.errors import GuardError
from mpcfl.models.guards import VARIES, check
from mpcfl.models.selection import Selection
from mpcfl.protocols.largest import place_of_largest
from mpcfl.protocols.leading_power import normalised
from mpcfl.protocols.rounds import Protocol, parallel, run
from mpcfl.protocols.truncation import truncation
from mpcfl.sharing.reveal import Floating, reveal
from mpcfl.sharing.share import Share, concatenate
from mpcfl.solvers.admm import Admm
from mpcfl.solvers.doubling import Doubling
from mpcfl.solvers.penalty import Penalty
from mpcfl.solvers.quality import fit_for_output, squared_error
from mpcfl.solvers.refit import is_zero, optimal
from mpcfl.solvers.ridges import penalised
from mpcfl.solvers.solution import converged
from mpcfl.world.session import Session

FOLDS_REACHED = "guard: the solution was reached in all folds"
_REASONS = {
    FOLDS_REACHED: "one bit: without it the scores would be wrong, and nobody would know",
    VARIES: "one bit a column: a column without spread has no weight",
}
_BITS = 61


@dataclass(frozen=True, slots=True)
class ChoiceOfMoments:
    """moments: with the penalty that won. winner: its index. errors (values,): squared errors of all rows, each by the
    model that has not seen it, over the rows and the features, in units of the scaled target; shared."""

    selection: Selection
    moments: Standardised
    winner: int
    errors: Share

    @property
    def name(self) -> str:
        """Of the scores in the ledger."""
        return f"{self.selection.metric} by {self.selection.parameter}"

    def outputs(self) -> dict[str, Protocol]:
        """What is to be revealed with the weights."""
        return {self.name: self._mean_squares()} if self.selection.reveal == "scores" else {}

    def _mean_squares(self) -> Protocol:
        short = yield from fit_for_output(self.errors)
        exponent = self.moments.exponent[-1:] * 2
        found: Floating = yield from normalised(short, exponent.expand(short.shape[0]))
        return found

    def report(self, revealed: Any) -> dict[str, Any]:
        """For the report; `revealed`: what was revealed, by name."""
        chosen, found = self.selection, revealed.get(self.name)
        report: dict[str, Any] = {"parameter": chosen.parameter, "values": list(chosen.values), "folds": chosen.folds}
        report |= {"metric": chosen.metric, "winner": chosen.values[self.winner]}
        if found is not None and found.device.type != "meta":
            report["scores"] = [value * self.moments.features for value in found.reshape(-1).tolist()]
        return report


def choose_by_moments(
    session: Session, facts: Facts, selection: Selection, solver: Doubling | Admm, moments: Standardised
) -> ChoiceOfMoments:
    """Cross-validate all penalties at once, reveal which is the best (of equal ones the first).

    moments: of all rows and of the folds, with the weakest ridge penalty (`weakest`). GuardError: a solution was
    not reached, or is not the minimum, in one of the folds. Cost: rounds as one solution with its error and guards, 3
    for ridge penalties and 1 for the error beside them, 1 to truncate, 3 to count (1 below 256 bits), 4 for the largest
    and 1 to reveal it; bytes of one for each pair.
    """
    rows, penalties = facts.training_rows, selection.penalties
    shared = weakest(penalties, rows, min(fold.rows for fold in moments.folds)) / rows
    ridge = any(penalty.l2 for penalty in penalties)
    protocols = [_fold(solver, moments, fold, p, rows, shared, ridge) for p in penalties for fold in moments.folds]
    wholes = [penalised(moments, moments.gram, p.over(rows).l2 / rows, shared) for p in penalties if ridge]
    every = run(session, parallel(*protocols, *wholes))
    found, finals = every[: len(protocols)], every[len(protocols) :]
    errors, bits = [error for error, _ in found], [bit.reshape(1) for _, several in found for bit in several]
    sums = run(session, _sums(errors, len(moments.folds)))
    missed = -concatenate(bits).sum(0) + float(len(bits))
    place, reached = run(
        session, parallel(place_of_largest(-sums), is_zero(missed.within(float(len(bits))), len(bits)))
    )
    best = f"which {selection.parameter} is best"
    outputs: dict[str, Share | Floating] = {best: place, FOLDS_REACHED: reached}
    if moments.varies is not None:
        outputs[VARIES] = moments.varies
    told = reveal(outputs, to=session.roster.names, reason="[select]: all parties go on with it", reasons=_REASONS)
    winner = 0
    if told[best].device.type != "meta":
        check(told, facts)
        _check(told[FOLDS_REACHED].item(), solver)
        winner = round(float(told[best]))
    return ChoiceOfMoments(selection, finals[winner] if ridge else moments, winner, sums)


def weakest(penalties: Sequence[Penalty], *rows: int) -> float:
    """The smallest penalty on the squared weights beside the sum of any of these numbers of squared errors."""
    return min(penalty.over(count).l2 for penalty in penalties for count in rows)


def _fold(
    solver: Doubling | Admm, moments: Standardised, fold: Fold, penalty: Penalty, rows: int, shared: float, ridge: bool
) -> Protocol:
    """(error (1,), bits that are set if the model is right) of the model that has not seen a fold. Everything that the
    fold's problem consists of is divided by all rows, so that no Gram matrix is larger than that of all."""
    beside = penalty.over(fold.rows)
    problem = replace(moments, gram=fold.gram)
    if ridge:
        problem = yield from penalised(moments, fold.gram, beside.l2 / rows, shared)
    problem = replace(problem, test=fold.apart)
    if isinstance(solver, Admm):
        fit = yield from solver.solving(problem, beside.l1 / rows)
        solution, guards = fit.solution, [optimal(fit)]
    else:
        d = problem.features
        solution, guards = (yield from solver.solving(problem.gram[:d, :d], problem.gram[:d, d])), []
    error, *bits = yield from parallel(
        squared_error(problem, solution.coefficients, FOLD_SLACK), converged(solution.left_over), *guards
    )
    return error, bits


def _sums(errors: list[Share], folds: int) -> Protocol:
    """(values,): the errors of each value over its folds, short enough to be compared."""
    every = concatenate(errors)
    scale = min(every.scale - 1, _BITS - math.ceil(math.log2(folds * every.bound * 1.01)))
    short = yield from truncation(every, every.scale - scale)
    return short.reshape(len(errors) // folds, folds).sum(1)


def _check(reached: float, solver: Doubling | Admm) -> None:
    if round(reached):
        return
    more = "[solver] iterations, refits or steps" if isinstance(solver, Admm) else "[solver] steps (up to 1048576)"
    raise GuardError(
        "the solution was not reached with one of [select] values in one of the folds: columns depend on each other "
        "there, and the penalty is too weak to tell them apart",
        hint=f"leave out the weakest value, or raise {more}",
    )
