"""Pages by keyset: forward, backward, and whatever is asked by hand."""


def references(page):
    return [one["reference"] for one in page["results"]]


def followed(client, address, to="next"):
    seen = []
    while address:
        page = client.get(address).json()
        seen.append(references(page))
        address = page[to]
    return seen


def test_the_next_links_lead_through_the_whole_list_once(build, asks):
    for number in range(7):
        build.owner(reference=f"OW{number}")

    pages = followed(asks("rental_manager"), "/api/v1/owners/?limit=3")

    assert pages == [["OW0", "OW1", "OW2"], ["OW3", "OW4", "OW5"], ["OW6"]]


def test_the_previous_links_lead_back(build, asks):
    for number in range(7):
        build.owner(reference=f"OW{number}")
    manager = asks("rental_manager")
    second = manager.get(manager.get("/api/v1/owners/?limit=3").json()["next"]).json()
    third = manager.get(second["next"]).json()

    assert third["next"] is None
    back = followed(manager, third["previous"], to="previous")
    assert back == [["OW3", "OW4", "OW5"], ["OW0", "OW1", "OW2"]]


def test_a_list_turns_round_and_keeps_its_filter(build, asks):
    for number in range(4):
        build.owner("private" if number % 2 else "social", reference=f"OW{number}")

    pages = followed(asks("rental_manager"), "/api/v1/owners/?limit=1&sort=-name&kind=private")

    assert pages == [["OW3"], ["OW1"]]


def test_what_is_asked_by_hand_is_told_what_is_wrong(asks):
    manager = asks("rental_manager")
    for wrong in ("sort=iban", "limit=0", "limit=501", "limit=x", "after=nowhere", "before=W10"):
        answer = manager.get(f"/api/v1/owners/?{wrong}")

        assert answer.status_code == 400, wrong
        assert answer.json()["type"] == "urn:gla:invalid"
        assert answer.json()["errors"][0]["field"] == wrong.partition("=")[0]
