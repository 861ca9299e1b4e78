"""Expenses of buildings, the yearly settlement of charges, each lease's statement."""

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from api.fields import Euros, SeenModel
from api.jobs import JobRecord, accepted
from api.reading import Reading
from api.schema import described
from core import audit, jobs
from core.periods import Period
from core.today import today
from leases.filters import ExpenseFilter, SettlementFilter
from leases.models import ChargeException, ChargeRun, Expense, Settlement
from leases.yearly.charges import LEVELS, REASONS, statement_facts
from leases.yearly.expenses import CATEGORY_CHOICES, KEYS, exercise, record_expense, reverse_expense
from leases.yearly.settling import preview_charges
from portfolio.models import Building, Site, Unit

LINES = 500


class ExpenseRecord(SeenModel):
    """An expense of a site, a building or a home; undoes: the one that it reverses."""

    category_label = serializers.CharField(source="get_category_display", read_only=True)
    key_label = serializers.CharField(source="get_key_display", read_only=True)

    class Meta:
        model = Expense
        resource = "expense"
        fields = [
            "id",
            "site",
            "building",
            "unit",
            "co_ownership",
            "category",
            "category_label",
            "key",
            "key_label",
            "year",
            "start",
            "end",
            "supplier",
            "invoice",
            "invoiced_on",
            "amount",
            "recoverable",
            "undoes",
        ]


class ExpenseAsked(serializers.Serializer):
    """An expense to enter: of one site, one building or one home."""

    site = serializers.PrimaryKeyRelatedField(queryset=Site.objects.all(), required=False)
    building = serializers.PrimaryKeyRelatedField(queryset=Building.objects.all(), required=False)
    unit = serializers.PrimaryKeyRelatedField(queryset=Unit.objects.all(), required=False)
    category = serializers.ChoiceField(choices=list(CATEGORY_CHOICES.items()))
    key = serializers.ChoiceField(
        choices=list(KEYS.items()), required=False, help_text="The usual key of its nature by default."
    )
    year = serializers.IntegerField(min_value=2000, max_value=2100)
    first = serializers.DateField(required=False, help_text="First day it is for; of the year by default.")
    last = serializers.DateField(required=False, help_text="Last day it is for.")
    supplier = serializers.CharField(max_length=120)
    invoice = serializers.CharField(max_length=60, required=False, default="")
    invoiced_on = serializers.DateField(required=False)
    amount = Euros()
    recoverable = Euros(required=False, help_text="What the law allows by default.")

    def validate(self, data):
        if "first" in data and "last" in data and data["last"] < data["first"]:
            raise serializers.ValidationError({"last": _("The end comes before the start.")})
        return data


class Expenses(Reading):
    """What buildings cost, by nature and year (*dépenses*)."""

    access = {
        "list": ("expense", "view"),
        "retrieve": ("expense", "view"),
        "create": ("expense", "change"),
        "reverse": ("expense", "change"),
    }
    serializer_class = ExpenseRecord
    queryset = Expense.objects.all()
    filterset_class = ExpenseFilter
    sorts = {"id": "pk", "year": "year", "amount": "amount"}
    default_sort = "-id"

    @extend_schema(request=ExpenseAsked, responses={201: ExpenseRecord})
    def create(self, request):
        """Enter an expense; the same invoice is refused a second time."""
        asked = ExpenseAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        told = dict(asked.validated_data)
        first, last = told.pop("first", None), told.pop("last", None)
        if first or last:
            whole = exercise(told["year"])
            told["days"] = Period.from_to(first or whole.start, last or whole.last_day)
        made = record_expense(**told, by=request.user, now=timezone.now())
        return Response(self.get_serializer(made).data, 201)

    @extend_schema(request=None, responses={201: ExpenseRecord})
    @action(detail=True, methods=["post"], pagination_class=None, filter_backends=[])
    def reverse(self, request, pk=None):
        """Undo an expense by its opposite."""
        made = reverse_expense(self.get_object(), by=request.user, now=timezone.now())
        return Response(self.get_serializer(made).data, 201)


# ---- settlements ------------------------------------------------------------------------


