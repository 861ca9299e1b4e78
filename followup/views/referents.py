"""Who follows whom: the panel on a household's and a lease's page, and the list of households followed."""

from django import forms
from django.contrib.auth import get_user_model
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from core import access, audit
from core.pages import ActionPage, ListColumn, ListPage, PanelPage, Preview
from core.periods import ONE_DAY
from core.today import today
from followup.filters import FollowedFilter, full_name
from followup.referents import Referent, set_referent
from leases.households import Household, head_name, with_head
from leases.lease import Lease
from leases.occupancy import last_occupancies
from leases.tenant_account import balances
from leases.views.households import HouseholdList, latest_leases
from leases.views.leases import street


class ReferentPanel(PanelPage):
    """A household's social worker, and since when; the earlier ones."""

    resource = "referent"
    title = _("Social referent")
    template_name = "followup/_referent.html"

    def get_context_data(self, **kwargs):
        household = get_object_or_404(Household, pk=self.kwargs["pk"])
        found = list(
            Referent.objects.filter(household=household).select_related("worker").order_by("-followed_since")
        )
        audit.record_read(self.request.user, "referent", household.pk)
        return super().get_context_data(
            household=household,
            current=next((one for one in found if one.end is None), None),
            before=[one for one in found if one.end is not None],
            may_change=self.may("change"),
            **kwargs,
        )


class ReferentForm(forms.Form):
    worker = forms.ModelChoiceField(label=_("Social worker"), queryset=get_user_model().objects.none())
    since = forms.DateField(label=_("Followed since"))

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        workers = get_user_model().objects.filter(
            is_active=True, groups__name__in=("social_worker", "coordinator")
        )
        self.fields["worker"].queryset = workers.distinct().order_by("last_name", "username")
        self.fields["worker"].label_from_instance = full_name


class NameReferent(ActionPage):
    """Say who follows a household from a day on; who did before ends the day before."""

    resource = "referent"
    title = _("Social referent")
    form_class = ReferentForm
    confirm_label = _("Name this referent")
    done_text = _("The referent is named.")

    @cached_property
    def household(self):
        found = get_object_or_404(with_head(Household.objects.all(), "pk", today()), pk=self.kwargs["pk"])
        found.name = head_name(found) or found.reference
        return found

    @property
    def intro(self):
        return self.household.name

    @property
    def cancel_url(self):
        return reverse("household", args=[self.household.pk])

    def get_success_url(self):
        return self.cancel_url

    def get_initial(self):
        here = self.request.user
        mine = access.roles(here) & {"social_worker", "coordinator"}
        return {"since": today()} | ({"worker": here.pk} if mine else {})

    def preview(self, form):
        worker = form.cleaned_data["worker"]
        return Preview(
            lines=[
                (_("Household"), self.household.name),
                (_("Social worker"), full_name(worker)),
                (_("Followed since"), form.cleaned_data["since"]),
            ]
        )

    def act(self, form):
        worker, since = form.cleaned_data["worker"], form.cleaned_data["since"]
        return set_referent(self.household, worker, since=since, by=self.request.user)

    def breadcrumb(self):
        return [
            {"label": _("Households"), "url": reverse("households")},
            {"label": self.household.name, "url": self.cancel_url},
            {"label": self.title},
        ]


class UnfollowedList(HouseholdList):
    """Households with a lease in force that nobody follows."""

    resource = "referent"
    title = _("Households that nobody follows")
    subtitle = _("With a lease in force and no social referent.")
    export_name = "menages-sans-referent"
    empty_text = _("Every household has a referent.")

    def get_queryset(self):
        day = today()
        housed = Lease.objects.in_force_on(day).values("household")
        households = super().get_queryset().filter(pk__in=housed)
        return households.exclude(pk__in=Referent.objects.on(day).values("household"))


class FollowedList(ListPage):
    """The households followed, by whom, and what they owe."""

    resource = "referent"
    title = _("Households followed")
    filterset_class = FollowedFilter
    default_sort = "household"
    export_name = "menages-suivis"
    empty_text = _("No household is followed yet.")
    columns = [
        ListColumn("household", _("Household"), "name", sort="head_last", sub="household.reference"),
        ListColumn(
            "worker",
            _("Social worker"),
            lambda r: full_name(r.worker),
            sort="worker__last_name",
        ),
        ListColumn("since", _("Followed since"), "followed_since", kind="date", sort="followed_since"),
        ListColumn("last_day", _("Last day"), lambda r: r.end and r.end - ONE_DAY, kind="date", sort="end"),
        ListColumn(
            "home",
            _("Home"),
            "stay.place.reference",
            link=lambda r: r.stay and reverse("unit", args=[r.stay.place.unit_id]),
            sub=lambda r: r.stay and street(r.stay.place.unit.building),
        ),
        ListColumn(
            "lease",
            _("Lease"),
            "lease.reference",
            link=lambda r: r.lease and reverse("lease", args=[r.lease.pk]),
        ),
        ListColumn("balance", _("Balance due"), kind="euros", needs="tenant_account.balance"),
    ]

    def get_queryset(self):
        return with_head(Referent.objects.select_related("household", "worker"), "household", today())

    def complete(self, referents):
        day, ids = today(), [one.household_id for one in referents]
        leases = latest_leases(ids, day)
        known = [lease.pk for lease in leases.values()]
        stays = last_occupancies(known, day)
        owed = balances(known, day)
        for one in referents:
            one.name = head_name(one) or one.household.reference
            one.lease = leases.get(one.household_id)
            one.stay = stays.get(one.lease.pk) if one.lease else None
            one.balance = owed[one.lease.pk] if one.lease else None

    def row_url(self, referent):
        return reverse("household", args=[referent.household_id])

    def was_read(self, referents, *, export):
        audit.record_read(self.request.user, "household", [one.household_id for one in referents])
