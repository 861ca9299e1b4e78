"""Filters of homes as occupied, leases, households and rent calls: for pages, exports and the API."""

import django_filters
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from leases.bank import Allocation, Movement, Statement
from leases.bank_accounts import BankAccount
from leases.households import Household
from leases.kinds import KINDS
from leases.lease import Lease
from leases.matching import HOW_CHOICES
from leases.occupancy import STATUSES, Occupancy, spoken_of, with_status
from leases.rent import RentCall
from leases.tenant_account import with_balance
from leases.terms import ITEM_CHOICES
from portfolio.filters import DatedFilter, TextFilter, UnitFilter
from portfolio.labels import with_label
from portfolio.models import Owner, Site

ALL = _("All")


class HomeFilter(UnitFilter):
    """Units, also by what each is on a day: occupied, vacant, in works."""

    status = django_filters.ChoiceFilter(
        label=_("Status"),
        choices=[(code, words) for code, (_kind, words) in STATUSES.items()],
        empty_label=ALL,
        method="in_status",
    )

    class Meta(UnitFilter.Meta):
        # The order on the page.
        fields = ["q", "status", "on", "owner_kind", "owner", "site", "structure", "typology", "label"]

    def filter_queryset(self, units):
        return super().filter_queryset(with_label(units.with_holding(self.day), self.day))

    def in_status(self, units, name, code):
        return with_status(units, self.day).filter(status=code)


class LeaseText(TextFilter):
    """Leases by a name, an address or a reference."""

    def filter(self, leases, value):
        return spoken_of(leases, value) if value else leases


class LeaseFilter(DatedFilter):
    """Leases by their state on a day, their contract, where they are, and what is owed."""

    IN_FORCE, WITHOUT_TITLE, ENDED, TO_COME = "in_force", "without_title", "ended", "to_come"
    STATES = {
        IN_FORCE: _("In force"),
        WITHOUT_TITLE: _("Occupied without title"),
        ENDED: _("Ended"),
        TO_COME: _("To come"),
    }

    q = LeaseText(hint=_("Name, address, reference"))
    state = django_filters.ChoiceFilter(
        label=_("State"), choices=list(STATES.items()), empty_label=ALL, method="in_state"
    )
    kind = django_filters.ChoiceFilter(
        label=_("Contract"), choices=[(code, kind.label) for code, kind in KINDS.items()], empty_label=ALL
    )
    owner_kind = django_filters.ChoiceFilter(
        label=_("Owner kind"), choices=Owner.Kind.choices, empty_label=ALL, method="of_owner_kind"
    )
    site = django_filters.ModelChoiceFilter(
        label=_("Site"), queryset=Site.objects.order_by("name"), empty_label=ALL, method="on_site"
    )
    debt = django_filters.ChoiceFilter(
        label=_("Balance due"),
        choices=[("yes", _("With debt")), ("no", _("Without debt"))],
        empty_label=ALL,
        method="in_debt",
    )

    class Meta:
        model = Lease
        fields = ["q", "state", "on", "kind", "owner_kind", "site", "debt"]

    def in_state(self, leases, name, state):
        if state == self.IN_FORCE:
            return leases.in_force_on(self.day)
        if state == self.WITHOUT_TITLE:
            return leases.filter(pk__in=Occupancy.objects.without_title(self.day).values("lease"))
        if state == self.ENDED:
            return leases.filter(end__lte=self.day)
        return leases.filter(start__gt=self.day)

    def of_owner_kind(self, leases, name, kind):
        return leases.filter(pk__in=Occupancy.objects.held_from(kind, self.day).values("lease"))

    def on_site(self, leases, name, site):
        there = Occupancy.objects.filter(place__unit__building__site=site)
        return leases.filter(pk__in=there.values("lease"))

    def in_debt(self, leases, name, wanted):
        found = with_balance(leases, self.day)
        return found.filter(balance__gt=0) if wanted == "yes" else found.filter(balance__lte=0)


class HouseholdFilter(DatedFilter):
    """Households by name, and by whether they have a lease of ours on a day."""

    q = TextFilter(hint=_("Name or reference"))
    housed = django_filters.ChoiceFilter(
        label=_("Lease"),
        choices=[("yes", _("With a lease in force")), ("no", _("Without a lease"))],
        empty_label=ALL,
        method="with_lease",
    )

    class Meta:
        model = Household
        fields = ["q", "housed", "on"]

    def with_lease(self, households, name, wanted):
        housed = Lease.objects.in_force_on(self.day).values("household")
        return households.filter(pk__in=housed) if wanted == "yes" else households.exclude(pk__in=housed)


