"""Shapes of requests and answers. Generated from the OpenAPI document by `make generate`; not edited by hand."""

from __future__ import annotations

from typing import Any, Literal, Required, TypedDict


class AddContacts(TypedDict, total=False):
    contacts: list[ContactBody] | None
    contact_ids: list[str] | None
    contact_folder_id: str | None


class AddDncEntries(TypedDict, total=False):
    phone_number: str | None
    phone_numbers: list[str] | None
    reason: str | None
    country: str | None


class AddDocument(TypedDict, total=False):
    name: Required[str]
    description: str | None
    file: Required[FileBody]


class AddText(TypedDict, total=False):
    name: Required[str]
    description: str | None
    text: Required[str]
    format: Literal["text", "markdown"]


class AddWebPages(TypedDict, total=False):
    name: Required[str]
    description: str | None
    urls: Required[list[str]]
    max_depth: int
    max_pages: int


class AdditionsObject(TypedDict, total=False):
    added_count: Required[int]
    failed_count: Required[int]
    errors: Required[list[SkippedContactObject]]


class AgentNumber(TypedDict, total=False):
    id: Required[str]
    phone_number: Required[str]


class AgentNumbersObject(TypedDict, total=False):
    agent_id: Required[str]
    inbound: Required[list[NumberObject]]
    outbound: Required[list[NumberObject]]


class AgentObject(TypedDict, total=False):
    id: Required[str]
    name: Required[str]
    description: Required[str | None]
    status: Required[Literal["draft", "creating", "active", "failed"]]
    model: Required[str]
    voice_id: Required[str]
    voice_name: Required[str | None]
    system_prompt: Required[str]
    greeting: Required[str | None]
    inactivity_message: Required[str | None]
    inactivity_timeout: Required[int | None]
    max_duration: Required[int]
    temperature: Required[float]
    tools: Required[list[str]]
    knowledge_base_ids: Required[list[str]]
    knowledge_bases: Required[list[str]]
    inbound_phone_numbers: Required[list[AgentNumber]]
    outbound_phone_numbers: Required[list[AgentNumber]]
    created_at: Required[str]
    updated_at: Required[str]
    greeting_settings: Required[GreetingObject]
    inactivity_messages: Required[list[InactivityMessageObject]]
    join_timeout: Required[str]
    recording_enabled: Required[bool]
    language_hint: Required[str]
    time_exceeded_message: Required[str | None]
    initial_output_medium: Required[
        Literal["MESSAGE_MEDIUM_VOICE", "MESSAGE_MEDIUM_TEXT", "MESSAGE_MEDIUM_UNSPECIFIED"]
    ]
    vad_settings: Required[VadSettingsObject]
    flow: Required[dict[str, Any] | None]
    template_id: Required[str | None]
    call_template_name: Required[str | None]
    success_criteria: Required[str | None]
    extraction_schema: Required[dict[str, Any] | None]
    crm_webhook_url: Required[str | None]
    recognizer: Required[str | None]
    fallbacks: Required[FallbacksObject]
    languages: Required[list[str]]
    voicemail_settings: Required[VoicemailSettingsObject]
    screening_settings: Required[ScreeningSettingsObject]
    transfer_number: Required[str | None]
    transfer_numbers: Required[list[TransferNumberObject]]


class AgentTemplateObject(TypedDict, total=False):
    id: Required[str]
    name: Required[str]
    description: Required[str]
    category: Required[str]
    system_prompt: Required[str]
    greeting: Required[str | None]
    flow: Required[dict[str, Any]]
    is_active: Required[bool]


class AgentVersionDetailObject(TypedDict, total=False):
    version: Required[int]
    is_current: Required[bool]
    name: Required[str]
    changed_by: Required[str | None]
    restored_from: Required[int | None]
    created_at: Required[str]
    agent: Required[AgentObject]


class AgentVersionObject(TypedDict, total=False):
    version: Required[int]
    is_current: Required[bool]
    name: Required[str]
    changed_by: Required[str | None]
    restored_from: Required[int | None]
    created_at: Required[str]


class ApiKeyObject(TypedDict, total=False):
    id: Required[str]
    name: Required[str]
    key_hint: Required[str]
    allow_list: Required[list[str]]
    requests_per_minute: Required[int | None]
    last_used_at: Required[str | None]
    created_at: Required[str]


class AssignNumber(TypedDict, total=False):
    number_id: Required[str]
    agent_id: Required[str]
    assignment_type: Required[Literal["inbound", "outbound"]]


class AuthenticationBody(TypedDict, total=False):
    type: Literal["none", "bearer", "api_key", "basic"] | None
    token: str | None
    header: str | None
    value: str | None
    username: str | None
    password: str | None
    options: list[SecurityOptionBody] | None


class AutomaticParameterBody(TypedDict, total=False):
    name: Required[str]
    location: Literal[
        "PARAMETER_LOCATION_BODY",
        "PARAMETER_LOCATION_QUERY",
        "PARAMETER_LOCATION_HEADER",
        "PARAMETER_LOCATION_PATH",
        "PARAMETER_LOCATION_UNSPECIFIED",
        "body",
        "query",
        "header",
        "path",
    ]
    knownValue: Literal["KNOWN_PARAM_CALL_ID"] | None
    value: str | None


class AvailableNumberObject(TypedDict, total=False):
    phone_number: Required[str]
    phone_number_type: Required[str | None]
    range: Required[int | None]
    region_information: Required[list[RegionObject]]
    features: Required[list[str]]
    cost_information: Required[CostObject | None]
    provider: Required[str]


class BadRequestRefusal(TypedDict, total=False):
    error: Required[dict[str, Any]]
    meta: Required[Meta]


class BatchBulkDeleteObject(TypedDict, total=False):
    deleted_count: Required[int]
    failed_count: Required[int]
    deleted_ids: Required[list[str]]
    failed_ids: Required[list[str]]


class BatchCallObject(TypedDict, total=False):
    id: Required[str]
    name: Required[str]
    status: Required[Literal["draft", "scheduled", "active", "paused", "completed", "failed", "cancelled"]]
    agent_id: Required[str]
    from_number: Required[str | None]
    schedule_type: Required[Literal["immediate", "scheduled"]]
    scheduled_at: Required[str | None]
    timezone: Required[str]
    concurrency: Required[int]
    retry_attempts: Required[int]
    total_contacts: Required[int]
    called: Required[int]
    completed: Required[int]
    failed: Required[int]
    pending: Required[int]
    created_at: Required[str]
    updated_at: Required[str]
    status_reason: Required[str | None]
    contact_source: Required[Literal["csv", "folder", "manual"]]
    contact_folder_id: Required[str | None]
    phone_number_ids: Required[list[str]]
    phone_rotation_strategy: Required[Literal["random", "sequential", "round_robin"]]
    start_time: Required[str | None]
    end_time: Required[str | None]
    working_days: Required[list[int] | None]
    max_calls_per_day: Required[int | None]
    max_concurrent_calls: Required[int]
    calls_per_second: Required[float | None]
    retry_failed: Required[bool]
    retry_delay_minutes: Required[list[int]]
    retry_rules: Required[dict[str, RetryRuleObject]]
    max_credits: Required[int | None]
    max_failure_rate: Required[float]
    min_answer_rate: Required[float | None]
    metadata: Required[dict[str, Any]]
    progress: Required[float]
    calling: Required[int]
    retrying: Required[int]
    attempts: Required[int]
    answered: Required[int]
    next_call_at: Required[str | None]
    estimated_completion_at: Required[str | None]
    started_at: Required[str | None]
    paused_at: Required[str | None]
    resumed_at: Required[str | None]
    completed_at: Required[str | None]
    cancelled_at: Required[str | None]


class BatchContactObject(TypedDict, total=False):
    contact_id: Required[str]
    phone_number: Required[str]
    first_name: Required[str | None]
    last_name: Required[str | None]
    call_status: Required[Literal["pending", "scheduled", "calling", "completed", "failed"]]
    status: Required[Literal["pending", "scheduled", "calling", "completed", "failed"]]
    call_id: Required[str | None]
    called_at: Required[str | None]
    scheduled_at: Required[str | None]
    attempts: Required[int]
    reason: Required[str | None]
    outcome: Required[str | None]
    email: Required[str | None]
    timezone: Required[str]
    custom_fields: Required[dict[str, str]]
    variables: Required[dict[str, str]]


