"""Filters of homes as occupied, leases, households and rent calls: for pages, exports and the API."""

import django_filters
from django import forms
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from core.documents import PAPERS, Document, Sending
from core.periods import NotAMonth, Period
from core.today import today
from leases.accounts.grants import Grant
from leases.accounts.owner_accounts import OwnerStatement
from leases.accounts.payouts import Kind as PayoutKind
from leases.accounts.payouts import Payout
from leases.bank import Allocation, Movement, Statement
from leases.bank_accounts import BankAccount
from leases.checkpoint import with_balance
from leases.collecting.debits import Debit
from leases.collecting.desk import DeskReceipt
from leases.collecting.mandates import RETURN_CODES
from leases.households import Household
from leases.kinds import KINDS
from leases.lease import Lease
from leases.ledger import ACCOUNT_KINDS, Account, Book, Posting, Source
from leases.matching import HOW_CHOICES
from leases.occupancy import STATUSES, Occupancy, spoken_of, with_status
from leases.rent import RentCall
from leases.tenancy.departure import TenantTransfer
from leases.terms import ITEM_CHOICES
from leases.yearly.charges import Settlement
from leases.yearly.expenses import CATEGORY_CHOICES, Expense
from leases.yearly.revision import RULE_CHOICES, Revision
from portfolio.filters import DatedFilter, TextFilter, UnitFilter
from portfolio.labels import with_label
from portfolio.models import Building, Owner, Site

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


class RevisionFilter(django_filters.FilterSet):
    """Revisions by lease, month, rule, owner kind, and whether they stand."""

    STANDING, UNDONE, UNDOING = "standing", "undone", "undoing"
    STATES = {STANDING: _("In force"), UNDONE: _("Undone"), UNDOING: _("Undoing")}

    q = django_filters.CharFilter(
        label=_("Lease reference"), field_name="lease__reference", lookup_expr="icontains"
    )
    since = django_filters.DateFilter(label=_("From"), field_name="on", lookup_expr="gte")
    until = django_filters.DateFilter(label=_("Until"), field_name="on", lookup_expr="lte")
    rule = django_filters.ChoiceFilter(label=_("Rule"), choices=RULE_CHOICES, empty_label=ALL)
    owner_kind = django_filters.ChoiceFilter(
        label=_("Owner kind"), choices=Owner.Kind.choices, empty_label=ALL, method="of_owner_kind"
    )
    state = django_filters.ChoiceFilter(
        label=_("State"), choices=list(STATES.items()), empty_label=ALL, method="in_state"
    )
    run = django_filters.NumberFilter(field_name="run", widget=forms.HiddenInput)

    class Meta:
        model = Revision
        fields = ["q", "since", "until", "rule", "owner_kind", "state", "run"]

    def of_owner_kind(self, revisions, name, kind):
        return revisions.filter(lease__in=Occupancy.objects.held_from(kind, today()).values("lease"))

    def in_state(self, revisions, name, state):
        if state == self.UNDOING:
            return revisions.exclude(undoes=None)
        return revisions.standing() if state == self.STANDING else revisions.exclude(undone_by=None)


class LedgerFilter(django_filters.FilterSet):
    """Postings of a book, by account, days, origin and lease."""

    book = django_filters.ModelChoiceFilter(
        label=_("Book"),
        queryset=Book.objects.exclude(owner=None).select_related("owner").order_by("owner__name"),
        empty_label=_("The association"),
        method="kept",
    )
    kind = django_filters.ChoiceFilter(
        label=_("Account"),
        choices=[
            (code, f"{kind.number} {kind.label}")
            for code, kind in sorted(ACCOUNT_KINDS.items(), key=lambda one: one[1].number)
        ],
        empty_label=_("All accounts"),
        method="kept",
    )
    since = django_filters.DateFilter(label=_("From"), field_name="on", lookup_expr="gte")
    until = django_filters.DateFilter(label=_("To"), field_name="on", lookup_expr="lte")
    source = django_filters.ChoiceFilter(
        label=_("Origin"), choices=Source.choices, empty_label=ALL, field_name="source"
    )
    lease = django_filters.CharFilter(label=_("Lease reference"), method="of_lease")

    class Meta:
        model = Posting
        fields = ["book", "kind", "since", "until", "source", "lease"]

    def kept(self, rows, name, value):
        # The book and the account are asked for where the rows are made (GeneralLedger.get_queryset).
        return rows

    def of_lease(self, rows, name, text):
        there = Account.objects.filter(lease__reference__iexact=text.strip()).values("pk")
        return rows.filter(Q(debit__in=there) | Q(credit__in=there))


