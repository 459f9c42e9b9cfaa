"""The architecture, held by reading the imports: who may import whom, and what is forbidden where.

A file imports from its own folder or from lower floors. `mpcfl/__init__.py` and `mpcfl/__main__.py` stand on the roof.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "mpcfl"
FILES = sorted(PACKAGE.rglob("*.py"))

FLOORS = {"errors": -1, "version": -1, "ring": 0, "world": 1, "sharing": 2, "offline": 2, "protocols": 3, "data": 4}
FLOORS |= {"models": 5, "solvers": 5, "baselines": 6, "cli": 6, "report": 6, "__init__": 7, "__main__": 7}
# Between folders of one floor, in one direction only: (who imports, what).
SIDEWAYS = {("models", "solvers"), ("cli", "report")}

MAY_IMPORT_CRYPTEN = {"world/_crypten.py"}
MAY_PRINT = {"cli", "report"}
MAX_LINES = 300

# Folders in which randomness hides something, and the generators that can be predicted: Mersenne Twister with 32
# effective seed bits (torch), not meant for secrets (numpy, random). ChaCha20 of ring/prg.py and os.urandom are right.
HIDING = {"ring", "world", "sharing", "offline", "protocols", "baselines"}
PREDICTABLE = {"random", "numpy.random", "torch.random"}
PREDICTABLE |= {
    f"torch.{name}" for name in ("rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial")
}
PREDICTABLE |= {f"torch.{name}" for name in ("rand_like", "randn_like", "randint_like", "poisson", "Generator", "seed")}
PREDICTABLE |= {"torch.manual_seed", "torch.cuda.manual_seed", "torch.cuda.manual_seed_all", "torch.default_generator"}
PREDICTABLE_METHODS = {"random_", "uniform_", "normal_", "bernoulli_", "exponential_", "geometric_", "log_normal_"}


def imports(tree: ast.AST, name: str) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of all that a module imports; `from a import b` counts as a.b, a relative one is resolved.

    `name`: path in the package, such as "ring/prg.py". A string given to import_module or __import__ counts too.
    """
    folder = ["mpcfl", *Path(name).parent.parts]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = folder[: len(folder) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called in ("import_module", "__import__"):
                yield node.lineno, str(node.args[0].value)


def dotted_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of all attributes, with `import numpy as np` and `from torch import cuda` undone."""
    known = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            known |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            known |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    for node in ast.walk(tree):
        parts, inner = [], node
        while isinstance(inner, ast.Attribute):
            parts.append(inner.attr)
            inner = inner.value
        if parts and isinstance(inner, ast.Name):
            yield node.lineno, ".".join([known.get(inner.id, inner.id), *reversed(parts)])


def upward_imports(name: str, tree: ast.AST) -> Iterator[str]:
    own = Path(name).parts[0].removesuffix(".py")
    if own not in FLOORS:
        yield f"{name}: on no floor; add it to FLOORS"
        return
    for line, target in imports(tree, name):
        parts = target.split(".")
        if parts[0] != "mpcfl":
            continue
        other = parts[1] if len(parts) > 1 and parts[1] in FLOORS else "__init__"
        if other != own and FLOORS[other] >= FLOORS[own] and (own, other) not in SIDEWAYS:
            yield f"{name}:{line}: {own} (floor {FLOORS[own]}) imports {target} (floor {FLOORS[other]})"


def crypten_imports(name: str, tree: ast.AST) -> Iterator[str]:
    for line, target in imports(tree, name):
        if target.split(".")[0] == "crypten" and name not in MAY_IMPORT_CRYPTEN:
            yield f"{name}:{line}: imports {target}; go through world/_crypten.py"


def predictable_randomness(name: str, tree: ast.AST) -> Iterator[str]:
    if Path(name).parts[0].removesuffix(".py") not in HIDING:
        return
    for line, target in [*imports(tree, name), *dotted_names(tree)]:
        prefixes = {".".join(target.split(".")[:length]) for length in range(1, target.count(".") + 2)}
        if prefixes & PREDICTABLE:
            yield f"{name}:{line}: {target} can be predicted; masks come from ring/prg.py or os.urandom"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in PREDICTABLE_METHODS:
            yield f"{name}:{node.lineno}: .{node.attr} can be predicted; masks come from ring/prg.py or os.urandom"


def loose_habits(name: str, tree: ast.Module) -> Iterator[str]:
    """Asserts vanish under -O and say nothing to a user; prints belong to the command line; a page needs a title."""
    path = Path(name)
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            yield f"{name}:{node.lineno}: assert; raise an error of mpcfl/errors.py"
        printing = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
        if printing and path.parts[0] not in MAY_PRINT:
            yield f"{name}:{node.lineno}: print; return the text or write to a log"
    if not ast.get_docstring(tree) and (path.name == "__init__.py" or not path.name.startswith("_")):
        yield f"{name}:1: no module docstring"
    if path.name == "__init__.py" and len(path.parts) > 1 and len(tree.body) > 1:
        yield f"{name}:{tree.body[1].lineno}: a folder's __init__ is its docstring; exports are in mpcfl/__init__.py"


def too_long(name: str, source: str) -> Iterator[str]:
    lines = len(source.splitlines())
    if lines > MAX_LINES:
        yield f"{name}: {lines} lines; at most {MAX_LINES}, one idea in a file"


def violations(name: str, source: str) -> list[str]:
    tree = ast.parse(source, name)
    rules = (upward_imports, crypten_imports, predictable_randomness, loose_habits)
    return [*(found for rule in rules for found in rule(name, tree)), *too_long(name, source)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_file_keeps_the_house_rules(path: Path) -> None:
    found = violations(path.relative_to(PACKAGE).as_posix(), path.read_text(encoding="utf-8"))
    assert not found, "\n" + "\n".join(found)


def test_the_package_was_found() -> None:
    assert PACKAGE / "errors.py" in FILES


# ---- the checker itself ----------------------------------------------------------------------------------------------

D = '"""Doc."""\n'
CAUGHT = {
    "a higher floor": ("ring/a.py", D + "from mpcfl.world import meter", "a.py:2: ring (floor 0) imports mpcfl.world"),
    "another folder of one floor": ("sharing/a.py", D + "import mpcfl.offline.dealer", "sharing (floor 2) imports"),
    "a higher floor, relative": ("data/a.py", D + "from ..solvers import doubling", "imports mpcfl.solvers.doubling"),
    "a higher floor, in a function": ("ring/a.py", D + "def f():\n    import mpcfl.cli.main", "a.py:3: ring"),
    "a higher floor, for its types": (
        "ring/a.py",
        D + "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from mpcfl.sharing.share import Share",
        "imports mpcfl.sharing.share.Share",
    ),
    "a higher floor, by name": ("ring/a.py", D + "import_module('mpcfl.world.party')", "imports mpcfl.world.party"),
    "the export page": ("models/a.py", D + "import mpcfl", "imports mpcfl (floor 7)"),
    "a name of the export page": ("models/a.py", D + "from mpcfl import reveal", "imports mpcfl.reveal (floor 7)"),
    "errors importing anything": ("errors.py", D + "from mpcfl.ring import prg", "errors (floor -1) imports"),
    "an unknown folder": ("extras/a.py", D, "on no floor"),
    "crypten": ("sharing/a.py", D + "import crypten.mpc as mpc", "go through world/_crypten.py"),
    "from crypten": ("cli/a.py", D + "from crypten import mpc", "imports crypten.mpc"),
    "crypten by name": ("cli/a.py", D + "import importlib\nimportlib.import_module('crypten')", "imports crypten"),
    "random": ("offline/a.py", D + "import random", "random can be predicted"),
    "from random": ("offline/a.py", D + "from random import getrandbits", "can be predicted"),
    "torch.randint": ("ring/a.py", D + "import torch\nx = torch.randint(9, (3,))", "a.py:3: torch.randint"),
    "torch under another name": ("ring/a.py", D + "import torch as t\nx = t.Generator()", "torch.Generator"),
    "from torch": ("ring/a.py", D + "from torch import randn", "torch.randn can be predicted"),
    "torch.cuda": ("ring/a.py", D + "from torch import cuda\ncuda.manual_seed(1)", "torch.cuda.manual_seed"),
    "numpy.random": ("protocols/a.py", D + "import numpy as np\nx = np.random.default_rng(1)", "numpy.random"),
    "from numpy": ("protocols/a.py", D + "from numpy import random as r", "numpy.random can be predicted"),
    "a tensor's own method": ("sharing/a.py", D + "mask = x.new_empty(3).random_()", ".random_ can be predicted"),
    "assert": ("data/a.py", D + "assert rows > 0", "a.py:2: assert"),
    "print": ("solvers/a.py", D + "print('step')", "a.py:2: print"),
    "no docstring": ("data/a.py", "x = 1", "no module docstring"),
    "an __init__ that exports": ("ring/__init__.py", D + "from mpcfl.ring.prg import Prg", "is its docstring"),
    "a long file": ("data/a.py", D + "x = 1\n" * 300, "301 lines"),
}


@pytest.mark.parametrize("name, source, said", CAUGHT.values(), ids=CAUGHT.keys())
def test_checker_catches(name: str, source: str, said: str) -> None:
    found = violations(name, source)
    assert found, "not caught"
    assert said in "\n".join(found)


ALLOWED = {
    "the own folder": ("ring/a.py", D + "from mpcfl.ring import prg\nfrom .product import matmul\nfrom . import prg"),
    "lower floors": ("cli/a.py", D + "from mpcfl.models.linear import Ridge\nfrom mpcfl.errors import JobError"),
    "errors from the lowest floor": ("ring/a.py", D + "from mpcfl.errors import HeadroomError"),
    "the export page": ("__init__.py", D + "from mpcfl.models.linear import Ridge as Ridge"),
    "crypten in its file": ("world/_crypten.py", "import importlib\nimportlib.import_module('crypten')"),
    "the right randomness": ("offline/a.py", D + "import os, secrets\nkey = os.urandom(32)"),
    "a variable named random": ("ring/a.py", D + "x = randomness.rand"),
    "generators for made-up data": ("data/a.py", D + "import numpy as np\nrng = np.random.default_rng(1)"),
    "print on the command line": ("cli/a.py", D + "print('done')"),
    "a private file without a docstring": ("ring/_a.py", "x = 1"),
    "300 lines": ("data/a.py", D + "x = 1\n" * 299),
}


@pytest.mark.parametrize("name, source", ALLOWED.values(), ids=ALLOWED.keys())
def test_checker_allows(name: str, source: str) -> None:
    assert violations(name, source) == []
