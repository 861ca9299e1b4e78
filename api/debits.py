"""Direct debits: mandates, batches from preview to file, what came back."""

from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.response import Response

from api.fields import Euros, SeenModel
from api.reading import Reading
from api.schema import described
from core import audit
from core.today import today
from leases.collecting import batches, debits, mandates, returns
from leases.filters import DebitFilter, ReturnedFilter
from leases.models import BankAccount, Debit, DebitBatch, Lease, Mandate, Movement


class MandateRecord(SeenModel):
    state = serializers.SerializerMethodField(help_text="What it is today, in words.")

    class Meta:
        model = Mandate
        resource = "mandate"
        fields = [
            "id",
            "lease",
            "creditor",
            "rum",
            "holder",
            "iban",
            "signed_on",
            "sequence",
            "notice_days",
            "last_used_on",
            "end",
            "end_reason",
            "state",
        ]

    def get_state(self, mandate) -> str:
        used = debits.used_on([mandate.pk]) if not hasattr(mandate, "used") else mandate.used
        return mandates.state_of(mandate, today(), used_on=used.get(mandate.pk))[1]


class MandateAsked(serializers.Serializer):
    """A mandate as signed."""

    lease = serializers.PrimaryKeyRelatedField(queryset=Lease.objects.all())
    creditor = serializers.PrimaryKeyRelatedField(queryset=BankAccount.objects.exclude(creditor_id=""))
    iban = serializers.CharField(max_length=42)
    holder = serializers.CharField(max_length=70)
    signed_on = serializers.DateField()
    rum = serializers.CharField(max_length=35, required=False, allow_blank=True, default="")
    sequence = serializers.ChoiceField(choices=Mandate.Sequence.choices, default="RCUR")
    notice_days = serializers.IntegerField(min_value=0, max_value=14, required=False, allow_null=True)
    last_used_on = serializers.DateField(required=False, allow_null=True)


class AmendmentAsked(serializers.Serializer):
    """What changes; what is blank stays."""

    iban = serializers.CharField(max_length=42, required=False, allow_blank=True, default="")
    holder = serializers.CharField(max_length=70, required=False, allow_blank=True, default="")
    rum = serializers.CharField(max_length=35, required=False, allow_blank=True, default="")


class BlockAsked(serializers.Serializer):
    reason = serializers.ChoiceField(choices=list(mandates.BLOCKS))


class MandateEndAsked(serializers.Serializer):
    reason = serializers.ChoiceField(choices=Mandate.EndReason.choices)
    on = serializers.DateField(required=False, help_text="First day it is no longer used; today by default.")


class DebitDayAsked(serializers.Serializer):
    day = serializers.IntegerField(min_value=1, max_value=28)
    since = serializers.DateField()


