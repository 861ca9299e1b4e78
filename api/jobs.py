"""Long work: how far it is, and stopping it."""

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from api.fields import SeenModel
from api.reading import Reading
from core import access, jobs
from core.models import Job


class JobRecord(SeenModel):
    title = serializers.CharField(read_only=True)
    state = serializers.ChoiceField(choices=sorted(jobs.STATES), read_only=True)
    state_word = serializers.CharField(read_only=True)

    class Meta:
        model = Job
        resource = "job"
        fields = [
            "id",
            "kind",
            "title",
            "state",
            "state_word",
            "parts_done",
            "parts_total",
            "message",
            "result",
            "error",
            "created_at",
            "started_at",
            "cancelled_at",
            "finished_at",
        ]


class Jobs(Reading):
    """Runs, imports and other long work (*traitements*): one's own; who looks after them sees all."""

    access = ("job", "view")
    serializer_class = JobRecord
    queryset = Job.objects.all()
    lookup_value_converter = "uuid"
    filterset_fields = ["kind"]
    sorts = {"created_at": "created_at"}
    default_sort = "-created_at"

    def get_queryset(self):
        found = super().get_queryset()
        if not self.request or access.can(self.request.user, "job", "change"):
            return found
        return found.filter(created_by=self.request.user.pk)

    def get_object(self):
        job = super().get_object()
        if not job.is_over and not jobs.with_workers() and (not job.worker or job.stale):
            # In-process work left by a process that died goes on as soon as somebody looks.
            jobs.kick()
        return job

    @extend_schema(request=None, responses=JobRecord)
    @action(detail=True, methods=["post"])
    def cancel(self, request, pk=None):
        """Stop after the part in hand; what is done stays."""
        job = self.get_object()
        jobs.cancel(job, by=request.user)
        return Response(self.get_serializer(job).data)

    @extend_schema(request=None, responses=JobRecord)
    @action(detail=True, methods=["post"])
    def resume(self, request, pk=None):
        """Take up a job that was cancelled, failed or interrupted."""
        return Response(self.get_serializer(jobs.resume(self.get_object(), by=request.user)).data)


def accepted(request, job) -> Response:
    """Work that has begun: where to look how far it is."""
    address = request.build_absolute_uri(reverse("api:job-detail", args=[job.pk]))
    return Response(JobRecord(job, context={"request": request}).data, 202, headers={"Location": address})