class ChargesAsked(serializers.Serializer):
    """Which year is settled, where, and when its statements go out."""

    year = serializers.IntegerField(min_value=2000, max_value=2100)
    site = serializers.PrimaryKeyRelatedField(queryset=Site.objects.all(), required=False)
    building = serializers.PrimaryKeyRelatedField(queryset=Building.objects.all(), required=False)
    on = serializers.DateField(required=False, help_text="Day the statements go out; today by default.")
    due = serializers.DateField(required=False, help_text="A month later by default.")


class NatureRecord(serializers.Serializer):
    """Expenses of a place and nature, and what of them stays with the owner."""

    level = serializers.ChoiceField(choices=list(LEVELS.items()))
    place = serializers.IntegerField(source="place_id", help_text="Id of the site, the building or the home.")
    category = serializers.ChoiceField(choices=list(CATEGORY_CHOICES.items()))
    key = serializers.ChoiceField(choices=list(KEYS.items()))
    total = Euros()
    owner = Euros(allow_null=True, help_text="None where a value of the key is missing.")


class BalanceRecord(serializers.Serializer):
    """A lease's year: share less provisions, less what was settled before."""

    lease = serializers.IntegerField(source="lease_id")
    days = serializers.IntegerField()
    share = Euros()
    provisions = Euros()
    amount = Euros()
    version = serializers.IntegerField()
    instalments = serializers.IntegerField()
    reason = serializers.ChoiceField(choices=sorted(REASONS), allow_blank=True, help_text="Why left out.")


class ChargesPreviewRecord(serializers.Serializer):
    """What a settlement would do now; nothing is written."""

    year = serializers.IntegerField()
    on = serializers.DateField()
    due = serializers.DateField()
    late = serializers.BooleanField(help_text="Debits are called in twelfths.")
    barred = serializers.BooleanField(help_text="Debits can no longer be claimed.")
    leases = serializers.IntegerField()
    left_out = serializers.IntegerField()
    to_pay = Euros()
    to_give_back = Euros()
    natures = NatureRecord(many=True, help_text="At most 500.")
    lines = BalanceRecord(many=True, help_text="Leases settled, then left out; at most 500 from ?skip=.")


class ChargeRunRecord(SeenModel):
    open = serializers.SerializerMethodField()

    class Meta:
        model = ChargeRun
        resource = "charges"
        fields = [
            "id",
            "year",
            "start",
            "end",
            "site",
            "building",
            "on",
            "due",
            "late",
            "opened_at",
            "closed_at",
            "open",
            "sealed_settlements",
            "sealed_total",
            "undoes",
        ]

    def get_open(self, run) -> bool:
        return run.closed_at is None


class SettlementRecord(SeenModel):
    """A lease's statement of a year; version 2 and later carry only what changed since."""

    class Meta:
        model = Settlement
        resource = "charges"
        fields = [
            "id",
            "run",
            "lease",
            "year",
            "version",
            "days",
            "share",
            "provisions",
            "amount",
            "instalments",
        ]


class LeftOutRecord(SeenModel):
    class Meta:
        model = ChargeException
        resource = "charges"
        fields = ["id", "lease", "reason"]


