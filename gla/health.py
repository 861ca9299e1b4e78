"""Is this installation fit to serve? Asked by a load balancer or a monitor; says nothing of anyone."""

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from core import sqlfile


@never_cache
@require_safe
def health(request):
    """200 when the database answers, is in step with the code and has all its guards; else 503."""
    found = {"database": "ok", "migrations": "ok", "guards": "ok"}
    try:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            found["migrations"] = "run manage.py migrate"
        elif sqlfile.missing(connection):
            found["guards"] = "run manage.py migrate"
    except DatabaseError:
        found = {"database": "does not answer"}
    return JsonResponse(found, status=200 if set(found.values()) == {"ok"} else 503)
