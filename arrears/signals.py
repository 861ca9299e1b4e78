"""Signals of unpaid rent (*signaux d'impayé*) and the contacts made about them.

A signal is opened, refreshed and closed by `flag_arrears`, which compares the accounts of the whole
stock with the house's POLICY; a mediator handles it, sleeps it or has it assigned. What only waits
for its housing benefit owes nothing itself (*impayé technique*): it is never flagged.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path

from django.conf import settings
from django.db import connection, models, transaction
from django.db.models import BigIntegerField, Case, Count, F, Func, IntegerField, Q, Value, When
from django.db.models.functions import Cast, Coalesce, Least, NullIf
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from moneyed import Money

from core import access, audit, dialect, jobs
from core.errors import Refusal
from core.law import rule
from core.money import EuroField, euros, to_cents
from core.periods import add_months, first_of_month, next_month
from core.templatetags.gla import day_text, euros_text
from core.today import today
from leases import checkpoint, tenant_account
from leases.benefits import Benefit
from leases.lease import Lease

QUERIES = Path(__file__).resolve().parent / "queries"


@dataclass(frozen=True, slots=True)
class Policy:
    """When the house looks at an account (*politique de relance*): days, months, EUR; no rule of law.

    grace_days: after the due day, for the payment to arrive. smallest: below, nobody is troubled.
    benefit_grace_days: after the usual day of payment of the benefit. late_*: paid so many days late,
    in so many of the last months. returned_days, ended_days: how far back a returned debit or the end
    of a benefit is still news.
    """

    grace_days: int = 5
    smallest: Money = field(default_factory=lambda: euros("5.00"))
    benefit_grace_days: int = 10
    late_days: int = 5
    late_times: int = 3
    late_months: int = 6
    returned_days: int = 60
    ended_days: int = 60


POLICY = Policy()

RETURN_REASONS = {
    "AC01": _("wrong account number"),
    "AC04": _("account closed"),
    "AC06": _("account blocked"),
    "AG01": _("direct debit not allowed on this account"),
    "AG02": _("wrong operation code"),
    "AM04": _("not enough money in the account"),
    "AM05": _("debited twice"),
    "BE05": _("creditor not recognised"),
    "CNOR": _("creditor's bank not reachable"),
    "MD01": _("no mandate"),
    "MD06": _("refund asked by the payer"),
    "MD07": _("payer deceased"),
    "MS02": _("refused by the payer"),
    "MS03": _("reason not given"),
    "RC01": _("wrong bank code"),
    "RR04": _("regulatory reason"),
    "SL01": _("payer's bank allows no direct debit"),
}
"""ISO 20022 code of a returned direct debit → why, in words."""


class Flagging(models.Model):
    """One look at the accounts of the whole stock (*passage de détection*)."""

    on = models.DateField(_("on"))
    at = models.DateTimeField(_("at"))
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        verbose_name, verbose_name_plural = _("flagging"), _("flaggings")

    def __str__(self):
        return f"{self.on}"


class DaysSince(Func):
    """Whole days from a date column to a day."""

    output_field = IntegerField()

    def __init__(self, column, on: date):
        super().__init__(column, Value(on, output_field=models.DateField()))

    def as_sqlite(self, compiler, connection, **context):
        template = "CAST(julianday(%(on)s) - julianday(%(column)s) AS INTEGER)"
        return self._swapped(template, compiler)

    def as_postgresql(self, compiler, connection, **context):
        return self._swapped("((%(on)s)::date - %(column)s)", compiler)

    def _swapped(self, template, compiler):
        column, on = (compiler.compile(each) for each in self.get_source_expressions())
        return template % {"column": column[0], "on": on[0]}, (*on[1], *column[1])


class SignalQuerySet(models.QuerySet):
    def open(self):
        return self.filter(handled_on=None)

    def awake(self, on: date):
        """Open and to be dealt with on a day: uses signal_open."""
        return self.open().filter(Q(remind_on=None) | Q(remind_on__lte=on))

    def asleep(self, on: date):
        return self.open().filter(remind_on__gt=on)

    def by_urgency(self, on: date):
        """With `days` since the oldest rent unpaid and `urgency`, the higher the sooner:

        months of net rent owed × 10 (at most 120) + days since ÷ 3 (at most 120) + the nature's
        weight: missed 30, benefit stopped 25, rejected 20, partial 15, late 5. Repeated lateness
        has no age: the months it speaks of are paid.
        """
        amount, monthly = Cast("amount", BigIntegerField()), Cast("monthly", BigIntegerField())
        months = Coalesce(amount * 10 / NullIf(monthly, Value(0)), Value(10))
        weight = Case(*(When(nature=nature, then=Value(points)) for nature, points in WEIGHTS.items()))
        age = Case(When(nature="late", then=Value(0)), default=Least(F("days") / 3, Value(120)))
        return self.annotate(days=DaysSince(F("since"), on)).annotate(
            urgency=Cast(Least(months, Value(120)) + age + weight, IntegerField())
        )


class Signal(models.Model):
    """Something seen early on a lease's account (*signal*); one open per lease and nature.

    amount: EUR, as last flagged. since, latest: due dates of the oldest and newest rent it speaks of.
    monthly: net rent a month, EUR. why: ids and numbers that explain() puts in words.
    handled_on: day it was closed, by a mediator or by itself (closed_because). remind_on: asleep
    until that day. opened_in, seen_in: the first and last flagging in which it was true.
    """

    class Nature(models.TextChoices):
        MISSED = "missed", _("Missed payment")
        PARTIAL = "partial", _("Partial payment")
        REJECTED = "rejected", _("Rejected direct debit")
        BENEFIT_STOPPED = "benefit_stopped", _("Benefit stopped")
        LATE = "late", _("Late again and again")

    class Because(models.TextChoices):
        PROMISED = "promised", _("Payment promised")
        ARRANGED = "arranged", _("Arrangement agreed")
        HELP_ASKED = "help_asked", _("Help asked for (FSL, CCAS…)")
        BENEFIT_ASKED = "benefit_asked", _("Benefit asked for again")
        HANDED_OVER = "handed_over", _("Handed over")
        MISTAKE = "mistake", _("No arrears: our mistake")
        PAID = "paid", _("Paid")
        RESUMED = "resumed", _("Benefit resumed")
        CHANGED = "changed", _("Became another signal")
        ON_TIME = "on_time", _("Paid on time again")

    lease = models.ForeignKey(Lease, models.PROTECT, related_name="+")
    nature = models.CharField(_("nature"), max_length=16, choices=Nature)
    opened_on = models.DateField(_("seen on"))
    since = models.DateField(_("since"))
    latest = models.DateField(_("until"))
    amount = EuroField(_("amount"))
    monthly = EuroField(_("net rent a month"), default=0)
    why = models.JSONField(_("why"), default=dict)
    mediator = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("mediator"),
    )
    remind_on = models.DateField(_("remind on"), null=True, blank=True)
    handled_on = models.DateField(_("handled on"), null=True, blank=True)
    handled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    closed_because = models.CharField(_("closed because"), max_length=16, choices=Because, blank=True)
    opened_in = models.ForeignKey(Flagging, models.PROTECT, related_name="+", db_index=False)
    seen_in = models.ForeignKey(Flagging, models.PROTECT, related_name="+", db_index=False)

    objects = SignalQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("signal"), _("signals")
        constraints = [
            models.UniqueConstraint(
                fields=["lease", "nature"],
                name="signal_one_open_a_nature",
                condition=Q(handled_on__isnull=True),
                violation_error_message=_("This signal is already open on the lease."),
            )
        ]
        indexes = [models.Index(fields=["handled_on", "remind_on"], name="signal_open")]

    def __str__(self):
        return f"{self.lease_id}: {self.get_nature_display()}"


WEIGHTS = {
    Signal.Nature.MISSED: 30,
    Signal.Nature.BENEFIT_STOPPED: 25,
    Signal.Nature.REJECTED: 20,
    Signal.Nature.PARTIAL: 15,
    Signal.Nature.LATE: 5,
}
"""What a nature adds to the urgency of its signal: how soon talking helps, in the mediators' view."""

