"""The accounts: what is closed, the trial balance, the general ledger, closing and opening again."""

from datetime import date

from django import forms
from django.db.models import Sum
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.http import urlencode
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core import audit
from core.access import Forbidden
from core.money import euros
from core.pages import Action, ActionPage, ListColumn, ListPage, Page, Preview
from core.periods import ONE_DAY, Period
from core.tables import FORMATS, write_table
from core.tables import Column as Sheet
from core.templatetags.gla import day_text, euros_text, month_text
from core.today import today
from leases import ledger
from leases.accounts.closing import (
    EARLIER_RESULT,
    balance_before,
    closed_by_book,
    general_ledger,
    lock_period,
    preview_lock,
    trial_balance,
    trial_totals,
    unlock_period,
)
from leases.accounts.fec import FecFile
from leases.filters import LedgerFilter
from leases.ledger import ACCOUNT_KINDS, Book, PeriodLock

LOCKS_SHOWN = 20


class BookChoice(forms.ModelChoiceField):
    """A book, the association's where nothing is chosen."""

    def __init__(self, **kwargs):
        kwargs.setdefault("label", _("Book"))
        kwargs.setdefault("empty_label", _("The association"))
        super().__init__(queryset=Book.objects.none(), required=False, **kwargs)

    def offer(self):
        self.queryset = mandants_books()


def mandants_books():
    return Book.objects.exclude(owner=None).select_related("owner").order_by("owner__name")


def back_to_closing(title):
    return [{"label": _("Accounts"), "url": reverse("closing")}, {"label": title}]


class Closing(Page):
    """What is closed, what was made of it, and the way to every page of the accounts."""

    resource = "closing"
    title = _("Accounts")
    template_name = "leases/closing.html"

    def get_context_data(self, **kwargs):
        day = today()
        by_book = closed_by_book()
        return super().get_context_data(
            closed=ledger.closed_up_to(ledger.association_book_id()),
            by_book=[(book, last) for book, last in by_book if book is not None and book.owner_id],
            locks=PeriodLock.objects.select_related("book__owner", "by").order_by("-pk")[:LOCKS_SHOWN],
            files=FecFile.objects.select_related("book__owner").order_by("-last_day", "-pk")[:LOCKS_SHOWN],
            year=day.year,
            actions=self.actions(),
            may_change=self.may("change"),
            **kwargs,
        )

    def actions(self):
        found = []
        if self.may("change"):
            found.append(Action(_t("Close a period"), reverse("lock-period"), primary=True))
        if self.may("export"):
            found.append(Action(_t("Accounting file (FEC)"), reverse("fec-make"), icon="download"))
        return found


# ---- the trial balance ------------------------------------------------------------------------


class DaysForm(forms.Form):
    """Which book and which days; this year to date by default."""

    book = BookChoice()
    start = forms.DateField(label=_("From"))
    last_day = forms.DateField(label=_("To"))

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["book"].offer()

    def clean(self):
        found = super().clean()
        if found.get("start") and found.get("last_day") and found["start"] > found["last_day"]:
            self.add_error("start", _t("The first day comes after the last."))
        return found


