"""What a party says about its table before anything is shared, and whether the tables of all parties fit together.

Column names, kinds and numbers of rows are public to all parties of the job; no value of a cell is in a schema.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mpcfl.data.names import did_you_mean, nearest
from mpcfl.errors import AgreementError, DataError

KINDS = ("float", "int", "bool")
"""All numbers, hence compatible with each other: one party's column of whole numbers is another's of fractions."""

NAMED_AT_MOST = 5
"""Differences that one message names; more are counted."""


@dataclass(frozen=True)
class Column:
    name: str
    kind: str


@dataclass(frozen=True)
class Schema:
    """Columns in file order, the name of the target where this table holds it, and the number of rows."""

    columns: tuple[Column, ...]
    target: str | None
    rows: int

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def with_target(self, target: str) -> "Schema":
        """The same table, `target` marked if it holds a column of this name."""
        return Schema(self.columns, target if target in self.names else None, self.rows)

    def to_json(self) -> str:
        columns = [[column.name, column.kind] for column in self.columns]
        return json.dumps({"columns": columns, "target": self.target, "rows": self.rows})

    @staticmethod
    def from_json(text: str) -> "Schema":
        """AgreementError if `text`, which comes from another party, is no schema."""
        try:
            data = json.loads(text)
            columns = tuple(Column(name, kind) for name, kind in data["columns"])
            target, rows = data["target"], data["rows"]
        except (ValueError, KeyError, TypeError):
            raise AgreementError("a party sent a schema that cannot be read") from None
        names = [column.name for column in columns]
        well_formed = (
            all(isinstance(column.name, str) and column.kind in KINDS for column in columns)
            and len(set(names)) == len(names) > 0
            and (target is None or target in names)
            and isinstance(rows, int)
            and not isinstance(rows, bool)
            and rows > 0
        )
        if not well_formed:
            raise AgreementError("a party sent a schema that is not well formed")
        return Schema(columns, target, rows)


@dataclass(frozen=True)
class Agreed:
    """What all parties know of the joint table: `features` in the order of the weights, the target, rows by party.

    `owners` says which party holds each feature, `target_owner` who holds the target, in a vertical partition; in a
    horizontal one all parties hold all columns, and they are empty and None.
    """

    partition: str
    features: tuple[str, ...]
    owners: Mapping[str, str]
    target: str
    target_owner: str | None
    rows: Mapping[str, int]
    total_rows: int

    def features_of(self, party: str) -> tuple[str, ...]:
        """The features that `party` holds, in the order of the weights."""
        return tuple(name for name in self.features if not self.owners or self.owners[name] == party)


def agree_horizontal(schemas: Mapping[str, Schema], target: str, aside: Sequence[str] = ()) -> Agreed:
    """Same columns, other rows: every party has the same names in the same order, the target among them.

    `schemas` is in party order; `aside`: columns that are no features. AgreementError names the party and the column
    that differ.
    """
    if not any(target in schema.names for schema in schemas.values()):
        raise _no_target(schemas, target)
    _check_same_names(schemas)
    first, *others = schemas
    names = schemas[first].names
    for party in others:
        for position, (here, there) in enumerate(zip(names, schemas[party].names, strict=True), start=1):
            if here != there:
                raise AgreementError(
                    f"{party} has its columns in another order than {first}: "
                    f"column {position} is {there!r}, not {here!r}",
                    hint=f"reorder the columns of {party} as {first} has them",
                )
    for name in aside:
        if name not in names:
            raise _no_column(schemas, name)
    features = tuple(name for name in names if name != target and name not in aside)
    rows = {party: schema.rows for party, schema in schemas.items()}
    return _checked(Agreed("horizontal", features, {}, target, None, rows, sum(rows.values())))


def agree_vertical(schemas: Mapping[str, Schema], target: str, aside: Sequence[str] = ()) -> Agreed:
    """Same rows, other columns: as many rows everywhere, no name twice, one party holds the target, and `aside`, the
    columns that are no features.

    Features are in party order, then file order. That row i is the same case at every party cannot be seen here:
    the parties have to see to it.
    """
    rows = {party: schema.rows for party, schema in schemas.items()}
    if len(set(rows.values())) > 1:
        counts = ", ".join(f"{party} has {count}" for party, count in rows.items())
        raise AgreementError(
            f"the tables differ in rows: {counts}",
            hint="a vertical partition needs the same cases in the same order at every party",
        )
    owners: dict[str, str] = {}
    for party, schema in schemas.items():
        for name in schema.names:
            if name in owners:
                what = "the target" if name == target else "column"
                raise AgreementError(
                    f"{what} {name!r} is held by {owners[name]} and by {party}",
                    hint="take it out at one of them, or rename it; what only numbers the cases is no feature: sort "
                    "all tables by it, then take it out everywhere",
                )
            owners[name] = party
    if target not in owners:
        raise _no_target(schemas, target)
    target_owner = owners.pop(target)
    for name in aside:
        if (holder := owners.pop(name, None)) is None:
            raise _no_column(schemas, name)
        if holder != target_owner:
            raise AgreementError(
                f"column {name!r} is held by {holder}, and the target by {target_owner}",
                hint="in a vertical partition weights, offsets and exposures belong to the owner of the target",
            )
    return _checked(Agreed("vertical", tuple(owners), owners, target, target_owner, rows, next(iter(rows.values()))))


def check_enough_rows(model: str, rows: int, features: int, fit_intercept: bool, standard_errors: bool = False) -> None:
    """DataError where least squares has no single answer: `linear` needs a row for every unknown, and one more for
    standard errors. Ridge has an answer for any table of two rows."""
    if rows < 2:
        raise DataError(f"the tables of all parties have {rows} row together", hint="a regression needs two at least")
    needed = features + fit_intercept + standard_errors
    if model == "linear" and rows < needed:
        unknowns = f"{features} columns" + (" and an intercept" if fit_intercept else "")
        extra = " and standard errors" if standard_errors else ""
        raise DataError(
            f"linear regression with {unknowns}{extra} needs at least {needed} rows, there are {rows}",
            hint='take columns out, or use model = "ridge"',
        )


def _check_same_names(schemas: Mapping[str, Schema]) -> None:
    first = next(iter(schemas))
    found: list[str] = []
    hint = None
    for name in dict.fromkeys(name for schema in schemas.values() for name in schema.names):
        holders = [party for party, schema in schemas.items() if name in schema.names]
        lackers = [party for party in schemas if party not in holders]
        if not lackers:
            continue
        # The smaller side is the odd one out; between two sides of one size the first party is the measure.
        if len(lackers) < len(holders) or (len(lackers) == len(holders) and first in holders):
            found.append(
                f"{_join(lackers)} {_s(lackers, 'lack')} column {name!r}, which {_join(holders)} "
                f"{'has' if len(holders) == 1 else 'have'}"
            )
        else:
            found.append(
                f"{_join(holders)} {'has' if len(holders) == 1 else 'have'} column {name!r}, "
                f"which {_join(lackers)} {_s(lackers, 'lack')}"
            )
        near = [
            match
            for party in lackers
            if (match := nearest(name, schemas[party].names)) and match not in schemas[holders[0]].names
        ]
        if near and hint is None:
            hint = f"{near[0]!r} and {name!r} may be meant to be one: names must agree letter by letter"
    if found:
        more = len(found) - NAMED_AT_MOST
        text = "; ".join(found[:NAMED_AT_MOST]) + (f"; and {more} more" if more > 0 else "")
        raise AgreementError(text, hint=hint or "give every party the same columns")


def _no_target(schemas: Mapping[str, Schema], target: str) -> AgreementError:
    every = [name for schema in schemas.values() for name in schema.names]
    hint = did_you_mean(target, every) or "`target` in the job file must be a column's name"
    return AgreementError(f"no party has the target column {target!r} (asked: {_join(list(schemas))})", hint=hint)


def _no_column(schemas: Mapping[str, Schema], name: str) -> AgreementError:
    every = [column for schema in schemas.values() for column in schema.names]
    hint = did_you_mean(name, every) or "[model] in the job file must name a column"
    return AgreementError(f"no party has the column {name!r} (asked: {_join(list(schemas))})", hint=hint)


def _checked(agreed: Agreed) -> Agreed:
    if not agreed.features:
        raise AgreementError(
            f"there is no column beside the target {agreed.target!r}", hint="a regression needs one feature at least"
        )
    if agreed.total_rows < 2:
        raise DataError(
            f"the tables of all parties have {agreed.total_rows} row together", hint="a regression needs two at least"
        )
    return agreed


def _join(parties: Sequence[str]) -> str:
    return parties[0] if len(parties) == 1 else f"{', '.join(parties[:-1])} and {parties[-1]}"


def _s(parties: Sequence[str], verb: str) -> str:
    return verb + "s" if len(parties) == 1 else verb
