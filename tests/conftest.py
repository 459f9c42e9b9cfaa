"""What holds for all tests: which ones run here, and the summary that `.ci/run` prints last."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("MPLBACKEND", "Agg")  # pictures go to files; a test never opens a window
if "PYTEST_XDIST_WORKER" in os.environ:  # one of several processes, each with a core (`make test`)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # heard by torch when it is imported


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests marked slow too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = set()
    if not config.getoption("--slow"):
        left_out.add("slow")
    if any(item.get_closest_marker("cuda") for item in items):
        import torch

        if "cuda" not in config.getoption("markexpr") or not torch.cuda.is_available():
            left_out.add("cuda")
    deselected = [item for item in items if any(item.get_closest_marker(name) for name in left_out)]
    if deselected:
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if item not in set(deselected)]


@pytest.hookimpl(wrapper=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter):
    """Keep "3 failed, 120 passed" in .pytest_cache/summary, for `.ci/run` to repeat after make's last words."""
    yield
    parts, _ = terminalreporter.build_summary_stats_line()
    folder = Path(terminalreporter.config.rootpath, ".pytest_cache")
    folder.mkdir(exist_ok=True)
    Path(folder, "summary").write_text(", ".join(text for text, _ in parts) + "\n")
