"""Bank statements: the list, one with its movements, a movement, and the files that come in."""

from datetime import date

from django import forms
from django.db.models import Count, Max, Sum
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from core import audit
from core.job_pages import FilePage
from core.money import euros, from_cents
from core.pages import Action, ActionPage, ListColumn, ListPage, Page, Preview
from core.templatetags.gla import day_text, euros_text, iban_text
from core.today import today
from leases import intake
from leases.bank import Allocation, Movement, Statement
from leases.filters import MovementFilter, StatementFilter
from leases.ledger import ACCOUNT_KINDS
from leases.matching import HOW
from leases.remittances import odd_line
from leases.suspense import unsettle

KINDS = {
    "credit_transfer": _("Transfer"),
    "direct_debit": _("Direct debit"),
    "return": _("Return"),
    "cheque": _("Cheque"),
    "card": _("Card"),
    "cash": _("Cash"),
    "fee": _("Charges"),
    "other": _("Other"),
}


class StatementList(ListPage):
    """Every statement imported, the latest first."""

    resource = "statement"
    title = _("Bank statements")
    queryset = Statement.objects.select_related("bank")
    filterset_class = StatementFilter
    default_sort = "-end"
    export_name = "releves"
    empty_text = _("No statement yet: import one.")
    columns = [
        ListColumn(
            "bank",
            _("Bank account"),
            "bank.name",
            sort="bank__name",
            sub=lambda one: iban_text(one.bank.iban),
        ),
        ListColumn("start", _("From"), kind="date", sort="start"),
        ListColumn("end", _("To"), kind="date", sort="end"),
        ListColumn("state", _("State"), kind="state"),
        ListColumn("sealed_movements", _("Movements"), kind="int", sort="sealed_movements"),
        ListColumn("opening", _("Opening balance"), kind="euros"),
        ListColumn("sealed_total", _("Total of its movements"), kind="euros"),
        ListColumn("closing", _("Closing balance"), kind="euros"),
        ListColumn("file_name", _("File")),
    ]

    def row_url(self, statement):
        return reverse("statement", args=[statement.pk])

    def complete(self, statements):
        waiting = Allocation.objects.in_suspense().filter(
            movement__statement__in=[one.pk for one in statements]
        )
        counts = dict(
            waiting.order_by()
            .values("movement__statement")
            .annotate(count=Count("pk"))
            .values_list("movement__statement", "count")
        )
        for one in statements:
            one.waiting = counts.get(one.pk, 0)
            one.state = statement_state(one.waiting)

    def urgent(self, statement):
        return statement.waiting > 0

    def actions(self):
        if not self.may("import"):
            return []
        return [
            Action(_t("Import a statement"), reverse("import-statement"), primary=True, icon="upload"),
            Action(_t("Import a payment list"), reverse("import-payment-list"), icon="upload"),
            Action(_t("Bank accounts"), reverse("bank-accounts")),
        ]

    def was_read(self, statements, *, export):
        audit.record_read(self.request.user, "statement", [one.pk for one in statements])


def statement_state(waiting: int):
    """Whether a statement is settled: how grave, and in words."""
    if not waiting:
        return "good", _t("All identified")
    return "warn", ngettext("%(count)d to identify", "%(count)d to identify", waiting) % {"count": waiting}


