"""The day it is, for pages and commands; domain functions take it as a parameter."""

from datetime import date

from django.conf import settings
from django.utils import timezone


def today() -> date:
    """The local date, or the day a demonstration is frozen on (GLA_TODAY=YYYY-MM-DD)."""
    return date.fromisoformat(settings.GLA_TODAY) if settings.GLA_TODAY else timezone.localdate()