class BrowserCallObject(TypedDict, total=False):
    joinUrl: Required[str]
    callId: Required[str]
    agentName: Required[str]


class BulkDelete(TypedDict, total=False):
    ids: Required[list[str]]


class BulkDeleteBatchCalls(TypedDict, total=False):
    ids: Required[list[str]]


class BulkDeleteContacts(TypedDict, total=False):
    ids: list[str] | None
    contact_ids: list[str] | None


class BulkDeleteObject(TypedDict, total=False):
    deleted_count: Required[int]
    failed_count: Required[int]
    deleted_ids: Required[list[str]]
    failed_ids: Required[list[str]]


class CallEventObject(TypedDict, total=False):
    type: Required[str]
    timestamp: Required[float]
    created_at: Required[str]
    data: Required[dict[str, Any]]


CallObject = TypedDict(
    "CallObject",
    {
        "id": "Required[str]",
        "status": "Required[Literal['queued', 'ringing', 'in_progress', 'completed', 'failed']]",
        "direction": "Required[Literal['inbound', 'outbound', 'webrtc']]",
        "agent_id": "Required[str]",
        "to": "Required[str | None]",
        "from": "Required[str | None]",
        "duration_seconds": "Required[int | None]",
        "recording_url": "Required[str | None]",
        "transcript_url": "Required[str | None]",
        "summary": "Required[str | None]",
        "cost_credits": "Required[int]",
        "metadata": "Required[dict[str, Any]]",
        "started_at": "Required[str | None]",
        "ended_at": "Required[str | None]",
        "created_at": "Required[str]",
        "updated_at": "Required[str]",
        "ended_reason": "Required[Literal['user_hangup', 'agent_hangup', 'transferred', 'voicemail', 'inactivity', 'max_duration', 'no_answer', 'busy', 'declined', 'invalid_destination', 'unreachable', 'cancelled', 'dnc_blocked', 'outside_window', 'no_phone_number_configured', 'insufficient_credits', 'no_media', 'provider_error', 'carrier_error', 'internal_error', 'recovered_after_crash'] | None]",
        "outcome": "Required[Literal['contacted', 'voicemail', 'no_answer', 'escalated', 'interested', 'not_interested', 'busy', 'failed'] | None]",
        "sentiment": "Required[str | None]",
        "phone_number": "Required[str | None]",
        "from_number": "Required[str | None]",
        "to_number": "Required[str | None]",
        "variables": "Required[dict[str, str]]",
        "latency": "Required[LatencyObject]",
        "analysis": "Required[dict[str, Any] | None]",
        "trunk_id": "Required[str | None]",
        "media_quality": "Required[QualityObject | None]",
        "transfer": "Required[TransferObject | None]",
        "transcript": "list[TurnObject] | None",
    },
    total=False,
)


class CallSettingsBody(TypedDict, total=False):
    recording_enabled: bool | None
    transcription_enabled: bool | None
    greeting: str | None
    max_duration: str | float | None
    join_timeout: str | float | None


class CheckDncNumbers(TypedDict, total=False):
    phone_numbers: Required[list[str]]
    country: str | None


class CloneVoice(TypedDict, total=False):
    name: Required[str]
    files: Required[list[SampleFile]]
    provider: str
    description: str | None
    language: str


class ConflictRefusal(TypedDict, total=False):
    error: Required[dict[str, Any]]
    meta: Required[Meta]


class ContactBody(TypedDict, total=False):
    phone_number: Required[str]
    phone: str
    first_name: str | None
    last_name: str | None
    email: str | None
    timezone: str | None
    custom_fields: dict[str, JsonValue] | None
    metadata: dict[str, Any]


class ContactObject(TypedDict, total=False):
    id: Required[str]
    name: Required[str | None]
    phone: Required[str]
    phone_number: Required[str]
    first_name: Required[str | None]
    last_name: Required[str | None]
    email: Required[str | None]
    folder_id: Required[str]
    company_name: Required[str | None]
    industry: Required[str | None]
    location: Required[str | None]
    pin_code: Required[str | None]
    keywords: Required[str | None]
    custom_fields: Required[dict[str, Any]]
    metadata: Required[dict[str, Any]]
    timezone: Required[str | None]
    last_call_outcome: Required[str | None]
    call_count: Required[int]
    last_called_at: Required[str | None]
    created_at: Required[str]
    updated_at: Required[str]


class CostObject(TypedDict, total=False):
    upfront_cost: Required[str | None]
    monthly_cost: Required[str | None]
    currency: Required[str | None]


class CreateAgent(TypedDict, total=False):
    name: Required[str]
    voice_id: Required[str]
    system_prompt: Required[str]
    instructions: str
    status: Literal["draft", "active"] | None
    description: str | None
    model: str | None
    tools: list[str] | None
    knowledge_bases: list[str] | None
    knowledge_base_ids: list[str]
    temperature: float | None
    recording_enabled: bool | None
    language_hint: str | None
    join_timeout: str | float | None
    max_duration: str | float | None
    time_exceeded_message: str | None
    greeting: str | None
    greeting_settings: GreetingSettings | None
    inactivity_message: str | None
    inactivity_timeout: str | float | None
    inactivity_messages: list[InactivityMessageBody] | None
    initial_output_medium: Literal["MESSAGE_MEDIUM_VOICE", "MESSAGE_MEDIUM_TEXT", "MESSAGE_MEDIUM_UNSPECIFIED"] | None
    vad_settings: VadSettingsBody | None
    flow: FlowBody | None
    template_id: str | None
    call_template_name: str | None
    success_criteria: str | None
    extraction_schema: dict[str, Any] | None
    crm_webhook_url: str | None
    crm_webhook_secret: str | None
    recognizer: str | None
    fallbacks: FallbacksBody | None
    languages: list[str] | None
    voicemail_settings: VoicemailSettingsBody | None
    screening_settings: ScreeningSettingsBody | None
    transfer_number: str | None
    transfer_numbers: list[TransferNumberBody] | None


class CreateApiKey(TypedDict, total=False):
    name: Required[str]
    allow_list: list[str] | None
    requests_per_minute: int | None


class CreateBatchCall(TypedDict, total=False):
    name: Required[str]
    agent_id: Required[str]
    phone_number_ids: list[str] | None
    phone_rotation_strategy: Literal["random", "sequential", "round_robin"] | None
    schedule_type: Literal["immediate", "scheduled"] | None
    scheduled_at: str | None
    timezone: str | None
    start_time: str | None
    end_time: str | None
    working_days: list[int] | None
    max_calls_per_day: int | None
    max_concurrent_calls: int | None
    concurrency: int
    calls_per_second: float | None
    retry_failed: bool | None
    retry_attempts: int | None
    retry_delay_minutes: list[int] | None
    retry_rules: RetryRulesBody | None
    max_credits: int | None
    max_failure_rate: float | None
    min_answer_rate: float | None
    metadata: dict[str, JsonValue] | None
    contact_source: Literal["csv", "folder", "manual"] | None
    contact_folder_id: str | None
    contact_ids: list[str] | None
    contacts: list[ContactBody] | None


class CreateBrowserCall(TypedDict, total=False):
    agent_id: Required[str]
    call_settings: CallSettingsBody | None
    variables: dict[str, str | float | bool] | None
    context: dict[str, Any]
    metadata: dict[str, JsonValue] | None


class CreateCall(TypedDict, total=False):
    agent_id: Required[str]
    phone_number: Required[str]
    to_number: str
    from_number: str | None
    direction: Literal["outbound"] | None
    call_settings: CallSettingsBody | None
    variables: dict[str, str | float | bool] | None
    context: dict[str, Any]
    metadata: dict[str, JsonValue] | None


class CreateContact(TypedDict, total=False):
    phone_number: str | None
    phone: str | None
    first_name: str | None
    last_name: str | None
    name: str | None
    email: str | None
    company_name: str | None
    industry: str | None
    location: str | None
    pin_code: str | None
    keywords: str | list[str] | None
    custom_fields: dict[str, Any] | None
    metadata: dict[str, Any] | None
    timezone: str | None
    folder_id: str | None
    country: str | None


