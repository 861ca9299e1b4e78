"""Programs and people who ask the API."""

import pytest
from rest_framework.test import APIClient


@pytest.fixture
def asks(build):
    """A client signed in as a role: asks("mediator").get("/api/v1/leases/")."""

    def signed_in(role=None, **kwargs):
        client = APIClient(**kwargs)
        client.force_login(build.user(role))
        return client

    return signed_in
