"""Unpaid rent: its signals, what a mediator does about them, and the balances by age."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from api.fields import Euros, Seen, SeenModel
from api.jobs import JobRecord, accepted
from api.leases import AgesRecord
from api.reading import Listing, Reading, narrowed
from arrears import signals
from arrears.aged import AGES, AgedKeyset
from arrears.filters import AgedFilter, SignalFilter
from arrears.models import Contact, Signal
from core import jobs
from core.models import User
from core.today import today
from leases.models import Lease
from portfolio.models import Owner


class SignalRecord(SeenModel):
    """Something seen early on a lease's account; urgency is the higher the sooner it should be dealt with."""

    lease_reference = serializers.CharField(source="lease.reference", read_only=True)
    household = serializers.IntegerField(source="lease.household_id", read_only=True)
    explanation = serializers.SerializerMethodField()
    days = serializers.IntegerField(read_only=True, help_text="Since the oldest rent unpaid.")
    urgency = serializers.IntegerField(read_only=True)

    class Meta:
        model = Signal
        resource = "signal"
        seen_as = {"monthly": "lease_money.rent"}
        fields = [
            "id",
            "lease",
            "lease_reference",
            "household",
            "nature",
            "explanation",
            "opened_on",
            "since",
            "latest",
            "days",
            "urgency",
            "amount",
            "monthly",
            "mediator",
            "remind_on",
            "handled_on",
            "handled_by",
            "closed_because",
        ]

    def get_explanation(self, signal) -> str:
        return signals.explain(signal)


class ContactRecord(SeenModel):
    class Meta:
        model = Contact
        resource = "contact_log"
        fields = ["id", "lease", "on", "means", "note", "by"]
        read_only_fields = ["by"]


class ClosingAsked(serializers.Serializer):
    because = serializers.ChoiceField(choices=[(code.value, code.label) for code in signals.BY_HAND])


class ReminderAsked(serializers.Serializer):
    on = serializers.DateField()


class MediatorAsked(serializers.Serializer):
    mediator = serializers.PrimaryKeyRelatedField(
        queryset=User.objects.filter(is_active=True), allow_null=True
    )


class ContactAsked(serializers.Serializer):
    """A contact made; today, unless another day is given."""

    means = serializers.ChoiceField(choices=Contact.Means.choices)
    note = serializers.CharField(max_length=500, allow_blank=True, default="")
    on = serializers.DateField(required=False)


class ContactOfLease(ContactAsked):
    lease = serializers.PrimaryKeyRelatedField(queryset=Lease.objects.all())


class FlaggingAsked(serializers.Serializer):
    on = serializers.DateField(required=False)


class Signals(Reading):
    """Signals of unpaid rent, the most urgent first (*signaux d'impayé*)."""

    access = {
        "list": ("signal", "view"),
        "retrieve": ("signal", "view"),
        "handle": ("signal", "change"),
        "remind": ("signal", "change"),
        "assign": ("signal", "change"),
        "contact": ("contact_log", "change"),
        "flag": ("signal", "run"),
    }
    serializer_class = SignalRecord
    queryset = Signal.objects.select_related("lease")
    filterset_class = SignalFilter
    sorts = {"urgency": "urgency", "since": "since", "amount": "amount", "opened_on": "opened_on"}
    default_sort = "-urgency"
    audited = ("signal", "pk")

    def get_queryset(self):
        return super().get_queryset().by_urgency(today())

    def told(self, signal) -> Response:
        return Response(self.get_serializer(self.get_queryset().get(pk=signal.pk)).data)

    @extend_schema(request=ClosingAsked, responses=SignalRecord)
    @action(detail=True, methods=["post"], filter_backends=[])
    def handle(self, request, pk=None):
        """Close a signal; it opens again only if something newer or larger comes."""
        signal, wanted = self.get_object(), asked(ClosingAsked, request)
        return self.told(signals.handle(signal, by=request.user, on=today(), because=wanted["because"]))

    @extend_schema(request=ReminderAsked, responses=SignalRecord)
    @action(detail=True, methods=["post"], filter_backends=[])
    def remind(self, request, pk=None):
        """Put a signal to sleep until a day."""
        signal, wanted = self.get_object(), asked(ReminderAsked, request)
        return self.told(signals.remind(signal, on=wanted["on"], by=request.user, today=today()))

    @extend_schema(request=MediatorAsked, responses=SignalRecord)
    @action(detail=True, methods=["post"], filter_backends=[])
    def assign(self, request, pk=None):
        """Give a signal to a mediator, or to nobody."""
        signal, wanted = self.get_object(), asked(MediatorAsked, request)
        return self.told(signals.assign(signal, wanted["mediator"], by=request.user))

    @extend_schema(request=ContactAsked, responses={201: ContactRecord})
    @action(detail=True, methods=["post"], filter_backends=[])
    def contact(self, request, pk=None):
        """Note a contact with the household that a signal is about."""
        signal, wanted = self.get_object(), asked(ContactAsked, request)
        return logged(request, signal.lease, wanted)

    @extend_schema(request=FlaggingAsked, responses={202: JobRecord})
    @action(detail=False, methods=["post"], filter_backends=[])
    def flag(self, request):
        """Look at every account of the stock on a day: starts the work, or gives back the one under way."""
        on = (asked(FlaggingAsked, request).get("on") or today()).isoformat()
        return accepted(request, jobs.start("flag_arrears", by=request.user, once=on, on=on))


