"""The sections of a job file, one frozen dataclass each, with the explanation under each field.

A section checks its own values when it is made, from a file or from Python. What concerns several sections at once is
checked in `job.py`.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from mpcfl.cli.rules import choice, need, once
from mpcfl.data.facts import Aside
from mpcfl.errors import JobError
from mpcfl.models.families import MODELS, Parameters
from mpcfl.models.losses.class_weight import checked as class_weight_of
from mpcfl.models.metrics import METRICS
from mpcfl.protocols.exponential import RANGES
from mpcfl.solvers.penalty import NAMES as PENALTIES
from mpcfl.world.device import WORDS as DEVICES
from mpcfl.world.nccl import OPENINGS

ROLES = ("data", "compute", "dealer")
PARTITIONS = ("horizontal", "vertical")
_BACKSLASH = "holds a tab or the like: a backslash between double quotes makes one; write / in paths"
SIGMOID_RANGES = tuple(2**k for k in range(1, 11))


@dataclass(frozen=True, kw_only=True, slots=True)
class General:
    """[job]: what concerns the run as a whole."""

    name: str
    """A word for the run, in reports and file names."""
    target: str
    """The column to predict."""
    model: str
    """What to train: linear, ridge, lasso, elastic_net, logistic, svm, huber, poisson or gamma; its parameters are in
    [model]."""
    partition: str = "horizontal"
    """Either "horizontal": same columns, other rows at each party; or "vertical": same rows, other columns."""
    timeout: float = 60.0
    """Seconds that a party waits for another before it names it and stops."""
    insecure_simulation: bool = False
    """true allows a party to deal and compute: it can read everything. For trying things out on one's own data."""
    seed: int = 0
    """Public seed of row splits and batches. It hides nothing."""
    device: str = "cpu"
    """Where parties compute and deal: "cpu"; "cuda", each its own GPU of its machine as long as they last; "cuda:N"; or
    "auto", a GPU where there is one. [parties.NAME] device goes before it, and `mpcfl train --device` before both. That
    it is "cpu", or is not, must be the same at all parties: it says in which pieces randomness is dealt. Results do not
    depend on it."""

    def __post_init__(self) -> None:
        need("[job] name", bool(self.name.strip()), "must not be empty")
        need("[job] target", bool(self.target), "must not be empty")
        choice("[job] model", self.model, MODELS)
        choice("[job] partition", self.partition, PARTITIONS)
        need("[job] timeout", self.timeout > 0, "must be more than 0 seconds")
        need("[job] seed", self.seed >= 0, "must be at least 0")
        _check_device("[job] device", self.device)


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """[model], and `model` of [job]. Names and meanings are scikit-learn's."""

    name: str
    """One of "linear" (ordinary least squares), "ridge", "lasso", "elastic_net", "logistic" (classes coded 0, 1, ...),
    "svm" (linear support vector machine with squared hinge loss), "huber" (robust regression), "poisson", "gamma" (both
    with a log link)."""
    fit_intercept: bool = True
    """Whether the model has an intercept, which is never penalised; false: the data are taken as centred."""
    alpha: float = 1.0
    """Ridge, huber, poisson, gamma: the penalty on the squared weights, at least 0, as in scikit-learn. Lasso, elastic
    net: on the sizes of the weights, on both, beside half the mean of the squared errors."""
    C: float = 1.0
    """Logistic, svm: inverse of the penalty on the weights, more than 0, as in scikit-learn."""
    penalty: str = "l2"
    """Logistic: "l2", "l1", "elasticnet" or "none"."""
    l1_ratio: float = 0.5
    """Elastic net, and logistic with penalty "elasticnet": share of the l1 penalty, 0 to 1."""
    classes: int = 2
    """Logistic: number of classes, coded 0, 1, ...; with more than 2, each is told from all others (one-vs-rest)."""
    sigmoid: Mapping[str, float | str] = field(default_factory=lambda: {"range": 32, "error": 1e-4})
    """Logistic: within which range of X w, a power of two, the sigmoid is right, and to what error. Range "auto": 16 to
    begin with, and wider as soon as a row leaves it, which is one bit revealed at every check. Else a run that leaves
    the range ends with an error."""
    range: float = 32.0
    """Svm, huber: bound of X w, of X w - y; a run that leaves it ends with an error."""
    epsilon: float = 1.35
    """Huber: size of an error, in units of the target, from which it counts by its size and not its square."""
    class_weight: str | Mapping[str, float] | None = None
    """Logistic, svm: weights of the rows of each class, { 0 = 1.0, 1 = 5.0 }, or "balanced" (rows / classes / rows of
    the class), which reveals how many rows there are of each class. Absent: all rows count the same."""
    sample_weight: str | None = None
    """Models of rows (logistic, svm, huber, poisson, gamma): the column with the weight of each row, 0 to 16; it is no
    feature."""
    offset: str | None = None
    """Models of rows: a column that is added to X w with weight 1; it is no feature."""
    exposure: str | None = None
    """Models of rows: a column, more than 0, whose logarithm is added to X w; it is no feature."""
    unit: float = 1.0
    """Poisson, gamma: what the target is measured in, more than 0: best near its mean, so that training starts at the
    right height."""
    log_range: int = 8
    """Poisson, gamma: 1, 2, 4 or 8. A run in which a mean (gamma: a value over its mean) leaves e^(-1.5 log_range) to
    e^(log_range / 2) units ends with an error; a large range costs bits."""
    standard_errors: bool = False
    """Linear with the doubling solver only: reveal standard errors, t and p values beside the weights."""

    def __post_init__(self) -> None:
        choice("[job] model", self.name, MODELS)
        need("[model] alpha", self.alpha >= 0, "must be at least 0")
        need("[model] C", self.C > 0, "must be more than 0")
        need("[model] l1_ratio", 0 <= self.l1_ratio <= 1, "must be from 0 to 1")
        choice("[model] penalty", self.penalty, PENALTIES)
        need("[model] classes", 2 <= self.classes <= 1000, "must be from 2 to 1000")
        for key in self.sigmoid:
            choice("[model] sigmoid", key, ("range", "error"))
        size, error = self.sigmoid.get("range", 32), self.sigmoid.get("error", 1e-4)
        auto = 'must be a power of two from 2 to 1024, or "auto"'
        need("[model] sigmoid.range", size == "auto" or size in SIGMOID_RANGES, auto)
        small = isinstance(error, int | float) and 1e-6 <= error <= 0.1
        need("[model] sigmoid.error", small, "must be from 1e-6 to 0.1")
        need("[model] range", 1 <= self.range <= 4096, "must be from 1 to 4096")
        need("[model] epsilon", 0 < self.epsilon <= 64, "must be more than 0 and at most 64")
        class_weight_of(self.class_weight, self.classes)
        once("[model] sample_weight, offset, exposure", self.aside.names)
        need("[model] unit", 0 < self.unit < math.inf, "must be more than 0")
        need("[model] log_range", self.log_range in RANGES, "must be 1, 2, 4 or 8")
        need("[model] standard_errors", not self.standard_errors or self.name == "linear", "is for model 'linear'")

    @property
    def aside(self) -> Aside:
        """Columns that are no features."""
        return Aside(weight=self.sample_weight, offset=self.offset, exposure=self.exposure)

    @property
    def parameters(self) -> Parameters:
        """Those that losses and penalties are made with."""
        return Parameters(**{field.name: getattr(self, field.name) for field in fields(Parameters)})


