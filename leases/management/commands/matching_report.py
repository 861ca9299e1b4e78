"""Hold what was matched automatically against the true payers."""

import csv
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from core.money import euros, to_cents
from leases.formats.statement import plain_euros
from leases.matching import HOW, HOW_CHOICES
from leases.models import Allocation

COLUMNS = ("bank_iban", "booked", "bank_reference", "amount", "lease_reference", "payer")
BANK = "banque"


@dataclass(slots=True)
class Report:
    """Lines of the truth, how many were matched by themselves, and each wrong match in words."""

    lines: int = 0
    matched: int = 0
    by_rule: Counter = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def percent(self) -> float:
        return 100 * self.matched / self.lines if self.lines else 0.0


def held_against(truth: Path) -> Report:
    """Compare automatic matches with a file of true payers, a line of a payment list counting as one.

    truth: CSV with ; and the headings COLUMNS; lease_reference is empty where the payer is nobody's
    tenant (banque, inconnu). Raises ValueError for another file.
    """
    told: dict[tuple, Counter] = defaultdict(Counter)
    amounts: dict[tuple, Counter] = defaultdict(Counter)
    report = Report()
    with truth.open(encoding="utf-8-sig", newline="") as opened:
        reader = csv.DictReader(opened, delimiter=";")
        if not set(COLUMNS) <= set(reader.fieldnames or ()):
            raise ValueError(f"The headings are not {';'.join(COLUMNS)}.")
        for row in reader:
            key = (row["bank_iban"], row["booked"], row["bank_reference"])
            payer = row["lease_reference"] or row["payer"]
            told[key][payer] += 1
            amounts[key][payer] += to_cents(euros(row["amount"]))
            report.lines += 1
    found: dict[tuple, Counter] = defaultdict(Counter)
    rules: dict[tuple, str] = {}
    automatic = [how.code for how in HOW.values() if how.automatic]
    rows = (
        Allocation.objects.standing()
        .filter(how__in=automatic)
        .values_list(
            "movement__bank__iban",
            "movement__booked",
            "movement__bank_reference",
            "lease__reference",
            "how",
            "amount",
        )
    )
    for iban, booked, reference, lease, how, amount in rows.iterator(chunk_size=5_000):
        key, payer = (iban, booked.isoformat(), reference), lease or BANK
        found[key][payer] += to_cents(amount)
        rules[key, payer] = how
    for key, payers in found.items():
        for payer, cents in payers.items():
            rule = rules[key, payer]
            if amounts.get(key, {}).get(payer) == cents:
                report.matched += told[key][payer]
                report.by_rule[rule] += told[key][payer]
            elif key in told:
                true = ", ".join(f"{who} {plain_euros(sum_)}" for who, sum_ in amounts[key].items())
                report.wrong.append(
                    f"{key[1]} {key[2]}: {payer} {plain_euros(cents)} ({rule}); in truth {true}"
                )
    return report


class Command(BaseCommand):
    help = "Hold automatic matching against a file of true payers: share matched, and every wrong match."

    def add_arguments(self, parser):
        parser.add_argument("truth", metavar="TRUTH.csv", help=";".join(COLUMNS))

    def handle(self, *, truth, **options):
        try:
            report = held_against(Path(truth))
        except (OSError, ValueError, ArithmeticError) as error:
            raise CommandError(f"{truth}: {error}") from error
        self.stdout.write(
            f"{report.lines} lines, {report.matched} matched automatically ({report.percent:.2f} %)."
        )
        for rule, count in report.by_rule.most_common():
            self.stdout.write(f"  {str(HOW_CHOICES[rule]):32} {count:7}")
        self.stdout.write(f"{len(report.wrong)} wrong.")
        for line in report.wrong[:20]:
            self.stdout.write(f"  {line}")
        if report.wrong:
            raise CommandError("A movement was put to the wrong lease.")
