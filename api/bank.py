"""Bank statements, what each movement was put to, and money still to identify."""

from django.db import transaction
from django.db.models import Prefetch
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.response import Response

from api.fields import Euros, Month, SeenModel
from api.reading import Reading
from api.schema import described
from core import audit
from core.today import today
from leases import bank, remittances, suspense
from leases.collecting import returns
from leases.filters import MovementFilter, StatementFilter, SuspenseFilter
from leases.models import Allocation, BankAccount, Lease, Movement, Statement


class BankAccountRecord(SeenModel):
    class Meta:
        model = BankAccount
        resource = "statement"
        fields = ["id", "name", "iban"]


class BankAccounts(Reading):
    """The association's accounts at its banks, and those of its mandants (*comptes bancaires*)."""

    access = ("statement", "view")
    serializer_class = BankAccountRecord
    queryset = BankAccount.objects.all()
    sorts = {"name": "name"}
    default_sort = "name"


class AllocationRecord(SeenModel):
    """What a movement, or a part of it, was put to; settles and undoes are other allocations."""

    month = Month(read_only=True, allow_null=True)
    account_label = serializers.CharField(source="account.get_kind_display", read_only=True)

    class Meta:
        model = Allocation
        resource = "statement"
        fields = [
            "id",
            "movement",
            "account",
            "account_label",
            "lease",
            "amount",
            "on",
            "how",
            "month",
            "chosen",
            "settles",
            "undoes",
            "note",
        ]


class MovementRecord(SeenModel):
    allocations = AllocationRecord(many=True, read_only=True)

    class Meta:
        model = Movement
        resource = "statement"
        fields = [
            "id",
            "line",
            "booked",
            "valued",
            "amount",
            "kind",
            "label",
            "end_to_end",
            "debit_mandate",
            "found_reference",
            "remittance",
            "counterparty",
            "counterparty_iban",
            "return_code",
            "bank_reference",
            "allocations",
        ]


class StatementRecord(SeenModel):
    class Meta:
        model = Statement
        resource = "statement"
        fields = [
            "id",
            "bank",
            "number",
            "start",
            "end",
            "opening",
            "closing",
            "file_name",
            "imported_at",
            "sealed_movements",
            "sealed_total",
        ]


class StatementFile(serializers.Serializer):
    file = serializers.FileField(help_text="A camt.053 or CFONB 120 file.")


class ImportedPartRecord(serializers.Serializer):
    bank = serializers.IntegerField(source="bank.pk")
    start = serializers.DateField()
    end = serializers.DateField()
    statement = serializers.IntegerField(
        source="statement.pk",
        default=None,
        allow_null=True,
        help_text="None when its days were there already.",
    )
    movements = serializers.IntegerField(help_text="New ones.")
    known = serializers.IntegerField(help_text="Of days already imported.")
    by_rule = serializers.DictField(
        child=serializers.IntegerField(), allow_null=True, help_text="How many each rule placed."
    )


class ImportedRecord(serializers.Serializer):
    """What a file of statements brought."""

    changed = serializers.BooleanField()
    movements = serializers.IntegerField()
    known = serializers.IntegerField()
    matched = serializers.IntegerField()
    suspense = serializers.IntegerField()
    parts = ImportedPartRecord(many=True)


