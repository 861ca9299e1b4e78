"""Households, persons, leases and what they owe each month; the rent runs that call it."""

from django.db.models import Prefetch
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response

from api.fields import Euros, Month, Seen, SeenModel, sees
from api.jobs import JobRecord, accepted
from api.reading import Reading
from api.schema import described
from core import audit, jobs
from core.money import euros
from core.today import today
from leases import rent, tenant_account
from leases.filters import CallFilter, HouseholdFilter, LeaseFilter
from leases.models import (
    Benefit,
    Household,
    Lease,
    LeaseParty,
    Membership,
    Occupancy,
    PayerIban,
    Person,
    RentCall,
    RentRun,
    RentTerm,
    RunException,
)
from leases.terms import ITEMS

# ---- people -----------------------------------------------------------------------------

NAMED = {"last_name": "person.name", "first_name": "person.name", "born_on": "person.birth_date"}


class PersonRecord(SeenModel):
    class Meta:
        model = Person
        resource = "person"
        seen_as = NAMED
        fields = ["id", "reference", "last_name", "first_name", "born_on", "email", "phone"]


class Persons(Reading):
    """People who live in, pay for or stand surety for a home (*personnes*)."""

    access = ("person", "view")
    serializer_class = PersonRecord
    queryset = Person.objects.all()
    sorts = {"name": "last_name"}
    default_sort = "name"
    audited = ("person", "pk")


class MemberRecord(SeenModel):
    person = PersonRecord(read_only=True)

    class Meta:
        model = Membership
        resource = "household"
        fields = ["id", "person", "role", "start", "end"]


class HouseholdRecord(SeenModel):
    """A household; name and phone are those of who heads it today."""

    name = serializers.SerializerMethodField()
    phone = serializers.SerializerMethodField()
    units = serializers.SerializerMethodField(help_text="References of the homes occupied today.")
    members = MemberRecord(source="memberships", many=True, read_only=True)
    leases = serializers.PrimaryKeyRelatedField(many=True, read_only=True)

    class Meta:
        model = Household
        resource = "household"
        seen_as = {"units": "household.unit", "leases": "lease.reference"}
        fields = ["id", "reference", "name", "phone", "units", "members", "leases"]

    def get_name(self, household) -> str:
        head = head_of(household)
        return str(head) if head else ""

    def get_phone(self, household) -> str:
        head = head_of(household)
        return head.phone if head else ""

    def get_units(self, household) -> list[str]:
        stays = [stay for lease in household.leases.all() for stay in lease.occupancies.all()]
        return [stay.place.unit.reference for stay in stays if runs_on(stay, today())]


class Households(Reading):
    """People who live together, with or without a home of ours (*ménages*)."""

    access = ("household", "view")
    serializer_class = HouseholdRecord
    queryset = Household.objects.prefetch_related(
        Prefetch("memberships", Membership.objects.select_related("person").order_by("start", "pk")),
        Prefetch("leases", Lease.objects.order_by("start", "pk")),
        Prefetch("leases__occupancies", Occupancy.objects.select_related("place__unit").order_by("start")),
    )
    filterset_class = HouseholdFilter
    sorts = {"reference": "reference"}
    default_sort = "reference"
    audited = ("household", "pk")


def runs_on(dated, day) -> bool:
    return dated.start <= day and (dated.end is None or day < dated.end)


def head_of(household) -> Person | None:
    """Who heads the household today; the first to have joined where nobody does."""
    members = list(household.memberships.all())
    heads = [one for one in members if one.role == Membership.Role.HEAD and runs_on(one, today())]
    return (heads or members)[0].person if members else None


# ---- leases -----------------------------------------------------------------------------


class RentTermRecord(SeenModel):
    item_label = serializers.CharField(source="get_item_display", read_only=True)

    class Meta:
        model = RentTerm
        resource = "lease_money"
        seen_as = dict.fromkeys(
            ("lease", "item", "item_label", "amount", "start", "end"), "lease_money.items"
        )
        fields = ["id", "lease", "item", "item_label", "amount", "start", "end"]


