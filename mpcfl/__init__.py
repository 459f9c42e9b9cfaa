"""mpcfl: several organisations train one linear model under secure multi-party computation; nobody can decrypt alone.

Start here: `LinearRegression` and `Ridge` inside `with join(roster({...})) as session`, or from the command line
`mpcfl demo`, `mpcfl plan job.toml`, `mpcfl simulate job.toml`, `mpcfl train job.toml`. Everything that can leave the
shares leaves by `reveal`, which writes the ledger. This page is the public interface; names load when they are used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mpcfl.version import VERSION as __version__

if TYPE_CHECKING:
    from mpcfl.cli.job import Job as Job
    from mpcfl.cli.simulate import simulate as simulate
    from mpcfl.data.reading import open_table as open_table
    from mpcfl.data.table import Table as Table
    from mpcfl.models.by_rows import LinearSVC as LinearSVC
    from mpcfl.models.by_rows import LogisticRegression as LogisticRegression
    from mpcfl.models.cross_validate import cross_validate as cross_validate
    from mpcfl.models.lasso import ElasticNet as ElasticNet
    from mpcfl.models.lasso import Lasso as Lasso
    from mpcfl.models.linear import LinearRegression as LinearRegression
    from mpcfl.models.linear import Ridge as Ridge
    from mpcfl.models.linear import roster as roster
    from mpcfl.models.regressors import GammaRegressor as GammaRegressor
    from mpcfl.models.regressors import HuberRegressor as HuberRegressor
    from mpcfl.models.regressors import PoissonRegressor as PoissonRegressor
    from mpcfl.protocols.aggregate import aggregate as aggregate
    from mpcfl.report.model import load_model as load_model
    from mpcfl.sharing.reveal import reveal as reveal
    from mpcfl.sharing.share import Share as Share
    from mpcfl.solvers.admm import Admm as Admm
    from mpcfl.solvers.doubling import Doubling as Doubling
    from mpcfl.solvers.fixed_hessian import FixedHessian as FixedHessian
    from mpcfl.solvers.gradient import Gradient as Gradient
    from mpcfl.solvers.newton import Newton as Newton
    from mpcfl.world.join import join as join
    from mpcfl.world.session import Session as Session

_HOMES = {
    "Admm": "mpcfl.solvers.admm",
    "Doubling": "mpcfl.solvers.doubling",
    "ElasticNet": "mpcfl.models.lasso",
    "FixedHessian": "mpcfl.solvers.fixed_hessian",
    "Gradient": "mpcfl.solvers.gradient",
    "GammaRegressor": "mpcfl.models.regressors",
    "HuberRegressor": "mpcfl.models.regressors",
    "Job": "mpcfl.cli.job",
    "Lasso": "mpcfl.models.lasso",
    "LinearRegression": "mpcfl.models.linear",
    "LinearSVC": "mpcfl.models.by_rows",
    "LogisticRegression": "mpcfl.models.by_rows",
    "Newton": "mpcfl.solvers.newton",
    "PoissonRegressor": "mpcfl.models.regressors",
    "Ridge": "mpcfl.models.linear",
    "Session": "mpcfl.world.session",
    "Share": "mpcfl.sharing.share",
    "Table": "mpcfl.data.table",
    "aggregate": "mpcfl.protocols.aggregate",
    "cross_validate": "mpcfl.models.cross_validate",
    "join": "mpcfl.world.join",
    "load_model": "mpcfl.report.model",
    "open_table": "mpcfl.data.reading",
    "reveal": "mpcfl.sharing.reveal",
    "roster": "mpcfl.models.linear",
    "simulate": "mpcfl.cli.simulate",
}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'mpcfl' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
