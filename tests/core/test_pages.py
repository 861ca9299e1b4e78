"""The pages every app shares: who opens them, how a list sorts, pages and exports, how an action asks."""

import io
from datetime import UTC, date, datetime, time
from decimal import Decimal

import django_filters
import pytest
from django import forms
from django.contrib.auth.models import AnonymousUser, Group
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import PermissionDenied
from django.template import Context, Template
from django.utils import translation
from django_htmx.middleware import HtmxMiddleware
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from core.audit import AuditLine
from core.cells import Column
from core.errors import Refusal
from core.keyset import decode_cursor, encode_cursor
from core.models import User
from core.money import EuroFormField, euros
from core.pages import Action, ActionPage, Cell, ListColumn, ListPage, Page, PanelPage, Preview
from core.tables import read_table
from core.templatetags.gla import cell, day_text, euros_text, iban_text, month_text, number_text


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


def someone(*roles, name="claire"):
    user = User.objects.create_user(name)
    user.groups.set([Group.objects.get_or_create(name=role)[0] for role in roles])
    return user


@pytest.fixture
def manager(db):
    return someone("rental_manager")


@pytest.fixture
def ask(rf, manager):
    """Ask a page something, as a rental manager by default, and give what it answers."""

    def asked(page, query="", *, user=None, post=None, **headers):
        request = (
            rf.post("/there/", post, headers=headers)
            if post is not None
            else rf.get(f"/there/{query}", headers=headers)
        )
        request.user = user or manager
        for middleware in (SessionMiddleware, MessageMiddleware, HtmxMiddleware):
            middleware(lambda request: None)(request)
        response = page.as_view()(request)
        if hasattr(response, "render"):
            response.render()
        return response

    return asked


# ---- who opens a page ----


class Ledger(Page):
    resource = "ledger"
    template_name = "panel.html"


def test_a_page_sends_a_stranger_to_sign_in(ask):
    response = ask(Ledger, user=AnonymousUser())

    assert (response.status_code, response.url) == (302, "/accounts/login/?next=%2Fthere%2F")


def test_a_page_refuses_a_role_that_the_table_does_not_name(ask):
    with pytest.raises(PermissionDenied):
        ask(Ledger, user=someone("technician", name="theo"))


def test_a_page_that_names_no_resource_cannot_be_given_an_address():
    class Nameless(Page):
        template_name = "panel.html"

    with pytest.raises(LookupError):
        Nameless.as_view()


# ---- a list ----


class PeopleFilter(django_filters.FilterSet):
    name = django_filters.CharFilter(field_name="last_name", lookup_expr="icontains", label="Name")
    joined = django_filters.DateFilter(field_name="date_joined", lookup_expr="date__gte", label="Joined")

    class Meta:
        model = User
        fields: list = []


class People(ListPage):
    resource = "unit"  # one that a rental manager may see and export
    title = "People"
    queryset = User.objects.exclude(username="claire")
    filterset_class = PeopleFilter
    default_sort = "name"
    per_page = 3
    columns = (
        ListColumn(
            "name", "Name", "last_name", sort="last_name", link=lambda person: f"/people/{person.pk}/"
        ),
        ListColumn("seen", "Last seen", "last_login", kind="date", sort="last_login"),
        ListColumn("joined", "Joined", "date_joined", kind="date", sort="date_joined"),
        ListColumn("mail", "E-mail", "email"),
        ListColumn("notes", "Notes", "first_name", needs="social_note"),
    )

    def actions(self):
        return [Action("New", "/people/new/", primary=True, icon="plus")]


NAMES = ["Benali", "Diallo", "Diallo", "Diallo", "Diallo", "Lefèvre", "Moreau", "Weber"]


