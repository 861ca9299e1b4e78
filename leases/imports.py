"""Leases from a file (*import des baux*).

One line per lease: who, which place, which amounts. A further line with the same `bail_reference`
adds dated facts: a new rent (*avenant*), a new benefit, a free period, another place. A blank cell
says nothing, so it changes nothing. docs/imports.md is the reader's version of the columns.
"""

import secrets
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise

from django.db import transaction
from django.db.models import CharField, F, Value
from django.db.models.functions import Cast, Concat, LPad
from django.utils.translation import gettext_lazy as _

from core.imports import (
    Dated,
    Echo,
    Imported,
    Sayings,
    Things,
    content,
    ends_after,
    kept,
    read_lines,
    record,
    resolve,
    right_iban,
    silent,
    stop_at_faults,
    together,
    whole,
    write,
)
from core.periods import ONE_DAY, next_month
from core.refusals import SENTENCES
from core.tables import RowError, TableRow
from leases import rent
from leases.benefits import Benefit, lent_homes, with_alt
from leases.collecting.mandates import Mandate
from leases.columns import (
    BENEFIT,
    COLUMN,
    FIELDS,
    HEAD,
    ITEMS,
    LEASE,
    LEASE_COLUMNS,
    OCCUPANCY,
    OTHER,
    PERSON,
    RANGES,
)
from leases.households import Household, Membership, Person
from leases.kinds import KINDS, fits
from leases.lease import Lease, LeaseParty, PayerIban, is_payment_reference
from leases.occupancy import Occupancy
from leases.terms import RENT, FreePeriod, RentTerm
from portfolio.imports import import_portfolio
from portfolio.owners import Holding
from portfolio.stock import OutOfService, Place


def import_leases(file, *, by, now: datetime, echo: Echo = silent) -> Imported:
    """Take in a file of leases, whole or not at all; the same file again changes nothing.

    file: path, bytes or binary file (.xlsx, .csv). Months already called that it changes are left
    to the next run. Raises BadImport with every fault; BadTable for what is no table; Refusal for
    what only the database saw.
    """
    data = content(file)
    rows, errors = read_lines(data, LEASE_COLUMNS, fields=FIELDS, ranges=RANGES, echo=echo)
    tidy(rows, errors)
    imported = Imported(rows=len(rows))
    with whole():
        leases = _gather(rows, errors)
        facts = _dated(leases, on=now.date())
        _people(leases, facts)
        _check_places(leases, facts)
        stop_at_faults(errors)
        _write(imported, leases, facts, now=now, echo=echo)
        imported.remarks = list(errors)
        record(by, "lease", data, imported)
    return imported


def import_stock(file, *, by, now: datetime, echo: Echo = silent) -> Imported:
    """Take in a file of the portfolio; months called before a title or order was told are left to the next run."""
    with transaction.atomic():
        done = import_portfolio(file, by=by, now=now, echo=echo)
        if done.since:
            stays = Occupancy.objects.values_list("lease_id", flat=True)
            late = set(kept(stays, "place__unit_id", done.since))
            rent.open_accounts()
            rent.learn_late(sorted(late), since=min(done.since.values()), reason="import", now=now)
    return done


def tidy(rows: list[TableRow], errors: list[RowError]) -> None:
    """Ends become the day after, references lose their spaces, accounts are checked."""
    for row in rows:
        values = row.values
        for key in ("end", "exit", "free_end"):
            if values[key] is not None:
                values[key] += ONE_DAY
        if values["benefit_end"] is not None:
            values["benefit_end"] = next_month(values["benefit_end"])
        if values["payer_iban"] is not None:
            values["payer_iban"] = right_iban(row, COLUMN["payer_iban"], errors)
        if values["payment_reference"] is not None:
            values["payment_reference"] = "".join(values["payment_reference"].split()).upper()
            if not is_payment_reference(values["payment_reference"]):
                refuse(
                    row,
                    "payment_reference",
                    _("Its check digits are not right."),
                    _("Leave the cell blank: the reference is computed."),
                    errors,
                )


