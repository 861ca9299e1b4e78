"""The demonstration association: made as files, loaded as a user would, played over 24 months.

One job in idempotent parts (core.jobs): killed half-way, `manage.py demo` takes it up where it
stopped. Its row is also the mark of a database that the demonstration made itself.
"""

import csv
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from pathlib import Path
from random import Random

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler, get_internal_wsgi_application
from django.db import connection
from django.db.models import Sum
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from arrears import signals
from arrears.benefit_reports import constituted, record_receipt, report
from core import access, dialect, jobs
from core.errors import Refusal
from core.money import euros
from core.periods import add_months, next_month
from followup.referents import Referent, import_referents
from gla import (
    demo_charges,
    demo_closing,
    demo_debits,
    demo_documents,
    demo_owners,
    demo_revision,
    demo_tenancy,
    demo_upkeep,
)
from gla.demo_bank import ACCOUNT_NAMES, IBANS
from gla.demo_files import SOCIAL_WORKERS, first_month_played, worker_names, write_demonstration
from gla.demo_people import names
from gla.demo_stock import UNITS
from leases import bank, checkpoint, ledger, tenant_account
from leases.collecting.returns import learn_from
from leases.imports import import_leases
from leases.lease import Lease, PayerIban
from leases.lifecycle import end_lease, return_keys
from leases.management.commands.matching_report import held_against
from leases.proof import check_ledger
from leases.remittances import import_payment_list
from leases.rent import RentCall, RentRun, run_rent
from leases.suspense import settle
from portfolio.imports import import_portfolio
from portfolio.owners import Holding, Owner
from portfolio.stock import Unit

PASSWORD = "demonstration"
MEDIATED = 1_835
MEDIATORS = 6
LOGINS = {
    "gestion": "rental_manager",
    "mediation": "mediator",
    "technique": "technician",
    "social": "social_worker",
    "coordination": "coordinator",
    "direction": "director",
    "administration": "administrator",
}
WORDS = {
    "users": _("users"),
    "units": _("homes"),
    "leases": _("leases"),
    "files": _("files"),
    "lines": _("payments"),
    "calls": _("calls"),
    "movements": _("movements"),
    "lists": _("lists"),
    "to identify": _("to identify"),
    "settled by hand": _("settled by hand"),
    "signals": _("signals"),
    "households met": _("households met"),
}
"""What a part counts, as its line says it."""
CONTACTS = (
    ("call", "Appel : dit avoir fait le virement, à vérifier au prochain relevé."),
    ("call", "Appel : perte d’emploi récente, rendez-vous pris avec la CAF."),
    ("no_answer", "Pas de réponse, message laissé."),
    ("visit", "Visite à domicile : budget regardé ensemble, échéancier à proposer."),
    (
        "visit",
        "Visite d’entrée dans les lieux : droits et devoirs du locataire, lecture de l’avis d’échéance.",
    ),
    ("sms", "Rappel de l’échéance."),
    ("letter", "Courrier de premier rappel envoyé."),
    ("desk", "Passage à l’accueil : versement annoncé pour le 10."),
    ("desk", "Passage à l’accueil : dossier FSL rempli avec le référent."),
    ("email", "Demande d’attestation de loyer transmise."),
)
watched = False
_ticked = 0.0
OURS = ("portfolio", "leases", "followup", "arrears", "energy")


class NotOurs(Refusal):
    """A database that the demonstration did not make."""


def demonstration() -> jobs.Job | None:
    """The job that made this database's demonstration, if one did."""
    return jobs.Job.objects.filter(kind="demo").order_by("created_at").first()


def refuse_others() -> None:
    """Raise NotOurs for a database with anything in it that the demonstration did not put there."""
    tables = set(connection.introspection.table_names())
    place = _t("the database %(name)s") % {"name": Path(str(connection.settings_dict["NAME"])).name}
    remedy = _t("Name another, empty database in DATABASE_URL.")
    if tables and "django_migrations" not in tables:
        raise NotOurs(place, _t("It holds tables of another program."), remedy)
    if jobs.Job._meta.db_table in tables and demonstration():
        return
    models = [model for app in OURS for model in apps.get_app_config(app).get_models()]
    for model in [get_user_model(), jobs.Job, *models]:
        if model._meta.managed and model._meta.db_table in tables and model._default_manager.exists():
            raise NotOurs(place, _t("It holds data that the demonstration did not make."), remedy)


