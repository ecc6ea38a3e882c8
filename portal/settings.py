"""Django's settings, from the environment (docs/reference/settings.md)."""

from __future__ import annotations

import os
import secrets
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF
from sqlalchemy import make_url

from harmonia.errors import HarmoniaError, convert_storage_errors
from pipelines.resources.workplace import Workplace

BASE = Path(__file__).parent
WORKPLACE = Workplace.from_environment()
FOLDER = WORKPLACE.home.root / "portal"
"""The folder for the portal's own data: accounts, sessions, uploads that were not submitted yet. Only the running user can read it."""


def _create_private_folder(folder: Path) -> Path:
    with convert_storage_errors(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _read_or_create_secret_key() -> str:
    path = _create_private_folder(FOLDER) / "secret.key"
    with convert_storage_errors(path):
        if not path.exists():
            descriptor, fresh = tempfile.mkstemp(dir=FOLDER)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(50))
            Path(fresh).replace(path)
        return path.read_text("ascii")


def _database_settings() -> dict[str, Any]:
    named = os.environ.get("HARMONIA_PORTAL_URL")
    if not named:
        path = FOLDER / "portal.sqlite3"
        with convert_storage_errors(path):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        options = {
            "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL",
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
        }
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": path, "OPTIONS": options}
    url = make_url(named)
    if url.get_backend_name() != "postgresql":
        raise HarmoniaError("the portal's URL is invalid: use postgresql://user@host/database in HARMONIA_PORTAL_URL")
    options = dict(url.query)  # options of libpq, such as sslmode or the folder of a socket: ...?host=/run/postgresql
    server = {"HOST": url.host or options.pop("host", None), "PORT": url.port or options.pop("port", None)}
    account = {"NAME": url.database, "USER": url.username, "PASSWORD": url.password}
    lasting = {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}  # notices if the server was restarted
    return {
        "ENGINE": "django.db.backends.postgresql",
        "OPTIONS": {"connect_timeout": 10, **options},
        **lasting,
        **{key: value or "" for key, value in {**account, **server}.items()},
    }


DEBUG = False
DEMO = os.environ.get("HARMONIA_DEMO") == "1"
ORIGIN = os.environ.get("HARMONIA_PORTAL_ORIGIN", "").rstrip("/")
"""The address of the portal behind a proxy, such as https://portal.example.org; empty if the portal is used on this machine only."""
SIGN_ON_ISSUER = os.environ.get("HARMONIA_PORTAL_OIDC_ISSUER", "")
SIGN_ON_CLIENT = os.environ.get("HARMONIA_PORTAL_OIDC_CLIENT", "")
SIGN_ON_KEYS = os.environ.get("HARMONIA_PORTAL_OIDC_KEYS", "")
if SIGN_ON_ISSUER and not (SIGN_ON_CLIENT and SIGN_ON_KEYS):
    raise HarmoniaError("HARMONIA_PORTAL_OIDC_ISSUER needs HARMONIA_PORTAL_OIDC_CLIENT and HARMONIA_PORTAL_OIDC_KEYS too: set them")
UPLOAD_BYTES = int(os.environ.get("HARMONIA_PORTAL_UPLOAD_MIB", "512")) << 20
DAGSTER_PAGES = os.environ.get("HARMONIA_DAGSTER_PAGES", "http://127.0.0.1:3000").rstrip("/")

SECRET_KEY = _read_or_create_secret_key()
DATABASES = {"default": _database_settings()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "portal.routes"
ALLOWED_HOSTS = ["127.0.0.1", "localhost", *([ORIGIN.partition("://")[2].partition(":")[0]] if ORIGIN else [])]
APPEND_SLASH = False

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.staticfiles",
    "axes",
    "csp",
    "portal.accounts",
    "portal.institution",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "portal.home.NoStoreMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "portal.home.LanguageMiddleware",
    "portal.accounts.sign_on.SignOn",
    "portal.home.OneLineProblemMiddleware",
    "portal.permissions.DeclaredRoutesOnly",
    "axes.middleware.AxesMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "DIRS": [BASE / "templates"],
        "OPTIONS": {"environment": "portal.templating.environment", "context_processors": ["portal.templating.context"]},
    }
]
FORM_RENDERER = "portal.templating.Renderer"

AUTH_USER_MODEL = "accounts.Account"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    *(["portal.accounts.sign_on.SignOnBackend"] if SIGN_ON_ISSUER else []),
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
PASSWORD_RESET_TIMEOUT = int(timedelta(days=3).total_seconds())  # how long an invitation is valid
AXES_USERNAME_FORM_FIELD = "username"  # name in the credentials, whatever the model calls the field
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_CALLABLE = "portal.accounts.views.locked_out"
AXES_DISABLE_ACCESS_LOG = True  # the audit log has every sign-in
AXES_VERBOSE = False
LOGIN_URL = "/sign-in"

SESSION_ENGINE = "portal.accounts.sessions"
SESSION_COOKIE_AGE = int(timedelta(hours=8).total_seconds())
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Strict"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "harmonia_session", "harmonia_csrf"
CSRF_FAILURE_VIEW = "portal.home.stale"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if ORIGIN.startswith("https://"):
    CSRF_TRUSTED_ORIGINS = [ORIGIN]
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_HSTS_SECONDS = int(timedelta(days=365).total_seconds())

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

USE_TZ = True
TIME_ZONE = "Europe/Belgrade"
LANGUAGE_CODE = "sq"
LANGUAGES = [("sq", "Shqip"), ("sr-latn", "Srpski"), ("en", "English")]
LANGUAGE_COOKIE_NAME, LANGUAGE_COOKIE_SAMESITE, LANGUAGE_COOKIE_HTTPONLY = "harmonia_language", "Strict", True

FILE_UPLOAD_TEMP_DIR = str(_create_private_folder(FOLDER / "received"))
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.TemporaryFileUploadHandler"]
FILE_UPLOAD_PERMISSIONS = 0o600
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5_000
DATA_UPLOAD_MAX_NUMBER_FILES = 100

_MAIL = make_url(os.environ["HARMONIA_PORTAL_SMTP"]) if os.environ.get("HARMONIA_PORTAL_SMTP") else None
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if _MAIL else 'dummy'}.EmailBackend"
if _MAIL:
    if _MAIL.drivername not in ("smtp", "smtps"):
        raise HarmoniaError("the mail server of the portal is invalid: use smtp://host:port or smtps://host:port in HARMONIA_PORTAL_SMTP")
    EMAIL_HOST, EMAIL_PORT = _MAIL.host or "localhost", _MAIL.port or 25
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _MAIL.username or "", _MAIL.password or ""
    EMAIL_USE_SSL = _MAIL.drivername == "smtps"
    EMAIL_USE_TLS = bool(_MAIL.username) and not EMAIL_USE_SSL  # no password is sent unencrypted
    EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = os.environ.get("HARMONIA_PORTAL_FROM", "harmonia@localhost")

LOGGING: dict[str, Any] = {  # nothing, since paths and values must not be logged: `portal.home` records failures
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"none": {"class": "logging.NullHandler"}},
    "root": {"handlers": ["none"]},
    "loggers": {name: {"handlers": ["none"], "propagate": False} for name in ("django", "django.request", "axes", "waitress")},
}
