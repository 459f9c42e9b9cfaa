"""docs/JOB_FILE.md is what its script writes, and the job on it is a job."""

import re

import pytest

from mpcfl.cli.job import Job
from mpcfl.cli.job_tables import parse_toml
from scripts import make_job_reference as reference


def test_the_page_is_up_to_date() -> None:
    page = reference.PAGE.read_text(encoding="utf-8")
    assert page == reference.page(), "run: .venv/bin/python scripts/make_job_reference.py"


def test_every_section_of_a_job_is_on_the_page() -> None:
    headings = re.findall(r"## `\[([a-z]+)", reference.page())
    job = Job.from_dict(example())
    assert set(headings) == set(job.to_dict())


@pytest.mark.parametrize("heading", reference.SECTIONS)
def test_every_key_has_its_explanation(heading: str) -> None:
    cls, hidden = reference.SECTIONS[heading]
    keys = set(cls.__dataclass_fields__) - set(hidden)
    texts = reference._field_texts(cls)
    assert keys <= set(texts) and all(texts[key].endswith(".") for key in keys)


def example() -> dict:
    found = re.search(r"```toml\n(.*?)```", reference.page(), re.DOTALL)
    assert found
    return parse_toml(found[1])