# ---- making it --------------------------------------------------------------------------


def folder() -> Path:
    """Where the demonstration's files are written."""
    return Path(settings.MEDIA_ROOT) / "demonstration"


@jobs.job("demo", title=_("Demonstration"))
def demo(job, *, units: int, months: int, today: str) -> Iterator[jobs.Part]:
    """Files, import, then rent and bank month by month, and the signals of today."""
    day = date.fromisoformat(today)
    calendar = [add_months(first_month_played(day, months), at) for at in range(months)]
    debited = calendar[-demo_debits.PLAYED :]
    job.expect(15 + 2 * months + len(debited))

    def part(key: str, label: str, do: Callable[[], dict | None]) -> jobs.Part:
        return jobs.Part(key=key, do=lambda: _timed(label, do), label=label)

    def imported(found) -> dict:
        return {str(name): count for name, count in found.created.items()}

    yield part("people", _t("Users of each role"), make_users)

    def files() -> dict[str, int]:
        _true_payers.cache_clear()
        return write_demonstration(folder(), units=units, months=months, today=day, echo=tick)

    yield part("files", _t("Writing the association's files"), files)
    if not (folder() / "payeurs.csv").exists():
        files()  # thrown away since: made again they are the same
    start = _at(calendar[0], 7)
    yield part("portfolio", _t("Importing the stock (patrimoine.xlsx)"), lambda: imported(
        import_portfolio(folder() / "patrimoine.xlsx", by=user("gestion"), now=start, echo=tick)))  # fmt: skip
    yield part("leases", _t("Importing the leases (baux.xlsx)"), lambda: imported(
        import_leases(folder() / "baux.xlsx", by=user("gestion"), now=start, echo=tick)))  # fmt: skip
    yield part("referents", _t("Importing the referents (referents.csv)"), lambda: imported(
        import_referents(folder() / "referents.csv", by=user("coordination"), echo=tick)))  # fmt: skip
    yield part("banks", _t("Declaring the bank accounts"), declare_banks)
    for month in calendar:
        yield part(
            f"rent {month:%Y-%m}",
            _t("Rent of %(month)s") % {"month": f"{month:%Y-%m}"},
            lambda month=month: play_rent(month),
        )
        if month in debited:
            yield part(
                f"debits {month:%Y-%m}",
                _t("Direct debits of %(month)s") % {"month": f"{month:%Y-%m}"},
                lambda month=month: play_debits(month, first=month == debited[0]),
            )
        yield part(
            f"bank {month:%Y-%m}",
            _t("Bank of %(month)s") % {"month": f"{month:%Y-%m}"},
            lambda month=month: play_bank(month, today=day),
        )
    yield from year(part, day)
    yield part("debits", _t("Direct debits to present again"), lambda: demo_debits.prepare_next(
        day, by=user("gestion"), now=_at(day, 8)))  # fmt: skip
    yield part("arrears", _t("Unpaid rent of today"), lambda: play_arrears(day, units))
    yield part("closing", _t("Accounts closed, grants, provisions"), lambda: demo_closing.play_closing(
        today=day, by=user("direction"), manager=user("gestion"), say=tick))  # fmt: skip
    return summary(day)


def year(part, day: date) -> Iterator[jobs.Part]:
    """What a manager does besides the monthly cycle: departures, revision, charges, owners, papers."""
    by, now = user("gestion"), _at(day, 8)
    yield part("tenancy", _t("Surveys, deposits, departures"), lambda: demo_tenancy.play_tenancy(
        day, by=by, echo=tick))  # fmt: skip
    yield part("upkeep", _t("Obligations, repairs"), lambda: demo_upkeep.play_upkeep(day, by=by))
    yield part(
        "revision", _t("Rent revision"), lambda: demo_revision.play_revision(today=day, by=by, now=now)
    )
    yield part("charges", _t("Charges"), lambda: demo_charges.play_charges(
        day, folder=folder(), by=by, director=user("direction"), now=now))  # fmt: skip
    yield part("owners", _t("Owners' accounts"), lambda: demo_owners.play_owners(
        day, by=by, client_iban=IBANS["B"]))  # fmt: skip
    yield part(
        "papers", _t("Papers"), lambda: {"documents": demo_documents.play_documents(day, by=by, now=now)}
    )


def say(words: str) -> None:
    """Show that the work goes on, where somebody watches (`watched`)."""
    if watched:
        print(words, end="", flush=True)