class Mandates(Reading):
    """Mandates of direct debit (*mandats de prélèvement*); a tenant may stop one at any time."""

    access = {
        "list": ("mandate", "view"),
        "retrieve": ("mandate", "view"),
        "create": ("mandate", "change"),
        "amend": ("mandate", "change"),
        "block": ("mandate", "change"),
        "unblock": ("mandate", "change"),
        "end": ("mandate", "change"),
        "day": ("mandate", "change"),
    }
    serializer_class = MandateRecord
    queryset = Mandate.objects.select_related("creditor", "lease")
    filterset_fields = ["lease", "creditor", "rum"]
    sorts = {"signed_on": "signed_on"}
    default_sort = "signed_on"
    audited = ("mandate", "pk")

    def get_queryset(self):
        return super().get_queryset().with_block(today())

    def paginate_queryset(self, queryset):
        rows = super().paginate_queryset(queryset)
        used = debits.used_on([one.pk for one in rows])
        for one in rows:
            one.used = used
        return rows

    def answer(self, mandate, status=200):
        found = self.get_queryset().get(pk=mandate.pk)
        return Response(self.get_serializer(found).data, status)

    def asked(self, kind, request):
        asked = kind(data=request.data)
        asked.is_valid(raise_exception=True)
        return asked.validated_data

    @extend_schema(request=MandateAsked, responses={201: MandateRecord})
    def create(self, request):
        """Record a signed mandate."""
        said = self.asked(MandateAsked, request)
        return self.answer(mandates.sign_mandate(said.pop("lease"), **said, by=request.user), 201)

    @extend_schema(request=AmendmentAsked, responses=MandateRecord)
    @action(detail=True, methods=["post"], filter_backends=[])
    def amend(self, request, pk=None):
        """Change the account, its holder or the reference; the next debit tells the bank."""
        said = self.asked(AmendmentAsked, request)
        return self.answer(mandates.amend_mandate(self.get_object(), **said, on=today(), by=request.user))

    @extend_schema(request=BlockAsked, responses=MandateRecord)
    @action(detail=True, methods=["post"], filter_backends=[])
    def block(self, request, pk=None):
        """Use a mandate no more until it is said so."""
        said = self.asked(BlockAsked, request)
        return self.answer(
            mandates.block_mandate(self.get_object(), **said, on=today(), by=request.user).mandate
        )

    @extend_schema(request=None, responses=MandateRecord)
    @action(detail=True, methods=["post"], filter_backends=[])
    def unblock(self, request, pk=None):
        """Use a suspended mandate again."""
        return self.answer(mandates.unblock_mandate(self.get_object(), on=today(), by=request.user))

    @extend_schema(request=MandateEndAsked, responses=MandateRecord)
    @action(detail=True, methods=["post"], filter_backends=[])
    def end(self, request, pk=None):
        """End a mandate."""
        said = self.asked(MandateEndAsked, request)
        return self.answer(
            mandates.end_mandate(
                self.get_object(), on=said.get("on") or today(), reason=said["reason"], by=request.user
            )
        )

    @extend_schema(request=DebitDayAsked, responses=MandateRecord)
    @action(detail=True, methods=["post"], filter_backends=[])
    def day(self, request, pk=None):
        """Debit on another day of the month, among those offered."""
        mandate = self.get_object()
        mandates.choose_debit_day(mandate.lease, **self.asked(DebitDayAsked, request), by=request.user)
        return self.answer(mandate)


# ---- batches ----------------------------------------------------------------------------


class DebitRecord(SeenModel):
    """A debit, and what became of it."""

    state = serializers.SerializerMethodField()
    return_code = serializers.SerializerMethodField(help_text="The bank's reason, empty if none.")
    what_to_do = serializers.SerializerMethodField()

    class Meta:
        model = Debit
        resource = "debit"
        fields = [
            "id",
            "batch",
            "lease",
            "mandate",
            "amount",
            "end_to_end",
            "sequence",
            "presents",
            "attempt",
            "state",
            "return_code",
            "what_to_do",
        ]

    def get_state(self, debit) -> str:
        return debits.debit_state(debit)[1]

    def get_return_code(self, debit) -> str:
        returned = getattr(debit, "returned", None)
        return returned.code if returned else ""

    def get_what_to_do(self, debit) -> str:
        returned = getattr(debit, "returned", None)
        return str(mandates.return_code(returned.code).action) if returned else ""


class DebitBatchRecord(SeenModel):
    collected = serializers.IntegerField(read_only=True)
    came_back = serializers.IntegerField(read_only=True)
    waiting = serializers.IntegerField(read_only=True)
    state = serializers.SerializerMethodField()

    class Meta:
        model = DebitBatch
        resource = "debit"
        fields = [
            "id",
            "creditor",
            "collected_on",
            "message_id",
            "version",
            "count",
            "total",
            "sha256",
            "made_at",
            "sent_on",
            "withdrawn_at",
            "collected",
            "came_back",
            "waiting",
            "state",
        ]

    def get_state(self, batch) -> str:
        return debits.batch_state(batch)[1]


class DebitsAsked(serializers.Serializer):
    """Which account collects, on which day."""

    creditor = serializers.PrimaryKeyRelatedField(queryset=BankAccount.objects.all())
    on = serializers.DateField()
    since = serializers.DateField(
        required=False, allow_null=True, help_text="Leave what fell due before that day."
    )


