"""What pages share: amounts, days, states, tiles, fields (load as `gla`)."""

import copy
from datetime import date, datetime, timedelta
from decimal import Decimal

from django import forms, template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from moneyed import Money

from core.money import EuroFormField

register = template.Library()

MINUS = "\N{MINUS SIGN}"
THIN = "\N{NARROW NO-BREAK SPACE}"
NBSP = "\N{NO-BREAK SPACE}"
NOTHING = "\N{EN DASH}"

STATES = {"good", "info", "wait", "warn", "bad", "off"}


def _french() -> bool:
    return (get_language() or "fr").startswith("fr")


def number_text(value, places: int | None = None) -> str:
    """A number as people read it: "1 234,5" in French, "1,234.5" in English.

    value: int, Decimal or None (an en dash). places: decimals shown, as given if None.
    """
    if value is None or value == "":
        return NOTHING
    number = value if isinstance(value, int) else Decimal(str(value))
    spec = "," if places is None else f",.{places}f"
    text = format(abs(number), spec)
    if _french():
        text = text.replace(",", THIN).replace(".", ",")
    # What rounds to nothing has no sign.
    negative = number < 0 and any(digit in "123456789" for digit in text)
    return (MINUS if negative else "") + text


def euros_text(value) -> str:
    """An amount as people read it: "1 234,56 €" in French, "€1,234.56" in English.

    value: Money or Decimal in euros, or None (an en dash). Raises TypeError for a bare
    int other than 0: it may be cents.
    """
    if value is None or value == "":
        return NOTHING
    if isinstance(value, Money):
        value = value.amount
    elif isinstance(value, (int, float)) and value != 0:
        raise TypeError("A bare number is not an amount; give Money.")
    text = number_text(Decimal(value), 2)
    if _french():
        return f"{text}{NBSP}€"
    return f"{MINUS}€{text[1:]}" if text.startswith(MINUS) else f"€{text}"


def day_text(value) -> str:
    """A day as people read it: "05/03/2026" in French, "5 Mar 2026" in English."""
    if not value:
        return NOTHING
    if isinstance(value, datetime):
        value = timezone.localtime(value).date() if timezone.is_aware(value) else value.date()
    return value.strftime("%d/%m/%Y") if _french() else date_format(value, "j M Y")


def month_text(value) -> str:
    """The month of a day: "mars 2026" in French, "March 2026" in English."""
    return date_format(value, "F Y") if value else NOTHING


def moment_text(value) -> str:
    """A moment in local time: "05/03/2026 14:32"."""
    if not value:
        return NOTHING
    if timezone.is_aware(value):
        value = timezone.localtime(value)
    return f"{day_text(value.date())} {value:%H:%M}"


def last_day_text(end) -> str:
    """The last day of what ends the day before `end`; an en dash while it runs."""
    return day_text(end - timedelta(days=1)) if end else NOTHING


def iban_text(value) -> str:
    """An IBAN in groups of four, as people read and dictate it; one word for who copies it."""
    text = "".join(str(value or "").split())
    return NBSP.join(text[at : at + 4] for at in range(0, len(text), 4))


register.filter("last_day", last_day_text)
register.filter("iban", iban_text)
register.filter("number", number_text)
register.filter("euros", euros_text)
register.filter("day", day_text)
register.filter("month", month_text)
register.filter("moment", moment_text)


@register.filter
def shown(value):
    """A value in its usual form: an amount, a number, a day, yes or no, or its words."""
    if isinstance(value, Money):
        return amount(value)
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if isinstance(value, datetime):
        return moment_text(value)
    if isinstance(value, date):
        return day_text(value)
    if value is None or isinstance(value, (int, Decimal)):
        return number_text(value)
    return value


@register.simple_tag
def amount(value) -> SafeString:
    """An amount in tabular figures, never cut over two lines; below zero also in colour."""
    text = euros_text(value)
    return format_html('<span class="amount{}">{}</span>', " neg" if MINUS in text else "", text)