def tick(*_told) -> None:
    """A dot, twice a second at most, for whoever watches; importers call it with what they do."""
    global _ticked
    if time.monotonic() - _ticked > 0.5:
        _ticked = time.monotonic()
        say(".")


def _timed(label: str, do: Callable[[], dict | None]) -> dict:
    began = time.monotonic()
    say(f"{label} ")
    outcome = do() or {}
    said = ", ".join(f"{value} {WORDS.get(name, name)}" for name, value in outcome.items())
    say(f" {time.monotonic() - began:.1f} s{': ' if said else ''}{said}\n")
    return outcome | {"seconds": round(time.monotonic() - began, 1)}


def _at(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=timezone.get_current_timezone())


def user(name: str):
    return get_user_model().objects.get(username=name)


def make_users() -> dict:
    """One user for each role with the password shown, and the colleagues of two of them."""
    access.create_groups()
    groups = {group.name: group for group in Group.objects.all()}
    password, someone = make_password(PASSWORD), names("colleagues")
    made = dict(LOGINS) | dict.fromkeys(worker_names(SOCIAL_WORKERS), "social_worker")
    made |= {f"mediation{number:02d}": "mediator" for number in range(2, MEDIATORS + 1)}
    for name, role in made.items():
        first, last = next(someone)
        kept, new = get_user_model().objects.get_or_create(
            username=name,
            defaults={
                "first_name": first,
                "last_name": last,
                "email": f"{name}@example.org",
                "password": password if name in LOGINS else make_password(None),
            },
        )
        if new:
            kept.groups.add(groups[role])
    return {"users": len(made)}


def declare_banks() -> dict:
    """The association's account, the mandants' one (in its book too), and the SAUES's in the SAUES's book."""
    saues = Owner.objects.get(reference="P-SAUES")
    for letter, iban in IBANS.items():
        book = ledger.Book.objects.get_or_create(owner=saues if letter == "C" else None)[0]
        bank.BankAccount.objects.get_or_create(
            iban=iban, defaults={"name": ACCOUNT_NAMES[letter], "book": book}
        )
    return {}


def play_rent(month: date) -> dict:
    """What is learnt late by then, then the rent of a month, called as on its first day."""
    _learn_departures(month)
    run = run_rent(month, by=user("gestion"), now=_at(month, 7))
    return {"calls": run.sealed_calls, "EUR": str(run.sealed_total.amount)}


def play_debits(month: date, *, first: bool) -> dict:
    """The direct debits of a month; the mandates signed before, before the first of them."""
    by = user("gestion")
    made = demo_debits.take_over_debits(month, by=by) if first else {}
    return made | demo_debits.play_debits(month, by=by, now=_at(month, 8))


def play_bank(month: date, *, today: date) -> dict:
    """Import a month's statements on the first of the next, then the lists that explain their lines."""
    by, now = user("gestion"), _at(min(next_month(month), today), 9)
    place = folder() / f"{month:%Y-%m}"
    movements = suspense = lists = 0
    for path in sorted(place.iterdir()) if place.exists() else ():
        if path.suffix != ".csv":
            found = bank.import_statement(path.read_bytes(), path.name, by=by, now=now)
            learn_from(found, by=by, now=now)
            movements, suspense = movements + found.movements, suspense + found.suspense
    for path in sorted(place.glob("*.csv")):
        tick()
        split = import_payment_list(path.read_bytes(), by=by, now=now)
        lists, suspense = lists + 1, suspense - 1 + split.odd
    settled = _settle_older(month, by, now)
    if not bank.Statement.objects.filter(end__lt=month - timedelta(days=40)).exists():
        dialect.gather_statistics()
    return {"movements": movements, "lists": lists, "to identify": suspense, "settled by hand": settled}


def _settle_older(month: date, by, now: datetime) -> int:
    """Settle what was left to identify the month before, now that the payers were asked; most of it."""
    payers, random = _true_payers(folder() / "payeurs.csv"), Random(f"suspense {month}")
    waiting = bank.Allocation.objects.in_suspense().filter(movement__booked__lt=month, settles=None)
    found = {}
    for line in waiting.select_related("movement__bank"):
        movement = line.movement
        reference = payers.get((movement.bank.iban, movement.booked.isoformat(), movement.bank_reference))
        if reference and random.random() < 0.9:
            found[line] = reference
    leases = {lease.reference: lease for lease in Lease.objects.filter(reference__in=found.values())}
    accounts = [line.movement.counterparty_iban for line in found]
    known = set(PayerIban.objects.filter(iban__in=accounts).values_list("iban", flat=True))
    for line, reference in found.items():
        tick()
        settle(
            line,
            [(leases[reference], line.left, None)],
            by=by,
            on=month.replace(day=12),
            now=now,
            # Who pays for somebody else keeps their account for their own lease.
            remember_iban=line.movement.counterparty_iban not in known,
        )
    return len(found)