class CreateCredential(TypedDict, total=False):
    provider_type: Required[Literal["telnyx", "twilio"]]
    friendly_name: str | None
    api_key: str | None
    account_sid: str | None
    auth_token: str | None


class CreateFolder(TypedDict, total=False):
    name: Required[str]
    description: str | None


class CreateKnowledgeBase(TypedDict, total=False):
    name: Required[str]
    description: str | None
    file_content: str | None
    file_name: str | None


class CreateTool(TypedDict, total=False):
    name: str | None
    description: str | None
    definition: DefinitionBody | None
    type: Literal["http", "mcp"] | None
    url: str | None
    endpoint: str | None
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] | None
    headers: dict[str, str] | None
    parameters: list[ParameterBody] | ObjectSchemaBody | None
    authentication: AuthenticationBody | None
    body_template: str | None
    timeout_seconds: float | str | None
    category: str | None
    response_schema: dict[str, Any] | None


class CreateTrunk(TypedDict, total=False):
    name: Required[str]
    hosts: Required[list[str | dict[str, Any]]]
    transport: Literal["udp", "tcp", "tls"] | None
    username: str | None
    password: str | None
    registers: bool | None
    registration_expires_seconds: int | None
    outbound_proxy: str | None
    allowed_sources: list[str] | None
    inbound_username: str | None
    inbound_password: str | None
    caller_id_form: Literal["from", "p_asserted_identity", "remote_party_id"] | None
    number_format: Literal["e164", "e164_without_plus", "national", "international"] | None
    number_prefix: str | None
    default_region: str | None
    codecs: list[Literal["PCMU", "PCMA", "G722", "OPUS"]] | None
    srtp: Literal["off", "optional", "required"] | None
    max_calls_per_second: float | None
    max_concurrent_calls: int | None
    session_timer: Literal["off", "accept", "request"] | None
    session_expires_seconds: int | None
    allowed_prefixes: list[str] | None
    premium_allowed: bool | None
    transfer: Literal["auto", "refer", "bridge"] | None
    accepts_refer: bool | None
    dtmf: Literal["auto", "rfc4733", "inband"] | None
    nat: Literal["auto", "off"] | None
    tls_ca: str | None
    tls_certificate: str | None
    tls_private_key: str | None
    tls_server_name: str | None
    tls_verify: bool | None
    is_enabled: bool | None


class CreateWebhookEndpoint(TypedDict, total=False):
    url: Required[str]
    description: str | None
    event_types: (
        list[
            Literal[
                "call.started",
                "call.joined",
                "call.ended",
                "call.analyzed",
                "call.billed",
                "call.failed",
                "batch.status.changed",
                "batch.completed",
                "voice.training.completed",
                "voice.training.failed",
                "credits.low",
                "*",
                "all",
            ]
        ]
        | None
    )
    enabled: bool | None
    agent_id: str | None
    secret: str | None


class CreatedBatchCallObject(TypedDict, total=False):
    added_count: Required[int]
    failed_count: Required[int]
    errors: Required[list[SkippedContactObject]]
    id: Required[str]
    name: Required[str]
    status: Required[Literal["draft", "scheduled", "active", "paused", "completed", "failed", "cancelled"]]
    agent_id: Required[str]
    from_number: Required[str | None]
    schedule_type: Required[Literal["immediate", "scheduled"]]
    scheduled_at: Required[str | None]
    timezone: Required[str]
    concurrency: Required[int]
    retry_attempts: Required[int]
    total_contacts: Required[int]
    called: Required[int]
    completed: Required[int]
    failed: Required[int]
    pending: Required[int]
    created_at: Required[str]
    updated_at: Required[str]
    status_reason: Required[str | None]
    contact_source: Required[Literal["csv", "folder", "manual"]]
    contact_folder_id: Required[str | None]
    phone_number_ids: Required[list[str]]
    phone_rotation_strategy: Required[Literal["random", "sequential", "round_robin"]]
    start_time: Required[str | None]
    end_time: Required[str | None]
    working_days: Required[list[int] | None]
    max_calls_per_day: Required[int | None]
    max_concurrent_calls: Required[int]
    calls_per_second: Required[float | None]
    retry_failed: Required[bool]
    retry_delay_minutes: Required[list[int]]
    retry_rules: Required[dict[str, RetryRuleObject]]
    max_credits: Required[int | None]
    max_failure_rate: Required[float]
    min_answer_rate: Required[float | None]
    metadata: Required[dict[str, Any]]
    progress: Required[float]
    calling: Required[int]
    retrying: Required[int]
    attempts: Required[int]
    answered: Required[int]
    next_call_at: Required[str | None]
    estimated_completion_at: Required[str | None]
    started_at: Required[str | None]
    paused_at: Required[str | None]
    resumed_at: Required[str | None]
    completed_at: Required[str | None]
    cancelled_at: Required[str | None]


class CredentialObject(TypedDict, total=False):
    id: Required[str]
    provider_type: Required[Literal["telnyx", "twilio"]]
    friendly_name: Required[str | None]
    account_sid: Required[str | None]
    created_at: Required[str]
    updated_at: Required[str]


class CreditsObject(TypedDict, total=False):
    balance: Required[int]
    held: Required[int]
    enforced: Required[bool]
    low_mark: Required[int | None]
    is_low: Required[bool]
    daily_limit: Required[int | None]
    spent_today: Required[int]


class DefinitionBody(TypedDict, total=False):
    modelToolName: str | None
    description: str | None
    type: Literal["http", "mcp"] | None
    http: HttpBody | None
    url: str | None
    base_url: str | None
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] | None
    headers: dict[str, str] | None
    parameters: list[ParameterBody] | ObjectSchemaBody | None
    dynamicParameters: list[ParameterBody] | None
    staticParameters: list[StaticParameterBody] | None
    automaticParameters: list[AutomaticParameterBody] | None
    requirements: RequirementsBody | None
    authTokens: dict[str, str] | None
    authentication: AuthenticationBody | None
    body_template: str | None
    timeout: float | str | None
    timeout_seconds: float | str | None
    include: list[str] | None


class DeletedContactsObject(TypedDict, total=False):
    deleted_count: Required[int]
    failed_count: Required[int]
    deleted_ids: Required[list[str]]
    failed_ids: Required[list[str]]


class DeliveryAttemptObject(TypedDict, total=False):
    number: Required[int]
    started_at: Required[str]
    duration_ms: Required[int]
    response_status: Required[int | None]
    response_body: Required[str | None]
    error: Required[str | None]


class DncAddedObject(TypedDict, total=False):
    added_count: Required[int]
    existing_count: Required[int]
    phone_numbers: Required[list[str]]


class DncCheckObject(TypedDict, total=False):
    blocked: Required[list[str]]
    allowed: Required[list[str]]


class DncEntryObject(TypedDict, total=False):
    id: Required[str]
    phone_number: Required[str]
    reason: Required[str | None]
    source: Required[Literal["api", "import", "call"]]
    call_id: Required[str | None]
    created_at: Required[str]


class DncImportObject(TypedDict, total=False):
    imported: Required[int]
    skipped: Required[int]
    errors: Required[int]
    error_details: Required[list[RowErrorObject]]
    error_details_limit: Required[int]


class ErasePerson(TypedDict, total=False):
    phone_number: Required[str]
    country: str | None


class ErasureObject(TypedDict, total=False):
    id: Required[str]
    status: Required[Literal["running", "completed"]]
    phone_number: Required[str | None]
    deleted_contacts: Required[int]
    deleted_batch_contacts: Required[int]
    deleted_calls: Required[int]
    deleted_recordings: Required[int]
    created_at: Required[str]
    completed_at: Required[str | None]


class EventObject(TypedDict, total=False):
    id: Required[str]
    event: Required[
        Literal[
            "call.started",
            "call.joined",
            "call.ended",
            "call.analyzed",
            "call.billed",
            "call.failed",
            "batch.status.changed",
            "batch.completed",
            "voice.training.completed",
            "voice.training.failed",
            "credits.low",
        ]
    ]
    timestamp: Required[str]
    data: Required[dict[str, Any]]


class FallbacksBody(TypedDict, total=False):
    recognizers: list[str]
    models: list[str]
    voices: list[str]


