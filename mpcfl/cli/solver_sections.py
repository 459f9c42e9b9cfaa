"""[solver]: one frozen dataclass for each solver, with the explanation under each field; see `job_sections.py`."""

from dataclasses import dataclass

from mpcfl.cli.rules import choice, need

SOLVERS = ("doubling", "gradient", "fixed_hessian", "newton", "admm")


@dataclass(frozen=True, kw_only=True, slots=True)
class Doubling:
    """[solver] name = "doubling": a thousand gradient steps in twenty rounds (P6)."""

    steps: int = 65536
    """Gradient steps that the result stands for at least: a power of two from 4 to 2^20. Two rounds for every factor of
    two. Columns that nearly depend on each other need more."""
    refinements: int = 0
    """Rounds of iterative refinement after the doubling, 0 to 3."""
    accelerated: bool = True
    """Go further in as many rounds: 65536 steps then stand for 3.8 million, which is enough for most tables whose
    correlation matrix has a condition number up to 10^4. With false the result is the iterate of gradient descent after
    exactly so many steps."""

    @property
    def name(self) -> str:
        return "doubling"

    def __post_init__(self) -> None:
        power = self.steps > 0 and self.steps & (self.steps - 1) == 0
        need("[solver] steps", power and 4 <= self.steps <= 2**20, "must be a power of two from 4 to 1048576")
        need("[solver] refinements", 0 <= self.refinements <= 3, "must be 0 to 3")


@dataclass(frozen=True, kw_only=True, slots=True)
class Gradient:
    """[solver] name = "gradient": the classic loop, every gradient and every update under MPC."""

    learning_rate: float
    """Step size, more than 0. On columns of mean 0 and variance 1, 0.1 is a fair start."""
    iterations: int = 100
    """Number of updates, at least 1."""
    batch: int = 0
    """Rows in a mini-batch; 0: all rows in every iteration."""
    momentum: float = 0.0
    """Momentum, at least 0 and less than 1."""
    nesterov: bool = False
    """Take the gradient where the momentum leads (Nesterov), not at the weights (heavy ball)."""
    tolerance: float = 0.0
    """Stop when a step moves the weights by less (root of the sum of squares); 0: never. Each look is
    one bit that all parties learn, and stands in the ledger."""
    check_every: int = 10
    """Iterations between two looks, at the tolerance and at the range of the sigmoid where that is "auto"."""
    init: str = "zeros"
    """First weights: "zeros", or "random": normal, from the public seed."""
    weight_bound: float = 1024.0
    """Public bound of the size of all weights; a larger one costs as many bits of precision."""
    loss_every: int = 0
    """Iterations between two values of the training loss that the receivers learn on the way: mean log loss or deviance
    of all rows that train, without penalty. 0: none. For logistic regression of two classes, poisson and gamma; each
    costs about as much as a metric of as many rows, and stands in the ledger."""

    @property
    def name(self) -> str:
        return "gradient"

    def __post_init__(self) -> None:
        need("[solver] learning_rate", self.learning_rate > 0, "must be more than 0")
        need("[solver] iterations", 1 <= self.iterations <= 2**20, "must be 1 to 1048576")
        need("[solver] batch", self.batch >= 0, "must be at least 0 (0: all rows)")
        need("[solver] momentum", 0 <= self.momentum < 1, "must be at least 0 and less than 1")
        tolerable = self.tolerance == 0 or self.tolerance >= 1e-5
        need("[solver] tolerance", tolerable, "must be 0 (never stop early), or at least 1e-5")
        need("[solver] check_every", self.check_every >= 1, "must be at least 1")
        need("[solver] loss_every", self.loss_every >= 0, "must be at least 0 (0: never)")
        choice("[solver] init", self.init, ("zeros", "random"))
        need("[solver] weight_bound", 1 <= self.weight_bound <= 2**24, "must be 1 to 16777216")