@lru_cache(maxsize=1)
def _true_payers(truth: Path) -> dict[tuple[str, str, str], str]:
    """The lease that truly paid each movement that only one paid."""
    payers: dict[tuple[str, str, str], str] = {}
    with truth.open(encoding="utf-8", newline="") as opened:
        for iban, booked, reference, _amount, lease, _payer in islice(
            csv.reader(opened, delimiter=";"), 1, None
        ):
            key = iban, booked, reference
            payers[key] = "" if key in payers else lease
    return payers


def _learn_departures(month: date) -> None:
    """Record who left some months ago and told nobody (departs.csv)."""
    with (folder() / "departs.csv").open(encoding="utf-8", newline="") as opened:
        for row in csv.DictReader(opened, delimiter=";"):
            if row["appris"] != month.isoformat():
                continue
            lease, last_day = Lease.objects.get(reference=row["bail"]), date.fromisoformat(row["sortie"])
            by, now = user("gestion"), _at(month, 6)
            end_lease(lease, last_day=last_day, reason=Lease.EndReason.TENANT_NOTICE, by=by, now=now)
            lease.refresh_from_db()
            return_keys(lease, on=last_day, by=by, now=now)


def play_arrears(today: date, units: int) -> dict:
    """Flag today's unpaid rent, share the signals among the mediators, fill their journal of contacts."""
    dialect.gather_statistics()
    random, manager = Random("arrears"), user("gestion")
    checkpoint.keep_checkpoint(on=today, now=_at(today, 7))
    found = signals.flag_arrears(on=today, by=manager, now=_at(today, 8))
    mediators = list(signals.mediators())
    opened = list(signals.Signal.objects.open().select_related("lease").order_by("pk"))
    chased = [signal for signal in opened if signal.nature != signals.Signal.Nature.LATE]
    for signal in chased:
        tick()
        mediator = mediators[signal.lease_id % len(mediators)]
        signals.assign(signal, mediator, by=manager)
        if random.random() < 0.08:
            signals.remind(signal, on=today + timedelta(days=random.randint(2, 14)), by=mediator)
    # Whom a mediator has met: those with a signal first, then others met when they moved in.
    owing = list(dict.fromkeys(signal.lease for signal in opened))
    others = Lease.objects.in_force_on(today).exclude(pk__in=[lease.pk for lease in owing]).order_by("pk")
    met = (owing + random.sample(list(others), len(others)))[: round(MEDIATED * units / UNITS)]
    for lease in met:
        tick()
        first = max(lease.start, today - timedelta(days=500))
        for _again in range(1 + (random.random() < 0.25)):
            means, note = random.choice(CONTACTS)
            on = first + timedelta(days=random.randrange(max(1, (today - first).days)))
            signals.log_contact(lease, by=mediators[lease.pk % len(mediators)], on=on, means=means, note=note)
    # Most of what the CAF must know was told in time; a part still waits.
    to_tell = [one.lease_id for one in constituted(today) if random.random() < 0.85]
    told = report(Lease.objects.filter(pk__in=to_tell), on=today, by=manager, now=_at(today, 9))
    for one in told[::2]:
        record_receipt(one, receipt=f"AR-{one.lease_id:06d}", on=today, by=manager)
    return {"signals": sum(found.opened.values()), "households met": len(met)}


# ---- what it says -----------------------------------------------------------------------