@pytest.fixture
def people(manager):
    seen = [None, 3, 1, None, 2, 1, None, 4]
    return [
        User.objects.create(
            username=f"u{index}",
            last_name=name,
            email=f"{index}@example.org",
            last_login=datetime(2026, 3, day, tzinfo=UTC) if day else None,
        )
        for index, (name, day) in enumerate(zip(NAMES, seen, strict=True))
    ]


def shown(response):
    return [row.thing.pk for row in response.context_data["rows"]]


def walk(ask, query, step):
    """Every page met by following one link, until there is none."""
    pages = []
    while query:
        response = ask(People, query)
        pages.append(shown(response))
        query = getattr(response.context_data["page"], step)
        assert len(pages) < 20
    return pages


@pytest.mark.parametrize("sort", ["name", "-name", "seen", "-seen", "joined", "nonsense", ""])
def test_following_next_meets_every_row_once_and_previous_the_same_pages_back(ask, people, sort):
    there = walk(ask, f"?sort={sort}", "next_url")
    last = ask(People, f"?sort={sort}").context_data["page"].last_url
    back = walk(ask, last, "previous_url")

    met = [pk for page in there for pk in page]
    assert sorted(met) == sorted(person.pk for person in people)
    assert [pk for page in reversed(back) for pk in page][-3:] == met[-3:]
    assert back[-1] == there[0]


def test_empty_values_come_last_in_both_directions(ask, people):
    for sort in ("seen", "-seen"):
        met = [pk for page in walk(ask, f"?sort={sort}", "next_url") for pk in page]
        logins = [User.objects.get(pk=pk).last_login for pk in met]

        assert [login is None for login in logins] == [False] * 5 + [True] * 3


def test_a_list_is_neither_counted_nor_skipped_through(ask, people, django_assert_num_queries):
    after = ask(People).context_data["page"].next_url

    with django_assert_num_queries(1) as asked:
        ask(People, after)

    sql = asked.captured_queries[0]["sql"].upper()
    assert "COUNT(" not in sql
    assert "OFFSET" not in sql


@pytest.mark.parametrize(
    "token", ["x", "é", "W10", encode_cursor("name", 3, 1), encode_cursor("name", "a\0", 1), "0" * 5000]
)
def test_a_cursor_made_by_hand_gives_the_first_page(ask, people, token):
    first = shown(ask(People))

    assert shown(ask(People, f"?after={token}")) in (first, shown(ask(People, "?last=1")))


@given(
    st.one_of(
        st.none(),
        st.integers(-(2**63), 2**63 - 1),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
        st.dates(),
        st.datetimes(timezones=st.just(UTC)),
        st.decimals(-(10**12), 10**12, places=2),
        st.booleans(),
        st.uuids(),
        st.integers(-(10**12), 10**12).map(lambda cents: euros(Decimal(cents).scaleb(-2))),
    ),
    st.integers(1, 2**63 - 1),
)
def test_a_cursor_keeps_its_place(value, pk):
    assert decode_cursor(encode_cursor("name", value, pk), "name") == (value, pk)
    assert decode_cursor(encode_cursor("name", value, pk), "-name") is None


@given(st.text())
def test_any_text_is_a_cursor_or_none(text):
    place = decode_cursor(text, "name")

    assert place is None or len(place) == 2


def test_a_filter_narrows_the_list_and_its_links_keep_it(ask, people):
    response = ask(People, "?name=diallo&sort=-name")

    assert len(shown(response)) == 3
    assert "name=diallo" in response.context_data["page"].next_url
    assert len(shown(ask(People, response.context_data["page"].next_url))) == 1


def test_a_filter_that_cannot_be_read_shows_its_error_and_no_row(ask, people):
    response = ask(People, "?joined=yesterday")

    assert shown(response) == []
    assert 'aria-invalid="true"' in response.text


def test_a_column_that_the_role_may_not_see_is_left_out(ask, people):
    response = ask(People)

    assert [heading.column.key for heading in response.context_data["headings"]] == [
        "name",
        "seen",
        "joined",
        "mail",
    ]