class GrantFilter(django_filters.FilterSet):
    """Grants by kind, funder and year."""

    kind = django_filters.ChoiceFilter(label=_("Kind"), choices=Grant.Kind.choices, empty_label=ALL)
    funder = django_filters.CharFilter(label=_("Funder"), lookup_expr="icontains")
    year = django_filters.NumberFilter(label=_("Year"), method="in_year", min_value=1, max_value=9999)

    class Meta:
        model = Grant
        fields = ["kind", "funder", "year"]

    def in_year(self, grants, name, year):
        return grants.filter(start__year__lte=int(year), last_day__year__gte=int(year))


class DebitFilter(django_filters.FilterSet):
    """Debits by lease and by what became of them."""

    COLLECTED, CAME_BACK, WAITING = "collected", "came_back", "waiting"
    OUTCOMES = {
        COLLECTED: _("Collected"),
        CAME_BACK: _("Came back"),
        WAITING: _("Not answered yet"),
    }

    q = TextFilter(hint=_("Name, address, reference"), method="of_lease")
    outcome = django_filters.ChoiceFilter(
        label=_("State"), choices=list(OUTCOMES.items()), empty_label=ALL, method="become"
    )

    class Meta:
        model = Debit
        fields = ["q", "outcome"]

    def of_lease(self, debits, name, text):
        return debits.filter(lease__in=spoken_of(Lease.objects.all(), text).values("pk")) if text else debits

    def become(self, debits, name, outcome):
        if outcome == self.COLLECTED:
            return debits.filter(credit__isnull=False, returned=None)
        return debits.exclude(returned=None) if outcome == self.CAME_BACK else debits.waiting()


class ReturnedFilter(DebitFilter):
    """Debits that came back, by reason and by day."""

    code = django_filters.ChoiceFilter(
        label=_("Reason"),
        field_name="returned__code",
        choices=[(code, one.meaning) for code, one in RETURN_CODES.items()],
        empty_label=ALL,
    )
    since = django_filters.DateFilter(label=_("From"), field_name="returned__on", lookup_expr="gte")
    outcome = None

    class Meta:
        model = Debit
        fields = ["q", "code", "since"]


class TransferFilter(django_filters.FilterSet):
    """Transfers to tenants who left, by where they stand."""

    state = django_filters.ChoiceFilter(
        label=_("State"),
        choices=[("to_send", _("To send")), ("sent", _("Sent")), ("cancelled", _("Cancelled"))],
        method="in_state",
        empty_label=ALL,
    )

    class Meta:
        model = TenantTransfer
        fields = ["state"]

    def in_state(self, rows, name, code):
        if code == "cancelled":
            return rows.filter(cancelled_on__isnull=False)
        return rows.filter(cancelled_on=None, sent_on__isnull=code == "to_send")


class OwnerStatementFilter(django_filters.FilterSet):
    """Owners' statements by month, owner and what is left to pay."""

    month = django_filters.CharFilter(
        label=_("Month"),
        method="of_month",
        widget=forms.TextInput(attrs={"type": "month", "pattern": "[0-9]{4}-[0-9]{2}", "size": 9}),
    )
    q = django_filters.CharFilter(
        label=_("Search"),
        method="named",
        widget=forms.TextInput(attrs={"placeholder": _("Owner or reference"), "type": "search"}),
    )
    kind = django_filters.ChoiceFilter(
        label=_("Owner kind"), choices=Owner.Kind.choices, empty_label=ALL, field_name="owner__kind"
    )
    to_pay = django_filters.ChoiceFilter(
        label=_("To pay"),
        choices=[("yes", _("Something to pay")), ("short", _("More spent than held"))],
        empty_label=ALL,
        method="with_to_pay",
    )

    class Meta:
        model = OwnerStatement
        fields = ["month", "q", "kind", "to_pay"]

    def of_month(self, rows, name, text):
        try:
            return rows.filter(month=Period.parse_month(text).start)
        except NotAMonth:
            return rows.none()

    def named(self, rows, name, text):
        return rows.filter(owner__in=Owner.objects.spoken_of(text).values("pk")) if text else rows

    def with_to_pay(self, rows, name, wanted):
        if wanted == "short":
            return rows.filter(held__lt=0)
        return rows.filter(Q(to_pay__gt=0) | Q(head_owed__gt=0))


