"""What is public about the joint table: columns, who holds what, how many rows. The plan is made from it alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from mpcfl.data.moments import Mask, split_rows
from mpcfl.data.schema import Agreed, Schema, agree_horizontal, agree_vertical
from mpcfl.world.party import Roster
from mpcfl.world.session import Session


@dataclass(frozen=True, kw_only=True, slots=True)
class Aside:
    """Columns that are no features: weight of a row, offset (added to X w), exposure (its logarithm is added). In a
    vertical partition the owner of the target holds them."""

    weight: str | None = None
    offset: str | None = None
    exposure: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name in (self.weight, self.offset, self.exposure) if name is not None)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """features: names in the order of the weights. rows: all rows of each owner, by rank. holders: in a vertical
    partition the rank that holds each column, features first and the target last; empty in a horizontal one."""

    partition: str
    features: tuple[str, ...]
    target: str
    rows: Mapping[int, int]
    holders: tuple[int, ...] = ()
    test_fraction: float = 0.0
    seed: int = 0
    aside: Aside = Aside()
    held_out: Mapping[int, int] = field(init=False)

    def __post_init__(self) -> None:
        counts = {rank: int(self.held_out_of(rank).sum()) for rank in self.rows}
        object.__setattr__(self, "held_out", counts)

    @property
    def columns(self) -> int:
        """D: the features and the target."""
        return len(self.features) + 1

    @property
    def owners(self) -> tuple[int, ...]:
        return tuple(sorted(self.rows))

    @property
    def total_rows(self) -> int:
        """Rows of the joint table, held-out ones among them."""
        return max(self.rows.values()) if self.holders else sum(self.rows.values())

    @property
    def training_rows(self) -> int:
        """Rows of the joint table that are not held out."""
        train = self.counts[0].values()
        return max(train) if self.holders else sum(train)

    @property
    def test_rows(self) -> int:
        """Rows of the joint table that are held out."""
        return self.total_rows - self.training_rows

    @property
    def counts(self) -> list[dict[int, int]]:
        """Training rows by owner, and held-out rows by owner if there are any."""
        train = {rank: rows - self.held_out[rank] for rank, rows in self.rows.items()}
        return [train, dict(self.held_out)] if self.test_fraction else [train]

    def held_out_of(self, rank: int) -> Mask:
        """(rows of owner `rank`,): true where a row is held out."""
        return split_rows(self.rows[rank], self.test_fraction, self.seed)

    @property
    def held_out_rows(self) -> Mask:
        """(total_rows,): true where a row of the joint table is held out, the owners' rows in turn."""
        if self.holders:
            return self.held_out_of(self.owners[0])
        return np.concatenate([self.held_out_of(rank) for rank in self.owners])

    def positions(self, rank: int) -> list[int]:
        """Places of the columns of owner `rank` among the D."""
        return [j for j, holder in enumerate(self.holders) if holder == rank]


def facts_of(
    roster: Roster,
    partition: str,
    schemas: Mapping[str, Schema],
    target: str,
    *,
    test_fraction: float,
    seed: int,
    aside: Aside = Aside(),
) -> Facts:
    """Facts from every owner's schema, by party name; AgreementError names what does not fit together."""
    agree = agree_horizontal if partition == "horizontal" else agree_vertical
    agreed: Agreed = agree(schemas, target, aside.names)
    holders: tuple[int, ...] = ()
    if partition == "vertical":
        names = [*(agreed.owners[feature] for feature in agreed.features), str(agreed.target_owner)]
        holders = tuple(roster.rank_of(name) for name in names)
    return Facts(
        partition=partition,
        features=agreed.features,
        target=target,
        rows={roster.rank_of(name): rows for name, rows in agreed.rows.items()},
        holders=holders,
        test_fraction=test_fraction,
        seed=seed,
        aside=aside,
    )


def agree_on_facts(
    session: Session,
    partition: str,
    own: Schema | None,
    target: str,
    *,
    test_fraction: float = 0.0,
    seed: int = 0,
    aside: Aside = Aside(),
) -> Facts:
    """Every owner publishes its schema (names, kinds, number of rows); every party checks that they fit together."""
    texts = session.publish(own.with_target(target).to_json().encode() if own else b"")
    names = session.roster.names
    schemas = {names[r]: Schema.from_json(text.decode()) for r, text in enumerate(texts) if text}
    return facts_of(session.roster, partition, schemas, target, test_fraction=test_fraction, seed=seed, aside=aside)
