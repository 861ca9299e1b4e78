"""Builders of the trade's things with sensible defaults; every date that matters is visible.

build.lease(start=date(2024, 3, 15), rent="465.00") makes the home, its holding and the household.
"""

from datetime import UTC, date, datetime
from itertools import count

from core.access import create_groups
from core.models import User
from core.money import euros
from leases import ledger, rent
from leases.lease import payment_reference
from leases.models import (
    BankAccount,
    Benefit,
    Book,
    Household,
    Lease,
    LeaseParty,
    Membership,
    Occupancy,
    PayerIban,
    Person,
    RentTerm,
)
from leases.terms import CHARGES, RENT
from portfolio.models import Building, EnergyLabel, Holding, Owner, Place, Site, Unit
from portfolio.owners import TITLES

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HELD_SINCE = date(2015, 1, 1)
LILLE = {"postcode": "59000", "commune": "Lille", "commune_code": "59350"}


class Builder:
    """Makes what a test speaks of; what it does not speak of gets a default."""

    def __init__(self):
        self._numbers = count(1)

    def number(self) -> int:
        return next(self._numbers)

    def user(self, role: str | None = None, **kwargs) -> User:
        """Someone who signs in, in one role."""
        create_groups()
        name = kwargs.pop("username", f"{role or 'nobody'}{self.number()}")
        user = User.objects.create_user(name, password="a good long password", **kwargs)
        if role:
            from django.contrib.auth.models import Group

            user.groups.add(Group.objects.get(name=role))
        return user

    def owner(self, kind: str = "own", **kwargs) -> Owner:
        number = self.number()
        return Owner.objects.create(
            **{"reference": f"O{number}", "kind": kind, "name": f"Owner {number}", **kwargs}
        )

    def building(self, **kwargs) -> Building:
        number = self.number()
        site = kwargs.pop("site", None) or Site.objects.create(reference=f"S{number}", name=f"Site {number}")
        return Building.objects.create(
            **{
                "site": site,
                "reference": f"B{number}",
                "address": f"{number} rue des Lilas",
                **LILLE,
                **kwargs,
            }
        )

    def unit(
        self, *, owner: Owner | None = None, title: str = "deed", held=(HELD_SINCE, None), **kwargs
    ) -> Unit:
        """A home held since 2015 on the association's own account, unless said otherwise."""
        number = self.number()
        label = kwargs.pop("label", None)
        unit = Unit.objects.create(
            **{
                "building": kwargs.pop("building", None) or self.building(),
                "reference": f"U{number}",
                "typology": "T3",
                "living_surface": "62.50",
                **kwargs,
            }
        )
        Place.objects.create(unit=unit, reference=unit.reference)
        if held:
            owner = owner or self.owner()
            Holding.objects.create(unit=unit, owner=owner, title=title, start=held[0], end=held[1])
            if TITLES[title].owners_book:
                Book.objects.get_or_create(owner=owner)
        if label:
            EnergyLabel.objects.create(
                unit=unit, letter=label, issued_on=date(2022, 1, 1), valid_until=date(2032, 1, 1)
            )
        return unit

    def household(self, name: str = "Martin", **kwargs) -> Household:
        number = self.number()
        household = Household.objects.create(**{"reference": f"H{number}", **kwargs})
        person = Person.objects.create(reference=f"P{number}", last_name=name, first_name="Alex")
        Membership.objects.create(household=household, person=person, start=HELD_SINCE)
        return household

    def lease(
        self,
        *,
        start: date = date(2024, 1, 1),
        end: date | None = None,
        out: date | None = None,
        rent: str | None = "465.00",
        charges: str | None = None,
        benefit: str | None = None,
        iban: str = "",
        unit: Unit | None = None,
        **kwargs,
    ) -> Lease:
        """A lease and who lives in the home. end: day after its last; out: day after the keys came back."""
        number = self.number()
        household = kwargs.pop("household", None) or self.household()
        unit = unit or self.unit()
        lease = Lease.objects.create(
            **{
                "reference": f"L{number}",
                "kind": "L89_VIDE",
                "household": household,
                "signed_on": start,
                "start": start,
                "end": end,
                "end_reason": "tenant_notice" if end else "",
                "payment_reference": payment_reference(number),
                **kwargs,
            }
        )
        person = household.memberships.first()
        if person:
            LeaseParty.objects.create(lease=lease, person=person.person, start=start)
        Occupancy.objects.create(place=unit.places.get(), lease=lease, start=start, end=out or end)
        for item, amount in ((RENT, rent), (CHARGES, charges)):
            if amount is not None:
                RentTerm.objects.create(lease=lease, item=item, amount=euros(amount), start=start)
        if benefit:
            Benefit.objects.create(
                lease=lease,
                beneficiary_number=f"{number:07d}",
                amount=euros(benefit),
                start=start.replace(day=1),
            )
        if iban:
            PayerIban.objects.create(lease=lease, iban=iban, since=start)
        return lease

    def called(self, *months: date, by: User | None = None):
        """Run the rent of these months."""
        return [rent.run_rent(month, by=by, now=NOW) for month in months]

    def bank(self, iban: str = "FR7630004000031234567890143", owner: Owner | None = None) -> BankAccount:
        """A bank account, in the association's book unless an owner is given."""
        book = Book.objects.get(owner=owner) if owner else Book.objects.get(pk=ledger.association_book_id())
        return BankAccount.objects.create(iban=iban, name="Main account", book=book)

    def paid(self, lease: Lease, amount, *, bank: BankAccount, on: date, month: date | None = None):
        """A payment on a lease's account, straight from the bank; `month` is the payer's own choice."""
        from leases.models import Account, Allocation, Entry, Movement, Posting, Statement

        number = self.number()
        amount = euros(amount) if isinstance(amount, str) else amount
        statement = Statement.objects.create(
            bank=bank,
            number=str(number),
            start=on,
            end=on,
            opening=euros(0),
            closing=amount,
            file_name="built",
            file_hash=str(number),
            imported_at=NOW,
            sealed_movements=1,
            sealed_total=amount,
        )
        movement = Movement.objects.create(
            statement=statement,
            bank=bank,
            line=1,
            booked=on,
            amount=amount,
            kind="credit_transfer",
            label="built",
            fingerprint=str(number),
        )
        account = Account.objects.get(lease=lease, kind=ledger.TENANT)
        put = Allocation.objects.create(
            movement=movement,
            account=account,
            lease=lease,
            amount=amount,
            on=on,
            how="manual",
            month=month,
            chosen=month is not None,
        )
        cash, _made = Account.objects.get_or_create(bank=bank, kind=ledger.BANK, book=bank.book)
        entry = Entry.objects.create(label="built", recorded_at=NOW)
        debit, credit = (cash, account) if amount > euros(0) else (account, cash)
        Posting.objects.create(
            entry=entry,
            debit=debit,
            credit=credit,
            amount=abs(amount),
            on=on,
            due=on,
            source=ledger.Source.ALLOCATION,
            source_id=put.pk,
        )
        ledger.seal(entry)
        return put
