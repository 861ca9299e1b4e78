"""Django's migrate, with what the apps declare in SQL dropped before and made anew after."""

from django.core.management.commands import migrate
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from core import sqlfile


class Command(migrate.Command):
    def handle(self, *args, **options):
        connection = connections[options["database"]]
        connection.prepare_database()
        writes = not (options["plan"] or options["check_unapplied"])
        if writes and (options["app_label"] or to_apply(connection)):
            sqlfile.drop_declared(connection)
        super().handle(*args, **options)
        if not writes or not sqlfile.missing(connection):
            return
        if to_apply(connection):
            self.stderr.write("The database is without its guards until `migrate` has applied the rest.")
            return
        # Anew as a whole: one that was left, or worded otherwise, would be in the way.
        sqlfile.drop_declared(connection)
        sqlfile.make_declared(connection)


def to_apply(connection) -> list:
    executor = MigrationExecutor(connection)
    return executor.migration_plan(executor.loader.graph.leaf_nodes())
