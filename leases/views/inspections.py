"""Surveys of a home, room by room on a telephone; the exit beside the entry; the wear table."""

from urllib.parse import urlencode

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from django.views import View

from core import audit
from core.pages import Action, ActionPage, Guarded, Page, Preview
from core.today import today
from leases.households import head_name, with_head
from leases.tenancy import inspections, wear
from leases.tenancy.departure import last_stay, reopen_inspection
from leases.tenancy.inspections import CONDITIONS, ENTRY, EXIT, METERS, Inspection, InspectionPhoto
from leases.views.leases import the_lease

SHORT = {
    **CONDITIONS,
    inspections.MISSING: pgettext_lazy("condition", "Missing"),
}
"""Conditions in one word each, for a telephone."""


def found_inspection(pk):
    """A survey with its home and its household's name."""
    rows = Inspection.objects.select_related("occupancy__lease", "occupancy__place__unit__building")
    found = with_head(rows, "occupancy__lease__household", today())
    inspection = get_object_or_404(found, pk=pk)
    inspection.name = head_name(inspection)
    return inspection


class OfInspection:
    """A page about one survey."""

    resource = "inspection"

    @cached_property
    def inspection(self):
        return found_inspection(self.kwargs["pk"])

    @property
    def place(self):
        return self.inspection.occupancy.place

    def breadcrumb(self):
        lease, crumbs = self.inspection.occupancy.lease, []
        if self.may("view", "lease"):
            crumbs = [
                {"label": _("Departures"), "url": reverse("departures")},
                {"label": lease.reference, "url": reverse("lease-departure", args=[lease.pk])},
            ]
        whole = {"label": self.inspection.get_kind_display(), "url": self.inspection_url}
        return [*crumbs, whole, {"label": self.title}]

    @property
    def inspection_url(self):
        return reverse("inspection", args=[self.inspection.pk])


class InspectionAction(OfInspection, ActionPage):
    """An act on a survey; back to it afterwards."""

    @property
    def cancel_url(self):
        return self.inspection_url

    def get_success_url(self):
        return self.inspection_url


class InspectionPage(OfInspection, Page):
    """A survey: its rooms to see, its meters, its photos, and the signature at the end."""

    template_name = "leases/inspection.html"

    @property
    def title(self):
        return f"{self.inspection.get_kind_display()} · {self.place.reference}"

    def breadcrumb(self):
        return [one for one in super().breadcrumb() if one.get("url") != self.inspection_url]

    def get_context_data(self, **kwargs):
        inspection = self.inspection
        audit.record_read(self.request.user, "inspection", inspection.pk)
        rooms = inspections.rooms(inspection)
        photos = list(inspection.photos.defer("content").order_by("pk"))
        left = [room for room in rooms if not room.done]
        return super().get_context_data(
            inspection=inspection,
            place=self.place,
            rooms=[(room, sum(1 for one in photos if one.room == room.code)) for room in rooms],
            left=left,
            photos=photos,
            readings=list(inspection.readings.order_by("meter")),
            completes_until=inspections.last_day_to_complete(inspection),
            may_change=self.may("change"),
            has_entry=bool(inspection.kind == EXIT and inspections.entry_of(inspection).pk),
            **kwargs,
        )


class OpenInspection(ActionPage):
    """Begin the survey of the home that a lease occupies, or take up the one begun."""

    resource = "inspection"
    form_class = forms.Form

    @cached_property
    def lease(self):
        return the_lease(self.kwargs["pk"])

    @property
    def title(self):
        return Inspection.Kind(self.kind).label

    @property
    def kind(self):
        if self.kwargs["kind"] not in (ENTRY, EXIT):
            raise Http404
        return self.kwargs["kind"]

    @property
    def intro(self):
        return f"{self.lease.reference} · {self.lease.name}"

    submit_label = _("Begin")

    def get(self, request, *args, **kwargs):
        stay = last_stay(self.lease)
        begun = Inspection.objects.filter(occupancy=stay, kind=self.kind).first() if stay else None
        if begun:
            return redirect("inspection", begun.pk)
        return super().get(request, *args, **kwargs)

    def act(self, form):
        stay = last_stay(self.lease)
        if stay is None:
            raise inspections.InspectionRefused(
                self.lease.reference,
                _t("Nobody occupies a home under this lease."),
                _t("Enter the home of the lease first."),
            )
        return inspections.open_inspection(stay, kind=self.kind, on=today(), by=self.request.user)

    def done(self, result, form):
        return redirect("inspection", result.pk)


