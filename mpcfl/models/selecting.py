"""Choose a penalty by cross-validation under MPC, and train with it. What is revealed is which one was best, to all
parties, for all go on by it; its scores and those of the others stay shared unless the job asks for them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mpcfl.data.batches import batches
from mpcfl.data.facts import Facts
from mpcfl.data.source import Source
from mpcfl.errors import GuardError, JobError
from mpcfl.models.fold_scores import LARGER_IS_BETTER, fold_scores, mean_score
from mpcfl.models.selection import Selection
from mpcfl.protocols.largest import place_of_largest
from mpcfl.protocols.rounds import run
from mpcfl.sharing.keeper import Keeper
from mpcfl.sharing.reveal import reveal
from mpcfl.sharing.share import Share
from mpcfl.solvers.cross_validation import CrossValidation, pace_of
from mpcfl.solvers.gradient import Gradient
from mpcfl.solvers.objective import Objective
from mpcfl.solvers.solution import Optimum
from mpcfl.world.session import Session

FOLDS_IN_RANGE = "guard: every row stayed in range in all folds"
FOLDS_PREDICTED = "guard: every prediction stayed in range in all folds"
_TOLD_APART = (
    2.0**-10
)  # of a weight: scores are right to 1e-5 or so, and penalties that do less would be chosen by chance
_REASONS = {
    FOLDS_IN_RANGE: "one bit: beyond the range of the loss the scores would be wrong",
    FOLDS_PREDICTED: "one bit: beyond the range of the loss the deviances would be wrong",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """optimum: of the final training. winner: index of its value. scores (values,): sums over rows or folds, shared."""

    selection: Selection
    optimum: Optimum
    winner: int
    scores: Share

    @property
    def outputs(self) -> dict[str, Share]:
        """What is to be revealed with the weights."""
        return {self.name: self.scores} if self.selection.reveal == "scores" else {}

    @property
    def name(self) -> str:
        """Of the scores in the ledger."""
        return f"{self.selection.metric} by {self.selection.parameter}"

    def report(self, facts: Facts, revealed: Any) -> dict[str, Any]:
        """For the report; `revealed`: what was revealed, by name."""
        chosen, found = self.selection, revealed.get(self.name)
        report: dict[str, Any] = {"parameter": chosen.parameter, "values": list(chosen.values), "folds": chosen.folds}
        report |= {"metric": chosen.metric, "winner": chosen.values[self.winner]}
        if found is not None and found.device.type != "meta":
            loss = chosen.objectives[0].loss
            sums = found.reshape(-1).tolist()
            report["scores"] = [mean_score(chosen.metric, value, facts, chosen.folds, loss) for value in sums]
        return report


def choose(
    session: Session,
    facts: Facts,
    selection: Selection,
    objectives: Sequence[Objective],
    solver: Gradient,
    fit_intercept: bool,
    own: Source | None,
    keeper: Keeper,
) -> Choice:
    """Cross-validate all objectives at once, reveal which is the best (of equal ones the first), train with that.
    `keeper`: of cross-validation; a run that resumes makes the choice and the final training again.

    JobError: `require_told_apart`. GuardError: a row left the range of the loss in a fold. Cost: that of
    `CrossValidation`, of `fold_scores`, 4 rounds for the largest and one to reveal it.
    """
    require_told_apart(facts, selection, objectives, solver)
    validation = CrossValidation(session, facts, objectives, solver, fit_intercept, own, selection.folds)
    weights, stayed = validation.train(keeper)
    predicted = run(session, validation.predictions(weights))
    scores, in_range = run(session, fold_scores(selection.metric, objectives[0].loss, predicted))
    place = run(session, place_of_largest(scores if selection.metric in LARGER_IS_BETTER else -scores))
    best = f"which {selection.parameter} is best"
    outputs = {best: place, FOLDS_IN_RANGE: stayed} | ({} if in_range is None else {FOLDS_PREDICTED: in_range})
    found = reveal(outputs, to=session.roster.names, reason="[select]: all parties go on with it", reasons=_REASONS)
    winner = 0
    if found[best].device.type != "meta":
        _check(found, objectives[0].loss.range_hint)
        winner = round(float(found[best]))
    return Choice(selection, validation.finish(winner), winner, scores)


def require_told_apart(facts: Facts, selection: Selection, objectives: Sequence[Objective], solver: Gradient) -> None:
    """JobError, which names values and says how many iterations would do, if two or more l2 penalties are so weak that
    all steps together shrink no weight by 1/1024 for them: the models would be the same, and chance would choose."""
    rows = max(map(len, batches(facts, solver.batch)))
    step = pace_of(facts, selection.folds) * solver.learning_rate / (1 - solver.momentum) / rows
    penalties = [objective.penalty.over(facts.training_rows) for objective in objectives]
    weak = [
        (penalty.l2, value)
        for penalty, value in zip(penalties, selection.values, strict=True)
        if not penalty.l1 and solver.iterations * step * penalty.l2 < _TOLD_APART
    ]
    if len(weak) < 2:
        return
    enough = math.ceil(_TOLD_APART / step / sorted(weak)[1][0])
    names = " and ".join(f"{value:g}" for _, value in sorted(weak, reverse=True))
    raise JobError(
        f"[select] values {names} of {selection.parameter} make no difference within {solver.iterations} iterations at "
        f"learning_rate = {solver.learning_rate:g}: chance would choose between them",
        hint=f"leave all but one of them out, or raise [solver] iterations to {enough}",
    )


def _check(found: dict[str, Any], hint: str) -> None:
    for guard in (FOLDS_IN_RANGE, FOLDS_PREDICTED):
        if guard in found and not round(float(found[guard])):
            what = "a row" if guard == FOLDS_IN_RANGE else "a prediction"
            raise GuardError(
                f"{what} left the range in which the loss is right, with one of [select] values in one of the folds",
                hint=f"leave out the weakest penalty; or {hint}",
            )
