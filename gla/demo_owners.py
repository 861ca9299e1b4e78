"""Owners in the demonstration: the last month that is over told, owners paid, the bank's debits of it.

Seeded. What was held before that month was paid by the former program: one operation an owner.
"""

from datetime import UTC, date, datetime, time
from random import Random

from moneyed import Money

from core import dialect
from core.money import euros, from_cents, to_cents
from core.periods import ONE_DAY, Period, first_of_month
from leases import bank, ledger, operations
from leases.accounts.owner_accounts import figures_of, run_owner_month
from leases.accounts.owner_dues import charge_invoice
from leases.accounts.owner_fees import Ways, money_parameters, money_sql
from leases.accounts.owner_terms import Basis, hold_client_money, set_terms
from leases.accounts.payouts import commit_payouts, mark_sent
from leases.formats import camt
from leases.formats.statement import Movement, Statement
from leases.models import Allocation, BankAccount, Book
from leases.operations import Operation
from portfolio.owners import OWNERS_BOOK_TITLES, Holding, Owner

SUPPLIERS = (
    ("Plomberie Deûle", "dégorgement", 18_700),
    ("Serrurerie du Beffroi", "serrure trois points", 24_250),
    ("Élec Services 59", "mise en sécurité du tableau", 61_300),
    ("Couverture des Flandres", "reprise de toiture", 128_400),
    ("Chauffage Lys", "remplacement du circulateur", 41_980),
)
SEED = 5903


def play_owners(today: date, *, by, client_iban: str) -> dict:
    """Tell owners the month before this one and pay them; returns what was done, as counts.

    client_iban: the account of owners' money. To be called once statements are in up to today.
    """
    whole = Period.month(first_of_month(today) - ONE_DAY)
    month = whole.start
    hold_client_money(BankAccount.objects.get(iban=client_iban), since=whole.start, by=by)
    paid_before = _paid_before(month, by=by)
    _keep_before(month, by=by)
    _agree(month, by=by)
    invoices = _invoices(whole, by=by)
    told = run_owner_month(month, by=by, now=_at(whole.end, 9))
    batches = commit_payouts(today, by=by, now=_at(today, 9))
    debited = 0
    for batch in batches:
        if batch.bank.iban == client_iban:
            mark_sent(batch, by=by, now=_at(today, 10))
            debited += _debit(batch, today, paid_before, by=by)
        elif batch.bank.book.owner_id:
            mark_sent(batch, by=by, now=_at(today, 10))
    return {
        "owners": told,
        "paid before": str(paid_before.amount),
        "invoices": invoices,
        "payments": sum(batch.payouts.count() for batch in batches),
        "debited": debited,
    }


def _at(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), tzinfo=UTC)


def _paid_before(month: date, *, by) -> Money:
    """What was held before the month was paid by the program used before; EUR in all."""
    sums: dict[int, int] = {}
    for owner, whence, *_rest, own_bank, cents in dialect.rows(money_sql(), money_parameters(month, month)):
        if whence == 0 and not own_bank:
            sums[owner] = sums.get(owner, 0) + int(cents)
    wanted = {owner: cents for owner, cents in sorted(sums.items()) if cents > 0}
    books = dict(Book.objects.filter(owner__in=wanted).values_list("owner", "pk"))
    ways = Ways(books, ledger.PAID_OUT)
    drafts = [
        Operation(
            kind=operations.FREE,
            key=f"paid before {owner}",
            amount=from_cents(cents),
            on=month - ONE_DAY,
            due=month - ONE_DAY,
            label="Réglé au propriétaire avant la reprise",
            **ways.out_of(owner, ledger.OPENING),
        )
        for owner, cents in wanted.items()
    ]
    operations.post(drafts, label="Paid before", by=by, now=_at(month, 8))
    return sum((draft.amount for draft in drafts), euros(0))