class RentTerms(Reading):
    """What each lease owes a month, by item and over time (*conditions de loyer*)."""

    access = ("lease_money", "view")
    serializer_class = RentTermRecord
    queryset = RentTerm.objects.all()
    filterset_fields = ["lease", "item"]
    sorts = {"start": "start"}
    default_sort = "start"
    audited = ("lease", "lease_id")


class OccupancyRecord(SeenModel):
    place_reference = serializers.CharField(source="place.reference", read_only=True)
    unit = serializers.PrimaryKeyRelatedField(source="place.unit", read_only=True)

    class Meta:
        model = Occupancy
        resource = "lease"
        fields = ["id", "lease", "place", "place_reference", "unit", "start", "end", "keys_returned_on"]


class Occupancies(Reading):
    """Who occupies which place, until the keys come back (*occupations*)."""

    access = ("lease", "view")
    serializer_class = OccupancyRecord
    queryset = Occupancy.objects.select_related("place__unit")
    filterset_fields = ["lease", "place"]
    sorts = {"start": "start"}
    default_sort = "start"
    audited = ("lease", "lease_id")


class BenefitRecord(SeenModel):
    class Meta:
        model = Benefit
        resource = "benefit"
        seen_as = {
            "lease": "lease.",
            "beneficiary_number": "benefit.file_number",
            "paid_to_landlord": "benefit.state",
        }
        fields = [
            "id",
            "lease",
            "payer",
            "kind",
            "beneficiary_number",
            "amount",
            "paid_to_landlord",
            "start",
            "end",
        ]


class Benefits(Reading):
    """Rights to housing benefit (*droits APL/AL*)."""

    access = ("benefit", "view")
    serializer_class = BenefitRecord
    queryset = Benefit.objects.all()
    filterset_fields = ["lease", "kind"]
    sorts = {"start": "start"}
    default_sort = "start"
    audited = ("lease", "lease_id")


class PartyRecord(SeenModel):
    class Meta:
        model = LeaseParty
        resource = "lease"
        fields = ["id", "person", "role", "start", "end"]


class PayerRecord(SeenModel):
    class Meta:
        model = PayerIban
        resource = "lease_money"
        fields = ["id", "iban", "since"]


class LeaseRecord(SeenModel):
    class Meta:
        model = Lease
        resource = "lease"
        seen_as = {
            "due_day": "lease_money.due_day",
            "deposit": "lease_money.deposit",
            "debit_mandate": "lease_money.iban",
        }
        fields = [
            "id",
            "reference",
            "kind",
            "household",
            "signed_on",
            "start",
            "last_renewed_on",
            "end",
            "end_reason",
            "billing",
            "due_day",
            "deposit",
            "payment_reference",
            "debit_mandate",
        ]


class LeaseDetail(LeaseRecord):
    parties = PartyRecord(many=True, read_only=True)
    occupancies = OccupancyRecord(many=True, read_only=True)
    terms = RentTermRecord(many=True, read_only=True)
    benefits = BenefitRecord(many=True, read_only=True)
    payer_ibans = PayerRecord(many=True, read_only=True)

    class Meta(LeaseRecord.Meta):
        seen_as = LeaseRecord.Meta.seen_as | {
            "terms": "lease_money.items",
            "benefits": "benefit.",
            "payer_ibans": "lease_money.iban",
        }
        fields = [*LeaseRecord.Meta.fields, "parties", "occupancies", "terms", "benefits", "payer_ibans"]


class AgesRecord(serializers.Serializer):
    """What is owed by days since it fell due, in euros (*balance âgée*)."""

    not_due = Euros()
    d0_30 = Euros()
    d31_60 = Euros()
    d61_90 = Euros()
    over_90 = Euros()


class SettledRecord(serializers.Serializer):
    due = serializers.DateField()
    amount = Euros()