class PayoutFilter(django_filters.FilterSet):
    """Payments to owners, by owner and by what they are for."""

    owner = django_filters.ModelChoiceFilter(
        label=_("Owner"), queryset=Owner.objects.order_by("name"), empty_label=ALL
    )
    kind = django_filters.ChoiceFilter(label=_("For"), choices=PayoutKind.choices, empty_label=ALL)

    class Meta:
        model = Payout
        fields = ["owner", "kind"]


class DocumentFilter(django_filters.FilterSet):
    """Documents by paper, by lease, by month, and by how they went out."""

    NONE = "none"

    kind = django_filters.ChoiceFilter(
        label=_("Paper"), choices=lambda: [(p.code, p.title) for p in PAPERS.values()], empty_label=ALL
    )
    month = django_filters.CharFilter(
        label=_("Month"), method="of_month", widget=forms.TextInput(attrs={"type": "month"})
    )
    went = django_filters.ChoiceFilter(
        label=_("Sent"),
        choices=[*Sending.Channel.choices, (NONE, _("Not yet"))],
        empty_label=ALL,
        method="by_way",
    )

    class Meta:
        model = Document
        fields = ["kind", "month", "went"]

    def of_month(self, found, name, text):
        try:
            return found.filter(month=Period.parse_month(text).start)
        except NotAMonth:
            return found.none()

    def by_way(self, found, name, way):
        sent = Sending.objects.filter(document=OuterRef("pk"), failure="")
        if way == self.NONE:
            return found.filter(~Exists(sent))
        return found.filter(Exists(sent.filter(channel=way)))


class DeskFilter(django_filters.FilterSet):
    """Payments taken at the desk."""

    means = django_filters.ChoiceFilter(
        label=_("Means of payment"), choices=DeskReceipt.MeansOfPayment.choices, empty_label=ALL
    )
    payer = django_filters.ChoiceFilter(
        label=_("Paid by"), choices=DeskReceipt.Payer.choices, empty_label=ALL
    )
    since = django_filters.DateFilter(label=_("From"), field_name="on", lookup_expr="gte")
    until = django_filters.DateFilter(label=_("Until"), field_name="on", lookup_expr="lte")

    class Meta:
        model = DeskReceipt
        fields = ["means", "payer", "since", "until"]


class ExpenseFilter(django_filters.FilterSet):
    """Expenses by year, place and nature."""

    q = django_filters.CharFilter(label=_("Supplier, invoice or address"), method="saying")
    year = django_filters.NumberFilter(label=_("Year"))
    site = django_filters.ModelChoiceFilter(
        label=_("Site"), queryset=Site.objects.order_by("name"), empty_label=ALL, method="on_site"
    )
    building = django_filters.ModelChoiceFilter(
        label=_("Building"), queryset=Building.objects.all(), method="of_building", widget=forms.HiddenInput
    )
    category = django_filters.ChoiceFilter(
        label=_("Nature"), choices=list(CATEGORY_CHOICES.items()), empty_label=ALL
    )

    class Meta:
        model = Expense
        fields = ["q", "year", "site", "category", "building"]

    def saying(self, expenses, name, text):
        return expenses.filter(
            Q(supplier__spoken=text)
            | Q(invoice__icontains=text)
            | Q(building__address__spoken=text)
            | Q(unit__reference__icontains=text)
            | Q(unit__building__address__spoken=text)
        )

    def on_site(self, expenses, name, site):
        return expenses.filter(Q(site=site) | Q(building__site=site) | Q(unit__building__site=site))

    def of_building(self, expenses, name, building):
        return expenses.of_building(building)


class SettlementFilter(django_filters.FilterSet):
    """Statements of a settlement by lease and by what they come to."""

    q = django_filters.CharFilter(
        label=_("Lease reference"), field_name="lease__reference", lookup_expr="icontains"
    )
    result = django_filters.ChoiceFilter(
        label=_("Result"),
        choices=[("pay", _("To pay")), ("back", _("To give back")), ("parts", _("In instalments"))],
        empty_label=ALL,
        method="coming_to",
    )

    class Meta:
        model = Settlement
        fields = ["q", "result"]

    def coming_to(self, settlements, name, result):
        found = {"pay": Q(amount__gt=0), "back": Q(amount__lt=0), "parts": Q(instalments__gt=1)}
        return settlements.filter(found[result])
