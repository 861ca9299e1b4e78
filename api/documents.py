"""Papers: those made and how they went out, their PDF, one made, a month's for the whole stock."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.http import content_disposition_header
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from api.fields import Euros, Month, SeenModel
from api.jobs import JobRecord, accepted
from api.reading import Reading
from core import audit
from core.models import Document, Sending
from core.today import today
from leases.filters import DocumentFilter
from leases.models import Lease
from leases.papers import batch
from leases.papers.months import LEASE, NOTICE, RECEIPT


class SendingRecord(serializers.ModelSerializer):
    class Meta:
        model = Sending
        fields = ["channel", "at", "failure"]


class DocumentRecord(SeenModel):
    """A paper as archived; sha256 is that of its PDF."""

    lease = serializers.IntegerField(source="subject_id", read_only=True)
    month = Month(read_only=True, allow_null=True)
    amount = Euros(read_only=True, allow_null=True)
    sendings = SendingRecord(many=True, read_only=True)

    class Meta:
        model = Document
        resource = "document"
        fields = [
            "id",
            "kind",
            "lease",
            "month",
            "number",
            "amount",
            "title",
            "language",
            "template_version",
            "created_at",
            "created_by",
            "size",
            "sha256",
            "sendings",
        ]


class PaperAsked(serializers.Serializer):
    """One paper of a lease; a month for a notice or a receipt."""

    lease = serializers.PrimaryKeyRelatedField(queryset=Lease.objects.all())
    kind = serializers.ChoiceField(choices=list(batch.OF_A_LEASE))
    month = Month(required=False)

    def validate(self, asked):
        if asked["kind"] in batch.KINDS and not asked.get("month"):
            self.fields["month"].fail("required")
        return asked


class PapersAsked(serializers.Serializer):
    """The papers of a month for the whole stock."""

    kind = serializers.ChoiceField(choices=[NOTICE, RECEIPT])
    month = Month()
    email = serializers.BooleanField(default=True, help_text="To the tenants who agreed to it.")


class Documents(Reading):
    """Papers about leases, as archived (*documents*)."""

    access = {
        "list": ("document", "view"),
        "retrieve": ("document", "view"),
        "content": ("document", "view"),
        "create": ("document", "run"),
        "papers": ("document", "run"),
    }
    serializer_class = DocumentRecord
    queryset = Document.objects.filter(subject=LEASE).prefetch_related("sendings")
    filterset_class = DocumentFilter
    sorts = {"created_at": "created_at"}
    default_sort = "-created_at"
    audited = ("document", "pk")

    def filter_queryset(self, found):
        found = super().filter_queryset(found)
        lease = self.request.query_params.get("lease", "") if not self.detail else ""
        return found.filter(subject_id=lease) if lease.isdecimal() else found

    @extend_schema(responses={(200, "application/pdf"): OpenApiTypes.BINARY})
    @action(detail=True, filter_backends=[])
    def content(self, request, pk=None):
        """The PDF, as archived."""
        document = get_object_or_404(self.get_queryset().defer(None), pk=self.get_object().pk)
        audit.record(request, "download", "document", document.pk, sha256=document.sha256)
        return HttpResponse(
            document.read(),
            content_type="application/pdf",
            headers={"Content-Disposition": content_disposition_header(True, document.file_name)},
        )

    @extend_schema(request=PaperAsked, responses={201: DocumentRecord})
    def create(self, request):
        """Make one paper of a lease and archive it."""
        read = PaperAsked(data=request.data)
        read.is_valid(raise_exception=True)
        wanted = read.validated_data
        made = batch.make_one(
            wanted["kind"],
            wanted["lease"],
            month=wanted.get("month"),
            on=today(),
            by=request.user,
            now=timezone.now(),
        )
        return Response(self.get_serializer(made).data, 201)

    @extend_schema(request=PapersAsked, responses={202: JobRecord})
    @action(detail=False, methods=["post"], filter_backends=[])
    def papers(self, request):
        """Make the papers of a month for the whole stock: starts the work, or gives back the one under way."""
        read = PapersAsked(data=request.data)
        read.is_valid(raise_exception=True)
        wanted = read.validated_data
        return accepted(
            request,
            batch.begin(wanted["kind"], wanted["month"], on=today(), by=request.user, email=wanted["email"]),
        )
