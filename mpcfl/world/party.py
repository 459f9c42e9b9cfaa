"""Who takes part, in which role, under which rank.

A *data owner* brings rows or columns, a *compute party* holds shares and takes part in the online phase, a *dealer*
makes correlated randomness and sees no online message. One party may hold several roles; compute party and dealer
together is the one forbidden mix (it would be a single decrypting party in disguise).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mpcfl.errors import JobError

ROLES = ("data", "compute", "dealer")


@dataclass(frozen=True, slots=True)
class Party:
    """An organisation's process: its name and its roles (a subset of `ROLES`)."""

    name: str
    roles: frozenset[str]

    @classmethod
    def of(cls, name: str, roles: Iterable[str]) -> Party:
        roles = frozenset(roles)
        unknown = sorted(roles - set(ROLES))
        if unknown:
            raise JobError(f"party '{name}': unknown role '{unknown[0]}'", hint=f"roles are {', '.join(ROLES)}")
        if not roles:
            raise JobError(f"party '{name}' has no role", hint=f"give it at least one of {', '.join(ROLES)}")
        return cls(name, roles)


class Roster:
    """All parties in the order of their ranks: compute parties first, then the dealer, then data-only owners.

    `insecure_simulation` lets the first compute party deal. It then knows every mask and can read everybody's data:
    for experiments on one machine only. `gpus`: public, the parties compute on GPUs, so that randomness is dealt in few
    long pieces; right in any case, and slow where it is not so.
    """

    def __init__(self, parties: Sequence[Party], *, insecure_simulation: bool = False, gpus: bool = False) -> None:
        names = [party.name for party in parties]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise JobError(f"party '{twice[0]}' is named twice", hint="give every party a name of its own")
        dealers = [party for party in parties if "dealer" in party.roles]
        if len(dealers) > 1:
            raise JobError(f"two dealers: '{dealers[0].name}' and '{dealers[1].name}'", hint="keep one")
        for party in dealers:
            if "compute" in party.roles and not insecure_simulation:
                raise JobError(
                    f"party '{party.name}' is both compute party and dealer: it could read everybody's data",
                    hint="let a party that does not compute deal, or set insecure_simulation = true for an experiment",
                )
        if not dealers and not insecure_simulation:
            raise JobError("no party deals", hint='give one party that does not compute the role "dealer"')
        compute = [party for party in parties if "compute" in party.roles]
        if len(compute) < 2:
            raise JobError(
                f"{len(compute)} compute party: at least two must hold shares", hint='add the role "compute" to a party'
            )
        if not any("data" in party.roles for party in parties):
            raise JobError("no party brings data", hint='give the data owners the role "data"')
        rest = [party for party in parties if "compute" not in party.roles]
        rest.sort(key=lambda party: "dealer" not in party.roles)
        self.parties: tuple[Party, ...] = (*compute, *rest)
        self.names: tuple[str, ...] = tuple(party.name for party in self.parties)
        self.compute: tuple[int, ...] = tuple(range(len(compute)))
        self.owners: tuple[int, ...] = tuple(r for r, party in enumerate(self.parties) if "data" in party.roles)
        self.insecure_simulation, self.gpus = insecure_simulation, gpus
        deals = [r for r, party in enumerate(self.parties) if "dealer" in party.roles]
        self.dealer: int = deals[0] if deals else 0

    @property
    def size(self) -> int:
        return len(self.parties)

    @property
    def last(self) -> int:
        """Rank of the compute party that receives corrections and the shares of data owners who do not compute."""
        return max(rank for rank in self.compute if rank != self.dealer)

    def rank_of(self, name: str) -> int:
        """Rank of the party called `name`; JobError if there is none."""
        if name not in self.names:
            raise JobError(f"no party is called '{name}'", hint=f"the parties are {', '.join(self.names)}")
        return self.names.index(name)

    def links(self) -> set[frozenset[int]]:
        """The pairs that talk: compute parties with everyone; a dealer or an owner with compute parties only."""
        return {frozenset((i, j)) for i in self.compute for j in range(self.size) if i != j}

    def peers(self, rank: int) -> tuple[int, ...]:
        """Ranks that `rank` is linked with, ascending."""
        return tuple(sorted(other for link in self.links() if rank in link for other in link - {rank}))
