"""The rent index, and the yearly revision of rents: what was revised, what a month would bring, its start."""

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from api.fields import Euros, Month, SeenModel
from api.jobs import JobRecord, accepted
from api.reading import Reading
from core import audit, jobs
from core.today import today
from leases.filters import RevisionFilter
from leases.models import IndexValue, Revision
from leases.yearly.revision import RULE_CHOICES, Asked, check, preview_revision, revision_lines
from leases.yearly.revision_rule import REASONS
from portfolio.models import Owner

LINES = 500


class IndexRecord(SeenModel):
    quarter = serializers.CharField(source="of", read_only=True, help_text="2026-T2")
    value = serializers.DecimalField(max_digits=6, decimal_places=2, read_only=True)

    class Meta:
        model = IndexValue
        resource = "revision"
        fields = ["id", "series", "quarter", "value", "published_on"]


class Indices(Reading):
    """Values of the rent index (*IRL*), by series and quarter."""

    access = ("revision", "view")
    serializer_class = IndexRecord
    queryset = IndexValue.objects.all()
    filterset_fields = ["series", "year"]
    sorts = {"year": "year"}
    default_sort = "-year"


class RevisionRecord(SeenModel):
    """A rent revised, or put back (undoes): amounts a month, the index or the ceiling it goes by."""

    item = serializers.IntegerField(read_only=True, help_text="As in rent terms.")
    item_label = serializers.CharField(source="get_item_display", read_only=True)
    quarter = serializers.CharField(
        source="index_quarter", read_only=True, allow_null=True, help_text="Quarter of the index, 2026-T2."
    )
    index_old = serializers.DecimalField(
        source="value_old", max_digits=6, decimal_places=2, read_only=True, allow_null=True
    )
    index_new = serializers.DecimalField(
        source="value_new", max_digits=6, decimal_places=2, read_only=True, allow_null=True
    )
    ceiling = serializers.DecimalField(
        source="rate",
        max_digits=6,
        decimal_places=2,
        read_only=True,
        allow_null=True,
        help_text="Per cent.",
    )
    undone = serializers.SerializerMethodField()

    class Meta:
        model = Revision
        resource = "revision"
        fields = [
            "id",
            "run",
            "lease",
            "item",
            "item_label",
            "on",
            "effect",
            "rule",
            "old",
            "new",
            "series",
            "quarter",
            "index_old",
            "index_new",
            "ceiling",
            "undoes",
            "undone",
        ]

    def get_undone(self, revision) -> bool:
        return getattr(revision, "undone_by", None) is not None


class RevisionAsked(serializers.Serializer):
    """Which leases are revised: those whose date falls in the month; claimed today by default."""

    month = Month()
    claimed_on = serializers.DateField(required=False)
    owner_kind = serializers.ChoiceField(choices=Owner.Kind.choices, required=False, default="")
    rule = serializers.ChoiceField(choices=RULE_CHOICES, required=False, default="")


class RevisionTotal(serializers.Serializer):
    owner_kind = serializers.CharField()
    rule = serializers.CharField()
    leases = serializers.IntegerField()
    old = Euros()
    new = Euros()


class LeftOut(serializers.Serializer):
    code = serializers.ChoiceField(choices=sorted(REASONS))
    reason = serializers.CharField()
    leases = serializers.IntegerField()


class RevisionLine(serializers.Serializer):
    """A lease of the month: revised (reason ""), or left out and why."""

    lease = serializers.IntegerField(source="lease_id")
    rule = serializers.CharField()
    on = serializers.DateField()
    effect = serializers.DateField()
    item = serializers.IntegerField(allow_null=True)
    old = Euros(allow_null=True)
    new = Euros(allow_null=True)
    quarter = serializers.CharField(source="index_quarter", allow_null=True)
    reason = serializers.CharField()


class RevisionPreviewRecord(serializers.Serializer):
    """What the revision of a month would bring; nothing is written."""

    month = Month()
    claimed_on = serializers.DateField()
    leases = serializers.IntegerField()
    rise = Euros()
    totals = RevisionTotal(many=True)
    left_out = LeftOut(many=True)
    lines = RevisionLine(many=True, help_text="At most 500, from ?skip=.")


class Revisions(Reading):
    """Rents revised, and put back (*révisions de loyer*)."""

    access = {
        "list": ("revision", "view"),
        "retrieve": ("revision", "view"),
        "preview": ("revision", "view"),
        "create": ("revision", "commit"),
    }
    serializer_class = RevisionRecord
    queryset = Revision.objects.select_related("undone_by")
    filterset_class = RevisionFilter
    sorts = {"on": "on", "lease": "lease"}
    default_sort = "-on"
    audited = ("lease", "lease_id")

    @extend_schema(request=RevisionAsked, responses={202: JobRecord})
    def create(self, request):
        """Revise the rents of a month: starts the work, or gives back the one under way."""
        asked = asked_revision(request)
        check(asked, now=timezone.now())
        told = {
            "month": f"{asked.month:%Y-%m}",
            "claimed_on": asked.claimed_on.isoformat(),
            "owner_kind": asked.owner_kind,
            "rule": asked.rule,
        }
        started = jobs.start("rent_revision", by=request.user, once=" ".join(told.values()), **told)
        return accepted(request, started)

    @extend_schema(
        request=RevisionAsked,
        responses=RevisionPreviewRecord,
        filters=False,
        parameters=[OpenApiParameter("skip", OpenApiTypes.INT, description="Lines to pass over.")],
    )
    @action(detail=False, methods=["post"], pagination_class=None, filter_backends=[])
    def preview(self, request):
        """What the revision of a month would bring now, and every lease left out with its reason."""
        asked = asked_revision(request)
        seen = preview_revision(asked)
        skip = request.query_params.get("skip", "")
        lines = revision_lines(asked, skip=int(skip) if skip.isdigit() else 0, size=LINES)
        audit.record_read(request, "lease", sorted({line.lease_id for line in lines}))
        told = {
            "month": seen.month,
            "claimed_on": seen.claimed_on,
            "leases": seen.leases,
            "rise": seen.rise,
            "totals": seen.revised,
            "left_out": [
                {"code": code, "reason": str(REASONS[code]), "leases": count}
                for code, count in seen.left_out()
            ],
            "lines": lines,
        }
        return Response(RevisionPreviewRecord(told).data)


def asked_revision(request) -> Asked:
    asked = RevisionAsked(data=request.data)
    asked.is_valid(raise_exception=True)
    told = asked.validated_data
    return Asked(told["month"], told.get("claimed_on") or today(), told["owner_kind"], told["rule"])
