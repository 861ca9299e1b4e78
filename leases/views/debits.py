"""Direct debits: batches, a new one from preview to file, what came back."""

from datetime import date

from django import forms
from django.db.models import Sum
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.views.generic import View

from core import audit
from core.errors import Refusal
from core.law import rule
from core.pages import Action, ActionPage, Guarded, ListColumn, ListPage, Page, Preview
from core.periods import add_months, first_of_month
from core.templatetags.gla import day_text, euros_text
from core.today import today
from leases import intake
from leases.bank import Movement
from leases.bank_accounts import BankAccount
from leases.collecting.batches import LEFT_OUT, commit_debits, preview_debits
from leases.collecting.debits import (
    Debit,
    DebitBatch,
    batch_state,
    batches_with_outcome,
    debit_state,
    earliest_collection,
    mark_sent,
    next_bank_day,
    withdraw_batch,
)
from leases.collecting.mandates import return_code
from leases.collecting.returns import credits_for, mark_collected, split_credit
from leases.filters import DebitFilter, ReturnedFilter
from leases.households import head_name, with_head
from leases.lease import Lease
from leases.tenant_account import with_balance
from leases.views.bank import ImportFile

SHOWN = 200


class DebitPage:
    """What the pages of direct debits share: where they stand."""

    resource = "debit"

    def breadcrumb(self):
        return [{"label": _("Direct debits"), "url": reverse("debits")}, {"label": self.title}]


class BatchList(ListPage):
    """Every batch of direct debits, the latest first, with what became of it."""

    resource = "debit"
    title = _("Direct debits")
    default_sort = "-collected_on"
    export_name = "prelevements"
    empty_text = _("No direct debit yet: give an account its ICS, record the mandates, prepare a batch.")
    columns = [
        ListColumn("collected_on", _("Collected on"), kind="date", sort="collected_on"),
        ListColumn("creditor", _("Bank account"), "creditor.name", sub="message_id"),
        ListColumn("message_id", _("File"), page=False),
        ListColumn("state", _("State"), batch_state, kind="state"),
        ListColumn("count", _("Debits"), kind="int"),
        ListColumn("total", _("Total"), kind="euros"),
        ListColumn("collected", _("Collected"), kind="int"),
        ListColumn("came_back", _("Came back"), kind="int"),
        ListColumn("back_total", _("Amount that came back"), kind="euros"),
    ]

    def get_queryset(self):
        return batches_with_outcome()

    def row_url(self, batch):
        return reverse("debit-batch", args=[batch.pk])

    def urgent(self, batch):
        return not batch.sent_on and not batch.withdrawn_at and batch.waiting == batch.count

    def actions(self):
        found = []
        if self.may("run"):
            found.append(Action(_t("Prepare a batch"), reverse("debits-new"), primary=True, icon="plus"))
        found.append(Action(_t("Debits that came back"), reverse("debits-returned")))
        if self.may("import"):
            words = _t("Read a report of the bank")
            found.append(Action(words, reverse("import-debit-report"), icon="upload"))
        if self.may("import", "mandate"):
            found.append(Action(_t("Import mandates"), reverse("import-mandates"), icon="upload"))
        return found


# ---- a new batch ------------------------------------------------------------------------


class NewForm(forms.Form):
    """Which account, which day, how far back."""

    account = forms.ModelChoiceField(
        label=_("Collected to"),
        queryset=BankAccount.objects.exclude(creditor_id="").order_by("name"),
        empty_label=None,
    )
    on = forms.DateField(label=_("Day of collection"))
    take = forms.ChoiceField(
        label=_("What is asked"),
        choices=[("all", _("All that is due")), ("month", _("Only what fell due this month"))],
    )


def asked_since(take: str, on: date) -> date | None:
    return first_of_month(on) if take == "month" else None


class NewBatch(DebitPage, Page):
    """What a batch would ask of whom, and why the others are left out."""

    action = "run"
    title = _("Prepare a batch of direct debits")
    template_name = "leases/debits_new.html"

    def get_context_data(self, **kwargs):
        account = BankAccount.objects.exclude(creditor_id="").order_by("pk").first()
        said = {"account": account and account.pk, "on": account and next_day(account), "take": "all"}
        said |= {name: value for name, value in self.request.GET.items() if name in said and value}
        form = NewForm(said) if account else None
        preview = refusal = None
        if form and form.is_valid():
            chosen = form.cleaned_data
            try:
                preview = preview_debits(
                    chosen["account"],
                    on=chosen["on"],
                    today=today(),
                    since=asked_since(chosen["take"], chosen["on"]),
                )
            except Refusal as found:
                refusal = found
        context = super().get_context_data(
            form=form,
            preview=preview,
            refusal=refusal,
            shown=[(name, str(value)) for name, value in said.items()],
            may_commit=self.may("commit"),
            lines=[],
            groups=[],
            **kwargs,
        )
        return context | (told(preview) if preview else {})


