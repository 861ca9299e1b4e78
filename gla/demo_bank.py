"""The demonstration's money: who pays what, when and how, as bank statements and payment lists.

Worked out from the leases alone (gla.demo_people), never from the database, with the true payer of
every movement kept beside: that is what automatic matching is held against.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random

from core.periods import add_months, next_month
from gla.demo_people import DemoLease
from gla.demo_stock import make_iban
from leases.formats import camt, cfonb
from leases.formats.benefit_list import BenefitLine, BenefitList, write_list
from leases.formats.statement import Movement, Statement, plain_euros

DAY = timedelta(days=1)

IBANS = {"A": make_iban(100_001), "B": make_iban(100_002), "C": make_iban(100_003)}
ACCOUNT_NAMES = {"A": "Compte courant", "B": "Compte des mandants", "C": "Compte de la SAUES"}
OPENINGS = {"A": 41_250_317, "B": 18_902_240, "C": 9_644_055}
RETURN_CODES = ("AM04", "AM04", "AM04", "AM04", "MD06", "AC04", "MD01", "AC06")
TRUTH = ("bank_iban", "booked", "bank_reference", "amount", "lease_reference", "payer")
GUARDIAN = ("TUTELLES DU NORD (EXEMPLE)", make_iban(777_001, "99006"), 97)
UNREADABLE = (
    "VIR INSTANTANE",
    "LOYER",
    "LOYER MOIS",
    "VIREMENT DE M OU MME",
    "AIDE FAMILLE",
    "PARTICIPATION",
    "VIR SEPA RECU",
)


@dataclass(slots=True)
class Payment:
    """One payment of a household, before it is put on a statement. amount: cents, signed."""

    on: date
    bank: str
    amount: int
    means: str  # debit, return, transfer, standing, cheque, cash, batch, unreadable
    lease: DemoLease
    month: date
    end_to_end: str = ""
    return_code: str = ""
    bank_reference: str = ""


@dataclass(frozen=True, slots=True)
class DemoFile:
    """A file to write: its name, its bytes, and what it is (statement or list)."""

    name: str
    data: bytes
    kind: str
    month: date


def working_day(day: date) -> date:
    """That day, or the Monday after a week-end."""
    return day + DAY * max(0, 7 - day.weekday() if day.weekday() > 4 else 0)


def make_files(
    leases: list[DemoLease], *, first_month: date, months: int, today: date
) -> Iterator[tuple[list[DemoFile], list[tuple]]]:
    """Month by month: the files of the month, and the truth of its movements (TRUTH)."""
    random = Random("bank")
    last = today - DAY
    calendar = [add_months(first_month, at) for at in range(months)]
    by_day: dict[tuple[str, date], list[Payment]] = {}
    for lease in leases:
        for payment in _household(random, lease, calendar):
            if payment.means == "cheque":
                # Taken to the bank together, every other Wednesday.
                payment.on -= DAY * 9
                payment.on += DAY * ((3 - payment.on.toordinal()) % 14)
            if first_month <= payment.on <= last:
                by_day.setdefault((payment.bank, payment.on), []).append(payment)
    aid = _benefits(random, leases, calendar, last)
    _fund(random, leases, calendar, by_day, last)
    balances = dict(OPENINGS)
    for at, month in enumerate(calendar):
        end = min(next_month(month) - DAY, last)
        if end < month:
            continue
        files: list[DemoFile] = []
        truth: list[tuple] = []
        for bank in IBANS:
            movements, lists = _movements(random, bank, month, end, by_day, aid, truth)
            statement = _statement(IBANS[bank], f"{month:%Y-%m}", month, end, balances[bank], movements)
            balances[bank] = statement.closing_cents
            if bank == "B" or (bank == "C" and at < months // 2):
                # CFONB has no number: the account and the month name the file.
                name, data = (
                    f"{month:%Y-%m}-{bank}-cfonb120.txt",
                    cfonb.write_statement(replace(statement, number="")),
                )
            else:
                version = ("02", "04", "08")[min(2, at * 3 // months)] if bank == "A" else "08"
                name, data = (
                    f"{month:%Y-%m}-{bank}-camt053-{version}.xml",
                    camt.write_statement(statement, version),
                )
            if bank == "A" and at == months - 1 and end.day > 16:
                files += _overlapping(statement, version)
            else:
                files.append(DemoFile(name, data, "statement", month))
            files += [
                DemoFile(f"{month:%Y-%m}-{name}.csv", write_list(one), "list", month) for name, one in lists
            ]
        yield files, truth


def _statement(iban: str, number: str, start: date, end: date, opening: int, movements) -> Statement:
    closing = opening + sum(one.amount_cents for one in movements)
    return Statement(iban, "EUR", number, start, end, opening, closing, tuple(movements))


def _overlapping(whole: Statement, version: str) -> Iterator[DemoFile]:
    """The month in two files that share a week, as somebody downloads them."""
    middle, shared = whole.start.replace(day=15), whole.start.replace(day=9)
    before = sum(one.amount_cents for one in whole.movements if one.booked < shared)
    for part, start, end, opening in (
        (1, whole.start, middle, whole.opening_cents),
        (2, shared, whole.end, whole.opening_cents + before),
    ):
        movements = [one for one in whole.movements if start <= one.booked <= end]
        statement = _statement(whole.iban, f"{whole.number}-{part}", start, end, opening, movements)
        data = camt.write_statement(statement, version)
        yield DemoFile(f"{whole.start:%Y-%m}-A-{part}-camt053-{version}.xml", data, "statement", whole.start)


def _household(random: Random, lease: DemoLease, calendar: list[date]) -> Iterator[Payment]:
    """The payments of one household, in its own way."""
    bank, means, way = lease.unit.bank, lease.means, lease.way
    stops_at = random.randint(len(calendar) // 3, max(1, len(calendar) - 2))
    debt = refused = 0
    before = None
    for at, month in enumerate(calendar):
        asked = lease.asked(month)
        if not asked and not debt:
            continue
        due = lease.due(month)
        if means == "debit" and asked and refused < 2:
            on = working_day(due)
            reference = f"{lease.payment_reference}-{on:%Y%m%d}"
            yield Payment(on, bank, asked, "debit", lease, month, reference)
            odds = {
                "steady": 0.004,
                "late": 0.06,
                "skips": 0.14,
                "slides": 0.25,
                "struggles": 0.3,
                "stops": 1.0 if at >= stops_at else 0.01,
            }[way]
            if random.random() >= odds:
                refused = 0
                continue
            code = random.choice(RETURN_CODES)
            yield Payment(
                working_day(on + DAY * random.randint(2, 5)),
                bank,
                -asked,
                "return",
                lease,
                month,
                reference,
                code,
            )
            if way == "stops":
                refused += 1
                continue
            if way in ("slides", "struggles"):
                asked = _part(random, asked)
            yield Payment(
                working_day(on + DAY * random.randint(9, 24)), bank, asked, "transfer", lease, month
            )
            continue
        usual = means if means != "debit" else "transfer"
        match way:
            case "stops" if at >= stops_at:
                continue
            case "steady" | "stops":
                on, amount = due + DAY * random.randint(-3, 2), asked
            case "late":
                on, amount = due + DAY * random.randint(12, 27), asked
            case "skips":
                on, amount = due + DAY * random.randint(-2, 9), asked + debt
                if random.random() < 0.16:
                    debt += asked
                    continue
            case "slides":
                on, amount, usual = (
                    due + DAY * random.randint(-1, 12),
                    _part(random, asked),
                    "transfer" if usual == "standing" else usual,
                )
            case _:
                for share in (0.4, 0.35):
                    on = due + DAY * random.randint(0, 24)
                    if part := round(asked * share / 1_000) * 1_000:
                        yield Payment(
                            working_day(on),
                            bank,
                            part,
                            "transfer" if usual == "standing" else usual,
                            lease,
                            month,
                        )
                continue
        if amount <= 0:
            continue
        if amount != asked and usual == "standing":
            usual = "transfer"
        debt = 0
        if usual == "standing" and before and before != asked and random.random() < 0.12:
            # The order at the bank still has the amount of before; the rest follows by a transfer.
            yield Payment(
                working_day(on),
                bank,
                before,
                "unreadable" if random.random() < 0.02 else "transfer",
                lease,
                month,
            )
            if asked > before:
                yield Payment(working_day(on + DAY * 9), bank, asked - before, "transfer", lease, month)
            else:
                debt = asked - before
            before = asked
            continue
        before = asked
        chance = random.random()
        if usual == "transfer" and chance < 0.035:
            usual = "unreadable"
        elif usual == "transfer" and chance < 0.07 and amount == asked:
            usual = "standing"
        elif usual == "cash" and chance < 0.04 and amount > 20_000:
            # Paid in two equal parts at the desk on one day: two movements, not one twice.
            half = amount // 2
            for _twice in range(2):
                yield Payment(
                    working_day(on),
                    bank,
                    half,
                    "cash",
                    lease,
                    month,
                    bank_reference=f"G{lease.number:05d}{month:%y%m}",
                )
            debt = amount - 2 * half
            continue
        if bank == "B" and chance > 0.997:
            bank_used = "A"  # paid on the association's own account instead of the mandants'
        else:
            bank_used = bank
        yield Payment(working_day(on), bank_used, amount, usual, lease, month)


def _part(random: Random, asked: int) -> int:
    return max(1_000, round(asked * random.uniform(0.5, 0.92) / 1_000) * 1_000) if asked > 1_000 else asked


def _fund(random, leases, calendar, by_day, last) -> None:
    """The solidarity fund (*FSL*) pays part of the debts of some, by one transfer with a list."""
    helped = [lease for lease in leases if lease.way in ("struggles", "slides") and lease.unit.bank == "A"]
    for month in calendar[3::2]:
        on = working_day(month.replace(day=18))
        if on > last or not helped:
            continue
        for lease in random.sample(helped, min(len(helped), 9)):
            if amount := min(60_000, lease.asked(month) * 2) // 1_000 * 1_000:
                by_day.setdefault(("A", on), []).append(Payment(on, "A", amount, "fsl", lease, month))


def _benefits(random, leases, calendar, last) -> dict[tuple[str, date, str], list[tuple[BenefitLine, str]]]:
    """(bank, day paid, "CAF APL") → lines of its list, each with the lease it is truly for."""
    lists: dict[tuple[str, date, str], list[tuple[BenefitLine, str]]] = {}
    first = calendar[0]
    for lease in leases:
        if not lease.benefit_kind:
            continue
        rights = [month for month in calendar if lease.benefit_of(month)]
        if not rights:
            continue
        opened_here = rights[0] > first
        silent = set(rights[: random.choice((1, 2, 2))]) if opened_here and len(rights) > 3 else set()
        chance = random.random()
        if chance < 0.05 and len(rights) > 6:
            start = random.randrange(2, len(rights) - 2)
            silent |= set(rights[start : start + random.randint(2, 4)])
        elif chance < 0.062 and len(rights) > 4 and rights[-1] == calendar[-1]:
            silent |= set(rights[-random.randint(2, 3) :])  # stopped, and not resumed yet
        owed_back = random.choice((2_000, 3_550, 4_800)) if random.random() < 0.02 else 0
        waiting = 0
        for month in rights:
            amount = lease.benefit_of(month)
            if month in silent:
                waiting += amount
                continue
            if lease.benefit_kind == "APL":
                on = working_day(month.replace(day=25))
            else:
                on = working_day(next_month(month).replace(day=5))
            if on > last:
                continue
            kept = min(owed_back, amount // 3) if month in rights[8:11] else 0
            line = BenefitLine(
                line=0,
                beneficiary=lease.beneficiary,
                name=f"{lease.head.last} {lease.head.first}".upper(),
                # Payers know our reference for most, and forget it for some.
                lease_reference=lease.reference if lease.number % 6 else "",
                month=month,
                amount_cents=amount,
                recall_cents=waiting,
                recovery_cents=kept,
            )
            key = (lease.unit.bank, on, f"{lease.payer} {lease.benefit_kind}")
            lists.setdefault(key, []).append((line, lease.reference))
            waiting = 0
    for (bank, on, payer), lines in lists.items():
        if payer == "CAF APL" and on.month % 3 == 0:
            # Somebody who never lived here: an odd line that only a person can settle.
            month = on.replace(day=1)
            number = f"{8_000_000 + on.year * 12 + on.month + ord(bank):07d}"
            lines.append((BenefitLine(0, number, "INCONNU JEAN", "", month, 21_300 + on.month), ""))
    return lists


def _movements(
    random, bank, month, end, by_day, aid, truth
) -> tuple[list[Movement], list[tuple[str, BenefitList]]]:
    """The movements of one account in a month, and the lists that explain the grouped ones."""
    movements: list[Movement] = []
    lists: list[tuple[str, BenefitList]] = []

    def add(
        on: date,
        cents: int,
        kind: str,
        label: str,
        *,
        truly: list[tuple[str, str, int]],
        bank_reference="",
        **said,
    ):
        bank_reference = bank_reference or f"{bank}{month:%y%m}{len(movements) + 1:06d}"
        movements.append(Movement(0, on, on, cents, label, bank_reference=bank_reference, kind=kind, **said))
        truth.extend(
            (IBANS[bank], on, bank_reference, plain_euros(part), lease, payer) for lease, payer, part in truly
        )

    def add_list(
        on: date,
        name: str,
        payer: str,
        who: str,
        kind: str,
        label: str,
        lines: list[tuple[BenefitLine, str]],
        **said,
    ):
        number = f"{name.upper().replace(' ', '')}{on:%y%m%d}{bank}"
        total = sum(line.net_cents for line, _lease in lines)
        lists.append(
            (
                f"{bank}-{name.lower().replace(' ', '-')}-{on:%d}",
                BenefitList(payer, number, on, total, tuple(line for line, _ in lines)),
            )
        )
        truly = [(lease, who if lease else "inconnu", line.net_cents) for line, lease in lines]
        add(
            on,
            total,
            kind,
            f"{label} {number}",
            truly=truly,
            **{key: value.format(number=number) for key, value in said.items()},
        )

    day = month
    while day <= end:
        together: dict[str, list[Payment]] = {}
        today = by_day.get((bank, day), [])
        for payment in today:
            if payment.means in ("cheque", "fsl") or (payment.means == "debit" and bank == "B"):
                together.setdefault(payment.means, []).append(payment)
            else:
                lease = payment.lease
                add(
                    day,
                    payment.amount,
                    truly=[(lease.reference, "locataire", payment.amount)],
                    bank_reference=payment.bank_reference,
                    **_said(random, payment, random.choice(today).lease),
                )
        for means, payments in together.items():
            lines = [(_line(one), one.lease.reference) for one in payments]
            match means:
                case "cheque":
                    add_list(
                        day,
                        "CHQ",
                        "Remise de chèques",
                        "locataire",
                        "cheque",
                        f"REMISE {len(lines)} CHEQUES",
                        lines,
                    )
                case "fsl":
                    add_list(
                        day,
                        "FSL",
                        "FSL du Nord",
                        "FSL",
                        "credit_transfer",
                        "VIR FSL DU NORD",
                        lines,
                        reference="FSL {number}",
                        counterparty_name="DEPARTEMENT DU NORD FSL",
                    )
                case _:
                    add_list(
                        day,
                        "PRLV",
                        "Remise de prélèvements",
                        "locataire",
                        "direct_debit",
                        f"REMISE {len(lines)} PRELEVEMENTS",
                        lines,
                        end_to_end="{number}",
                    )
        for payer in ("CAF APL", "CAF AL", "MSA APL", "MSA AL"):
            if lines := aid.get((bank, day, payer)):
                name = "CAF DU NORD" if payer[:3] == "CAF" else "MSA NORD-PAS DE CALAIS"
                add_list(
                    day,
                    payer,
                    payer[:3],
                    payer[:3],
                    "credit_transfer",
                    f"VIR {name}",
                    lines,
                    reference=f"{payer} {{number}}",
                    counterparty_name=name,
                    end_to_end="{number}",
                )
        day += DAY
    if end == next_month(month) - DAY:
        fees = 1_250 + 3 * len(movements)
        add(end, -fees, "fee", "FRAIS DE TENUE DE COMPTE ET COMMISSIONS", truly=[("", "banque", -fees)])
    return movements, lists


def _line(payment: Payment) -> BenefitLine:
    lease = payment.lease
    return BenefitLine(
        0, "", f"{lease.head.last} {lease.head.first}".upper(), lease.reference, payment.month, payment.amount
    )


def _said(random: Random, payment: Payment, other: DemoLease) -> dict:
    """Kind, label and references of a household's movement, as its bank words them.

    other: somebody else, who sometimes pays for them.
    """
    lease = payment.lease
    name = f"{lease.head.last} {lease.head.first}".upper()
    reference = lease.payment_reference
    match payment.means:
        case "debit":
            return {"kind": "direct_debit", "label": f"PRLV SEPA {name}", "end_to_end": payment.end_to_end,
                    "mandate": lease.mandate, "counterparty_name": name, "counterparty_iban": lease.iban}  # fmt: skip
        case "return":
            return {"kind": "return", "label": f"REJET PRLV {name}", "end_to_end": payment.end_to_end, "mandate": lease.mandate,
                    "counterparty_name": name, "counterparty_iban": lease.iban, "return_code": payment.return_code}  # fmt: skip
        case "standing":
            return {"kind": "credit_transfer", "label": f"VIR PERMANENT {name}", "reference": "LOYER",
                    "counterparty_name": name, "counterparty_iban": lease.iban}  # fmt: skip
        case "unreadable" if random.random() < 0.02:
            # Paid by somebody whose own account is known for their own lease: a trap.
            return {"kind": "credit_transfer", "label": "VIR SEPA RECU", "reference": "POUR MA SOEUR",
                    "counterparty_name": f"{other.head.last} {other.head.first}".upper(), "counterparty_iban": other.iban}  # fmt: skip
        case "unreadable":
            return {"kind": "credit_transfer", "label": random.choice(UNREADABLE), "reference": random.choice(("", "LOYER", "MERCI")),
                    "counterparty_name": random.choice(("", name, "M OU MME")),
                    "counterparty_iban": make_iban(500_000 + lease.number, "99007") if random.random() < 0.7 else ""}  # fmt: skip
        case "cash":
            return {"kind": "cash", "label": f"VERSEMENT ESPECES {reference}"}
    if lease.number % GUARDIAN[2] == 5:
        # A guardian pays for several households from one account: only the reference tells them apart.
        return {"kind": "credit_transfer", "label": f"VIR {GUARDIAN[0]}", "reference": f"{name} {reference}",
                "counterparty_name": GUARDIAN[0], "counterparty_iban": GUARDIAN[1]}  # fmt: skip
    written = random.choice(
        (
            reference,
            reference,
            f"LOYER {reference}",
            f"{reference[:5]} {reference[5:]}",
            f"loyer {payment.month:%m/%Y} {reference.lower()}",
        )
    )
    iban = lease.iban if random.random() < 0.85 else make_iban(600_000 + lease.number, "99008")
    chance = random.random()
    if chance < 0.004:
        iban = other.iban  # somebody helps, and quotes the right reference
    elif chance < 0.009:
        # Two digits changed places: the check digits tell, so that it is nobody's.
        written = reference[:6] + reference[7] + reference[6] + reference[8:]
    return {"kind": "credit_transfer", "label": f"VIR SEPA {name}", "reference": written,
            "counterparty_name": name, "counterparty_iban": iban}  # fmt: skip
