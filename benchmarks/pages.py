"""Every page of the demonstration as each role: server time, slowest first.

    python -m benchmarks.pages [--times 9] [--role director] [--only worklist,leases] [--above 100]

Reads the database of DATABASE_URL, or the demonstration's; each page leaves its audit line there, so
give it a copy. Milliseconds of the whole answer: session, access, audit, template; 95 in 100, half, and half of the
processor's own time, which a busy machine does not lengthen (the server's work on PostgreSQL left out).
"""

import argparse
import os
import random
import sys
from statistics import median
from time import perf_counter, process_time

LISTS = {
    "leases": ["?sort=-balance", "?last=1", "?debt=yes", "?q=martin"],
    "units": ["?status=vacant", "?label=G", "?owner_kind=social", "?last=1"],
    "households": ["?q=martin", "?housed=no"],
    "worklist": ["?sort=amount", "?tab=closed"],
    "aged-leases": ["?bucket=over_90", "?owner_kind=own"],
    "followed": ["?debt=yes&running=yes"],
    "search": ["?q=martin", "?q=BX00"],
}
"""What is asked of a page besides its plain address."""

GOAL = 100  # milliseconds, 95 in 100


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages", description=__doc__.split("\n")[0])
    parser.add_argument("--times", type=int, default=9, help="how often each page is asked for (9)")
    parser.add_argument("--role", default="", help="one role only")
    parser.add_argument("--only", default="", help="names of pages")
    parser.add_argument("--above", type=float, default=0, help="tell only the pages slower than this, ms")
    asked = parser.parse_args()
    os.environ.setdefault("GLA_DEMO", "1")
    os.environ["DJANGO_SETTINGS_MODULE"] = "gla.settings"
    from django.conf import settings

    import gla.wsgi  # noqa: F401 the site as it is served
    from core.job import Job

    settings.DEBUG = False
    demo = Job.objects.filter(kind="demo").order_by("created_at").first()
    if demo and not settings.GLA_TODAY:
        settings.GLA_TODAY = demo.parameters["today"]
    found = measured(asked)
    for late, usual, work, role, address, size in sorted(found, reverse=True):
        if late >= asked.above:
            print(f"{late:7.0f} {usual:7.0f} {work:7.0f} ms  {size / 1024:6.1f} kB  {role:15} {address}")
    slow = sum(1 for line in found if line[0] > GOAL)
    print(f"{len(found)} pages, {slow} above {GOAL} ms, each asked for {asked.times} times")
    return 0


def measured(asked) -> list[tuple]:
    from django.test import Client

    from core.access import ROLES
    from core.models import User

    found = []
    only = set(filter(None, asked.only.split(",")))
    for role in ROLES:
        user = User.objects.filter(groups__name=role).order_by("pk").first()
        if user is None or asked.role not in ("", role):
            continue
        client = Client(HTTP_HOST="localhost", raise_request_exception=False)
        client.force_login(user)
        for address in addresses(only):
            times, works, answer = [], [], None
            for _time in range(asked.times):
                started, begun = perf_counter(), process_time()
                answer = client.get(address)
                times.append((perf_counter() - started) * 1000)
                works.append((process_time() - begun) * 1000)
                if answer.status_code != 200:
                    break
            if answer.status_code == 200 and not answer.streaming:
                times.sort()
                late = times[min(len(times) - 1, round(len(times) * 0.95))]
                found.append((late, median(times), median(works), role, address, len(answer.content)))
        print(f"\r\033[K{role}: {len(found)} pages", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return found


def addresses(only: set[str]):
    """Every page's address, with the id of something that is there; files and the API left out."""
    from django.urls import get_resolver, reverse
    from django.urls.resolvers import URLPattern

    dice = random.Random(5)

    def walk(resolver):
        for entry in resolver.url_patterns:
            if isinstance(entry, URLPattern):
                yield entry
            elif not str(entry.pattern).startswith(("api/", "accounts/", "i18n/")):
                yield from walk(entry)

    for entry in walk(get_resolver()):
        name, names = entry.name, list(entry.pattern.converters)
        if (
            not name
            or name == "health"
            or name.endswith(("-template", "-file"))
            or (only and name not in only)
        ):
            continue
        if not names:
            yield from (reverse(name) + query for query in ["", *LISTS.get(name, [])])
        elif names == ["pk"]:
            model = shown_by(entry.callback, name)
            keys = list(model.objects.values_list("pk", flat=True).order_by("pk")[:5_000]) if model else []
            if keys:
                yield reverse(name, args=[dice.choice(keys)])


def shown_by(view, name: str):
    """The model whose id a page takes: of its own resource, or of its name's first word."""
    from arrears.signals import Signal
    from core.job import Job
    from leases.bank import Allocation, Movement, Statement
    from leases.models import Household, Lease, RentRun
    from portfolio.models import Building, Owner, Unit

    by_word = {
        "lease": Lease, "arrears": Lease, "contact": Lease, "household": Household, "referent": Household,
        "unit": Unit, "building": Building, "owner": Owner, "run": RentRun, "statement": Statement,
        "movement": Movement, "allocation": Allocation, "suspense": Allocation, "signal": Signal, "job": Job,
    }  # fmt: skip
    return by_word.get(name.split("-")[0])


if __name__ == "__main__":
    sys.exit(main())
