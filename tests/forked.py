"""Processes forked off a server that has imported everything once: as real as others, and there within milliseconds.

A process has one such server, whoever needs it first, so it imports what any of them needs: `tests/imported.py`.
"""

from __future__ import annotations

import functools
import multiprocessing
from contextlib import chdir
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from pathlib import Path

ROOT = Path(__file__).parents[1]


@functools.cache
def processes() -> ForkServerContext:
    """Of multiprocessing. The server is started in the root, where it finds `tests`."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.imported"])
    with chdir(ROOT):
        forkserver.ensure_running()
    return context
