"""`mpcfl simulate` with parties that are forked (`tests/forked.py`) and not started, which takes each seconds of CPU.

That they can be started is held by `mpcfl demo` in `tests/cli/test_runs.py`.
"""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from mpcfl.cli import simulate
from tests.forked import processes


def forked_parties(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the end of the test."""
    monkeypatch.setattr(simulate, "subprocess", SimpleNamespace(Popen=_Forked))


class _Forked:
    """As much of `subprocess.Popen` as a simulation uses."""

    def __init__(self, command: list[str], *, env: dict[str, str], stderr: Any, text: bool) -> None:
        python, option, program, *arguments = command
        assert (python, option) == (sys.executable, "-c") and "party_main(*sys.argv[1:])" in program and text
        self._process = processes().Process(target=_party, args=(arguments, env, stderr.name))
        self._process.start()

    def poll(self) -> int | None:
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()


def _party(arguments: list[str], environment: dict[str, str], log: str) -> None:
    from mpcfl.cli.main import party_main

    os.environ.update(environment)
    os.dup2(os.open(log, os.O_WRONLY), 2)
    sys.exit(party_main(*arguments))
