"""The training program: one text that every party executes, and that the plan executes without data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from mpcfl.data.facts import Facts
from mpcfl.data.folds import Rows, counts_of_folds, folds_of, groups_by_owner
from mpcfl.data.horizontal import share_moments
from mpcfl.data.moments import Moments, grouped_moments, local_moments, split_moments, split_rows
from mpcfl.data.schema import check_enough_rows
from mpcfl.data.source import Source
from mpcfl.data.standardised import Standardised
from mpcfl.data.vertical import share_columns
from mpcfl.models.coefficients import coefficients_of, unknown
from mpcfl.models.guards import (
    BOTH,
    EVERY,
    FITS,
    IN_RANGE,
    MINIMUM,
    REACHED,
    REASONS,
    STILL_MOVING,
    VARIES,
    check,
    not_reached,
)
from mpcfl.models.inference import inference
from mpcfl.models.losses.class_counts import counts_of, every_class_occurs
from mpcfl.models.losses.class_weight import balanced
from mpcfl.models.memory import require_memory
from mpcfl.models.metrics import check_rows, finished, metrics_by_rows
from mpcfl.models.selecting import choose
from mpcfl.models.selecting_moments import ChoiceOfMoments, choose_by_moments, weakest
from mpcfl.models.settings import Settings
from mpcfl.models.training_loss import TrainingLoss
from mpcfl.protocols.rounds import Protocol, run, together
from mpcfl.sharing.keeper import Keeper
from mpcfl.sharing.reveal import Floating, reveal
from mpcfl.sharing.share import Share
from mpcfl.solvers.admm import Admm
from mpcfl.solvers.descent import descend
from mpcfl.solvers.doubling import Doubling
from mpcfl.solvers.fixed_hessian import FixedHessian, train_fixed_hessian
from mpcfl.solvers.gradient import Gradient
from mpcfl.solvers.newton import Newton, train_newton
from mpcfl.solvers.objective import Objective
from mpcfl.solvers.quality import mean_squared_error, squared_error, unexplained, variances
from mpcfl.solvers.refit import Fit, optimal
from mpcfl.solvers.solution import Optimum, Solution, converged
from mpcfl.solvers.weights import shared_weights, sparse_weights
from mpcfl.world.session import Session


@dataclass(frozen=True)
class Outcome:
    """What a receiver learns; NaN at parties that are no receivers and in a dry run. coefficients (d,) and a number, or
    with more than two classes (classes, d) and (classes,)."""

    coefficients: npt.NDArray[np.float64]
    intercept: float | npt.NDArray[np.float64]
    extras: dict[str, Any] = field(default_factory=dict)


def train(
    session: Session, facts: Facts, settings: Settings, own: Source | None, keeper: Keeper | None = None
) -> Outcome:
    """Train jointly; `own`: this party's table, None where it brings none and in a dry run. `keeper`: of the state of
    a solver that iterates, for a run that may be cut off.

    GuardError if the weights would be wrong: a column without spread, or a solution not reached. Raises what the local
    part raises (DataError), HeadroomError where a value might leave the ring, SetupError where a GPU has too little
    memory.
    """
    check_enough_rows(
        settings.model, facts.training_rows, len(facts.features), settings.fit_intercept, settings.standard_errors
    )
    require_memory(session, lambda dry: train(dry, facts, settings, None))
    solver, choice = settings.solver, None
    if not isinstance(solver, Doubling | Admm):
        with session.phase("online"):
            return _descend(session, facts, settings, own, keeper or Keeper())
    with session.phase("local"):
        folds = folds_of(facts, settings.selection.folds) if settings.selection else []
        moments = _local(facts, own, session, folds) if facts.partition == "horizontal" else None
    ridge = _shared_ridge(settings, facts.training_rows, folds)
    with session.phase("online"):
        if facts.partition == "horizontal":
            counts = counts_of_folds(facts, folds)
            shared = share_moments(
                session, moments, facts.counts, facts.columns, alpha=ridge, centred=settings.fit_intercept, folds=counts
            )
        else:
            shared = share_columns(session, own, facts, alpha=ridge, centred=settings.fit_intercept, folds=folds)
        if settings.selection is not None:
            choice = choose_by_moments(session, facts, settings.selection, solver, shared)
            shared, settings = choice.moments, settings.with_choice(choice.winner)
        if isinstance(solver, Admm):
            fit = solver.solve(session, shared, settings.l1(facts.training_rows), keeper)
            return _reveal(session, facts, settings, shared, fit.solution, fit, choice)
        solution = solver.solve(session, shared, inverse=settings.standard_errors)
        return _reveal(session, facts, settings, shared, solution, None, choice)


def _shared_ridge(settings: Settings, rows: int, folds: list[Rows]) -> float:
    """The penalty that is shared with the moments: the weakest, if one is to be chosen."""
    if settings.selection is None:
        return settings.ridge(rows)
    return weakest(settings.selection.penalties, rows, rows - max(map(len, folds)))


def _descend(session: Session, facts: Facts, settings: Settings, own: Source | None, keeper: Keeper) -> Outcome:
    """So many steps on the data as given."""
    outputs: dict[str, Share | Floating] = {}
    solver, objective, choice, watch = settings.solver, settings.objective, None, None
    if objective is not None:
        classes = objective.loss.classes
        if objective.loss.has_classes:
            occur = run(session, every_class_occurs(counts_of(session, facts, own, classes), facts.training_rows))
            outputs[BOTH if classes == 1 else EVERY] = occur
        candidates = [objective] if settings.selection is None else list(settings.selection.objectives)
        if objective.loss.class_weight == "balanced":
            of_classes = balanced(session, facts, own, classes)
            candidates = [candidate.with_class_weight(of_classes) for candidate in candidates]
        if settings.selection is not None and isinstance(solver, Gradient):
            choice = choose(session, facts, settings.selection, candidates, solver, settings.fit_intercept, own, keeper)
            outputs |= choice.outputs
        watch = settings.watch(facts)
        optimum = choice.optimum if choice else _by_rows(session, facts, candidates[0], settings, own, keeper, watch)
        outputs |= {"weights": optimum.weights, IN_RANGE: optimum.stayed}
        if optimum.reached is not None:
            outputs[REACHED] = optimum.reached
        if settings.metrics:
            held_out, weights = optimum.held_out, optimum.weights
            outputs |= run(session, metrics_by_rows(facts, held_out, weights, objective.loss, settings.metrics))
    elif isinstance(solver, Gradient):
        outputs |= _by_gram_matrices(session, facts, settings, solver, own, keeper)
    found = reveal(outputs, to=settings.to, reason="what the job asks for", reasons=REASONS)
    check(found, facts, settings.range_hint, STILL_MOVING)
    extras: dict[str, Any] = {} if choice is None else {"selection": choice.report(facts, found)}
    if watch is not None and watch.seen:
        extras["loss"] = [list(one) for one in watch.seen]
    if settings.metrics and found["weights"].device.type != "meta":
        loss = settings.objective.loss if settings.objective else None
        values = {name: finished(name, float(found[name]), facts.test_rows, loss) for name in settings.metrics}
        extras["metrics"] = values
    return _outcome(found["weights"], settings, facts, extras)


def _by_gram_matrices(
    session: Session, facts: Facts, settings: Settings, solver: Gradient, own: Source | None, keeper: Keeper
) -> dict[str, Share | Floating]:
    """Weights of least squares step by step, and metrics; of single rows those that are held out alone are shared."""
    held_out = None
    if settings.metrics:
        check_rows(facts)  # before anything is shared
        held_out = solver.held_out(session, facts, settings.fit_intercept, own)
    weights = solver.train(session, facts, settings.fit_intercept, settings.alpha, own, keeper)
    if held_out is None:
        return {"weights": weights}
    return {"weights": weights} | run(session, metrics_by_rows(facts, held_out, weights, None, settings.metrics))


def _by_rows(
    session: Session,
    facts: Facts,
    objective: Objective,
    settings: Settings,
    own: Source | None,
    keeper: Keeper,
    watch: TrainingLoss | None,
) -> Optimum:
    """Weights and guards of a model that needs every row in every iteration."""
    solver, fit_intercept, beside = settings.solver, settings.fit_intercept, watch.beside if watch else None
    if isinstance(solver, Newton):
        return train_newton(session, facts, objective, solver, fit_intercept, own, keeper, beside)
    if isinstance(solver, FixedHessian):
        return train_fixed_hessian(session, facts, objective, solver, fit_intercept, own, keeper, beside)
    if not isinstance(solver, Gradient):
        raise ValueError("this solver knows no rows")
    weights, stayed, held_out = descend(session, facts, objective, solver, fit_intercept, own, keeper, beside)
    return Optimum(weights, stayed, None, held_out)


def _local(facts: Facts, own: Source | None, session: Session, folds: list[Rows]) -> list[Moments] | None:
    """Moments of this owner's training rows, of its held-out rows if there are any, and of its rows in each fold."""
    if own is None:
        return None

    def progress(rows: int) -> None:
        session.step("reading", rows, facts.rows[session.rank])

    apart = []
    if folds:
        apart = grouped_moments(own, groups_by_owner(facts, folds)[session.rank], len(folds), target=facts.target)
    if not facts.test_fraction:
        return [local_moments(own, target=facts.target, on_chunk=progress), *apart]
    held_out = split_rows(own.rows, facts.test_fraction, facts.seed)
    return [*split_moments(own, held_out, target=facts.target, on_chunk=progress), *apart]


