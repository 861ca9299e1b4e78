"""Owners' accounts: statements, what is due and paid, and whose the money held is."""

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.views import APIView

from api.fields import Euros, Month, SeenModel
from api.jobs import JobRecord, accepted
from api.reading import Reading
from core import audit, jobs
from core.today import today
from leases.accounts import payouts
from leases.accounts.owner_accounts import FIGURES, OwnerStatement
from leases.accounts.payouts import Payout, PayoutBatch
from leases.accounts.reconciliation import client_money
from leases.filters import OwnerStatementFilter
from leases.formats.pain001 import VERSIONS
from leases.models import BankAccount


class OwnerStatementRecord(SeenModel):
    """An owner's month as it was told; brought + collected + guaranteed + other − fees − vat − spent − paid = held."""

    month = Month(read_only=True)

    class Meta:
        model = OwnerStatement
        resource = "owner_account"
        fields = ["id", "owner", "month", "version", "made_at", *FIGURES]


class OwnersMonthAsked(serializers.Serializer):
    month = Month(help_text="A month that is over.")


class OwnerStatements(Reading):
    """Management statements as they were made (*comptes rendus de gestion*)."""

    access = {
        "list": ("owner_account", "view"),
        "retrieve": ("owner_account", "view"),
        "create": ("owner_account", "change"),
    }
    serializer_class = OwnerStatementRecord
    queryset = OwnerStatement.objects.all()
    filterset_class = OwnerStatementFilter
    audited = ("owner_account", "owner_id")
    sorts = {"id": "pk", "month": "month"}
    default_sort = "-month"

    @extend_schema(request=OwnersMonthAsked, responses={202: JobRecord})
    def create(self, request):
        """Make the owners' month: head rents, guarantees, fees, statements; long work."""
        asked = OwnersMonthAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        text = f"{asked.validated_data['month']:%Y-%m}"
        return accepted(jobs.start("owner_statements", by=request.user, once=text, month=text), request)


class PayoutRecord(SeenModel):
    class Meta:
        model = Payout
        resource = "owner_account"
        fields = ["id", "owner", "kind", "amount", "iban", "end_to_end"]


class PayoutBatchRecord(SeenModel):
    """Transfers ordered together; debited: how many the bank has debited."""

    month = Month(read_only=True)
    count = serializers.IntegerField(read_only=True)
    total = Euros(read_only=True)
    debited = serializers.IntegerField(read_only=True)

    class Meta:
        model = PayoutBatch
        resource = "owner_account"
        fields = [
            "id", "bank", "on", "month", "version", "made_at", "sent_at", "withdrawn_at", "withdrawn_for", "count",
            "total", "debited",
        ]  # fmt: skip


class WholeBatchRecord(PayoutBatchRecord):
    payouts = PayoutRecord(many=True, read_only=True)

    class Meta(PayoutBatchRecord.Meta):
        fields = [*PayoutBatchRecord.Meta.fields, "payouts"]


class DueRecord(serializers.Serializer):
    """What an owner is due on a day, or why nothing is paid (a code, and in words)."""

    owner = serializers.IntegerField(source="owner.pk")
    kind = serializers.CharField()
    amount = Euros()
    held = Euros(source="figures.held")
    kept = Euros(help_text="Deposits and reserve kept back.")
    under_way = Euros(help_text="Ordered and not debited yet.")
    bank = serializers.IntegerField(source="bank.pk", default=None, allow_null=True)
    reason = serializers.CharField()
    why = serializers.CharField()


class DuesRecord(serializers.Serializer):
    on = serializers.DateField()
    month = Month()
    total = Euros()
    due = DueRecord(many=True)
    refused = DueRecord(many=True)


class OwnersPaymentAsked(serializers.Serializer):
    """A day of payment, today by default; expected: the total that was looked at, another one is refused."""

    on = serializers.DateField(required=False)
    client_bank = serializers.PrimaryKeyRelatedField(
        queryset=BankAccount.objects.filter(book__owner=None), required=False, allow_null=True
    )
    own_bank = serializers.PrimaryKeyRelatedField(
        queryset=BankAccount.objects.filter(book__owner=None), required=False, allow_null=True
    )
    expected = Euros(required=False)
    version = serializers.ChoiceField(choices=VERSIONS, default=VERSIONS[0])