@register.simple_tag
def icon(name) -> SafeString:
    """One picture of static/icons.svg, silent to a screen reader: words go beside it."""
    return format_html(
        '<svg class="ico" aria-hidden="true" focusable="false"><use href="{}#{}"/></svg>',
        static("icons.svg"),
        name,
    )


@register.simple_tag
def message_word(level):
    """What a message is, in a word, for those who do not see its colour."""
    return {
        "success": _("Done"),
        "warning": _("Warning"),
        "error": _("Error"),
    }.get(level, _("Note"))


@register.simple_tag
def state(kind, text) -> SafeString:
    """A state in words, a picture and a colour.

    kind: good, info, wait, warn, bad or off. Raises ValueError for another.
    """
    if kind not in STATES:
        raise ValueError(f"{kind!r} is no state: use one of {', '.join(sorted(STATES))}.")
    return format_html('<span class="state state-{}">{}{}</span>', kind, icon(kind), text)


CELLS = {
    "euros": amount,
    "int": number_text,
    "decimal": number_text,
    "date": lambda value: format_html('<span class="date">{}</span>', day_text(value)),
    "month": lambda value: format_html('<span class="nowrap">{}</span>', month_text(value)),
    "moment": lambda value: format_html('<span class="date">{}</span>', moment_text(value)),
    "bool": lambda value: _("Yes") if value else _("No"),
    "state": lambda value: state(*value),
    "iban": lambda value: format_html('<span class="num nowrap">{}</span>', iban_text(value)),
}
"""How a cell of a list shows each kind of column; any other kind is its words."""


@register.simple_tag
def cell(drawn) -> SafeString:
    """A cell of a list (core.pages.Cell): drawn here, since a template for each of 500 takes half the page."""
    column, value = drawn.column, drawn.value
    empty = value is None or value == ""
    classes = " ".join(
        name
        for name, on in (("num", column.numeric), ("void", empty if not column.numeric else value is None))
        if on
    )
    if empty:
        shown = NOTHING if drawn.url else ""
    else:
        shown = conditional_escape(CELLS.get(column.kind, str)(value))
    if drawn.url:
        shown = f'<a href="{conditional_escape(drawn.url)}">{shown}</a>'
    if drawn.sub:
        shown += f'<span class="sub">{conditional_escape(drawn.sub)}</span>'
    classed = f' class="{classes}"' if classes else ""
    return mark_safe(
        f'<td data-label="{conditional_escape(column.label)}"{classed}><span>{shown}</span></td>'
    )


@register.inclusion_tag("components/pager.html", takes_context=True)
def pager(context, page):
    """First, previous, next and last page; page is a core.pages.Page or has its four URLs."""
    return {"page": page, "target": context.get("list_id")}


@register.inclusion_tag("components/empty.html")
def empty(text, action_url="", action_label=""):
    """What stands where there is nothing: why, and what to do about it."""
    return {"text": text, "action_url": action_url, "action_label": action_label}


@register.inclusion_tag("components/tile.html")
def tile(label, value, url="", hint="", state=""):
    """A key figure that leads to its rows.

    value: text, a number or Money. state: good, info, wait, warn, bad or nothing; the hint
    must say it in words.
    """
    if isinstance(value, Money):
        value = euros_text(value)
    elif isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        value = number_text(value)
    return {"label": label, "value": value, "url": url, "hint": hint, "state": state}


@register.inclusion_tag("components/note.html")
def note(kind, text, title=""):
    """A sentence that must not be missed. kind: good, info, wait, warn or bad."""
    return {"kind": kind, "text": text, "title": title}


@register.inclusion_tag("components/panel_slot.html")
def panel(url, title):
    """A place filled by another app's page once this one is read; a plain link without script."""
    return {"url": url, "title": title}


