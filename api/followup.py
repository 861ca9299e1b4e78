"""Who follows which household, and since when: that, and nothing confided."""

from rest_framework import serializers

from api.fields import SeenModel
from api.reading import Reading
from followup.filters import FollowedFilter
from followup.models import Referent


class ReferentRecord(SeenModel):
    worker_name = serializers.CharField(source="worker.get_full_name", read_only=True)

    class Meta:
        model = Referent
        resource = "referent"
        fields = ["id", "household", "worker", "worker_name", "followed_since", "end"]


class ReferentFilter(FollowedFilter):
    class Meta:
        model = Referent
        fields = ["household"]


class Referents(Reading):
    """Each household's named social worker over time (*référents sociaux*)."""

    access = ("referent", "view")
    serializer_class = ReferentRecord
    queryset = Referent.objects.select_related("worker")
    filterset_class = ReferentFilter
    sorts = {"followed_since": "followed_since"}
    default_sort = "followed_since"
    audited = ("household", "household_id")
