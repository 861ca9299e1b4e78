"""Pages about the house itself: the law it applies, its users, what was read and changed."""

import django_filters
from allauth.mfa.models import Authenticator
from django.contrib.auth import get_user_model
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext_lazy as _

from core.access import ROLES, SECOND_FACTOR
from core.audit import AuditLine
from core.law import CONFIDENCES, EVENTS, UNITS, all_rules
from core.pages import ListColumn, ListPage, Page
from core.today import today

APPS = {
    "portfolio": _("Homes and owners"),
    "leases": _("Leases and rent"),
    "followup": _("Follow-up"),
    "arrears": _("Unpaid rent"),
    "energy": _("Energy"),
}


class Law(Page):
    """Every number and date of the law that the program applies, with its article."""

    resource = "law"
    title = _("Law")
    template_name = "law.html"

    def get_context_data(self, **kwargs):
        day, text = today(), self.request.GET.get("q", "").strip().lower()
        apps: dict[str, dict[str, list]] = {}
        for rule in all_rules():
            if text and text not in f"{rule.id} {rule.legal_ref} {rule.source}".lower():
                continue
            apps.setdefault(rule.app, {}).setdefault(rule.id, []).append(told(rule, day))
        return super().get_context_data(
            apps=[(APPS.get(app, app), list(rules.items())) for app, rules in apps.items()],
            asked=text,
            day=day,
            **kwargs,
        )


def told(rule, day):
    """One record of the law in words: what it says, when it holds, how sure we are."""
    values = rule.value if isinstance(rule.value, tuple) else (rule.value,)
    return {
        "values": values,
        "unit": UNITS[rule.unit],
        "event": EVENTS[rule.event],
        "scope": ", ".join(f"{key}: {value}" for key, value in rule.scope.items()),
        "rule": rule,
        "in_force": rule.valid.contains(day),
        "confidence": CONFIDENCES[rule.confidence],
        "sure": "good" if rule.confidence == "checked" else "warn",
    }


class UserFilter(django_filters.FilterSet):
    """Users by role and name."""

    role = django_filters.ChoiceFilter(
        label=_("Role"), choices=list(ROLES.items()), field_name="groups__name", empty_label=_("All")
    )
    active = django_filters.BooleanFilter(label=_("Active"), field_name="is_active")

    class Meta:
        model = get_user_model()
        fields = []


class UserList(ListPage):
    """Everyone who signs in, with their roles and second factor."""

    resource = "user"
    title = _("Users")
    filterset_class = UserFilter
    default_sort = "username"
    columns = [
        ListColumn("username", _("Signs in as"), sort="username"),
        ListColumn("name", _("Name"), "get_full_name", sort="last_name"),
        ListColumn("roles", _("Roles"), "role_names"),
        ListColumn("factor", _("Second factor"), "factor_state", kind="state"),
        ListColumn("active", _("Active"), "is_active", kind="bool"),
        ListColumn("last_login", _("Last signed in"), kind="moment", sort="last_login"),
    ]

    def get_queryset(self):
        second = Authenticator.objects.filter(user=OuterRef("pk"), type=Authenticator.Type.TOTP)
        return get_user_model().objects.annotate(second=Exists(second)).prefetch_related("groups")

    def complete(self, users):
        for user in users:
            names = {group.name for group in user.groups.all()}
            user.role_names = ", ".join(str(ROLES[name]) for name in ROLES if name in names)
            if user.second:
                user.factor_state = "good", _("In place")
            elif names & SECOND_FACTOR:
                user.factor_state = "warn", _("Asked at next sign-in")
            else:
                user.factor_state = "off", _("Not asked")
            if user.is_superuser:
                user.role_names = ", ".join(filter(None, [user.role_names, str(_("Superuser"))]))


class AuditFilter(django_filters.FilterSet):
    """Audit lines by who, what and when."""

    actor = django_filters.NumberFilter(label=_("User number"))
    resource = django_filters.CharFilter(label=_("Resource"))
    action = django_filters.CharFilter(label=_("Action"))
    since = django_filters.DateFilter(label=_("From"), field_name="at", lookup_expr="date__gte")
    until = django_filters.DateFilter(label=_("To"), field_name="at", lookup_expr="date__lte")

    class Meta:
        model = AuditLine
        fields = []


class AuditList(ListPage):
    """Who read or changed what, the latest first: ids only."""

    resource = "audit"
    title = _("Audit")
    subtitle = _("Who read or changed what: numbers only, no names.")
    filterset_class = AuditFilter
    queryset = AuditLine.objects.all()
    default_sort = "-at"
    columns = [
        ListColumn("at", _("When"), kind="moment", sort="at"),
        ListColumn("who", _("Who"), lambda line: line.who),
        ListColumn("action", _("Action")),
        ListColumn("resource", _("Resource")),
        ListColumn("object_id", _("Number")),
        ListColumn("detail", _("Detail"), lambda line: short(line.detail)),
        ListColumn("sealed", _("Sealed"), lambda line: line.hash is not None, kind="bool"),
    ]

    def complete(self, lines):
        names = dict(
            get_user_model()
            .objects.filter(pk__in={line.actor for line in lines})
            .values_list("pk", "username")
        )
        for line in lines:
            line.who = names.get(line.actor) or line.actor_kind


def short(detail) -> str:
    """The detail of an audit line, cut where it is long."""
    text = ", ".join(f"{key}: {value}" for key, value in detail.items())
    return text if len(text) <= 120 else f"{text[:117]}…"