def test_htmx_gets_the_table_alone_and_the_address_to_show(ask, people):
    response = ask(People, "?name=diallo&joined=", **{"HX-Request": "true", "HX-Target": "list"})

    assert "<html" not in response.text
    assert 'id="list"' in response.text
    assert response["HX-Push-Url"] == "/there/?name=diallo"
    assert "HX-Request" in response["Vary"]


def test_an_empty_list_says_why(ask, people):
    assert "No line answers these filters." in ask(People, "?name=zzz").text


@pytest.mark.parametrize("format", ["xlsx", "csv"])
def test_the_export_holds_all_filtered_rows_in_the_order_of_the_page(ask, people, format):
    response = ask(People, f"?name=diallo&sort=-seen&export={format}")

    rows, errors = read_table(response.content, [Column("Name", required=True), Column("Last seen", "date")])
    assert [row["Last seen"] for row in rows] == [date(2026, 3, 3), date(2026, 3, 2), date(2026, 3, 1), None]
    assert [error.column for error in errors] == ["Joined", "E-mail"]
    assert response["Content-Disposition"] == f'attachment; filename="people.{format}"'
    assert AuditLine.objects.get().detail == {"format": format, "rows": 4}


def test_an_export_is_refused_to_a_role_without_that_right(ask, people):
    visitor = someone("social_worker", name="sonia")

    assert ask(People, user=visitor).context_data["exports"] == []
    with pytest.raises(PermissionDenied):
        ask(People, "?export=csv", user=visitor)


# ---- an action ----


class DepositForm(forms.Form):
    amount = EuroFormField(label="Deposit", help_text="At most one month.")
    day = forms.DateField(label="Received on")
    note = forms.CharField(label="Note", required=False)


class TakeDeposit(ActionPage):
    resource = "lease"
    title = "Take a deposit"
    form_class = DepositForm
    success_url = "/leases/"
    done_text = "The deposit is taken."
    taken: list = []

    def preview(self, form):
        return Preview(lines=[("Deposit", form.cleaned_data["amount"])])

    def act(self, form):
        if form.cleaned_data["amount"] > euros("465.00"):
            raise Refusal("lease B-0042", "The deposit is above one month of rent.", "Take 465.00 at most.")
        self.taken.append(form.cleaned_data["amount"])


TYPED = {"amount": "465,00", "day": "2026-03-05", "note": "cheque"}


@pytest.fixture(autouse=True)
def _nothing_taken():
    TakeDeposit.taken.clear()


def test_an_action_shows_what_it_would_do_before_it_does_it(ask):
    response = ask(TakeDeposit, post=TYPED)

    assert TakeDeposit.taken == []
    assert "€465.00" in response.text
    assert 'type="hidden" name="amount" value="465,00"' in response.text


def test_an_action_confirmed_is_done_once_and_goes_on(ask):
    response = ask(TakeDeposit, post=TYPED | {"step": "commit"})

    assert TakeDeposit.taken == [euros("465.00")]
    assert (response.status_code, response.url) == (302, "/leases/")


def test_an_action_taken_back_keeps_what_was_typed(ask):
    response = ask(TakeDeposit, post=TYPED | {"step": "edit"})

    assert 'value="cheque"' in response.text
    assert 'value="2026-03-05"' in response.text
    assert "has-error" not in response.text


def test_a_refusal_is_shown_with_its_place_reason_and_remedy(ask):
    response = ask(TakeDeposit, post=TYPED | {"amount": "500", "step": "commit"})

    assert response.status_code == 422
    for words in ("lease B-0042", "The deposit is above one month of rent.", "Take 465.00 at most."):
        assert words in response.text
    assert 'value="cheque"' in response.text


def test_an_error_is_linked_to_its_field(ask):
    response = ask(TakeDeposit, post=TYPED | {"amount": "much"})

    assert 'aria-describedby="id_amount_helptext id_amount_error"' in response.text
    assert 'id="id_amount_error"' in response.text
    assert 'value="much"' in response.text


