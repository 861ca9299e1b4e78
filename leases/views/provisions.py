"""Doubtful debts: what the rule sets aside, lease by lease; its rates; posting it."""

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core import audit
from core.access import Forbidden
from core.pages import Action, ActionPage, Page, Preview
from core.periods import ONE_DAY
from core.tables import FORMATS, write_table
from core.tables import Column as Sheet
from core.today import today
from leases.accounts import provisions
from leases.accounts.provisions import (
    AGES,
    BUCKETS,
    DEPARTED,
    post_provision,
    proposal,
    rates,
    set_rates,
    totals,
)
from leases.households import head_name, with_head
from leases.lease import Lease
from leases.views.closing import back_to_closing

SHOWN = 200


class DayForm(forms.Form):
    on = forms.DateField(label=_("As of"), required=False)

    def clean_on(self):
        return self.cleaned_data["on"] or today()


class Provision(Page):
    """What the rule proposes to set aside at a date, by age and lease by lease."""

    resource = "ledger"
    title = _("Doubtful debts")
    template_name = "leases/provision.html"

    def breadcrumb(self):
        return back_to_closing(self.title)

    def get(self, request, *args, **kwargs):
        form = DayForm(request.GET)
        on = form.cleaned_data["on"] if form.is_valid() else today()
        found = proposal(on)
        if request.GET.get("export") in FORMATS:
            return self.export(found, request.GET["export"], on)
        percents = rates(on)
        sums = totals(found)
        shown = found[:SHOWN]
        audit.record_read(request, "tenant_account", [one.lease_id for one in shown])
        aside = provisions.provided(on)
        return self.render_to_response(
            self.get_context_data(
                form=form,
                on=on,
                count=len(found),
                rows=self.rows(shown, on),
                ages=[(age, BUCKETS[age], sums[age], percents.get(age)) for age in AGES],
                departed=percents.get(DEPARTED),
                departed_due=sum((one.due for one in found if one.departed), sums["due"] * 0),
                sums=sums,
                aside=aside,
                gap=sums["provision"] - aside,
                has_rates=bool(percents),
                exports=self.exports(on) if self.may("export") else [],
                actions=self.actions(on, sums["provision"] != aside),
            )
        )

    def rows(self, shown, on):
        ids = [one.lease_id for one in shown]
        leases = with_head(Lease.objects.filter(pk__in=ids), "household", on).in_bulk()
        return [
            {"one": one, "lease": leases[one.lease_id], "name": head_name(leases[one.lease_id])}
            for one in shown
        ]

    def exports(self, on):
        return [(name, f"?on={on:%Y-%m-%d}&export={name}") for name in FORMATS]

    def actions(self, on, differs):
        found = []
        if differs and self.may("change"):
            found.append(
                Action(
                    _t("Post the provision"), f"{reverse('provision-post')}?on={on:%Y-%m-%d}", primary=True
                )
            )
        if self.may("change", "closing"):
            found.append(Action(_t("Set the rates"), reverse("provision-rates"), icon="edit"))
        return found

    def export(self, found, format, on):
        if not self.may("export"):
            raise Forbidden(self.resource, "export")
        references = dict(
            Lease.objects.filter(pk__in=[one.lease_id for one in found]).values_list("pk", "reference")
        )
        sheet = [
            Sheet(str(_t("Lease"))),
            *(Sheet(str(BUCKETS[age]), "euros") for age in AGES),
            Sheet(str(_t("Balance due")), "euros"),
            Sheet(str(_t("Due since")), "date"),
            Sheet(str(_t("Departed")), "bool"),
            Sheet(str(_t("Provision")), "euros"),
        ]
        rows = [
            [
                references[one.lease_id],
                *(one.owed[age] for age in AGES),
                one.due,
                one.oldest_due,
                one.departed,
                one.provision,
            ]
            for one in found
        ]
        audit.record(self.request, "export", self.resource, "provision", format=format, rows=len(rows))
        return HttpResponse(
            write_table(sheet, rows, format=format),
            content_type=FORMATS[format],
            headers={"Content-Disposition": f'attachment; filename="provision-{on:%Y%m%d}.{format}"'},
        )


class RatesForm(forms.Form):
    since = forms.DateField(
        label=_("From"), help_text=_("The rates hold from that day until others are set.")
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for bucket, label in BUCKETS.items():
            self.fields[bucket] = forms.DecimalField(
                label=label,
                min_value=0,
                max_value=100,
                max_digits=5,
                decimal_places=2,
                help_text=_("Per cent."),
            )


class ProvisionAction(ActionPage):
    """An act on the provision; back to its page afterwards."""

    @property
    def cancel_url(self):
        return reverse("provision")

    def get_success_url(self):
        return self.cancel_url

    def breadcrumb(self):
        return [
            *back_to_closing("")[:1],
            {"label": _("Doubtful debts"), "url": self.cancel_url},
            {"label": self.title},
        ]


class SetRates(ProvisionAction):
    """The house's rule: how much of a debt is taken as lost, by its age and once the tenant has left."""

    resource = "closing"
    form_class = RatesForm
    title = _("Rates of provision")
    intro = _("How much of a debt is taken as lost. For whoever has left, the higher of the two rates holds.")
    submit_label = _("Save")
    done_text = _("The rates are set.")

    def get_initial(self):
        known = rates(today())
        return {
            "since": today().replace(month=1, day=1),
            **{bucket: known.get(bucket, 0) for bucket in BUCKETS},
        }

    def act(self, form):
        given = {bucket: form.cleaned_data[bucket] for bucket in BUCKETS}
        return set_rates(given, since=form.cleaned_data["since"], by=self.request.user, now=timezone.now())


class PostForm(forms.Form):
    on = forms.DateField(label=_("Posted on"), help_text=_("Usually the last day of a month or of the year."))


class PostProvision(ProvisionAction):
    """Bring the provision of the accounts to what the rule asks at a date."""

    resource = "ledger"
    form_class = PostForm
    title = _("Post the provision")
    intro = _("Only the difference with what is set aside already is posted: an allocation, or a release.")
    submit_label = _("Check")
    confirm_label = _("Post the provision")
    done_text = _("The provision is posted.")

    def get_initial(self):
        return {"on": self.request.GET.get("on") or today().replace(day=1) - ONE_DAY}

    def preview(self, form):
        on = form.cleaned_data["on"]
        wanted, aside = totals(proposal(on))["provision"], provisions.provided(on)
        return Preview(
            lines=[
                (_("Posted on"), on),
                (_("The rule asks"), wanted),
                (_("Set aside already"), aside),
                (
                    _("Allocation to provisions") if wanted >= aside else _("Provision released"),
                    abs(wanted - aside),
                ),
            ]
        )

    def act(self, form):
        return post_provision(form.cleaned_data["on"], by=self.request.user, now=timezone.now())
