"""Papers: those of a lease, those of a month for the whole stock, the texts they are made of."""

import base64
from functools import cached_property

from django import forms
from django.db.models import Count, Max, Prefetch
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.views.generic import View

from core import audit, documents, jobs
from core.documents import PAPERS, Document, Sending
from core.errors import Refusal
from core.files import KeptFile
from core.models import Job
from core.money import euros
from core.pages import Action, ActionPage, Guarded, ListColumn, ListPage, Page, PanelPage, Preview
from core.periods import Period
from core.templatetags.gla import day_text, month_text
from core.today import today
from leases.filters import DocumentFilter
from leases.households import head_name, with_head
from leases.lease import Lease
from leases.papers import batch
from leases.papers.consent import EmailChoice, choose_email, email_of, stop_email
from leases.papers.months import LEASE, NOTICE, PART, RECEIPT, month_states
from leases.rent import RentRun
from leases.views.lease_actions import LeaseAction, LeaseForm
from leases.views.leases import the_lease
from leases.views.runs import MonthForm, asked_month

BATCHES = {NOTICE: _("Rent notices"), RECEIPT: _("Rent receipts")}


def last_month_called():
    """The month that papers are most likely wanted for: the last one called."""
    found = RentRun.objects.filter(closed_at__isnull=False).aggregate(last=Max("month"))["last"]
    return found or Period.month(today()).start


# ---- documents -------------------------------------------------------------------------------


class DocumentList(ListPage):
    """Every paper about a lease that was made, the latest first."""

    resource = "document"
    title = _("Documents")
    filterset_class = DocumentFilter
    default_sort = "-created_at"
    empty_text = _("No paper was made yet.")
    columns = [
        ListColumn("title", _("Document")),
        ListColumn(
            "lease",
            _("Lease"),
            "lease.reference",
            link=lambda d: reverse("lease-documents", args=[d.subject_id]),
        ),
        ListColumn("household", _("Household"), "name"),
        ListColumn("month", _("Month"), kind="month"),
        ListColumn("amount", _("Amount"), kind="euros"),
        ListColumn("created_at", _("Made"), kind="moment", sort="created_at"),
        ListColumn("sent", _("Sent"), kind="state"),
    ]

    def get_queryset(self):
        return Document.objects.filter(subject=LEASE).prefetch_related(
            Prefetch("sendings", Sending.objects.order_by("pk"))
        )

    def complete(self, found):
        ids = {document.subject_id for document in found}
        leases = with_head(Lease.objects.filter(pk__in=ids), "household", today()).in_bulk()
        for document in found:
            document.lease = leases[document.subject_id]
            document.name = head_name(document.lease)
            document.sent = sent_state(document)

    def row_url(self, document):
        return reverse("document", args=[document.pk])

    def was_read(self, found, *, export):
        audit.record_read(self.request.user, "document", [document.pk for document in found])


def sent_state(document):
    """How a document went out: how grave, and in words."""
    sendings = list(document.sendings.all())
    gone = [one for one in sendings if not one.failure]
    if gone:
        return "good", f"{gone[-1].get_channel_display()} · {day_text(gone[-1].at)}"
    if sendings:
        return "warn", _t("Refused by the mail server")
    return "wait", _t("Not yet")


class LeaseDocuments(DocumentList):
    """The papers made for one lease."""

    template_name = "leases/lease_documents.html"
    columns = [
        *(column for column in DocumentList.columns if column.key not in ("lease", "household")),
        ListColumn(
            "email",
            _("E-mail"),
            lambda d: _t("Send"),
            link=lambda d: reverse("document-send", args=[d.pk]),
            export=False,
        ),
    ]

    @cached_property
    def lease(self):
        return the_lease(self.kwargs["pk"])

    @property
    def title(self):
        return _t("Documents of %(name)s") % {"name": self.lease.name}

    @property
    def subtitle(self):
        return self.lease.reference

    def shows(self, column):
        return super().shows(column) and (column.key != "email" or self.may("run"))

    def get_queryset(self):
        return super().get_queryset().filter(subject_id=self.lease.pk)

    def actions(self):
        if not self.may("run"):
            return []
        pk = self.lease.pk
        return [
            Action(_("Make a document"), reverse("document-make", args=[pk]), primary=True, icon="plus"),
            Action(_("Papers by e-mail"), reverse("lease-email", args=[pk])),
        ]

    def get_context_data(self, **kwargs):
        return super().get_context_data(
            lease=self.lease, address=email_of([self.lease.pk], today()).get(self.lease.pk, ""), **kwargs
        )

    def breadcrumb(self):
        return [
            {"label": _("Leases"), "url": reverse("leases")},
            {"label": self.lease.reference, "url": reverse("lease", args=[self.lease.pk])},
            {"label": _("Documents")},
        ]


class DocumentFile(Guarded, View):
    """The PDF as archived, shown by the browser's own reader or taken away."""

    resource = "document"
    http_method_names = ["get", "head", "options"]

    def get(self, request, pk):
        document = get_object_or_404(Document.objects.defer(None), pk=pk, subject=LEASE)
        return file_response(request, document)