class Contacts(Reading):
    """Contacts made about unpaid rent (*journal des contacts*)."""

    access = {
        "list": ("contact_log", "view"),
        "retrieve": ("contact_log", "view"),
        "create": ("contact_log", "change"),
    }
    serializer_class = ContactRecord
    queryset = Contact.objects.all()
    filterset_fields = ["lease", "means"]
    sorts = {"on": "on"}
    default_sort = "-on"
    audited = ("lease", "lease_id")

    @extend_schema(request=ContactOfLease, responses={201: ContactRecord})
    def create(self, request):
        """Note a contact with a household about its account."""
        wanted = asked(ContactOfLease, request)
        return logged(request, wanted["lease"], wanted)


def asked(serializer_class, request) -> dict:
    """What a request's body asks for, checked. Raises ValidationError."""
    read = serializer_class(data=request.data)
    read.is_valid(raise_exception=True)
    return read.validated_data


def logged(request, lease, wanted) -> Response:
    contact = signals.log_contact(
        lease, by=request.user, on=wanted.get("on") or today(), means=wanted["means"], note=wanted["note"]
    )
    return Response(ContactRecord(contact, context={"request": request}).data, 201)


# ---- balances by age --------------------------------------------------------------------


class AgedRecord(Seen):
    """What a lease owes by age, in euros; what waits for its housing benefit is apart."""

    lease = serializers.IntegerField(source="pk")
    owner_kind = serializers.ChoiceField(choices=Owner.Kind.choices)
    buckets = AgesRecord(source="*")
    due = Euros()
    since = serializers.DateField(
        source="oldest_due", allow_null=True, help_text="Due date of the oldest rent unpaid."
    )
    benefit_wait = Euros()

    class Meta:
        resource = "tenant_account"
        seen_as = {"lease": "lease.", "owner_kind": "owner.kind", "due": "tenant_account.balance"}


class AgedTotalRecord(Seen):
    """The same of all the leases of one owner kind."""

    owner_kind = serializers.ChoiceField(choices=Owner.Kind.choices)
    owing = serializers.IntegerField(help_text="How many leases owe something due.")
    technical = serializers.IntegerField(help_text="How many only wait for their benefit.")
    buckets = AgesRecord(source="*")
    due = Euros()
    benefit_wait = Euros()

    class Meta:
        resource = "tenant_account"
        seen_as = {
            "owner_kind": "owner.kind",
            "owing": "tenant_account.balance",
            "technical": "tenant_account.benefit_wait",
            "due": "tenant_account.balance",
        }


class AgedBalance(Listing):
    """What every lease owes by age at a date (*balance âgée*)."""

    access = {"list": ("tenant_account", "view"), "totals": ("tenant_account", "view")}
    serializer_class = AgedRecord
    queryset = Lease.objects.all()
    filterset_class = AgedFilter
    keyset = AgedKeyset
    sorts = {name: name for name in (*AGES, "due", "benefit_wait")}
    default_sort = "-due"
    audited = ("lease", "pk")

    def filter_queryset(self, leases):
        return narrowed(AgedFilter, leases, self.request).stock

    @extend_schema(responses=AgedTotalRecord(many=True))
    @action(detail=False, pagination_class=None)
    def totals(self, request):
        """By owner kind, for the whole stock."""
        found = self.filter_queryset(self.get_queryset()).totals()
        return Response(AgedTotalRecord(found, many=True, context=self.get_serializer_context()).data)
