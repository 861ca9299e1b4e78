-- Homes held, let and occupied, one statement a table, in the order of their keys; n(i) counts.
-- Parameters: leases, mandants, sites, buildings, held, let, iban, iban_rest, due_day.
INSERT INTO portfolio_owner (id, reference, kind, nature, name, siren, email, iban)
WITH RECURSIVE n(i) AS (SELECT CAST(1 AS bigint) UNION ALL SELECT i + 1 FROM n WHERE i <= %(mandants)s)
SELECT i, 'OW' || i, CASE i WHEN 1 THEN 'own' WHEN 2 THEN 'saues' ELSE 'private' END, 'mp',
       'Owner ' || i, '', '', '' FROM n
--%
INSERT INTO leases_book (id, owner_id) SELECT id, CASE WHEN id = 1 THEN NULL ELSE id END FROM portfolio_owner
--%
INSERT INTO portfolio_site (id, reference, name)
WITH RECURSIVE n(i) AS (SELECT CAST(1 AS bigint) UNION ALL SELECT i + 1 FROM n WHERE i < %(sites)s)
SELECT i, 'SI' || i, 'Site ' || i FROM n
--%
INSERT INTO portfolio_building (id, reference, address, postcode, commune, commune_code, ban_id, site_id)
WITH RECURSIVE n(i) AS (SELECT CAST(1 AS bigint) UNION ALL SELECT i + 1 FROM n WHERE i < %(buildings)s)
SELECT i, 'BU' || i, i || ' rue des Lilas', '59000', 'Lille', '59350', '', 1 + i %% %(sites)s FROM n
--%
INSERT INTO portfolio_unit
    (id, reference, typology, door, living_surface, financing, accessible, building_id)
WITH RECURSIVE n(i) AS (SELECT CAST(1 AS bigint) UNION ALL SELECT i + 1 FROM n WHERE i < %(leases)s)
SELECT i, 'UN' || i, 'T3', '', 62, 'free', FALSE, 1 + i %% %(buildings)s FROM n
--%
INSERT INTO portfolio_place (id, reference, kind, unit_id) SELECT id, reference, 'home', id FROM portfolio_unit
--%
-- Of 100 homes 37 are the association's own, 29 of one SAUES, 34 of many owners.
INSERT INTO portfolio_holding
    (id, title, reference, "start", unpaid_guaranteed, vacancy_guaranteed, owner_id, unit_id)
SELECT id, CASE WHEN id %% 100 < 37 THEN 'deed' ELSE 'mandate' END, '', DAY(%(held)s), FALSE, FALSE,
       CASE WHEN id %% 100 < 37 THEN 1 WHEN id %% 100 < 66 THEN 2 ELSE 3 + id %% (%(mandants)s - 1) END, id
FROM portfolio_unit
--%
INSERT INTO leases_household (id, reference) SELECT id, 'HO' || id FROM portfolio_unit
--%
INSERT INTO leases_person (id, reference, last_name, first_name, email, phone)
SELECT id, 'PE' || id, 'Name' || id, 'Alex', '', '' FROM portfolio_unit
--%
INSERT INTO leases_membership (id, role, "start", household_id, person_id)
SELECT id, 'head', DAY(%(let)s), id, id FROM portfolio_unit
--%
INSERT INTO leases_lease (id, reference, kind, signed_on, "start", end_reason, billing, due_day, deposit,
                          payment_reference, debit_mandate, household_id)
SELECT id, 'LE' || id, 'L89_VIDE', DAY(%(let)s), DAY(%(let)s), '', 'advance', %(due_day)s, 0,
       'L' || substr(CAST(10000000 + id AS text), 2) || substr(CAST(198 - id * 100 %% 97 AS text), 2), '', id
FROM portfolio_unit
--%
INSERT INTO leases_leaseparty (id, role, "start", lease_id, person_id)
SELECT id, 'tenant', DAY(%(let)s), id, id FROM leases_lease
--%
INSERT INTO leases_occupancy (id, "start", lease_id, place_id) SELECT id, DAY(%(let)s), id, id FROM leases_lease
--%
INSERT INTO leases_rentterm (item, amount, "start", lease_id)
SELECT k.item, CASE k.item WHEN 1 THEN 25000 + id * 7919 %% 40000 ELSE 5000 + id * 104729 %% 10000 END,
       DAY(%(let)s), id
FROM leases_lease CROSS JOIN (SELECT 1 AS item UNION ALL SELECT 2) k
--%
INSERT INTO leases_benefit
    (id, payer, kind, beneficiary_number, amount, paid_to_landlord, "start", lease_id)
SELECT id, 'caf', 'apl', substr(CAST(10000000 + id AS text), 2), 5000 + id * 1299709 %% 20000, TRUE,
       DAY(%(let)s), id
FROM leases_lease
--%
-- The check digits (mod 97) by parts that a bigint holds.
INSERT INTO leases_payeriban (id, iban, since, lease_id)
SELECT id, 'FR' || substr(CAST(198 - (%(iban_rest)s + id * 100000000 %% 97) %% 97 AS text), 2) || '3000400001'
       || substr(CAST(100000000000 + id AS text), 2) || '00', DAY(%(let)s), id
FROM leases_lease
--%
INSERT INTO leases_bankaccount (id, iban, name, book_id, creditor_id, creditor, debit_format, debit_days) VALUES
    (1, %(iban)s, 'Main account', 1, '', '', '08', '[]'),
    (2, 'limit', 'Where the limit writes', 1, '', '', '08', '[]')
--%
-- Accounts that payments need; what a rent run needs it opens itself.
INSERT INTO leases_account (kind, book_id, owner_id, bank_id) VALUES (%(bank)s, 1, NULL, 1)
--%
INSERT INTO leases_account (kind, book_id, owner_id, bank_id)
SELECT %(held_for)s, 1, owner_id, NULL FROM leases_book WHERE owner_id IS NOT NULL
--%
INSERT INTO leases_account (kind, book_id, owner_id, bank_id)
SELECT %(funds)s, id, NULL, NULL FROM leases_book WHERE owner_id IS NOT NULL
--%
INSERT INTO leases_account (kind, book_id, owner_id, bank_id)
SELECT k.kind, b.id, NULL, NULL
FROM leases_book b CROSS JOIN (SELECT %(suspense)s AS kind UNION ALL SELECT %(advance)s) k
