"""Money to identify: the list, and the page that settles a line in two clicks."""

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Sum
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core import audit
from core.money import EuroFormField, euros
from core.pages import Action, ActionPage, ListColumn, ListPage
from core.periods import NotAMonth, Period
from core.templatetags.gla import euros_text, iban_text
from core.today import today
from leases.bank import Allocation
from leases.filters import SuspenseFilter
from leases.households import head_name, with_head
from leases.lease import Lease
from leases.occupancy import last_occupancies, spoken_of
from leases.remittances import odd_line
from leases.suspense import Put, benefit_account, charges_account, settle, suggestions
from leases.views.bank import KINDS

ROWS = 4
FOUND = 12


class SuspenseList(ListPage):
    """What the bank brought and nobody identified yet, the oldest first."""

    resource = "suspense"
    title = _("Suspense")
    subtitle = _("Money received, or taken, that no rule could place.")
    filterset_class = SuspenseFilter
    default_sort = "booked"
    export_name = "a-identifier"
    empty_text = _("Nothing to identify: every movement is placed.")
    columns = [
        ListColumn("booked", _("Date"), "movement.booked", kind="date", sort="movement__booked"),
        ListColumn(
            "payer",
            _("Payer"),
            "movement.counterparty",
            sort="movement__counterparty",
            sub=lambda line: iban_text(line.movement.counterparty_iban),
        ),
        ListColumn("label", _("Label"), "movement.label", sub="movement.remittance"),
        ListColumn("kind", _("Kind"), lambda line: KINDS.get(line.movement.kind, line.movement.kind)),
        ListColumn("why", _("Why"), lambda line: why(line)),
        ListColumn("amount", _("Amount"), kind="euros", sort="amount"),
        ListColumn("left", _("Left"), kind="euros", sort="left"),
        ListColumn("bank", _("Bank account"), "movement.bank.name"),
    ]

    def get_queryset(self):
        return Allocation.objects.in_suspense().select_related("movement__bank")

    def row_url(self, line):
        if self.may("settle"):
            return reverse("suspense-line", args=[line.pk])
        return reverse("movement", args=[line.movement_id])

    def actions(self):
        if not self.may("settle"):
            return []
        return [Action(_t("Import a payment list"), reverse("import-payment-list"), icon="upload")]

    def totals(self, lines):
        return {"left": lines.aggregate(total=Sum("left"))["total"]}

    def was_read(self, lines, *, export):
        audit.record_read(self.request.user, "suspense", [line.pk for line in lines])


def why(line) -> str:
    """Why a line waits, in words."""
    odd = odd_line(line.note)
    if odd:
        return odd[0]
    return _t("Taken back by hand") if line.by_id else _t("No rule says whose it is")


class OneForm(forms.Form):
    """All that is left, to one lease or to the bank's charges."""

    lease = forms.ModelChoiceField(queryset=Lease.objects.all(), required=False, widget=forms.HiddenInput)
    charges = forms.BooleanField(required=False, widget=forms.HiddenInput)
    remember = forms.BooleanField(required=False)

    def __init__(self, *args, line, **kwargs):
        super().__init__(*args, **kwargs)
        self.line = line

    def parts(self):
        target = (
            charges_account(self.line.movement.bank)
            if self.cleaned_data["charges"]
            else self.cleaned_data["lease"]
        )
        return [Put(target, self.line.left)] if target else []


class SplitForm(forms.Form):
    """Several leases, each with its amount, and the month if the payer says which."""

    remember = forms.BooleanField(
        required=False, label=_("Know this payer's account for this lease from now on")
    )

    def __init__(self, *args, line, **kwargs):
        super().__init__(*args, **kwargs)
        self.line = line
        for number in range(1, ROWS + 1):
            self.fields[f"lease{number}"] = forms.CharField(label=_("Lease"), required=False, max_length=20)
            self.fields[f"account{number}"] = forms.ChoiceField(
                label=_("Account"),
                required=False,
                choices=[("", _("Tenant")), ("benefit", _("Housing benefit"))],
            )
            self.fields[f"amount{number}"] = EuroFormField(label=_("Amount"), required=False)
            self.fields[f"month{number}"] = forms.CharField(
                label=_("Month"), required=False, widget=forms.TextInput(attrs={"type": "month", "size": 9})
            )

    def rows(self):
        """The fields of each row, as they are drawn."""
        return [
            [self[f"{name}{number}"] for name in ("lease", "account", "amount", "month")]
            for number in range(1, ROWS + 1)
        ]

    def clean(self):
        references = {
            number: self.cleaned_data.get(f"lease{number}", "").strip() for number in range(1, ROWS + 1)
        }
        found = {}
        for lease in Lease.objects.filter(reference__in=[text for text in references.values() if text]):
            found[lease.reference] = lease
        self.wanted = []
        for number, reference in references.items():
            amount = self.cleaned_data.get(f"amount{number}")
            if not reference and amount is None:
                continue
            if reference not in found:
                self.add_error(f"lease{number}", _("No lease has this reference."))
            if amount is None and f"amount{number}" not in self.errors:
                self.add_error(f"amount{number}", _("Give the amount of this part."))
            try:
                text = self.cleaned_data.get(f"month{number}", "")
                month = Period.parse_month(text).start if text else None
            except NotAMonth:
                self.add_error(f"month{number}", _("Write the month as YYYY-MM."))
                continue
            if reference in found and amount is not None:
                self.wanted.append(
                    (found[reference], self.cleaned_data.get(f"account{number}"), amount, month)
                )
        if not self.errors and not self.wanted:
            raise ValidationError(_("Give at least one lease and its amount."))
        return self.cleaned_data

    def parts(self):
        return [
            Put(benefit_account(lease) if account == "benefit" else lease, amount, month)
            for lease, account, amount, month in self.wanted
        ]


