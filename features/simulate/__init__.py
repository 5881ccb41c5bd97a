"""A simulated CRM whose true win probabilities are known: for demos, tests and benchmarks."""

from features.simulate.crm import Crm, simulate
from features.simulate.files import write
from features.simulate.record import ROLES
from features.simulate.settings import Option, Settings
from features.simulate.truth import expected_auc
from features.simulate.world import World, world

__all__ = [
    "ROLES",
    "Crm",
    "Option",
    "Settings",
    "World",
    "expected_auc",
    "simulate",
    "world",
    "write",
]
