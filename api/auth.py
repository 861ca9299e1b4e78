"""Who asks, and whether they may: a key or a session, then core.access."""

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission

from core import access, tokens


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer gla_…`: a key of core.tokens, in its user's name (RFC 6750)."""

    def authenticate(self, request):
        scheme, _space, clear = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        try:
            token = tokens.find(clear.strip().decode("ascii"))
        except UnicodeDecodeError:
            token = None
        if token is None:
            raise AuthenticationFailed(_("This key opens nothing: it is unknown or ended."))
        return token.user, token

    def authenticate_header(self, request):
        return "Bearer"


class TokenScheme(OpenApiAuthenticationExtension):
    """How the schema names the key."""

    target_class = TokenAuthentication
    name = "key"

    def get_security_definition(self, auto_schema):
        return {"type": "http", "scheme": "bearer", "bearerFormat": "gla_…"}


class AccessPermission(BasePermission):
    """Asks core.access what the view names: `access = (resource, action)`, or one for each operation."""

    def has_permission(self, request, view):
        if not request.user.is_authenticated:
            return False
        right = asked(view, request.method.lower())
        if right is not None:
            access.require(request.user, *right)
        return True


def asked(view, method: str) -> tuple[str, str] | None:
    """The right that a view asks for what is under way; None where it has no such method.

    Raises ImproperlyConfigured when a view has the method but names no right for it.
    """
    operation = getattr(view, "action", None) or method
    if not hasattr(view, operation):
        return None
    right = getattr(view, "access", None)
    if isinstance(right, dict):
        right = right.get(operation) or right.get("get" if method == "head" else method) or right.get("*")
    if right is None:
        raise ImproperlyConfigured(f"{type(view).__name__}.{operation} asks no right.")
    return right