def refuse(row: TableRow, key: str, reason: str, remedy: str, errors: list[RowError]) -> None:
    errors.append(row.error(COLUMN[key].name, reason, remedy))


# ---- what the lines name ----------------------------------------------------------------


@dataclass(slots=True)
class LeaseFile:
    """A file's lines and what they name, as it will be once written."""

    rows: list[TableRow]
    errors: list[RowError]
    persons: Things
    households: Things
    leases: Things
    places: dict[str, Place]

    def lines(self):
        """Each line with its lease, those left out for a fault excepted."""
        for row in self.rows:
            lease = self.leases.get(row["lease_reference"])
            if lease is not None:
                yield row, lease


def _gather(rows: list[TableRow], errors: list[RowError]) -> LeaseFile:
    persons = Sayings(HEAD, errors)
    households = Sayings({}, errors)
    leases = Sayings(LEASE, errors)
    people = Sayings({"head": COLUMN["head_reference"]}, errors)
    given: dict[str, set] = defaultdict(set)
    for row in rows:
        reference = row["lease_reference"]
        persons.add_from(COLUMN["head_reference"], row, HEAD)
        persons.add_from(COLUMN["other_reference"], row, OTHER)
        if row["household_reference"] is not None:
            households.add(row["household_reference"], row)
        leases.add(reference, row)
        people.add(reference, row)
        given[reference].update(
            k for k in ("place_reference", "head_reference", "rent") if row[k] is not None
        )
    # Once its mandate is recorded, a lease's reference of debit is the mandate's, amended on its page.
    for mandate in kept(Mandate.objects.select_related("lease"), "lease__reference", leases):
        leases[mandate.lease.reference].values.pop("debit_mandate", None)
    found_persons = resolve(Person, persons, needed=["last_name"])
    found_households = resolve(Household, households, needed=[])
    for said in leases.values():
        if "start" in said.values:
            said.values.setdefault("signed_on", said.values["start"])
    found = resolve(
        Lease,
        leases,
        needed=["household", "kind", "start"],
        links={"household": found_households},
        fixed=["household", "kind", "start", "end", "end_reason", "payment_reference"],
    )
    for lease in found.new if not leases.some_left_out else ():
        for key in ("place_reference", "head_reference", "rent"):
            if key not in given[lease.reference]:
                row = leases[lease.reference].row
                refuse(row, key, _("A value is needed the first time."), _("Fill in the cell."), errors)
    for lease in (*found.new, *found.changed):
        row = leases[lease.reference].row
        ends_after(row, COLUMN["end"], lease.start, lease.end, errors)
        if bool(lease.end) != bool(lease.end_reason):
            refuse(
                row,
                "end_reason",
                _("The end and its reason go together."),
                _("Give both, or leave both blank."),
                errors,
            )
    _once(leases, "payment_reference", errors)
    _once(leases, "debit_mandate", errors)
    wanted = {row["place_reference"] for row in rows}
    places = Place.objects.select_related("unit__structure")
    return LeaseFile(
        rows,
        errors,
        found_persons,
        found_households,
        found,
        {place.reference: place for place in kept(places, "reference", wanted)},
    )


def _once(leases: Sayings, name: str, errors: list[RowError]) -> None:
    """What belongs to one lease only is given to no other, in the file or in the database."""
    holders: dict[str, str] = {}
    values = {said.values[name] for said in leases.values() if name in said.values}
    for lease in kept(Lease.objects, name, values):
        holders[getattr(lease, name)] = lease.reference
    for reference, said in leases.items():
        value = said.values.get(name)
        if value is not None and holders.setdefault(value, reference) != reference:
            refuse(
                said.row,
                name,
                _("It belongs to lease %(reference)s.") % {"reference": holders[value]},
                _("Correct one of the two."),
                errors,
            )


