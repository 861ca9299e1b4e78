"""Notices, receipts and part receipts of a month: to whom, when, and with which amounts."""

from datetime import UTC, date, datetime

import pytest

from core.documents import Document, Sending, letterhead
from core.errors import Refusal
from core.money import euros
from leases.lease import LeaseParty
from leases.papers import batch
from leases.papers.consent import choose_email, email_of, stop_email
from leases.papers.months import NOTICE, PART, RECEIPT, month_states, to_make
from leases.terms import SERVICES, RentTerm

JAN, FEB, MARCH = date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)
ON = date(2026, 3, 20)
NOW = datetime(2026, 3, 20, 9, 0, tzinfo=UTC)


def state(lease, month=MARCH, on=ON):
    [found] = [one for one in month_states(month, on) if one.lease_id == lease.pk]
    return found


def made(kind, month=MARCH, on=ON, **how):
    return {one.lease_id: one for one in to_make(kind, month, on, head=letterhead(), **how)}


def test_a_month_paid_whole_gets_a_receipt_with_rent_and_charges_apart(build):
    """Loi 89-462, art. 21: the quittance tells rent and charges apart."""
    bank = build.bank()
    lease = build.lease(start=MARCH, rent="465.00", charges="62.00")
    build.called(MARCH)
    build.paid(lease, "527.00", bank=bank, on=date(2026, 3, 6))

    paper = made(RECEIPT)[lease.pk]

    assert paper.kind == RECEIPT
    assert paper.amount == euros("527.00")
    assert [(one["label"], one["amount"]) for one in paper.data["lines"]] == [
        ("Loyer", "465,00\N{NO-BREAK SPACE}€"),
        ("Provision pour charges", "62,00\N{NO-BREAK SPACE}€"),
    ]
    assert paper.data["title"] == "Quittance – loyer – mars 2026"
    assert paper.data["period"] == "du 01/03/2026 au 31/03/2026"


def test_a_month_paid_in_part_gets_a_part_receipt_never_a_receipt(build):
    """Loi 89-462, art. 21 (RECEIPT_WHOLE_ONLY)."""
    bank = build.bank()
    lease = build.lease(start=MARCH, rent="465.00")
    build.called(MARCH)
    build.paid(lease, "200.00", bank=bank, on=date(2026, 3, 6))

    paper = made(RECEIPT)[lease.pk]

    assert (paper.kind, paper.amount) == (PART, euros("200.00"))
    assert paper.data["left"] == "265,00\N{NO-BREAK SPACE}€"


def test_a_month_unpaid_gets_nothing(build):
    build.lease(start=MARCH)
    build.called(MARCH)

    assert made(RECEIPT) == {}


def test_a_payment_settles_the_oldest_month_first(build):
    """Code civil, art. 1342-10: February is receipted, March is not."""
    bank = build.bank()
    lease = build.lease(start=FEB, rent="400.00")
    build.called(FEB, MARCH)
    build.paid(lease, "500.00", bank=bank, on=date(2026, 3, 6))

    assert made(RECEIPT, FEB)[lease.pk].kind == RECEIPT
    assert made(RECEIPT, MARCH)[lease.pk].amount == euros("100.00")


def test_the_payers_choice_of_month_is_followed(build):
    bank = build.bank()
    lease = build.lease(start=FEB, rent="400.00")
    build.called(FEB, MARCH)
    build.paid(lease, "400.00", bank=bank, on=date(2026, 3, 6), month=MARCH)

    assert lease.pk not in made(RECEIPT, FEB)
    assert made(RECEIPT, MARCH)[lease.pk].kind == RECEIPT


def test_a_payment_returned_takes_the_receipt_back(build):
    bank = build.bank()
    lease = build.lease(start=MARCH, rent="465.00")
    build.called(MARCH)
    build.paid(lease, "465.00", bank=bank, on=date(2026, 3, 6))
    build.paid(lease, euros("-465.00"), bank=bank, on=date(2026, 3, 12))

    assert made(RECEIPT, on=date(2026, 3, 10))[lease.pk].kind == RECEIPT
    assert made(RECEIPT) == {}


def test_the_benefit_is_deducted_and_shown(build):
    bank = build.bank()
    lease = build.lease(start=MARCH, rent="465.00", kind="CONV_APL", benefit="210.00")
    build.called(MARCH)
    build.paid(lease, "255.00", bank=bank, on=date(2026, 3, 6))

    paper = made(RECEIPT)[lease.pk]

    assert state(lease).gross == euros("465.00")
    assert paper.amount == euros("255.00")
    assert paper.data["benefit"] == "210,00\N{NO-BREAK SPACE}€"


