"""Contacts, folders and the do-not-call list as answers show them: column B's names, and column A's beside them."""

from typing import Any

from ringdown import values
from ringdown.contacts.models import Contact, DncEntry, Folder


def render_contact(contact: Contact) -> dict[str, Any]:
    """A `ContactObject`."""
    return {
        "id": contact.id,
        "name": contact.name,
        "phone": contact.phone_number,
        "phone_number": contact.phone_number,
        "first_name": contact.first_name,
        "last_name": contact.last_name,
        "email": contact.email,
        "folder_id": contact.folder_id,
        "company_name": contact.company_name,
        "industry": contact.industry,
        "location": contact.location,
        "pin_code": contact.pin_code,
        "keywords": contact.keywords,
        "custom_fields": contact.custom_fields,
        "metadata": contact.custom_fields,
        "timezone": contact.timezone,
        "last_call_outcome": contact.last_call_outcome,
        "call_count": contact.call_count,
        "last_called_at": values.to_wire_time(contact.last_called_at),
        "created_at": values.to_wire_time(contact.created_at),
        "updated_at": values.to_wire_time(contact.updated_at),
    }


def render_folder(folder: Folder) -> dict[str, Any]:
    """A `FolderObject`."""
    return {
        "id": folder.id,
        "name": folder.name,
        "description": folder.description,
        "contact_count": folder.contact_count,
        "is_default": folder.is_default,
        "created_at": values.to_wire_time(folder.created_at),
        "updated_at": values.to_wire_time(folder.updated_at),
    }


def render_entry(entry: DncEntry) -> dict[str, Any]:
    """A `DncEntryObject`."""
    return {
        "id": entry.phone_number,
        "phone_number": entry.phone_number,
        "reason": entry.reason,
        "source": entry.source,
        "call_id": entry.call_id,
        "created_at": values.to_wire_time(entry.created_at),
    }