class AccountLineRecord(serializers.Serializer):
    on = serializers.DateField()
    due = serializers.DateField()
    label = serializers.CharField()
    month = Month(allow_null=True)
    debit = Euros(allow_null=True)
    credit = Euros(allow_null=True)
    balance = Euros()
    settles = serializers.SerializerMethodField(help_text="Which due dates a payment settles.")

    @extend_schema_field(SettledRecord(many=True))
    def get_settles(self, line):
        return SettledRecord([{"due": due, "amount": amount} for due, amount in line.settles], many=True).data


class AccountRecord(Seen):
    """A tenant's account at a date; positive amounts are owed to us."""

    lease = serializers.IntegerField()
    on = serializers.DateField()
    balance = Euros()
    buckets = AgesRecord()
    since = serializers.DateField(allow_null=True, help_text="Due date of the oldest rent unpaid.")
    benefit_wait = Euros(help_text="Housing benefit expected and not paid yet.")
    lines = AccountLineRecord(many=True)

    class Meta:
        resource = "tenant_account"
        seen_as = {"lease": "tenant_account.balance", "on": "tenant_account.balance"}


class LeasesFilter(LeaseFilter):
    class Meta(LeaseFilter.Meta):
        fields = [*LeaseFilter.Meta.fields, "household"]


class Leases(Reading):
    """Titles to occupy, whatever their regime (*baux, contrats*)."""

    access = {"list": ("lease", "view"), "retrieve": ("lease", "view"), "account": ("tenant_account", "view")}
    serializer_class = LeaseRecord
    record_class = LeaseDetail
    queryset = Lease.objects.all()
    filterset_class = LeasesFilter
    sorts = {"reference": "reference", "start": "start"}
    default_sort = "reference"
    audited = ("lease", "pk")

    def get_queryset(self):
        leases = super().get_queryset()
        if self.action != "retrieve":
            return leases
        stays = Occupancy.objects.select_related("place__unit").order_by("start")
        return leases.prefetch_related(
            "parties", Prefetch("occupancies", stays), "terms", "benefits", "payer_ibans"
        )

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "on", OpenApiTypes.DATE, description="At the end of which day; today by default."
            )
        ],
        responses=AccountRecord,
    )
    @action(detail=True, pagination_class=None, filter_backends=[])
    def account(self, request, pk=None):
        """The tenant's account at a date: balance, ages, and line by line for who may see them."""
        lease = self.get_object()
        on = asked_day(request)
        audit.record_read(request, "tenant_account", lease.pk)
        aged = next(tenant_account.aged(on, lease=lease), None) or tenant_account.Aged(
            lease.pk, *[euros(0)] * 5, None, euros(0)
        )
        told = {
            "lease": lease.pk,
            "on": on,
            "balance": tenant_account.balance(lease, on),
            "buckets": aged,
            "since": aged.oldest_due,
            "benefit_wait": aged.benefit_wait,
            "lines": tenant_account.lines(lease, on) if sees(request.user, "tenant_account.lines") else [],
        }
        return Response(AccountRecord(told, context=self.get_serializer_context()).data)


def asked_day(request):
    """The day that ?on= asks for, or today."""
    text = request.query_params.get("on")
    if not text:
        return today()
    try:
        return serializers.DateField().to_internal_value(text)
    except ValidationError as error:
        raise ValidationError({"on": error.detail}) from None


# ---- rent runs --------------------------------------------------------------------------


class MonthAsked(serializers.Serializer):
    month = Month()


class PreviewLineRecord(serializers.Serializer):
    owner_kind = serializers.CharField()
    item = serializers.IntegerField()
    item_label = serializers.CharField()
    calls = serializers.IntegerField()
    amount = Euros()


class AnomalyRecord(serializers.Serializer):
    """A lease left out of a run, or called with a warning."""

    lease = serializers.IntegerField(source="lease_id")
    code = serializers.ChoiceField(choices=sorted(rent.EXCEPTIONS))
    reason = serializers.SerializerMethodField()
    blocking = serializers.BooleanField(help_text="Left out of the run.")
    amount = Euros(allow_null=True)

    def get_reason(self, anomaly) -> str:
        return str(rent.EXCEPTIONS.get(anomaly.code, anomaly.code))