# ---- dated facts ------------------------------------------------------------------------


@dataclass(slots=True)
class Facts:
    """The dated facts of the file's leases, put against those kept."""

    occupancies: Dated
    terms: dict[int, Dated]
    free: Dated
    benefits: Dated
    ibans: list[PayerIban]
    memberships: list[Membership]
    parties: list[LeaseParty]
    occupied_by_row: dict[int, TableRow]


def _known(queryset, leases: Things) -> dict:
    """Facts kept of the file's leases, by lease."""
    by_lease = defaultdict(list)
    for fact in kept(queryset, "lease_id", _pks(leases)):
        by_lease[fact.lease_id].append(fact)
    return by_lease


def _pks(things: Things) -> list[int]:
    return [thing.pk for thing in things.by_reference.values() if thing.pk is not None]


def _dated(file: LeaseFile, *, on: date) -> Facts:
    errors = file.errors
    facts = Facts(
        Dated(OCCUPANCY, errors),
        {item: Dated({"amount": COLUMN[key]}, errors, follow=True) for key, item in ITEMS.items()},
        Dated({"end": COLUMN["free_end"], "reason": COLUMN["free_reason"]}, errors),
        Dated(BENEFIT, errors, follow=True),
        [],
        [],
        [],
        {},
    )
    occupancies, terms, free, benefits = (defaultdict(list) for _sort in range(4))
    stayed: dict[tuple[str, str], date] = {}
    right: dict[str, dict] = defaultdict(dict)
    for row, lease in file.lines():
        _occupancy(row, lease, file, stayed, occupancies)
        _terms(row, lease, terms, errors)
        needed, others = [COLUMN["free_start"], COLUMN["free_end"]], [COLUMN["free_reason"]]
        if together(row, needed, others, errors) and ends_after(
            row, COLUMN["free_end"], row["free_start"], row["free_end"], errors
        ):
            gift = FreePeriod(
                lease=lease, start=row["free_start"], end=row["free_end"], reason=row["free_reason"] or ""
            )
            free[lease.reference].append((gift, row))
        _benefit(row, lease, right[lease.reference], benefits, errors)
    for wanted in occupancies.values():
        _until_the_keys(wanted, facts, on=on)
    known = _known(Occupancy.objects.select_related("place", "lease"), file.leases)
    for reference, wanted in occupancies.items():
        facts.occupancies.merge(known[file.leases.get(reference).pk], wanted)
    known = defaultdict(list)
    for term in kept(RentTerm.objects, "lease_id", _pks(file.leases)):
        known[term.lease_id, term.item].append(term)
    for (reference, item), wanted in terms.items():
        facts.terms[item].merge(known[file.leases.get(reference).pk, item], wanted)
    for queryset, wanted_by_lease, dated in (
        (FreePeriod.objects, free, facts.free),
        (Benefit.objects, benefits, facts.benefits),
    ):
        known = _known(queryset, file.leases)
        for reference, wanted in wanted_by_lease.items():
            dated.merge(known[file.leases.get(reference).pk], wanted)
    _alt(occupancies, benefits, errors)
    _ibans(file, facts)
    return facts


def _occupancy(row: TableRow, lease: Lease, file: LeaseFile, stayed: dict, found: dict) -> None:
    reference = row["place_reference"]
    if reference is None:
        if row["entry"] or row["exit"]:
            refuse(
                row,
                "place_reference",
                _("The entry or exit is of no place."),
                _("Give its reference."),
                file.errors,
            )
        return
    place = file.places.get(reference)
    if place is None:
        refuse(
            row,
            "place_reference",
            _("No place has the reference “%(reference)s”.") % {"reference": reference},
            _("Import the portfolio first, or correct the reference."),
            file.errors,
        )
        return
    start = row["entry"] or stayed.get((lease.reference, reference)) or lease.start
    stayed.setdefault((lease.reference, reference), start)
    if start < lease.start:
        refuse(
            row,
            "entry",
            _("The entry comes before the first day of the lease."),
            _("Correct the day of entry or the start of the lease."),
            file.errors,
        )
    elif ends_after(row, COLUMN["exit"], start, row["exit"], file.errors):
        found[lease.reference].append(
            (Occupancy(place=place, lease=lease, start=start, end=row["exit"]), row)
        )


