"""The database has every trigger, view and exclusion that the apps declare, after whatever migration."""

import pytest
from django.core.management import call_command
from django.db import connection, migrations, models

from core import sqlfile


def guards() -> set[tuple[str, str]]:
    return {(thing.kind, thing.name) for thing in sqlfile.declared(connection.vendor)}


def run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def a_trigger_of(table: str) -> sqlfile.Declared:
    return next(
        thing
        for thing in sqlfile.declared(connection.vendor)
        if thing.kind == "trigger" and thing.table == table
    )


@pytest.mark.django_db
def test_the_database_has_what_is_declared_and_nothing_else():
    assert guards()
    assert not sqlfile.missing(connection)
    there = {(kind, name) for kind, name in sqlfile.present(connection) if kind != "index"}
    assert there == {(kind, name) for kind, name in guards() if kind != "index"}


def test_both_engines_guard_the_same_tables():
    def guarded(vendor):
        return {thing.table for thing in sqlfile.declared(vendor) if thing.kind in ("trigger", "constraint")}

    assert guarded("sqlite") == guarded("postgresql")


@pytest.mark.parametrize(
    "table", ["leases_posting", "leases_rentcall", "portfolio_holding", "core_auditline"]
)
def test_a_migration_that_alters_a_table_leaves_its_guards(fresh_database, monkeypatch, table):
    """On SQLite altering a column makes the table anew, and its triggers are silently gone."""
    app, name = table.split("_")
    alter_with_a_migration(monkeypatch, app, name)

    call_command("migrate", verbosity=0)

    assert a_field_was_added(app, name)
    assert not sqlfile.missing(connection)


def test_migrating_one_app_leaves_the_guards_of_all(fresh_database):
    call_command("migrate", "leases", verbosity=0)

    assert not sqlfile.missing(connection)


def test_migrate_brings_back_a_guard_that_was_removed(fresh_database):
    run(a_trigger_of("leases_posting").drop(connection.vendor))
    assert [thing.table for thing in sqlfile.missing(connection)] == ["leases_posting"]

    call_command("migrate", verbosity=0)

    assert not sqlfile.missing(connection)


@pytest.mark.sqlite
def test_a_trigger_that_no_longer_refuses_is_missing(fresh_database):
    run("DROP TRIGGER posting_no_update")
    run("CREATE TRIGGER posting_no_update BEFORE UPDATE ON leases_posting BEGIN SELECT 1; END")

    assert [thing.name for thing in sqlfile.missing(connection)] == ["posting_no_update"]


@pytest.mark.postgresql
@pytest.mark.parametrize(
    ("altered", "found"),
    [
        ("ALTER TABLE leases_posting DISABLE TRIGGER posting_guard", "posting_guard"),
        (
            "CREATE OR REPLACE FUNCTION ledger_append_only() RETURNS trigger LANGUAGE plpgsql"
            " AS $$ BEGIN RETURN NULL; END $$",
            "ledger_append_only",
        ),
    ],
)
def test_a_trigger_that_no_longer_refuses_is_missing_on_postgresql(fresh_database, altered, found):
    run(altered)

    assert [thing.name for thing in sqlfile.missing(connection)] == [found]


def alter_with_a_migration(monkeypatch, app: str, name: str) -> None:
    """One more migration of that app, which adds a column with a default and alters it."""
    from django.db.migrations.loader import MigrationLoader

    read = MigrationLoader.load_disk

    def with_one_more(loader):
        read(loader)
        last = max(number for label, number in loader.disk_migrations if label == app)

        class Migration(migrations.Migration):
            dependencies = [(app, last)]
            operations = [
                migrations.AddField(name, "trial", models.IntegerField(default=0)),
                migrations.AlterField(name, "trial", models.BigIntegerField(default=0, db_index=True)),
            ]

        loader.disk_migrations[app, "9999_trial"] = Migration("9999_trial", app)

    monkeypatch.setattr(MigrationLoader, "load_disk", with_one_more)


def a_field_was_added(app: str, name: str) -> bool:
    with connection.cursor() as cursor:
        columns = connection.introspection.get_table_description(cursor, f"{app}_{name}")
    return "trial" in {column.name for column in columns}