class TrialBalance(Page):
    """Every account of a book over some days; each number leads to its rows."""

    resource = "ledger"
    title = _("Trial balance")
    template_name = "leases/trial_balance.html"

    def breadcrumb(self):
        return back_to_closing(self.title)

    def get(self, request, *args, **kwargs):
        day = today()
        begun = {"start": date(day.year, 1, 1), "last_day": day}
        form = DaysForm({**begun, **{key: value for key, value in request.GET.items() if value}})
        found = []
        days, book = None, None
        if form.is_valid():
            book = form.cleaned_data["book"]
            days = Period.from_to(form.cleaned_data["start"], form.cleaned_data["last_day"])
            found = trial_balance(days, book_id=book.pk if book else ledger.association_book_id())
        if days and request.GET.get("export") in FORMATS:
            return self.export(found, request.GET["export"], days)
        return self.render_to_response(
            self.get_context_data(
                form=form,
                days=days,
                book=book,
                rows=[self.row(line, days, book) for line in found],
                totals=trial_totals(found),
                exports=self.exports() if self.may("export") else [],
            )
        )

    def row(self, line, days, book):
        asked = {"kind": line.kind, "since": f"{days.start:%Y-%m-%d}", "until": f"{days.last_day:%Y-%m-%d}"}
        if book:
            asked["book"] = book.pk
        url = f"{reverse('general-ledger')}?{urlencode(asked)}"
        return {"line": line, "url": "" if line.kind == EARLIER_RESULT else url}

    def exports(self):
        kept = {key: value for key, value in self.request.GET.items() if value and key != "export"}
        return [(name, f"?{urlencode({**kept, 'export': name})}") for name in FORMATS]

    def export(self, lines, format, days):
        if not self.may("export"):
            raise Forbidden(self.resource, "export")
        sheet = [
            Sheet(str(_t("Account"))),
            Sheet(str(_t("Label"))),
            Sheet(str(_t("Opening balance")), "euros"),
            Sheet(str(_t("Debit")), "euros"),
            Sheet(str(_t("Credit")), "euros"),
            Sheet(str(_t("Closing balance")), "euros"),
        ]
        rows = [
            [one.number, str(one.label), one.opening, one.debit, one.credit, one.closing] for one in lines
        ]
        audit.record(self.request, "export", self.resource, "trial_balance", format=format, rows=len(rows))
        name = f"balance-{days.start:%Y%m%d}-{days.last_day:%Y%m%d}.{format}"
        return HttpResponse(
            write_table(sheet, rows, format=format),
            content_type=FORMATS[format],
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )


# ---- the general ledger -----------------------------------------------------------------------


def end_of(account) -> str:
    """An account as people name it: its number, and whose it is."""
    whose = account.lease or account.owner
    number = ACCOUNT_KINDS[account.kind].number
    return f"{number} · {whose.reference}" if whose else number


class GeneralLedger(ListPage):
    """Postings of a book, one account's or all; with what the account opens and closes at."""

    resource = "ledger"
    title = _("General ledger")
    template_name = "leases/general_ledger.html"
    filterset_class = LedgerFilter
    default_sort = "on"
    export_name = "grand-livre"
    empty_text = _("Nothing was posted yet.")
    columns = [
        ListColumn("on", _("Date"), kind="date", sort="on"),
        ListColumn("entry", _("Accounting entry"), lambda p: f"E{p.entry_id}"),
        ListColumn("source", _("Origin"), "get_source_display", sort="source"),
        ListColumn("debit", _("Account debited"), lambda p: end_of(p.debit), sub=lambda p: label_of(p.debit)),
        ListColumn(
            "credit", _("Account credited"), lambda p: end_of(p.credit), sub=lambda p: label_of(p.credit)
        ),
        ListColumn(
            "lease",
            _("Lease"),
            lambda p: lease_of(p).reference if lease_of(p) else "",
            link=lambda p: reverse("lease-account", args=[lease_of(p).pk]) if lease_of(p) else "",
        ),
        ListColumn("debited", _("Debit"), kind="euros"),
        ListColumn("credited", _("Credit"), kind="euros"),
    ]

    def breadcrumb(self):
        return back_to_closing(self.title)

    def asked(self, name):
        text = self.request.GET.get(name, "")
        return int(text) if text.isdecimal() and len(text) < 12 else None

    @cached_property
    def book_id(self):
        return self.asked("book") or ledger.association_book_id()

    @cached_property
    def kind(self):
        found = self.asked("kind")
        return found if found in ACCOUNT_KINDS else None

    def get_queryset(self):
        return general_ledger(book_id=self.book_id, kind=self.kind)

    def totals(self, rows):
        sums = rows.aggregate(debit=Sum("debited"), credit=Sum("credited"))
        return {"debited": sums["debit"] or euros(0), "credited": sums["credit"] or euros(0)}

    def get_context_data(self, **kwargs):
        context = super().get_context_data(**kwargs)
        if self.kind and self.filterset.is_valid():
            asked = self.filterset.form.cleaned_data
            kind = ACCOUNT_KINDS[self.kind]
            last = asked["until"] or today()
            context |= {
                "account": f"{kind.number} {kind.label}",
                "opens_on": asked["since"],
                "opening": self.at(asked["since"]) if asked["since"] else None,
                "closing": self.at(last + ONE_DAY),
                "closes_on": last,
            }
        return context

    def at(self, day):
        return balance_before(day, book_id=self.book_id, kind=self.kind)

    def was_read(self, postings, *, export):
        audit.record_read(
            self.request, "tenant_account", sorted({one.pk for one in map(lease_of, postings) if one})
        )