def summary(today: date) -> dict:
    """What the demonstration holds on its day: figures that its summary shows."""
    say(_t("Counting, and proving the ledger") + " ")
    held = Unit.objects.held_on(today)
    kinds = Counter(Holding.objects.on(today).values_list("owner__kind", flat=True))
    buckets, wait = Counter(), euros(0)
    for account in tenant_account.aged(today):
        for name in ("not_due", "d0_30", "d31_60", "d61_90", "over_90"):
            buckets[name] += round(getattr(account, name).amount * 100)
        wait += account.benefit_wait
    truth = held_against(folder() / "payeurs.csv")
    say(".")
    faults = [str(fault) for fault in check_ledger()]
    say(".\n")
    return {
        "units": held.count(),
        "own": kinds["own"],
        "landlords": kinds["social"] + kinds["private"],
        "saues": kinds["saues"],
        "leases": Lease.objects.in_force_on(today).count(),
        "followed": Referent.objects.filter(end=None).count(),
        "met": signals.Contact.objects.values("lease__household").distinct().count(),
        "runs": RentRun.objects.count(),
        "calls": RentCall.objects.count(),
        "called": str(RentRun.objects.aggregate(total=Sum("sealed_total"))["total"].amount),
        "movements": bank.Movement.objects.count(),
        "received": str(
            bank.Movement.objects.filter(amount__gt=0).aggregate(total=Sum("amount"))["total"].amount
        ),
        "buckets": dict(buckets),
        "benefit_wait": str(wait.amount),
        "lines": truth.lines,
        "matched": round(truth.percent, 2),
        "wrong": len(truth.wrong),
        "signals": signals.Signal.objects.open().count(),
        "suspense": bank.Allocation.objects.in_suspense().count(),
        "faults": faults,
    }


def told(job: jobs.Job) -> str:
    """The summary in words, from the figures kept when the demonstration was made."""
    found, day = job.result, date.fromisoformat(job.parameters["today"])
    by_age = {name: _figure(cents / 100) for name, cents in found["buckets"].items()}
    lines = [
        (_t("Day"), f"{day:%d/%m/%Y}"),
        (
            _t("Homes"),
            _t("%(units)s: %(own)s on its own account, %(landlords)s of landlords, %(saues)s for the SAUES"),
        ),
        (
            _t("Households"),
            _t(
                "%(leases)s leases in force, %(followed)s households with a referent, %(met)s met in rental mediation"
            ),
        ),
        (_t("Rent"), _t("%(calls)s calls in %(runs)s runs, %(called)s EUR net of benefits")),
        (_t("Bank"), _t("%(movements)s movements, %(received)s EUR received")),
        (
            _t("Matching"),
            _t(
                "%(lines)s payments, %(matched)s %% matched automatically, %(wrong)s of them wrongly, %(suspense)s to identify"
            ),
        ),
        (
            _t("Unpaid, EUR"),
            _t(
                "not due %(not_due)s · 0–30 days %(d0_30)s · 31–60 %(d31_60)s · 61–90 %(d61_90)s · older %(over_90)s"
            ),
        ),
        (_t("Benefit awaited"), _t("%(benefit_wait)s EUR, a technical arrear")),
        (_t("Signals"), _t("%(signals)s open")),
        (_t("Ledger"), _t("%(faults)s faults") if found["faults"] else _t("checked, no fault")),
        (_t("Files"), str(folder())),
    ]
    values = {name: _figure(value) for name, value in found.items() if isinstance(value, (int, float, str))}
    values |= by_age | {"faults": len(found["faults"])}
    width = max(len(name) for name, _words in lines)
    text = "\n".join(
        f"  {name:<{width}}  {words % values if '%(' in words else words}" for name, words in lines
    )
    return "\n".join(
        ["", _t("The demonstration association"), text, *(f"  ! {fault}" for fault in found["faults"])]
    )


def _figure(value) -> str:
    number = Decimal(str(value))
    decimals = None if number == number.to_integral_value() and not isinstance(value, str) else 2
    return number_format(number, decimals, use_l10n=True, force_grouping=True)


def logins(address: str) -> str:
    """The address, and one login for each role beneath it."""
    width = max(map(len, LOGINS))
    lines = [f"  {name:<{width}}  {access.ROLES[role]}" for name, role in LOGINS.items()]
    head = _t("Sign in with one of these names, password “%(password)s”:") % {"password": PASSWORD}
    return "\n".join(["", address, "", head, *lines, "", _t("Stop with Ctrl-C."), ""])


def serve(port: int, *, on_bind: Callable[[str], None]) -> None:
    """Serve the site on this machine until interrupted. Raises OSError where the port is taken."""
    logging.getLogger("django.server").setLevel(logging.ERROR)
    server = ThreadedWSGIServer(("127.0.0.1", port), WSGIRequestHandler)
    server.daemon_threads = True
    server.set_app(get_internal_wsgi_application())
    on_bind(f"http://127.0.0.1:{server.server_port}/")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
