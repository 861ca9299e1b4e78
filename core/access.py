"""Who may do what, and see which fields (*habilitations*): one table, asked by everything.

Pages, API, exports and search ask `can`, `visible` or `require`; nothing else decides. A role is a
Django group of that name; somebody with two roles has the rights of both. A superuser has the
rights of an administrator, no more: nobody reads a household's file by being technically able to.
"""

from collections.abc import Callable
from functools import wraps
from urllib.parse import urlencode

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

ROLES = {
    "rental_manager": _("Rental manager"),
    "mediator": _("Rental mediator"),
    "technician": _("Technician"),
    "social_worker": _("Social worker"),
    "coordinator": _("Coordinator"),
    "director": _("Director"),
    "administrator": _("Administrator"),
}
"""Role (*métier*) → how it is called on a page."""

SECOND_FACTOR = frozenset({"social_worker", "coordinator", "director", "administrator"})
"""Roles that must sign in with a second factor: they see social content, or give the roles."""

_LETTER = {
    "R": "rental_manager",
    "M": "mediator",
    "T": "technician",
    "S": "social_worker",
    "C": "coordinator",
    "D": "director",
    "A": "administrator",
}

_EVERYONE = "RMTSCDA"

_TABLE: dict[str, dict[str, str]] = {
    "home": {"view": _EVERYONE},
    "search": {"view": "RMTSCD"},
    # The stock and who owns it.
    "owner": {"view": "RMTD", "change": "R", "import": "R", "export": "RD"},
    "holding": {"view": "RMD", "change": "R", "import": "R", "export": "RD"},
    "site": {"view": "RMTSCD", "change": "R", "import": "R", "export": "RMTD"},
    "unit": {"view": "RMTSCD", "change": "RT", "import": "R", "export": "RMTD"},
    "place": {"view": "RMTSCD", "change": "R", "import": "R", "export": "RMTD"},
    "energy_label": {"view": "RMTSCD", "change": "RT", "import": "RT", "export": "RTD"},
    # People and what binds them to a home.
    "household": {"view": "RMTSCD", "change": "RMSC", "import": "R", "export": "RMSCD"},
    "person": {"view": "RMTSCD", "change": "RMSC", "import": "R", "export": "RD"},
    "lease": {"view": "RMSCD", "change": "R", "import": "R", "export": "RMD"},
    "lease_money": {"view": "RMD", "change": "R", "import": "R", "export": "RD"},
    "benefit": {"view": "RMSCD", "change": "R", "import": "R", "export": "RMD"},
    # CHRS: what residents pay from proved resources, and the structures' rates.
    "participation": {"view": "RCD", "change": "RC"},
    "participation_rate": {"change": "D"},
    # What the payers of the benefit paid, and what they are told of rents and departures.
    "benefit_payment": {"view": "RMD", "export": "RMD"},
    # Money.
    "tenant_account": {"view": "RMSCD", "change": "R", "export": "RMD"},
    "ledger": {"view": "RD", "change": "R", "run": "RD", "import": "R", "export": "RD"},
    "revision": {"view": "RMD", "change": "R", "commit": "R", "import": "R", "export": "RD"},
    "expense": {"view": "RD", "change": "R", "import": "R", "export": "RD"},
    "charges": {"view": "RMD", "run": "R", "commit": "R", "change": "R", "export": "RD"},
    "charge_policy": {"view": "RD", "change": "D"},
    "rent_run": {"view": "RD", "run": "R", "commit": "R", "export": "RD"},
    "statement": {"view": "RD", "change": "R", "import": "R", "export": "RD"},
    "suspense": {"view": "RD", "settle": "R", "export": "RD"},
    "owner_account": {"view": "RD", "change": "R", "import": "R", "export": "RD"},
    "mandate": {"view": "RD", "change": "R", "import": "R", "export": "RD"},
    "debit": {"view": "RMD", "run": "R", "commit": "R", "import": "R", "export": "RMD"},
    # Papers: what goes to a household about its account, and the texts they are made of.
    "document": {"view": "RMD", "run": "R"},
    "document_template": {"view": "RD", "change": "RD"},
    # The accounts closed, their files for the tax administration, the house's rates of provision.
    "closing": {"view": "RD", "change": "D", "export": "RD"},
    # A tenancy: surveys, what is kept and given back, how long a temporary stay lasts.
    "inspection": {"view": "RMTSCD", "change": "RT"},
    "wear": {"view": "RMTD", "change": "R"},
    "desk": {"view": "RMD", "change": "R", "export": "RD"},
    "deposit": {"view": "RMD", "change": "R", "export": "RD"},
    "stay": {"view": "RMSCD", "change": "RC", "export": "RCD"},
    # Before it: who asks for which home. Who does not decide sees how far a file is, not its money.
    "application": {"view": "RMSCD", "change": "R", "export": "RD"},
    # What a lease obliges, repairs, homes to let again; "commit" charges an invoice.
    "obligation": {"view": "RMTD", "change": "RMT", "export": "RMD"},
    "repair": {"view": "RMTSCD", "change": "RMT", "commit": "R", "export": "RMTD"},
    "reletting": {"view": "RMTSCD", "change": "RT", "export": "RMTD"},
    # Unpaid rent.
    "signal": {"view": "RMSCD", "change": "RM", "run": "RM", "export": "RMD"},
    "benefit_report": {"view": "RMD", "change": "RM", "export": "RMD"},
    "contact_log": {"view": "RMSCD", "change": "RMSC", "export": "RMD"},
    # Social follow-up: that there is one, apart from what is said in it.
    "referent": {"view": "RMSCD", "change": "SC", "import": "SC", "export": "SCD"},
    "social_note": {"view": "SC", "change": "SC"},
    # The house itself.
    "law": {"view": _EVERYONE, "change": "D"},
    "import": {"view": "RTSC", "run": "RTSC"},
    "export": {"view": "RMTSCD", "run": "RMTSCD"},
    "job": {"view": _EVERYONE, "change": "DA"},
    "user": {"view": "DA", "change": "A"},
    "audit": {"view": "DA", "run": "A"},
}
"""Resource → action → roles. A role may view its own jobs; "change" opens everybody's."""

