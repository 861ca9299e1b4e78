"""Letters made together: those of a revision, of a charge settlement, of the owners of a month; one by one too."""

from functools import cached_property

from django import forms
from django.contrib import messages
from django.db.models import Q
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.views.generic import View

from core import documents
from core.documents import Document, NoPaper
from core.errors import Refusal
from core.files import KeptFile
from core.models import Job
from core.pages import ActionPage, Guarded, Page, Preview
from core.templatetags.gla import month_text
from core.today import today
from leases.accounts.owner_accounts import last_month_made, month_to_make
from leases.papers import owner_papers, stack, yearly_letters
from leases.tenancy.departure import FinalAccount
from leases.views.owner_accounts import OwnerPart, asked_month
from leases.views.papers import file_response, pictures, ways
from leases.yearly.charges import ChargeRun
from leases.yearly.revision import RevisionRun

# ---- letters made together -------------------------------------------------------------------


class StackPage(Page):
    """A stack of letters: what is made, how it went out, launch, progress, print files.

    A page gives get_stack(), to_make() (how many are left), begin(…) and back_url(). making: the
    action asked to launch; kind: of its long work.
    """

    resource = "document"
    template_name = "leases/letters.html"
    making = "run"
    kind = ""

    def jobs(self):
        return Job.objects.filter(kind=self.kind, parameters__run=self.kwargs["pk"])

    def rows_url(self):
        """Where the papers made are listed."""
        kind = self.letters.kinds[0]
        month = self.letters.papers().values_list("month", flat=True).first()
        return f"{reverse('documents')}?kind={kind}" + (f"&month={month:%Y-%m}" if month else "")

    @cached_property
    def letters(self):
        try:
            return self.get_stack()
        except NoPaper as refusal:
            raise Http404(str(refusal)) from refusal

    def get_context_data(self, **kwargs):
        letters = self.letters
        self.title = letters.title
        made = letters.papers()
        mine = KeptFile.objects.filter(
            Q(name=f"{letters.name}.pdf") | Q(name__startswith=f"{letters.name}-"),
            kind="print",
            created_by=self.request.user,
        )
        may_make = self.may(self.making)
        return super().get_context_data(
            letters=letters,
            made=made.count(),
            rows_url=self.rows_url(),
            ways=ways(made),
            waiting=stack.waiting(made).count(),
            to_make=self.to_make(),
            job=self.jobs().order_by("-created_at").first(),
            files=mine.defer("content").order_by("-created_at"),
            may_make=may_make,
            start_url=reverse(f"{self.request.resolver_match.url_name}-start", kwargs=self.kwargs),
            look=self.look() if may_make and "look" in self.request.GET else None,
            **kwargs,
        )

    def look(self):
        """The pages of the first letter still to make, as pictures."""
        head = documents.letterhead()
        for group in self.letters.groups():
            for draft in self.letters.draw(group, head)[:1]:
                try:
                    return {"pages": pictures(draft.kind, draft.data)}
                except Refusal as refusal:
                    return {"refusal": refusal}
        return {}


class Start:
    """Launch a stack of letters, or its print file again, as long work."""

    http_method_names = ["post"]

    def post(self, request, **kwargs):
        try:
            return redirect(
                self.begin(
                    on=today(),
                    by=request.user,
                    email="email" in request.POST,
                    again="again" in request.POST,
                )
            )
        except NoPaper as refusal:
            messages.error(request, str(refusal))
            return redirect(self.back_url())


class RevisionLetters(StackPage):
    """The letters of a revision run."""

    kind = "revision_letters"

    @cached_property
    def run(self):
        return get_object_or_404(RevisionRun, pk=self.kwargs["pk"])

    def get_stack(self):
        return yearly_letters.revision_stack(self.run)

    def to_make(self):
        told = self.run.revisions.standing().values("lease").distinct().count()
        return max(0, told - self.letters.papers().count())

    def begin(self, **how):
        return yearly_letters.begin(self.kind, self.run, **how)

    def breadcrumb(self):
        return [{"label": _("Revision"), "url": self.back_url()}, {"label": self.title}]

    def back_url(self):
        return reverse("revision-run", args=[self.run.pk])


class StartRevisionLetters(Start, RevisionLetters):
    action = "run"


class ChargeLetters(StackPage):
    """The statements of a charge settlement."""

    kind = "charge_letters"

    @cached_property
    def run(self):
        return get_object_or_404(ChargeRun, pk=self.kwargs["pk"])

    def get_stack(self):
        return yearly_letters.charge_stack(self.run)

    def to_make(self):
        return max(0, self.run.settlements.count() - self.letters.papers().count())

    def begin(self, **how):
        return yearly_letters.begin(self.kind, self.run, **how)

    def breadcrumb(self):
        return [{"label": f"{self.run.year}", "url": self.back_url()}, {"label": self.title}]

    def back_url(self):
        return reverse("charge-run", args=[self.run.pk])