def _until_the_keys(wanted: list[tuple[Occupancy, TableRow]], facts: Facts, *, on: date) -> None:
    """Who gave the keys back before the end of the lease occupies until that end all the same."""
    last = max((occupancy for occupancy, _row in wanted), key=lambda occupancy: occupancy.start)
    for occupancy, row in wanted:
        facts.occupied_by_row[id(occupancy)] = row
        if occupancy.end is None:
            continue
        returned = occupancy.end - ONE_DAY
        occupancy.keys_returned_on = returned if returned <= on else None
        if occupancy.lease.end is not None and occupancy.start == last.start:
            occupancy.end = max(occupancy.end, occupancy.lease.end)


def _terms(row: TableRow, lease: Lease, found: dict, errors: list[RowError]) -> None:
    start = row["terms_since"] or lease.start
    given = [key for key in ITEMS if row[key] is not None]
    if row["terms_since"] and not given:
        refuse(
            row, "rent", _("No amount is given for this date."), _("Give the amounts that change."), errors
        )
    for key in given:
        # Nothing asked from the start is no term, save for the rent: a lease without one is not called.
        if ITEMS[key] == RENT or row[key] or start != lease.start:
            term = RentTerm(lease=lease, item=ITEMS[key], amount=row[key], start=start)
            found[lease.reference, ITEMS[key]].append((term, row))


def _benefit(row: TableRow, lease: Lease, before: dict, found: dict, errors: list[RowError]) -> None:
    for key in ("benefit_payer", "benefit_kind", "beneficiary_number", "paid_to_landlord"):
        if row[key] is not None:
            before[key] = row[key]
    if row["benefit_start"] is None and row["benefit_amount"] is None:
        return
    for key in ("benefit_payer", "benefit_kind", "beneficiary_number"):
        row.values[key] = before.get(key)
    needed = ("benefit_start", "benefit_amount", "benefit_kind", "beneficiary_number")
    if not together(row, [COLUMN[key] for key in needed], [], errors) or not ends_after(
        row, COLUMN["benefit_end"], row["benefit_start"], row["benefit_end"], errors
    ):
        return
    possible = KINDS[lease.kind].benefits
    if row["benefit_kind"] not in possible:
        errors.append(
            RowError(
                row.sheet,
                row.line,
                COLUMN["benefit_kind"].name,
                str(_("This kind of contract opens no right to this benefit.")),
                str(_("Check it with the payer.")),
                blocking=not possible,
            )
        )
    benefit = Benefit(
        lease=lease,
        payer=row["benefit_payer"] or Benefit.Payer.CAF.value,
        kind=row["benefit_kind"],
        beneficiary_number=row["beneficiary_number"],
        amount=row["benefit_amount"],
        paid_to_landlord=before.get("paid_to_landlord", True),
        start=row["benefit_start"],
        end=row["benefit_end"],
    )
    found[lease.reference].append((benefit, row))


def _alt(stays: dict, rights: dict, errors: list[RowError]) -> None:
    """Refuse a benefit for a home that ALT already pays for (the database, between lines of the file)."""
    lent = lent_homes()
    for reference, wanted in rights.items():
        for right, row in wanted:
            if any(with_alt((right.start, right.end), stay, lent) for stay, _row in stays.get(reference, ())):
                reason, remedy = SENTENCES["benefit_not_with_alt"]
                refuse(row, "benefit_start", str(reason), str(remedy), errors)


