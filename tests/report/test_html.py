"""The page: self-contained, safe whatever the names say, and with every figure that is known."""

import html.parser
import re

import pytest

from mpcfl.report.html import page
from tests.report.example import LEDGER, REPORT, example, example_of


class Reader(html.parser.HTMLParser):
    """Collects tags, attributes and text, and holds that every element is closed in its turn."""

    VOID = {"meta", "br"}

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(source)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data + " "


@pytest.fixture(scope="module")
def read() -> Reader:
    return Reader(page(example()))


def test_nothing_is_loaded_from_elsewhere(read: Reader) -> None:
    assert not read.tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    names = {name for name, _ in read.attributes}
    assert not names & {"src", "srcset", "action"} and not any(name.startswith("on") for name in names)
    links = [value or "" for name, value in read.attributes if name.endswith("href")]
    assert links and all(link.startswith("#") for link in links)
    outside = [found for found in re.findall(r"url\(([^)]*)", page(example())) if not found.startswith("#")]
    assert outside == [] and "@import" not in page(example())


def test_a_policy_forbids_loading_and_scripts(read: Reader) -> None:
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in read.attributes


@pytest.mark.parametrize(
    "said",
    [
        "Linear regression of y on 5 columns and 1,200 rows",
        "within 3.6e-08 (relative) of plaintext",
        "0.03125",  # a coefficient
        "< 1e-16",  # a p value
        "the trained model",  # a reason of the ledger
        "any other number that travelled was masked",
        "north and south together could",
        "All tables were on one machine",
        "12,672",  # bytes of a party, exactly
        "36 rounds online, 2 an iteration",
        "84 ms",
        "mpcfl predict",
        "steps = 65536",
        "2.13.0",
    ],
)
def test_the_page_says(read: Reader, said: str) -> None:
    assert said in read.text


def test_four_pictures(read: Reader) -> None:
    labels = [value for name, value in read.attributes if name == "aria-label"]
    assert len([label for label in labels if label]) == 4


def test_ids_are_unique(read: Reader) -> None:
    ids = [value for name, value in read.attributes if name == "id"]
    assert len(ids) == len(set(ids)) > 0


HOSTILE = ["</style><script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "<!--", "&lt;", "]]>", "\u202egnp"]


def test_names_of_others_stay_text() -> None:
    ledger = [{"what": name, "shape": [1], "to": [name], "reason": name} for name in HOSTILE]
    job = {"job": {"name": HOSTILE[0], "target": "y"}, "parties": {name: {"roles": [name]} for name in HOSTILE}}
    costs = {"costs": {name: {"online": {name: {"rounds": 1, "bytes": 9}}} for name in HOSTILE}}
    costs |= {"machine": {name: name for name in HOSTILE}, "versions": {name: name for name in HOSTILE}}
    source = page(
        example_of(
            HOSTILE, target=HOSTILE[1], party=HOSTILE[0], version=HOSTILE[0], job=job, ledger=ledger, report=costs
        )
    )
    read = Reader(source)
    assert not read.tags & {"script", "img"}
    assert source.count("<style") == source.count("</style>") == 4  # the page's own, and one in each of three pictures
    assert HOSTILE[0] in read.text and "\u202e" not in source


def test_a_run_of_which_little_is_known_shows_no_empty_section() -> None:
    read = Reader(page(example(report={}, ledger=LEDGER)))
    assert "svg" not in read.tags and "What it cost" not in read.text and "error against" not in read.text
    assert "All tables were on one machine" not in read.text
    assert "0.03125" in read.text and "the trained model" in read.text


def test_each_part_of_the_report_may_be_absent() -> None:
    for key in REPORT:
        report = {name: value for name, value in REPORT.items() if name != key}
        if key in ("costs", "plaintext"):  # those that make pictures: drawn in other tests
            assert "0.03125" in Reader(page(example(report=report))).text
        else:
            slim = {name: value for name, value in report.items() if name not in ("costs", "plaintext")}
            assert "0.03125" in Reader(page(example(report=slim))).text


def test_no_intercept_where_the_model_has_none() -> None:
    assert "(intercept)" in page(example(report={}))
    assert "(intercept)" not in page(example(report={}, job={"model": {"fit_intercept": False}}))


def test_what_was_revealed_more_than_once_is_one_line_with_how_often() -> None:
    entry = {"what": "still in range", "shape": [], "to": ["north"], "reason": "asked"}
    text = Reader(page(example(ledger=[*LEDGER, entry, entry, entry]))).text
    assert text.count("still in range") == 1 and re.search(r"still in range .*? asked\s+3\s", text, re.DOTALL)