class StatementPage(ListPage):
    """A statement: each movement, what it was put to, and why."""

    resource = "statement"
    template_name = "leases/statement.html"
    filterset_class = MovementFilter
    default_sort = "line"
    export_name = "mouvements"
    columns = [
        ListColumn(
            "booked", _("Date"), kind="date", sort="booked", link=lambda m: reverse("movement", args=[m.pk])
        ),
        ListColumn("line", _("Line"), kind="int", sort="line"),
        ListColumn("label", _("Label"), sub="remittance"),
        ListColumn(
            "counterparty", _("Payer"), sort="counterparty", sub=lambda m: iban_text(m.counterparty_iban)
        ),
        ListColumn("kind", _("Kind"), lambda m: KINDS.get(m.kind, m.kind)),
        ListColumn("amount", _("Amount"), kind="euros", sort="amount"),
        ListColumn("state", _("Put to"), kind="state"),
        ListColumn(
            "lease", _("Lease"), "put_to", link=lambda m: m.lease_id and reverse("lease", args=[m.lease_id])
        ),
        ListColumn("why", _("Why"), "why"),
    ]

    @cached_property
    def statement(self):
        found = Statement.objects.select_related("bank", "imported_by")
        return get_object_or_404(found, pk=self.kwargs["pk"])

    def get_queryset(self):
        return Movement.objects.filter(statement=self.statement)

    def breadcrumb(self):
        return [{"label": _("Bank statements"), "url": reverse("statements")}, {"label": self.title}]

    def get_context_data(self, **kwargs):
        one = self.statement
        self.title = _t("%(bank)s, %(start)s to %(end)s") % {
            "bank": one.bank.name,
            "start": day_text(one.start),
            "end": day_text(one.end),
        }
        counts = (
            Allocation.objects.standing().filter(movement__statement=one).values_list("how").order_by("how")
        )
        return super().get_context_data(
            statement=one,
            by_rule=[
                (HOW[how].label, count, f"?how={how}")
                for how, count in counts.annotate(count=Count("movement", distinct=True))
            ],
            waiting=Allocation.objects.in_suspense().filter(movement__statement=one).count(),
            **kwargs,
        )

    def complete(self, movements):
        tell_puts(movements)

    def urgent(self, movement):
        return movement.left != euros(0)

    def totals(self, movements):
        return {"amount": movements.aggregate(total=Sum("amount"))["total"]}

    def was_read(self, movements, *, export):
        audit.record_read(self.request.user, "statement", self.statement.pk)


def tell_puts(movements) -> None:
    """Say of each movement what it was put to: put_to, lease_id, why, left, state; one query."""
    found = Allocation.objects.standing().filter(movement__in=[m.pk for m in movements]).order_by()
    groups: dict[int, list] = {}
    for row in found.values("movement", "how", "account__kind").annotate(
        total=Sum("amount"),
        leases=Count("lease", distinct=True),
        one=Max("lease"),
        reference=Max("lease__reference"),
    ):
        groups.setdefault(row["movement"], []).append(row)
    for movement in movements:
        rows = groups.get(movement.pk, [])
        movement.left = movement.amount - sum((row["total"] for row in rows), euros(0))
        leases = sum(row["leases"] for row in rows)
        movement.lease_id = rows[0]["one"] if leases == 1 else None
        movement.put_to = ""
        if leases == 1:
            movement.put_to = next(row["reference"] for row in rows if row["leases"])
        elif leases:
            movement.put_to = ngettext("%(count)d lease", "%(count)d leases", leases) % {"count": leases}
        movement.why = ", ".join(dict.fromkeys(str(HOW[row["how"]].label) for row in rows))
        movement.state = put_state(movement, rows)


def put_state(movement, rows):
    """What became of a movement: how grave, and in words."""
    if movement.left:
        if movement.left == movement.amount:
            return "warn", _t("To identify")
        return "warn", _t("%(left)s to identify") % {"left": euros_text(movement.left)}
    kinds = {row["account__kind"] for row in rows}
    return "good", ", ".join(str(ACCOUNT_KINDS[kind].label) for kind in sorted(kinds))


class MovementPage(Page):
    """A movement, word for word, and all that it was put to."""

    resource = "statement"
    template_name = "leases/statement_movement.html"

    def get_context_data(self, **kwargs):
        movement = get_object_or_404(
            Movement.objects.select_related("statement", "bank"), pk=self.kwargs["pk"]
        )
        self.title = _t("Movement of %(day)s") % {"day": day_text(movement.booked)}
        self.movement = movement
        puts = list(movement.allocations.select_related("account", "lease", "by", "settles").order_by("pk"))
        waiting = {one.pk: one.left for one in movement.allocations.in_suspense()}
        standing = set(movement.allocations.standing().values_list("pk", flat=True))
        for put in puts:
            put.said = HOW[put.how]
            put.left = waiting.get(put.pk)
            put.odd = odd_line(put.note)
            put.label = ACCOUNT_KINDS[put.account.kind].label
            put.taken_back = put.how != "suspense" and put.pk not in standing
            put.can_be_taken_back = put.pk in standing and self.may("settle", "suspense")
        audit.record_read(self.request.user, "statement", movement.statement_id)
        leases = sorted({put.lease_id for put in puts if put.lease_id})
        audit.record_read(self.request.user, "lease", leases)
        return super().get_context_data(
            movement=movement,
            kind=KINDS.get(movement.kind, movement.kind),
            puts=puts,
            may_settle=self.may("settle", "suspense"),
            **kwargs,
        )

    def breadcrumb(self):
        statement = self.movement.statement
        return [
            {"label": _("Bank statements"), "url": reverse("statements")},
            {"label": str(statement.bank), "url": reverse("statement", args=[statement.pk])},
            {"label": self.title},
        ]