class Statements(Reading):
    """Bank statements as imported (*relevés*)."""

    access = {
        "list": ("statement", "view"),
        "retrieve": ("statement", "view"),
        "movements": ("statement", "view"),
        "create": ("statement", "import"),
    }
    serializer_class = StatementRecord
    queryset = Statement.objects.all()
    filterset_class = StatementFilter
    audited = ("statement", "pk")
    parser_classes = [MultiPartParser]
    sorts = {"end": "end", "imported_at": "imported_at"}
    default_sort = "-end"

    @extend_schema(
        request={"multipart/form-data": StatementFile}, responses={200: ImportedRecord, 201: ImportedRecord}
    )
    def create(self, request):
        """Import a statement file; the same file again changes nothing."""
        asked = StatementFile(data=request.data)
        asked.is_valid(raise_exception=True)
        file = asked.validated_data["file"]
        now = timezone.now()
        done = bank.import_statement(file.read(), file.name, by=request.user, now=now)
        returns.learn_from(done, by=request.user, now=now)
        return Response(ImportedRecord(done).data, 201 if done.changed else 200)

    @extend_schema(parameters=described(MovementFilter), responses=MovementRecord(many=True))
    @action(detail=True, filter_backends=[])
    def movements(self, request, pk=None):
        """The movements of a statement, each with what it was put to and by which rule."""
        put = Allocation.objects.select_related("account").order_by("pk")
        return self.within(
            self.get_object().movements.prefetch_related(Prefetch("allocations", put)),
            MovementRecord,
            filterset_class=MovementFilter,
            sorts={"line": "line"},
            default_sort="line",
            audited=("statement", "statement_id"),
        )


# ---- money still to identify ------------------------------------------------------------


class SuspenseRecord(SeenModel):
    """A line to identify; left is what remains of it."""

    left = Euros(read_only=True)
    odd = serializers.SerializerMethodField(help_text="Why its payment list left it here, if one did.")
    booked = serializers.DateField(source="movement.booked", read_only=True)
    label = serializers.CharField(source="movement.label", read_only=True)
    remittance = serializers.CharField(source="movement.remittance", read_only=True)
    counterparty = serializers.CharField(source="movement.counterparty", read_only=True)
    counterparty_iban = serializers.CharField(source="movement.counterparty_iban", read_only=True)
    bank = serializers.IntegerField(source="movement.bank_id", read_only=True)
    statement = serializers.IntegerField(source="movement.statement_id", read_only=True)

    class Meta:
        model = Allocation
        resource = "suspense"
        fields = [
            "id",
            "movement",
            "bank",
            "statement",
            "booked",
            "amount",
            "left",
            "label",
            "remittance",
            "counterparty",
            "counterparty_iban",
            "odd",
        ]

    def get_odd(self, line) -> str:
        found = remittances.odd_line(line.note)
        return found[0] if found else ""


class SuggestionRecord(serializers.Serializer):
    """A lease that a line may be of, the likeliest first, and why."""

    lease = serializers.IntegerField(source="lease.pk")
    lease_reference = serializers.CharField(source="lease.reference")
    payer = serializers.CharField()
    points = serializers.IntegerField()
    reasons = serializers.ListField(child=serializers.CharField())
    balance = Euros(help_text="What it owes.")


class ListFile(serializers.Serializer):
    file = serializers.FileField(help_text="The payer's list of a grouped transfer (CAF, MSA, FSL…).")


class SplitRecord(serializers.Serializer):
    """What a list did: lines put to leases, and odd ones that wait."""

    movement = serializers.IntegerField(source="movement.pk")
    total = Euros()
    settled = serializers.IntegerField()
    odd = serializers.IntegerField()
    odd_total = Euros()
    already = serializers.BooleanField(help_text="The list was known: nothing changed.")


class PartAsked(serializers.Serializer):
    """A part of a line: to a lease's tenant, to its housing benefit, or to the bank's charges."""

    to = serializers.ChoiceField(choices=["tenant", "benefit", "charges"], default="tenant")
    lease = serializers.PrimaryKeyRelatedField(queryset=Lease.objects.all(), required=False, allow_null=True)
    amount = Euros(help_text="Of the line's sign.")
    month = Month(required=False, allow_null=True, help_text="The month that the payer chose to pay.")

    def validate(self, part):
        if part["to"] != "charges" and part.get("lease") is None:
            raise serializers.ValidationError({"lease": [_("Say which lease.")]})
        return part


