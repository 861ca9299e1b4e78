"""Analytic codes (*codes analytiques*): income and charges by structure, programme and funder.

A code is given to a site, a structure or a home, from a day on; the closest to the home holds. Where
none is given the portfolio says it: the structure, the financing. Only the association's own
book is told: a mandant's rents are not its income.
"""

from dataclasses import dataclass, field
from datetime import date, datetime

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from moneyed import Money

from core import audit, dialect
from core.errors import Refusal
from core.money import euros, from_cents
from core.periods import Period
from leases import ledger
from leases.accounts.closing import OF_THE_YEAR
from leases.ledger import ACCOUNT_KINDS
from leases.occupancy import last_occupancies
from portfolio.stock import Site, Structure, Unit


class Axis(models.TextChoices):
    """What a code tells apart (*axe analytique*)."""

    STRUCTURE = "structure", _("By structure")
    PROGRAMME = "programme", _("By programme")
    FUNDER = "funder", _("By funder")


class AnalyticCode(models.Model):
    """A code of the accounts (*code analytique*) on one axis."""

    axis = models.CharField(_("axis"), max_length=10, choices=Axis)
    code = models.CharField(_("code"), max_length=20)
    label = models.CharField(_("label"), max_length=80)

    class Meta:
        verbose_name, verbose_name_plural = _("analytic code"), _("analytic codes")
        constraints = [
            models.UniqueConstraint(
                fields=["axis", "code"],
                name="analytic_code_once",
                violation_error_message=_("This code is on that axis already."),
            )
        ]

    def __str__(self):
        return f"{self.code} {self.label}"


class CodeGiven(models.Model):
    """A code given to a site, a structure or a home from a day on (*affectation analytique*).

    Runs until the next line of the same axis and place; code null: none from that day.
    """

    axis = models.CharField(_("axis"), max_length=10, choices=Axis)
    code = models.ForeignKey(AnalyticCode, models.PROTECT, null=True, related_name="given")
    site = models.ForeignKey(Site, models.PROTECT, null=True, related_name="+")
    structure = models.ForeignKey(Structure, models.PROTECT, null=True, related_name="+")
    unit = models.ForeignKey(Unit, models.PROTECT, null=True, related_name="+")
    since = models.DateField(_("from"))
    given_at = models.DateTimeField()
    given_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name, verbose_name_plural = _("code given"), _("codes given")
        constraints = [
            models.CheckConstraint(
                name="code_given_to_one_place",
                condition=Q(site__isnull=False, structure__isnull=True, unit__isnull=True)
                | Q(site__isnull=True, structure__isnull=False, unit__isnull=True)
                | Q(site__isnull=True, structure__isnull=True, unit__isnull=False),
                violation_error_message=_("Give the code to a site, a structure or a home: one of them."),
            )
        ]

    def __str__(self):
        return f"{self.axis} {self.code_id} {self.since}"

    @property
    def place(self):
        return self.unit or self.structure or self.site


class WrongCode(Refusal):
    """A code that cannot be given so."""


@dataclass(slots=True)
class CodeLine:
    """What one code earned and cost (*résultat analytique*), EUR: income and charges above zero; kinds: by account."""

    code: str
    label: str
    income: Money = field(default_factory=lambda: euros(0))
    charges: Money = field(default_factory=lambda: euros(0))
    kinds: dict[int, Money] = field(default_factory=dict)

    @property
    def result(self) -> Money:
        return self.income - self.charges


NOT_GIVEN = ("", _("Not assigned"))
DIFFUSE = ("DIFFUS", _("Diffuse housing"))


def add_code(axis: str, code: str, label: str, *, by) -> AnalyticCode:
    """Open a code on an axis. Raises WrongCode where it is there already."""
    if AnalyticCode.objects.filter(axis=axis, code=code).exists():
        raise WrongCode(code, _("This code is on that axis already."), _("Choose another code."))
    with transaction.atomic():
        made = AnalyticCode.objects.create(axis=axis, code=code, label=label)
        audit.record(by, "change", "ledger", f"code:{made.pk}")
    return made


