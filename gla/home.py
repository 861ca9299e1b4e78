"""The home page of each role: what is urgent first, every number leading to its rows."""

from datetime import timedelta

from allauth.mfa.models import Authenticator
from django.contrib.auth import get_user_model
from django.db.models import Count, Min, Q, Sum
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from arrears.signals import Signal, explain
from core import access
from core.access import SECOND_FACTOR
from core.audit import AuditLine
from core.jobs import Job
from core.money import euros
from core.pages import Action, ListColumn, Page
from core.periods import Period, add_months
from core.templatetags.gla import euros_text, month_text, number_text
from core.today import today
from followup.referents import Referent
from gla.figures import Figure, Section, Table, at, statement_figures, stock_figures, suspense_figure
from gla.overview import director
from leases.checkpoint import with_balance
from leases.households import head_name, with_head
from leases.lease import Lease
from leases.occupancy import STATUSES, VACANT, count_status
from leases.rent import MonthToReview, RentRun, month_to_call
from portfolio.labels import labelled
from portfolio.models import Holding, OutOfService, SafetyOrder, Unit

SOON = 3  # months
LISTED = 12


class Home(Page):
    """One section for each of the reader's roles."""

    resource = "home"
    title = pgettext_lazy("page", "Home")
    template_name = "home.html"

    def get_context_data(self, **kwargs):
        user, day = self.request.user, today()
        mine = access.roles(user)
        sections = []
        for role, draw in SECTIONS.items():
            if role in mine:
                section = Section(role)
                draw(section, user, day)
                sections.append(section)
        return super().get_context_data(sections=sections, day=day, **kwargs)


def rental_manager(section, user, day):
    """The month's work: call, bank, suspense; then what is empty or ends."""
    month = month_to_call(day)
    words = _t("Prepare %(month)s") % {"month": month_text(month)}
    section.actions += [
        Action(words, at("run-preview", month=f"{month:%Y-%m}"), primary=True),
        Action(_t("Import a statement"), at("import-statement"), icon="upload"),
    ]
    late = month < Period.month(day).start or (month == Period.month(day).start and day.day > 5)
    section.figures.append(
        Figure(
            _t("Next rent run"),
            month_text(month),
            at("run-preview", month=f"{month:%Y-%m}"),
            _t("late: preview and call it") if late else _t("preview and call it"),
            "bad" if late else "info",
        )
    )
    section.figures += [suspense_figure(), *statement_figures(day)]
    last = RentRun.objects.order_by("-month", "-pk").annotate(
        odd=Count("exceptions"), out=Count("exceptions", filter=Q(exceptions__blocking=True))
    )
    if run := last.first():
        hint = _t("%(out)s left out") % {"out": number_text(run.out)} if run.out else _t("nobody left out")
        label = _t("To look at in the run of %(month)s") % {"month": month_text(run.month)}
        url = f"{at('run', run.pk)}#anomalies"
        section.figures.append(Figure(label, run.odd, url, hint, "bad" if run.out else ""))
    waiting = MonthToReview.objects.filter(run=None).count()
    section.figures.append(
        Figure(
            _t("Months to correct"),
            waiting,
            f"{at('run-preview')}#learnt",
            _t("learnt late: the next run settles them") if waiting else _t("nothing learnt late"),
        )
    )
    section.figures += stock_figures(day)
    awake = Signal.objects.awake(day).aggregate(count=Count("pk"), leases=Count("lease", distinct=True))
    section.figures.append(
        Figure(
            _t("Signals of unpaid rent"),
            awake["count"],
            at("worklist"),
            _t("on %(count)s leases") % {"count": number_text(awake["leases"])},
            "warn" if awake["count"] else "good",
        )
    )
    ends = Holding.objects.ending(after=day, by=add_months(day, SOON))
    section.tables.append(
        Table(
            _t("Holdings that end within three months"),
            [
                ListColumn("end", _("Last day"), lambda h: h.end - timedelta(days=1), kind="date"),
                ListColumn("unit", _("Home"), "unit.reference", link=lambda h: at("unit", h.unit_id)),
                ListColumn("title", _("Title"), "get_title_display"),
                ListColumn("owner", _("Owner"), "owner.name", link=lambda h: at("owner", h.owner_id)),
            ],
            list(ends.select_related("unit", "owner").order_by("end")[:LISTED]),
            at("holdings", ends_after=day, ends_before=add_months(day, SOON)),
            _t("None."),
        )
    )
    leaving = Lease.objects.filter(end__gt=day, end__lte=add_months(day, SOON))
    section.tables.append(
        Table(
            _t("Leases that end within three months"),
            [
                ListColumn("end", _("Last day"), lambda le: le.end - timedelta(days=1), kind="date"),
                ListColumn("name", _("Household"), head_name, link=lambda le: at("lease", le.pk)),
                ListColumn("reference", _("Lease")),
                ListColumn("reason", _("Reason"), "get_end_reason_display"),
            ],
            list(with_head(leaving, "household", day).order_by("end")[:LISTED]),
            at("leases", sort="-last_day"),
            _t("None."),
        )
    )


