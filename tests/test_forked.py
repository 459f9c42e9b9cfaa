"""Processes that are forked begin where `tests/imported.py` ends."""

import os
import sys
from concurrent.futures import ProcessPoolExecutor

from tests.forked import processes


def _found() -> tuple[int, list[str]]:
    wanted = ("tests.imported", "crypten", "mpcfl.cli.train", "mpcfl.ring._kernels", "matplotlib.figure")
    return os.getppid(), [name for name in wanted if name not in sys.modules]


def test_a_process_finds_everything_imported_by_a_server_that_others_have_too() -> None:
    found = []
    for _ in range(2):
        with ProcessPoolExecutor(1, processes()) as pool:
            found.append(pool.submit(_found).result())
    assert found[0] == found[1] and found[0][0] != os.getpid()
    assert found[0][1] == []