class Debt(PanelPage):
    resource = "signal"
    template_name = "components/empty.html"
    title = "Debts"

    def get_context_data(self, **kwargs):
        return super().get_context_data(text="No debt.", action_url="", action_label="", **kwargs)


def test_a_panel_is_a_fragment_for_htmx_and_a_page_by_itself(ask):
    assert "<html" not in ask(Debt, **{"HX-Request": "true"}).text
    assert "<html" in ask(Debt).text


# ---- words and figures ----


def drawn(source, **context):
    return Template("{% load gla %}" + source).render(Context(context)).strip()


def test_amounts_days_and_months_as_each_language_writes_them():
    with translation.override("fr"):
        assert euros_text(euros("1234.56")) == "1\u202f234,56\xa0€"
        assert euros_text(euros("-1234567.8")) == "\u22121\u202f234\u202f567,80\xa0€"
        assert (day_text(date(2026, 3, 5)), month_text(date(2026, 3, 5))) == ("05/03/2026", "mars 2026")
        assert number_text(4303) == "4\u202f303"
    assert euros_text(euros("-1234.56")) == "\u2212€1,234.56"
    assert (day_text(date(2026, 3, 5)), month_text(date(2026, 3, 5))) == ("5 Mar 2026", "March 2026")
    assert euros_text(None) == "–"


def test_a_bare_number_is_not_shown_as_an_amount():
    with pytest.raises(TypeError):
        euros_text(46500)


def test_a_state_is_said_in_words_and_an_unknown_one_is_refused():
    assert "In force" in drawn('{% state "good" "In force" %}')
    with pytest.raises(ValueError, match="is no state"):
        drawn('{% state "splendid" "In force" %}')


def test_a_tile_leads_to_its_rows():
    tile = drawn('{% tile "Unpaid" value "/arrears/" "12 urgent" "bad" %}', value=euros("1234.56"))

    assert 'href="/arrears/"' in tile
    assert "€1,234.56" in tile
    assert "12 urgent" in tile


def test_a_money_box_shows_the_comma_that_people_type():
    form = DepositForm(initial={"amount": euros("1465.5"), "day": date(2026, 3, 5)})
    with translation.override("fr"):
        box = drawn("{% field form.amount %}", form=form)

    assert 'value="1465,50"' in box
    assert 'type="text"' in box
    assert 'type="date"' in drawn("{% field form.day %}", form=form)


def test_the_export_opens_in_excel_as_numbers_and_days(ask, people):
    sheet = load_workbook(io.BytesIO(ask(People, "?sort=-seen&export=xlsx").content)).active

    assert sheet["B2"].value == datetime.combine(date(2026, 3, 4), time())


# ---- cells ----


def test_a_cell_says_its_value_by_kind_and_lets_nothing_through():
    def drawn(value, kind="text", **kwargs):
        return cell(Cell(ListColumn("key", "Label", kind=kind), value, **kwargs))

    assert drawn("<b>") == '<td data-label="Label"><span>&lt;b&gt;</span></td>'
    assert drawn("x", url='/a?"b', sub="<i>") == (
        '<td data-label="Label"><span><a href="/a?&quot;b">x</a><span class="sub">&lt;i&gt;</span></span></td>'
    )
    assert drawn(None, "euros") == '<td data-label="Label" class="num void"><span></span></td>'
    assert "state-good" in drawn(("good", "<Paid>"), "state") and "&lt;Paid&gt;" in drawn(
        ("good", "<Paid>"), "state"
    )
    assert "FR76\xa03000\xa04000" in drawn("FR7630004000031234567890143", "iban")


def test_an_iban_is_read_in_groups_of_four():
    assert iban_text("FR76 30004000031234567890143").split("\xa0")[:3] == ["FR76", "3000", "4000"]
    assert iban_text(None) == ""
