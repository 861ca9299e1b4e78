"""Payments at the desk: receipts, cheque slips."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from api.fields import Euros, SeenModel
from api.reading import Reading
from core.today import today
from leases.collecting import desk
from leases.filters import DeskFilter
from leases.models import BankAccount, ChequeSlip, DeskReceipt, Lease


class DeskReceiptRecord(SeenModel):
    reference_number = serializers.CharField(source="__str__", read_only=True, help_text="Year and number.")
    cancelled = serializers.BooleanField(read_only=True)

    class Meta:
        model = DeskReceipt
        resource = "desk"
        fields = [
            "id", "reference_number", "lease", "means", "payer", "payer_name", "on", "amount", "reference",
            "cancelled",
        ]  # fmt: skip


class PaymentAsked(serializers.Serializer):
    """A payment handed over at the desk."""

    lease = serializers.PrimaryKeyRelatedField(queryset=Lease.objects.all())
    amount = Euros()
    means = serializers.ChoiceField(choices=DeskReceipt.MeansOfPayment.choices)
    on = serializers.DateField()
    payer = serializers.ChoiceField(choices=DeskReceipt.Payer.choices, default=DeskReceipt.Payer.HOUSEHOLD)
    payer_name = serializers.CharField(max_length=80, required=False, allow_blank=True, default="")
    reference = serializers.CharField(max_length=40, required=False, allow_blank=True, default="")


class CancelAsked(serializers.Serializer):
    reason = serializers.CharField(max_length=100)


class DeskReceipts(Reading):
    """Payments taken at the desk (*encaissements au guichet*)."""

    access = {
        "list": ("desk", "view"),
        "retrieve": ("desk", "view"),
        "create": ("desk", "change"),
        "cancel": ("desk", "change"),
    }
    queryset = DeskReceipt.objects.select_related("operation__undone_by")
    serializer_class = DeskReceiptRecord
    filterset_class = DeskFilter
    sorts = {"on": "on", "number": "number"}
    default_sort = "-on"
    audited = ("desk", "pk")

    @extend_schema(request=PaymentAsked, responses={201: DeskReceiptRecord})
    def create(self, request):
        asked = PaymentAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        receipt = desk.take(**asked.validated_data, by=request.user, now=timezone.now())
        return Response(self.get_serializer(receipt).data, status=201)

    @extend_schema(request=CancelAsked, responses=DeskReceiptRecord)
    @action(detail=True, methods=["post"])
    def cancel(self, request, pk=None):
        asked = CancelAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        receipt = self.get_object()
        desk.cancel(receipt, **asked.validated_data, on=today(), by=request.user, now=timezone.now())
        return Response(self.get_serializer(self.get_queryset().get(pk=receipt.pk)).data)


class ChequeSlipRecord(SeenModel):
    total = Euros(read_only=True)

    class Meta:
        model = ChequeSlip
        resource = "desk"
        fields = ["id", "bank", "on", "total"]


class SlipAsked(serializers.Serializer):
    bank = serializers.PrimaryKeyRelatedField(queryset=BankAccount.objects.all())
    on = serializers.DateField()


class ChequeSlips(Reading):
    """Cheques brought to the bank together (*bordereaux de remise*)."""

    access = {"list": ("desk", "view"), "retrieve": ("desk", "view"), "create": ("desk", "change")}
    queryset = ChequeSlip.objects.all()
    serializer_class = ChequeSlipRecord
    sorts = {"on": "on"}
    default_sort = "-on"

    @extend_schema(request=SlipAsked, responses={201: ChequeSlipRecord})
    def create(self, request):
        asked = SlipAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        slip = desk.make_slip(None, **asked.validated_data, by=request.user)
        return Response(self.get_serializer(slip).data, status=201)