class PhotoBox(forms.ClearableFileInput):
    allow_multiple_selected = True


class PhotosField(forms.FileField):
    """Several photos at once, or none."""

    def clean(self, data, initial=None):
        return [super(PhotosField, self).clean(one, initial) for one in data or []]


class RoomForm(forms.Form):
    """Every element of a room: its condition, a word if need be; photos."""

    photos = PhotosField(
        label=_("Photos"), required=False, widget=PhotoBox(attrs={"multiple": True, "accept": "image/*"})
    )

    def __init__(self, *args, room, **kwargs):
        super().__init__(*args, **kwargs)
        self.room = room
        for seen in room.elements:
            self.fields[f"c-{seen.element}"] = forms.TypedChoiceField(
                label=seen.label, choices=CONDITIONS.items(), coerce=int, initial=seen.condition
            )
            self.fields[f"r-{seen.element}"] = forms.CharField(
                label=_("Remark"), max_length=200, required=False, initial=seen.remark
            )
            self.fields[f"n-{seen.element}"] = forms.DateField(
                label=_("New since"), required=False, initial=seen.new_since
            )

    def rows(self):
        """Each element with its fields, as the template draws them."""
        for seen in self.room.elements:
            chosen = self[f"c-{seen.element}"].value()
            yield {
                "seen": seen,
                "before": CONDITIONS.get(seen.before),
                "condition": self[f"c-{seen.element}"],
                "remark": self[f"r-{seen.element}"],
                "new_since": self[f"n-{seen.element}"],
                "choices": [(code, words, str(code) == str(chosen)) for code, words in SHORT.items()],
            }

    def told(self):
        """What was seen, as save_room takes it."""
        data = self.cleaned_data
        return [
            (one.element, data[f"c-{one.element}"], data[f"r-{one.element}"], data[f"n-{one.element}"])
            for one in self.room.elements
        ]


class InspectRoom(InspectionAction):
    """One room: proposed as it was, changed by a tap where it differs, then the next one."""

    template_name = "leases/inspection_room.html"
    form_class = RoomForm
    submit_label = _("Save and go on")

    @cached_property
    def room(self):
        for room in inspections.rooms(self.inspection):
            if room.code == self.kwargs["room"]:
                return room
        raise Http404

    @property
    def title(self):
        return self.room.label

    @property
    def intro(self):
        return f"{self.inspection.get_kind_display()} · {self.place.reference}"

    def get_form_kwargs(self):
        return super().get_form_kwargs() | {"room": self.room}

    def get_context_data(self, **kwargs):
        photos = self.inspection.photos.defer("content").filter(room=self.room.code)
        return super().get_context_data(inspection=self.inspection, room=self.room, photos=photos, **kwargs)

    def post(self, request, *args, **kwargs):
        if not request.POST.get("absent"):
            return super().post(request, *args, **kwargs)
        try:
            inspections.leave_out_room(self.inspection, self.room.code, by=request.user)
        except inspections.InspectionRefused as refusal:
            return self.render_to_response(
                self.get_context_data(form=self.unchecked_form(), refusal=refusal), status=422
            )
        return self.done(None, None)

    def act(self, form):
        by = self.request.user
        inspections.save_room(self.inspection, self.room.code, form.told(), by=by)
        for sent in form.cleaned_data["photos"]:
            inspections.add_photo(self.inspection, self.room.code, sent.read(), sent.name, by=by)

    def done(self, result, form):
        after = [room for room in inspections.rooms(self.inspection) if not room.done]
        if after:
            return redirect("inspection-room", self.inspection.pk, after[0].code)
        return redirect("inspection", self.inspection.pk)


class ReadingsForm(forms.Form):
    def __init__(self, *args, readings, **kwargs):
        super().__init__(*args, **kwargs)
        for meter, label in METERS.items():
            known = readings.get(meter)
            self.fields[f"v-{meter}"] = forms.DecimalField(
                label=label, required=False, min_value=0, decimal_places=2, max_digits=12,
                initial=known[1] if known else None,
            )  # fmt: skip
            self.fields[f"n-{meter}"] = forms.CharField(
                label=_t("%(meter)s: meter number") % {"meter": label}, required=False, max_length=30,
                initial=known[0] if known else "",
            )  # fmt: skip

    def told(self):
        data = self.cleaned_data
        return {
            meter: (data[f"n-{meter}"], data[f"v-{meter}"])
            for meter in METERS
            if data[f"v-{meter}"] is not None
        }


