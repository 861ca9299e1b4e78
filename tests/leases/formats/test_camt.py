"""camt.053 files as banks write them, and as they should not."""

from datetime import date

import pytest

from leases.formats import camt
from leases.formats.statement import BadFile, detect_and_read

IBAN = "FR7630006000011234567890189"
TENANT_IBAN = "FR1420041010050500013M02606"
MARCH_5 = date(2026, 3, 5)


def balance(code, amount, day="2026-03-05", direction="CRDT"):
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>"
        f'<Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>{direction}</CdtDbtInd><Dt><Dt>{day}</Dt></Dt></Bal>'
    )


def entry(amount, details="", *, direction="CRDT", status="BOOK", before="", after="", currency="EUR"):
    return (
        f'<Ntry><NtryRef>1</NtryRef><Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>{direction}</CdtDbtInd>'
        f"{before}<Sts>{status}</Sts><BookgDt><Dt>2026-03-05</Dt></BookgDt>"
        f"<ValDt><Dt>2026-03-06</Dt></ValDt>{details}{after}</Ntry>\n"
    )


def statement(*entries, opening="1000.00", closing="1000.00", version="02", balances=None, iban=IBAN):
    balances = balances or balance("OPBD", opening) + balance("CLBD", closing)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}"><BkToCstmrStmt>\n'
        f"<GrpHdr><MsgId>M</MsgId></GrpHdr><Stmt><Id>2026-064</Id>\n"
        f"<Acct><Id><IBAN>{iban}</IBAN></Id></Acct>{balances}\n{''.join(entries)}"
        f"</Stmt></BkToCstmrStmt></Document>"
    ).encode()


def only_movement(data):
    (read,) = detect_and_read(data)
    (movement,) = read.movements
    return movement


def refusal(data):
    with pytest.raises(BadFile) as refused:
        detect_and_read(data)
    return refused.value


def test_a_transfer_received_tells_who_paid_and_why():
    details = (
        "<NtryDtls><TxDtls><Refs><AcctSvcrRef>BK-77</AcctSvcrRef><EndToEndId>AE-0042-202603</EndToEndId></Refs>"
        '<AmtDtls><TxAmt><Amt Ccy="EUR">465.00</Amt></TxAmt></AmtDtls>'
        f"<RltdPties><Dbtr><Nm>DUPONT  Marie</Nm></Dbtr><DbtrAcct><Id><IBAN>{TENANT_IBAN}</IBAN></Id></DbtrAcct>"
        "<Cdtr><Nm>ASSOCIATION</Nm></Cdtr></RltdPties>"
        "<RmtInf><Ustrd>LOYER MARS</Ustrd><Ustrd>B-0042</Ustrd>"
        "<Strd><CdtrRefInf><Ref>RF18539007547034</Ref></CdtrRefInf></Strd></RmtInf></TxDtls></NtryDtls>"
    )
    code = "<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn></BkTxCd>"
    label = "<AddtlNtryInf>VIR SEPA DUPONT</AddtlNtryInf>"

    movement = only_movement(statement(entry("465.00", code + details, after=label), closing="1465.00"))

    assert movement.amount_cents == 46500
    assert (movement.booked, movement.valued) == (MARCH_5, date(2026, 3, 6))
    assert (movement.kind, movement.label) == ("credit_transfer", "VIR SEPA DUPONT")
    assert movement.end_to_end == "AE-0042-202603"
    assert movement.reference == "LOYER MARS B-0042 RF18539007547034"
    assert (movement.counterparty_name, movement.counterparty_iban) == ("DUPONT Marie", TENANT_IBAN)
    assert movement.bank_reference == "BK-77"
    assert movement.line == 5


def test_in_version_08_the_status_is_a_code_and_the_party_one_level_deeper():
    details = (
        "<NtryDtls><TxDtls><Refs><EndToEndId>NOTPROVIDED</EndToEndId></Refs>"
        '<Amt Ccy="EUR">465.00</Amt><CdtDbtInd>CRDT</CdtDbtInd>'
        "<RltdPties><Dbtr><Pty><Nm>DUPONT</Nm></Pty></Dbtr></RltdPties></TxDtls></NtryDtls>"
    )

    movement = only_movement(
        statement(entry("465.00", details, status="<Cd>BOOK</Cd>"), closing="1465.00", version="08")
    )

    assert movement.counterparty_name == "DUPONT"
    assert movement.end_to_end == ""