@register.inclusion_tag("components/progress.html")
def progress(job, url=""):
    """How far a long work has come; asks again every two seconds while it goes on.

    job: has `done`, `total`, `state_word`, `is_over`, and may have `said`. url: the page of the job.
    """
    return {
        "job": job,
        "url": url,
        "done": str(job.done or 0),
        "total": str(job.total or ""),
        "said": getattr(job, "said", ""),
    }


def _attributes(attrs) -> str:
    """Attributes as Django's own widgets write them."""
    return "".join(
        f" {name}" if value is True else f' {name}="{conditional_escape(value)}"'
        for name, value in attrs.items()
        if value is not False and value is not None
    )


def _select(template_name, context, renderer=None) -> SafeString:
    """A list to choose from as Django draws it, without a template for each of its hundreds of options."""
    widget = context["widget"]
    told = []
    for group, options, _index in widget["optgroups"]:
        inside = "".join(
            f'<option value="{conditional_escape(option["value"])}"{_attributes(option["attrs"])}>{conditional_escape(option["label"])}</option>'
            for option in options
        )
        told.append(f'<optgroup label="{conditional_escape(group)}">{inside}</optgroup>' if group else inside)
    head = f'<select name="{conditional_escape(widget["name"])}"{_attributes(widget["attrs"])}>'
    return mark_safe(f"{head}{''.join(told)}</select>")


def _typed_amount(value):
    """An amount as one types it: 1465,50; what was mistyped stays as it was."""
    if isinstance(value, Money):
        value = value.amount
    if isinstance(value, (int, Decimal)):
        text = f"{value:.2f}"
        return text.replace(".", ",") if _french() else text
    return value


def _prepared(bound):
    """The widget as our pages draw it: classes of Bootstrap, native days, French decimals."""
    widget = copy.deepcopy(bound.field.widget)
    attrs = {}
    if isinstance(widget, (forms.RadioSelect, forms.CheckboxSelectMultiple)):
        # Django would give a class to the group and to each of its boxes.
        return widget, attrs
    if isinstance(widget, forms.CheckboxInput):
        attrs["class"] = "form-check-input"
    elif isinstance(widget, forms.Select):
        attrs["class"] = "form-select"
        if not widget.allow_multiple_selected:
            widget._render = _select
    else:
        attrs["class"] = "form-control"
    if isinstance(bound.field, EuroFormField):
        attrs |= {"class": "form-control money", "inputmode": "decimal", "autocomplete": "off"}
        # A number box would refuse "1 465,50".
        widget.input_type, widget.format_value = "text", _typed_amount
        widget.attrs = {k: v for k, v in widget.attrs.items() if k not in ("step", "min", "max")}
    if isinstance(widget, forms.DateInput) and widget.input_type == "text":
        widget.input_type, widget.format = "date", "%Y-%m-%d"
    if own := widget.attrs.get("class"):
        attrs["class"] += f" {own}"
    return widget, attrs


def _kind(bound) -> str:
    widget = bound.field.widget
    if isinstance(widget, (forms.RadioSelect, forms.CheckboxSelectMultiple)):
        return "choices"
    return "check" if isinstance(widget, forms.CheckboxInput) else "plain"


@register.inclusion_tag("components/field.html")
def field(bound, compact=False):
    """A form field with its label, help and errors, these linked to it for screen readers.

    compact: without the word "optional", as filters are.
    """
    kind = _kind(bound)
    widget, attrs = _prepared(bound)
    return {
        "bound": bound,
        "kind": kind,
        "widget": bound.as_widget(widget=widget, attrs=attrs),
        "optional": not compact and not bound.field.required and kind == "plain",
    }


@register.inclusion_tag("components/fields.html")
def fields(form):
    """A whole form: what is wrong with it as a whole, then each field."""
    return {"form": form}


@register.inclusion_tag("components/refusal.html")
def refusal(error):
    """Why the program refuses (core.errors.Refusal): place, reason, remedy."""
    return {"error": error}
