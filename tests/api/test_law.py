"""The law as a program reads it: dated, with its source."""


def test_a_rule_is_told_with_its_dates_and_its_source(asks):
    found = asks("technician").get("/api/v1/law/FREEZE_FG/").json()

    assert found
    assert all(record["id"] == "FREEZE_FG" and record["legal_ref"] and record["source"] for record in found)
    assert found == sorted(found, key=lambda record: record["valid_from"])


def test_the_law_of_a_day_leaves_out_what_was_not_yet_in_force(asks):
    client = asks("technician")

    every = client.get("/api/v1/law/").json()
    earlier = client.get("/api/v1/law/?on=1995-01-01").json()

    assert 0 < len(earlier) < len(every)
    assert all(record["valid_from"] <= "1995-01-01" for record in earlier)


def test_numbers_of_the_law_are_strings_or_whole(asks):
    every = asks("technician").get("/api/v1/law/").json()

    def exact(value):
        return all(map(exact, value)) if isinstance(value, list) else isinstance(value, (str, int, bool))

    assert all(exact(record["value"]) for record in every)


def test_a_rule_that_is_none_is_not_found(asks):
    assert asks("technician").get("/api/v1/law/NOTHING/").status_code == 404