class FallbacksObject(TypedDict, total=False):
    recognizers: Required[list[str]]
    models: Required[list[str]]
    voices: Required[list[str]]


class FileBody(TypedDict, total=False):
    filename: Required[str]
    content_type: str | None
    data: Required[str]


class FlowBody(TypedDict, total=False):
    start: Required[str]
    nodes: Required[dict[str, NodeBody]]
    summary: str | None
    outcome: (
        Literal["contacted", "voicemail", "no_answer", "escalated", "interested", "not_interested", "busy", "failed"]
        | dict[
            str,
            dict[
                str,
                Literal[
                    "contacted", "voicemail", "no_answer", "escalated", "interested", "not_interested", "busy", "failed"
                ],
            ],
        ]
        | None
    )
    keywords: dict[str, KeywordBody] | None


class FolderObject(TypedDict, total=False):
    id: Required[str]
    name: Required[str]
    description: Required[str | None]
    contact_count: Required[int]
    is_default: Required[bool]
    created_at: Required[str]
    updated_at: Required[str]


class ForbiddenRefusal(TypedDict, total=False):
    error: Required[dict[str, Any]]
    meta: Required[Meta]


class GatewayStatusObject(TypedDict, total=False):
    gateway_id: Required[str]
    registration: Required[Literal["off", "registering", "registered", "refused", "failed"]]
    registration_error: Required[str | None]
    is_reachable: Required[bool | None]
    round_trip_ms: Required[float | None]
    last_error: Required[str | None]
    live_calls: Required[int]
    checked_at: Required[str]


class GreetingObject(TypedDict, total=False):
    first_speaker: Required[Literal["agent", "user"]]
    text: Required[str | None]
    prompt: Required[str | None]
    delay: Required[str]
    uninterruptible: Required[bool]
    fallback_delay: Required[str | None]
    fallback_text: Required[str | None]
    fallback_prompt: Required[str | None]


class GreetingSettings(TypedDict, total=False):
    first_speaker: Literal["agent", "user"]
    text: str | None
    prompt: str | None
    delay: str | float
    uninterruptible: bool
    fallback_delay: str | float | None
    fallback_text: str | None
    fallback_prompt: str | None


class HeaderKeyBody(TypedDict, total=False):
    name: Required[str]
    value: str | None


class HttpAuthBody(TypedDict, total=False):
    scheme: str
    value: str | None


class HttpBody(TypedDict, total=False):
    url: str | None
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] | None
    baseUrlPattern: str | None
    httpMethod: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] | None


class ImportNumber(TypedDict, total=False):
    phone_number: Required[str]
    provider_type: Literal["telnyx", "twilio", "custom_sip"] | None
    friendly_name: str | None
    trunk_id: str | None
    sip_server: str | None
    sip_username: str | None
    sip_password: str | None
    api_key: str | None
    account_sid: str | None
    auth_token: str | None
    credential_id: str | None


class ImportObject(TypedDict, total=False):
    imported: Required[int]
    updated: Required[int]
    skipped: Required[int]
    errors: Required[int]
    successful: Required[int]
    failed: Required[int]
    folder_id: Required[str]
    error_details: Required[list[RowErrorObject]]
    error_details_limit: Required[int]


class ImportVoice(TypedDict, total=False):
    name: Required[str]
    provider: str
    provider_voice_id: Required[str]
    description: str | None
    language: str | None


class InactivityMessageBody(TypedDict, total=False):
    duration: Required[str | float]
    message: Required[str]
    endBehavior: Literal["END_BEHAVIOR_UNSPECIFIED", "END_BEHAVIOR_HANG_UP_SOFT", "END_BEHAVIOR_HANG_UP_STRICT"]
    end_behavior: str


class InactivityMessageObject(TypedDict, total=False):
    duration: Required[str]
    message: Required[str]
    endBehavior: Required[
        Literal["END_BEHAVIOR_UNSPECIFIED", "END_BEHAVIOR_HANG_UP_SOFT", "END_BEHAVIOR_HANG_UP_STRICT"]
    ]


class InternalErrorRefusal(TypedDict, total=False):
    error: Required[dict[str, Any]]
    meta: Required[Meta]


class KeywordBody(TypedDict, total=False):
    phrases: Required[list[str]]
    key: str | None
    next: str | None


class KnowledgeBaseObject(TypedDict, total=False):
    id: Required[str]
    name: Required[str]
    description: Required[str | None]
    status: Required[Literal["processing", "ready", "failed"]]
    source_count: Required[int]
    chunk_count: Required[int]
    embedding_model: Required[str | None]
    created_at: Required[str]
    updated_at: Required[str]


class LatencyObject(TypedDict, total=False):
    p50_ms: Required[int | None]
    p95_ms: Required[int | None]


class LedgerEntryObject(TypedDict, total=False):
    id: Required[str]
    type: Required[Literal["grant", "hold", "release", "charge", "refund"]]
    amount: Required[int]
    call_id: Required[str | None]
    batch_call_id: Required[str | None]
    note: Required[str | None]
    created_at: Required[str]


class ListenBody(TypedDict, total=False):
    kind: Required[Literal["free", "yes_no", "choice", "digits", "date", "message"]]
    options: dict[str, list[str]] | None
    min: int | None
    max: int | None
    max_seconds: int | None


class Meta(TypedDict, total=False):
    request_id: Required[str]
    ts: Required[str]


class NewApiKeyObject(TypedDict, total=False):
    id: Required[str]
    name: Required[str]
    key_hint: Required[str]
    allow_list: Required[list[str]]
    requests_per_minute: Required[int | None]
    last_used_at: Required[str | None]
    created_at: Required[str]
    key: Required[str]


class NodeBody(TypedDict, total=False):
    say: str | None
    listen: ListenBody | None
    slot: str | None
    confirm: str | None
    keypad: dict[str, str] | None
    reprompt: str | None
    max_reprompts: int | None
    next: str | dict[str, str] | None
    on_failure: str | None
    end: Literal["hang_up", "transfer", "take_message"] | None
    transfer_to: str | None
    mode: Literal["blind", "attended"] | None
    tool: NodeToolBody | None
    by: str | None
    send_digits: str | None


class NodeToolBody(TypedDict, total=False):
    name: Required[str]
    arguments: dict[str, Any] | None
    result: str | dict[str, str] | None


class NotFoundRefusal(TypedDict, total=False):
    error: Required[dict[str, Any]]
    meta: Required[Meta]


class NumberObject(TypedDict, total=False):
    id: Required[str]
    number: Required[str]
    phone_number: Required[str]
    friendly_name: Required[str | None]
    status: Required[Literal["active", "inactive", "pending"]]
    organization_id: Required[str]
    is_trudy_managed: Required[bool]
    agent_id: Required[str | None]
    inbound_agent_id: Required[str | None]
    outbound_agent_id: Required[str | None]
    trunk_id: Required[str | None]
    telephony_credential_id: Required[str | None]
    created_at: Required[str]
    updated_at: Required[str]
    provider_type: Required[Literal["telnyx", "twilio"] | None]


class ObjectSchemaBody(TypedDict, total=False):
    type: Literal["object"]
    properties: dict[str, Any]
    required: list[str]
    additionalProperties: bool
    description: str | None


class OrganizationObject(TypedDict, total=False):
    id: Required[str]
    name: Required[str]
    default_region: Required[str | None]
    timezone: Required[str | None]
    credits_low_mark: Required[int | None]
    daily_credit_limit: Required[int | None]
    recording_retention_days: Required[int | None]
    transcript_retention_days: Required[int | None]
    created_at: Required[str]
    updated_at: Required[str]


class ParameterBody(TypedDict, total=False):
    name: Required[str]
    location: Literal[
        "PARAMETER_LOCATION_BODY",
        "PARAMETER_LOCATION_QUERY",
        "PARAMETER_LOCATION_HEADER",
        "PARAMETER_LOCATION_PATH",
        "PARAMETER_LOCATION_UNSPECIFIED",
        "body",
        "query",
        "header",
        "path",
    ]
    schema: dict[str, Any] | None
    required: bool
    type: (
        Literal["string", "integer", "number", "boolean", "array", "object", "null"]
        | list[Literal["string", "integer", "number", "boolean", "array", "object", "null"]]
        | None
    )
    description: str | None
    default: Any
    enum: list[Any] | None
    items: dict[str, Any] | None
    properties: dict[str, Any] | None