def test_a_month_the_benefit_covers_whole_is_receipted(build):
    lease = build.lease(start=MARCH, rent="200.00", kind="CONV_APL", benefit="300.00")
    build.called(MARCH)

    paper = made(RECEIPT)[lease.pk]

    assert (paper.kind, paper.amount) == (RECEIPT, euros(0))


def test_part_of_a_month_says_its_days(build):
    bank = build.bank()
    lease = build.lease(start=date(2026, 3, 15), rent="465.00")
    build.called(MARCH)
    build.paid(lease, "255.00", bank=bank, on=date(2026, 3, 18))

    paper = made(RECEIPT)[lease.pk]

    assert paper.data["period"] == "de mars 2026 (17 jours)"
    assert paper.data["lines"][0]["detail"] == "17 jours sur 31"


def test_who_stays_after_the_title_gets_no_quittance(build):
    """An indemnity is never called rent (Code civil; IMPUTATION)."""
    bank = build.bank()
    lease = build.lease(start=JAN, end=FEB, out=date(2026, 6, 1), rent="465.00")
    build.called(MARCH)
    build.paid(lease, "465.00", bank=bank, on=date(2026, 3, 6))

    paper = made(RECEIPT)[lease.pk]

    assert paper.data["title"] == "Reçu – indemnité d'occupation – mars 2026"
    assert paper.data["of"] == "de l'indemnité d'occupation"
    assert paper.data["indemnity"]


def test_optional_services_of_a_residence_stand_on_an_invoice_apart(build):
    """RECEIPT: a foyer's quittance is for what is compulsory, the rest is invoiced apart."""
    bank = build.bank()
    lease = build.lease(start=MARCH, rent="400.00", charges="80.00", kind="RESIDENCE_SOCIALE")
    RentTerm.objects.create(lease=lease, item=SERVICES, amount=euros("15.00"), start=MARCH)
    build.called(MARCH)
    build.paid(lease, "495.00", bank=bank, on=date(2026, 3, 6))

    data = made(RECEIPT)[lease.pk].data

    assert [one["label"] for one in data["lines"]] == ["Redevance", "Forfait de charges"]
    assert data["total"] == "480,00\N{NO-BREAK SPACE}€"
    assert data["optional_total"] == "15,00\N{NO-BREAK SPACE}€"


def test_under_a_mandate_the_paper_is_given_for_the_owner(build):
    unit = build.unit(owner=build.owner("private", name="Mme Petit"), title="mandate")
    lease = build.lease(start=MARCH, unit=unit)
    build.called(MARCH)

    assert made(NOTICE)[lease.pk].data["by"] == "Association, mandataire de Mme Petit"


def test_a_notice_says_what_is_still_owed_and_what_to_pay(build):
    bank = build.bank()
    lease = build.lease(start=FEB, rent="400.00")
    build.called(FEB, MARCH)
    build.paid(lease, "150.00", bank=bank, on=date(2026, 2, 6))

    data = made(NOTICE, on=date(2026, 2, 25))[lease.pk].data

    assert data["total"] == "400,00\N{NO-BREAK SPACE}€"
    assert (data["before_label"], data["before"]) == ("Reste dû avant cet avis", "250,00\N{NO-BREAK SPACE}€")
    assert data["to_pay"] == "650,00\N{NO-BREAK SPACE}€"
    assert data["due"] == "05/03/2026"
    assert data["iban"].startswith("FR76 3000 4000")


# ---- the whole stock -----------------------------------------------------------------------


def play(build, kind=RECEIPT, **how):
    """The work of a month, done here and now, by a manager."""
    return batch.begin(kind, MARCH, on=ON, by=build.user("rental_manager"), wait=True, **how)


def paid_leases(build, count):
    bank = build.bank()
    leases = [build.lease(start=MARCH, rent="465.00") for _number in range(count)]
    build.called(MARCH)
    for lease in leases:
        build.paid(lease, "465.00", bank=bank, on=date(2026, 3, 6))
    return bank, leases