class ChargeRuns(Reading):
    """Settlements of a year of charges (*régularisations*)."""

    access = {
        "list": ("charges", "view"),
        "retrieve": ("charges", "view"),
        "statements": ("charges", "view"),
        "left_out": ("charges", "view"),
        "preview": ("charges", "run"),
        "create": ("charges", "commit"),
    }
    serializer_class = ChargeRunRecord
    queryset = ChargeRun.objects.all()
    filterset_fields = ["year"]
    sorts = {"year": "year", "opened_at": "opened_at"}
    default_sort = "-opened_at"

    @extend_schema(request=ChargesAsked, responses={202: JobRecord})
    def create(self, request):
        """Settle a year: starts the work, or gives back the one under way."""
        told = asked_charges(request)
        started = jobs.start(
            "settle_charges",
            by=request.user,
            once=f"charges {told['year']}",
            year=told["year"],
            on=(told.get("on") or today()).isoformat(),
            due=told["due"].isoformat() if "due" in told else "",
            site=told["site"].pk if "site" in told else 0,
            building=told["building"].pk if "building" in told else 0,
        )
        return accepted(request, started)

    @extend_schema(request=ChargesAsked, responses=ChargesPreviewRecord, filters=False)
    @action(detail=False, methods=["post"], pagination_class=None, filter_backends=[])
    def preview(self, request):
        """What a settlement would do now: totals by place and nature, every lease, those left out."""
        told = asked_charges(request)
        told.setdefault("on", today())
        seen = preview_charges(told.pop("year"), **told)
        try:
            skip = max(0, int(request.query_params.get("skip", 0)))
        except ValueError:
            skip = 0
        lines = [*seen.leases, *seen.left_out][skip : skip + LINES]
        audit.record_read(request, "charges", sorted({one.lease_id for one in lines}))
        record = {
            "year": seen.year,
            "on": seen.on,
            "due": seen.due,
            "late": seen.late,
            "barred": seen.barred,
            "leases": len(seen.leases),
            "left_out": len(seen.left_out),
            "to_pay": seen.to_pay,
            "to_give_back": seen.to_give_back,
            "natures": seen.lines[:LINES],
            "lines": lines,
        }
        return Response(ChargesPreviewRecord(record).data)

    @extend_schema(parameters=described(SettlementFilter), responses=SettlementRecord(many=True))
    @action(detail=True, filter_backends=[])
    def statements(self, request, pk=None):
        """The statements of a settlement, lease by lease."""
        return self.within(
            Settlement.objects.filter(run=self.get_object()),
            SettlementRecord,
            filterset_class=SettlementFilter,
            sorts={"lease": "lease", "amount": "amount"},
            default_sort="lease",
            audited=("charges", "lease_id"),
        )

    @extend_schema(responses=LeftOutRecord(many=True))
    @action(detail=True, filter_backends=[], url_path="left-out")
    def left_out(self, request, pk=None):
        """The leases that a settlement left out, and why."""
        rows = ChargeException.objects.filter(run=self.get_object())
        return self.within(rows, LeftOutRecord, sorts={"id": "pk"}, default_sort="id")


def asked_charges(request) -> dict:
    asked = ChargesAsked(data=request.data)
    asked.is_valid(raise_exception=True)
    return dict(asked.validated_data)


# ---- a statement ------------------------------------------------------------------------


class StatementLineRecord(serializers.Serializer):
    label = serializers.CharField()
    place = serializers.CharField()
    total = Euros()
    key = serializers.CharField()
    value = serializers.DecimalField(max_digits=14, decimal_places=2)
    whole = serializers.DecimalField(max_digits=18, decimal_places=2)
    days = serializers.IntegerField()
    of_days = serializers.IntegerField()
    share = Euros()


class InstalmentRecord(serializers.Serializer):
    due = serializers.DateField()
    amount = Euros()


class ChargeStatementRecord(serializers.Serializer):
    """All that a charge statement says: natures, key, days, share, provisions, what is left to pay."""

    lease = serializers.IntegerField(source="lease_id")
    year = serializers.IntegerField()
    version = serializers.IntegerField()
    start = serializers.DateField()
    end = serializers.DateField(help_text="Last day of the period.")
    days = serializers.IntegerField()
    lines = StatementLineRecord(many=True)
    share = Euros()
    provisions = Euros()
    before = Euros(help_text="Settled by earlier versions.")
    amount = Euros(help_text="To pay; below zero, given back.")
    instalments = serializers.SerializerMethodField()
    sent_on = serializers.DateField()
    due = serializers.DateField()
    inspection_until = serializers.DateField(help_text="Last day on which the documents may be seen.")

    def get_instalments(self, facts) -> list[dict]:
        rows = [{"due": due, "amount": amount} for due, amount in facts.instalments]
        return InstalmentRecord(rows, many=True).data


class ChargeStatements(Reading):
    """Charge statements of leases (*décomptes de charges*)."""

    access = ("charges", "view")
    serializer_class = SettlementRecord
    queryset = Settlement.objects.all()
    filterset_fields = ["lease", "year"]
    audited = ("charges", "lease_id")

    @extend_schema(responses=ChargeStatementRecord)
    def retrieve(self, request, *args, **kwargs):
        """A statement whole, as its letter says it."""
        settlement = self.get_object()
        audit.record_read(request, "charges", settlement.lease_id)
        return Response(ChargeStatementRecord(statement_facts(settlement)).data)