class PassageObject(TypedDict, total=False):
    source_id: Required[str]
    source_name: Required[str]
    knowledge_base_id: Required[str]
    text: Required[str]
    score: Required[float]
    position: Required[int]
    title: Required[str | None]
    url: Required[str | None]


class PassagesObject(TypedDict, total=False):
    query: Required[str]
    passages: Required[list[PassageObject]]


class PayloadTooLargeRefusal(TypedDict, total=False):
    error: Required[dict[str, Any]]
    meta: Required[Meta]


class PaymentRequiredRefusal(TypedDict, total=False):
    error: Required[dict[str, Any]]
    meta: Required[Meta]


class ProviderErrorRefusal(TypedDict, total=False):
    error: Required[dict[str, Any]]
    meta: Required[Meta]


class PurchaseNumber(TypedDict, total=False):
    provider_type: Literal["telnyx", "twilio"] | None
    api_key: str | None
    account_sid: str | None
    auth_token: str | None
    credential_id: str | None
    phone_number: Required[str]
    friendly_name: str | None


class QualityObject(TypedDict, total=False):
    codec: Required[str]
    is_encrypted: Required[bool]
    packets_received: Required[int]
    packets_lost: Required[int]
    loss_percent: Required[float]
    jitter_ms: Required[float]
    round_trip_ms: Required[float | None]
    remote_loss_percent: Required[float | None]
    mos: Required[float | None]


class QueryKnowledge(TypedDict, total=False):
    query: Required[str]
    limit: int


class RateLimitExceededRefusal(TypedDict, total=False):
    error: Required[dict[str, Any]]
    meta: Required[Meta]


class RecordingObject(TypedDict, total=False):
    call_id: Required[str]
    recording_url: Required[str]
    format: Required[Literal["mp3"]]
    duration_seconds: Required[int | None]


class RegionObject(TypedDict, total=False):
    region_type: Required[str]
    region_name: Required[str]


class ReplayEvents(TypedDict, total=False):
    since: str | None
    status: Literal["pending", "delivered", "parked"] | None
    delivery_ids: list[str] | None


class ReplayObject(TypedDict, total=False):
    id: Required[str]
    replayed_count: Required[int]
    has_more: Required[bool]
    next_since: Required[str | None]


class RequirementBody(TypedDict, total=False):
    headerApiKey: HeaderKeyBody | None
    httpAuth: HttpAuthBody | None
    queryApiKey: HeaderKeyBody | None


class RequirementsBody(TypedDict, total=False):
    httpSecurityOptions: SecurityOptionsBody | None


class RetryBatchCall(TypedDict, total=False):
    reasons: (
        list[
            Literal[
                "user_hangup",
                "agent_hangup",
                "transferred",
                "voicemail",
                "inactivity",
                "max_duration",
                "no_answer",
                "busy",
                "declined",
                "invalid_destination",
                "unreachable",
                "cancelled",
                "dnc_blocked",
                "outside_window",
                "no_phone_number_configured",
                "insufficient_credits",
                "no_media",
                "provider_error",
                "carrier_error",
                "internal_error",
                "recovered_after_crash",
            ]
        ]
        | None
    )


class RetryRuleBody(TypedDict, total=False):
    attempts: Required[int]
    delay_minutes: list[int] | None


class RetryRuleObject(TypedDict, total=False):
    attempts: Required[int]
    delay_minutes: Required[list[int] | None]


class RetryRulesBody(TypedDict, total=False):
    busy: RetryRuleBody | None
    no_answer: RetryRuleBody | None
    voicemail: RetryRuleBody | None
    unreachable: RetryRuleBody | None
    declined: RetryRuleBody | None
    inactivity: RetryRuleBody | None
    no_media: RetryRuleBody | None
    carrier_error: RetryRuleBody | None
    provider_error: RetryRuleBody | None
    internal_error: RetryRuleBody | None


class RotateSecret(TypedDict, total=False):
    overlap: str | float
    secret: str | None


class RowErrorObject(TypedDict, total=False):
    row: Required[int]
    phone: Required[str | None]
    reason: Required[str]


class SampleFile(TypedDict, total=False):
    filename: Required[str]
    data: Required[str]
    content_type: Required[str]


class ScheduleBatchCall(TypedDict, total=False):
    scheduled_at: str | None
    timezone: str | None


class ScreeningSettingsBody(TypedDict, total=False):
    name: str | None
    reason: str | None


class ScreeningSettingsObject(TypedDict, total=False):
    name: Required[str | None]
    reason: Required[str | None]


class SearchNumbers(TypedDict, total=False):
    provider_type: Literal["telnyx", "twilio"] | None
    api_key: str | None
    account_sid: str | None
    auth_token: str | None
    credential_id: str | None
    country_code: str
    locality: str | None
    area_code: str | None
    administrative_area: str | None
    phone_number_type: Literal["local", "toll_free", "mobile", "national"] | None
    page: int
    page_size: int


class SecurityOptionBody(TypedDict, total=False):
    requirements: dict[str, RequirementBody]


class SecurityOptionsBody(TypedDict, total=False):
    options: list[SecurityOptionBody]


class SendDigits(TypedDict, total=False):
    digits: Required[str]


class SkippedContactObject(TypedDict, total=False):
    index: Required[int]
    contact_id: Required[str | None]
    phone_number: Required[str]
    reason: Required[str]


class SourceObject(TypedDict, total=False):
    id: Required[str]
    knowledge_base_id: Required[str]
    kind: Required[Literal["document", "web", "text"]]
    name: Required[str]
    description: Required[str | None]
    status: Required[Literal["processing", "ready", "failed"]]
    progress: Required[float]
    error: Required[str | None]
    warnings: Required[list[str]]
    chunk_count: Required[int]
    embedded_chunk_count: Required[int]
    filename: Required[str | None]
    content_type: Required[str | None]
    size_bytes: Required[int | None]
    urls: Required[list[str] | None]
    max_depth: Required[int | None]
    max_pages: Required[int | None]
    created_at: Required[str]
    updated_at: Required[str]


class StaticParameterBody(TypedDict, total=False):
    name: Required[str]
    location: Literal[
        "PARAMETER_LOCATION_BODY",
        "PARAMETER_LOCATION_QUERY",
        "PARAMETER_LOCATION_HEADER",
        "PARAMETER_LOCATION_PATH",
        "PARAMETER_LOCATION_UNSPECIFIED",
        "body",
        "query",
        "header",
        "path",
    ]
    value: Any


class TestCall(TypedDict, total=False):
    phone_number: str | None
    from_number: str | None
    call_settings: CallSettingsBody | None
    variables: dict[str, str | float | bool] | None
    context: dict[str, Any]
    metadata: dict[str, JsonValue] | None


TestCallObject = TypedDict(
    "TestCallObject",
    {
        "id": "Required[str]",
        "status": "Required[Literal['queued', 'ringing', 'in_progress', 'completed', 'failed']]",
        "direction": "Required[Literal['inbound', 'outbound', 'webrtc']]",
        "agent_id": "Required[str]",
        "to": "Required[str | None]",
        "from": "Required[str | None]",
        "duration_seconds": "Required[int | None]",
        "recording_url": "Required[str | None]",
        "transcript_url": "Required[str | None]",
        "summary": "Required[str | None]",
        "cost_credits": "Required[int]",
        "metadata": "Required[dict[str, Any]]",
        "started_at": "Required[str | None]",
        "ended_at": "Required[str | None]",
        "created_at": "Required[str]",
        "updated_at": "Required[str]",
        "ended_reason": "Required[Literal['user_hangup', 'agent_hangup', 'transferred', 'voicemail', 'inactivity', 'max_duration', 'no_answer', 'busy', 'declined', 'invalid_destination', 'unreachable', 'cancelled', 'dnc_blocked', 'outside_window', 'no_phone_number_configured', 'insufficient_credits', 'no_media', 'provider_error', 'carrier_error', 'internal_error', 'recovered_after_crash'] | None]",
        "outcome": "Required[Literal['contacted', 'voicemail', 'no_answer', 'escalated', 'interested', 'not_interested', 'busy', 'failed'] | None]",
        "sentiment": "Required[str | None]",
        "phone_number": "Required[str | None]",
        "from_number": "Required[str | None]",
        "to_number": "Required[str | None]",
        "variables": "Required[dict[str, str]]",
        "latency": "Required[LatencyObject]",
        "analysis": "Required[dict[str, Any] | None]",
        "trunk_id": "Required[str | None]",
        "media_quality": "Required[QualityObject | None]",
        "transfer": "Required[TransferObject | None]",
        "transcript": "list[TurnObject] | None",
        "call_id": "Required[str]",
        "join_url": "Required[str | None]",
    },
    total=False,
)