def _keep_before(month: date, *, by) -> None:
    """Owners with an account of their own leave on it what was there before."""
    there = {bank.book.owner for bank in BankAccount.objects.filter(book__owner__isnull=False)}
    brought = figures_of(month, [owner.pk for owner in there])
    for owner in sorted(there, key=lambda one: one.pk):
        rate = owner.holdings.filter(title__in=OWNERS_BOOK_TITLES).first().fee_rate
        reserve = brought[owner.pk].brought
        set_terms(owner=owner, start=month, basis=Basis.RECEIVED, rate=rate, reserve=reserve, by=by)


def _agree(month: date, *, by) -> None:
    """Terms of a few: a reserve for works, a fee fixed a home, one of what is called."""
    private = list(Owner.objects.filter(kind="private", holdings__title="mandate").distinct().order_by("pk"))
    social = list(Owner.objects.filter(kind="social", holdings__title="mandate").distinct().order_by("pk"))
    start = month.replace(day=1)
    for owner in private[::12]:
        rate = owner.holdings.filter(title__in=OWNERS_BOOK_TITLES).first().fee_rate or 7
        set_terms(
            owner=owner, start=start, basis=Basis.RECEIVED, rate=rate, reserve=euros("150.00"), by=by,
            unpaid_guaranteed=owner.holdings.filter(unpaid_guaranteed=True).exists(),
        )  # fmt: skip
    if social:
        set_terms(owner=social[0], start=start, basis=Basis.UNIT, per_unit=euros("24.50"), by=by)
    if len(social) > 1:
        set_terms(owner=social[1], start=start, basis=Basis.CALLED, rate=6, by=by)


def _invoices(whole: Period, *, by) -> int:
    """A few repairs of the month, charged to private owners."""
    random = Random(SEED)
    holdings = list(
        Holding.objects.on(whole.start)
        .filter(title="mandate", owner__kind="private")
        .select_related("owner", "unit")
        .order_by("pk")
    )
    chosen = random.sample(holdings, min(18, len(holdings)))
    for at, holding in enumerate(chosen):
        supplier, what, cents = SUPPLIERS[at % len(SUPPLIERS)]
        charge_invoice(
            holding.owner,
            unit=holding.unit,
            supplier=supplier,
            number=f"{whole.start:%Y%m}-{at + 1:03d} {what}"[:30],
            amount=from_cents(cents + random.randrange(-2_000, 2_000)),
            on=whole.start.replace(day=random.randint(3, 26)),
            by=by,
            now=_at(whole.last_day, 9),
        )
    return len(chosen)


def _debit(batch, day: date, before: Money, *, by) -> int:
    """The bank's statement that debits every transfer of a batch, on its day; and what was paid before."""
    last = batch.bank.statements.order_by("-end", "-pk").first()
    opening = to_cents(last.closing) if last else 0
    movements = tuple(
        Movement(
            line=at,
            booked=day,
            valued=day,
            amount_cents=-to_cents(payout.amount),
            kind="credit_transfer",
            label="VIR SEPA EMIS",
            end_to_end=payout.end_to_end,
            counterparty_iban=payout.iban,
        )
        for at, payout in enumerate(batch.payouts.order_by("pk"), 2)
    )
    taken_over = Movement(
        line=1,
        booked=day,
        valued=day,
        amount_cents=-to_cents(before),
        kind="credit_transfer",
        label="REGLEMENTS ANTERIEURS A LA REPRISE",
    )
    movements = (taken_over, *movements)
    told = Statement(
        iban=batch.bank.iban,
        currency="EUR",
        number=f"V{day:%Y%m%d}",
        start=day,
        end=day,
        opening_cents=opening,
        closing_cents=opening + sum(one.amount_cents for one in movements),
        movements=movements,
    )
    data = camt.write_statement(told)
    done = bank.import_statement(data, f"virements-{day:%Y-%m-%d}.xml", by=by, now=_at(day, 18))
    line = Allocation.objects.in_suspense().get(movement__bank=batch.bank, amount=-before)
    opening_account = operations.account(ledger.OPENING, book=batch.bank.book_id)
    put = Allocation(
        movement=line.movement,
        account=opening_account,
        amount=line.amount,
        on=day,
        how="manual",
        settles=line,
        by=by,
    )
    bank.add_allocations(line.movement, [put], label="Paid before", now=_at(day, 18))
    return done.movements - 1
