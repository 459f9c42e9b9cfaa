"""What happened, who could have learned what, and how to go on, in sentences for people who were not there."""

from __future__ import annotations

from typing import Any

from mpcfl.models.links import LINKS
from mpcfl.report.record import RunRecord
from mpcfl.report.units import count, listed, number, plural, small, visible

MODELS = {
    "linear": "linear regression",
    "ridge": "ridge regression",
    "lasso": "lasso",
    "elastic_net": "elastic net",
    "logistic": "logistic regression",
    "svm": "linear support vector machine",
    "huber": "robust regression (Huber)",
    "poisson": "Poisson regression",
    "gamma": "gamma regression",
}
METRICS = {
    "r2": "R²",
    "mse": "mean squared error",
    "accuracy": "accuracy",
    "log_loss": "log loss",
    "auc": "area under the ROC curve",
    "deviance": "deviance",
}


def title(record: RunRecord) -> str:
    """One line: model, target, columns, rows."""
    kind = record.kind
    rows = record.at("rows")
    classes = f" in {plural(record.classes, 'class')}" if record.classes is not None else ""
    return (
        f"{MODELS.get(kind, str(kind))} of {visible(record.target)}{classes} "
        f"on {plural(len(record.features), 'column')}{f' and {count(rows)} rows' if rows is not None else ''}"
    )


def partition(record: RunRecord) -> str:
    """What each owner brought."""
    owners = listed(map(visible, record.having("data") or record.at("parties") or [record.party]))
    kind = record.at("partition") or record.job.get("job", {}).get("partition")
    what = {
        "horizontal": "rows of their own, with the same columns",
        "vertical": "columns of their own, of the same rows",
    }
    return f"{owners} brought {what.get(str(kind), 'tables of their own')}."


def agreement(record: RunRecord) -> str | None:
    """How far the weights are from those of plaintext training; None where the tables were not local."""
    relative, largest = record.at("error", "relative"), record.at("error", "max_abs")
    if relative is None and largest is None:
        return None
    if relative is None:
        return f"The weights differ from those of plaintext training on the pooled tables by at most {small(largest)}."
    words = f"The weights are within {small(relative)} (relative) of plaintext training on the pooled tables"
    return f"{words}{f'; the largest difference is {small(largest)}' if largest is not None else ''}."


def metrics(record: RunRecord) -> str | None:
    """How good the model is on rows that it was not trained on; None where nobody asked."""
    found = record.at("metrics")
    return (
        f"On held-out rows: {listed(f'{METRICS.get(k, k)} {number(v)}' for k, v in found.items())}." if found else None
    )


def selection(record: RunRecord) -> str | None:
    """Which value of a parameter was chosen, and by what scores if they are known; None where there was no choice."""
    found = record.at("selection")
    if not found:
        return None
    name, scores = found["parameter"], found.get("scores")
    metric = METRICS.get(found["metric"], found["metric"])
    values = listed(f"{value:g}" for value in found["values"])
    text = f"{name} = {found['winner']:g} was chosen of {values} by {metric} in {found['folds']}-fold cross-validation"
    return f"{text} ({', '.join(map(number, scores))})." if scores else f"{text}."


def simulated(record: RunRecord) -> bool:
    """Were all tables on one machine? Only then can there be a plaintext twin."""
    return record.at("plaintext") is not None or record.at("error") is not None


