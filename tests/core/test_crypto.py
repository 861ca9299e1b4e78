"""Encrypted text: only its keys open it, keys can be changed, ciphertext is never shown as text."""

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import FieldError, ImproperlyConfigured
from django.db import connection, models

from core.crypto import EncryptedTextField, Undecipherable, decrypt, encrypt, reencrypt, rotate

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
NOTE = "Madame a peur de l'hiver : chaudière en panne depuis mardi."


class Note(models.Model):
    """A table of this test alone."""

    text = EncryptedTextField(null=True)

    class Meta:
        app_label = "core"
        managed = False
        db_table = "test_note"


@pytest.fixture
def notes(db, settings):
    settings.GLA_ENCRYPTION_KEYS = [OLD]
    with connection.cursor() as cursor:
        number = "integer" if connection.vendor == "sqlite" else "serial"
        cursor.execute(f"CREATE TEMPORARY TABLE test_note (id {number} PRIMARY KEY, text text)")
    yield Note.objects
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE test_note")


def raw():
    with connection.cursor() as cursor:
        cursor.execute("SELECT text FROM test_note")
        return [text for (text,) in cursor.fetchall()]


def test_the_database_holds_no_clear_text(notes):
    notes.create(text=NOTE)

    assert "hiver" not in raw()[0]
    assert notes.get().text == NOTE


def test_the_same_text_is_never_written_twice_the_same(notes):
    notes.create(text=NOTE)
    notes.create(text=NOTE)

    assert len(set(raw())) == 2


def test_nothing_stays_nothing(notes):
    notes.create(text=None)

    assert raw() == [None]
    assert notes.filter(text__isnull=True).get().text is None


def test_an_encrypted_text_cannot_be_searched(notes):
    with pytest.raises(FieldError, match="encrypted"):
        notes.filter(text__contains="hiver").exists()
    with pytest.raises(FieldError, match="encrypted"):
        notes.filter(text=NOTE).exists()


def test_a_new_key_writes_and_the_old_one_still_reads(notes, settings):
    notes.create(text=NOTE)

    settings.GLA_ENCRYPTION_KEYS = [NEW, OLD]
    assert notes.get().text == NOTE
    assert reencrypt(Note, "text") == 1

    settings.GLA_ENCRYPTION_KEYS = [NEW]
    assert notes.get().text == NOTE


def test_rotation_takes_every_batch_once(notes, settings):
    for number in range(7):
        notes.create(text=f"note {number}")

    settings.GLA_ENCRYPTION_KEYS = [NEW, OLD]
    assert reencrypt(Note, "text", batch=3) == 7


def test_a_lost_key_is_an_error_and_never_ciphertext(notes, settings):
    notes.create(text=NOTE)
    settings.GLA_ENCRYPTION_KEYS = [NEW]

    with pytest.raises(Undecipherable):
        notes.get()


def test_clear_text_put_in_the_table_by_hand_is_an_error(notes):
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO test_note (text) VALUES ('en clair')")

    with pytest.raises(Undecipherable):
        notes.get()


def test_a_secret_is_rotated_by_itself(settings):
    settings.GLA_ENCRYPTION_KEYS = [OLD]
    sealed = encrypt("JBSWY3DPEHPK3PXP")
    settings.GLA_ENCRYPTION_KEYS = [NEW, OLD]
    sealed = rotate(sealed)
    settings.GLA_ENCRYPTION_KEYS = [NEW]

    assert decrypt(sealed) == "JBSWY3DPEHPK3PXP"


def test_without_a_key_nothing_is_written(settings):
    settings.GLA_ENCRYPTION_KEYS = []

    with pytest.raises(ImproperlyConfigured, match="GLA_ENCRYPTION_KEYS"):
        encrypt(NOTE)