def test_the_papers_of_a_month_are_made_once(build):
    bank, [paid, _other] = paid_leases(build, 2)
    part = build.lease(start=MARCH, rent="465.00")
    build.lease(start=MARCH)
    build.called(MARCH)
    build.paid(part, "100.00", bank=bank, on=date(2026, 3, 6))

    first, again = play(build), play(build)

    assert first.result["made"] == 3
    assert again.result["made"] == 0
    assert sorted(Document.objects.values_list("kind", flat=True)) == [PART, RECEIPT, RECEIPT]
    kept = Document.objects.get(subject_id=paid.pk)
    assert kept.read().startswith(b"%PDF")


def test_paid_since_the_part_receipt_is_followed_by_a_receipt(build):
    bank = build.bank()
    lease = build.lease(start=MARCH, rent="465.00")
    build.called(MARCH)
    build.paid(lease, "100.00", bank=bank, on=date(2026, 3, 6))
    play(build)
    build.paid(lease, "65.00", bank=bank, on=date(2026, 3, 7))
    play(build)
    build.paid(lease, "300.00", bank=bank, on=date(2026, 3, 8))
    play(build)

    told = list(Document.objects.order_by("pk").values_list("kind", "number", "amount"))

    assert told == [
        (PART, 1, euros("100.00")),
        (PART, 2, euros("165.00")),
        (RECEIPT, 1, euros("465.00")),
    ]


def test_email_goes_to_who_chose_it_and_the_rest_to_print(build, mailoutbox):
    """Loi 89-462, art. 21: by e-mail only with the tenant's express agreement."""
    _bank, [by_mail, by_post] = paid_leases(build, 2)
    party = LeaseParty.objects.get(lease=by_mail).person
    party.email = "alex@example.org"
    party.save()
    choose_email(by_mail, person=party, proof="signed form", on=date(2026, 1, 5), by=None)

    job = play(build)

    assert [message.to for message in mailoutbox] == [["alex@example.org"]]
    [(name, content, kind)] = mailoutbox[0].attachments
    assert kind == "application/pdf" and bytes(content).startswith(b"%PDF")
    told = dict(Sending.objects.values_list("document__subject_id", "channel"))
    assert told == {by_mail.pk: "email", by_post.pk: "print"}
    assert (job.result["sent"], job.result["printed"]) == (1, 1)


def test_a_letter_the_mail_server_refuses_is_printed(build, settings):
    settings.EMAIL_BACKEND = "tests.leases.papers.test_months.Refusing"
    _bank, [lease] = paid_leases(build, 1)
    person = LeaseParty.objects.get(lease=lease).person
    person.email = "alex@example.org"
    person.save()
    choose_email(lease, person=person, proof="signed form", on=date(2026, 1, 5), by=None)

    job = play(build)

    assert (job.result["sent"], job.result["failed"], job.result["printed"]) == (0, 1, 1)
    assert Sending.objects.get(channel="email").failure == "ConnectionRefusedError: nobody there"


class Refusing:
    """A mail server that is not there."""

    def __init__(self, **_how): ...

    def send_messages(self, _messages):
        raise ConnectionRefusedError("nobody there")

    def close(self): ...


def test_a_choice_of_email_is_dated_and_taken_back(build):
    lease = build.lease()
    person = LeaseParty.objects.get(lease=lease).person
    with pytest.raises(Refusal, match="No e-mail address is known"):
        choose_email(lease, person=person, proof="form", on=JAN, by=None)
    person.email = "alex@example.org"
    person.save()
    choose_email(lease, person=person, proof="form", on=JAN, by=None)
    stop_email(lease, on=MARCH, by=None)

    assert email_of([lease.pk], FEB) == {lease.pk: "alex@example.org"}
    assert email_of([lease.pk], MARCH) == {}
    assert email_of([lease.pk], date(2025, 12, 31)) == {}


def test_the_queries_do_not_grow_with_the_stock(build, django_assert_num_queries):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    counts = []
    bank = build.bank()
    for more in (2, 38):
        leases = [build.lease(start=MARCH, rent="465.00", charges="10.00") for _number in range(more)]
        build.called(MARCH)
        for lease in leases:
            build.paid(lease, "475.00", bank=bank, on=date(2026, 3, 6))
        for kind in (RECEIPT, NOTICE):
            with CaptureQueriesContext(
                connection,
            ) as asked:
                to_make(kind, MARCH, ON, head=letterhead())
            counts.append(len(asked))

    assert counts[:2] == counts[2:]
