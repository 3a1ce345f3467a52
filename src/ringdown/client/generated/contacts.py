"""Contacts. Generated from the OpenAPI document by `make generate`; not edited by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, Unpack

import httpx2

from ringdown.client.generated import schemas as s
from ringdown.client.pages import Page
from ringdown.client.resource import AsyncResource, Resource
from ringdown.client.transport import File, Operation, quote


class Contacts(Resource):
    """Contacts of the API."""

    def list_folders(self, **query: Unpack[s.ListFoldersQuery]) -> Page[s.FolderObject]:
        """List folders."""
        return self._transport.request_page(Operation(method="GET", path="/contacts/folders", query={**query}))

    def iterate_folders(self, **query: Unpack[s.ListFoldersQuery]) -> Iterator[s.FolderObject]:
        """List folders: all pages."""
        return self._iterate(Operation(method="GET", path="/contacts/folders", query={**query}))

    def create_folder(self, *, idempotency_key: str | None = None, **body: Unpack[s.CreateFolder]) -> s.FolderObject:
        """Create a folder."""
        answer: s.FolderObject = self._transport.request_data(
            Operation(method="POST", path="/contacts/folders", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    def get_folder(self, folder_id: str) -> s.FolderObject:
        """Get a folder."""
        answer: s.FolderObject = self._transport.request_data(
            Operation(method="GET", path=f"/contacts/folders/{quote(folder_id)}")
        )
        return answer

    def update_folder(self, folder_id: str, **body: Unpack[s.UpdateFolder]) -> s.FolderObject:
        """Update a folder."""
        answer: s.FolderObject = self._transport.request_data(
            Operation(method="PATCH", path=f"/contacts/folders/{quote(folder_id)}", body={**body})
        )
        return answer

    def delete_folder(self, folder_id: str) -> dict[str, Any]:
        """Delete a folder."""
        answer: dict[str, Any] = self._transport.request_data(
            Operation(method="DELETE", path=f"/contacts/folders/{quote(folder_id)}")
        )
        return answer

    def list_dnc_entries(self, **query: Unpack[s.ListDncEntriesQuery]) -> Page[s.DncEntryObject]:
        """List the do-not-call list."""
        return self._transport.request_page(Operation(method="GET", path="/contacts/dnc", query={**query}))

    def iterate_dnc_entries(self, **query: Unpack[s.ListDncEntriesQuery]) -> Iterator[s.DncEntryObject]:
        """List the do-not-call list: all pages."""
        return self._iterate(Operation(method="GET", path="/contacts/dnc", query={**query}))

    def add_dnc_entries(
        self, *, idempotency_key: str | None = None, **body: Unpack[s.AddDncEntries]
    ) -> s.DncAddedObject:
        """Add to the do-not-call list."""
        answer: s.DncAddedObject = self._transport.request_data(
            Operation(method="POST", path="/contacts/dnc", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    def check_dnc_numbers(
        self, *, idempotency_key: str | None = None, **body: Unpack[s.CheckDncNumbers]
    ) -> s.DncCheckObject:
        """Check numbers."""
        answer: s.DncCheckObject = self._transport.request_data(
            Operation(method="POST", path="/contacts/dnc/check", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    def import_dnc_entries(
        self, *, file: File, country: str | None = None, idempotency_key: str | None = None
    ) -> s.DncImportObject:
        """Import into the do-not-call list."""
        answer: s.DncImportObject = self._transport.request_data(
            Operation(
                method="POST",
                path="/contacts/dnc/import",
                files={"file": file},
                form={name: value for name, value in {"country": country}.items() if value is not None},
                idempotency_key=idempotency_key,
            )
        )
        return answer

    def get_dnc_entry(self, phone_number: str) -> s.DncEntryObject:
        """Look a number up."""
        answer: s.DncEntryObject = self._transport.request_data(
            Operation(method="GET", path=f"/contacts/dnc/{quote(phone_number)}")
        )
        return answer

    def update_dnc_entry(self, phone_number: str, **body: Unpack[s.UpdateDncEntry]) -> s.DncEntryObject:
        """Update a do-not-call entry."""
        answer: s.DncEntryObject = self._transport.request_data(
            Operation(method="PATCH", path=f"/contacts/dnc/{quote(phone_number)}", body={**body})
        )
        return answer

    def delete_dnc_entry(self, phone_number: str) -> dict[str, Any]:
        """Remove from the do-not-call list."""
        answer: dict[str, Any] = self._transport.request_data(
            Operation(method="DELETE", path=f"/contacts/dnc/{quote(phone_number)}")
        )
        return answer

    def import_contacts(
        self,
        *,
        file: File,
        folder_id: str | None = None,
        overwrite_existing: bool | None = None,
        country: str | None = None,
        idempotency_key: str | None = None,
    ) -> s.ImportObject:
        """Import contacts."""
        answer: s.ImportObject = self._transport.request_data(
            Operation(
                method="POST",
                path="/contacts/import",
                files={"file": file},
                form={
                    name: value
                    for name, value in {
                        "folder_id": folder_id,
                        "overwrite_existing": overwrite_existing,
                        "country": country,
                    }.items()
                    if value is not None
                },
                idempotency_key=idempotency_key,
            )
        )
        return answer

    def export(self, **query: Unpack[s.ExportContactsQuery]) -> AbstractContextManager[httpx2.Response]:
        """Export contacts."""
        return self._transport.stream(
            Operation(method="GET", path="/contacts/export", media_types=("text/csv",), query={**query})
        )

    def list(self, **query: Unpack[s.ListContactsQuery]) -> Page[s.ContactObject]:
        """List contacts."""
        return self._transport.request_page(Operation(method="GET", path="/contacts", query={**query}))

    def iterate(self, **query: Unpack[s.ListContactsQuery]) -> Iterator[s.ContactObject]:
        """List contacts: all pages."""
        return self._iterate(Operation(method="GET", path="/contacts", query={**query}))

    def create(self, *, idempotency_key: str | None = None, **body: Unpack[s.CreateContact]) -> s.ContactObject:
        """Create a contact."""
        answer: s.ContactObject = self._transport.request_data(
            Operation(method="POST", path="/contacts", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    def bulk_delete(
        self, *, idempotency_key: str | None = None, **body: Unpack[s.BulkDeleteContacts]
    ) -> s.DeletedContactsObject:
        """Delete contacts."""
        answer: s.DeletedContactsObject = self._transport.request_data(
            Operation(method="POST", path="/contacts/bulk-delete", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    def get(self, contact_id: str) -> s.ContactObject:
        """Get a contact."""
        answer: s.ContactObject = self._transport.request_data(
            Operation(method="GET", path=f"/contacts/{quote(contact_id)}")
        )
        return answer

    def update(self, contact_id: str, **body: Unpack[s.UpdateContact]) -> s.ContactObject:
        """Update a contact."""
        answer: s.ContactObject = self._transport.request_data(
            Operation(method="PATCH", path=f"/contacts/{quote(contact_id)}", body={**body})
        )
        return answer

    def delete(self, contact_id: str) -> dict[str, Any]:
        """Delete a contact."""
        answer: dict[str, Any] = self._transport.request_data(
            Operation(method="DELETE", path=f"/contacts/{quote(contact_id)}")
        )
        return answer


class AsyncContacts(AsyncResource):
    """Contacts of the API, for asyncio."""

    async def list_folders(self, **query: Unpack[s.ListFoldersQuery]) -> Page[s.FolderObject]:
        """List folders."""
        return await self._transport.request_page(Operation(method="GET", path="/contacts/folders", query={**query}))

    def iterate_folders(self, **query: Unpack[s.ListFoldersQuery]) -> AsyncIterator[s.FolderObject]:
        """List folders: all pages."""
        return self._iterate(Operation(method="GET", path="/contacts/folders", query={**query}))

    async def create_folder(
        self, *, idempotency_key: str | None = None, **body: Unpack[s.CreateFolder]
    ) -> s.FolderObject:
        """Create a folder."""
        answer: s.FolderObject = await self._transport.request_data(
            Operation(method="POST", path="/contacts/folders", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    async def get_folder(self, folder_id: str) -> s.FolderObject:
        """Get a folder."""
        answer: s.FolderObject = await self._transport.request_data(
            Operation(method="GET", path=f"/contacts/folders/{quote(folder_id)}")
        )
        return answer

    async def update_folder(self, folder_id: str, **body: Unpack[s.UpdateFolder]) -> s.FolderObject:
        """Update a folder."""
        answer: s.FolderObject = await self._transport.request_data(
            Operation(method="PATCH", path=f"/contacts/folders/{quote(folder_id)}", body={**body})
        )
        return answer

    async def delete_folder(self, folder_id: str) -> dict[str, Any]:
        """Delete a folder."""
        answer: dict[str, Any] = await self._transport.request_data(
            Operation(method="DELETE", path=f"/contacts/folders/{quote(folder_id)}")
        )
        return answer

    async def list_dnc_entries(self, **query: Unpack[s.ListDncEntriesQuery]) -> Page[s.DncEntryObject]:
        """List the do-not-call list."""
        return await self._transport.request_page(Operation(method="GET", path="/contacts/dnc", query={**query}))

    def iterate_dnc_entries(self, **query: Unpack[s.ListDncEntriesQuery]) -> AsyncIterator[s.DncEntryObject]:
        """List the do-not-call list: all pages."""
        return self._iterate(Operation(method="GET", path="/contacts/dnc", query={**query}))

    async def add_dnc_entries(
        self, *, idempotency_key: str | None = None, **body: Unpack[s.AddDncEntries]
    ) -> s.DncAddedObject:
        """Add to the do-not-call list."""
        answer: s.DncAddedObject = await self._transport.request_data(
            Operation(method="POST", path="/contacts/dnc", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    async def check_dnc_numbers(
        self, *, idempotency_key: str | None = None, **body: Unpack[s.CheckDncNumbers]
    ) -> s.DncCheckObject:
        """Check numbers."""
        answer: s.DncCheckObject = await self._transport.request_data(
            Operation(method="POST", path="/contacts/dnc/check", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    async def import_dnc_entries(
        self, *, file: File, country: str | None = None, idempotency_key: str | None = None
    ) -> s.DncImportObject:
        """Import into the do-not-call list."""
        answer: s.DncImportObject = await self._transport.request_data(
            Operation(
                method="POST",
                path="/contacts/dnc/import",
                files={"file": file},
                form={name: value for name, value in {"country": country}.items() if value is not None},
                idempotency_key=idempotency_key,
            )
        )
        return answer

    async def get_dnc_entry(self, phone_number: str) -> s.DncEntryObject:
        """Look a number up."""
        answer: s.DncEntryObject = await self._transport.request_data(
            Operation(method="GET", path=f"/contacts/dnc/{quote(phone_number)}")
        )
        return answer

    async def update_dnc_entry(self, phone_number: str, **body: Unpack[s.UpdateDncEntry]) -> s.DncEntryObject:
        """Update a do-not-call entry."""
        answer: s.DncEntryObject = await self._transport.request_data(
            Operation(method="PATCH", path=f"/contacts/dnc/{quote(phone_number)}", body={**body})
        )
        return answer

    async def delete_dnc_entry(self, phone_number: str) -> dict[str, Any]:
        """Remove from the do-not-call list."""
        answer: dict[str, Any] = await self._transport.request_data(
            Operation(method="DELETE", path=f"/contacts/dnc/{quote(phone_number)}")
        )
        return answer

    async def import_contacts(
        self,
        *,
        file: File,
        folder_id: str | None = None,
        overwrite_existing: bool | None = None,
        country: str | None = None,
        idempotency_key: str | None = None,
    ) -> s.ImportObject:
        """Import contacts."""
        answer: s.ImportObject = await self._transport.request_data(
            Operation(
                method="POST",
                path="/contacts/import",
                files={"file": file},
                form={
                    name: value
                    for name, value in {
                        "folder_id": folder_id,
                        "overwrite_existing": overwrite_existing,
                        "country": country,
                    }.items()
                    if value is not None
                },
                idempotency_key=idempotency_key,
            )
        )
        return answer

    def export(self, **query: Unpack[s.ExportContactsQuery]) -> AbstractAsyncContextManager[httpx2.Response]:
        """Export contacts."""
        return self._transport.stream(
            Operation(method="GET", path="/contacts/export", media_types=("text/csv",), query={**query})
        )

    async def list(self, **query: Unpack[s.ListContactsQuery]) -> Page[s.ContactObject]:
        """List contacts."""
        return await self._transport.request_page(Operation(method="GET", path="/contacts", query={**query}))

    def iterate(self, **query: Unpack[s.ListContactsQuery]) -> AsyncIterator[s.ContactObject]:
        """List contacts: all pages."""
        return self._iterate(Operation(method="GET", path="/contacts", query={**query}))

    async def create(self, *, idempotency_key: str | None = None, **body: Unpack[s.CreateContact]) -> s.ContactObject:
        """Create a contact."""
        answer: s.ContactObject = await self._transport.request_data(
            Operation(method="POST", path="/contacts", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    async def bulk_delete(
        self, *, idempotency_key: str | None = None, **body: Unpack[s.BulkDeleteContacts]
    ) -> s.DeletedContactsObject:
        """Delete contacts."""
        answer: s.DeletedContactsObject = await self._transport.request_data(
            Operation(method="POST", path="/contacts/bulk-delete", idempotency_key=idempotency_key, body={**body})
        )
        return answer

    async def get(self, contact_id: str) -> s.ContactObject:
        """Get a contact."""
        answer: s.ContactObject = await self._transport.request_data(
            Operation(method="GET", path=f"/contacts/{quote(contact_id)}")
        )
        return answer

    async def update(self, contact_id: str, **body: Unpack[s.UpdateContact]) -> s.ContactObject:
        """Update a contact."""
        answer: s.ContactObject = await self._transport.request_data(
            Operation(method="PATCH", path=f"/contacts/{quote(contact_id)}", body={**body})
        )
        return answer

    async def delete(self, contact_id: str) -> dict[str, Any]:
        """Delete a contact."""
        answer: dict[str, Any] = await self._transport.request_data(
            Operation(method="DELETE", path=f"/contacts/{quote(contact_id)}")
        )
        return answer
