"""Whom a paper is for: names, envelope, home, landlord (*destinataire*)."""

from dataclasses import dataclass
from datetime import date

from django.db.models import Q
from django.utils.translation import override

from core.documents import Letterhead
from core.money import euros
from core.templatetags.gla import euros_text
from leases.households import Membership
from leases.kinds import KINDS
from leases.lease import Lease, LeaseParty
from leases.ledger import Account
from leases.occupancy import last_occupancies


@dataclass(frozen=True, slots=True)
class Whom:
    """A lease as its papers name it: tenants, lines of the envelope, the home in one line."""

    lease: Lease
    names: str
    to: tuple[str, ...]
    home: str

    @property
    def word(self) -> str:
        """What the monthly amount is called: loyer, redevance…, in the language in force."""
        return str(KINDS[self.lease.kind].amount_due)

    def data(self, title: str, dated: str) -> dict:
        """What every letter says of whom it is for."""
        return {
            "title": title,
            "dated": dated,
            "to": list(self.to),
            "names": self.names,
            "home": self.home,
            "lease": self.lease.reference,
            "word": self.word,
            "references": [
                f"Contrat {self.lease.reference}",
                f"Référence de paiement {self.lease.payment_reference}",
            ],
        }


def whom(lease_ids, on: date) -> dict[int, Whom]:
    """Names and home of each lease on a day; four queries."""
    leases = Lease.objects.in_bulk(list(lease_ids))
    names: dict[int, list[str]] = {}
    running = Q(end__isnull=True) | Q(end__gt=on)
    parties = LeaseParty.objects.filter(running, lease__in=leases).exclude(role=LeaseParty.Role.SURETY)
    for party in parties.select_related("person").order_by("-role", "pk"):
        names.setdefault(party.lease_id, []).append(spoken(party.person))
    heads = Membership.objects.filter(
        household__in={lease.household_id for lease in leases.values()}, role=Membership.Role.HEAD
    )
    head_of = {
        one.household_id: spoken(one.person) for one in heads.select_related("person").order_by("start")
    }
    stays = last_occupancies(leases, on)
    found = {}
    for pk, lease in leases.items():
        called = names.get(pk) or [head_of.get(lease.household_id, "")]
        said = " et ".join(dict.fromkeys(name for name in called if name)) or lease.reference
        found[pk] = Whom(lease, said, *_home(said, stays.get(pk)))
    return found


def spoken(person) -> str:
    return f"{person.first_name} {person.last_name.upper()}".strip()


def _home(names: str, stay) -> tuple[tuple[str, ...], str]:
    if stay is None:
        return (names,), "………"
    unit, building = stay.place.unit, stay.place.unit.building
    door = " – ".join(
        part
        for part in (
            f"Logement {unit.door}" if unit.door else "",
            "Rez-de-chaussée" if unit.floor == 0 else f"Étage {unit.floor}" if unit.floor else "",
        )
        if part
    )
    lines = (names, door, building.address, f"{building.postcode} {building.commune.upper()}")
    home = f"{building.address}, {building.postcode} {building.commune}" + (
        f" ({door.lower()})" if door else ""
    )
    return tuple(line for line in lines if line), home


def by_whom(account_ids, head: Letterhead) -> dict[int, str]:
    """Who gives the paper, by the tenant's account it is about: under a mandate, for the owner; one query."""
    owners = Account.objects.filter(pk__in=set(account_ids)).values_list("pk", "book__owner__name")
    return {pk: f"{head.name}, mandataire de {owner}" if owner else head.name for pk, owner in owners}


def of_word(word: str) -> str:
    """*du loyer*, *de la redevance*: the word with its article."""
    masculine = word in ("loyer", "prix de l’hébergement", "prix de l'hébergement")
    return f"du {word}" if masculine else f"de la {word}"


def eur(amount) -> str:
    """An amount as a French letter says it; zero where there is none."""
    with override("fr"):
        return euros_text(amount if amount is not None else euros(0))


def day(value: date | None) -> str:
    return value.strftime("%d/%m/%Y") if value else ""