def mediator(section, user, day):
    """Signals by nature, what comes back today, then the most urgent ones."""
    awake = Signal.objects.awake(day)
    total = awake.aggregate(
        count=Count("pk"), sum=Sum("amount"), since=Min("since"), mine=Count("pk", filter=Q(mediator=user))
    )
    owed = _t("%(sum)s owed") % {"sum": euros_text(total["sum"] or euros(0))}
    section.figures += [
        Figure(
            _t("Signals to deal with"),
            total["count"],
            at("worklist"),
            owed,
            "bad" if total["count"] else "good",
        ),
        Figure(_t("Of which mine"), total["mine"], at("worklist", mediator=user.pk)),
    ]
    for line in awake.values("nature").annotate(count=Count("pk"), sum=Sum("amount")).order_by("-count"):
        label = Signal.Nature(line["nature"]).label
        section.figures.append(
            Figure(label, line["count"], at("worklist", nature=line["nature"]), euros_text(line["sum"]))
        )
    back = Signal.objects.open().filter(remind_on__lte=day).count()
    asleep = Signal.objects.asleep(day).count()
    hint = _t("%(count)s asleep until later") % {"count": number_text(asleep)}
    section.figures.append(
        Figure(_t("Reminders come due"), back, at("worklist"), hint, "wait" if back else "")
    )
    urgent = with_head(awake.by_urgency(day).select_related("lease"), "lease__household", day)
    listed = list(urgent.order_by("-urgency", "pk")[:LISTED])
    section.tables.append(
        Table(
            _t("Most urgent"),
            [
                ListColumn("name", _("Household"), head_name, link=lambda s: at("lease", s.lease_id)),
                ListColumn("nature", _("Signal"), "get_nature_display"),
                ListColumn("why", _("Why"), explain),
                ListColumn("since", _("Since"), kind="date"),
                ListColumn("amount", _("Amount"), kind="euros"),
            ],
            listed,
            at("worklist"),
            _t("Nothing to deal with."),
        )
    )


def technician(section, user, day):
    """Homes that law or danger presses: labels, orders, what is out of service."""
    held = Unit.objects.held_on(day)
    poor = labelled(held, ("F", "G"), day).values("label").order_by().annotate(count=Count("pk"))
    by_letter = {line["label"]: line["count"] for line in poor}
    for letter, state in (("G", "bad"), ("F", "warn")):
        section.figures.append(
            Figure(
                _t("Homes labelled %(letter)s") % {"letter": letter},
                by_letter.get(letter, 0),
                at("units", label=letter),
                _t("rent frozen"),
                state if by_letter.get(letter) else "good",
            )
        )
    unknown = labelled(held, (), day, unknown=True).count()
    hint = _t("survey to be made before letting") if unknown else _t("all surveyed")
    section.figures.append(
        Figure(
            _t("Without a valid label"),
            unknown,
            at("units", label="none"),
            hint,
            "warn" if unknown else "good",
        )
    )
    orders = SafetyOrder.objects.filter(Q(released_on=None) | Q(released_on__gt=day), notified_on__lte=day)
    orders = list(orders.select_related("unit__building").order_by("notified_on"))
    section.figures.append(
        Figure(
            _t("Orders in force"), len(orders), "#orders", _t("no rent is due"), "bad" if orders else "good"
        )
    )
    found = count_status(Unit.objects.all(), day)
    for code in (VACANT, "works", "withdrawal", "vacancy"):
        count = found[code].units if code in found else 0
        section.figures.append(Figure(STATUSES[code][1], count, at("units", status=code)))
    section.tables.append(
        Table(
            _t("Unfitness and safety orders in force"),
            [
                ListColumn("unit", _("Home"), "unit.reference", link=lambda o: at("unit", o.unit_id)),
                ListColumn("address", _("Address"), "unit.building.__str__"),
                ListColumn("kind", _("Order"), "get_kind_display"),
                ListColumn("notified_on", _("Notified on"), kind="date"),
            ],
            orders[:LISTED],
            "",
            _t("None."),
            anchor="orders",
        )
    )
    works = OutOfService.objects.on(day).select_related("unit__building").order_by("end", "start")
    section.tables.append(
        Table(
            _t("Out of service"),
            [
                ListColumn("unit", _("Home"), "unit.reference", link=lambda o: at("unit", o.unit_id)),
                ListColumn("address", _("Address"), "unit.building.__str__"),
                ListColumn("kind", _("Why"), "get_kind_display"),
                ListColumn("start", _("Since"), kind="date"),
                ListColumn("end", _("Until"), lambda o: o.end and o.end - timedelta(days=1), kind="date"),
            ],
            list(works[:LISTED]),
            at("units", status="works"),
            _t("None."),
        )
    )


def social_worker(section, user, day):
    """The households that one follows, those in debt first."""
    mine = Referent.objects.on(day).filter(worker=user)
    section.figures.append(
        Figure(_t("Households I follow"), mine.count(), at("followed", worker=user.pk, running="yes"))
    )
    followed_debts(section, mine, day, user)