def lease_of(posting):
    return posting.debit.lease or posting.credit.lease


def label_of(account):
    return str(ACCOUNT_KINDS[account.kind].label)


# ---- closing, opening again -------------------------------------------------------------------


class LockForm(forms.Form):
    up_to = forms.DateField(
        label=_("Close up to"), help_text=_("This day included. Usually the last of a month.")
    )
    book = BookChoice(
        label=_("Books"),
        empty_label=_("All books"),
        help_text=_("An owner only where that owner's book is closed apart."),
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["book"].offer()


class LockPeriod(ActionPage):
    """Close the accounts up to a day: shows what it closes and what is better done before."""

    resource = "closing"
    form_class = LockForm
    title = _("Close a period")
    intro = _("No rent call, bank movement or operation can be dated in a closed period.")
    submit_label = _("Check")
    confirm_label = _("Close the period")
    done_text = _("The period is closed.")

    def get_initial(self):
        return {"up_to": today().replace(day=1) - ONE_DAY}

    @property
    def cancel_url(self):
        return reverse("closing")

    def get_success_url(self):
        return self.cancel_url

    def breadcrumb(self):
        return back_to_closing(self.title)

    def preview(self, form):
        seen = preview_lock(form.cleaned_data["up_to"], book=form.cleaned_data["book"])
        lines = [
            (_("Close up to"), seen.up_to),
            (_("Closed until now"), seen.closed or _("Nothing")),
            (_("Postings closed by it"), seen.postings),
            (_("Amount"), seen.total),
        ]
        return Preview(lines=lines, warning=" ".join(warnings(seen)))

    def act(self, form):
        return lock_period(
            form.cleaned_data["up_to"],
            book=form.cleaned_data["book"],
            by=self.request.user,
            now=timezone.now(),
        )


def warnings(seen):
    """What is better done before closing, in sentences."""
    if seen.suspense:
        yield _t("%(count)d lines, %(total)s, are still to identify in this period.") % {
            "count": seen.suspense,
            "total": euros_text(seen.suspense_total),
        }
    if seen.uncalled:
        yield _t("No rent was called for %(months)s.") % {
            "months": ", ".join(month_text(month) for month in seen.uncalled)
        }
    if seen.reviews:
        yield _t(
            "%(count)d months were changed since they were called: the next run corrects them, in its own month."
        ) % {"count": seen.reviews}
    for name, end in seen.late:
        yield _t("The statements of %(bank)s stop on %(day)s.") % {"bank": name, "day": day_text(end)}


class UnlockForm(LockForm):
    up_to = forms.DateField(
        label=_("Leave closed up to"),
        required=False,
        help_text=_("Every day after this one opens again. Empty: everything opens again."),
    )
    reason = forms.CharField(
        label=_("Reason"), max_length=200, help_text=_("Kept with your name and the time.")
    )


class UnlockPeriod(ActionPage):
    """Open closed days again: dated, with its reason, until the year's file is declared final."""

    resource = "closing"
    form_class = UnlockForm
    title = _("Open a period again")
    intro = _(
        "Rather correct by a posting in the open period. A year whose accounting file was declared final stays closed."
    )
    submit_label = _("Check")
    confirm_label = _("Open again")
    done_text = _("The period is open again.")
    danger = True

    @property
    def cancel_url(self):
        return reverse("closing")

    def get_success_url(self):
        return self.cancel_url

    def breadcrumb(self):
        return back_to_closing(self.title)

    def preview(self, form):
        book = form.cleaned_data["book"]
        return Preview(
            lines=[
                (_("Books"), str(book) if book else _("All books")),
                (_("Closed until now"), closed_words(book)),
                (_("Leave closed up to"), form.cleaned_data["up_to"] or _("Nothing")),
                (_("Reason"), form.cleaned_data["reason"]),
            ],
            warning=_t("What is posted in the days opened again changes figures that were already given."),
        )

    def act(self, form):
        return unlock_period(
            form.cleaned_data["up_to"],
            book=form.cleaned_data["book"],
            reason=form.cleaned_data["reason"],
            by=self.request.user,
            now=timezone.now(),
        )


def closed_words(book):
    return ledger.closed_days().get(book.pk if book else None) or _("Nothing")