def test_a_direct_debit_that_comes_back_names_the_tenant_and_the_reason():
    details = (
        "<NtryDtls><TxDtls><Refs><EndToEndId>PR-0042-202603</EndToEndId><MndtId>RUM-0042</MndtId></Refs>"
        f"<RltdPties><Dbtr><Nm>DUPONT</Nm></Dbtr><DbtrAcct><Id><IBAN>{TENANT_IBAN}</IBAN></Id></DbtrAcct>"
        f"<Cdtr><Nm>ASSOCIATION</Nm></Cdtr><CdtrAcct><Id><IBAN>{IBAN}</IBAN></Id></CdtrAcct></RltdPties>"
        "<RtrInf><Rsn><Cd>AM04</Cd></Rsn></RtrInf></TxDtls></NtryDtls>"
    )

    movement = only_movement(statement(entry("465.00", details, direction="DBIT"), closing="535.00"))

    assert (movement.kind, movement.return_code, movement.amount_cents) == ("return", "AM04", -46500)
    assert (movement.mandate, movement.end_to_end) == ("RUM-0042", "PR-0042-202603")
    assert (movement.counterparty_name, movement.counterparty_iban) == ("DUPONT", TENANT_IBAN)


def test_a_bank_that_swaps_the_parties_of_a_return_is_understood():
    details = (
        "<NtryDtls><TxDtls><RltdPties>"
        f"<Dbtr><Nm>ASSOCIATION</Nm></Dbtr><DbtrAcct><Id><IBAN>{IBAN}</IBAN></Id></DbtrAcct>"
        f"<Cdtr><Nm>DUPONT</Nm></Cdtr><CdtrAcct><Id><IBAN>{TENANT_IBAN}</IBAN></Id></CdtrAcct></RltdPties>"
        "<RtrInf><Rsn><Cd>MD06</Cd></Rsn></RtrInf></TxDtls></NtryDtls>"
    )

    movement = only_movement(statement(entry("10", details, direction="DBIT"), closing="990.00"))

    assert movement.counterparty_name == "DUPONT"


def test_an_entry_of_three_debits_makes_three_movements():
    one = '<TxDtls><Refs><EndToEndId>E{0}</EndToEndId></Refs><Amt Ccy="EUR">{1}</Amt></TxDtls>'
    details = (
        "<NtryDtls>"
        + one.format(1, "100.00")
        + one.format(2, "200.50")
        + one.format(3, "0.50")
        + "</NtryDtls>"
    )

    (read,) = detect_and_read(statement(entry("301.00", details), closing="1301.00", version="04"))

    assert [(m.end_to_end, m.amount_cents) for m in read.movements] == [
        ("E1", 10000),
        ("E2", 20050),
        ("E3", 50),
    ]


def test_details_that_do_not_add_up_to_their_entry_are_refused():
    details = '<NtryDtls><TxDtls><Amt Ccy="EUR">100</Amt></TxDtls><TxDtls><Amt Ccy="EUR">99.99</Amt></TxDtls></NtryDtls>'

    fault = refusal(statement(entry("200.00", details), closing="1200.00"))

    assert (fault.line, fault.reason) == (5, "The transactions add up to 199.99, their entry is 200.00.")


def test_one_of_several_details_without_amount_is_refused():
    details = '<NtryDtls><TxDtls><Amt Ccy="EUR">200</Amt></TxDtls><TxDtls/></NtryDtls>'

    assert "no amount" in refusal(statement(entry("200.00", details), closing="1200.00")).reason


@pytest.mark.parametrize(
    "details",
    [
        "<NtryDtls><Btch><NbOfTxs>35</NbOfTxs></Btch></NtryDtls>",
        "<NtryDtls><Btch><NbOfTxs>35</NbOfTxs></Btch><TxDtls/></NtryDtls>",
    ],
)
def test_a_batch_without_details_is_one_movement_with_its_count(details):
    movement = only_movement(statement(entry("9000.00", details), closing="10000.00"))

    assert (movement.amount_cents, movement.batch_count) == (900000, 35)


def test_a_negative_batch_is_refused():
    details = "<NtryDtls><Btch><NbOfTxs>-5</NbOfTxs></Btch></NtryDtls>"

    assert "number of transactions" in refusal(statement(entry("0", details))).reason


def test_a_pending_entry_is_left_for_the_day_it_is_booked():
    (read,) = detect_and_read(statement(entry("12.00", status="PDNG")))

    assert read.movements == ()


def test_the_balance_of_the_day_before_opens_the_day_after():
    balances = balance("PRCD", "1000.00", "2026-03-04") + balance("CLBD", "1000.00")

    (read,) = detect_and_read(statement(balances=balances))

    assert (read.start, read.end) == (MARCH_5, MARCH_5)


