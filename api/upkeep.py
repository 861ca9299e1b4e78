"""What leases oblige, repairs, and homes to let again."""

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from api.fields import Euros, SeenModel, sees
from api.reading import Listing, Reading
from core import audit
from core.today import today
from leases.models import (
    Certificate,
    Lease,
    ObligationStep,
    RelettingStep,
    Repair,
    RepairInvoice,
    WorkOrder,
)
from leases.upkeep import obligations, reletting, repairs
from leases.upkeep.obligations import KINDS, STATES, STEPS
from portfolio.models import Unit

# ---- obligations ------------------------------------------------------------------------------


class CertificateRecord(SeenModel):
    class Meta:
        model = Certificate
        resource = "obligation"
        fields = ["id", "lease", "kind", "start", "end", "received_on", "issued_by", "reference"]


class StepRecord(SeenModel):
    class Meta:
        model = ObligationStep
        resource = "obligation"
        fields = ["id", "lease", "kind", "step", "on", "note", "premium", "answered_by"]


class StepAsked(serializers.Serializer):
    lease = serializers.PrimaryKeyRelatedField(queryset=Lease.objects.all())
    kind = serializers.ChoiceField(choices=list(KINDS.items()))
    step = serializers.ChoiceField(choices=list(STEPS.items()))
    on = serializers.DateField()
    note = serializers.CharField(max_length=200, required=False, default="")
    premium = Euros(required=False, default=None)


class CertificateAsked(serializers.Serializer):
    lease = serializers.PrimaryKeyRelatedField(queryset=Lease.objects.all())
    kind = serializers.ChoiceField(choices=list(KINDS.items()))
    start = serializers.DateField()
    end = serializers.DateField(required=False, default=None, help_text="Excluded; a year later by default.")
    received_on = serializers.DateField()
    issued_by = serializers.CharField(max_length=80, required=False, default="")
    reference = serializers.CharField(max_length=60, required=False, default="")


class OwedRecord(serializers.Serializer):
    """A lease that must prove something: since when it is missing, and the open steps."""

    lease = serializers.IntegerField(source="pk")
    reference = serializers.CharField()
    valid_until = serializers.DateField(allow_null=True, help_text="Excluded; none was ever given: null.")
    missing_since = serializers.DateField()
    asked_on = serializers.DateField(allow_null=True)
    reminded_on = serializers.DateField(allow_null=True)
    notice_on = serializers.DateField(allow_null=True)
    order_on = serializers.DateField(allow_null=True)
    covered_on = serializers.DateField(allow_null=True)
    state = serializers.SerializerMethodField(help_text="missing, soon or in_order.")

    def get_state(self, lease) -> str:
        return obligations.state(lease, today())


class Certificates(Listing):
    """Proofs received (*attestations*), and who owes one (*owed*)."""

    access = {
        "list": ("obligation", "view"),
        "owed": ("obligation", "view"),
        "create": ("obligation", "change"),
    }
    serializer_class = CertificateRecord
    queryset = Certificate.objects.filter(withdrawn_on=None)
    filterset_fields = ["lease", "kind"]
    sorts = {"end": "end"}
    default_sort = "end"
    audited = ("lease", "lease_id")

    @extend_schema(request=CertificateAsked, responses={201: CertificateRecord})
    def create(self, request):
        asked = CertificateAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        told = dict(asked.validated_data)
        made = obligations.receive(told.pop("lease"), told.pop("kind"), **told, by=request.user)
        return Response(self.get_serializer(made).data, 201)

    @extend_schema(responses=OwedRecord(many=True), parameters=[OpenApiParameter("sort", exclude=True)])
    @action(detail=False, filter_backends=[])
    def owed(self, request):
        """Leases that must prove it, the longest missing first; ?kind=boiler, ?state=missing."""
        kind, state = request.query_params.get("kind", ""), request.query_params.get("state", "")
        rows = obligations.bound(kind if kind in KINDS else obligations.INSURANCE, today())
        if state in STATES:
            rows = obligations.in_state(rows, state, today())
        return self.within(
            rows,
            OwedRecord,
            sorts={"missing_since": "missing_since"},
            default_sort="missing_since",
            audited=("lease", "pk"),
        )


