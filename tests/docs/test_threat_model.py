"""Every claim of docs/THREAT_MODEL.md names a test that exists, or says that it is argued."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "THREAT_MODEL.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))
CLAIMS = re.findall(r"^\*\*(\d+)\. (.*?)(?=^\*\*\d+\. |^## )", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(("path", "name"), NAMED, ids=lambda part: part.removeprefix("tests/"))
def test_a_named_test_exists(path: str, name: str) -> None:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(("number", "text"), CLAIMS, ids=lambda part: part if part.isdecimal() else "")
def test_a_claim_is_held_by_a_test_or_says_that_it_is_not(number: str, text: str) -> None:
    assert "::test_" in text or "argued, not tested" in text.lower()


def test_claims_are_numbered_in_order() -> None:
    assert [int(number) for number, _ in CLAIMS] == list(range(1, len(CLAIMS) + 1)) and len(CLAIMS) > 5