class ReadMeters(InspectionAction):
    """What the meters show; the numbers of the entry are proposed at the exit."""

    form_class = ReadingsForm
    title = _("Meters")
    done_text = _("The readings are saved.")

    def get_form_kwargs(self):
        entry = inspections.entry_of(self.inspection) if self.inspection.kind == EXIT else None
        known = {one.meter: (one.number, None) for one in entry.readings.all()} if entry else {}
        known |= {one.meter: (one.number, one.value) for one in self.inspection.readings.all()}
        return super().get_form_kwargs() | {"readings": known}

    def act(self, form):
        inspections.save_readings(self.inspection, form.told(), by=self.request.user)


class SignForm(forms.Form):
    on = forms.DateField(label=_("Date of the survey"))
    attended = forms.ChoiceField(label=_("Drawn up"), choices=Inspection.Attended.choices)
    keys = forms.IntegerField(label=_("Keys and badges handed over"), min_value=0, required=False)
    conforms = forms.TypedChoiceField(
        label=_("The exit"),
        choices=[("yes", _("conforms to the entry")), ("no", _("differs from the entry"))],
        coerce=lambda text: text == "yes",
        help_text=_("It decides the delay to give the deposit back: one month, or two."),
    )
    remarks = forms.CharField(label=_("Remarks"), required=False, widget=forms.Textarea(attrs={"rows": 3}))


class SignInspection(InspectionAction):
    """The survey is whole: who was there, how many keys; it does not change after."""

    form_class = SignForm
    title = _("Sign the survey")
    submit_label = _("Check")
    confirm_label = _("Sign the survey")
    done_text = _("The survey is signed.")

    def get_initial(self):
        found = {"on": today(), "attended": "both", "remarks": self.inspection.remarks}
        if self.inspection.kind == EXIT:
            found["conforms"] = "yes" if inspections.seems_to_conform(self.inspection) else "no"
        return found

    def get_form(self, form_class=None):
        form = super().get_form(form_class)
        if self.inspection.kind == ENTRY:
            del form.fields["conforms"]
        return form

    def preview(self, form):
        rooms = inspections.rooms(self.inspection)
        shown = [
            (_("Home"), self.place.reference),
            (_("Rooms seen"), f"{sum(room.done for room in rooms)} / {len(rooms)}"),
        ]
        if self.inspection.kind == EXIT:
            damaged = sum(1 for one in inspections.compare(self.inspection) if one.damaged)
            shown.append((_("Elements worse than at the entry"), damaged))
        return Preview(lines=shown, warning=_t("Once signed, the survey does not change any more."))

    def act(self, form):
        return inspections.sign_inspection(
            self.inspection, **form.cleaned_data, by=self.request.user, now=timezone.now()
        )


class CompleteForm(forms.Form):
    text = forms.CharField(label=_("What the tenant adds"), widget=forms.Textarea(attrs={"rows": 4}))


class CompleteInspection(InspectionAction):
    """The tenant completes the entry survey in the days after it (loi 89-462, art. 3-2)."""

    form_class = CompleteForm
    title = _("Complete the survey")
    done_text = _("The survey is completed.")

    def act(self, form):
        return inspections.complete_inspection(
            self.inspection, text=form.cleaned_data["text"], on=today(), by=self.request.user
        )


class ReopenInspection(InspectionAction):
    """Correct a signed survey with the tenant, while no final account stands on it."""

    form_class = forms.Form
    title = _("Reopen the survey")
    submit_label = _("Reopen the survey")
    done_text = _("The survey is open again: sign it once corrected.")

    def act(self, form):
        return reopen_inspection(self.inspection, by=self.request.user)


class PhotoView(Guarded, View):
    """A photo of a survey, as it was taken."""

    resource, action = "inspection", "view"

    def get(self, request, *args, **kwargs):
        photo = get_object_or_404(InspectionPhoto, pk=kwargs["photo"], inspection=kwargs["pk"])
        audit.record_read(request.user, "inspection", photo.inspection_id)
        return HttpResponse(
            bytes(photo.content),
            content_type=photo.media,
            headers={"Content-Disposition": "inline", "X-Content-Type-Options": "nosniff"},
        )