BY_HAND = (
    Signal.Because.PROMISED,
    Signal.Because.ARRANGED,
    Signal.Because.HELP_ASKED,
    Signal.Because.BENEFIT_ASKED,
    Signal.Because.HANDED_OVER,
    Signal.Because.MISTAKE,
)
"""Why a mediator closes a signal; the other reasons are seen by the flagging itself."""


class Contact(models.Model):
    """A contact with a household about its account (*journal des contacts*)."""

    class Means(models.TextChoices):
        CALL = "call", _("Telephone call")
        NO_ANSWER = "no_answer", _("Call without answer")
        VISIT = "visit", _("Visit")
        LETTER = "letter", _("Letter")
        SMS = "sms", _("Text message")
        EMAIL = "email", _("E-mail")
        DESK = "desk", _("At the desk")

    lease = models.ForeignKey(Lease, models.PROTECT, related_name="+")
    on = models.DateField(_("date"))
    means = models.CharField(_("means"), max_length=10, choices=Means)
    note = models.CharField(_("note"), max_length=500, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")

    class Meta:
        verbose_name, verbose_name_plural = _("contact"), _("contacts")
        indexes = [models.Index(fields=["lease", "-on"], name="contact_lease")]

    def __str__(self):
        return f"{self.lease_id} {self.on}"


class SignalRefused(Refusal):
    """An act on a signal that its state or its dates forbid."""


# ---- flagging ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Flagged:
    """What a flagging did: signals opened by nature, closed because no longer true, and still open."""

    flagging: int
    opened: dict[str, int]
    closed: int
    still_open: dict[str, int]


def flag_arrears(*, on: date, by, now: datetime, policy: Policy = POLICY) -> Flagged:
    """Look at every account on a day: open, refresh and close the signals (*détection des impayés*).

    Missed: a due month wholly unpaid, net of benefit, after the days of grace; partial: only parts
    unpaid. Rejected: a direct debit came back and the account owes; when that is all that is owed,
    it speaks alone. Benefit stopped: a right ended
    without another, or what it should have paid is overdue by its usual day (BENEFIT_PAID_MONTH,
    BENEFIT_PAID_DAY). Late: paid late in several of the last months.
    A signal that a mediator handled stays closed until something newer or larger comes.
    Ten statements in one transaction, whatever the number of leases.
    """
    with transaction.atomic():
        run = Flagging.objects.create(on=on, at=now, by=by)
        params = _parameters(on, run, policy)
        with connection.cursor() as cursor:
            for found in _found_sql(on, policy):
                dialect.execute(cursor, _opening_sql(found), params)
            closed = dialect.execute(cursor, dialect.load(QUERIES / "close.sql"), params).rowcount
        opened = Counter(_by_nature(Signal.objects.filter(opened_in=run)))
        still_open = Counter(_by_nature(Signal.objects.open()))
        audit.record(by, "run", "signal", run.pk, opened=sum(opened.values()), closed=closed)
    return Flagged(run.pk, dict(opened), closed, dict(still_open))


@jobs.job("flag_arrears", title=_("Flagging of unpaid rent"))
def flagging(job, *, on: str) -> Iterator[jobs.Part]:
    """The flagging of a day as long work; on: YYYY-MM-DD."""
    job.expect(1)
    checkpoint.keep_checkpoint(on=max(date.fromisoformat(on), today()), now=timezone.now())
    yield jobs.Part(key=on, do=partial(_flag_for, job, date.fromisoformat(on)), label=on)
    return job.outcomes()[on]


def _flag_for(job, on: date) -> dict:
    done = flag_arrears(on=on, by=job.created_by, now=timezone.now())
    return {"opened": done.opened, "closed": done.closed, "open": done.still_open}


def last_flagging() -> Flagging | None:
    return Flagging.objects.order_by("-pk").first()


def benefit_expected_before(kind: str, on: date, policy: Policy = POLICY) -> date:
    """First day of the first month whose benefit may still be on its way, by its usual day of payment."""
    month = first_of_month(on)
    while True:
        paid_in = add_months(month, rule("BENEFIT_PAID_MONTH", on=on, benefit=kind).value)
        paid_on = paid_in.replace(day=rule("BENEFIT_PAID_DAY", on=on, benefit=kind).value)
        if paid_on + timedelta(days=policy.benefit_grace_days) <= on:
            return next_month(month)
        month = add_months(month, -1)


def _by_nature(signals) -> dict[str, int]:
    return dict(signals.order_by().values_list("nature").annotate(Count("pk")))


def _found_sql(on: date, policy: Policy) -> list[str]:
    """What is true of the stock, one text a family of natures, each giving the rows of `found`."""
    codes = ", ".join(f"'{code}'" for code in RETURN_REASONS)
    return [
        # Before what is owed, which it may explain alone.
        dialect.load(QUERIES / "rejected.sql").format(codes=codes),
        checkpoint.items_sql(on) + dialect.load(QUERIES / "owing.sql"),
        dialect.load(QUERIES / "benefit_stopped.sql").format(
            cuts=" ".join(
                f"WHEN '{kind}' THEN CASE l.billing WHEN 'arrears' THEN DAY(%({kind}_arrears)s)"
                f" ELSE DAY(%({kind}_advance)s) END"
                for kind in Benefit.Kind.values
            ),
            runs=" ".join(f"WHEN '{kind}' THEN DAY(%({kind}_advance)s)" for kind in Benefit.Kind.values),
        ),
        dialect.load(QUERIES / "late.sql").format(late_days=int(policy.late_days)),
    ]


def _opening_sql(found: str) -> str:
    # What is json in one engine is text in the other.
    as_json = "::jsonb" if connection.vendor == "postgresql" else ""
    return dialect.load(QUERIES / "open.sql").replace("{found}", found).replace("{as_json}", as_json)


def _parameters(on: date, run: Flagging, policy: Policy) -> dict:
    cuts = {}
    for kind in Benefit.Kind.values:
        before = benefit_expected_before(kind, on, policy)
        cuts |= {f"{kind}_advance": before, f"{kind}_arrears": next_month(before)}
    return {
        **tenant_account.aged_parameters(on),
        **cuts,
        "run": run.pk,
        "smallest": to_cents(policy.smallest),
        "due_until": on - timedelta(days=policy.grace_days),
        "returned_since": on - timedelta(days=policy.returned_days),
        "ended_since": on - timedelta(days=policy.ended_days),
        "late_since": add_months(first_of_month(on), -policy.late_months),
        "late_until": on - timedelta(days=policy.late_days),
        "late_times": policy.late_times,
        "late_days": policy.late_days,
        "late_months": policy.late_months,
    }


# ---- what a mediator does ---------------------------------------------------------------


def handle(signal: Signal, *, by, on: date, because: str) -> Signal:
    """Close a signal (*traité*); it opens again only if something newer or larger comes.

    because: one of BY_HAND. Raises SignalRefused.
    """
    if because not in BY_HAND:
        raise SignalRefused(_t("Signal"), _t("Nobody knows why it is closed."), _t("Choose a reason."))
    with transaction.atomic():
        kept = _still_open(signal)
        kept.handled_on, kept.handled_by, kept.closed_because = on, by, because
        kept.save(update_fields=["handled_on", "handled_by", "closed_because"])
        audit.record(by, "handle", "signal", kept.pk, lease=kept.lease_id, because=str(because))
    return kept


def remind(signal: Signal, *, on: date, by, today: date | None = None) -> Signal:
    """Put a signal to sleep until a day (*me le rappeler le*). Raises SignalRefused.

    today: when given, the day must be after it.
    """
    if today and on <= today:
        raise SignalRefused(
            _t("Reminder"),
            _t("%(day)s is not ahead of us.") % {"day": day_text(on)},
            _t("Choose a later day."),
        )
    with transaction.atomic():
        kept = _still_open(signal)
        kept.remind_on = on
        kept.save(update_fields=["remind_on"])
        audit.record(by, "remind", "signal", kept.pk, lease=kept.lease_id, on=on)
    return kept


def assign(signal: Signal, mediator, *, by) -> Signal:
    """Give a signal to a mediator, or to nobody with None. Raises SignalRefused."""
    if mediator is not None and not access.can(mediator, "signal", "change"):
        raise SignalRefused(
            _t("Mediator"), _t("This person does not deal with unpaid rent."), _t("Choose a mediator.")
        )
    with transaction.atomic():
        kept = _still_open(signal)
        kept.mediator = mediator
        kept.save(update_fields=["mediator"])
        audit.record(by, "assign", "signal", kept.pk, lease=kept.lease_id, mediator=mediator and mediator.pk)
    return kept


def log_contact(lease: Lease, *, by, on: date, means: str, note: str = "") -> Contact:
    """Note a contact with a household about its account. Raises SignalRefused for unknown means."""
    if means not in Contact.Means.values:
        raise SignalRefused(_t("Contact"), _t("Nobody knows how it was made."), _t("Choose the means."))
    with transaction.atomic():
        contact = Contact.objects.create(lease=lease, on=on, means=means, note=note.strip()[:500], by=by)
        audit.record(by, "add", "contact_log", contact.pk, lease=lease.pk)
    return contact


def mediators():
    """Those to whom a signal can be given: the users in the mediators' role."""
    from django.contrib.auth import get_user_model

    users = get_user_model().objects.filter(is_active=True, groups__name="mediator")
    return users.order_by("last_name", "first_name", "username")


def _still_open(signal: Signal) -> Signal:
    kept = Signal.objects.select_for_update().get(pk=signal.pk)
    if kept.handled_on is not None:
        raise SignalRefused(
            str(kept.get_nature_display()),
            _t("This signal was closed on %(day)s.") % {"day": day_text(kept.handled_on)},
            _t("Look at the lease: a newer one may be open."),
        )
    return kept


# ---- in words ---------------------------------------------------------------------------


def explain(signal: Signal) -> str:
    """Why a signal is open, in a sentence or two."""
    why, amount = signal.why, euros_text(signal.amount)
    match signal.nature:
        case Signal.Nature.MISSED | Signal.Nature.PARTIAL:
            return _explain_owing(why, amount, signal)
        case Signal.Nature.REJECTED:
            reason = RETURN_REASONS.get(why.get("code", ""), _("reason not known"))
            told = _t("Direct debit returned on %(day)s: %(reason)s.") % {
                "day": day_text(signal.latest),
                "reason": reason,
            }
            if why.get("times", 1) > 1:
                times = ngettext("%(n)d return since %(day)s.", "%(n)d returns since %(day)s.", why["times"])
                told += " " + times % {"n": why["times"], "day": day_text(signal.since)}
            return told
        case Signal.Nature.BENEFIT_STOPPED:
            if why.get("ended"):
                return _t("The right to %(kind)s ended on %(day)s, without another.") % {
                    "kind": why.get("kind", "").upper(),
                    "day": day_text(date.fromisoformat(why["ended"]) - timedelta(days=1)),
                }
            return _t("%(kind)s expected since %(day)s is not paid: %(amount)s.") % {
                "kind": why.get("kind", "").upper(),
                "day": day_text(signal.since),
                "amount": amount,
            }
        case _:
            return _t("Paid more than %(days)d days late %(times)d times in the last %(months)d months.") % {
                "days": why.get("days", 0),
                "times": why.get("late", 0),
                "months": why.get("months", 0),
            }


def _explain_owing(why: dict, amount: str, signal: Signal) -> str:
    told = []
    if why.get("missed"):
        told.append(
            ngettext(
                "%(n)d month wholly unpaid since %(day)s.",
                "%(n)d months wholly unpaid since %(day)s.",
                why["missed"],
            )
            % {"n": why["missed"], "day": day_text(signal.since)}
        )
    if why.get("part"):
        told.append(
            ngettext("%(n)d month partly unpaid.", "%(n)d months partly unpaid.", why["part"])
            % {"n": why["part"]}
        )
    if why.get("paid_on"):
        told.append(_t("Last payment on %(day)s.") % {"day": day_text(date.fromisoformat(why["paid_on"]))})
    else:
        told.append(_t("Never paid yet."))
    return " ".join(told)