def threat_model(record: RunRecord) -> list[str]:
    """Who could read what: three sentences, and one more for each thing that was switched off."""
    compute = [visible(name) for name in record.compute_parties] or ["the compute parties"]
    dealer = visible(record.dealer) if record.dealer is not None else None
    last = (
        "What was revealed is as exact as plaintext training gives it (no noise was added), so it can say something "
        "about single rows, above all where rows are few or a run is repeated with one row changed."
    )
    if dealer in compute:
        return [
            f"This was an experiment that protects nothing: {dealer} dealt the masks and computed as well.",
            f"{dealer} alone could read everything that was shared in this run.",
            last,
        ]
    helper = f", and {dealer} dealt random masks without seeing a message of the computation" if dealer else ""
    alone = "no party alone can read what another has shared"
    if len(compute) > 2:
        alone += f", nor can any {len(compute) - 1} of the {len(compute)} compute parties together"
    collusion = f"{listed(compute)} together could"
    if dealer:
        collusion += f", and so could {dealer} together with any one of them"
    sentences = [
        f"No table left its owner: {listed(compute)} computed on additive shares, each alone random{helper}.",
        f"As long as all parties follow the protocol, {alone}; {collusion}.",
        last,
    ]
    network = record.job.get("network", {})
    if network.get("openings") == "nccl":
        sentences.append(
            "Masked values went over NCCL, in the clear: the above holds only if nobody, the dealer least of all, could"
            " read or change what the GPUs of the compute parties sent each other."
        )
    if network.get("encrypt") is False:
        sentences.append(
            "TLS was off: the above holds only if nobody, the dealer least of all, could read the links between the "
            "compute parties."
        )
    return sentences


def how_to_use(record: RunRecord) -> dict[str, str]:
    """Command, Python and arithmetic that apply the model."""
    lines = [
        "import numpy as np",
        "from safetensors.numpy import load_file",
        'model = load_file("model.safetensors")',
        'z = x @ model["coef"].T + model["intercept"]  # columns of x in the order of `features`',
        _last_line(record),
    ]
    command = "mpcfl predict RUN_FOLDER table.csv"
    offset, exposure = _aside(record)
    if offset or exposure:
        taken = [f"{offset} = 0"] * bool(offset) + [f"{exposure} = 1"] * bool(exposure)
        command += f"  # with {listed(taken)}"
    return {"command": command, "python": "\n".join(lines), "formula": _formula(record)}


def _aside(record: RunRecord) -> tuple[str | None, str | None]:
    """Names of the offset and the exposure, which are no columns of x."""
    model = record.job.get("model", {})
    offset, exposure = model.get("offset"), model.get("exposure")
    return visible(offset) if offset else None, visible(exposure) if exposure else None


def _last_line(record: RunRecord) -> str:
    if record.classes is not None:
        return "likeliest = z.argmax(axis=1)"
    offset, exposure = _aside(record)
    z = "(z + offset)" if offset else "z"
    if record.kind == "svm":
        return f"y = {z} > 0"
    link = LINKS.get(record.kind)
    if link == "logit":
        return f"probability = 1 / (1 + np.exp(-{z}))"
    return f"y = {'exposure * ' if exposure else ''}np.exp({z})" if link == "log" else f"y = {z}"


def _formula(record: RunRecord) -> str:
    z, target = "intercept + sum of coef * column", visible(record.target)
    offset, exposure = _aside(record)
    z += f" + {offset}" if offset else ""
    if record.classes is not None:
        return (
            f"probability of each class of {target} = 1 / (1 + exp(-({z}))), with intercept and coefficients of that "
            "class, divided by the sum over all classes"
        )
    if record.kind == "svm":
        return f"{target} is 1 where {z} > 0"
    link = LINKS.get(record.kind)
    if link == "logit":
        return f"probability of {target} = 1: 1 / (1 + exp(-({z})))"
    return f"{target} = {f'{exposure} * ' if exposure else ''}exp({z})" if link == "log" else f"{target} = {z}"


def job_text(record: RunRecord) -> str:
    """The job as a job file, without local paths."""
    lines: list[str] = []
    for section, table in record.job.items():
        parts = table.items() if section == "parties" else [("", table)]
        for name, settings in parts:
            if not settings:
                continue
            lines += ["", f"[{section}{f'.{name}' if name else ''}]"]
            lines += [f"{key} = {_toml(value)}" for key, value in settings.items() if value is not None]
            if section == "parties" and "data" in settings.get("roles", []):
                lines.append('data = "..."  # the path of its own table, which no other party needs to know')
    return "\n".join(lines[1:]) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_quoted(key)} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return repr(value) if isinstance(value, int | float) else _quoted(value)


def _quoted(text: Any) -> str:
    escaped = str(text).replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped) + '"'
