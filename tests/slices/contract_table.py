"""The contract as a table: for each operation a request that succeeds, and what there is to know about refusals."""

from tests.slices.contract_entry import MB, Entry
from tests.slices.contract_things import PERSON

_LIVE = {"call_id": "$live_call"}
_LATER = "2040-01-02T09:00:00Z"
_SAMPLE = {"filename": "me.wav", "data": "UklGRiBzb3VuZA==", "content_type": "audio/wav"}
_FILE = {"filename": "hours.txt", "content_type": "text/plain", "data": "V2Ugb3BlbiBhdCBuaW5lLg=="}
_CSV = ("people.csv", f"phone,name\n{PERSON},Ana Lopez\n".encode(), "text/csv")
_DOCUMENT_BYTES = 72 * MB
_FILE_BYTES = 50 * MB + 64 * 1024
# Whether a flow can run is looked at when all of its fields are well-formed.
_FLOW = frozenset({"flow.outcome"})
_CALL_FILTERS = {
    "agent_id": "$agent",
    "batch_call_id": "$batch",
    "campaign_id": "$batch",
    "contact_id": "$contact",
    "from_number": "$agent_number",
}
_SETTINGS = {"recording_enabled": True, "greeting": "Hi {{first_name}}", "max_duration": "900s", "join_timeout": 30}
_AGENT = {
    "tools": ["$tool"],
    "knowledge_bases": ["$knowledge_base"],
    "voice_id": "$voice",
}
_EVENTS = {"events": "event_types"}
_KEY_ALIASES = {"ip_whitelist": "allow_list", "rate_limit": "requests_per_minute"}
_PAGES = ("maxPages", "max_documents", "maxDocuments", "page_limit")
_WEB_ALIASES = {
    **dict.fromkeys(("start_urls", "startUrls"), "urls"),
    **dict.fromkeys(("maxDepth", "depth"), "max_depth"),
    **dict.fromkeys(_PAGES, "max_pages"),
}
_AGENT_ALIASES = {"instructions": "system_prompt", "knowledge_base_ids": "knowledge_bases"}

CALLS: dict[str, Entry] = {
    "create_call": Entry(
        {
            "agent_id": "$agent",
            "phone_number": PERSON,
            "from_number": "$agent_number",
            "call_settings": _SETTINGS,
            "variables": {"first_name": "Ana"},
            "metadata": {"order": "A-17"},
        },
        refers={"agent_id": "$agent", "from_number": "$agent_number"},
        aliases={"to_number": "phone_number", "context": "variables"},
    ),
    "list_calls": Entry(query={"status": "ended", "limit": 100}, shows="call", overlooks=_CALL_FILTERS),
    "export_calls": Entry(
        query={"format": "ndjson"}, media_type="application/x-ndjson", shows="call", overlooks=_CALL_FILTERS
    ),
    "bulk_delete_calls": Entry({"ids": ["$call"]}, overlooks={"ids": ["$call"]}),
    "get_call": Entry(),
    "update_call": Entry(
        {"metadata": {"priority": "high"}, "variables": {"first_name": "Bo"}}, aliases={"context": "variables"}
    ),
    "delete_call": Entry(),
    "hang_up_call": Entry(path={"call_id": "$queued_call"}),
    "hold_call": Entry(path=_LIVE),
    "resume_call": Entry(path=_LIVE),
    "send_digits": Entry({"digits": "1234#"}, path=_LIVE),
    "transfer_call": Entry(
        {"phone_number": PERSON, "mode": "attended", "introduction": "Ana calls.", "timeout": "20s"},
        path=_LIVE,
        aliases={"to": "phone_number", "to_number": "phone_number"},
    ),
    "get_transcript": Entry(),
    "get_linked_transcript": Entry(),
    "list_events": Entry(),
    "get_recording": Entry(),
    "download_recording": Entry(
        query="$recording_query", media_type="audio/mpeg", is_bare=True, absent=(403, "forbidden")
    ),
    "create_browser_call": Entry(
        {"agent_id": "$agent", "call_settings": {"join_timeout": "30s"}, "variables": {"first_name": "Ana"}},
        status=200,
        is_bare=True,
        refers={"agent_id": "$agent"},
        aliases={"context": "variables"},
    ),
}

