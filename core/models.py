"""The ground's models: who signs in, and what the ground keeps of itself."""

from django.contrib.auth.models import AbstractUser

from core import dialect
from core.audit import AuditLine
from core.documents import Document, DocumentTemplate, Letterhead, Sending
from core.files import KeptFile
from core.job import Job, JobPart
from core.tokens import ApiToken


class User(AbstractUser):
    """Someone who signs in (*utilisateur*); roles are Django groups (core.access)."""


# dialect: teaches text fields the lookup `spoken`.
__all__ = [
    "ApiToken",
    "AuditLine",
    "Document",
    "DocumentTemplate",
    "Job",
    "JobPart",
    "KeptFile",
    "Letterhead",
    "Sending",
    "User",
    "dialect",
]