class StartChargeLetters(Start, ChargeLetters):
    action = "run"


class OwnerPapers(StackPage):
    """The management statements of a month, of every owner."""

    resource, making = "owner_account", "change"

    @cached_property
    def month(self):
        asked = self.request.POST.get("month") or self.request.GET.get("month")
        return asked_month(asked, last_month_made() or month_to_make(today()))

    def get_stack(self):
        return owner_papers.owner_stack(self.month, on=today())

    def jobs(self):
        return Job.objects.filter(kind="owner_papers", parameters__month=f"{self.month:%Y-%m}")

    def to_make(self):
        return owner_papers.to_make(self.month).count()

    def rows_url(self):
        return f"{reverse('owner-statements')}?month={self.month:%Y-%m}"

    def begin(self, **how):
        return owner_papers.begin(self.month, **how)

    def get_context_data(self, **kwargs):
        return super().get_context_data(month=self.month, of_owners=True, **kwargs)

    def breadcrumb(self):
        return [{"label": _("Owners' accounts"), "url": self.rows_url()}, {"label": self.title}]

    def back_url(self):
        return self.rows_url()


class StartOwnerPapers(Start, OwnerPapers):
    action = "change"


# ---- one letter ------------------------------------------------------------------------------


class FinalLetter(ActionPage):
    """The letter of a final account, looked at before it is archived."""

    resource, action = "document", "run"
    title = _("Letter of the final account")
    form_class = forms.Form
    submit_label = _("See it")
    confirm_label = _("Archive it")
    done_text = _("The document is archived.")

    @cached_property
    def final(self):
        return get_object_or_404(FinalAccount.objects.select_related("lease"), pk=self.kwargs["pk"])

    @property
    def intro(self):
        if yearly_letters.letter_of(self.final):
            return _t("This letter is made already: you find it among the lease's documents.")
        return _t("Look at the letter, then archive it. You can then e-mail or print it.")

    @property
    def cancel_url(self):
        return reverse("lease-departure", args=[self.final.lease_id])

    def get_success_url(self):
        return reverse("lease-documents", args=[self.final.lease_id])

    def preview(self, form):
        draft = yearly_letters.final_draft(self.final)
        return Preview(
            template="leases/_paper_pages.html", context={"pages": pictures(draft.kind, draft.data)}
        )

    def act(self, form):
        return yearly_letters.final_letter(self.final, by=self.request.user, now=timezone.now())

    def breadcrumb(self):
        return [
            {"label": self.final.lease.reference, "url": reverse("lease", args=[self.final.lease_id])},
            {"label": _("Departure"), "url": self.cancel_url},
            {"label": self.title},
        ]


class OwnerPaper(OwnerPart, ActionPage):
    """The statement of an owner's month, looked at before it is archived."""

    action = "change"
    form_class = forms.Form
    submit_label = _("See it")
    confirm_label = _("Archive it")
    done_text = _("The document is archived.")

    @cached_property
    def month(self):
        return asked_month(self.request.GET.get("month"), last_month_made() or month_to_make(today()))

    @property
    def title(self):
        return _t("Statement of %(month)s as PDF") % {"month": month_text(self.month)}

    @property
    def cancel_url(self):
        return f"{reverse('owner-account', args=[self.owner.pk])}?month={self.month:%Y-%m}"

    def get_success_url(self):
        return self.cancel_url

    def draft(self):
        return owner_papers.statement_draft(self.owner, self.month, on=today())

    def preview(self, form):
        draft = self.draft()
        return Preview(
            template="leases/_paper_pages.html", context={"pages": pictures(draft.kind, draft.data)}
        )

    def act(self, form):
        return owner_papers.archive(self.draft(), by=self.request.user, now=timezone.now())


class OwnerIncomePaper(OwnerPaper):
    """The year of an owner for its tax return, looked at before it is archived."""

    @property
    def year(self):
        return self.kwargs["year"]

    @property
    def title(self):
        return _t("Property income of %(year)s as PDF") % {"year": self.year}

    @property
    def cancel_url(self):
        return f"{reverse('owner-year', args=[self.owner.pk])}?year={self.year}"

    def draft(self):
        if not 1990 <= self.year <= today().year:
            raise Http404
        return owner_papers.income_draft(self.owner, self.year, on=today())


class OwnerDocument(Guarded, View):
    """A paper of an owner as archived, shown by the browser's own reader or taken away."""

    resource = "owner_account"
    http_method_names = ["get", "head", "options"]

    def get(self, request, pk):
        document = get_object_or_404(Document.objects.defer(None), pk=pk, subject=owner_papers.OWNER)
        return file_response(request, document)