_FIELDS: dict[tuple[str, str], frozenset[str]] = {
    # To knock at the right door and be let in; nothing about money.
    ("technician", "household"): frozenset({"reference", "name", "phone", "unit"}),
    ("technician", "person"): frozenset({"name", "phone"}),
    ("technician", "owner"): frozenset({"reference", "name", "kind", "phone", "email"}),
    ("mediator", "owner"): frozenset({"reference", "name", "kind", "phone", "email"}),
    ("mediator", "holding"): frozenset({"reference", "kind", "owner", "start", "end"}),
    # To reach a tenant who does not pay, not to know the person's life.
    ("mediator", "person"): frozenset({"name", "phone", "email", "address"}),
    # How far a file is and what is awaited; what the household earns is for who decides.
    **dict.fromkeys(
        [(role, "application") for role in ("mediator", "social_worker", "coordinator")],
        frozenset({"reference", "household", "place", "stage", "holder", "deadline", "documents", "lease"}),
    ),
    ("mediator", "lease_money"): frozenset({"rent", "charges", "items", "deposit", "due_day"}),
    # The follow-up works with the budget: what is owed, not the account nor its IBAN.
    ("social_worker", "tenant_account"): frozenset({"balance", "buckets", "since", "benefit_wait"}),
    ("coordinator", "tenant_account"): frozenset({"balance", "buckets", "since", "benefit_wait"}),
    ("social_worker", "benefit"): frozenset({"kind", "amount", "start", "end", "state"}),
    ("coordinator", "benefit"): frozenset({"kind", "amount", "start", "end", "state"}),
}
"""Role × resource → the only fields shown; where nothing is said, all of them."""


class _Everything(frozenset):
    """All fields, those not yet thought of included."""

    def __contains__(self, field):
        return True

    def __bool__(self):
        return True

    def __repr__(self):
        return "ALL"

    def __and__(self, other):
        return frozenset(other)


ALL = _Everything()


class Forbidden(PermissionDenied):
    """This user's roles do not open that; the sentence is for the user."""

    def __init__(self, resource: str, action: str):
        self.resource, self.action = resource, action
        super().__init__(_t("Your role does not allow this. Ask your administrator if you need it."))


def roles(user) -> frozenset[str]:
    """The user's roles; one query for a user, then none."""
    kept = getattr(user, "_roles", None)
    if kept is None:
        if user is None or not user.is_active or user.pk is None:
            return frozenset()
        kept = frozenset(user.groups.values_list("name", flat=True)) & ROLES.keys()
        if user.is_superuser:
            kept |= {"administrator"}
        user._roles = kept = frozenset(kept)
    return kept


def can(user, resource: str, action: str = "view") -> bool:
    """Whether one of the user's roles opens that action. Raises LookupError if not in the table."""
    return not roles(user).isdisjoint(roles_for(resource, action))


def visible(user, resource: str) -> frozenset[str]:
    """The fields the user sees of a resource: none, some, or ALL."""
    shown: frozenset[str] = frozenset()
    for role in roles(user) & roles_for(resource, "view"):
        if (role, resource) not in _FIELDS:
            return ALL
        shown |= _FIELDS[role, resource]
    return shown


def require(user, resource: str, action: str = "view") -> None:
    """Raise Forbidden unless the user can."""
    if not can(user, resource, action):
        raise Forbidden(resource, action)


def roles_for(resource: str, action: str) -> frozenset[str]:
    """The roles that an action is open to. Raises LookupError if it is not in the table."""
    try:
        return _OPEN[resource, action]
    except KeyError:
        raise LookupError(f"{resource} × {action} is not in core.access") from None


def allowed(resource: str, action: str = "view") -> Callable:
    """Decorate a view: sign in first, then the table decides. `view.access` says what was asked."""
    roles_for(resource, action)

    def guard(view):
        @wraps(view)
        def guarded(request, *args, **kwargs):
            if not request.user.is_authenticated:
                return to_sign_in(request)
            require(request.user, resource, action)
            return view(request, *args, **kwargs)

        guarded.access = (resource, action)
        return guarded

    return guard


def to_sign_in(request) -> HttpResponse:
    """Send to the sign-in page and back; a fragment asks the browser to go, not to swap it in."""
    fragment = request.headers.get("HX-Request") == "true"
    back = request.headers.get("HX-Current-URL", "/") if fragment else request.get_full_path()
    address = f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': back})}"
    if fragment:
        return HttpResponse(headers={"HX-Redirect": address})
    return HttpResponseRedirect(address)


def create_groups() -> None:
    """Make the group of each role where it is not there yet."""
    from django.contrib.auth.models import Group

    for role in ROLES:
        Group.objects.get_or_create(name=role)


_OPEN = {
    (resource, action): frozenset(_LETTER[letter] for letter in letters)
    for resource, actions in _TABLE.items()
    for action, letters in actions.items()
}