class ObligationSteps(Listing):
    """What was done to get the proofs: asked, reminded, formal notice, order, landlord's insurance."""

    access = {"list": ("obligation", "view"), "create": ("obligation", "change")}
    serializer_class = StepRecord
    queryset = ObligationStep.objects.filter(withdrawn_on=None)
    filterset_fields = ["lease", "kind", "step"]
    sorts = {"on": "on"}
    default_sort = "-on"
    audited = ("lease", "lease_id")

    @extend_schema(request=StepAsked, responses={201: StepRecord})
    def create(self, request):
        asked = StepAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        told = dict(asked.validated_data)
        lease, kind, step = (told.pop(name) for name in ("lease", "kind", "step"))
        made = obligations.take_step(lease, kind, step, **told, by=request.user)
        return Response(self.get_serializer(made).data, 201)


# ---- repairs ----------------------------------------------------------------------------------


class RepairInvoiceRecord(SeenModel):
    class Meta:
        model = RepairInvoice
        resource = "repair"
        fields = ["id", "order", "supplier", "number", "on", "amount", "payer", "undone_on"]


class WorkOrderRecord(SeenModel):
    invoices = RepairInvoiceRecord(many=True, read_only=True)

    class Meta:
        model = WorkOrder
        resource = "repair"
        fields = ["id", "contractor", "quote", "ordered_on", "done_on", "cancelled_on", "note", "invoices"]


class RepairRecord(SeenModel):
    state = serializers.CharField(read_only=True)
    ordered_on = serializers.DateField(read_only=True, allow_null=True)
    done_on = serializers.DateField(read_only=True, allow_null=True)
    days = serializers.SerializerMethodField(help_text="From the request to the work done, or to today.")

    class Meta:
        model = Repair
        resource = "repair"
        fields = [
            "id", "unit", "lease", "asked_on", "channel", "urgency", "category", "what", "payer",
            "payer_reason", "closed_on", "state", "ordered_on", "done_on", "days",
        ]  # fmt: skip

    def get_days(self, repair) -> int:
        return repair.days(today())


class RepairDetail(RepairRecord):
    orders = WorkOrderRecord(many=True, read_only=True)
    pays = serializers.SerializerMethodField(help_text="tenant, owner or association.")

    class Meta(RepairRecord.Meta):
        fields = [*RepairRecord.Meta.fields, "pays", "orders"]

    def get_pays(self, repair) -> str:
        return repairs.who_pays(repair, on=today()).code


class RepairAsked(serializers.Serializer):
    unit = serializers.PrimaryKeyRelatedField(queryset=Unit.objects.all())
    asked_on = serializers.DateField()
    channel = serializers.ChoiceField(choices=Repair.Channel.choices)
    urgency = serializers.ChoiceField(choices=list(repairs.URGENCIES.items()), default=repairs.NORMAL)
    category = serializers.ChoiceField(choices=list(repairs.CATEGORIES.items()))
    what = serializers.CharField()


class OrderAsked(serializers.Serializer):
    contractor = serializers.CharField(max_length=80)
    quote = Euros(required=False, default=None)
    ordered_on = serializers.DateField(required=False, default=None, help_text="None: only a quote.")
    note = serializers.CharField(max_length=200, required=False, default="")


class Repairs(Reading):
    """Repairs (*demandes d'intervention*), their orders and invoices."""

    access = {
        "list": ("repair", "view"),
        "retrieve": ("repair", "view"),
        "create": ("repair", "change"),
        "order": ("repair", "change"),
    }
    serializer_class = RepairRecord
    record_class = RepairDetail
    queryset = Repair.objects.with_course()
    filterset_fields = ["unit", "lease", "urgency", "category"]
    sorts = {"urgency": "urgency", "asked_on": "asked_on"}
    default_sort = "urgency"
    audited = ("repair", "pk")

    def get_queryset(self):
        rows = super().get_queryset()
        if self.action != "list":
            return rows.select_related("lease", "unit").prefetch_related("orders__invoices")
        state = self.request.query_params.get("state", "")
        return rows.in_state(state) if state in repairs.STATES else rows

    @extend_schema(request=RepairAsked, responses={201: RepairDetail})
    def create(self, request):
        asked = RepairAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        told = dict(asked.validated_data)
        made = repairs.ask_repair(told.pop("unit"), **told, by=request.user)
        return Response(self.shown(made.pk), 201)

    @extend_schema(request=OrderAsked, responses={201: RepairDetail})
    @action(detail=True, methods=["post"])
    def order(self, request, pk=None):
        """Record a quote, or order work of a contractor."""
        asked = OrderAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        repair = self.get_object()
        repairs.order_work(repair, **asked.validated_data, by=request.user)
        return Response(self.shown(repair.pk), 201)

    def shown(self, pk):
        found = Repair.objects.with_course().select_related("lease", "unit").get(pk=pk)
        return RepairDetail(found, context=self.get_serializer_context()).data