class WithdrawalAsked(serializers.Serializer):
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=200)


class Payouts(Reading):
    """Payments to owners (*virements aux propriétaires*)."""

    access = {
        "list": ("owner_account", "view"),
        "retrieve": ("owner_account", "view"),
        "due": ("owner_account", "view"),
        "create": ("owner_account", "change"),
        "sent": ("owner_account", "change"),
        "withdraw": ("owner_account", "change"),
    }
    serializer_class = PayoutBatchRecord
    record_class = WholeBatchRecord
    queryset = PayoutBatch.objects.with_totals().prefetch_related("payouts")
    audited = ("owner_account", "pk")
    sorts = {"id": "pk", "on": "on"}
    default_sort = "-on"

    @extend_schema(
        parameters=[OpenApiParameter("on", OpenApiTypes.DATE)], responses=DuesRecord, filters=False
    )
    @action(detail=False, pagination_class=None, filter_backends=[])
    def due(self, request):
        """What every owner would be paid on a day, and who is not and why; writes nothing."""
        asked = OwnersPaymentAsked(data=request.query_params)
        asked.is_valid(raise_exception=True)
        seen = payouts.preview_payouts(asked.validated_data.get("on") or today())
        audit.record_read(
            request, "owner_account", sorted({one.owner.pk for one in (*seen.due, *seen.refused)})
        )
        return Response(DuesRecord(seen).data)

    @extend_schema(request=OwnersPaymentAsked, responses={201: PayoutBatchRecord(many=True)})
    def create(self, request):
        """Order what is due, one batch a bank account; asked twice, nothing is paid twice."""
        asked = OwnersPaymentAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        said = asked.validated_data
        made = payouts.commit_payouts(
            said.pop("on", None) or today(), **said, by=request.user, now=timezone.now()
        )
        rows = self.get_queryset().filter(pk__in=[one.pk for one in made])
        return Response(PayoutBatchRecord(rows, many=True, context=self.get_serializer_context()).data, 201)

    @extend_schema(request=None, responses=PayoutBatchRecord)
    @action(detail=True, methods=["post"])
    def sent(self, request, pk=None):
        """Say that the file was given to the bank."""
        batch = payouts.mark_sent(self.get_object(), by=request.user, now=timezone.now())
        return Response(self.get_serializer(self.get_queryset().get(pk=batch.pk)).data)

    @extend_schema(request=WithdrawalAsked, responses=PayoutBatchRecord)
    @action(detail=True, methods=["post"])
    def withdraw(self, request, pk=None):
        """Take a batch back: its owners are due again."""
        asked = WithdrawalAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        batch = payouts.withdraw(
            self.get_object(), **asked.validated_data, by=request.user, now=timezone.now()
        )
        return Response(self.get_serializer(self.get_queryset().get(pk=batch.pk)).data)


class ComponentRecord(serializers.Serializer):
    code = serializers.CharField()
    words = serializers.CharField()
    amount = Euros()


class ClientMoneyRecord(serializers.Serializer):
    """The money of a day and whose it is; holds: every difference is zero."""

    on = serializers.DateField()
    holds = serializers.BooleanField()
    total = Euros()
    explained = Euros()
    difference = Euros()
    money = ComponentRecord(many=True)
    components = ComponentRecord(many=True)


class ClientMoneyAsked(serializers.Serializer):
    on = serializers.DateField(required=False)


class ClientMoney(APIView):
    """Whose the money held is, on any day (*rapprochement des fonds mandants*)."""

    access = ("owner_account", "view")
    http_method_names = ["get", "head"]

    @extend_schema(parameters=[ClientMoneyAsked], responses=ClientMoneyRecord)
    def get(self, request):
        asked = ClientMoneyAsked(data=request.query_params)
        asked.is_valid(raise_exception=True)
        found = client_money(asked.validated_data.get("on") or today())
        audit.record_read(request, "owner_account", [one.owner.pk for one in found.owners])
        return Response(ClientMoneyRecord(found).data)
