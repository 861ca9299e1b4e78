"""Owners and what binds the stock to them."""

from django.db.models import Count, Q, Sum
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from core.access import visible
from core.pages import Action, ListColumn, ListPage, Page
from core.periods import ONE_DAY, add_months
from core.today import today
from portfolio.filters import HoldingFilter, OwnerFilter
from portfolio.models import Holding, Owner
from portfolio.owners import TITLES


class OwnerList(ListPage):
    """Every owner, with the homes held of them today."""

    resource = "owner"
    title = _("Owners")
    filterset_class = OwnerFilter
    default_sort = "name"
    export_name = "proprietaires"
    empty_text = _("No owner yet: import the portfolio.")
    columns = [
        ListColumn("name", _("Name"), sort="name"),
        ListColumn("reference", _("Reference"), sort="reference"),
        ListColumn("kind", _("Kind"), "get_kind_display", sort="kind"),
        ListColumn("nature", _("Nature"), "get_nature_display", sort="nature", needs="owner.nature"),
        ListColumn("units", _("Units held"), kind="int", sort="units"),
        ListColumn("siren", _("SIREN number"), needs="owner.siren"),
    ]

    def get_queryset(self):
        day = today()
        held = Q(holdings__start__lte=day) & (Q(holdings__end=None) | Q(holdings__end__gt=day))
        return Owner.objects.annotate(units=Count("holdings__unit", filter=held, distinct=True))

    def row_url(self, owner):
        return reverse("owner", args=[owner.pk])


class OwnerPage(Page):
    """An owner: who it is, what is held of it and under which titles, what ends soon."""

    resource = "owner"
    template_name = "portfolio/owner.html"

    def get_context_data(self, **kwargs):
        owner, day = get_object_or_404(Owner, pk=self.kwargs["pk"]), today()
        self.title, self.owner = owner.name, owner
        seen = visible(self.request.user, "owner")
        context = {"owner": owner, "shows": {name: name in seen for name in ("iban", "siren", "nature")}}
        if self.may("view", "holding"):
            context |= holdings_of(owner, day)
            context["shows_fee"] = "fee" in visible(self.request.user, "holding")
        if self.may("view", "owner_account"):
            context["actions"] = [
                Action(_("Owner's account"), reverse("owner-account", args=[owner.pk]), True)
            ]
        return super().get_context_data(**{**context, **kwargs})

    def breadcrumb(self):
        return [{"label": _("Owners"), "url": reverse("owners")}, {"label": self.owner.name}]


def holdings_of(owner, day):
    """By title, the homes held of an owner on a day; the titles that end within six months."""
    in_force = owner.holdings.on(day)
    titles = [
        {**line, "label": TITLES[line["title"]].label}
        for line in in_force.values("title")
        .annotate(units=Count("unit", distinct=True), rent_due=Sum("rent_due"))
        .order_by("-units")
    ]
    horizon = add_months(day, 6)
    return {
        "titles": titles,
        "units": sum(line["units"] for line in titles),
        "past": owner.holdings.filter(end__lte=day).count(),
        "ending": owner.holdings.ending(after=day, by=horizon).select_related("unit").order_by("end")[:20],
        "horizon": horizon,
    }


class HoldingList(ListPage):
    """Every deed, mandate and lease by which units are held, past ones too."""

    resource = "holding"
    title = _("Holdings")
    subtitle = _("Deeds, mandates and leases by which homes are held, past ones too.")
    queryset = Holding.objects.select_related("unit", "owner")
    filterset_class = HoldingFilter
    default_sort = "unit"
    export_name = "titres-de-detention"
    empty_text = _("No holding yet: import the portfolio.")
    columns = [
        ListColumn("unit", _("Unit"), "unit.reference", sort="unit__reference"),
        ListColumn("title", _("Title"), "get_title_display", sort="title"),
        ListColumn("reference", _("Number"), sort="reference"),
        ListColumn("owner", _("Owner"), "owner.name", sort="owner__name"),
        ListColumn("start", _("From"), kind="date", sort="start"),
        ListColumn("last_day", _("Last day"), lambda h: h.end and h.end - ONE_DAY, kind="date", sort="end"),
        ListColumn("fee_rate", _("Fee rate, %"), kind="decimal", needs="holding.fee"),
        ListColumn("rent_due", _("Rent due"), kind="euros", needs="holding.rent"),
    ]

    def row_url(self, holding):
        return reverse("unit", args=[holding.unit_id])