def coordinator(section, user, day):
    """Who follows how many, and the households that nobody follows."""
    everyone = Referent.objects.on(day)
    by_worker = (
        everyone.values("worker", "worker__first_name", "worker__last_name", "worker__username")
        .annotate(count=Count("pk"), since=Min("followed_since"))
        .order_by("-count")
    )
    loads = list(by_worker)
    alone = Lease.objects.in_force_on(day).exclude(household__in=everyone.values("household"))
    section.figures += [
        Figure(
            _t("Households followed"), sum(load["count"] for load in loads), at("followed", running="yes")
        ),
        Figure(
            _t("Leases without a referent"),
            alone.count(),
            at("unfollowed"),
            _t("households that nobody follows"),
        ),
    ]
    section.tables.append(
        Table(
            _t("By social worker"),
            [
                ListColumn(
                    "worker",
                    _("Social worker"),
                    lambda w: (
                        f"{w['worker__first_name']} {w['worker__last_name']}".strip() or w["worker__username"]
                    ),
                    link=lambda w: at("followed", worker=w["worker"], running="yes"),
                ),
                ListColumn("count", _("Households"), lambda w: w["count"], kind="int"),
                ListColumn("since", _("Longest since"), lambda w: w["since"], kind="date"),
            ],
            loads,
            at("followed", running="yes"),
            _t("Nobody is followed yet."),
        )
    )
    followed_debts(section, everyone, day)


def followed_debts(section, referents, day, worker=None):
    """Of the households followed: how many owe, how much, signals open, and who owes most."""
    query = {"worker": worker.pk} if worker else {}
    worklist = {"referent": worker.pk} if worker else {"followed": "yes"}
    leases = Lease.objects.filter(household__in=referents.values("household"))
    owing = with_balance(leases, day).filter(balance__gt=0)
    total = owing.aggregate(count=Count("pk"), sum=Sum("balance"))
    signals = Signal.objects.awake(day).filter(lease__in=leases.values("pk")).count()
    section.figures += [
        Figure(
            _t("Of which in debt"),
            total["count"],
            at("followed", debt="yes", **query),
            _t("%(sum)s owed") % {"sum": euros_text(total["sum"] or euros(0))},
            "warn" if total["count"] else "good",
        ),
        Figure(
            _t("Signals open on them"), signals, at("worklist", **worklist), "", "warn" if signals else ""
        ),
    ]
    most = with_head(owing.select_related("household"), "household", day).order_by("-balance", "pk")
    section.tables.append(
        Table(
            _t("Households followed that owe most"),
            [
                ListColumn(
                    "name", _("Household"), head_name, link=lambda le: at("household", le.household_id)
                ),
                ListColumn("lease", _("Lease"), "reference", link=lambda le: at("lease", le.pk)),
                ListColumn("balance", _("Balance due"), kind="euros"),
            ],
            list(most[:LISTED]),
            at("followed", debt="yes", **query),
            _t("None of them owes anything."),
        )
    )


def administrator(section, user, day):
    """The machine: work under way, who may sign in, what was audited."""
    unfinished = Job.objects.filter(finished_at=None).count()
    failed = (
        Job.objects.exclude(error=None).filter(created_at__gte=timezone.now() - timedelta(days=7)).count()
    )
    users = get_user_model().objects.filter(is_active=True)
    second = Authenticator.objects.filter(type=Authenticator.Type.TOTP).values("user")
    lacking = users.filter(groups__name__in=SECOND_FACTOR).exclude(pk__in=second).distinct().count()
    lines = AuditLine.objects.filter(at__gte=timezone.now() - timedelta(days=1)).count()
    unsealed = AuditLine.objects.filter(hash=None).count()
    section.figures += [
        Figure(_t("Work under way"), unfinished, at("jobs")),
        Figure(_t("Failed this week"), failed, at("jobs"), "", "bad" if failed else "good"),
        Figure(_t("Users"), users.count(), at("users")),
        Figure(
            _t("Without their second factor"),
            lacking,
            at("users"),
            _t("asked at their next sign-in") if lacking else _t("all in place"),
            "warn" if lacking else "good",
        ),
        Figure(_t("Audited in 24 hours"), lines, at("audit")),
        Figure(_t("Audit lines to seal"), unsealed, at("audit"), _t("sealed by seal_audit")),
    ]
    section.tables.append(
        Table(
            _t("Latest long work"),
            [
                ListColumn("title", _("Work"), link=lambda job: at("job", job.pk)),
                ListColumn("state", _("State"), lambda job: (job.state_kind, job.state_word), kind="state"),
                ListColumn("created_at", _("Started"), kind="moment"),
            ],
            list(Job.objects.order_by("-created_at")[:LISTED]),
            at("jobs"),
            _t("No long work yet."),
        )
    )


SECTIONS = {
    "rental_manager": rental_manager,
    "mediator": mediator,
    "technician": technician,
    "social_worker": social_worker,
    "coordinator": coordinator,
    "director": director,
    "administrator": administrator,
}