@dataclass(frozen=True, kw_only=True, slots=True)
class Data:
    """[data]: how every party reads its own table."""

    impute: str | Mapping[str, float] | None = None
    """What becomes of missing cells. Absent: they are refused. "mean": the mean of the column in the party's OWN table
    (in a horizontal partition each party has another). "zero", or a number by column: impute = {age = 40.0}. A missing
    target is always refused."""

    def __post_init__(self) -> None:
        if isinstance(self.impute, str):
            choice("[data] impute", self.impute, ("mean", "zero"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluate:
    """[evaluate]: metrics on held-out rows, computed under MPC."""

    test_fraction: float = 0.0
    """Fraction of each table's rows that is held out of training, 0 <= f < 1; drawn from the public seed."""
    metrics: tuple[str, ...] = ()
    """Which to reveal. Linear, ridge, lasso, elastic_net, huber: "r2", "mse"; logistic: "accuracy", "log_loss", "auc"
    (area under the ROC curve), with more than two classes "accuracy", "auc" (the mean over the classes, each against
    the rest by its own score); svm: "accuracy", "auc"; poisson, gamma: "deviance" (the mean of it). All rows count the
    same. Linear and ridge with the gradient solver: of features up to 32 in size and targets up to its weight_bound."""

    def __post_init__(self) -> None:
        need("[evaluate] test_fraction", 0 <= self.test_fraction < 1, "must be at least 0 and less than 1")
        for metric in self.metrics:
            choice("[evaluate] metrics", metric, METRICS)
        once("[evaluate] metrics", self.metrics)
        need(
            "[evaluate] metrics",
            not self.metrics or self.test_fraction > 0,
            "are computed on held-out rows: set test_fraction, 0.2 for instance",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Reveal:
    """[reveal]: who learns the output."""

    to: tuple[str, ...] | None = None
    """Names of parties. Absent: all that hold data or compute."""

    def __post_init__(self) -> None:
        once("[reveal] to", self.to or ())
        need("[reveal] to", self.to is None or bool(self.to), "must name a party; absent: data and compute parties")


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """[network]: the links between parties."""

    encrypt: bool = True
    """TLS on every link. Say false only where nobody can read the wire: a dealer that can may recover data."""
    openings: str = "tls"
    """How compute parties send each other what is masked: "tls", as everything else; or "nccl", from GPU to GPU and in
    the clear. Say "nccl" only where each has a GPU of its own in one cluster that all trust: whoever reads that network
    and knows what the dealer knows reads the data, and whoever can change what is sent there changes the result."""

    def __post_init__(self) -> None:
        choice("[network] openings", self.openings, OPENINGS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Party:
    """[parties.NAME]: one organisation. Paths are relative to the job file, and no other party needs to have them."""

    name: str
    """The NAME in [parties.NAME]: letters, digits, hyphen and underscore."""
    roles: tuple[str, ...]
    """Of "data" (brings a table), "compute" (holds shares), "dealer" (makes correlated randomness)."""
    data: str | None = None
    """The party's table: CSV, Parquet or numpy file."""
    certificate: str | None = None
    """The party's TLS certificate (PEM); all parties have a copy."""
    key: str | None = None
    """The party's private key (PEM); read by this party only."""
    device: str | None = None
    """Where this party computes or deals, if not where [job] says. The others need not know."""

    def __post_init__(self) -> None:
        where = f"[parties.{self.name}]"
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", self.name):
            raise JobError(
                f"party name {self.name!r} is not allowed", hint="use up to 64 letters, digits, hyphens and underscores"
            )
        for role in self.roles:
            choice(f"{where} roles", role, ROLES)
        once(f"{where} roles", self.roles)
        need(f"{where} roles", bool(self.roles), "must name one role at least: data, compute, dealer")
        if "data" in self.roles and self.data is None:
            raise JobError(f"{where}: role 'data' needs a table", hint='add data = "file.csv", or drop the role')
        if "data" not in self.roles and self.data is not None:
            raise JobError(f"{where}: has data but not the role 'data'", hint="add the role, or take `data` out")
        for key in ("data", "certificate", "key"):
            need(f"{where} {key}", (getattr(self, key) or "").isprintable(), _BACKSLASH)
        need(f"{where} key", self.key is None or self.certificate is not None, "needs a certificate beside it")
        _check_device(f"{where} device", self.device or "cpu")


def _check_device(setting: str, value: str) -> None:
    need(setting, bool(re.fullmatch(DEVICES, value)), 'must be "cpu", "cuda", "cuda:N" or "auto"')