class SettleLine(ActionPage):
    """A line to identify: suggestions with one button each, a search, a split."""

    resource = "suspense"
    action = "settle"
    template_name = "leases/suspense_line.html"

    @cached_property
    def line(self):
        there = Allocation.objects.select_related("movement__bank", "movement__statement")
        line = there.in_suspense().filter(pk=self.kwargs["pk"]).first()
        if line is None:
            line = get_object_or_404(there, pk=self.kwargs["pk"])
            line.left = euros(0)
        return line

    def get(self, request, *args, **kwargs):
        if not self.line.left:
            messages.info(request, _t("This line is settled already."))
            return redirect("movement", self.line.movement_id)
        return super().get(request, *args, **kwargs)

    @property
    def title(self):
        return _t("%(amount)s to identify") % {"amount": euros_text(self.line.left)}

    def breadcrumb(self):
        return [{"label": _("Suspense"), "url": reverse("suspense")}, {"label": self.title}]

    def get_form_class(self):
        one = "lease" in self.request.POST or "charges" in self.request.POST
        return OneForm if one else SplitForm

    def get_form_kwargs(self):
        return super().get_form_kwargs() | {"line": self.line}

    def act(self, form):
        return settle(
            self.line,
            form.parts(),
            by=self.request.user,
            on=max(today(), self.line.movement.booked),
            now=timezone.now(),
            remember_iban=form.cleaned_data["remember"],
        )

    def done(self, made, form):
        leases = [one.lease.reference for one in made if one.lease_id]
        words = _t("%(amount)s settled on %(leases)s.") % {
            "amount": euros_text(sum((one.amount for one in made), euros(0))),
            "leases": ", ".join(leases) or _t("bank charges"),
        }
        messages.success(self.request, words)
        return redirect(self.next_url())

    def next_url(self):
        """The rest of this line, else the next one of the list, else the list."""
        lines = Allocation.objects.in_suspense().order_by("movement__booked", "pk")
        booked = self.line.movement.booked
        following = (
            lines.filter(pk=self.line.pk).first()
            or lines.filter(movement__booked=booked, pk__gt=self.line.pk).first()
            or lines.filter(movement__booked__gt=booked).first()
        )
        return reverse("suspense-line", args=[following.pk]) if following else reverse("suspense")

    def get_context_data(self, **kwargs):
        context = super().get_context_data(**kwargs)
        searching = getattr(self.request, "htmx", None) and self.request.htmx.target == "found"
        if not isinstance(context["form"], SplitForm):
            context["form"] = SplitForm(line=self.line)
        text = self.request.GET.get("q", "").strip()
        found = named(spoken_of(Lease.objects.order_by("reference"), text)) if text else []
        guessed = [] if searching else suggestions(self.line)
        stays = last_occupancies([one.lease.pk for one in guessed], today())
        seen = {one.lease.pk for one in guessed} | {lease.pk for lease in found}
        audit.record_read(self.request.user, "suspense", self.line.pk)
        audit.record_read(self.request.user, "lease", sorted(seen))
        odd = odd_line(self.line.note)
        return context | {
            "line": self.line,
            "left": self.line.left,
            "movement": self.line.movement,
            "kind": KINDS.get(self.line.movement.kind, self.line.movement.kind),
            "suggestions": [(one, stays.get(one.lease.pk)) for one in guessed],
            "odd": odd,
            "searched": text,
            "found": found,
            "grouped": self.line.settles_id is None and self.line.amount > euros(0),
            "outgoing": self.line.amount < euros(0),
        }


def named(leases):
    """Leases with the name of the household and where it lives."""
    found = list(with_head(leases.select_related("household"), "household", today())[:FOUND])
    stays = last_occupancies([lease.pk for lease in found], today())
    for lease in found:
        lease.name, lease.stay = head_name(lease), stays.get(lease.pk)
    return found