class PreviewRecord(serializers.Serializer):
    """What a run would call; nothing is written."""

    month = Month()
    leases = serializers.IntegerField()
    total = Euros()
    lines = PreviewLineRecord(many=True)
    anomalies = AnomalyRecord(many=True)


class RentRunRecord(SeenModel):
    month = Month(read_only=True)
    open = serializers.SerializerMethodField()

    class Meta:
        model = RentRun
        resource = "rent_run"
        fields = ["id", "month", "opened_at", "closed_at", "open", "sealed_calls", "sealed_total"]

    def get_open(self, run) -> bool:
        return run.closed_at is None


class CallRecord(SeenModel):
    """An amount called once; version 2 and later carry only what changed since."""

    item_label = serializers.CharField(source="get_item_display", read_only=True)
    month = Month(read_only=True)

    class Meta:
        model = RentCall
        resource = "rent_run"
        fields = [
            "id",
            "lease",
            "month",
            "item",
            "item_label",
            "version",
            "amount",
            "monthly",
            "days",
            "month_days",
            "due",
        ]


class RentRuns(Reading):
    """Callings of rent for a month (*quittancements*)."""

    access = {
        "list": ("rent_run", "view"),
        "retrieve": ("rent_run", "view"),
        "calls": ("rent_run", "view"),
        "exceptions": ("rent_run", "view"),
        "preview": ("rent_run", "run"),
        "create": ("rent_run", "commit"),
    }
    serializer_class = RentRunRecord
    queryset = RentRun.objects.all()
    filterset_fields = ["month"]
    sorts = {"month": "month", "opened_at": "opened_at"}
    default_sort = "-opened_at"

    @extend_schema(request=MonthAsked, responses={202: JobRecord})
    def create(self, request):
        """Call the rent of a month: starts the work, or gives back the one under way."""
        month = f"{asked_month(request):%Y-%m}"
        started = jobs.start("rent_run", by=request.user, once=month, month=month)
        return accepted(request, started)

    @extend_schema(request=MonthAsked, responses=PreviewRecord, filters=False)
    @action(detail=False, methods=["post"], pagination_class=None, filter_backends=[])
    def preview(self, request):
        """What a run of a month would call now, by owner kind and item, and every anomaly."""
        found = rent.preview_run(asked_month(request))
        lines = [
            {
                "owner_kind": kind,
                "item": item,
                "item_label": str(ITEMS[item].label),
                "calls": calls,
                "amount": amount,
            }
            for kind, item, calls, amount in found.lines
        ]
        told = {
            "month": found.month,
            "leases": found.leases,
            "total": found.total,
            "lines": lines,
            "anomalies": found.anomalies,
        }
        return Response(PreviewRecord(told).data)

    @extend_schema(parameters=described(CallFilter), responses=CallRecord(many=True))
    @action(detail=True, filter_backends=[])
    def calls(self, request, pk=None):
        """What a run called, line by line."""
        return self.within(
            RentCall.objects.filter(run=self.get_object()),
            CallRecord,
            filterset_class=CallFilter,
            sorts={"lease": "lease", "amount": "amount"},
            default_sort="lease",
            audited=("lease", "lease_id"),
        )

    @extend_schema(responses=AnomalyRecord(many=True))
    @action(detail=True, filter_backends=[])
    def exceptions(self, request, pk=None):
        """The leases that a run left out, or called with a warning, and why."""
        rows = RunException.objects.filter(run=self.get_object())
        return self.within(rows, AnomalyRecord, sorts={"id": "pk"}, default_sort="id")


def asked_month(request):
    asked = MonthAsked(data=request.data)
    asked.is_valid(raise_exception=True)
    return asked.validated_data["month"]
