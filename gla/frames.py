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
    (_("Households"), "households", "household", ("/leases/households/", "/followup/")),
    (_("Owners"), "owners", "owner", ("/portfolio/owners/", "/portfolio/holdings/")),
    (_("Rent runs"), "runs", "rent_run", ("/leases/runs/",)),
    (_("Statements"), "statements", "statement", ()),
    (_("Suspense"), "suspense", "suspense", ()),
    (_("Imports"), "imports", "import", ()),
    (_("Users"), "users", "user", ()),
    (_("Audit"), "audit", "audit", ()),
    (_("Long work"), "jobs", "job", ()),
    (_("Law"), "law", "law", ()),
]
"""Label, URL name, resource viewed, and the addresses beneath it besides its own."""


def navigation(request):
    """Context for every page: nav = [{label, url, active}], what the reader's roles open."""
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
        found.append({"label": label, "url": url, "depth": depth})
    # The address that says most is where we are; the home page's own says it only of itself.
    deepest = max((one["depth"] for one in found), default=0)
    for one in found:
        depth = one.pop("depth")
        one["active"] = depth == deepest and (depth > 1 or request.path == "/")
    return {"nav": found}
