"""Import bank statements, and put each movement to what it pays."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from core.errors import Refusal
from core.today import today
from leases.bank import import_statement
from leases.checkpoint import keep_checkpoint
from leases.collecting.returns import learn_from
from leases.matching import HOW


class Command(BaseCommand):
    help = "Import camt.053 or CFONB 120 statements (relevés); the same days again change nothing."

    def add_arguments(self, parser):
        parser.add_argument("files", nargs="+", metavar="FILE")

    def handle(self, *, files, **options):
        for name in files:
            path = Path(name)
            try:
                now = timezone.now()
                done = import_statement(path.read_bytes(), path.name, by=None, now=now)
                learnt = learn_from(done, by=None, now=now)
            except OSError as error:
                raise CommandError(f"{name}: {error.strerror}.") from error
            except Refusal as refusal:
                raise CommandError(f"{path.name}: {refusal}") from refusal
            for part in done.parts:
                self.stdout.write(f"{path.name}: {part.bank} {part.start}–{part.end}: {told(part)}")
            if learnt.collected or learnt.returned:
                self.stdout.write(
                    _("  direct debits: %(collected)d collected, %(returned)d sent back")
                    % {"collected": learnt.collected, "returned": learnt.returned}
                )
        keep_checkpoint(on=today(), now=timezone.now())


def told(part) -> str:
    """What a statement brought, in a line."""
    if part.statement is None:
        return _("nothing new, %(count)d movements known.") % {"count": part.known}
    rules = ", ".join(f"{count} {HOW[how].label}" for how, count in sorted((part.by_rule or {}).items()))
    said = [_("%(count)d movements") % {"count": part.movements} + (f" ({rules})" if rules else "")]
    if part.known:
        said.append(_("%(count)d known") % {"count": part.known})
    if part.zero:
        said.append(_("%(count)d of no amount") % {"count": part.zero})
    return "; ".join(said) + "."
