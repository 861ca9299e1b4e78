"""The director's page: the association in figures, by owner kind."""

from collections import Counter
from operator import itemgetter
from pathlib import Path

from django.db.models import Count, Sum
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from arrears.aged import AGES, AgedStock
from arrears.filters import AGE_WORDS
from core import dialect
from core.money import euros, from_cents
from core.pages import ListColumn
from core.periods import Period
from core.templatetags.gla import month_text, number_text
from gla.figures import Figure, Table, at, percent, stock_figures, suspense_figure
from leases.bank import Allocation
from leases.ledger import BENEFIT, TENANT
from leases.occupancy import NOT_HELD, OCCUPIED, VACANT, WITHOUT_TITLE, with_status
from leases.terms import BENEFIT as BENEFIT_ITEM
from portfolio.models import Owner, Unit

QUERIES = Path(__file__).resolve().parent / "queries"


def director(section, user, day):
    """The association in a page: occupied, called, received, owed, by owner kind."""
    month = Period.month(day)
    homes = homes_by_kind(day)
    places = places_by_kind(homes)
    all_places, taken = (
        sum(one["places"] for one in places.values()),
        sum(one["taken"] for one in places.values()),
    )
    called = called_by_kind(month)
    received = received_in(month)
    owed = {one.owner_kind: one for one in AgedStock(day).totals()}
    due = sum((one.due for one in owed.values()), euros(0))
    wait = sum((one.benefit_wait for one in owed.values()), euros(0))
    rate = percent(taken, all_places)
    runs = at("runs")
    section.figures += [
        Figure(
            _t("Occupancy"),
            "–" if rate is None else f"{number_text(rate)} %",
            at("units", status=VACANT),
            _t("%(taken)s of %(places)s places in service")
            % {"taken": number_text(taken), "places": number_text(all_places)},
        ),
        Figure(
            _t("Called for %(month)s") % {"month": month_text(day)},
            sum((one["total"] for one in called.values()), euros(0)),
            runs,
            _t("rent and charges, before benefit"),
        ),
        Figure(_t("Received this month"), received, at("statements"), _t("identified, all payers")),
        Figure(
            _t("Owed and due"),
            due,
            at("aged-balance"),
            _t("%(count)s leases") % {"count": number_text(sum(one.owing for one in owed.values()))},
            "warn" if due > euros(0) else "good",
        ),
        Figure(
            _t("Waiting for benefits"),
            wait,
            at("aged-leases", bucket="benefit_wait"),
            _t("technical arrears"),
            "wait",
        ),
        suspense_figure(),
        *stock_figures(day, in_each_status(homes)),
    ]
    section.tables += [kinds_table(places, called, owed), ages_table(owed)]


def homes_by_kind(day):
    """How many homes, places and places taken there are of each owner kind and status on a day: one query."""
    units = with_status(Unit.objects.with_holding(day), day).order_by()
    rows = units.values("owner_kind", "status").annotate(
        units=Count("pk"), places=Sum("places_count"), there=Sum("taken")
    )
    return list(rows)


def in_each_status(homes):
    """How many homes are in each status."""
    counted: Counter = Counter()
    for row in homes:
        counted[row["status"]] += row["units"]
    return counted


def places_by_kind(homes):
    """Places in service and taken of each owner kind, with how many units."""
    found: dict[str, dict] = {}
    for row in homes:
        if row["status"] == NOT_HELD:
            continue
        one = found.setdefault(row["owner_kind"], {"units": 0, "places": 0, "taken": 0, "vacant": 0})
        one["units"] += row["units"]
        if row["status"] in (VACANT, WITHOUT_TITLE, OCCUPIED):
            one["places"] += row["places"]
            one["taken"] += row["there"]
        if row["status"] == VACANT:
            one["vacant"] += row["units"]
    return found


def called_by_kind(month):
    """Rent and charges called by the runs of a month, before benefit, by who owns the home: one query."""
    rows = dialect.rows(
        dialect.load(QUERIES / "called.sql"),
        {"start": month.start, "end": month.end, "benefit": BENEFIT_ITEM},
    )
    return {kind or Owner.Kind.OWN: {"total": from_cents(cents)} for kind, cents in rows}


def received_in(month):
    """What was received and put to tenants' and benefits' accounts in a month, returns deducted."""
    there = Allocation.objects.filter(
        account__kind__in=(TENANT, BENEFIT), on__gte=month.start, on__lt=month.end
    )
    return there.aggregate(sum=Sum("amount"))["sum"] or euros(0)


def kinds_table(places, called, owed):
    """One line an owner kind: held, vacant, called, owed by age."""
    nothing = {"units": 0, "places": 0, "taken": 0, "vacant": 0}
    lines = []
    for kind, label in Owner.Kind.choices:
        here = places.get(kind, nothing)
        if here["units"] or kind in owed:
            rate = percent(here["taken"], here["places"])
            lines.append({"kind": kind, "label": label, **here, "rate": rate})

    def units_column(name, words, **query):
        return ListColumn(
            name,
            words,
            itemgetter(name),
            kind="int",
            link=lambda line: at("units", owner_kind=line["kind"], **query),
        )

    return Table(
        _t("By owner kind"),
        [
            ListColumn("label", _("Owner kind"), itemgetter("label")),
            units_column("units", _("Homes held")),
            units_column("vacant", _("Vacant"), status=VACANT),
            ListColumn("rate", _("Occupancy, %"), itemgetter("rate"), kind="decimal"),
            ListColumn(
                "called",
                _("Called"),
                lambda line: called[line["kind"]]["total"] if line["kind"] in called else None,
                kind="euros",
            ),
            owed_column(owed, "due", _("Owed and due")),
            owed_column(owed, "benefit_wait", _("Waiting for benefits")),
        ],
        lines,
        "",
        _t("Nothing is held yet."),
        wide=True,
    )


def owed_column(owed, name, words):
    """What an owner kind owes in one bucket, leading to its leases."""
    return ListColumn(
        name,
        words,
        lambda line: getattr(owed[line["kind"]], name) if line["kind"] in owed else None,
        kind="euros",
        link=lambda line: at("aged-leases", owner_kind=line["kind"], bucket=name),
    )


def ages_table(owed):
    """What is owed by age and owner kind."""
    lines = [{"kind": kind, "label": label} for kind, label in Owner.Kind.choices if kind in owed]
    return Table(
        _t("Owed by age"),
        [
            ListColumn("label", _("Owner kind"), itemgetter("label")),
            *(owed_column(owed, age, AGE_WORDS[age]) for age in AGES),
        ],
        lines,
        at("aged-balance"),
        _t("Nobody owes anything."),
        wide=True,
    )