class DoneAsked(serializers.Serializer):
    on = serializers.DateField()


class InvoiceAsked(serializers.Serializer):
    number = serializers.CharField(max_length=30)
    amount = Euros()
    on = serializers.DateField()
    payer = serializers.ChoiceField(
        choices=list(repairs.PAYERS.items()), required=False, default="", help_text="By the law unless said."
    )


class UndoAsked(serializers.Serializer):
    on = serializers.DateField()
    reason = serializers.CharField(max_length=120)


class WorkOrders(Reading):
    """Work orders (*bons de travaux*): done, then invoiced to who pays."""

    access = {
        "list": ("repair", "view"),
        "retrieve": ("repair", "view"),
        "finish": ("repair", "change"),
        "invoice": ("repair", "commit"),
    }
    serializer_class = WorkOrderRecord
    queryset = WorkOrder.objects.prefetch_related("invoices")
    filterset_fields = ["repair"]
    audited = ("repair", "repair_id")

    @extend_schema(request=DoneAsked, responses=WorkOrderRecord)
    @action(detail=True, methods=["post"])
    def finish(self, request, pk=None):
        asked = DoneAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        made = repairs.finish_work(self.get_object(), **asked.validated_data, by=request.user)
        return Response(self.get_serializer(made).data)

    @extend_schema(request=InvoiceAsked, responses={201: RepairInvoiceRecord})
    @action(detail=True, methods=["post"])
    def invoice(self, request, pk=None):
        """Post the contractor's invoice, once."""
        asked = InvoiceAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        made = repairs.charge_invoice(
            self.get_object(), **asked.validated_data, by=request.user, now=timezone.now()
        )
        return Response(RepairInvoiceRecord(made, context=self.get_serializer_context()).data, 201)


class RepairInvoices(Reading):
    """Invoices charged, and their undoing."""

    access = {
        "list": ("repair", "view"),
        "retrieve": ("repair", "view"),
        "undo": ("repair", "commit"),
    }
    serializer_class = RepairInvoiceRecord
    queryset = RepairInvoice.objects.select_related("order")
    filterset_fields = ["order", "payer"]
    sorts = {"on": "on"}
    default_sort = "-on"
    audited = ("repair", "order.repair_id")

    @extend_schema(request=UndoAsked, responses=RepairInvoiceRecord)
    @action(detail=True, methods=["post"])
    def undo(self, request, pk=None):
        asked = UndoAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        made = repairs.undo_invoice(
            self.get_object(), **asked.validated_data, by=request.user, now=timezone.now()
        )
        return Response(self.get_serializer(made).data)


# ---- re-letting -------------------------------------------------------------------------------


class RelettingRecord(serializers.Serializer):
    """A home to let again; lost: EUR, shown to who may see rents."""

    place = serializers.IntegerField(source="place.pk")
    reference = serializers.CharField(source="place.reference")
    unit = serializers.IntegerField(source="place.unit_id")
    empty_from = serializers.DateField(allow_null=True)
    days = serializers.IntegerField()
    stage = serializers.CharField()
    dates = serializers.DictField(child=serializers.DateField())
    lost = Euros(allow_null=True)


class RelettingBoard(Listing):
    """Homes to let again (*remise en location*), the longest empty first."""

    access = ("reletting", "view")
    serializer_class = RelettingRecord
    queryset = RelettingStep.objects.none()  # for the schema only: the board is no table
    pagination_class = None
    filter_backends = ()

    @extend_schema(responses=RelettingRecord(many=True))
    def list(self, request):
        rows = reletting.board(today())
        if not sees(request.user, "lease_money.rent"):
            for one in rows:
                one.lost = None
        audit.record_read(request, "reletting", [one.place.pk for one in rows])
        return Response(RelettingRecord(rows, many=True).data)