def test_an_overdrawn_account_has_a_negative_balance():
    balances = balance("OPBD", "5.00", direction="DBIT") + balance("CLBD", "5.00")

    (read,) = detect_and_read(statement(entry("10.00"), balances=balances))

    assert (read.opening_cents, read.closing_cents) == (-500, 500)


def test_several_accounts_in_one_file():
    one = statement(entry("1.00"), closing="1001.00").decode()
    stmt = one[one.index("<Stmt>") : one.index("</BkToCstmrStmt>")]

    read = detect_and_read(one.replace(stmt, stmt * 2).encode())

    assert [len(each.movements) for each in read] == [1, 1]


def test_balances_that_do_not_agree_are_refused():
    fault = refusal(statement(entry("465.00"), closing="1464.99"))

    assert fault.line == 3
    assert fault.reason == (
        "Opening balance 1000.00 and movements 465.00 do not make the closing balance 1464.99."
    )
    assert fault.remedy.startswith("Movements are missing")
    assert str(fault) == f"line 3 — {fault.reason} — {fault.remedy}"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"Date;Libelle;Montant\n", "neither a camt.053 nor a CFONB 120"),
        (b"%PDF-1.7", "neither a camt.053 nor a CFONB 120"),
        (b"<html><body/></html>", "not a camt.053 statement"),
        (statement()[:-20], "broken or cut short"),
        (statement(version="13"), "Version camt.053.001.13"),
        (statement().replace(b"camt.053", b"camt.052"), "camt.052.001.02 message, not a statement"),
        (statement(iban="FR7630006000011234567890188"), "no valid IBAN"),
        (statement(entry("1.00", currency="CHF"), closing="1001.00"), "only euros"),
        (statement(entry("-1.00"), closing="999.00"), "not an amount"),
        (statement(entry("1.005"), closing="1001.00"), "not an amount"),
        (statement(entry("1e2"), closing="1100.00"), "not an amount"),
        (statement(entry("99999999999999999")), "not an amount"),
        (statement(entry("1.00", direction="PLUS"), closing="1001.00"), "credit or a debit"),
        (statement(entry("1.00", status="DONE"), closing="1001.00"), "status"),
        (statement().replace(b"2026-03-05", b"2026-02-30"), "not a day"),
        (
            statement(entry("1.00"), closing="1001.00").replace(
                b"<BookgDt><Dt>2026-03", b"<BookgDt><Dt>2026-04"
            ),
            "outside",
        ),
        (statement(balances=balance("CLBD", "1.00")), "lacks its opening"),
        (statement().replace(b"UTF-8", b"UTF-7"), "encoding UTF-7"),
        (statement().decode().replace("UTF-8", "UTF-16").encode("utf-16"), "neither"),
        (
            statement(entry("1.00", after="<AddtlNtryInf>\xe9</AddtlNtryInf>")).decode().encode("latin-1"),
            "broken",
        ),
    ],
)
def test_a_broken_file_is_refused_with_its_reason(data, reason):
    assert reason in refusal(data).reason


def test_latin_1_is_read_when_the_file_says_so():
    text = statement(entry("1.00", after="<AddtlNtryInf>Chèque</AddtlNtryInf>"), closing="1001.00").decode()

    assert only_movement(text.replace("UTF-8", "ISO-8859-1").encode("latin-1")).label == "Chèque"


@pytest.mark.parametrize(
    "declaration",
    [
        '<!DOCTYPE Document [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE Document SYSTEM "http://localhost/evil.dtd">',
        '<!DOCTYPE Document [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>',
    ],
)
def test_document_types_and_entities_are_refused(declaration):
    data = statement(entry("1.00", after="<AddtlNtryInf>&x;</AddtlNtryInf>"), closing="1001.00").decode()
    attack = data.replace("?>\n", f"?>\n{declaration}\n", 1)

    fault = refusal(attack.encode())

    assert fault.line == 2
    assert "document type" in fault.reason


def test_a_very_deep_file_is_refused():
    assert refusal(b"<a>" * 5000).reason.startswith("The XML is broken")


def test_lines_stay_right_past_65535():
    entries = [entry("0.01").replace("<Ntry>", "<Ntry>" + "\n" * 7)] * 3
    far = statement("\n" * 70_000, *entries, closing="1000.03")

    (read,) = detect_and_read(far)

    lines = far.decode().split("\n")
    assert all(lines[movement.line - 1].startswith("<Ntry>") for movement in read.movements)


def test_the_writer_knows_three_versions_only():
    with pytest.raises(ValueError, match=r"001\.09"):
        camt.write_statements(detect_and_read(statement()), "09")