class TestWebhookEndpoint(TypedDict, total=False):
    event: Literal[
        "call.started",
        "call.joined",
        "call.ended",
        "call.analyzed",
        "call.billed",
        "call.failed",
        "batch.status.changed",
        "batch.completed",
        "voice.training.completed",
        "voice.training.failed",
        "credits.low",
    ]


class ToolObject(TypedDict, total=False):
    id: Required[str]
    name: Required[str]
    type: Required[Literal["http", "mcp"]]
    description: Required[str]
    url: Required[str | None]
    method: Required[Literal["GET", "POST", "PUT", "PATCH", "DELETE"]]
    headers: Required[dict[str, str | None]]
    body_template: Required[str | None]
    timeout_seconds: Required[float]
    created_at: Required[str]
    updated_at: Required[str]
    definition: Required[dict[str, Any]]
    category: Required[str | None]
    response_schema: Required[dict[str, Any] | None]


class ToolTestObject(TypedDict, total=False):
    status: Required[int | None]
    duration_ms: Required[int]
    is_error: Required[bool]
    response: Required[str]
    request: Required[dict[str, Any] | None]


class ToolTrial(TypedDict, total=False):
    arguments: dict[str, Any]
    context: dict[str, str]
    tool: str | None


class TranscriptObject(TypedDict, total=False):
    call_id: Required[str]
    transcript: Required[list[TurnObject]]
    summary: Required[str | None]


class TransferCall(TypedDict, total=False):
    phone_number: Required[str]
    to: str
    to_number: str
    mode: Literal["blind", "attended"]
    introduction: str | None
    timeout: str | float | None


class TransferNumberBody(TypedDict, total=False):
    name: Required[str]
    phone_number: Required[str]
    mode: Literal["blind", "attended"]


class TransferNumberObject(TypedDict, total=False):
    name: Required[str]
    phone_number: Required[str]
    mode: Required[Literal["blind", "attended"]]


class TransferObject(TypedDict, total=False):
    to: Required[str]
    mode: Required[Literal["blind", "attended"]]
    status: Required[Literal["requested", "ringing", "talking", "connected", "failed"]]
    reason: Required[str | None]


class TrunkHostBody(TypedDict, total=False):
    host: Required[str]
    port: int | None
    priority: int
    weight: int


class TrunkHostObject(TypedDict, total=False):
    host: Required[str]
    port: Required[int | None]
    priority: Required[int]
    weight: Required[int]


class TrunkObject(TypedDict, total=False):
    id: Required[str]
    name: Required[str]
    origin: Required[Literal["api", "toml"]]
    is_enabled: Required[bool]
    hosts: Required[list[TrunkHostObject]]
    transport: Required[Literal["udp", "tcp", "tls"]]
    username: Required[str | None]
    has_password: Required[bool]
    registers: Required[bool]
    registration_expires_seconds: Required[int]
    outbound_proxy: Required[str | None]
    allowed_sources: Required[list[str]]
    inbound_username: Required[str | None]
    has_inbound_password: Required[bool]
    caller_id_form: Required[Literal["from", "p_asserted_identity", "remote_party_id"]]
    number_format: Required[Literal["e164", "e164_without_plus", "national", "international"]]
    number_prefix: Required[str]
    default_region: Required[str]
    codecs: Required[list[Literal["PCMU", "PCMA", "G722", "OPUS"]]]
    srtp: Required[Literal["off", "optional", "required"]]
    max_calls_per_second: Required[float | None]
    max_concurrent_calls: Required[int | None]
    session_timer: Required[Literal["off", "accept", "request"]]
    session_expires_seconds: Required[int]
    allowed_prefixes: Required[list[str]]
    premium_allowed: Required[bool]
    transfer: Required[Literal["auto", "refer", "bridge"]]
    accepts_refer: Required[bool]
    dtmf: Required[Literal["auto", "rfc4733", "inband"]]
    nat: Required[Literal["auto", "off"]]
    tls_ca: Required[str | None]
    tls_certificate: Required[str | None]
    has_tls_private_key: Required[bool]
    tls_server_name: Required[str | None]
    tls_verify: Required[bool]
    status: Required[TrunkStatusObject]
    created_at: Required[str]
    updated_at: Required[str]


class TrunkStatusObject(TypedDict, total=False):
    registration: Required[Literal["off", "registering", "registered", "refused", "failed"] | None]
    registration_error: Required[str | None]
    is_reachable: Required[bool | None]
    round_trip_ms: Required[float | None]
    last_error: Required[str | None]
    live_calls: Required[int]
    checked_at: Required[str | None]
    gateways: Required[list[GatewayStatusObject]]


class TurnLatencyObject(TypedDict, total=False):
    total_ms: Required[int]
    endpoint_ms: Required[int]
    recognition_ms: Required[int]
    model_ms: Required[int]
    speech_ms: Required[int]
    playout_ms: Required[int]


class TurnObject(TypedDict, total=False):
    speaker: Required[Literal["agent", "contact"]]
    text: Required[str]
    timestamp: Required[float]
    end_timestamp: Required[float]
    interrupted: Required[bool]
    latency: Required[TurnLatencyObject | None]


class UnassignNumber(TypedDict, total=False):
    number_id: Required[str]
    assignment_type: Required[Literal["inbound", "outbound"]]


class UnassignedNumberObject(TypedDict, total=False):
    id: Required[str]
    number: Required[str]
    phone_number: Required[str]
    friendly_name: Required[str | None]
    status: Required[Literal["active", "inactive", "pending"]]
    organization_id: Required[str]
    is_trudy_managed: Required[bool]
    agent_id: Required[None]
    inbound_agent_id: Required[str | None]
    outbound_agent_id: Required[str | None]
    trunk_id: Required[str | None]
    telephony_credential_id: Required[str | None]
    created_at: Required[str]
    updated_at: Required[str]
    provider_type: Required[Literal["telnyx", "twilio"] | None]
    unassigned_at: Required[str]


class UnauthorizedRefusal(TypedDict, total=False):
    error: Required[dict[str, Any]]
    meta: Required[Meta]


class UnavailableRefusal(TypedDict, total=False):
    error: Required[dict[str, Any]]
    meta: Required[Meta]


class UpdateAgent(TypedDict, total=False):
    name: str | None
    voice_id: str | None
    system_prompt: str | None
    instructions: str
    status: Literal["draft", "active"] | None
    description: str | None
    model: str | None
    tools: list[str] | None
    knowledge_bases: list[str] | None
    knowledge_base_ids: list[str]
    temperature: float | None
    recording_enabled: bool | None
    language_hint: str | None
    join_timeout: str | float | None
    max_duration: str | float | None
    time_exceeded_message: str | None
    greeting: str | None
    greeting_settings: GreetingSettings | None
    inactivity_message: str | None
    inactivity_timeout: str | float | None
    inactivity_messages: list[InactivityMessageBody] | None
    initial_output_medium: Literal["MESSAGE_MEDIUM_VOICE", "MESSAGE_MEDIUM_TEXT", "MESSAGE_MEDIUM_UNSPECIFIED"] | None
    vad_settings: VadSettingsBody | None
    flow: FlowBody | None
    template_id: str | None
    call_template_name: str | None
    success_criteria: str | None
    extraction_schema: dict[str, Any] | None
    crm_webhook_url: str | None
    crm_webhook_secret: str | None
    recognizer: str | None
    fallbacks: FallbacksBody | None
    languages: list[str] | None
    voicemail_settings: VoicemailSettingsBody | None
    screening_settings: ScreeningSettingsBody | None
    transfer_number: str | None
    transfer_numbers: list[TransferNumberBody] | None