def file_response(request, document) -> HttpResponse:
    """The bytes of a paper as archived; the reading is kept."""
    body = document.read()
    audit.record(request, "download", "document", document.pk, sha256=document.sha256)
    return HttpResponse(
        body,
        content_type="application/pdf",
        headers={
            "Content-Disposition": content_disposition_header("save" in request.GET, document.file_name),
            "X-Content-Type-Options": "nosniff",
        },
    )


class MakeForm(LeaseForm):
    kind = forms.ChoiceField(label=_("Paper"))
    month = forms.CharField(
        label=_("Month"),
        required=False,
        help_text=_("For a notice or a receipt."),
        widget=forms.TextInput(attrs={"type": "month", "pattern": "[0-9]{4}-[0-9]{2}"}),
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["kind"].choices = [(code, PAPERS[code].title) for code in batch.OF_A_LEASE]

    def clean(self):
        given = super().clean()
        month = asked_month(given.get("month"))
        if given.get("kind") in BATCHES and month is None:
            self.add_error("month", _("Give the month: YYYY-MM."))
        return given | {"month": month}


class MakeDocument(LeaseAction):
    """One paper of a lease, looked at before it is archived."""

    resource, action = "document", "run"
    title = _("Make a document")
    form_class = MakeForm
    submit_label = _("See it")
    confirm_label = _("Archive it")
    done_text = _("The document is archived.")

    @property
    def cancel_url(self):
        return reverse("lease-documents", args=[self.lease.pk])

    def get_initial(self):
        kind = self.request.GET.get("kind")
        return {
            "month": f"{last_month_called():%Y-%m}",
            "kind": kind if kind in batch.OF_A_LEASE else RECEIPT,
        }

    def preview(self, form):
        asked = form.cleaned_data
        one = batch.draw_up(asked["kind"], self.lease, month=asked["month"], on=today())
        return Preview(template="leases/_paper_pages.html", context={"pages": pictures(one.kind, one.data)})

    def act(self, form):
        asked = form.cleaned_data
        return batch.make_one(
            asked["kind"],
            self.lease,
            month=asked["month"],
            on=today(),
            by=self.request.user,
            now=timezone.now(),
        )


def pictures(kind, data):
    """The pages of a letter not archived, as pictures in the page itself."""
    with documents.press(kind) as ready:
        return shown(ready.pictures(data, on=today()))


def shown(pages):
    return [f"data:image/png;base64,{base64.b64encode(page).decode()}" for page in pages]


class SendDocument(ActionPage):
    """E-mail one paper to the tenant who agreed to it."""

    resource, action = "document", "run"
    title = _("Send by e-mail")
    form_class = forms.Form
    submit_label = _("Send")
    done_text = _("The document was sent.")

    @cached_property
    def document(self):
        return get_object_or_404(Document.objects.defer(None), pk=self.kwargs["pk"], subject=LEASE)

    @cached_property
    def lease(self):
        return the_lease(self.document.subject_id)

    @property
    def intro(self):
        address = email_of([self.lease.pk], today()).get(self.lease.pk) or _t("no agreement to e-mail")
        return f"{self.document.title} · {self.lease.name} · {address}"

    @property
    def cancel_url(self):
        return reverse("lease-documents", args=[self.lease.pk])

    def get_success_url(self):
        return self.cancel_url

    def act(self, form):
        return batch.send_one(self.document, self.lease, on=today(), by=self.request.user, now=timezone.now())


class EmailForm(LeaseForm):
    person = forms.ChoiceField(label=_("Tenant"))
    proof = forms.CharField(
        label=_("How the agreement was given"),
        max_length=120,
        required=False,
        help_text=_("Signed form, letter or e-mail, with its date."),
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        parties = self.lease.parties.exclude(role="surety").select_related("person")
        self.people = {str(party.person_id): party.person for party in parties}
        none = _t("no e-mail")
        self.fields["person"].choices = [
            *((pk, f"{person} · {person.email or none}") for pk, person in self.people.items()),
            ("", _("Nobody: papers go by post")),
        ]
        self.fields["person"].required = False

    def clean(self):
        given = super().clean()
        if given.get("person") and not given.get("proof"):
            self.add_error("proof", _("Say how the tenant agreed: the law asks for it in so many words."))
        return given


class EmailOfLease(LeaseAction):
    """Whether the papers of a lease go by e-mail, and how the tenant agreed to it (loi 89-462, art. 21)."""

    title = _("Papers by e-mail")
    form_class = EmailForm
    done_text = _("Kept.")

    @property
    def cancel_url(self):
        return reverse("lease", args=[self.lease.pk])

    def get_initial(self):
        running = EmailChoice.objects.filter(lease=self.lease, end=None).first()
        return {"person": running.person_id, "proof": running.proof} if running else {}

    def act(self, form):
        person = form.people.get(form.cleaned_data["person"])
        if person is None:
            return stop_email(self.lease, on=today(), by=self.request.user)
        proof = form.cleaned_data["proof"]
        return choose_email(self.lease, person=person, proof=proof, on=today(), by=self.request.user)


# ---- the papers of a month -------------------------------------------------------------------


class MonthPage(Page):
    """What the pages of a month's papers ask: ?kind= and ?month=."""

    resource = "document"

    @cached_property
    def kind(self):
        asked = self.request.GET.get("kind", RECEIPT)
        return asked if asked in BATCHES else RECEIPT

    @cached_property
    def month(self):
        return asked_month(self.request.GET.get("month", "")) or last_month_called()


class Papers(MonthPage):
    """The papers of a month: what there is, launch, progress, print files."""

    template_name = "leases/papers.html"

    def get_context_data(self, **kwargs):
        self.title = _t("%(papers)s of %(month)s") % {
            "papers": BATCHES[self.kind], "month": month_text(self.month)
        }  # fmt: skip
        text = f"{self.month:%Y-%m}"
        made = Document.objects.filter(subject=LEASE, kind__in=batch.KINDS[self.kind], month=self.month)
        jobs_of = Job.objects.filter(kind__in=("papers", "print_papers"), parameters__month=text)
        mine = KeptFile.objects.filter(kind="print", created_by=self.request.user)
        return super().get_context_data(
            kind=self.kind,
            month=self.month,
            month_form=MonthForm(initial={"month": text}),
            tabs=[(code, words, code == self.kind) for code, words in BATCHES.items()],
            called=RentRun.objects.filter(month=self.month, closed_at__isnull=False).exists(),
            made=[(PAPERS[row["kind"]].title, row["kind"], row["n"]) for row in counted(made)],
            ways=ways(made),
            waiting=batch.waiting(self.kind, self.month).count(),
            job=jobs_of.filter(parameters__paper=self.kind).order_by("-created_at").first(),
            files=mine.filter(name__startswith=f"{self.kind}-{text}")
            .defer("content")
            .order_by("-created_at"),
            may_run=self.may("run"),
            **kwargs,
        )


def counted(made):
    return made.order_by("kind").values("kind").annotate(n=Count("pk"))


def ways(made):
    """How many of the papers went by which way: label, count; one query."""
    found = (
        Sending.objects.filter(document__in=made, failure="")
        .order_by("channel")
        .values("channel")
        .annotate(n=Count("document", distinct=True))
    )
    return [(Sending.Channel(row["channel"]).label, row["channel"], row["n"]) for row in found]


class PaperCounts(PanelPage, MonthPage):
    """How many leases of a month get a receipt, a part receipt or nothing, as it stands today."""

    template_name = "leases/_paper_counts.html"
    title = _("As it stands today")

    def get_context_data(self, **kwargs):
        states = month_states(self.month, today())
        whole, part = ([one for one in states if one.paper == kind] for kind in (RECEIPT, PART))
        return super().get_context_data(
            whole=len(whole),
            whole_sum=sum((one.called for one in whole), euros(0)),
            part=len(part),
            part_sum=sum((one.paid for one in part), euros(0)),
            nothing=len(states) - len(whole) - len(part),
            by_email=len(email_of((one.lease_id for one in states), today())),
            month=self.month,
            **kwargs,
        )


class PreviewPaper(MonthPage):
    """One paper of the month, of the first lease that gets one: to look at before launching."""

    resource, action = "document", "run"
    template_name = "leases/paper_preview.html"

    def get_context_data(self, **kwargs):
        self.title = _t("What one looks like")
        head, one = documents.letterhead(), None
        for low, high in batch.ranges(self.kind, self.month, 20):
            found = batch.to_make(self.kind, self.month, today(), head=head, leases=(low, high), again=True)
            if found:
                one = found[0]
                break
        try:
            pages = pictures(one.kind, one.data) if one else []
        except Refusal as refusal:
            return super().get_context_data(pages=[], refusal=refusal, **kwargs)
        return super().get_context_data(pages=pages, refusal=None, **kwargs)

    def breadcrumb(self):
        back = f"{reverse('papers')}?kind={self.kind}&month={self.month:%Y-%m}"
        return [{"label": BATCHES[self.kind], "url": back}, {"label": self.title}]


class StartPapers(Guarded, View):
    """Launch the papers of a month, or their print file again, as long work."""

    resource, action = "document", "run"
    http_method_names = ["post"]

    def post(self, request):
        month, kind = asked_month(request.POST.get("month")), request.POST.get("kind")
        if month is None or kind not in BATCHES:
            raise Http404
        if "again" in request.POST:
            text = f"{month:%Y-%m}"
            return redirect(
                jobs.start("print_papers", by=request.user, once=f"{kind} {text}", paper=kind, month=text)
            )
        return redirect(batch.begin(kind, month, on=today(), by=request.user, email="email" in request.POST))
