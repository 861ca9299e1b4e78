"""Filters of the follow-up's lists."""

import django_filters
from django.contrib.auth import get_user_model
from django.utils.translation import gettext_lazy as _

from core.today import today
from followup.referents import Referent
from leases.checkpoint import with_balance
from leases.lease import Lease
from portfolio.filters import TextFilter


class FollowedFilter(django_filters.FilterSet):
    """Households followed, by whom; those followed now unless the past is asked."""

    q = TextFilter(hint=_("Name or reference"))
    worker = django_filters.ModelChoiceFilter(
        label=_("Social worker"), queryset=get_user_model().objects.none(), empty_label=_("All")
    )
    running = django_filters.ChoiceFilter(
        label=_("Follow-up"),
        choices=[("yes", _("Under way")), ("no", _("Ended"))],
        empty_label=_("All"),
        method="under_way",
    )

    debt = django_filters.ChoiceFilter(
        label=_("Balance due"), choices=[("yes", _("With debt"))], empty_label=_("All"), method="in_debt"
    )

    class Meta:
        model = Referent
        fields = []

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        workers = get_user_model().objects.filter(pk__in=Referent.objects.values("worker"))
        self.filters["worker"].queryset = workers.order_by("last_name", "username")
        self.filters["worker"].field.label_from_instance = lambda user: (
            user.get_full_name() or user.get_username()
        )

    def in_debt(self, referents, name, wanted):
        owing = with_balance(Lease.objects.all(), today()).filter(balance__gt=0)
        return referents.on(today()).filter(household__in=owing.values("household"))

    def under_way(self, referents, name, wanted):
        return referents.filter(end__isnull=wanted == "yes")


def full_name(user) -> str:
    """How a colleague is called on a page."""
    return user.get_full_name() or user.get_username()
