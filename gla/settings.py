"""Settings: one file, driven by the environment (docs/administration.md lists the variables)."""

import os
import warnings
from datetime import timedelta
from pathlib import Path

import dj_database_url
from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

ROOT = Path(__file__).resolve().parent.parent


def env_flag(name: str, default: bool = False) -> bool:
    return os.environ.get(name, str(int(default))).strip().lower() in {"1", "true", "yes", "on"}


def env_list(name: str, default: str = "") -> list[str]:
    return [part.strip() for part in os.environ.get(name, default).split(",") if part.strip()]


# A demonstration is recognised by its own database; elsewhere a secret is demanded.
GLA_DEMO = env_flag("GLA_DEMO", default="SECRET_KEY" not in os.environ)
DEBUG = env_flag("DEBUG")
SECRET_KEY = os.environ.get("SECRET_KEY") or "demonstration-only-never-in-production"
ALLOWED_HOSTS = env_list("ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]")
CSRF_TRUSTED_ORIGINS = env_list("CSRF_TRUSTED_ORIGINS")
# Fernet keys, newest first; the first writes, all read.
GLA_ENCRYPTION_KEYS = env_list(
    "GLA_ENCRYPTION_KEYS", "ZGVtb25zdHJhdGlvbi1vbmx5LW5ldmVyLWluLXByb2Q=" if GLA_DEMO else ""
)

INSTALLED_APPS = [
    "gla",
    "core",
    "portfolio",
    "leases",
    "followup",
    "arrears",
    "energy",
    "api",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "template_partials",
    "django_filters",
    "djmoney",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "axes",
    "csp",
    "django_tasks",
    "django_tasks_db",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "core.accounts.SecondFactorMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "gla.urls"
WSGI_APPLICATION = "gla.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "gla" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["template_partials.templatetags.partials"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "gla.frames.navigation",
            ],
        },
    }
]

DATABASES = {
    "default": dj_database_url.parse(
        os.environ.get("DATABASE_URL") or f"sqlite:///{ROOT / 'gla.sqlite3'}",
        conn_max_age=60,
        conn_health_checks=True,
    )
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
            "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-32768; PRAGMA wal_autocheckpoint=16000;"
        ),
    }
else:
    # Pages are read from memory or an SSD, so an index is worth its price; compiling a query is not.
    DATABASES["default"].setdefault("OPTIONS", {}).setdefault("options", "-c random_page_cost=1.1 -c jit=off")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "core.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_ADAPTER = "core.accounts.ClosedAccounts"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_PREVENT_ENUMERATION = True
MFA_ADAPTER = "core.accounts.SealedFactors"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_TOTP_ISSUER = "GLA"
AXES_USERNAME_FORM_FIELD = "login"
AXES_USERNAME_CALLABLE = "core.accounts.lockout_name"  # allauth names the account by other keys
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_TEMPLATE = "account/locked.html"
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

LANGUAGE_CODE = "fr"
LANGUAGES = [("fr", _("French")), ("en", _("English"))]
LOCALE_PATHS = [ROOT / "gla" / "locale"]
TIME_ZONE = "Europe/Paris"
GLA_TODAY = os.environ.get("GLA_TODAY", "")
# Leases called in one transaction; on SQLite nobody else writes meanwhile.
GLA_RUN_PART = min(5_000, int(os.environ.get("GLA_RUN_PART", 5_000)))
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = ROOT / "static_collected"
WHITENOISE_USE_FINDERS = True
# Files are found where they stand until collectstatic gathers them: no news to anybody.
warnings.filterwarnings("ignore", message="No directory at", category=UserWarning)
WHITENOISE_AUTOREFRESH = DEBUG
MEDIA_ROOT = Path(os.environ.get("GLA_FILES", ROOT / "files"))

# The demonstration writes its e-mails to files: nobody gets one by accident.
EMAIL_BACKEND = f"django.core.mail.backends.{'filebased' if GLA_DEMO else 'smtp'}.EmailBackend"
EMAIL_FILE_PATH = MEDIA_ROOT / "mail"
EMAIL_HOST = os.environ.get("EMAIL_HOST", "localhost")
EMAIL_PORT = int(os.environ.get("EMAIL_PORT", 25))
EMAIL_HOST_USER = os.environ.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = env_flag("EMAIL_USE_TLS")
EMAIL_TIMEOUT = 30
DEFAULT_FROM_EMAIL = os.environ.get("EMAIL_FROM", "gla@localhost")

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env_flag("GLA_HTTPS", default=not GLA_DEMO)
SECURE_SSL_REDIRECT = env_flag("GLA_HTTPS_REDIRECT")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env_flag("GLA_BEHIND_PROXY") else None
SESSION_COOKIE_AGE = 10 * 3600
X_FRAME_OPTIONS = "DENY"
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache"
        if env_flag("GLA_SHARED_CACHE")
        else "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": "gla_cache",
    }
}

TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
# True: `manage.py work` processes run the jobs; False: a thread of this process does.
GLA_WORKERS = env_flag("GLA_WORKERS", default=DATABASES["default"]["ENGINE"].endswith("postgresql"))

CURRENCIES = ("EUR",)
DEFAULT_CURRENCY = "EUR"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "api.auth.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["api.auth.AccessPermission"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "EXCEPTION_HANDLER": "api.problems.handle",
    "COERCE_DECIMAL_TO_STRING": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "GLA",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    # Three hundred operations drawn at once take a minute: a subject opens when it is asked for.
    "SWAGGER_UI_SETTINGS": {
        "deepLinking": True,
        "docExpansion": "none",
        "defaultModelsExpandDepth": -1,
        "filter": True,
    },
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    # A field that a role does not see is left out, so none is promised.
    "COMPONENT_NO_READ_ONLY_REQUIRED": True,
    "ENUM_NAME_OVERRIDES": {
        "ContractEnum": "api.schema.contracts",
        "OwnerKindEnum": "portfolio.owners.Owner.Kind",
        "MandateEndReasonEnum": "leases.collecting.mandates.Mandate.EndReason",
        "LeaseEndReasonEnum": "leases.lease.Lease.EndReason",
        "SurveyKindEnum": "leases.tenancy.inspections.Inspection.Kind",
        "BenefitKindEnum": "leases.benefits.Benefit.Kind",
        "BenefitPayerEnum": "leases.benefits.Benefit.Payer",
        "GrantKindEnum": "leases.accounts.grants.Grant.Kind",
        "DeskMeansEnum": "leases.collecting.desk.DeskReceipt.MeansOfPayment",
        "DeskPayerEnum": "leases.collecting.desk.DeskReceipt.Payer",
        "ContactMeansEnum": "arrears.signals.Contact.Means",
        "RepairChannelEnum": "leases.upkeep.repairs.Repair.Channel",
        "RepairCategoryEnum": "api.schema.repair_categories",
        "RepairPayerEnum": "api.schema.repair_payers",
        "ObligationKindEnum": "api.schema.obligations",
        "ExpenseCategoryEnum": "api.schema.expense_categories",
        "ApplicationClosedEnum": "leases.tenancy.applications.Application.Closed",
        "TransferVersionEnum": "api.schema.transfer_versions",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "api.schema.with_problems",
    ],
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": os.environ.get("LOG_LEVEL", "WARNING")},
}