def _ibans(file: LeaseFile, facts: Facts) -> None:
    known = {(iban.lease_id, iban.iban) for iban in kept(PayerIban.objects, "lease_id", _pks(file.leases))}
    for row, lease in file.lines():
        key = (lease.pk or lease.reference, row["payer_iban"])
        if row["payer_iban"] is not None and key not in known:
            known.add(key)
            since = row["terms_since"] or lease.start
            facts.ibans.append(PayerIban(lease=lease, iban=row["payer_iban"], since=since))


def _people(file: LeaseFile, facts: Facts) -> None:
    """Who lives in the household and who signed, where the program does not know it yet."""
    households = {lease.household_id for lease in file.leases.by_reference.values()} - {None}
    members, heads = set(), set()
    for member in kept(Membership.objects, "household_id", households):
        members.add((member.household_id, member.person_id))
        if member.role == Membership.Role.HEAD:
            heads.add(member.household_id)
    signers, tenants = set(), {}
    for party in kept(LeaseParty.objects, "lease_id", _pks(file.leases)):
        signers.add((party.lease_id, party.role, party.person_id))
        if party.role == LeaseParty.Role.TENANT:
            tenants[party.lease_id] = party.person_id
    joined: dict[tuple, Membership] = {}
    for row, lease in file.lines():
        contract, household = lease.pk or id(lease), lease.household_id or id(lease.household)
        for key, party, role in (
            ("head_reference", LeaseParty.Role.TENANT, Membership.Role.HEAD),
            ("other_reference", LeaseParty.Role.CO_TENANT, Membership.Role.PARTNER),
        ):
            person = file.persons.get(row[key])
            if person is None:
                continue
            who = person.pk or id(person)
            if party == LeaseParty.Role.TENANT and tenants.setdefault(contract, who) != who:
                refuse(
                    row,
                    key,
                    _("Somebody else is the tenant of this lease."),
                    _("Correct the reference; a joint tenant has columns of their own."),
                    file.errors,
                )
                continue
            if (contract, party, who) not in signers:
                signers.add((contract, party, who))
                facts.parties.append(LeaseParty(lease=lease, person=person, role=party, start=lease.start))
            if (household, who) in joined:
                member = joined[household, who]
                member.start = min(member.start, lease.start)
            elif (household, who) not in members:
                chosen = (
                    Membership.Role.OTHER if role == Membership.Role.HEAD and household in heads else role
                )
                if role == Membership.Role.HEAD:
                    heads.add(household)
                joined[household, who] = Membership(person=person, role=chosen, start=lease.start)
                if lease.household_id:
                    joined[household, who].household_id = lease.household_id
                else:
                    joined[household, who].household = lease.household
    facts.memberships.extend(joined.values())


# ---- what the places allow --------------------------------------------------------------


def _check_places(file: LeaseFile, facts: Facts) -> None:
    """Each occupation: one at a time per place, starting while the home is held and in service."""
    units = {place.unit_id for place in file.places.values()}
    held, out = defaultdict(list), defaultdict(list)
    for holding in kept(Holding.objects, "unit_id", units):
        held[holding.unit_id].append(holding)
    for absence in kept(OutOfService.objects, "unit_id", units):
        out[absence.unit_id].append(absence)
    ours = {occupancy.pk: occupancy for occupancy in facts.occupancies.changed}
    by_place = defaultdict(list)
    there = Occupancy.objects.select_related("lease")
    for occupancy in kept(there, "place_id", [place.pk for place in file.places.values()]):
        by_place[occupancy.place_id].append(ours.get(occupancy.pk, occupancy))
    for occupancy in facts.occupancies.new:
        by_place[occupancy.place_id].append(occupancy)
        row = facts.occupied_by_row[id(occupancy)]
        unit = occupancy.place.unit
        if not any(_covers(holding, occupancy.start) for holding in held[unit.pk]):
            _refuse_place(row, "occupancy_starts_while_held", file.errors)
        if any(_covers(absence, occupancy.start) for absence in out[unit.pk]):
            _refuse_place(row, "occupancy_starts_in_service", file.errors)
        structure = unit.structure.kind if unit.structure_id else None
        if not fits(KINDS[occupancy.lease.kind], structure):
            refuse(
                row,
                "kind",
                _("A contract of this kind is not for this home."),
                _("Correct the kind of contract, the place, or the structure the home belongs to."),
                file.errors,
            )
    for occupancies in by_place.values():
        for before, after in pairwise(sorted(occupancies, key=lambda one: one.start)):
            if before.end is not None and before.end <= after.start:
                continue
            row = facts.occupied_by_row.get(id(after)) or facts.occupied_by_row.get(id(before))
            other = before if id(after) in facts.occupied_by_row else after
            if row is not None and before.lease != after.lease:
                refuse(
                    row,
                    "place_reference",
                    _("Lease %(reference)s occupies this place on the same days.")
                    % {"reference": other.lease.reference},
                    _("Give the day the earlier occupant left, or choose another place."),
                    file.errors,
                )


