"""The system user whom an account is on the command line."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """The column."""

    dependencies = [("accounts", "0001_the_accounts")]
    operations = [
        migrations.AddField("account", "system_user", models.CharField(max_length=64, unique=True, null=True, blank=True)),
    ]
