"""The baseline of baselines: one organisation gets everybody's rows and trains in float64. All must trust it."""

from __future__ import annotations

import numpy as np

from mpcfl.baselines.aggregation import ELEMENT
from mpcfl.baselines.costs import Costs
from mpcfl.baselines.federated import require_plain_steps
from mpcfl.baselines.problem import Problem, Row
from mpcfl.solvers.gradient import Gradient


def measure_pooled(problem: Problem, steps: Gradient) -> Row:
    """The row of pooled training at participant 1. Cost: 2 rounds; rows with their target go there, weights come
    back."""
    require_plain_steps(steps)
    costs, (first, *others) = Costs(), problem.participants()
    costs.round({one.name: ELEMENT * one.count * one.width for one in others})  # d features and the target
    joint, start = problem.joint, np.zeros(first.width)
    w = costs.alone("compute", first.name, lambda: joint.descended(start, steps.learning_rate, steps.iterations))
    costs.round({first.name: ELEMENT * w.size * len(others)})
    return problem.row("pooled", steps, w, costs, seen=f"{first.name}: every row of everybody", params={})
