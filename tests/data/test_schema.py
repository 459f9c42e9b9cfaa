"""The agreement of parties on their tables: every difference names the party and the column."""

import json

import pytest

from mpcfl.data.schema import Column, Schema, agree_horizontal, agree_vertical, check_enough_rows
from mpcfl.data.table import Table
from mpcfl.errors import AgreementError, DataError


def schema(*names: str, rows: int = 10, kind: str = "float") -> Schema:
    return Schema(tuple(Column(name, kind) for name in names), None, rows)


def test_a_source_says_its_schema() -> None:
    table = Table.of({"age": [1, 2], "y": [0.5, 1.5]})
    assert table.schema == Schema((Column("age", "int"), Column("y", "float")), None, 2)
    assert table.schema.with_target("y").target == "y"
    assert table.schema.with_target("z").target is None


def test_a_schema_survives_its_journey() -> None:
    sent = schema("age", "größe", "y", rows=7).with_target("y")
    assert Schema.from_json(sent.to_json()) == sent


GOOD = {"columns": [["a", "int"]], "target": None, "rows": 3}


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "3", '{"columns": 3}', "\\",
        *(json.dumps(GOOD | change) for change in (
            {"columns": [["a"]]}, {"columns": [["a", "text"]]}, {"columns": [[1, "int"]]}, {"columns": []},
            {"columns": [["a", "int"], ["a", "int"]]}, {"target": "b"}, {"rows": 0}, {"rows": "3"}, {"rows": True},
        )),
    ],
)  # fmt: skip
def test_what_is_no_schema_is_refused(text: str) -> None:
    assert Schema.from_json(json.dumps(GOOD)) == Schema((Column("a", "int"),), None, 3)
    with pytest.raises(AgreementError, match="a party sent a schema"):
        Schema.from_json(text)


def test_horizontal_parties_with_the_same_columns_agree() -> None:
    agreed = agree_horizontal(
        {"north": schema("age", "y", "bmi", rows=3, kind="int"), "south": schema("age", "y", "bmi", rows=4)}, "y"
    )
    assert agreed.features == ("age", "bmi") == agreed.features_of("south")
    assert (agreed.target, agreed.target_owner, agreed.owners) == ("y", None, {})
    assert (agreed.rows, agreed.total_rows) == ({"north": 3, "south": 4}, 7)


NORTH = schema("age", "bmi", "y")


@pytest.mark.parametrize(
    "others, words",
    [
        ({"south": schema("bmi", "y")}, "south lacks column 'age', which north has"),
        ({"south": schema("age", "bmi", "zip", "y")}, "south has column 'zip', which north lacks"),
        ({"south": schema("bmi", "y"), "east": NORTH}, "south lacks column 'age', which north and east have"),
        ({"south": schema("age", "bmi", "zip", "y"), "east": NORTH},
         "south has column 'zip', which north and east lack"),
        ({"south": schema("bmi", "y"), "east": schema("bmi", "y")},
         "north has column 'age', which south and east lack"),
        ({"south": schema("age", "bmi")}, "south lacks column 'y', which north has"),
        ({"south": schema("bmi", "age", "y")},
         "south has its columns in another order than north: column 1 is 'bmi', not 'age'"),
        ({"south": NORTH, "east": schema("age", "y", "bmi")},
         "east has its columns in another order than north: column 2 is 'y'"),
        ({"south": schema("Age", "bmi", "y")}, "'Age' and 'age' may be meant to be one"),
        ({"south": schema("age", "bmi", "Y")}, "'Y' and 'y' may be meant to be one"),
        ({"south": schema(*"abcdefgh", "y")}, "and 5 more"),
    ],
)  # fmt: skip
def test_horizontal_differences_name_party_and_column(others: dict[str, Schema], words: str) -> None:
    with pytest.raises(AgreementError) as caught:
        agree_horizontal({"north": NORTH, **others}, "y")
    assert words in str(caught.value)


@pytest.mark.parametrize("agree", [agree_horizontal, agree_vertical])
def test_a_target_that_nobody_has_is_named_with_the_nearest(agree) -> None:
    with pytest.raises(AgreementError) as caught:
        agree({"north": schema("age", "income")}, "incone")
    assert "no party has the target column 'incone'" in str(caught.value) and "did you mean 'income'?" in str(
        caught.value
    )


def test_vertical_features_are_in_party_order_then_file_order() -> None:
    agreed = agree_vertical({"north": schema("b", "a"), "south": schema("y", "d"), "east": schema("c")}, "y")
    assert agreed.features == ("b", "a", "d", "c")
    assert agreed.owners == {"b": "north", "a": "north", "d": "south", "c": "east"}
    assert (agreed.target_owner, agreed.total_rows) == ("south", 10)
    assert [agreed.features_of(party) for party in ("north", "south", "east")] == [("b", "a"), ("d",), ("c",)]


@pytest.mark.parametrize(
    "schemas, words",
    [
        ({"north": schema("a", rows=3), "south": schema("y", rows=4)}, "north has 3, south has 4"),
        ({"north": schema("a", "b"), "south": schema("b", "y")}, "column 'b' is held by north and by south"),
        ({"north": schema("a", "y"), "south": schema("b", "y")}, "the target 'y' is held by north and by south"),
    ],
)
def test_vertical_differences_name_party_and_column(schemas: dict[str, Schema], words: str) -> None:
    with pytest.raises(AgreementError) as caught:
        agree_vertical(schemas, "y")
    assert words in str(caught.value)


@pytest.mark.parametrize("agree", [agree_horizontal, agree_vertical])
def test_a_target_alone_and_a_single_row_are_refused(agree) -> None:
    with pytest.raises(AgreementError, match="no column beside the target 'y'"):
        agree({"north": schema("y")}, "y")
    with pytest.raises(DataError, match="1 row together"):
        agree({"north": schema("a", "y", rows=1)}, "y")


@pytest.mark.parametrize(
    "rows, features, intercept, errors, needed",
    [(10, 10, True, False, 11), (9, 10, False, False, 10), (11, 10, True, True, 12)],
)
def test_least_squares_needs_a_row_for_every_unknown(
    rows: int, features: int, intercept: bool, errors: bool, needed: int
) -> None:
    with pytest.raises(DataError, match=f"at least {needed} rows, there are {rows}") as caught:
        check_enough_rows("linear", rows, features, intercept, errors)
    assert "ridge" in str(caught.value.hint)
    check_enough_rows("linear", needed, features, intercept, errors)
    check_enough_rows("ridge", rows, features, intercept)


def test_no_model_is_trained_on_one_row() -> None:
    with pytest.raises(DataError, match="1 row together"):
        check_enough_rows("ridge", 1, 1, True)
