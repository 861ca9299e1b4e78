"""The accounts: periods closed, trial balance, general ledger, accounting files, provision, codes, grants."""

from datetime import date

from django.http import StreamingHttpResponse
from django.utils import timezone
from django.utils.http import content_disposition_header
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from api.fields import Euros, Month, SeenModel
from api.jobs import JobRecord, accepted
from api.reading import Listing, Reading
from api.schema import described
from core import audit
from core.periods import Period
from core.today import today
from leases import ledger
from leases.accounts import analytics, closing, grants, provisions
from leases.accounts.fec import begin_fec, declare_final, in_words
from leases.filters import GrantFilter, LedgerFilter
from leases.formats import fec
from leases.models import Book, FecFile, Grant, GrantStep, PeriodLock, Posting


class BookRecord(SeenModel):
    """A set of accounts: the association's (owner null), or one mandant's."""

    closed_up_to = serializers.SerializerMethodField(help_text="Last day closed, or null.")

    class Meta:
        model = Book
        resource = "ledger"
        fields = ["id", "owner", "closed_up_to"]

    def get_closed_up_to(self, book) -> date | None:
        closed = self.context.setdefault("closed", ledger.closed_days())
        return max((closed[key] for key in {book.pk, None} & closed.keys()), default=None)


class DaysAsked(serializers.Serializer):
    """Days of a book; this year to date by default."""

    start = serializers.DateField(required=False)
    last_day = serializers.DateField(required=False)

    def days(self) -> Period:
        last = self.validated_data.get("last_day") or today()
        return Period.from_to(self.validated_data.get("start") or date(last.year, 1, 1), last)

    def validate(self, asked):
        last = asked.get("last_day") or today()
        if asked.get("start") and asked["start"] > last:
            raise serializers.ValidationError({"start": ["The first day comes after the last."]})
        return asked


class TrialRecord(serializers.Serializer):
    """One account; balances are positive when debit."""

    number = serializers.CharField()
    label = serializers.CharField()
    opening = Euros()
    debit = Euros()
    credit = Euros()
    closing = Euros()


class PostingRecord(SeenModel):
    """One amount moved between two accounts; debited, credited: of the account asked for."""

    debited = Euros(read_only=True, allow_null=True)
    credited = Euros(read_only=True, allow_null=True)
    debit_kind = serializers.IntegerField(source="debit.kind", read_only=True)
    credit_kind = serializers.IntegerField(source="credit.kind", read_only=True)
    lease = serializers.SerializerMethodField()

    class Meta:
        model = Posting
        resource = "ledger"
        fields = [
            "id", "entry", "on", "due", "source", "debit_kind", "credit_kind", "lease", "amount", "debited", "credited",
        ]  # fmt: skip

    def get_lease(self, posting) -> int | None:
        return posting.debit.lease_id or posting.credit.lease_id


class Books(Reading):
    """Sets of accounts, and what each holds (*livres*)."""

    access = {
        "list": ("ledger", "view"),
        "retrieve": ("ledger", "view"),
        "trial_balance": ("ledger", "view"),
        "postings": ("ledger", "view"),
    }
    serializer_class = BookRecord
    queryset = Book.objects.all()

    @extend_schema(parameters=[DaysAsked], responses=TrialRecord(many=True), filters=False)
    @action(detail=True, url_path="trial-balance", pagination_class=None, filter_backends=[])
    def trial_balance(self, request, pk=None):
        """Every account of the book over some days (*balance générale*)."""
        asked = DaysAsked(data=request.query_params)
        asked.is_valid(raise_exception=True)
        return Response(
            TrialRecord(closing.trial_balance(asked.days(), book_id=self.get_object().pk), many=True).data
        )

    @extend_schema(parameters=described(LedgerFilter), responses=PostingRecord(many=True))
    @action(detail=True, filter_backends=[])
    def postings(self, request, pk=None):
        """The general ledger of the book (*grand livre*); ?kind= of one account."""
        book = self.get_object()
        text = request.query_params.get("kind", "")
        kind = int(text) if text.isdecimal() and len(text) < 6 else None
        return self.within(
            closing.general_ledger(book_id=book.pk, kind=kind),
            PostingRecord,
            filterset_class=LedgerFilter,
            sorts={"on": "on", "id": "pk"},
            default_sort="on",
            audited=("tenant_account", "pk"),
        )


class LockRecord(SeenModel):
    class Meta:
        model = PeriodLock
        resource = "closing"
        fields = ["id", "book", "up_to", "at", "by", "reason"]