class CallFilter(django_filters.FilterSet):
    """The calls of a rent run by item, owner kind, and lease."""

    q = django_filters.CharFilter(
        label=_("Lease reference"), field_name="lease__reference", lookup_expr="icontains"
    )
    item = django_filters.ChoiceFilter(label=_("Item"), choices=list(ITEM_CHOICES.items()), empty_label=ALL)
    owner_kind = django_filters.ChoiceFilter(
        label=_("Owner kind"), choices=Owner.Kind.choices, empty_label=ALL, method="in_books_of"
    )
    late = django_filters.ChoiceFilter(
        label=_("Kind of line"),
        choices=[("first", _("First call")), ("late", _("Back-charge or credit"))],
        empty_label=ALL,
        method="first_or_late",
    )

    class Meta:
        model = RentCall
        fields = ["q", "item", "owner_kind", "late"]

    def in_books_of(self, calls, name, kind):
        if kind == Owner.Kind.OWN:
            return calls.filter(account__book__owner=None)
        return calls.filter(account__book__owner__kind=kind)

    def first_or_late(self, calls, name, wanted):
        return calls.filter(version=1) if wanted == "first" else calls.filter(version__gt=1)


class StatementFilter(django_filters.FilterSet):
    """Statements of one account, or of some days."""

    bank = django_filters.ModelChoiceFilter(
        label=_("Bank account"), queryset=BankAccount.objects.order_by("name"), empty_label=ALL
    )
    since = django_filters.DateFilter(label=_("From"), field_name="end", lookup_expr="gte")
    until = django_filters.DateFilter(label=_("Until"), field_name="start", lookup_expr="lte")

    class Meta:
        model = Statement
        fields = ["bank", "since", "until"]


DIRECTIONS = [("in", _("Received")), ("out", _("Paid or returned"))]


class MovementFilter(django_filters.FilterSet):
    """Movements by what they say, what they were put to, and which way they went."""

    q = django_filters.CharFilter(label=_("Label, payer, reference or amount"), method="saying")
    how = django_filters.ChoiceFilter(
        label=_("Put by"), choices=list(HOW_CHOICES.items()), empty_label=ALL, method="put_by"
    )
    direction = django_filters.ChoiceFilter(
        label=_("Direction"), choices=DIRECTIONS, empty_label=ALL, method="going"
    )

    class Meta:
        model = Movement
        fields = ["q", "how", "direction"]

    def saying(self, movements, name, text):
        return movements.saying(text)

    def put_by(self, movements, name, how):
        if how == "suspense":
            return movements.filter(pk__in=Allocation.objects.in_suspense().values("movement"))
        return movements.filter(pk__in=Allocation.objects.standing().filter(how=how).values("movement"))

    def going(self, movements, name, direction):
        return movements.filter(amount__gt=0) if direction == "in" else movements.filter(amount__lt=0)


class SuspenseFilter(django_filters.FilterSet):
    """Lines to identify, by what their movement says."""

    q = django_filters.CharFilter(label=_("Label, payer, reference or amount"), method="saying")
    direction = django_filters.ChoiceFilter(
        label=_("Direction"), choices=DIRECTIONS, empty_label=ALL, method="going"
    )
    listed = django_filters.ChoiceFilter(
        label=_("Origin"),
        choices=[("list", _("Line of a payment list")), ("bank", _("Bank movement"))],
        empty_label=ALL,
        method="from_list",
    )
    bank = django_filters.ModelChoiceFilter(
        label=_("Bank account"),
        field_name="movement__bank",
        queryset=BankAccount.objects.order_by("name"),
        empty_label=ALL,
    )
    since = django_filters.DateFilter(label=_("From"), field_name="movement__booked", lookup_expr="gte")

    class Meta:
        model = Allocation
        fields = ["q", "direction", "listed", "bank", "since"]

    def saying(self, lines, name, text):
        said = Movement.objects.saying(text).values("pk")
        return lines.filter(Q(movement__in=said) | Q(note__icontains=text))

    def going(self, lines, name, direction):
        return lines.filter(amount__gt=0) if direction == "in" else lines.filter(amount__lt=0)

    def from_list(self, lines, name, origin):
        return lines.filter(settles__isnull=origin != "list")
