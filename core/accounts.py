"""Signing in (*connexion*): accounts are opened by the administrator, secrets are kept encrypted.

Password and lock-out come from Django and axes, the second factor from allauth; here is only what
this house adds to them.
"""

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.contrib.auth import get_user_model
from django.http import HttpResponse, HttpResponseForbidden, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from core import access, crypto

_OPEN_WITHOUT = ("/accounts/", "/static/", "/i18n/", "/health")


class ClosedAccounts(DefaultAccountAdapter):
    """Nobody signs up: the administrator opens accounts and gives roles."""

    def is_open_for_signup(self, request):
        return False


class SealedFactors(DefaultMFAAdapter):
    """Second factors whose secrets the database holds encrypted only."""

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "cannot_delete_authenticator": _("Your role must keep its second factor."),
    }

    def encrypt(self, text):
        return crypto.encrypt(text)

    def decrypt(self, encrypted_text):
        return crypto.decrypt(encrypted_text)

    def can_delete_authenticator(self, authenticator):
        return not must_have_second_factor(authenticator.user)


def lockout_name(request, credentials=None) -> str:
    """The account that wrong passwords count against, whether named by its name or its e-mail."""
    given = credentials or {}
    name = given.get("username") or given.get("email") or request.POST.get("login") or ""
    name = str(name).strip().lower()
    if "@" in name:
        held = get_user_model().objects.filter(email__iexact=name).values_list("username", flat=True)
        name = held.first() or name
    return name.lower()


def must_have_second_factor(user) -> bool:
    """Whether a role of the user demands a second factor (never in the demonstration)."""
    return not settings.GLA_DEMO and bool(access.roles(user) & access.SECOND_FACTOR)


class SecondFactorMiddleware:
    """Keeps those whose role demands a second factor on its page until they have one."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        user = request.user
        if (
            user.is_authenticated
            and not request.path.startswith(_OPEN_WITHOUT)
            and must_have_second_factor(user)
            and not _has_second_factor(request)
        ):
            if request.path.startswith("/api/"):
                return HttpResponseForbidden(_("Your role must sign in with a second factor."))
            address = reverse("mfa_activate_totp")
            if request.headers.get("HX-Request") == "true":
                return HttpResponse(headers={"HX-Redirect": address})
            return HttpResponseRedirect(address)
        return self.get_response(request)


def _has_second_factor(request) -> bool:
    # Once seen, kept in the session: no query on each page.
    if request.session.get("second_factor"):
        return True
    from allauth.mfa.utils import is_mfa_enabled

    if is_mfa_enabled(request.user, types=["totp"]):
        request.session["second_factor"] = True
        return True
    return False