def next_day(account: BankAccount) -> date:
    """The next day offered on which a file made today can still be collected."""
    first = earliest_collection(today())
    months = (first_of_month(first), add_months(first_of_month(first), 1))
    days = (next_bank_day(month.replace(day=day)) for month in months for day in account.debit_days)
    return next(day for day in days if day >= first)


def told(preview) -> dict:
    """A preview with names: the lines, those with old debts first, and the leases left out by reason."""
    lines = sorted(preview.lines, key=lambda one: (-one.older.amount, -one.amount.amount))[:SHOWN]
    left: dict[str, list] = {code: [] for code in LEFT_OUT}
    for one in sorted(preview.left_out, key=lambda one: -one.amount.amount):
        left[one.code].append(one)
    shown = {code: some[:SHOWN] for code, some in left.items()}
    ids = {one.mandate.lease_id for one in lines}
    ids |= {one.mandate.lease_id for some in shown.values() for one in some}
    names = {
        lease.pk: head_name(lease) or lease.reference
        for lease in with_head(Lease.objects.filter(pk__in=ids), "household", today())
    }
    return {
        "lines": [(one, names[one.mandate.lease_id]) for one in lines],
        "groups": [
            (code, LEFT_OUT[code], len(left[code]), [(one, names[one.mandate.lease_id]) for one in some])
            for code, some in shown.items()
            if some
        ],
    }


class CommitBatch(Guarded, View):
    """Make the batch that was shown."""

    resource, action = "debit", "commit"
    http_method_names = ["post"]

    def post(self, request):
        form = NewForm(request.POST)
        if not form.is_valid():
            return redirect("debits-new")
        chosen = form.cleaned_data
        since = asked_since(chosen["take"], chosen["on"])
        try:
            shown = preview_debits(chosen["account"], on=chosen["on"], today=today(), since=since)
            if shown.digest != request.POST.get("digest"):
                raise Refusal
            batch = commit_debits(shown, by=request.user, now=timezone.now(), today=today())
        except Refusal:
            # The page works it out anew and says why.
            return redirect(
                f"{reverse('debits-new')}?account={chosen['account'].pk}&on={chosen['on']}"
                f"&take={chosen['take']}&changed=1"
            )
        return redirect("debit-batch", batch.pk)


# ---- a batch ----------------------------------------------------------------------------

DEBIT_COLUMNS = [
    ListColumn(
        "lease",
        _("Lease"),
        "lease.reference",
        sort="lease__reference",
        link=lambda d: reverse("lease", args=[d.lease_id]),
    ),
    ListColumn("household", _("Household"), head_name, sort="head_last"),
    ListColumn("amount", _("Amount"), kind="euros", sort="amount"),
    ListColumn("state", _("State"), debit_state, kind="state"),
    ListColumn("action", _("What to do"), lambda d: action_of(d)),
    ListColumn("end_to_end", _("Reference"), page=False),
    ListColumn("code", _("Bank's code"), lambda d: d.returned.code if back(d) else "", page=False),
    ListColumn("told", _("Told by"), lambda d: told_words(d)),
]


def back(debit):
    return getattr(debit, "returned", None)


def action_of(debit) -> str:
    return str(return_code(debit.returned.code).action) if back(debit) else ""


def told_words(debit) -> str:
    """Which files told what became of a debit: the report, and the statement."""
    said = []
    if getattr(debit, "credit", None):
        by = _t("the statement") if debit.credit.movement_id else _t("us, by hand")
        said.append(f"{by}, {day_text(debit.credit.on)}")
    if back(debit):
        one = debit.returned
        words = f"{one.told_by} {day_text(one.on)}"
        if one.told_by != "camt.053":
            words += ", " + (_t("and the statement") if one.movement_id else _t("not on a statement yet"))
        said.append(_t("came back: %(by)s") % {"by": words})
    return " · ".join(said)


def debits_shown(debits):
    shown = debits.select_related("lease", "batch", "returned", "credit").defer("batch__content")
    return with_head(shown, "lease__household", today())


