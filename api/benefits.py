"""Housing benefit: unpaid rent to tell the payer, what was expected and paid, rents and departures to tell; CHRS participations."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.views import APIView

from api.fields import Euros, Month, SeenModel
from api.reading import Reading
from arrears import benefit_reports
from arrears.models import BenefitReport
from core import audit
from core.money import euros
from core.periods import first_of_month
from core.today import today
from leases.benefit_declarations import departures_to_tell, july, rents_told
from leases.benefit_differences import REASONS, TO_DO, compare, differences, month_to_compare
from leases.benefits import conflicts
from leases.models import Benefit, Lease, ProvedResources
from leases.tenancy import participation


class BenefitReportRecord(SeenModel):
    class Meta:
        model = BenefitReport
        resource = "benefit_report"
        fields = [
            "id", "lease", "payer", "constituted_on", "deadline", "amount", "threshold", "reported_on", "receipt",
            "receipt_on",
        ]  # fmt: skip


class ReportAsked(serializers.Serializer):
    lease = serializers.PrimaryKeyRelatedField(queryset=Lease.objects.all())


class ReceiptAsked(serializers.Serializer):
    receipt = serializers.CharField(max_length=40)
    on = serializers.DateField()


class BenefitReports(Reading):
    """What the payer of the benefit was told (*signalements d'impayé*)."""

    access = {
        "list": ("benefit_report", "view"),
        "retrieve": ("benefit_report", "view"),
        "create": ("benefit_report", "change"),
        "receipt": ("benefit_report", "change"),
    }
    queryset = BenefitReport.objects.all()
    serializer_class = BenefitReportRecord
    filterset_fields = ["lease", "payer"]
    sorts = {"reported_on": "reported_on", "deadline": "deadline"}
    default_sort = "-reported_on"
    audited = ("benefit_report", "pk")

    @extend_schema(request=ReportAsked, responses={201: BenefitReportRecord})
    def create(self, request):
        asked = ReportAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        [made] = benefit_reports.report(
            [asked.validated_data["lease"]], on=today(), by=request.user, now=timezone.now()
        )
        return Response(self.get_serializer(made).data, status=201)

    @extend_schema(request=ReceiptAsked, responses=BenefitReportRecord)
    @action(detail=True, methods=["post"])
    def receipt(self, request, pk=None):
        asked = ReceiptAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        made = benefit_reports.record_receipt(self.get_object(), **asked.validated_data, by=request.user)
        return Response(self.get_serializer(made).data)


def total_of(rows, name: str):
    return sum((getattr(one, name) for one in rows), euros(0))


class DifferenceRecord(serializers.Serializer):
    """A household's benefit for a month; lease is null for money of a beneficiary nobody knows."""

    lease = serializers.IntegerField(source="lease_id", allow_null=True)
    payer = serializers.CharField()
    kind = serializers.CharField()
    beneficiary_number = serializers.CharField(source="number")
    expected = Euros()
    paid = Euros()
    difference = Euros(help_text="Paid less expected.")
    later = Euros(help_text="Of which paid after the month in which it was due.")
    recall = Euros(help_text="Back-payment, as the list says.")
    recovery = Euros(help_text="Kept back for an overpayment, as the list says.")
    reason = serializers.SerializerMethodField()
    allocation = serializers.IntegerField(source="line", allow_null=True, help_text="Its line in suspense.")

    def get_reason(self, one) -> str:
        return one.reason(self.context["on"])


class MonthDifferencesRecord(serializers.Serializer):
    """A month's benefits: all that was expected and paid, and each difference."""

    month = Month()
    expected = Euros()
    paid = Euros()
    differences = DifferenceRecord(many=True)


class DifferencesAsked(serializers.Serializer):
    month = Month(required=False, help_text="By default the last month whose benefit is due.")
    reason = serializers.ChoiceField(
        required=False, choices=[(code, label) for code, label in REASONS.items() if code in TO_DO]
    )


class BenefitDifferences(APIView):
    """Housing benefit expected against paid, household by household."""

    access = ("benefit_payment", "view")
    http_method_names = ["get", "head"]

    @extend_schema(parameters=[DifferencesAsked], responses=MonthDifferencesRecord)
    def get(self, request):
        asked = DifferencesAsked(data=request.query_params)
        asked.is_valid(raise_exception=True)
        on = today()
        month = asked.validated_data.get("month") or month_to_compare(on)
        found = compare(month)
        differing = differences(month, on=on, reason=asked.validated_data.get("reason", ""), rows=found)
        audit.record_read(request, "benefit_payment", sorted({one.lease_id for one in differing} - {None}))
        told = {
            "month": month,
            "expected": total_of(found, "expected"),
            "paid": total_of(found, "paid"),
            "differences": differing,
        }
        return Response(MonthDifferencesRecord(told, context={"on": on}).data)


class RentToldRecord(serializers.Serializer):
    """A beneficiary's rent on a day, in euros a month."""

    lease = serializers.IntegerField(source="lease.pk")
    payer = serializers.CharField(source="benefit.payer")
    kind = serializers.CharField(source="benefit.kind")
    beneficiary_number = serializers.CharField(source="benefit.beneficiary_number")
    lives_there = serializers.SerializerMethodField()
    rent = Euros(help_text="Without charges.")
    charges = Euros()
    services = Euros(help_text="Everything else agreed.")
    up_to_date = serializers.BooleanField()

    def get_lives_there(self, one) -> bool:
        return one.stay is not None


class RentsToldRecord(serializers.Serializer):
    on = serializers.DateField()
    rents = RentToldRecord(many=True)


class RentsToldAsked(serializers.Serializer):
    on = serializers.DateField(required=False, help_text="By default the first of the last July.")
    lease = serializers.PrimaryKeyRelatedField(queryset=Lease.objects.all(), required=False)


class BenefitRents(APIView):
    """The rents that the payer of the benefit asks for (*déclaration de juillet, attestation de loyer*)."""

    access = ("benefit_payment", "view")
    http_method_names = ["get", "head"]

    @extend_schema(parameters=[RentsToldAsked], responses=RentsToldRecord)
    def get(self, request):
        asked = RentsToldAsked(data=request.query_params)
        asked.is_valid(raise_exception=True)
        on = asked.validated_data.get("on") or july(today())
        lease = asked.validated_data.get("lease")
        found = rents_told(on, leases=[lease.pk] if lease else None)
        audit.record_read(request, "benefit_payment", [one.lease.pk for one in found])
        return Response(RentsToldRecord({"on": on, "rents": found}).data)


class DepartureRecord(serializers.Serializer):
    """Who left with a right still recorded; stop_from: the first month without benefit."""

    lease = serializers.IntegerField(source="lease.pk")
    payer = serializers.CharField(source="benefit.payer")
    beneficiary_number = serializers.CharField(source="benefit.beneficiary_number")
    last_day = serializers.DateField()
    stop_from = serializers.DateField()


class BenefitDepartures(APIView):
    """Departures of beneficiaries to tell the payer."""

    access = ("benefit_payment", "view")
    http_method_names = ["get", "head"]

    @extend_schema(responses=DepartureRecord(many=True))
    def get(self, request):
        found = departures_to_tell(today())
        audit.record_read(request, "benefit_payment", [one.lease.pk for one in found])
        return Response(DepartureRecord(found, many=True).data)


class ConflictRecord(serializers.Serializer):
    """A benefit recorded together with ALT; unit is null where only the contract opens no right."""

    benefit = serializers.IntegerField(source="benefit.pk")
    lease = serializers.IntegerField(source="benefit.lease_id")
    kind = serializers.ChoiceField(source="benefit.kind", choices=Benefit.Kind.choices)
    unit = serializers.SerializerMethodField()

    def get_unit(self, one) -> int | None:
        return one.stay.place.unit_id if one.stay else None


class BenefitConflicts(APIView):
    """Benefits recorded for homes that ALT pays for, or under contracts that open no right."""

    access = ("benefit_payment", "view")
    http_method_names = ["get", "head"]

    @extend_schema(responses=ConflictRecord(many=True))
    def get(self, request):
        found = conflicts()
        audit.record_read(request, "benefit_payment", sorted({one.benefit.lease_id for one in found}))
        return Response(ConflictRecord(found, many=True).data)


class ParticipationRecord(serializers.Serializer):
    """A CHRS stay's participation for a month, in euros; refusal: why there is none."""

    lease = serializers.IntegerField(source="lease.pk")
    persons = serializers.IntegerField()
    resources = serializers.SerializerMethodField()
    percent = serializers.DecimalField(max_digits=4, decimal_places=1)
    amount = Euros(help_text="For a whole month.")
    left = Euros(help_text="What stays with the household.")
    capped = serializers.BooleanField(help_text="Lowered to leave what the law leaves.")
    first_days = serializers.SerializerMethodField(help_text="Days at the flat amount.")
    daily = Euros()
    to_set = serializers.BooleanField(source="changes")
    refusal = serializers.SerializerMethodField()

    @extend_schema_field(Euros(allow_null=True))
    def get_resources(self, one):
        return f"{one.resources.amount.amount:.2f}" if one.resources else None

    def get_first_days(self, one) -> int:
        return len(one.first_days)

    def get_refusal(self, one) -> str:
        return str(one.refusal.reason) if one.refusal else ""


class ParticipationsAsked(serializers.Serializer):
    month = Month(required=False, help_text="By default this month.")


class ParticipationAsked(serializers.Serializer):
    lease = serializers.PrimaryKeyRelatedField(queryset=Lease.objects.all())
    month = Month()


class Participations(APIView):
    """What each CHRS stay is to pay for a month, from proved resources; POST sets it as rent."""

    access = {"get": ("participation", "view"), "post": ("participation", "change")}
    http_method_names = ["get", "head", "post"]

    @extend_schema(parameters=[ParticipationsAsked], responses=ParticipationRecord(many=True))
    def get(self, request):
        asked = ParticipationsAsked(data=request.query_params)
        asked.is_valid(raise_exception=True)
        found = participation.participations(asked.validated_data.get("month") or first_of_month(today()))
        audit.record_read(request, "participation", [one.lease.pk for one in found])
        return Response(ParticipationRecord(found, many=True).data)

    @extend_schema(request=ParticipationAsked, responses=ParticipationRecord)
    def post(self, request):
        asked = ParticipationAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        made = participation.set_participation(**asked.validated_data, by=request.user, now=timezone.now())
        return Response(ParticipationRecord(made).data)


class ProvedResourcesRecord(SeenModel):
    class Meta:
        model = ProvedResources
        resource = "participation"
        fields = ["id", "lease", "since", "amount", "proof"]


class ProvedResourcesList(Reading):
    """Resources that CHRS residents proved (*ressources justifiées*)."""

    access = {
        "list": ("participation", "view"),
        "retrieve": ("participation", "view"),
        "create": ("participation", "change"),
    }
    queryset = ProvedResources.objects.all()
    serializer_class = ProvedResourcesRecord
    filterset_fields = ["lease"]
    sorts = {"id": "pk", "since": "since"}
    default_sort = "-since"
    audited = ("participation", "lease_id")

    @extend_schema(request=ProvedResourcesRecord, responses={201: ProvedResourcesRecord})
    def create(self, request):
        asked = self.get_serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        made = participation.prove_resources(**asked.validated_data, by=request.user, now=timezone.now())
        return Response(self.get_serializer(made).data, status=201)