def give_code(
    axis: str,
    code: AnalyticCode | None,
    *,
    site: Site | None = None,
    structure: Structure | None = None,
    unit: Unit | None = None,
    since: date,
    by,
    now: datetime,
) -> CodeGiven:
    """Give a code to a site, a structure or a home from a day on; None takes it away.

    A code given for that very day is replaced. Raises WrongCode.
    """
    place = {"site": site, "structure": structure, "unit": unit}
    if sum(one is not None for one in place.values()) != 1:
        raise WrongCode(
            str(code or ""),
            _("One place is wanted."),
            _("Choose a site, a structure or a home: one of them."),
        )
    if code is not None and code.axis != axis:
        raise WrongCode(str(code), _("This code is of another axis."), _("Choose a code of that axis."))
    with transaction.atomic():
        given, _made = CodeGiven.objects.update_or_create(
            axis=axis, since=since, **place, defaults={"code": code, "given_at": now, "given_by": by}
        )
        audit.record(by, "change", "ledger", f"given:{given.pk}", axis=axis, since=since)
    return given


def by_code(month: date, axis: str) -> list[CodeLine]:
    """Income and charges of a month by code, the association's own book: three queries.

    A posting takes the code of the home that its lease had at the end of the month; what is of no
    lease (bank charges, invoices) is not assigned.
    """
    whole = Period.month(month)
    found = dialect.rows(
        _MOVED.format(kinds=", ".join(map(str, OF_THE_YEAR))),
        {"book": ledger.association_book_id(), "start": whole.start, "end": whole.end},
    )
    codes = _codes({lease for lease, *_rest in found if lease}, whole.last_day, axis)
    lines: dict[str, CodeLine] = {}
    for lease, kind, cents in found:
        code, label = codes.get(lease, NOT_GIVEN)
        line = lines.setdefault(code, CodeLine(code, str(label)))
        amount = from_cents(int(cents))
        if ACCOUNT_KINDS[kind].number.startswith("7"):
            line.income -= amount
            line.kinds[kind] = line.kinds.get(kind, euros(0)) - amount
        else:
            line.charges += amount
            line.kinds[kind] = line.kinds.get(kind, euros(0)) + amount
    return sorted(lines.values(), key=lambda line: (not line.code, line.code))


_MOVED = """SELECT lease_id, kind, WHOLE(SUM(signed)) FROM (
    SELECT o.lease_id, a.kind, p.amount AS signed
    FROM leases_account a JOIN leases_posting p ON p.debit_id = a.id JOIN leases_account o ON o.id = p.credit_id
    WHERE a.book_id = %(book)s AND a.kind IN ({kinds}) AND p."on" >= DAY(%(start)s) AND p."on" < DAY(%(end)s)
    UNION ALL
    SELECT o.lease_id, a.kind, -p.amount
    FROM leases_account a JOIN leases_posting p ON p.credit_id = a.id JOIN leases_account o ON o.id = p.debit_id
    WHERE a.book_id = %(book)s AND a.kind IN ({kinds}) AND p."on" >= DAY(%(start)s) AND p."on" < DAY(%(end)s)
) moved GROUP BY lease_id, kind HAVING SUM(signed) <> 0"""
# By account of income and expense, then posting_debit and posting_credit.


def _codes(leases: set[int], on: date, axis: str) -> dict[int, tuple[str, str]]:
    """Lease → (code, label) on a day: given to the home, its structure, its site; else of the portfolio."""
    given: dict[tuple[str, int], AnalyticCode | None] = {}
    rows = CodeGiven.objects.filter(axis=axis, since__lte=on).select_related("code").order_by("since", "pk")
    for one in rows:
        for name in ("site", "structure", "unit"):
            key = getattr(one, f"{name}_id")
            if key:
                given[name, key] = one.code
    structures = Structure.objects.in_bulk()
    found = {}
    for lease, stay in last_occupancies(leases, on).items():
        unit = stay.place.unit
        places = (("unit", unit.pk), ("structure", unit.structure_id), ("site", unit.building.site_id))
        code = next((given[key] for key in places if given.get(key)), None)
        if code:
            found[lease] = (code.code, code.label)
        elif axis == Axis.PROGRAMME:
            found[lease] = (unit.financing, str(unit.get_financing_display()))
        elif axis == Axis.STRUCTURE:
            where = structures.get(unit.structure_id)
            found[lease] = (where.reference, where.name) if where else DIFFUSE
    return found