def _covers(fact, day: date) -> bool:
    return fact.start <= day and (fact.end is None or fact.end > day)


def _refuse_place(row: TableRow, code: str, errors: list[RowError]) -> None:
    reason, remedy = SENTENCES[code]
    refuse(row, "entry", str(reason), str(remedy), errors)


# ---- writing ----------------------------------------------------------------------------


def _write(imported: Imported, file: LeaseFile, facts: Facts, *, now: datetime, echo: Echo) -> None:
    unnumbered = [lease for lease in file.leases.new if not lease.payment_reference]
    mark = secrets.token_hex(3)
    for number, lease in enumerate(unnumbered):
        lease.payment_reference = f"#{mark}{number:05x}"
    write(imported, file.persons.new, file.persons.changed, list(PERSON), echo=echo)
    write(imported, file.households.new, echo=echo)
    write(imported, file.leases.new, file.leases.changed, list(LEASE), echo=echo)
    if unnumbered:
        _number(mark)
    for facts_of_a_sort in (facts.memberships, facts.parties, facts.ibans):
        write(imported, facts_of_a_sort, echo=echo)
    stays, gifts, rights = facts.occupancies, facts.free, facts.benefits
    write(imported, stays.new, stays.changed, ["end", "keys_returned_on"], echo=echo)
    new = [term for dated in facts.terms.values() for term in dated.new]
    changed = [term for dated in facts.terms.values() for term in dated.changed]
    write(imported, new, changed, ["end"], echo=echo)
    write(imported, gifts.new, gifts.changed, ["reason"], echo=echo)
    write(imported, rights.new, rights.changed, ["end"], echo=echo)
    if imported.nothing_new:
        return
    rent.open_accounts()
    since = _learnt(file, facts)
    if since:
        # One day for all: a month that did not change costs a look, and calls nothing.
        rent.learn_late([*since], since=min(since.values()), reason="import", now=now)


def _number(mark: str) -> None:
    """The payment reference of each new lease, from its number: leases.lease.payment_reference() in SQL."""
    check = 98 - F("pk") * 100 % 97
    Lease.objects.filter(payment_reference__startswith=f"#{mark}").update(
        payment_reference=Concat(
            Value("L"),
            LPad(Cast("pk", CharField()), 7, Value("0")),
            LPad(Cast(check, CharField()), 2, Value("0")),
        )
    )


def _learnt(file: LeaseFile, facts: Facts) -> dict[int, date]:
    """Each lease of which something new was written, and from which day it counts."""
    days = [(lease.pk, lease.end) for lease in file.leases.changed if lease.end is not None]
    for dated in (facts.occupancies, facts.free, facts.benefits, *facts.terms.values()):
        days += [(fact.lease_id, fact.start) for fact in dated.new]
        days += [(fact.lease_id, fact.end or fact.start) for fact in dated.changed]
    since: dict[int, date] = {}
    for lease, day in days:
        since[lease] = min(day, since.get(lease, day))
    return since
