"""What a module offers: its classes with a `name`."""

import inspect
from dataclasses import dataclass
from types import ModuleType

from .backend import Backend
from .criterion import Criterion
from .dataset import Dataset
from .options import Configurable

ROLES: dict[str, type[Configurable]] = {"dataset": Dataset, "backend": Backend, "sla": Criterion}
"""The contract's interfaces, and the classes that stand for them."""


class NoOffer(Exception):
    """The module offers nothing."""


@dataclass
class Offers:
    """What a module offers."""

    name: str
    version: str
    summary: str
    by_role: dict[str, list[type[Configurable]]]

    def all(self) -> list[tuple[str, type[Configurable]]]:
        """Every offer with its role."""
        return [(role, offer) for role, offers in self.by_role.items() for offer in offers]

    def find(self, base: type[Configurable], name: str) -> type[Configurable]:
        """The offer with this name or alias."""
        for _, offer in self.all():
            if issubclass(offer, base) and name in (offer.name, *offer.aliases):
                return offer
        raise LookupError(f"this plugin offers no {base.__name__.lower()} `{name}`")


def offers_of(module: ModuleType) -> Offers:
    """The classes of a module that have a `name`."""
    by_role: dict[str, list[type[Configurable]]] = {}
    for _, found in inspect.getmembers(module, inspect.isclass):
        if found.__module__ != module.__name__ or not hasattr(found, "name"):
            continue
        for role, base in ROLES.items():
            if issubclass(found, base):
                by_role.setdefault(role, []).append(found)
    if not by_role:
        raise NoOffer(f"{module.__name__} has no dataset, backend or criterion with a `name`")
    summary = next(iter((module.__doc__ or "").strip().splitlines()), "")
    name = module.__name__.replace("_", "-").lower()
    return Offers(name, getattr(module, "__version__", "0.0.0"), summary, by_role)