class LockAsked(serializers.Serializer):
    """A period to close: of one book, or of all."""

    up_to = serializers.DateField(help_text="Last day closed.")
    book = serializers.PrimaryKeyRelatedField(queryset=Book.objects.all(), required=False, allow_null=True)
    reason = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class UnlockAsked(LockAsked):
    """Days to open again, those after up_to; null opens everything."""

    up_to = serializers.DateField(allow_null=True)
    reason = serializers.CharField(max_length=200)


class PeriodLocks(Reading):
    """Periods closed and opened again, the latest line of a book holds (*clôtures*)."""

    access = {
        "list": ("closing", "view"),
        "retrieve": ("closing", "view"),
        "create": ("closing", "change"),
        "reopen": ("closing", "change"),
    }
    serializer_class = LockRecord
    queryset = PeriodLock.objects.all()
    default_sort = "-id"

    @extend_schema(request=LockAsked, responses={201: LockRecord})
    def create(self, request):
        """Close the accounts up to a day."""
        asked = LockAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        made = closing.lock_period(
            asked.validated_data["up_to"],
            book=asked.validated_data.get("book"),
            reason=asked.validated_data["reason"],
            by=request.user,
            now=timezone.now(),
        )
        return Response(self.get_serializer(made).data, 201)

    @extend_schema(request=UnlockAsked, responses={201: LockRecord})
    @action(detail=False, methods=["post"], filter_backends=[])
    def reopen(self, request):
        """Open closed days again, with a reason; never those of a year whose file is final."""
        asked = UnlockAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        made = closing.unlock_period(
            asked.validated_data["up_to"],
            book=asked.validated_data.get("book"),
            reason=asked.validated_data["reason"],
            by=request.user,
            now=timezone.now(),
        )
        return Response(self.get_serializer(made).data, 201)


# ---- the accounting file ----------------------------------------------------------------------


class FaultRecord(serializers.Serializer):
    line = serializers.IntegerField()
    column = serializers.CharField()
    reason = serializers.CharField()
    remedy = serializers.CharField()


class FecRecord(SeenModel):
    fault_list = serializers.SerializerMethodField(help_text="The first fifty.")

    class Meta:
        model = FecFile
        resource = "closing"
        fields = [
            "id",
            "book",
            "start",
            "last_day",
            "name",
            "made_at",
            "finished_at",
            "lines",
            "entries",
            "debit",
            "credit",
            "sha256",
            "fault_count",
            "fault_list",
            "declared_at",
        ]

    @extend_schema(responses=FaultRecord(many=True))
    def get_fault_list(self, made) -> list[dict]:
        return [in_words(one) for one in made.faults]


class FecAsked(serializers.Serializer):
    """A year of a book; the association's where none is given."""

    last_day = serializers.DateField()
    book = serializers.PrimaryKeyRelatedField(queryset=Book.objects.all(), required=False, allow_null=True)
    separator = serializers.ChoiceField(choices=["tab", "pipe"], default="tab")


class AccountingFiles(Reading):
    """Accounting files of the tax administration (*FEC*), LPF art. A47 A-1."""

    access = {
        "list": ("closing", "view"),
        "retrieve": ("closing", "view"),
        "create": ("closing", "export"),
        "content": ("closing", "export"),
        "declare": ("closing", "change"),
    }
    serializer_class = FecRecord
    queryset = FecFile.objects.all()
    sorts = {"last_day": "last_day", "id": "pk"}
    default_sort = "-last_day"

    @extend_schema(request=FecAsked, responses={202: JobRecord})
    def create(self, request):
        """Make the file of a year: starts the work, or gives back the one under way."""
        asked = FecAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        _made, job = begin_fec(
            asked.validated_data["last_day"],
            book=asked.validated_data.get("book"),
            separator=fec.PIPE if asked.validated_data["separator"] == "pipe" else fec.TAB,
            by=request.user,
            now=timezone.now(),
        )
        return accepted(request, job)

    @extend_schema(responses={(200, "text/plain"): OpenApiTypes.BINARY})
    @action(detail=True, filter_backends=[])
    def content(self, request, pk=None):
        """The file itself, once it is made."""
        made = self.get_object()
        audit.record(request, "download", "closing", made.pk, sha256=made.sha256)
        return StreamingHttpResponse(
            made.content(),
            content_type="text/plain; charset=iso-8859-15",
            headers={"Content-Disposition": content_disposition_header(True, made.name)},
        )

    @extend_schema(request=None, responses=FecRecord)
    @action(detail=True, methods=["post"], filter_backends=[])
    def declare(self, request, pk=None):
        """Declare it final: its period can no longer be opened again."""
        done = declare_final(self.get_object(), by=request.user, now=timezone.now())
        return Response(self.get_serializer(done).data)


# ---- provision, codes, grants -----------------------------------------------------------------


