"""The job file: one TOML text that all parties hold, and that says everything about a run but the data.

    [job]
    name = "diabetes"
    model = "linear"            # linear | ridge
    partition = "horizontal"    # or "vertical"
    target = "y"
    [parties.north]
    data = "north.csv"
    roles = ["data", "compute"]
    ...                         # at least two that compute, one that deals, one that has data

The other sections and all defaults: `job_sections.py`. Whatever can be refused before the run is refused here.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from mpcfl.cli.checkpoint_section import Checkpoint
from mpcfl.cli.job_sections import Data, Evaluate, General, Model, Network, Party, Reveal
from mpcfl.cli.job_tables import check_keys, check_table, parse_toml, section
from mpcfl.cli.misplaced import check_places
from mpcfl.cli.rules import choice
from mpcfl.cli.select_section import Select
from mpcfl.cli.solver_sections import SOLVERS, Doubling, Solver
from mpcfl.errors import JobError
from mpcfl.models.families import PARAMETERS, SPARSE
from mpcfl.models.metrics import check_metrics
from mpcfl.report.units import listed

SECTIONS = ("job", "model", "solver", "data", "evaluate", "select", "reveal", "checkpoint", "network", "parties")
KEEPING = ("gradient", "fixed_hessian", "newton", "admm")
"""Solvers whose state checkpoints keep: those with a `mpcfl.sharing.keeper.Keeper`."""
LOCAL = ("data", "certificate", "key", "device")
"""What a party may have under another path, or choose, unlike what the others say: not part of the digest."""
LOCAL_FOLDERS = ("folder", "keys")
"""The same of [checkpoint]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A checked job. Equal jobs have equal digests; `folder` is where relative paths start."""

    # [job]: explained at `General`
    name: str
    target: str
    partition: str = "horizontal"
    timeout: float = 60.0
    insecure_simulation: bool = False
    seed: int = 0
    device: str = "cpu"
    # the other sections
    model: Model
    solver: Solver = dataclasses.field(default_factory=Doubling)
    data: Data = dataclasses.field(default_factory=Data)
    evaluate: Evaluate = dataclasses.field(default_factory=Evaluate)
    select: Select = dataclasses.field(default_factory=Select)
    reveal: Reveal = dataclasses.field(default_factory=Reveal)
    """`to` is never absent in a job: the default is filled in."""
    checkpoint: Checkpoint = dataclasses.field(default_factory=Checkpoint)
    network: Network = dataclasses.field(default_factory=Network)
    parties: tuple[Party, ...]
    """In the order of the job file."""
    folder: Path = dataclasses.field(default=Path(), compare=False)

    def __post_init__(self) -> None:
        General(model=self.model.name, **self._general())  # checks them
        if self.model.standard_errors and self.solver.name != "doubling":
            raise JobError(
                "[model] standard_errors needs the inverse that only the doubling solver has",
                hint='set name = "doubling" under [solver]',
            )
        if self.checkpoint.every and self.solver.name not in KEEPING:
            raise JobError(
                f"[checkpoint] every: solver '{self.solver.name}' keeps no checkpoints: it takes some fifty rounds",
                hint=f"leave [checkpoint] out; {listed(KEEPING)} keep them",
            )
        check_metrics(self.model.name, self.evaluate.metrics, self.model.parameters.classes)
        self.select.check(self.model.name, self.model.parameters, self.solver.name, bool(self.checkpoint.every))
        self._check_roles()
        self._check_openings()
        names = tuple(party.name for party in self.parties)
        for name in self.reveal.to or ():
            choice("[reveal] to", name, names)
        if self.reveal.to is None:
            to = tuple(party.name for party in self.parties if "data" in party.roles or "compute" in party.roles)
            object.__setattr__(self, "reveal", Reveal(to=to))

    def _check_roles(self) -> None:
        for name in (names := [party.name for party in self.parties]):
            if names.count(name) > 1:
                raise JobError(
                    f"party {name!r} appears twice", hint="each organisation is one party, with one or more roles"
                )
        dealers = self._having("dealer")
        for party in self.parties:
            if "dealer" in party.roles and "compute" in party.roles and not self.insecure_simulation:
                raise JobError(
                    f"[parties.{party.name}]: the dealer must not compute: it could read everything",
                    hint='let a party deal that has no "compute" role; it may have "data"',
                )
        if len(dealers) > 1:
            raise JobError(f"{' and '.join(dealers)} both deal: a job has one dealer", hint='leave one role "dealer"')
        if len(self.compute_parties) < 2:
            raise JobError(
                f"{len(self.compute_parties)} party computes, two are needed at least"
                if self.compute_parties
                else "no party computes, two are needed at least",
                hint='give two parties the role "compute"',
            )
        if not dealers and not self.insecure_simulation:
            raise JobError(
                "no party deals", hint='give a party that does not compute the role "dealer"; it may have "data"'
            )
        if not self.data_parties:
            raise JobError("no party has data", hint='give a party the role "data" and a table')

    def _check_openings(self) -> None:
        for name in self.compute_parties if self.network.openings == "nccl" else ():
            if self.device_of(name) == "cpu":
                raise JobError(
                    f'[network] openings = "nccl" goes from GPU to GPU, and {name} computes on the CPU',
                    hint='set device = "cuda" under [job], or leave openings out',
                )

    def _general(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(General) if field.name != "model"}

    def _having(self, role: str) -> tuple[str, ...]:
        return tuple(party.name for party in self.parties if role in party.roles)

    @property
    def compute_parties(self) -> tuple[str, ...]:
        """Their names, in job order."""
        return self._having("compute")

    @property
    def data_parties(self) -> tuple[str, ...]:
        """Their names, in job order, which is that of the features in a vertical partition."""
        return self._having("data")

    @property
    def dealer(self) -> str:
        """Its name; in an insecure simulation without a dealer, the first compute party."""
        return (self._having("dealer") or self.compute_parties)[0]

    @property
    def ranks(self) -> tuple[str, ...]:
        """Names by rank: compute parties in job order, the dealer unless it computes, then owners of data only."""
        return tuple(dict.fromkeys((*self.compute_parties, self.dealer, *self.data_parties)))

    def party(self, name: str) -> Party:
        """The party of this name; JobError if there is none."""
        choice("party", name, tuple(party.name for party in self.parties))
        return next(party for party in self.parties if party.name == name)

    @property
    def gpus(self) -> bool:
        """Whether randomness is dealt in pieces for GPUs: equal at all parties, wherever each of them works."""
        return self.device != "cpu"

    def device_of(self, name: str) -> str:
        """Where party `name` computes or deals: its own setting, or that of [job]."""
        return self.party(name).device or self.device

    def resolve(self, path: str) -> Path:
        """A path of the job file, relative to its folder."""
        return self.folder / path

    def to_dict(self) -> dict[str, Any]:
        """The job as tables, every default filled in; `Job.from_dict` takes it back."""
        foreign = [key for key, owners in PARAMETERS.items() if self.model.name not in owners]
        model = _present(self.model, *foreign)
        parties = {party.name: _present(party, "name") for party in self.parties}
        return {
            "job": {**self._general(), "model": model.pop("name")},
            "model": model,
            "solver": {"name": self.solver.name, **dataclasses.asdict(self.solver)},
            "data": _present(self.data),
            "evaluate": _present(self.evaluate),
            "select": _present(self.select) if self.select.values else {},
            "reveal": _present(self.reveal),
            "checkpoint": _present(self.checkpoint),
            "network": _present(self.network),
            "parties": parties,
        }

    def digest(self, version: str) -> str:
        """SHA-256, hexadecimal, of all that the parties must agree on: the job without local paths, and the version of
        mpcfl. Comments, spaces and defaults written out make no difference; the order of the parties does (ranks)."""
        tables = self.to_dict()
        for name in LOCAL_FOLDERS:
            del tables["checkpoint"][name]
        tables["gpus"] = self.gpus
        return self._digest(tables, version)

    def task(self, version: str) -> str:
        """Digest of what a checkpoint is of: as `digest`, without what may be another when the run is started again:
        [checkpoint], [network], and the timeout."""
        tables = self.to_dict()
        del tables["checkpoint"], tables["network"], tables["job"]["timeout"]
        return self._digest(tables, version)

    @staticmethod
    def _digest(tables: dict[str, Any], version: str) -> str:
        del tables["job"]["device"]
        tables["parties"] = [
            {"name": name, **{key: value for key, value in party.items() if key not in LOCAL}}
            for name, party in tables["parties"].items()
        ]
        text = json.dumps({"mpcfl": version, **tables}, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @staticmethod
    def load(path: str | Path) -> "Job":
        """The job in the TOML file at `path`. JobError, which names file, section and key, for whatever is wrong."""
        path = Path(path)
        try:
            text = path.read_bytes().decode("utf-8-sig")
        except OSError as error:
            raise JobError(f"{path}: cannot be read: {error.strerror}", hint="name a job file in TOML") from None
        except UnicodeDecodeError:
            raise JobError(f"{path}: is not UTF-8 text", hint="name a job file in TOML") from None
        try:
            return Job.from_dict(parse_toml(text), path.parent)
        except JobError as error:
            raise JobError(f"{path}: {error.args[0]}", hint=error.hint) from None

    @staticmethod
    def from_dict(tables: Mapping[str, Any], folder: str | Path = ".") -> "Job":
        """The job in `tables`, as a TOML parser or `to_dict` gives them."""
        check_places(tables)
        check_keys(tables, SECTIONS, "job file")
        for name in ("job", "parties"):
            if name not in tables:
                raise JobError(
                    f"section [{name}] is missing", hint=f"add it: [{'parties.NAME' if name == 'parties' else name}]"
                )
        general = section(General, tables["job"], "[job]")
        model = tables.get("model", {})
        solver = tables.get("solver", {})
        select = tables.get("select", {})
        check_table(model, "[model]")
        check_table(select, "[select]")
        if select and not select.get("values"):
            raise JobError("[select] lacks values", hint="values = [0.01, 0.1, 1.0]")
        check_table(solver, "[solver]")
        check_table(tables["parties"], "[parties]")
        for key, owners in PARAMETERS.items():
            if key in model and general.model not in owners:
                raise JobError(
                    f"[model] {key} belongs to model {listed(map(repr, owners))}, not to '{general.model}'",
                    hint=f'set model = "{owners[0]}" under [job], or take {key} out',
                )
        top = {f.name: getattr(general, f.name) for f in dataclasses.fields(General) if f.name != "model"}
        return Job(
            **top,
            model=section(Model, model, "[model]", name=general.model),
            solver=_solver(solver, "admm" if general.model in SPARSE else "doubling"),
            data=section(Data, tables.get("data", {}), "[data]"),
            evaluate=section(Evaluate, tables.get("evaluate", {}), "[evaluate]"),
            select=section(Select, select, "[select]"),
            reveal=section(Reveal, tables.get("reveal", {}), "[reveal]"),
            checkpoint=section(Checkpoint, tables.get("checkpoint", {}), "[checkpoint]"),
            network=section(Network, tables.get("network", {}), "[network]"),
            parties=tuple(section(Party, t, f"[parties.{n}]", name=n) for n, t in tables["parties"].items()),
            folder=Path(folder),
        )


def _solver(table: Mapping[str, Any], default: str) -> Solver:
    settings = dict(table)
    name = settings.pop("name", default)
    if not isinstance(name, str):
        raise JobError("[solver] name must be a text in quotes")
    choice("[solver] name", name, SOLVERS)
    kinds: dict[str, type[Solver]] = dict(zip(SOLVERS, get_args(Solver), strict=True))
    for key in settings:
        having = [repr(other) for other, kind in kinds.items() if key in kind.__dataclass_fields__]
        if having and key not in kinds[name].__dataclass_fields__:
            raise JobError(
                f"[solver] {key} belongs to {' and '.join(having)}, not to {name!r}",
                hint="take it out, or change `name`",
            )
    check_keys(settings, ("name", *kinds[name].__dataclass_fields__), "[solver]")
    return section(kinds[name], settings, "[solver]")


def _present(settings: Any, *without: str) -> dict[str, Any]:
    tables = {k: v for k, v in dataclasses.asdict(settings).items() if v is not None and k not in without}
    return {k: list(v) if isinstance(v, tuple) else v for k, v in tables.items()}