def _reveal(
    session: Session,
    facts: Facts,
    settings: Settings,
    shared: Standardised,
    solution: Solution,
    fit: Fit | None = None,
    choice: ChoiceOfMoments | None = None,
) -> Outcome:
    """Weights, guards and what else was asked for, in one round. fit: where some weights are to be zero. choice: of the
    penalty."""
    b = solution.coefficients
    protocols: dict[str, Protocol] = {"weights": shared_weights(shared, b)}
    if fit is not None:
        protocols = {"weights": sparse_weights(shared, b, fit.active), MINIMUM: optimal(fit)}
    if solution.left_over is not None:
        protocols[REACHED] = converged(solution.left_over)
    if choice is not None:
        protocols |= choice.outputs()
    if settings.standard_errors:
        protocols["variances"] = variances(shared, solution)
    if settings.metrics:
        error = run(session, squared_error(shared, solution.coefficients))
        wanted = {"mse": mean_squared_error, "r2": unexplained}
        protocols |= {name: wanted[name](shared, error) for name in settings.metrics}
    results = dict(zip(protocols, together(session, *protocols.values()), strict=True))
    if shared.varies is not None and choice is None:
        results[VARIES] = shared.varies
    if shared.test_fits is not None:
        results[FITS] = shared.test_fits
    found = reveal(results, to=settings.to, reason="what the job asks for", reasons=REASONS)
    unreached = not_reached(settings.solver.steps if isinstance(settings.solver, Doubling | Admm) else 0)
    check(found, facts, unreached=unreached)
    d = len(facts.features)
    extras: dict[str, Any] = {} if choice is None else {"selection": choice.report(found)}
    if settings.standard_errors and found["variances"].device.type != "meta":
        freedom = facts.training_rows - d - settings.fit_intercept
        extras["inference"] = inference(found["weights"].numpy()[:d], found["variances"].numpy(), freedom)
    if settings.metrics and found["weights"].device.type != "meta":
        extras["metrics"] = {name: _metric(name, float(found[name]), d) for name in settings.metrics}
    return _outcome(found["weights"], settings, facts, extras)


def _metric(name: str, value: float, d: int) -> float:
    return 1 - value if name == "r2" else value * d


def _outcome(weights: torch.Tensor, settings: Settings, facts: Facts, extras: dict[str, Any]) -> Outcome:
    if weights.device.type == "meta":
        return Outcome(*unknown(len(facts.features), settings), extras)
    return Outcome(*coefficients_of(weights.numpy(), settings), extras)