class ProvidedRecord(serializers.Serializer):
    """What the rule sets aside for a lease."""

    lease = serializers.IntegerField(source="lease_id")
    due = Euros()
    oldest_due = serializers.DateField(allow_null=True)
    departed = serializers.BooleanField()
    provision = Euros()


class DayAsked(serializers.Serializer):
    on = serializers.DateField(required=False)


class Provisions(Listing):
    """The provision for doubtful debts that the house's rates propose at a date."""

    access = {"list": ("ledger", "view")}
    serializer_class = ProvidedRecord
    queryset = Posting.objects.none()
    pagination_class = None
    filter_backends = []

    @extend_schema(parameters=[DayAsked], responses=ProvidedRecord(many=True))
    def list(self, request):
        """Lease by lease, the largest first."""
        asked = DayAsked(data=request.query_params)
        asked.is_valid(raise_exception=True)
        found = provisions.proposal(asked.validated_data.get("on") or today())
        audit.record_read(request, "tenant_account", sorted(one.lease_id for one in found))
        return Response(ProvidedRecord(found, many=True).data)


class CodeLineRecord(serializers.Serializer):
    code = serializers.CharField(help_text="Empty: not assigned.")
    label = serializers.CharField()
    income = Euros()
    charges = Euros()
    result = Euros()


class CodesAsked(serializers.Serializer):
    month = Month(required=False, help_text="This month, unless another is given.")
    axis = serializers.ChoiceField(choices=analytics.Axis.choices, default=analytics.Axis.STRUCTURE)


class AnalyticAccounts(Listing):
    """A month's income and charges by analytic code (*comptabilité analytique*)."""

    access = {"list": ("ledger", "view")}
    serializer_class = CodeLineRecord
    queryset = Posting.objects.none()
    pagination_class = None
    filter_backends = []

    @extend_schema(parameters=[CodesAsked], responses=CodeLineRecord(many=True))
    def list(self, request):
        """By code, what is assigned to none last."""
        asked = CodesAsked(data=request.query_params)
        asked.is_valid(raise_exception=True)
        found = analytics.by_code(asked.validated_data.get("month") or today(), asked.validated_data["axis"])
        return Response(CodeLineRecord(found, many=True).data)


class GrantRecord(SeenModel):
    claimed = Euros(read_only=True)
    received = Euros(read_only=True)
    left = Euros(read_only=True, help_text="Agreed and not received yet.")

    class Meta:
        model = Grant
        resource = "ledger"
        fields = [
            "id",
            "kind",
            "reference",
            "funder",
            "structure",
            "start",
            "last_day",
            "agreed",
            "claimed",
            "received",
            "left",
            "note",
        ]


class GrantAsked(serializers.Serializer):
    kind = serializers.ChoiceField(choices=Grant.Kind.choices)
    reference = serializers.CharField(max_length=40)
    funder = serializers.CharField(max_length=80)
    structure = serializers.PrimaryKeyRelatedField(
        queryset=Grant._meta.get_field("structure").related_model.objects.all(),
        required=False,
        allow_null=True,
    )
    start = serializers.DateField()
    last_day = serializers.DateField()
    agreed = Euros()
    note = serializers.CharField(max_length=200, required=False, allow_blank=True)


class GrantStepAsked(serializers.Serializer):
    kind = serializers.ChoiceField(choices=GrantStep.Kind.choices)
    amount = Euros()
    on = serializers.DateField(required=False)
    note = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class Grants(Reading):
    """Grants by agreement: agreed, claimed, received (*subventions*)."""

    access = {
        "list": ("ledger", "view"),
        "retrieve": ("ledger", "view"),
        "create": ("ledger", "change"),
        "step": ("ledger", "change"),
    }
    serializer_class = GrantRecord
    queryset = Grant.objects.with_sums()
    filterset_class = GrantFilter
    sorts = {"start": "start", "reference": "reference", "agreed": "agreed"}
    default_sort = "-start"

    @extend_schema(request=GrantAsked, responses={201: GrantRecord})
    def create(self, request):
        """Record an agreement."""
        asked = GrantAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        made = grants.agree_grant(**asked.validated_data, by=request.user)
        return Response(self.get_serializer(self.get_queryset().get(pk=made.pk)).data, 201)

    @extend_schema(request=GrantStepAsked, responses=GrantRecord)
    @action(detail=True, methods=["post"], url_path="steps", filter_backends=[])
    def step(self, request, pk=None):
        """Record a claim or a receipt; below zero undoes a mistake."""
        grant, asked = self.get_object(), GrantStepAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        grants.record_step(
            grant,
            wanted["kind"],
            wanted["amount"],
            on=wanted.get("on") or today(),
            note=wanted["note"],
            by=request.user,
            now=timezone.now(),
        )
        return Response(self.get_serializer(self.get_queryset().get(pk=grant.pk)).data)