AGENTS: dict[str, Entry] = {
    "list_agents": Entry(query={"status": "active", "limit": 100}, shows="agent"),
    "create_agent": Entry(
        {"name": "$new_name", "system_prompt": "Be kind to {{first_name}}.", **_AGENT},
        refers={**_AGENT, "knowledge_base_ids": ["$knowledge_base"], "fallbacks": {"voices": ["$voice"]}},
        aliases=_AGENT_ALIASES,
        looked_at_last=_FLOW,
    ),
    "get_agent": Entry(),
    "replace_agent": Entry(
        {"temperature": 0.5, "greeting": "Hello"},
        refers=_AGENT,
        aliases=_AGENT_ALIASES,
        looked_at_last=_FLOW,
        follows=("greeting_settings",),
    ),
    "update_agent": Entry({"description": "Of the shop"}, refers=_AGENT, aliases=_AGENT_ALIASES, looked_at_last=_FLOW),
    "delete_agent": Entry(path={"agent_id": "$spare_agent"}),
    "publish_agent": Entry(path={"agent_id": "$draft_agent"}),
    "list_agent_templates": Entry(),
    "list_agent_versions": Entry(),
    "get_agent_version": Entry(),
    "restore_agent_version": Entry(),
    "create_test_call": Entry(
        {"phone_number": PERSON, "from_number": "$agent_number", "variables": {"first_name": "Ana"}},
        refers={"from_number": "$agent_number"},
        aliases={"context": "variables"},
    ),
}

BATCH_CALLS: dict[str, Entry] = {
    "list_batch_calls": Entry(query={"status": "draft", "limit": 100}, shows="batch"),
    "create_batch_call": Entry(
        {
            "name": "Recall",
            "agent_id": "$agent",
            "phone_number_ids": ["$number"],
            "contact_ids": ["$contact"],
            "contacts": [{"phone_number": PERSON, "custom_fields": {"plan": "gold"}}],
            "schedule_type": "scheduled",
            "scheduled_at": _LATER,
        },
        refers={
            "agent_id": "$agent",
            "phone_number_ids": ["$number"],
            "contact_folder_id": "$folder",
            "contact_ids": ["$contact"],
        },
        aliases={"concurrency": "max_concurrent_calls"},
    ),
    "bulk_delete_batch_calls": Entry({"ids": ["$batch"]}, overlooks={"ids": ["$batch"]}),
    "get_batch_call": Entry(),
    "replace_batch_call": Entry(
        {"name": "Recall April", "max_calls_per_day": 50},
        refers={"agent_id": "$agent", "phone_number_ids": ["$number"]},
        aliases={"concurrency": "max_concurrent_calls"},
    ),
    "update_batch_call": Entry(
        {"working_days": [6, 7]},
        refers={"agent_id": "$agent", "phone_number_ids": ["$number"]},
        aliases={"concurrency": "max_concurrent_calls"},
    ),
    "delete_batch_call": Entry(),
    "schedule_batch_call": Entry(
        {"scheduled_at": _LATER, "timezone": "America/New_York"}, path={"batch_call_id": "$filled_batch"}
    ),
    "pause_batch_call": Entry(path={"batch_call_id": "$scheduled_batch"}),
    "resume_batch_call": Entry(path={"batch_call_id": "$paused_batch"}),
    "cancel_batch_call": Entry(path={"batch_call_id": "$scheduled_batch"}),
    "retry_batch_call": Entry({"reasons": ["busy"]}, path={"batch_call_id": "$completed_batch"}),
    "add_batch_contacts": Entry(
        {"contacts": [{"phone_number": PERSON}], "contact_ids": ["$contact"], "contact_folder_id": "$folder"},
        refers={"contact_folder_id": "$folder", "contact_ids": ["$contact"]},
        needed=("contacts",),
    ),
    "list_batch_contacts": Entry(path={"batch_call_id": "$filled_batch"}),
}