class SettlementAsked(serializers.Serializer):
    """Where a line goes; today, unless another day is given."""

    parts = PartAsked(many=True, allow_empty=False)
    on = serializers.DateField(required=False)
    remember_iban = serializers.BooleanField(
        default=False, help_text="Know the payer's account for this lease from now on."
    )


class DayAsked(serializers.Serializer):
    on = serializers.DateField(required=False)


class Suspense(Reading):
    """Money received that nobody's rule could place (*compte d'attente*)."""

    access = {
        "list": ("suspense", "view"),
        "retrieve": ("suspense", "view"),
        "suggestions": ("suspense", "view"),
        "settle": ("suspense", "settle"),
        "split": ("suspense", "settle"),
    }
    serializer_class = SuspenseRecord
    queryset = Allocation.objects.in_suspense().select_related("movement")
    filterset_class = SuspenseFilter
    sorts = {"booked": "movement__booked", "amount": "amount"}
    default_sort = "booked"
    audited = ("suspense", "pk")

    @extend_schema(responses=SuggestionRecord(many=True))
    @action(detail=True, pagination_class=None, filter_backends=[])
    def suggestions(self, request, pk=None):
        """Leases that a line may be of, the likeliest first."""
        found = suspense.suggestions(self.get_object())
        audit.record_read(request, "lease", sorted(one.lease.pk for one in found))
        return Response(SuggestionRecord(found, many=True).data)

    @extend_schema(request={"multipart/form-data": ListFile}, responses=SplitRecord)
    @action(
        detail=False, methods=["post"], url_path="lists", parser_classes=[MultiPartParser], filter_backends=[]
    )
    def split(self, request):
        """Split a grouped transfer by its list, line by line; the same list again changes nothing."""
        asked = ListFile(data=request.data)
        asked.is_valid(raise_exception=True)
        file = asked.validated_data["file"]
        done = remittances.import_payment_list(file.read(), by=request.user, now=timezone.now())
        return Response(SplitRecord(done).data)

    @extend_schema(request=SettlementAsked, responses=AllocationRecord(many=True))
    @action(detail=True, methods=["post"], pagination_class=None, filter_backends=[])
    def settle(self, request, pk=None):
        """Put a line, or parts of it, to the leases they pay."""
        line = self.get_object()
        asked = SettlementAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        with transaction.atomic():  # an account may be opened for it
            made = suspense.settle(
                line,
                [
                    suspense.Put(target(part, line), part["amount"], part.get("month"))
                    for part in wanted["parts"]
                ],
                by=request.user,
                on=wanted.get("on") or today(),
                now=timezone.now(),
                remember_iban=wanted["remember_iban"],
            )
        return Response(AllocationRecord(made, many=True, context=self.get_serializer_context()).data)


def target(part, line):
    """Where a part asked for goes: a lease (its tenant's account) or an account."""
    if part["to"] == "charges":
        return suspense.charges_account(line.movement.bank)
    return suspense.benefit_account(part["lease"]) if part["to"] == "benefit" else part["lease"]


class Allocations(Reading):
    """What movements were put to (*affectations*)."""

    access = {
        "list": ("statement", "view"),
        "retrieve": ("statement", "view"),
        "take_back": ("suspense", "settle"),
    }
    serializer_class = AllocationRecord
    queryset = Allocation.objects.select_related("account")
    filterset_fields = ["movement", "lease", "how"]
    sorts = {"on": "on"}
    default_sort = "on"
    audited = ("lease", "lease_id")

    @extend_schema(request=DayAsked, responses=AllocationRecord(many=True))
    @action(detail=True, methods=["post"], url_path="take-back", pagination_class=None, filter_backends=[])
    def take_back(self, request, pk=None):
        """Take back what was put to an account, by its opposite; the money waits again."""
        asked = DayAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        on = asked.validated_data.get("on") or today()
        made = suspense.unsettle(self.get_object(), by=request.user, on=on, now=timezone.now())
        return Response(AllocationRecord(made, many=True, context=self.get_serializer_context()).data)
