"""The database that is measured, built in a process of its own: what the load took is not counted."""

import sys
from datetime import date
from pathlib import Path


def build(leases: int, months: int) -> None:
    """Migrate, then the stock and its history, in the database of DATABASE_URL."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from benchmarks import stock

    def told(words: str) -> None:
        print(f"\r\033[K{connection.vendor} {leases}: {words}", end="", file=sys.stderr, flush=True)

    told("migrations")
    call_command("migrate", verbosity=0)
    told("stock")
    stock.make_stock(leases)
    stock.make_history(leases, months, told=lambda month: told(f"history {month}"))
    connection.close()


def written(leases: int, called: date) -> Path:
    """The bank's file of a month, written in a process of its own as well."""
    import django

    django.setup()
    from benchmarks import works

    return works.write_statement(leases, called)