class TakeBack(ActionPage):
    """What was put to an account goes back to suspense."""

    resource = "suspense"
    action = "settle"
    title = _("Take back")
    intro = _("The money goes back to suspense, and the account loses it from today.")
    form_class = forms.Form
    submit_label = _("Check")
    confirm_label = _("Take back")
    done_text = _("Taken back: the money waits in suspense.")
    danger = True

    @cached_property
    def allocation(self):
        found = Allocation.objects.select_related("movement", "lease", "account")
        return get_object_or_404(found, pk=self.kwargs["pk"])

    @property
    def cancel_url(self):
        return reverse("movement", args=[self.allocation.movement_id])

    def get_success_url(self):
        return self.cancel_url

    def breadcrumb(self):
        return [
            {"label": _("Bank statements"), "url": reverse("statements")},
            {"label": _("Movement"), "url": self.cancel_url},
            {"label": self.title},
        ]

    def preview(self, form):
        one = self.allocation
        return Preview(
            lines=[
                (_("Amount"), one.amount),
                (_("Account"), ACCOUNT_KINDS[one.account.kind].label),
                (_("Lease"), one.lease.reference if one.lease else "–"),
                (_("Put by"), HOW[one.how].label),
            ]
        )

    def act(self, form):
        return unsettle(
            self.allocation, by=self.request.user, on=max(today(), self.allocation.on), now=timezone.now()
        )


# ---- files ------------------------------------------------------------------------------


class StatementFileForm(forms.Form):
    file = forms.FileField(
        label=_("File"),
        help_text=_("camt.053 (XML) or CFONB 120, as the bank gives it. The same days again change nothing."),
    )


class ListFileForm(forms.Form):
    file = forms.FileField(
        label=_("File"),
        help_text=_("The list of one transfer, CSV with semicolons. Import its statement first."),
    )


class ImportFile(FilePage):
    """A file of the bank or of a payer, and what it brought."""

    resource = "statement"
    template_name = "leases/statement_import.html"
    submit_label = _("Import")

    def breadcrumb(self):
        return [{"label": _("Bank statements"), "url": reverse("statements")}, {"label": self.title}]

    @property
    def cancel_url(self):
        return reverse("statements")

    def get_context_data(self, **kwargs):
        context = super().get_context_data(**kwargs)
        return context | (self.brought(context["result"]) if context["result"] else {})

    def brought(self, result: dict) -> dict:
        raise NotImplementedError


class ImportStatement(ImportFile):
    title = _("Import a statement")
    intro = _("Each movement is put to the lease it pays; what no rule knows goes to suspense.")
    form_class = StatementFileForm
    job_kind = intake.statement_file.kind

    def brought(self, result):
        parts = []
        for part in result["parts"]:
            url = reverse("statement", args=[part["statement"]]) if part["statement"] else ""
            rules = [(HOW[how].label, count, how) for how, count in sorted(part["by_rule"].items())]
            days = {name: date.fromisoformat(part[name]) for name in ("start", "end")}
            parts.append((part | days, url, rules))
        return {"imported": result, "parts": parts}


class ImportPaymentList(ImportFile):
    resource = "suspense"
    action = "settle"
    title = _("Import a payment list")
    intro = _(
        "A grouped transfer of the CAF, the MSA or the FSL, or a batch of debits or cheques, is split by its list."
    )
    form_class = ListFileForm
    job_kind = intake.list_file.kind

    def brought(self, result):
        amounts = {name: from_cents(result[name]) for name in ("total", "odd_total")}
        return {"split": result | amounts}
