"""A file sent from a page: its work done here and now, then the page that tells what became of it."""

from contextlib import suppress

from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from core.errors import Refusal
from core.jobs import Job, run_inline


def upload(client, name: str, data: bytes, file_name: str = "file.xlsx", **fields):
    """Send a file to the page of that URL name; what its work came to, as that page tells it."""
    sent = client.post(reverse(name), {"file": SimpleUploadedFile(file_name, data), **fields})
    begun = Job.objects.latest("created_at")
    # Nothing is queued before a commit, and a test has none: the page of the work is shown meanwhile.
    assert sent.status_code == 302
    assert sent["Location"] == begun.get_absolute_url()
    with suppress(Refusal):
        run_inline(begun)
    return client.get(reverse(name), {"job": begun.pk})
