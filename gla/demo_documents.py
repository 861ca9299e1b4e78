"""Papers of the demonstration: a letterhead, tenants who chose e-mail, a few letters of the last months."""

from datetime import date, datetime

from core import documents
from core.documents import Letterhead
from core.errors import Refusal
from core.periods import add_months
from leases.lease import Lease
from leases.papers.batch import make_one
from leases.papers.consent import choose_email
from leases.papers.contracts import CONTRACT
from leases.papers.letters import STATEMENT
from leases.papers.months import NOTICE, RECEIPT

CHOSE = 40
"""Leases whose tenant chose e-mail."""
SHOWN = 12
"""Leases of which some letters are there already."""


def play_documents(today: date, *, by, now: datetime) -> int:
    """Write the letterhead, the choices and some letters; how many letters. The rent is called already."""
    if not Letterhead.objects.exists():
        documents.save_letterhead(
            Letterhead(
                name="Association Toit et Avenir",
                address="12 rue de la Solidarité\n59000 Lille",
                city="Lille",
                phone="03 20 00 00 00",
                email="gestion@toit-et-avenir.example",
                legal="Association loi 1901 agréée – SIRET 123 456 789 00012",
                signatory="Pour l'association,\nle service de gestion locative",
            ),
            by=by,
        )
    chosen = 0
    leases = Lease.objects.in_force_on(today).order_by("pk")
    for lease in leases.prefetch_related("parties__person")[: 3 * CHOSE]:
        party = next((one for one in lease.parties.all() if one.person.email and one.role == "tenant"), None)
        if party and chosen < CHOSE and not lease.email_choices.exists():
            choose_email(lease, person=party.person, proof="Formulaire signé à l'entrée", on=today, by=by)
            chosen += 1
    this, last = today.replace(day=1), add_months(today.replace(day=1), -1)
    made = 0
    for lease in leases[:SHOWN]:
        for kind, month in ((RECEIPT, last), (NOTICE, this), (STATEMENT, None), (CONTRACT, None)):
            if kind in (STATEMENT, CONTRACT) and lease.pk % 4:
                continue
            try:
                make_one(kind, lease, month=month, on=today, by=by, now=now)
                made += 1
            except Refusal:
                continue  # nothing called or paid for that month
    return made