CONTACTS: dict[str, Entry] = {
    "list_folders": Entry(query={"sort_by": "name", "order": "desc", "limit": 100}, shows="folder"),
    "create_folder": Entry({"name": "$new_name", "description": "Of the shop"}),
    "get_folder": Entry(),
    "replace_folder": Entry({"name": "$new_name"}),
    "update_folder": Entry({"description": "Regulars"}),
    "delete_folder": Entry(),
    "list_dnc_entries": Entry(query={"limit": 100}, shows="dnc_number"),
    "add_dnc_entries": Entry({"phone_number": "$new_number", "reason": "Asked"}, needed=("phone_number",)),
    "check_dnc_numbers": Entry({"phone_numbers": ["$dnc_number", PERSON]}),
    "import_dnc_entries": Entry(form={"file": _CSV}, max_bytes=_FILE_BYTES),
    "get_dnc_entry": Entry(),
    "update_dnc_entry": Entry({"reason": "Asked twice"}),
    "replace_dnc_entry": Entry({"reason": "Asked twice"}),
    "delete_dnc_entry": Entry(),
    "import_contacts": Entry(
        {"folder_id": "$folder", "base64_file": "cGhvbmUKKzEyMTI1NTUxMjM0Cg==", "filename": "people.csv"},
        needed=("base64_file",),
        form={"file": _CSV, "folder_id": "$folder", "overwrite_existing": "true"},
        refers={"folder_id": "$folder"},
        max_bytes=_FILE_BYTES,
    ),
    "export_contacts": Entry(media_type="text/csv", is_bare=True, refers={"folder_id": "$folder"}),
    "list_contacts": Entry(query={"page": 1, "limit": 100}, shows="contact", overlooks={"folder_id": "$folder"}),
    "create_contact": Entry(
        {"phone_number": "$new_number", "folder_id": "$folder", "first_name": "Ana", "custom_fields": {"plan": "gold"}},
        refers={"folder_id": "$folder"},
        needed=("phone_number",),
        aliases={"phone": "phone_number", "metadata": "custom_fields"},
    ),
    "bulk_delete_contacts": Entry(
        {"ids": ["$contact"]},
        overlooks={"ids": ["$contact"]},
        needed=("ids",),
        aliases={"contact_ids": "ids"},
    ),
    "get_contact": Entry(),
    "replace_contact": Entry(
        {"first_name": "Bo"},
        follows=("name",),
        refers={"folder_id": "$folder"},
        aliases={"phone": "phone_number", "metadata": "custom_fields"},
    ),
    "update_contact": Entry(
        {"email": "ana@example.com", "company_name": "Shop"},
        refers={"folder_id": "$folder"},
        aliases={"phone": "phone_number", "metadata": "custom_fields"},
    ),
    "delete_contact": Entry(),
    "export_person": Entry(query={"phone_number": PERSON}, media_type="application/x-ndjson", is_bare=True),
    "erase_person": Entry({"phone_number": "$new_number"}),
    "list_erasures": Entry(query={"limit": 100}, shows="erasure"),
    "get_erasure": Entry(),
}

TOOLS: dict[str, Entry] = {
    "list_tools": Entry(query={"limit": 100}, shows="tool"),
    "create_tool": Entry(
        {
            "name": "$new_name",
            "definition": {"description": "Finds an order.", "http": {"baseUrlPattern": "https://shop.example/"}},
        },
        reworded=frozenset({"definition"}),
        needed=("name",),
    ),
    "get_tool": Entry(),
    "replace_tool": Entry({"description": "Finds orders."}, follows=("definition",)),
    "update_tool": Entry({"category": "orders"}),
    "delete_tool": Entry(),
    "test_tool": Entry({"arguments": {"number": "7"}}),
}

KNOWLEDGE: dict[str, Entry] = {
    "list_knowledge_bases": Entry(query={"name": "hel", "limit": 100}, shows="knowledge_base"),
    "create_knowledge_base": Entry(
        {"name": "Help", "file_content": "We open at nine.", "file_name": "faq.txt"},
        aliases={"filename": "file_name"},
        max_bytes=_DOCUMENT_BYTES,
    ),
    "get_knowledge_base": Entry(),
    "replace_knowledge_base": Entry({"name": "FAQ"}),
    "update_knowledge_base": Entry({"description": "Questions"}),
    "delete_knowledge_base": Entry(),
    "query_knowledge_base": Entry({"query": "hours", "limit": 3}),
    "list_sources": Entry(path={"knowledge_base_id": "$knowledge_base"}),
    "add_document": Entry({"name": "Hours", "file": _FILE}, max_bytes=_DOCUMENT_BYTES),
    "add_text": Entry(
        {"name": "Hours", "text": "We open at nine."}, aliases={"content": "text"}, max_bytes=_DOCUMENT_BYTES
    ),
    "add_web_pages": Entry(
        {"name": "Site", "urls": ["https://example.com/help"], "max_depth": 1}, aliases=_WEB_ALIASES
    ),
    "get_source": Entry(),
    "delete_source": Entry(),
}

VOICES: dict[str, Entry] = {
    "list_voices": Entry(query={"source": "custom"}, shows="voice"),
    "import_voice": Entry({"name": "Rachel", "provider": "elevenlabs", "provider_voice_id": "rachel"}),
    "clone_voice": Entry({"name": "Front desk", "files": [_SAMPLE]}, max_bytes=36 * MB),
    "get_voice": Entry(),
    "replace_voice": Entry({"name": "Ana"}),
    "update_voice": Entry({"description": "calm"}),
    "delete_voice": Entry(),
    "preview_voice": Entry(media_type="audio/mpeg", is_bare=True),
}