class DebitsCommit(DebitsAsked):
    digest = serializers.CharField(help_text="Of the preview: what is committed is what was shown.")


class DebitLineRecord(serializers.Serializer):
    lease = serializers.IntegerField(source="mandate.lease_id")
    mandate = serializers.IntegerField(source="mandate.pk")
    amount = Euros()
    older = Euros(help_text="The part due before the month.")
    presents = serializers.IntegerField(allow_null=True, help_text="The debit that it presents again.")


class LeftUndebitedRecord(serializers.Serializer):
    lease = serializers.IntegerField(source="mandate.lease_id")
    mandate = serializers.IntegerField(source="mandate.pk")
    code = serializers.CharField()
    reason = serializers.SerializerMethodField()
    amount = Euros(help_text="Due and not asked.")

    def get_reason(self, one) -> str:
        return str(batches.LEFT_OUT[one.code])


class DebitPreviewRecord(serializers.Serializer):
    """What a batch would hold; nothing is written."""

    on = serializers.DateField()
    total = Euros()
    digest = serializers.CharField()
    lines = DebitLineRecord(many=True)
    left_out = LeftUndebitedRecord(many=True)


class DaySent(serializers.Serializer):
    on = serializers.DateField(required=False, help_text="Today by default.")


class CreditAsked(serializers.Serializer):
    movement = serializers.PrimaryKeyRelatedField(queryset=Movement.objects.all())


class DebitBatches(Reading):
    """Batches of direct debits (*remises*): one file for one account and one day."""

    access = {
        "list": ("debit", "view"),
        "retrieve": ("debit", "view"),
        "debits": ("debit", "view"),
        "preview": ("debit", "run"),
        "create": ("debit", "commit"),
        "file": ("debit", "run"),
        "sent": ("debit", "run"),
        "withdraw": ("debit", "run"),
        "collected": ("debit", "run"),
        "credit": ("debit", "run"),
    }
    serializer_class = DebitBatchRecord
    queryset = DebitBatch.objects.all()
    filterset_fields = ["creditor", "collected_on"]
    sorts = {"collected_on": "collected_on"}
    default_sort = "-collected_on"
    audited = ("debit", "pk")

    def get_queryset(self):
        return debits.batches_with_outcome()

    def answer(self, batch, status=200):
        return Response(self.get_serializer(self.get_queryset().get(pk=batch.pk)).data, status)

    @extend_schema(request=DebitsAsked, responses=DebitPreviewRecord, filters=False)
    @action(detail=False, methods=["post"], pagination_class=None, filter_backends=[])
    def preview(self, request):
        """What a batch would ask of each lease, and why the others are left out."""
        return Response(DebitPreviewRecord(self.previewed(DebitsAsked, request)[0]).data)

    @extend_schema(request=DebitsCommit, responses={201: DebitBatchRecord})
    def create(self, request):
        """Make the batch that was previewed, and its file."""
        shown, said = self.previewed(DebitsCommit, request)
        if shown.digest != said["digest"]:
            raise debits.NoDebits(
                said["on"], _("What is due has changed since it was shown."), _("Preview it again.")
            )
        return self.answer(
            batches.commit_debits(shown, by=request.user, now=timezone.now(), today=today()), 201
        )

    def previewed(self, kind, request):
        asked = kind(data=request.data)
        asked.is_valid(raise_exception=True)
        said = asked.validated_data
        shown = batches.preview_debits(
            said["creditor"], on=said["on"], today=today(), since=said.get("since")
        )
        return shown, said

    @extend_schema(parameters=described(DebitFilter), responses=DebitRecord(many=True))
    @action(detail=True, filter_backends=[])
    def debits(self, request, pk=None):
        """The debits of a batch, and what became of each."""
        rows = Debit.objects.filter(batch=self.get_object())
        return self.within(
            rows.select_related("batch", "credit", "returned").defer("batch__content"),
            DebitRecord,
            filterset_class=DebitFilter,
            sorts={"id": "pk", "amount": "amount"},
            default_sort="id",
            audited=("lease", "lease_id"),
        )

    @extend_schema(responses={(200, "application/xml"): OpenApiTypes.BINARY})
    @action(detail=True, pagination_class=None, filter_backends=[])
    def file(self, request, pk=None):
        """The file for the bank, the same bytes each time."""
        batch = DebitBatch.objects.get(pk=self.get_object().pk)
        audit.record(request.user, "export", "debit", batch.pk, sha256=batch.sha256)
        name = {"Content-Disposition": f'attachment; filename="{batch.file_name}"'}
        return HttpResponse(bytes(batch.content), content_type="application/xml", headers=name)

    @extend_schema(request=DaySent, responses=DebitBatchRecord)
    @action(detail=True, methods=["post"], filter_backends=[])
    def sent(self, request, pk=None):
        """Say that the file went to the bank."""
        return self.answer(debits.mark_sent(self.get_object(), on=day_said(request), by=request.user))

    @extend_schema(request=None, responses=DebitBatchRecord)
    @action(detail=True, methods=["post"], filter_backends=[])
    def withdraw(self, request, pk=None):
        """Undo a batch whose file did not go to the bank."""
        return self.answer(debits.withdraw_batch(self.get_object(), by=request.user, now=timezone.now()))

    @extend_schema(request=DaySent, responses=DebitBatchRecord)
    @action(detail=True, methods=["post"], filter_backends=[])
    def collected(self, request, pk=None):
        """Say that its money came, where its credit was settled by hand."""
        batch = self.get_object()
        returns.mark_collected(batch, on=day_said(request), by=request.user)
        return self.answer(batch)

    @extend_schema(request=CreditAsked, responses=DebitBatchRecord)
    @action(detail=True, methods=["post"], filter_backends=[])
    def credit(self, request, pk=None):
        """Split a credit in suspense among the leases of the batch."""
        asked = CreditAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        batch, movement = self.get_object(), asked.validated_data["movement"]
        returns.split_credit(batch, movement, by=request.user, now=timezone.now())
        return self.answer(batch)


