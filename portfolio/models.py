"""The portfolio's models, subject by subject."""

from portfolio.labels import EnergyLabel
from portfolio.owners import Holding, Owner
from portfolio.stock import Building, OutOfService, Place, SafetyOrder, Site, Structure, Unit

__all__ = [
    "Building",
    "EnergyLabel",
    "Holding",
    "OutOfService",
    "Owner",
    "Place",
    "SafetyOrder",
    "Site",
    "Structure",
    "Unit",
]
