"""Make the rent notices of a month for the whole stock: archived, e-mailed, the rest in print files."""

from leases.management.commands import make_receipts
from leases.papers.months import NOTICE


class Command(make_receipts.Command):
    help = "Make the rent notices of a month called (avis d'échéance). Run again, it makes only what changed."
    paper = NOTICE