TELEPHONY: dict[str, Entry] = {
    "search_numbers": Entry(
        {"credential_id": "$credential", "country_code": "US", "area_code": "212", "phone_number_type": "local"},
        refers={"credential_id": "$credential"},
    ),
    "purchase_number": Entry(
        {"phone_number": "+12125550100", "credential_id": "$credential"}, refers={"credential_id": "$credential"}
    ),
    "get_webhook_url": Entry(),
    "list_credentials": Entry(shows="credential"),
    "create_credential": Entry({"provider_type": "telnyx", "friendly_name": "Main", "api_key": "KEY_telnyx"}),
    "get_credential": Entry(),
    "replace_credential": Entry({"friendly_name": "Second"}),
    "update_credential": Entry({"friendly_name": "Third"}),
    "delete_credential": Entry(),
    "list_numbers": Entry(query={"limit": 100}, shows="number"),
    "import_number": Entry(
        {"phone_number": "$new_number", "provider_type": "custom_sip", "trunk_id": "$trunk", "friendly_name": "Desk"},
        refers={"trunk_id": "$trunk"},
        reworded=frozenset({"provider_type"}),
        aliases={"number": "phone_number"},
    ),
    "assign_number": Entry(
        {"number_id": "$number", "agent_id": "$agent", "assignment_type": "inbound"},
        refers={"number_id": "$number", "agent_id": "$agent"},
    ),
    "unassign_number": Entry({"number_id": "$number", "assignment_type": "inbound"}, refers={"number_id": "$number"}),
    "list_agent_numbers": Entry(),
    "get_number": Entry(),
    "replace_number": Entry({"friendly_name": "Desk"}, refers={"trunk_id": "$trunk"}),
    "update_number": Entry({"trunk_id": "$trunk"}, refers={"trunk_id": "$trunk"}),
    "delete_number": Entry(),
    "list_trunks": Entry(query={"limit": 100}, shows="trunk"),
    "create_trunk": Entry({"name": "$new_name", "hosts": ["sip.example.net", {"host": "b.example", "port": 5080}]}),
    "get_trunk": Entry(),
    "replace_trunk": Entry({"name": "$new_name"}),
    "update_trunk": Entry({"codecs": ["PCMA"]}),
    "delete_trunk": Entry(),
}

WEBHOOKS: dict[str, Entry] = {
    "list_webhook_endpoints": Entry(query={"enabled": "true", "limit": 100}, shows="endpoint"),
    "create_webhook_endpoint": Entry(
        {"url": "https://shop.example/hook", "event_types": ["call.ended"]}, aliases=_EVENTS
    ),
    "get_webhook_endpoint": Entry(),
    "replace_webhook_endpoint": Entry({"enabled": False}, aliases=_EVENTS),
    "update_webhook_endpoint": Entry({"event_types": ["call.failed"]}, aliases=_EVENTS),
    "delete_webhook_endpoint": Entry(),
    "test_webhook_endpoint": Entry({"event": "call.ended"}),
    "replay_events": Entry({"since": "2026-01-01T00:00:00Z"}, needed=("since",)),
    "rotate_webhook_secret": Entry({"overlap": "3600s"}),
    "list_webhook_deliveries": Entry(
        query={"limit": 100},
        shows="delivery",
        overlooks={"endpoint_id": "$endpoint", "event_id": "$event", "call_id": "$call"},
    ),
    "get_webhook_delivery": Entry(),
    "replay_webhook_delivery": Entry(),
    "list_all_events": Entry(
        query={"limit": 100},
        shows="event",
        refers={"after": "$event"},
        overlooks={"call_id": "$call"},
    ),
}

ACCOUNT: dict[str, Entry] = {
    "list_api_keys": Entry(query={"limit": 100}, shows="key"),
    "create_api_key": Entry(
        {"name": "$new_name", "allow_list": ["203.0.113.0/24"], "requests_per_minute": 600}, aliases=_KEY_ALIASES
    ),
    "get_api_key": Entry(),
    "replace_api_key": Entry({"name": "$new_name"}, aliases=_KEY_ALIASES),
    "update_api_key": Entry({"requests_per_minute": 60}, aliases=_KEY_ALIASES),
    "delete_api_key": Entry(),
    "get_organization": Entry(),
    "replace_organization": Entry({"timezone": "Europe/Berlin"}),
    "update_organization": Entry({"credits_low_mark": 100}),
    "get_credits": Entry(),
    "list_ledger": Entry(query={"type": "charge", "limit": 100}, shows="ledger_entry", overlooks={"call_id": "$call"}),
    "list_usage": Entry(query={"interval": "total"}, overlooks={"agent_id": "$agent", "batch_call_id": "$batch"}),
    "get_health": Entry(is_bare=True),
}

TABLE = CALLS | AGENTS | BATCH_CALLS | CONTACTS | TOOLS | KNOWLEDGE | VOICES | TELEPHONY | WEBHOOKS | ACCOUNT
#: Operations that need no key.
PUBLIC = frozenset({"download_recording", "get_health"})