class Comparison(OfInspection, Page):
    """The exit beside the entry, element by element: to print, and to charge from."""

    template_name = "leases/inspection_comparison.html"
    title = _("Entry and exit compared")

    def get_context_data(self, **kwargs):
        survey = self.inspection
        if survey.kind != EXIT:
            raise Http404
        audit.record_read(self.request.user, "inspection", survey.pk)
        entry, table = inspections.entry_of(survey), wear.wear_table(survey.on)
        rows = []
        # What is damaged first: it is what they talk about at the door.
        for one in sorted(inspections.compare(survey), key=lambda one: not one.damaged):
            known = inspections.ELEMENTS.get(one.element)
            wears = table.get(known.wear) if known else None
            since = one.new_since or survey.occupancy.lease.start
            rows.append(
                {
                    "one": one,
                    "words": one.words,
                    "share": wears.share(wear.years_old(since, survey.on)) if wears and one.damaged else None,
                    "charge_url": self.charge_url(one, known) if one.damaged else "",
                }
            )
        photos = [*survey.photos.defer("content").order_by("room", "pk")]
        before = [*entry.photos.defer("content").order_by("room", "pk")] if entry.pk else []
        return super().get_context_data(
            inspection=survey,
            entry=entry if entry.pk else None,
            place=self.place,
            rows=rows,
            damaged=sum(1 for row in rows if row["one"].damaged),
            readings=inspections.reading_pairs(survey),
            photos=[(_t("At the exit"), photos), (_t("At the entry"), before)],
            may_charge=self.may("change", "deposit"),
            **kwargs,
        )

    def charge_url(self, one, known):
        room, element, _before, _after = one.words
        asked = {
            "label": f"{element}, {room}",
            "category": known.wear if known else "",
            "new_since": one.new_since.isoformat() if one.new_since else "",
        }
        lease = self.inspection.occupancy.lease_id
        return f"{reverse('deduction-add', args=[lease])}?{urlencode(asked)}"


# ---- wear ---------------------------------------------------------------------------------


class WearTable(Page):
    """The wear table in force, line by line, and which lines the house changed."""

    resource = "wear"
    template_name = "leases/wear.html"
    title = _("Wear table")

    def get_context_data(self, **kwargs):
        table = sorted(wear.wear_table(today()).values(), key=lambda one: one.label)
        return super().get_context_data(
            table=table,
            may_change=self.may("change"),
            actions=[Action(_("Change a line"), reverse("wear-change"), icon="edit")]
            if self.may("change")
            else [],
            **kwargs,
        )


class WearForm(forms.Form):
    category = forms.ChoiceField(label=_("Category"), choices=list(wear.CATEGORIES.items()))
    lifetime = forms.IntegerField(label=_("Lifetime, years"), min_value=1, max_value=60)
    franchise = forms.IntegerField(label=_("Franchise, years"), min_value=0, max_value=60)
    abatement = forms.IntegerField(label=_("Abatement, % a year"), min_value=0, max_value=100)
    residual = forms.IntegerField(label=_("Residual share, %"), min_value=0, max_value=100)
    start = forms.DateField(label=_("From"))
    source = forms.CharField(label=_("Source"), max_length=120, required=False)


class ChangeWear(ActionPage):
    """A line of the table from a day on; damage found before keeps the line before."""

    resource = "wear"
    title = _("Change a line of the wear table")
    form_class = WearForm
    submit_label = _("Check")
    done_text = _("The line is changed.")

    @property
    def cancel_url(self):
        return reverse("wear")

    def get_success_url(self):
        return self.cancel_url

    def get_initial(self):
        asked = self.request.GET.get("category", "")
        known = wear.wear_table(today()).get(asked)
        found = {"start": today(), "category": asked}
        for name in ("lifetime", "franchise", "abatement", "residual"):
            found[name] = getattr(known, name, None)
        return found

    def preview(self, form):
        told = form.cleaned_data
        line = wear.Wear(
            told["category"], told["lifetime"], told["franchise"], told["abatement"], told["residual"], ""
        )
        return Preview(
            lines=[
                (line.label, ""),
                *(
                    (_t("After %(years)d years") % {"years": years}, f"{line.share(years)} %")
                    for years in (1, 3, 5, 10)
                ),
            ]
        )

    def act(self, form):
        return wear.change_wear(**form.cleaned_data, by=self.request.user, now=timezone.now())

    def breadcrumb(self):
        return [{"label": _("Wear table"), "url": reverse("wear")}, {"label": self.title}]
