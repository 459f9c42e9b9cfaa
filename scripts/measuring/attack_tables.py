"""Tables of the attacks in results/README.md, Markdown, from kept rows."""

from __future__ import annotations

from collections.abc import Sequence

from measuring.page_tables import table
from measuring.rows import Row
from measuring.text import error, seconds

_YEAR = 365.25 * 86400


def seed_table(rows: Sequence[Row]) -> str:
    """A line a generator, or a run of CrypTen."""
    lines = []
    for row in (row for row in rows if row["figure"] == "seed"):
        case = row["case"] + (" (computed)" if row["how"] == "computed" else "")
        lines.append([case, row.get("knows", ""), recovered(row), long(row["seconds"]) if "seconds" in row else ""])
    return table(["masks of", "what is known", "recovered", "time, one core"], lines)


def views_table(rows: Sequence[Row]) -> str:
    """A line a party and model, then the controls."""
    head = ["model", "party", "bytes seen, a run", "uniform bytes: p", "alike in every byte: p", "linear classifier"]
    lines = []
    found = [row for row in rows if row["figure"] == "views" and "bytes_seen" in row]
    for row in sorted(found, key=lambda row: bool(row["control"])):
        party = row["case"].split(", ")[1] + (f", control: {row['control']}" if row["control"] else "")
        cells = [row["model"], party, f"{row['bytes_seen']:,}"]
        if not row["bytes_seen"]:
            lines.append([*cells, "", "", "", ""])
            continue
        cells += [f"{row[name]:.2g}" for name in ("bytes_p", "positions_p")]
        for name in ("told_linear", "told_forest"):
            low, high = row[f"{name}_interval"]
            cells.append(f"{row[name]:.2f} ({low:.2f} to {high:.2f})")
        lines.append(cells)
    return table([*head, "forest"], lines)


def key_holder_table(rows: Sequence[Row]) -> str:
    head = ["system", "who", "sees", "recovered", "within"]
    lines = []
    for row in (row for row in rows if row["figure"] == "key holder"):
        if "not_measured" in row:
            lines.append([row["case"], f"not measured: {row['not_measured'].splitlines()[0]}", "", "", ""])
            continue
        lines.append([row["case"], row["attacker"], row["sees"], recovered(row), error(row["within"])])
    return table(head, lines)


def gradients_table(rows: Sequence[Row]) -> str:
    """A line a system and batch; linear and logistic side by side."""
    found = [row for row in rows if row["figure"] == "gradients"]
    lines = []
    for name in dict.fromkeys(_without_model(row) for row in found):
        of_name = {row["model"]: row for row in found if _without_model(row) == name}
        row = next(iter(of_name.values()))
        cells = [
            name,
            row["sees"],
            row["knows"] if "not_measured" not in row else f"not measured: {row['not_measured']}",
        ]
        for model in ("linear", "logistic"):
            own = of_name.get(model, {})
            cells.append(f"{recovered(own)}, error {_times(own['error'])}" if "error" in own else "")
        lines.append(cells)
    return table(["system", "sees", "knows besides", "linear", "logistic"], lines)


def _times(value: float) -> str:
    """Of guessing: 0.98, 1.1e-14."""
    return f"{value:.2f}" if value > 0.01 else error(value)


def _without_model(row: Row) -> str:
    return str(row["case"].partition(", ")[2])


def membership_table(rows: Sequence[Row]) -> str:
    """A line a model and penalty, a column a number of rows."""
    found = [row for row in rows if row["figure"] == "membership"]
    sizes = sorted({row["rows"] for row in found if "rows" in row})
    lines = []
    for model, l2 in dict.fromkeys((row["model"], row["l2"]) for row in found if "model" in row):
        for ours in (False, True):
            own = {
                row["rows"]: row
                for row in found
                if (row.get("model"), row.get("l2"), "auc_plaintext" in row) == (model, l2, ours)
            }
            if own:
                words = f"{'alpha' if model == 'linear' else '1 / C'} = {l2:g}" + (", weights of mpcfl" if ours else "")
                lines.append([f"{model}, {words}", *(_auc(own[n]) if n in own else "" for n in sizes)])
    lines += [
        [row["case"], f"not measured: {row['not_measured']}", *[""] * 3] for row in found if "not_measured" in row
    ]
    return table(["model", *(f"n = {n}" for n in sizes)], lines)


def _auc(row: Row) -> str:
    """AUC, and how good the weights are on rows that they have not seen."""
    auc = f"{row['auc']:.3f} +- {row['auc_margin']:.3f}"
    if "auc_plaintext" in row:
        return f"{auc} (plaintext {row['auc_plaintext']:.3f})"
    return f"{auc} ({'R^2' if row['model'] == 'linear' else 'accuracy'} {row['score_others']:.2f})"


def inversion_table(rows: Sequence[Row]) -> str:
    """A line a model and penalty, of the fewest and the most rows."""
    found = [row for row in rows if row["figure"] == "model inversion"]
    sizes = sorted({row["rows"] for row in found})
    lines = []
    for row in (row for row in found if row["rows"] in (sizes[0], sizes[-1])):
        cells = [row["case"], *(f"{row[name]:.2f}" for name in ("r2_others_without", "r2_others"))]
        cells += [f"{row[name]:.2f}" for name in ("r2_members_without", "r2_members")]
        lines.append([*cells, f"{row['risk']:+.3f} +- {row['risk_margin']:.3f}"])
    head = ["model", "others, without the weights", "others, with", "members, without", "members, with"]
    return table([*head, "what members risked"], lines)


def differencing_table(rows: Sequence[Row]) -> str:
    """A line an attacker and table, a column so many published digits."""
    found = [row for row in rows if row["figure"] == "differencing" and "error" in row]
    digits = sorted({row["digits"] for row in found}, reverse=True)
    lines: dict[str, list[str]] = {}
    for row in found:
        name = row["case"].removesuffix(f", {row['digits']} digits").replace(f"{row['model']}, {row['knows']}, ", "")
        key = "|".join((row["model"], row["knows"], str(row["models"]), name))
        cells = lines.setdefault(key, [*key.split("|"), *[""] * len(digits)])
        cells[4 + digits.index(row["digits"])] = f"{row['recovered']} of {row['of']}, error {_times(row['error'])}"
    blank = [[row["case"], f"not measured: {row['not_measured']}"] for row in rows if _not_measured(row)]
    head = ["model", "knows", "models", "rows", *(f"{count} digits" for count in digits)]
    return table(head, [*lines.values(), *([*cells, *[""] * (len(head) - 2)] for cells in blank)])


def _not_measured(row: Row) -> bool:
    return row["figure"] == "differencing" and "not_measured" in row


def recovered(row: Row) -> str:
    """221 of 221 rows; nothing where nothing was tried."""
    return f"{row['recovered']:,} of {row['of']:,} {row['unit']}" if "recovered" in row else ""


def long(value: float) -> str:
    """Seconds that may be more than the universe has had."""
    return seconds(value) if value < _YEAR else f"{error(value / _YEAR)} years"
