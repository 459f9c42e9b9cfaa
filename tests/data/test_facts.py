"""What is public about the joint table, and that all parties agree on it before anything is shared."""

import numpy as np
import pytest

from mpcfl.data.facts import Facts, agree_on_facts
from mpcfl.data.table import Table
from mpcfl.errors import AgreementError, DataError
from mpcfl.world.session import Session
from tests.joint import DIABETES, PROGRESSION, facts_for, tables_of
from tests.parties import roster, run_parties, run_with_sessions

WHO = roster(2, owners=4)  # p0, p1, the dealer and o3, which only brings data


def facts(partition: str, **settings: float) -> Facts:
    return facts_for(tables_of(DIABETES, PROGRESSION, WHO.owners, partition), WHO, partition, **settings)  # type: ignore[arg-type]


def test_rows_add_up_in_a_horizontal_partition() -> None:
    found = facts("horizontal")
    assert dict(found.rows) == {0: 110, 1: 111, 2: 110, 3: 111}
    assert found.total_rows == found.training_rows == 442
    assert found.owners == (0, 1, 2, 3)
    assert found.features == tuple(f"x{i}" for i in range(10)) and found.columns == 11
    assert found.holders == () and found.counts == [{0: 110, 1: 111, 2: 110, 3: 111}]


def test_rows_are_the_same_ones_in_a_vertical_partition() -> None:
    found = facts("vertical")
    assert found.total_rows == found.training_rows == 442
    assert found.holders == (0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 1)  # the target last
    assert [found.positions(rank) for rank in range(4)] == [[0, 1], [2, 3, 4, 10], [5, 6], [7, 8, 9]]
    assert sorted(j for rank in range(4) for j in found.positions(rank)) == list(range(11))


def test_every_owner_holds_out_its_own_rows() -> None:
    found = facts("horizontal", test_fraction=0.1)
    assert dict(found.held_out) == {0: 11, 1: 12, 2: 11, 3: 12}
    assert found.training_rows == 442 - 46
    assert found.counts == [{0: 99, 1: 99, 2: 99, 3: 99}, {0: 11, 1: 12, 2: 11, 3: 12}]
    vertical = facts("vertical", test_fraction=0.1)
    assert vertical.training_rows == 442 - 45


@pytest.mark.parametrize("partition", ["horizontal", "vertical"])
def test_all_parties_come_to_the_same_facts(partition: str) -> None:
    """Dealer and pure owners too, although they are not linked with each other."""
    tables = tables_of(DIABETES, PROGRESSION, WHO.owners, partition)

    def program(session: Session) -> Facts:
        table = tables.get(session.rank)
        schema = table.schema if table is not None else None
        return agree_on_facts(session, partition, schema, "y", test_fraction=0.2, seed=5)

    everyone = run_parties(WHO, program)
    assert all(found == everyone[0] for found in everyone)
    assert everyone[0] == facts(partition, test_fraction=0.2, seed=5)


def disagreement(partition: str, tables: dict[int, Table], target: str = "y") -> tuple[str, list[Session]]:
    sessions: list[Session] = []

    def program(session: Session) -> None:
        sessions.append(session)
        agree_on_facts(session, partition, tables[session.rank].schema if session.rank in tables else None, target)

    with pytest.raises((AgreementError, DataError)) as caught:
        run_with_sessions(roster(2), program)
    return str(caught.value), sessions


def of(names: str, rows: int = 4) -> Table:
    columns = names.split()
    return Table.of(np.arange(rows * len(columns), dtype=float).reshape(rows, -1), names=columns)


def test_horizontal_tables_have_the_same_columns_in_the_same_order() -> None:
    for other, words in (
        ("a b y extra", "extra"),
        ("a y", "'b'"),
        ("b a y", "order"),
    ):
        message, _ = disagreement("horizontal", {0: of("a b y"), 1: of(other)})
        assert words in message and "p1" in message


def test_vertical_tables_have_the_same_rows_and_no_column_twice() -> None:
    message, _ = disagreement("vertical", {0: of("a b"), 1: of("c y", rows=5)})
    assert "4" in message and "5" in message and "p0" in message and "p1" in message
    message, _ = disagreement("vertical", {0: of("a b"), 1: of("b y")})
    assert "'b'" in message
    message, _ = disagreement("vertical", {0: of("a b"), 1: of("c d")})
    assert "'y'" in message


def test_nothing_has_been_shared_by_then() -> None:
    _, sessions = disagreement("horizontal", {0: of("a b y"), 1: of("b a y")})
    assert all(set(session.meter.exact()) <= {"setup"} for session in sessions)