class BatchPage(ListPage):
    """A batch: each debit, and what became of it."""

    resource = "debit"
    template_name = "leases/debit_batch.html"
    filterset_class = DebitFilter
    default_sort = "lease"
    export_name = "prelevements"
    columns = DEBIT_COLUMNS

    @cached_property
    def batch(self):
        found = batches_with_outcome().select_related("made_by", "sent_by", "withdrawn_by")
        return get_object_or_404(found, pk=self.kwargs["pk"])

    @property
    def title(self):
        return _t("Direct debits of %(day)s") % {"day": day_text(self.batch.collected_on)}

    def get_queryset(self):
        return debits_shown(Debit.objects.filter(batch=self.batch))

    def urgent(self, debit):
        return back(debit) is not None

    def totals(self, rows):
        return rows.aggregate(amount=Sum("amount"))

    def actions(self):
        batch, pk = self.batch, self.kwargs["pk"]
        if batch.withdrawn_at or not self.may("run"):
            return []
        answered = batch.waiting < batch.count
        sent = Action(_t("Sent to the bank"), reverse("debit-batch-sent", args=[pk]))
        found = [
            Action(
                _t("Download the file"),
                reverse("debit-batch-file", args=[pk]),
                primary=not batch.sent_on,
                icon="download",
            )
        ]
        if not batch.sent_on:
            found.append(sent)
            if not answered:
                found.append(Action(_t("Withdraw"), reverse("debit-batch-withdraw", args=[pk])))
        elif batch.waiting and batch.collected_on <= today():
            words = _t("Its money came, settled by hand")
            found.append(Action(words, reverse("debit-batch-collected", args=[pk])))
        return found

    def get_context_data(self, **kwargs):
        batch = self.batch
        return super().get_context_data(
            batch=batch,
            state=batch_state(batch),
            credits=credits_for(batch) if self.may("run") and batch.waiting else [],
            refund=add_weeks(batch.collected_on, rule("SEPA_REFUND_AUTHORISED", on=batch.collected_on).value),
            **kwargs,
        )

    def was_read(self, debits, *, export):
        audit.record_read(self.request.user, "debit", self.batch.pk)

    def breadcrumb(self):
        return [{"label": _("Direct debits"), "url": reverse("debits")}, {"label": self.title}]


def add_weeks(day: date, weeks: int) -> date:
    return date.fromordinal(day.toordinal() + 7 * weeks)


class BatchFile(Guarded, View):
    """The file of a batch, the same bytes each time."""

    resource, action = "debit", "run"
    http_method_names = ["get", "head", "options"]

    def get(self, request, pk):
        batch = get_object_or_404(DebitBatch, pk=pk)
        audit.record(request.user, "export", "debit", batch.pk, sha256=batch.sha256)
        return HttpResponse(
            bytes(batch.content),
            content_type="application/xml",
            headers={"Content-Disposition": f'attachment; filename="{batch.file_name}"'},
        )


class BatchAction(DebitPage, ActionPage):
    """An act on a batch; back to its page afterwards."""

    action = "run"

    @cached_property
    def batch(self):
        found = DebitBatch.objects.defer("content").select_related("creditor")
        return get_object_or_404(found, pk=self.kwargs["pk"])

    @property
    def intro(self):
        batch = self.batch
        return (
            f"{batch.creditor} · {day_text(batch.collected_on)} · {batch.count} · {euros_text(batch.total)}"
        )

    @property
    def cancel_url(self):
        return reverse("debit-batch", args=[self.batch.pk])

    def get_success_url(self):
        return self.cancel_url


class SentForm(forms.Form):
    on = forms.DateField(label=_("Sent to the bank on"))


class MarkSent(BatchAction):
    title = _("Batch sent to the bank")
    form_class = SentForm
    submit_label = _("Record")
    done_text = _("The batch is with the bank; the statement will bring its money.")

    def get_initial(self):
        return {"on": today()}

    def act(self, form):
        return mark_sent(self.batch, on=form.cleaned_data["on"], by=self.request.user)


class Withdraw(BatchAction):
    title = _("Withdraw the batch")
    form_class = forms.Form
    submit_label = _("Check")
    confirm_label = _("Withdraw the batch")
    danger = True
    done_text = _("The batch is withdrawn: its debts are asked again by the next one.")

    def preview(self, form):
        return Preview(
            lines=[(_("Debits"), self.batch.count), (_("Total"), self.batch.total)],
            warning=_t("Be sure that its file did not go to the bank."),
        )

    def act(self, form):
        return withdraw_batch(self.batch, by=self.request.user, now=timezone.now())


