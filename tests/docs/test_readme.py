"""What README.md says is so: costs, jobs, exit codes, names, links."""

import re
from pathlib import Path

import pytest

import mpcfl
from mpcfl import errors
from mpcfl.cli.assembly import roster_of, settings_of
from mpcfl.cli.demo import JOB
from mpcfl.cli.job import Job
from mpcfl.cli.job_tables import parse_toml
from mpcfl.cli.main import INTERRUPTED
from mpcfl.cli.plan import facts_from_counts, plan_of
from mpcfl.report.units import size
from scripts import make_cost_table as costs

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=row[0], marks=[pytest.mark.slow] if row[-1] > 10 else []) for row in costs.ROWS]
)
def test_a_line_of_the_cost_table_is_up_to_date(row: tuple) -> None:
    assert costs.line(*row) in README, "run: .venv/bin/python scripts/make_cost_table.py"


def test_the_cost_table_has_these_lines_only() -> None:
    found = costs.PLACE.search(README)
    assert found and found[0].startswith(costs.HEAD)
    assert len(found[0].splitlines()) == len(costs.HEAD.splitlines()) + len(costs.ROWS)


def test_the_demo_costs_what_its_output_in_the_readme_says() -> None:
    job = Job.from_dict(parse_toml(JOB))
    meters = plan_of(roster_of(job), facts_from_counts(job, 442, 10), settings_of(job)).meters
    online, offline = (sum(m.total(phase).bytes for m in meters.values()) for phase in ("online", "offline"))
    rounds = meters[job.ranks[0]].total("online").rounds
    assert f"Cost: {rounds} rounds, {size(online)} online, {size(offline)} offline" in README


def test_the_job_is_that_of_the_demo() -> None:
    assert Job.from_dict(parse_toml(blocks("toml")[0])) == Job.from_dict(parse_toml(JOB))


def test_the_program_uses_names_that_exist() -> None:
    (program,) = blocks("python")
    compile(program, "README.md", "exec")
    names = re.findall(r"mpcfl\.([A-Za-z_]+)", program)
    assert names and all(hasattr(mpcfl, name) for name in names)


def test_every_exit_code_is_listed() -> None:
    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    codes = {cls.exit_code for cls in classes if issubclass(cls, errors.MpcflError)}
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}
    assert listed == codes | {0, INTERRUPTED}


def test_every_link_leads_to_a_file() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
