"""What frames every page: the navigation that a role sees."""

from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from core.access import can, roles

ENTRIES = [
    (pgettext_lazy("page", "Home"), "home", "home", ()),
    (_("Unpaid rent"), "worklist", "signal", ("/arrears/",)),
    (_("Homes"), "units", "unit", ("/leases/units/", "/leases/buildings/", "/portfolio/buildings/")),
    (_("Leases"), "leases", "lease", ("/leases/leases/",)),
    (
        _("Departures"),
        "departures",
        "lease",
        (
            "/leases/deposits/",
            "/leases/transfers/",
            "/leases/stays/",
            "/leases/wear/",
            "/leases/inspections/",
        ),
    ),
    (_("Applications"), "applications", "application", ("/leases/applications/",)),
    (_("Obligations"), "obligations", "obligation", ("/leases/certificates/",)),
    (_("Repairs"), "repairs", "repair", ("/leases/work-orders/", "/leases/repair-invoices/")),
    (_("Re-letting"), "reletting", "reletting", ()),
    (_("CHRS participations"), "participations", "participation", ()),
    (_("Households"), "households", "household", ("/leases/households/", "/followup/")),
    (_("Owners"), "owners", "owner", ("/portfolio/owners/", "/portfolio/holdings/")),
    (
        _("Owners' accounts"),
        "owner-statements",
        "owner_account",
        ("/leases/owners/", "/leases/payouts/", "/leases/client-money/", "/leases/mandate-register/"),
    ),
    (_("Rent runs"), "runs", "rent_run", ("/leases/runs/",)),
    (_("Rent revision"), "revisions", "revision", ("/leases/indices/",)),
    (
        _("Charges"),
        "charge-runs",
        "charges",
        ("/leases/expenses/", "/leases/keys/", "/leases/co-ownerships/"),
    ),
    (_("Direct debits"), "debits", "debit", ("/leases/debits/",)),
    (_("Housing benefit"), "benefit-differences", "benefit_payment", ("/leases/benefits/",)),
    (_("Papers"), "papers", "document", ("/leases/papers/", "/leases/documents/")),
    (_("Statements"), "statements", "statement", ()),
    (_("Desk"), "desk", "desk", ()),
    (_("Suspense"), "suspense", "suspense", ()),
    (_("Accounts"), "closing", "closing", ("/leases/closing/",)),
    (_("Imports"), "imports", "import", ()),
    (_("Users"), "users", "user", ()),
    (_("Audit"), "audit", "audit", ()),
    (_("Long work"), "jobs", "job", ()),
    (_("Law"), "law", "law", ()),
]
"""Label, URL name, resource viewed, and the addresses beneath it besides its own."""

GROUPS = [
    (_("Tenants"), ("households", "departures", "applications", "stays", "participations")),
    (_("Stock"), ("obligations", "repairs", "reletting", "surveys")),
    (pgettext_lazy("menu", "Owners"), ("owners", "owner-statements", "payouts")),
    (
        _("Rents"),
        ("runs", "revisions", "charge-runs", "debits", "benefit-differences", "papers", "documents"),
    ),
    (_("Bank and accounts"), ("statements", "suspense", "desk", "closing", "grants", "fec")),
    (_("Administration"), ("imports", "users", "audit", "jobs", "law")),
]
"""What a long menu gathers under one word: URL names of ENTRIES; an entry of no group stands alone."""

SHORT = 7
"""A menu of no more entries needs no group."""


def navigation(request):
    """Context for every page: nav = [{label, url, active, entries}], what the reader's roles open.

    A group has no url, and its own such `entries`.
    """
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated or not roles(user):
        return {"nav": []}
    found = []
    for label, name, resource, beneath in ENTRIES:
        if not can(user, resource):
            continue
        try:
            url = reverse(name)
        except NoReverseMatch:
            continue
        under = (*beneath, url)
        depth = max((len(start) for start in under if request.path.startswith(start)), default=0)
        found.append({"label": label, "name": name, "url": url, "depth": depth, "entries": ()})
    # The address that says most is where we are; the home page's own says it only of itself.
    deepest = max((one["depth"] for one in found), default=0)
    for one in found:
        depth = one.pop("depth")
        one["active"] = depth == deepest and (depth > 1 or request.path == "/")
    return {"nav": grouped(found) if len(found) > SHORT else found}


def grouped(found: list[dict]) -> list[dict]:
    """The entries with each group in the place of its first; a group of one is that entry itself."""
    of = {name: label for label, names in GROUPS for name in names}
    made: dict[str, dict] = {}
    for one in found:
        label = of.get(one["name"])
        if label is None:
            made[one["name"]] = one
            continue
        group = made.setdefault(f"group {label}", {"label": label, "url": "", "active": False, "entries": []})
        group["entries"].append(one)
        group["active"] = group["active"] or one["active"]
    return [one["entries"][0] if len(one["entries"]) == 1 else one for one in made.values()]