class UpdateApiKey(TypedDict, total=False):
    name: str | None
    allow_list: list[str] | None
    requests_per_minute: int | None


class UpdateBatchCall(TypedDict, total=False):
    name: str | None
    agent_id: str | None
    phone_number_ids: list[str] | None
    phone_rotation_strategy: Literal["random", "sequential", "round_robin"] | None
    schedule_type: Literal["immediate", "scheduled"] | None
    scheduled_at: str | None
    timezone: str | None
    start_time: str | None
    end_time: str | None
    working_days: list[int] | None
    max_calls_per_day: int | None
    max_concurrent_calls: int | None
    concurrency: int
    calls_per_second: float | None
    retry_failed: bool | None
    retry_attempts: int | None
    retry_delay_minutes: list[int] | None
    retry_rules: RetryRulesBody | None
    max_credits: int | None
    max_failure_rate: float | None
    min_answer_rate: float | None
    metadata: dict[str, JsonValue] | None


class UpdateCall(TypedDict, total=False):
    call_settings: CallSettingsBody | None
    variables: dict[str, str | float | bool] | None
    context: dict[str, Any]
    metadata: dict[str, JsonValue] | None


class UpdateContact(TypedDict, total=False):
    phone_number: str | None
    phone: str | None
    first_name: str | None
    last_name: str | None
    name: str | None
    email: str | None
    company_name: str | None
    industry: str | None
    location: str | None
    pin_code: str | None
    keywords: str | list[str] | None
    custom_fields: dict[str, Any] | None
    metadata: dict[str, Any] | None
    timezone: str | None
    folder_id: str | None
    country: str | None


class UpdateCredential(TypedDict, total=False):
    friendly_name: str | None
    api_key: str | None
    auth_token: str | None


class UpdateDncEntry(TypedDict, total=False):
    reason: str | None


class UpdateFolder(TypedDict, total=False):
    name: str
    description: str | None


class UpdateKnowledgeBase(TypedDict, total=False):
    name: str | None
    description: str | None


class UpdateNumber(TypedDict, total=False):
    friendly_name: str | None
    trunk_id: str | None


class UpdateOrganization(TypedDict, total=False):
    name: str | None
    default_region: str | None
    timezone: str | None
    credits_low_mark: int | None
    daily_credit_limit: int | None
    recording_retention_days: int | None
    transcript_retention_days: int | None


class UpdateTool(TypedDict, total=False):
    name: str | None
    description: str | None
    definition: DefinitionBody | None
    type: Literal["http", "mcp"] | None
    url: str | None
    endpoint: str | None
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] | None
    headers: dict[str, str] | None
    parameters: list[ParameterBody] | ObjectSchemaBody | None
    authentication: AuthenticationBody | None
    body_template: str | None
    timeout_seconds: float | str | None
    category: str | None
    response_schema: dict[str, Any] | None


class UpdateTrunk(TypedDict, total=False):
    name: str | None
    hosts: list[str | dict[str, Any]] | None
    transport: Literal["udp", "tcp", "tls"] | None
    username: str | None
    password: str | None
    registers: bool | None
    registration_expires_seconds: int | None
    outbound_proxy: str | None
    allowed_sources: list[str] | None
    inbound_username: str | None
    inbound_password: str | None
    caller_id_form: Literal["from", "p_asserted_identity", "remote_party_id"] | None
    number_format: Literal["e164", "e164_without_plus", "national", "international"] | None
    number_prefix: str | None
    default_region: str | None
    codecs: list[Literal["PCMU", "PCMA", "G722", "OPUS"]] | None
    srtp: Literal["off", "optional", "required"] | None
    max_calls_per_second: float | None
    max_concurrent_calls: int | None
    session_timer: Literal["off", "accept", "request"] | None
    session_expires_seconds: int | None
    allowed_prefixes: list[str] | None
    premium_allowed: bool | None
    transfer: Literal["auto", "refer", "bridge"] | None
    accepts_refer: bool | None
    dtmf: Literal["auto", "rfc4733", "inband"] | None
    nat: Literal["auto", "off"] | None
    tls_ca: str | None
    tls_certificate: str | None
    tls_private_key: str | None
    tls_server_name: str | None
    tls_verify: bool | None
    is_enabled: bool | None


class UpdateVoice(TypedDict, total=False):
    name: str | None
    description: str | None


class UpdateWebhookEndpoint(TypedDict, total=False):
    url: str | None
    description: str | None
    event_types: (
        list[
            Literal[
                "call.started",
                "call.joined",
                "call.ended",
                "call.analyzed",
                "call.billed",
                "call.failed",
                "batch.status.changed",
                "batch.completed",
                "voice.training.completed",
                "voice.training.failed",
                "credits.low",
                "*",
                "all",
            ]
        ]
        | None
    )
    enabled: bool | None
    agent_id: str | None


class UsageObject(TypedDict, total=False):
    period: Required[str | None]
    agent_id: Required[str | None]
    phone_number: Required[str | None]
    batch_call_id: Required[str | None]
    calls: Required[int]
    answered_calls: Required[int]
    duration_seconds: Required[int]
    minutes: Required[float]
    credits: Required[int]


class VadSettingsBody(TypedDict, total=False):
    turn_endpoint_delay: str | float
    minimum_turn_duration: str | float
    minimum_interruption_duration: str | float
    frame_activation_threshold: float


class VadSettingsObject(TypedDict, total=False):
    turn_endpoint_delay: Required[str]
    minimum_turn_duration: Required[str]
    minimum_interruption_duration: Required[str]
    frame_activation_threshold: Required[float]


class ValidationErrorRefusal(TypedDict, total=False):
    error: Required[dict[str, Any]]
    meta: Required[Meta]


class VoiceObject(TypedDict, total=False):
    id: Required[str]
    name: Required[str]
    provider: Required[str]
    type: Required[Literal["reference", "custom"]]
    language: Required[str | None]
    status: Required[Literal["training", "active", "failed"]]
    created_at: Required[str | None]
    updated_at: Required[str | None]
    description: Required[str | None]
    provider_voice_id: Required[str]
    error: Required[str | None]


class VoicemailSettingsBody(TypedDict, total=False):
    detection: bool
    action: Literal["hang_up", "leave_message", "continue"]
    message: str | None


class VoicemailSettingsObject(TypedDict, total=False):
    detection: Required[bool]
    action: Required[Literal["hang_up", "leave_message", "continue"]]
    message: Required[str | None]


class WebhookDeliveryDetailObject(TypedDict, total=False):
    id: Required[str]
    endpoint_id: Required[str]
    event_id: Required[str]
    event: Required[
        Literal[
            "call.started",
            "call.joined",
            "call.ended",
            "call.analyzed",
            "call.billed",
            "call.failed",
            "batch.status.changed",
            "batch.completed",
            "voice.training.completed",
            "voice.training.failed",
            "credits.low",
        ]
    ]
    subject_id: Required[str]
    call_id: Required[str | None]
    status: Required[Literal["pending", "delivered", "parked"]]
    attempt_count: Required[int]
    next_attempt_at: Required[str | None]
    delivered_at: Required[str | None]
    response_status: Required[int | None]
    error: Required[str | None]
    created_at: Required[str]
    updated_at: Required[str]
    body: Required[dict[str, Any]]
    attempts: Required[list[DeliveryAttemptObject]]


class WebhookDeliveryObject(TypedDict, total=False):
    id: Required[str]
    endpoint_id: Required[str]
    event_id: Required[str]
    event: Required[
        Literal[
            "call.started",
            "call.joined",
            "call.ended",
            "call.analyzed",
            "call.billed",
            "call.failed",
            "batch.status.changed",
            "batch.completed",
            "voice.training.completed",
            "voice.training.failed",
            "credits.low",
        ]
    ]
    subject_id: Required[str]
    call_id: Required[str | None]
    status: Required[Literal["pending", "delivered", "parked"]]
    attempt_count: Required[int]
    next_attempt_at: Required[str | None]
    delivered_at: Required[str | None]
    response_status: Required[int | None]
    error: Required[str | None]
    created_at: Required[str]
    updated_at: Required[str]


