"""Files before signature, a tenancy's surveys, deposits to give back, final accounts, transfers to tenants, temporary stays."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from api.fields import Euros, SeenModel
from api.reading import Listing, Reading
from core import audit
from core.today import today
from leases.filters import TransferFilter
from leases.models import (
    Application,
    Deduction,
    FinalAccount,
    Inspection,
    InspectionLine,
    Lease,
    MeterReading,
    StayExtension,
    TenantTransfer,
)
from leases.tenancy import applications, departure, signing, stays

# ---- files before signature -------------------------------------------------------------------


class ApplicationRecord(SeenModel):
    reference = serializers.CharField(read_only=True)
    stage = serializers.ChoiceField(choices=Application.Stage.choices, read_only=True)

    class Meta:
        model = Application
        resource = "application"
        # Who sees how far a file is sees its days; what is in it is for who decides.
        seen_as = dict.fromkeys(
            ("opened_on", "offered_on", "accepted_on", "closed_on"), "application.stage"
        ) | dict.fromkeys(("held_until", "answer_by"), "application.deadline")
        fields = [
            "id", "reference", "household", "place", "stage", "holder", "held_until", "opened_on", "offered_on",
            "answer_by", "accepted_on", "closed_on", "closed_for", "lease", "adults", "children",
            "request_kind", "request_number", "kind", "start", "rent", "charges", "deposit", "tax_income",
            "tax_year", "waiver", "monthly_income", "benefit", "benefit_basis",
        ]  # fmt: skip


class ObstacleRecord(serializers.Serializer):
    """What stands against a signature; grave, it is refused."""

    subject = serializers.CharField()
    reason = serializers.CharField()
    remedy = serializers.CharField()
    grave = serializers.BooleanField()


class NewApplicationAsked(serializers.ModelSerializer):
    class Meta:
        model = Application
        fields = ["household", *applications.FACTS]
        extra_kwargs = {
            name: {"required": False} for name in ("adults", "children", "holder", "higher_category")
        }

    serializer_field_mapping = SeenModel.serializer_field_mapping


class OnAsked(serializers.Serializer):
    on = serializers.DateField(required=False, help_text="Today by default.")


class OfferAsked(OnAsked):
    answer_by = serializers.DateField(required=False, allow_null=True)


class CloseAsked(OnAsked):
    reason = serializers.ChoiceField(choices=Application.Closed.choices)
    note = serializers.CharField(required=False, max_length=200, default="")


class SignAsked(OnAsked):
    due_day = serializers.IntegerField(required=False, min_value=1, max_value=28, default=5)
    billing = serializers.ChoiceField(choices=Lease.Billing.choices, required=False)
    deposit_asked = serializers.BooleanField(required=False, default=True)


class Applications(Reading):
    """Files before signature (*dossiers*): opened, offered, answered, signed."""

    access = {
        "list": ("application", "view"),
        "retrieve": ("application", "view"),
        "obstacles": ("application", "change"),
        "create": ("application", "change"),
        "offer": ("application", "change"),
        "accept": ("application", "change"),
        "close": ("application", "change"),
        "sign": ("application", "change"),
    }
    serializer_class = ApplicationRecord
    queryset = Application.objects.with_deadline()
    filterset_fields = ["household", "place", "holder"]
    sorts = {"deadline": "deadline", "opened": "opened_on"}
    default_sort = "deadline"
    audited = ("application", "pk")

    @extend_schema(request=NewApplicationAsked, responses={201: ApplicationRecord})
    def create(self, request):
        """Open a file for a household known here; what is left out may be told later on its page."""
        asked = NewApplicationAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        made = applications.open_application(on=today(), by=request.user, **asked.validated_data)
        return Response(self.get_serializer(made).data, 201)

    @extend_schema(responses=ObstacleRecord(many=True))
    @action(detail=True, pagination_class=None, filter_backends=[])
    def obstacles(self, request, pk=None):
        """All that stands against signing this file today."""
        file = self.get_object()
        self.was_read([file])
        return Response(ObstacleRecord(signing.obstacles(file, on=today()), many=True).data)

    @extend_schema(request=OfferAsked, responses=ApplicationRecord)
    @action(detail=True, methods=["post"])
    def offer(self, request, pk=None):
        """Offer the home on the terms of the file."""
        return self.step(OfferAsked, signing.offer_home)

    @extend_schema(request=OnAsked, responses=ApplicationRecord)
    @action(detail=True, methods=["post"])
    def accept(self, request, pk=None):
        """The household takes the home."""
        return self.step(OnAsked, applications.accept_offer)

    @extend_schema(request=CloseAsked, responses=ApplicationRecord)
    @action(detail=True, methods=["post"])
    def close(self, request, pk=None):
        """The home is refused, or the file ends without a lease."""
        return self.step(CloseAsked, applications.close_application)

    @extend_schema(request=SignAsked, responses=ApplicationRecord)
    @action(detail=True, methods=["post"])
    def sign(self, request, pk=None):
        """Sign the lease of an accepted file."""
        return self.step(SignAsked, signing.sign_lease, now=timezone.now())

    def step(self, asked_class, verb, **more):
        """One step of a file, as asked; the file as it then stands."""
        asked = asked_class(data=self.request.data)
        asked.is_valid(raise_exception=True)
        told = {"on": today(), **asked.validated_data, **more}
        file = self.get_object()
        verb(file, by=self.request.user, **told)
        return Response(self.get_serializer(self.get_object()).data)


# ---- surveys ----------------------------------------------------------------------------------


class InspectionLineRecord(serializers.ModelSerializer):
    condition_label = serializers.CharField(source="get_condition_display", read_only=True)

    class Meta:
        model = InspectionLine
        fields = ["room", "element", "condition", "condition_label", "remark", "new_since"]


class MeterReadingRecord(serializers.ModelSerializer):
    class Meta:
        model = MeterReading
        fields = ["meter", "number", "value"]


class InspectionRecord(SeenModel):
    lease = serializers.PrimaryKeyRelatedField(source="occupancy.lease", read_only=True)
    place = serializers.PrimaryKeyRelatedField(source="occupancy.place", read_only=True)

    class Meta:
        model = Inspection
        resource = "inspection"
        fields = ["id", "lease", "place", "kind", "on", "attended", "keys", "conforms", "signed_at"]


class InspectionDetail(InspectionRecord):
    lines = InspectionLineRecord(many=True, read_only=True)
    readings = MeterReadingRecord(many=True, read_only=True)

    class Meta(InspectionRecord.Meta):
        fields = [*InspectionRecord.Meta.fields, "remarks", "completion", "completed_on", "lines", "readings"]


class Inspections(Reading):
    """Entry and exit surveys (*états des lieux*)."""

    access = ("inspection", "view")
    serializer_class = InspectionRecord
    record_class = InspectionDetail
    queryset = Inspection.objects.select_related("occupancy")
    filterset_fields = ["kind", "occupancy__lease"]
    sorts = {"on": "on"}
    default_sort = "-on"
    audited = ("inspection", "pk")

    def get_queryset(self):
        rows = super().get_queryset()
        return rows.prefetch_related("lines", "readings") if self.action == "retrieve" else rows


# ---- deposits ---------------------------------------------------------------------------------


class ToReturnRecord(serializers.Serializer):
    """A deposit held after the keys came back; late is what the delay costs today."""

    lease = serializers.IntegerField(source="lease.pk")
    reference = serializers.CharField(source="lease.reference")
    keys_on = serializers.DateField()
    conforms = serializers.BooleanField(allow_null=True)
    deadline = serializers.DateField(allow_null=True, help_text="None for a part kept for the charges.")
    held = Euros()
    owed = Euros()
    late = Euros(help_text="What giving it back today costs.")
    next_late = Euros(help_text="What it costs once the next month has begun.")
    address_known = serializers.BooleanField()
    kept_for_charges = serializers.BooleanField()


class DeductionRecord(SeenModel):
    class Meta:
        model = Deduction
        resource = "deposit"
        fields = [
            "id",
            "nature",
            "label",
            "category",
            "new_since",
            "cost",
            "share",
            "amount",
            "proof",
            "proof_reference",
        ]


class FinalAccountRecord(SeenModel):
    deductions = DeductionRecord(many=True, read_only=True)

    class Meta:
        model = FinalAccount
        resource = "deposit"
        fields = [
            "id",
            "lease",
            "stage",
            "on",
            "deadline",
            "before",
            "repairs",
            "held",
            "kept",
            "late",
            "to_pay",
            "to_transfer",
            "undone_on",
            "deductions",
        ]


class FinalAsked(serializers.Serializer):
    lease = serializers.PrimaryKeyRelatedField(queryset=Lease.objects.all())
    on = serializers.DateField(required=False, help_text="Today by default.")
    keep = Euros(required=False, allow_null=True, help_text="Kept until the year's charges are settled.")


class FinalAccounts(Reading):
    """What departures came to (*soldes de tout compte*), and the deposits still to give back."""

    access = {
        "list": ("deposit", "view"),
        "retrieve": ("deposit", "view"),
        "to_return": ("deposit", "view"),
        "create": ("deposit", "change"),
    }
    serializer_class = FinalAccountRecord
    queryset = FinalAccount.objects.prefetch_related("deductions")
    filterset_fields = ["lease", "stage"]
    sorts = {"on": "on"}
    default_sort = "-on"
    audited = ("deposit", "lease_id")

    @extend_schema(request=FinalAsked, responses={201: FinalAccountRecord})
    def create(self, request):
        """Make the final account of a lease: once, as its preview on the page shows it."""
        asked = FinalAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        told = asked.validated_data
        made = departure.close_account(
            told["lease"],
            on=told.get("on") or today(),
            keep=told.get("keep"),
            by=request.user,
            now=timezone.now(),
        )
        return Response(FinalAccountRecord(made, context=self.get_serializer_context()).data, 201)

    @extend_schema(responses=ToReturnRecord(many=True))
    @action(detail=False, pagination_class=None, filter_backends=[], url_path="to-return")
    def to_return(self, request):
        """Deposits to give back, the most urgent first, with what waiting costs."""
        rows = departure.to_return(today())
        audit.record_read(request, "deposit", [row.lease.pk for row in rows])
        return Response(ToReturnRecord(rows, many=True).data)


class TransferRecord(SeenModel):
    class Meta:
        model = TenantTransfer
        resource = "deposit"
        seen_as = {"iban": "lease_money.iban"}
        fields = ["id", "lease", "final", "amount", "by_date", "iban", "sent_on", "cancelled_on"]


class TenantTransfers(Listing):
    """Money to give back to tenants who left (*virements aux locataires*)."""

    access = ("deposit", "view")
    serializer_class = TransferRecord
    queryset = TenantTransfer.objects.all()
    filterset_class = TransferFilter
    sorts = {"by": "by_date"}
    default_sort = "by"
    audited = ("deposit", "lease_id")


# ---- stays ------------------------------------------------------------------------------------


class StayRecord(serializers.Serializer):
    """A temporary stay: term is what its regime means it to last, granted what was added."""

    lease = serializers.IntegerField(source="lease.pk")
    reference = serializers.CharField(source="lease.reference")
    kind = serializers.CharField(source="lease.kind")
    structure = serializers.CharField()
    place = serializers.CharField()
    entered = serializers.DateField()
    term = serializers.DateField()
    granted = serializers.DateField(allow_null=True)
    last_day = serializers.DateField()
    state = serializers.SerializerMethodField(help_text="running, soon, extended or over.")

    def get_state(self, stay) -> str:
        return stay.state(today())


class ExtensionRecord(SeenModel):
    class Meta:
        model = StayExtension
        resource = "stay"
        fields = ["id", "lease", "decided_on", "until", "decided_by", "reason", "withdrawn_on"]


class StayExtensions(Listing):
    """Temporary stays (*séjours temporaires*) and the time granted to them."""

    access = {"list": ("stay", "view"), "running": ("stay", "view")}
    serializer_class = ExtensionRecord
    queryset = StayExtension.objects.all()
    filterset_fields = ["lease"]
    sorts = {"until": "until"}
    default_sort = "until"
    audited = ("lease", "lease_id")

    @extend_schema(responses=StayRecord(many=True))
    @action(detail=False, pagination_class=None, filter_backends=[])
    def running(self, request):
        """The stays that run today, those furthest over their term first."""
        rows = stays.stays(today())
        audit.record_read(request, "lease", [row.lease.pk for row in rows])
        return Response(StayRecord(rows, many=True).data)
