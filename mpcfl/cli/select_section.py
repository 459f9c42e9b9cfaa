"""[select] of a job file: a penalty by cross-validation."""

from dataclasses import dataclass

from mpcfl.cli.rules import need
from mpcfl.models.families import SPARSE, Parameters
from mpcfl.models.selection import Selection, selection_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Select:
    """[select]: choose a penalty by cross-validation under MPC, then train on all rows with it. For ridge
    (doubling), lasso and elastic_net (admm), and for models of rows with the gradient solver. All values and folds are
    trained at once, in the rounds of one training."""

    parameter: str | None = None
    """What to choose: "C" or "alpha". Absent: that of the model."""
    values: tuple[float, ...] = ()
    """2 to 16 values to choose from, in place of the one under [model]; of equally good ones the first is taken. Ridge
    and elastic_net: they may be as far apart as one likes, since each has a scale of its own; beyond 10^9 times rows
    times variance the weights are 0. Models of rows: what is compared are models after [solver] iterations, in which a
    weak penalty may not have come to act yet; of those that can make no difference by then only one is accepted."""
    folds: int = 5
    """Parts into which the training rows are dealt by the public seed, 2 to 20; each is predicted by models that are
    trained on the others."""
    metric: str | None = None
    """By what: logistic: "log_loss" (the default), "accuracy" or "auc", with more than two classes "accuracy" (the
    default) or "auc"; svm: "accuracy" (the default) or "auc";
    huber, ridge, lasso, elastic_net: "mse"; poisson, gamma: "deviance". The mean over all rows; of "auc" over the
    folds."""
    reveal: str = "winner"
    """Either "winner": which value is best, to all parties, who go on with it; or "scores": besides, the mean metric of
    each value, to those who learn the result."""

    def selection(self, model: str, parameters: Parameters) -> Selection | None:
        """None without values. JobError for what this model cannot have."""
        if not self.values:
            return None
        return selection_of(
            model,
            parameters,
            values=self.values,
            parameter=self.parameter,
            folds=self.folds,
            metric=self.metric,
            reveal=self.reveal,
        )

    def check(self, model: str, parameters: Parameters, solver: str, checkpoint: bool) -> None:
        """JobError for what cannot be together."""
        if self.selection(model, parameters) is not None:
            fitting = ("doubling",) if model == "ridge" else ("admm",) if model in SPARSE else ("gradient",)
            need("[select]", solver in fitting, f'needs [solver] name = "{fitting[0]}" for {model}')
            kept = model not in SPARSE or not checkpoint
            need("[select]", kept, f"keeps no checkpoints for {model}: leave [checkpoint] out")