@dataclass(frozen=True, kw_only=True, slots=True)
class FixedHessian:
    """[solver] name = "fixed_hessian": Nesterov's method to the optimum, preconditioned by the largest Hessian that can
    be, inverted once. No learning rate; five rounds an iteration. For models of rows with an l2 penalty or none; where
    classes are all but separable, take "newton"."""

    iterations: int = 40
    """Number of updates, at least 1."""
    momentum: float = 0.75
    """The most of it, at least 0 and less than 1; it grows to that in the first iterations."""
    doublings: int = 10
    """Of the inverse, 4 to 11: enough for a condition number of about 4^doublings / 1000."""
    tolerance: float = 2e-4
    """The run ends with an error if the last step changes a weight by more."""
    loss_every: int = 0
    """Iterations between two values of the training loss that the receivers learn; 0: none. As in "gradient"."""

    @property
    def name(self) -> str:
        return "fixed_hessian"

    def __post_init__(self) -> None:
        need("[solver] iterations", 1 <= self.iterations <= 2**20, "must be 1 to 1048576")
        need("[solver] momentum", 0 <= self.momentum < 1, "must be at least 0 and less than 1")
        need("[solver] doublings", 4 <= self.doublings <= 11, "must be 4 to 11")
        need("[solver] tolerance", 0 < self.tolerance <= 1, "must be more than 0 and at most 1")
        need("[solver] loss_every", self.loss_every >= 0, "must be at least 0 (0: never)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Newton:
    """[solver] name = "newton": Newton's method to the optimum, twelve rounds a step, in each of which as many elements
    are opened as the table has. For logistic regression of two classes, svm, huber, poisson and gamma, with an l2
    penalty or none, and tables that are not long. For poisson and gamma the target must be near 1 in [model] unit,
    and an exposure near 1: where they are far off, the run ends with an error."""

    iterations: int = 10
    """Number of steps, at least 1."""
    doublings: int = 8
    """Of the inverse that it starts from, 4 to 11; later ones follow from it."""
    tolerance: float = 0.05
    """The run ends with an error if the last step changes a weight by more; what is left after it is much less."""
    loss_every: int = 0
    """Iterations between two values of the training loss that the receivers learn; 0: none. As in "gradient"."""

    @property
    def name(self) -> str:
        return "newton"

    def __post_init__(self) -> None:
        need("[solver] iterations", 1 <= self.iterations <= 1024, "must be 1 to 1024")
        need("[solver] doublings", 4 <= self.doublings <= 11, "must be 4 to 11")
        need("[solver] tolerance", 0 < self.tolerance <= 1, "must be more than 0 and at most 1")
        need("[solver] loss_every", self.loss_every >= 0, "must be at least 0 (0: never)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Admm:
    """[solver] name = "admm": the default, and the only one, for lasso and elastic net. Three rounds an iteration find
    which weights are zero and which sign the others have; then the minimum for these signs is solved for. A run whose
    result is not the minimum ends with an error."""

    iterations: int = 64
    """1 to 65536. Correlated columns and a small penalty need more."""
    refits: int = 2
    """How often to solve for the minimum, 1 to 16, with the signs that follow from the last one."""
    steps: int = 2**20
    """Gradient steps that a solution stands for, as in the doubling solver: a power of two from 4 to 2^20."""

    @property
    def name(self) -> str:
        return "admm"

    def __post_init__(self) -> None:
        need("[solver] iterations", 1 <= self.iterations <= 2**16, "must be 1 to 65536")
        need("[solver] refits", 1 <= self.refits <= 16, "must be 1 to 16")
        power = self.steps > 0 and self.steps & (self.steps - 1) == 0
        need("[solver] steps", power and 4 <= self.steps <= 2**20, "must be a power of two from 4 to 1048576")


Solver = Doubling | Gradient | FixedHessian | Newton | Admm
"""In the order of SOLVERS."""