class WebhookEndpointObject(TypedDict, total=False):
    id: Required[str]
    url: Required[str]
    description: Required[str | None]
    event_types: Required[
        list[
            Literal[
                "call.started",
                "call.joined",
                "call.ended",
                "call.analyzed",
                "call.billed",
                "call.failed",
                "batch.status.changed",
                "batch.completed",
                "voice.training.completed",
                "voice.training.failed",
                "credits.low",
            ]
            | Literal["*"]
        ]
    ]
    enabled: Required[bool]
    agent_id: Required[str | None]
    old_secret_expires_at: Required[str | None]
    failing_since: Required[str | None]
    pending_count: Required[int]
    parked_count: Required[int]
    created_at: Required[str]
    updated_at: Required[str]


class WebhookEndpointSecretObject(TypedDict, total=False):
    id: Required[str]
    url: Required[str]
    description: Required[str | None]
    event_types: Required[
        list[
            Literal[
                "call.started",
                "call.joined",
                "call.ended",
                "call.analyzed",
                "call.billed",
                "call.failed",
                "batch.status.changed",
                "batch.completed",
                "voice.training.completed",
                "voice.training.failed",
                "credits.low",
            ]
            | Literal["*"]
        ]
    ]
    enabled: Required[bool]
    agent_id: Required[str | None]
    old_secret_expires_at: Required[str | None]
    failing_since: Required[str | None]
    pending_count: Required[int]
    parked_count: Required[int]
    created_at: Required[str]
    updated_at: Required[str]
    secret: Required[str]


class WebhookUrlObject(TypedDict, total=False):
    agent_id: Required[str]
    webhook_url: Required[str]
    sip_uri: Required[str]


class ExportCallsQuery(TypedDict, total=False):
    format: Literal["csv", "ndjson"]
    include: Literal["transcript"]
    agent_id: str
    status: Literal[
        "queued", "ringing", "in_progress", "completed", "failed", "created", "in-progress", "ended", "cancelled"
    ]
    direction: Literal["inbound", "outbound", "webrtc"]
    batch_call_id: str
    campaign_id: str
    contact_id: str
    from_number: str
    to_number: str
    ended_reason: Literal[
        "user_hangup",
        "agent_hangup",
        "transferred",
        "voicemail",
        "inactivity",
        "max_duration",
        "no_answer",
        "busy",
        "declined",
        "invalid_destination",
        "unreachable",
        "cancelled",
        "dnc_blocked",
        "outside_window",
        "no_phone_number_configured",
        "insufficient_credits",
        "no_media",
        "provider_error",
        "carrier_error",
        "internal_error",
        "recovered_after_crash",
    ]
    outcome: Literal[
        "contacted", "voicemail", "no_answer", "escalated", "interested", "not_interested", "busy", "failed"
    ]
    created_after: str
    created_before: str
    min_duration: str
    max_duration: str
    q: str
    sort: Literal["-created_at", "created_at", "-duration_seconds", "-cost_credits", "-latency_p50"]
    metadata: dict[str, str]


class ListCallsQuery(TypedDict, total=False):
    cursor: str
    include: Literal["transcript"]
    agent_id: str
    status: Literal[
        "queued", "ringing", "in_progress", "completed", "failed", "created", "in-progress", "ended", "cancelled"
    ]
    direction: Literal["inbound", "outbound", "webrtc"]
    batch_call_id: str
    campaign_id: str
    contact_id: str
    from_number: str
    to_number: str
    ended_reason: Literal[
        "user_hangup",
        "agent_hangup",
        "transferred",
        "voicemail",
        "inactivity",
        "max_duration",
        "no_answer",
        "busy",
        "declined",
        "invalid_destination",
        "unreachable",
        "cancelled",
        "dnc_blocked",
        "outside_window",
        "no_phone_number_configured",
        "insufficient_credits",
        "no_media",
        "provider_error",
        "carrier_error",
        "internal_error",
        "recovered_after_crash",
    ]
    outcome: Literal[
        "contacted", "voicemail", "no_answer", "escalated", "interested", "not_interested", "busy", "failed"
    ]
    created_after: str
    created_before: str
    min_duration: str
    max_duration: str
    q: str
    sort: Literal["-created_at", "created_at", "-duration_seconds", "-cost_credits", "-latency_p50"]
    limit: int
    offset: int
    metadata: dict[str, str]


class ListEventsQuery(TypedDict, total=False):
    limit: int
    offset: int


class ListAgentsQuery(TypedDict, total=False):
    status: Literal["draft", "creating", "active", "failed"]
    name: str
    limit: int
    offset: int


class ListAgentTemplatesQuery(TypedDict, total=False):
    limit: int
    offset: int


class ListAgentVersionsQuery(TypedDict, total=False):
    limit: int
    offset: int


class ListBatchCallsQuery(TypedDict, total=False):
    status: Literal["draft", "scheduled", "active", "running", "paused", "completed", "failed", "cancelled"]
    limit: int
    offset: int


class ListBatchContactsQuery(TypedDict, total=False):
    status: Literal["pending", "scheduled", "calling", "completed", "failed"]
    limit: int
    offset: int


class ListKnowledgeBasesQuery(TypedDict, total=False):
    name: str
    limit: int
    offset: int


class ListSourcesQuery(TypedDict, total=False):
    status: Literal["processing", "ready", "failed"]
    limit: int
    offset: int


class ListFoldersQuery(TypedDict, total=False):
    sort_by: Literal["name", "created_at", "contact_count"]
    order: Literal["asc", "desc"]
    limit: int
    offset: int


class ListDncEntriesQuery(TypedDict, total=False):
    search: str
    limit: int
    offset: int


class ExportContactsQuery(TypedDict, total=False):
    folder_id: str


class ListContactsQuery(TypedDict, total=False):
    folder_id: str
    search: str
    last_call_outcome: Literal[
        "contacted", "voicemail", "no_answer", "escalated", "interested", "not_interested", "busy", "failed"
    ]
    limit: int
    offset: int
    page: int


class ListVoicesQuery(TypedDict, total=False):
    source: Literal["custom", "system", "ultravox"]
    limit: int
    offset: int


class ListCredentialsQuery(TypedDict, total=False):
    limit: int
    offset: int


class ListNumbersQuery(TypedDict, total=False):
    limit: int
    offset: int


class ListTrunksQuery(TypedDict, total=False):
    limit: int
    offset: int


class ListWebhookEndpointsQuery(TypedDict, total=False):
    enabled: bool
    limit: int
    offset: int


class ListWebhookDeliveriesQuery(TypedDict, total=False):
    endpoint_id: str
    event: Literal[
        "call.started",
        "call.joined",
        "call.ended",
        "call.analyzed",
        "call.billed",
        "call.failed",
        "batch.status.changed",
        "batch.completed",
        "voice.training.completed",
        "voice.training.failed",
        "credits.low",
    ]
    event_id: str
    status: Literal["pending", "delivered", "parked"]
    call_id: str
    limit: int
    offset: int


class ListAllEventsQuery(TypedDict, total=False):
    event: Literal[
        "call.started",
        "call.joined",
        "call.ended",
        "call.analyzed",
        "call.billed",
        "call.failed",
        "batch.status.changed",
        "batch.completed",
        "voice.training.completed",
        "voice.training.failed",
        "credits.low",
    ]
    call_id: str
    since: str
    sort: Literal["-created_at", "created_at"]
    after: str
    cursor: str
    limit: int
    offset: int


class ExportPersonQuery(TypedDict, total=False):
    phone_number: Required[str]
    country: str


class ListErasuresQuery(TypedDict, total=False):
    limit: int
    offset: int


class ListApiKeysQuery(TypedDict, total=False):
    limit: int
    offset: int


class ListLedgerQuery(TypedDict, total=False):
    type: Literal["grant", "hold", "release", "charge", "refund"]
    call_id: str
    limit: int
    offset: int


ListUsageQuery = TypedDict(
    "ListUsageQuery",
    {
        "from": "str",
        "to": "str",
        "interval": "Literal['day', 'month', 'total']",
        "group_by": "Literal['agent', 'number', 'batch']",
        "agent_id": "str",
        "phone_number": "str",
        "batch_call_id": "str",
        "limit": "int",
        "offset": "int",
    },
    total=False,
)


class ListToolsQuery(TypedDict, total=False):
    name: str
    limit: int
    offset: int


JsonValue = Any