def day_said(request):
    asked = DaySent(data=request.data)
    asked.is_valid(raise_exception=True)
    return asked.validated_data.get("on") or today()


# ---- what came back ---------------------------------------------------------------------


class DebitReportFile(serializers.Serializer):
    file = serializers.FileField(help_text="pain.002 or camt.054.")


class DebitReportRead(serializers.Serializer):
    """What a report told: debits newly sent back, known already, references that are not ours."""

    returned = serializers.SerializerMethodField()
    known = serializers.IntegerField()
    unknown = serializers.ListField(child=serializers.CharField())

    @extend_schema_field(serializers.ListField(child=serializers.IntegerField()))
    def get_returned(self, done):
        return [debit.pk for debit in done.returned]


class ReturnedDebits(Reading):
    """Debits that came back and were not presented again (*rejets*)."""

    access = {
        "list": ("debit", "view"),
        "retrieve": ("debit", "view"),
        "create": ("debit", "import"),
    }
    serializer_class = DebitRecord
    queryset = Debit.objects.select_related("batch", "credit", "returned").defer("batch__content")
    filterset_class = ReturnedFilter
    parser_classes = [MultiPartParser]
    sorts = {"on": "returned__on", "amount": "amount"}
    default_sort = "-on"
    audited = ("lease", "lease_id")

    def get_queryset(self):
        return super().get_queryset().came_back()

    @extend_schema(request={"multipart/form-data": DebitReportFile}, responses={201: DebitReportRead})
    def create(self, request):
        """Read a report (pain.002) or a notice (camt.054) of the bank; nothing is posted from it."""
        asked = DebitReportFile(data=request.data)
        asked.is_valid(raise_exception=True)
        file = asked.validated_data["file"]
        done = returns.import_debit_report(file.read(), file.name, by=request.user, now=timezone.now())
        return Response(DebitReportRead(done).data, 201)