class CollectedForm(forms.Form):
    on = forms.DateField(label=_("Credited on"))


class MarkCollected(BatchAction):
    title = _("Its money came, settled by hand")
    form_class = CollectedForm
    submit_label = _("Check")
    confirm_label = _("Record")
    done_text = _("Its debits are collected.")

    def get_initial(self):
        return {"on": self.batch.collected_on}

    def preview(self, form):
        waiting = Debit.objects.waiting().filter(batch=self.batch)
        return Preview(
            lines=[
                (_("Debits"), waiting.count()),
                (_("Total"), waiting.aggregate(total=Sum("amount"))["total"]),
                (_("Credited on"), form.cleaned_data["on"]),
            ],
            warning=_t("Only where their credit was settled by hand: nothing is posted by this."),
        )

    def act(self, form):
        return mark_collected(self.batch, on=form.cleaned_data["on"], by=self.request.user)


class SplitCredit(BatchAction):
    """Somebody says that a credit in suspense is that of the batch."""

    title = _("Split the credit of the batch")
    form_class = forms.Form
    submit_label = _("Check")
    confirm_label = _("Split it")
    done_text = _("The credit is split among the leases of the batch.")

    @cached_property
    def movement(self):
        return get_object_or_404(Movement.objects.select_related("bank"), pk=self.kwargs["movement"])

    def preview(self, form):
        one = self.movement
        return Preview(lines=[(_("Movement"), one.label), (_("Date"), one.booked), (_("Amount"), one.amount)])

    def act(self, form):
        return split_credit(self.batch, self.movement, by=self.request.user, now=timezone.now())


# ---- what came back ---------------------------------------------------------------------


class ReturnedList(DebitPage, ListPage):
    """Debits that came back and were not presented again: whom to reach, and what to do."""

    title = _("Debits that came back")
    filterset_class = ReturnedFilter
    default_sort = "-on"
    export_name = "prelevements-revenus"
    empty_text = _("No debit came back.")
    columns = [
        DEBIT_COLUMNS[0],
        DEBIT_COLUMNS[1],
        ListColumn("on", _("Came back on"), "returned.on", kind="date", sort="returned__on"),
        ListColumn("amount", _("Amount"), kind="euros", sort="amount"),
        ListColumn(
            "reason",
            _("Reason"),
            lambda d: str(return_code(d.returned.code).meaning),
            sub=lambda d: d.returned.code,
        ),
        ListColumn("action", _("What to do"), lambda d: action_of(d)),
        ListColumn("owed", _("Balance due"), kind="euros", needs="tenant_account.balance"),
        ListColumn("attempt", _("Presented before"), kind="int"),
        ListColumn(
            "batch",
            _("Batch"),
            "batch.collected_on",
            kind="date",
            link=lambda d: reverse("debit-batch", args=[d.batch_id]),
        ),
    ]

    def get_queryset(self):
        return debits_shown(Debit.objects.came_back())

    def complete(self, debits):
        leases = Lease.objects.filter(pk__in=[debit.lease_id for debit in debits])
        owed = dict(with_balance(leases, today()).values_list("pk", "balance"))
        for debit in debits:
            debit.owed = owed[debit.lease_id]

    def urgent(self, debit):
        return return_code(debit.returned.code).blocks

    def totals(self, rows):
        return rows.aggregate(amount=Sum("amount"))

    def was_read(self, debits, *, export):
        audit.record_read(self.request.user, "lease", sorted({debit.lease_id for debit in debits}))


class ReportForm(forms.Form):
    file = forms.FileField(
        label=_("File"),
        help_text=_("pain.002 or camt.054 (XML), as the bank gives it. Nothing is posted from it."),
    )


class ImportDebitReport(ImportFile):
    """What the bank answered about a batch."""

    resource = "debit"
    title = _("Read a report of the bank")
    intro = _("Each debit rejected or returned is told why; the money itself moves with the statement.")
    form_class = ReportForm
    template_name = "leases/debit_report.html"
    job_kind = intake.debit_report_file.kind

    def breadcrumb(self):
        return [{"label": _("Direct debits"), "url": reverse("debits")}, {"label": self.title}]

    @property
    def cancel_url(self):
        return reverse("debits")

    def brought(self, result):
        debits = list(
            debits_shown(Debit.objects.filter(pk__in=result["debits"])).order_by("lease__reference")
        )
        for debit in debits:
            debit.name, debit.why = head_name(debit), return_code(debit.returned.code)
        return {"read": result, "debits": debits}
