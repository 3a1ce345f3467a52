"""The first call: organizations, keys, agents, numbers, calls and what belongs to them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create all tables."""
    _create_agents()
    _create_attempts()
    _create_call_commands()
    _create_call_events()
    _create_calls()
    _create_idempotency_keys()
    _create_jobs()
    _create_knowledge_bases()
    _create_knowledge_chunks()
    _create_knowledge_sources()
    _create_ledger_entries()
    _create_organizations()
    _create_phone_numbers()
    _create_request_windows()
    _create_secrets()
    _create_tools()
    _create_trunk_leases()
    _create_trunk_paces()
    _create_trunk_statuses()
    _create_trunks()
    _create_turns()
    _create_api_keys()


def _create_agents() -> None:
    op.create_table(
        "agents",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("configuration", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "id"),
    )
    op.create_index("ix_agents_listing", "agents", ["organization_id", "created_at", "id"], unique=False)


def _create_attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("gateway_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("contact_id", sa.Text(), nullable=True),
        sa.Column("batch_call_id", sa.Text(), nullable=True),
        sa.Column("dialog_state", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("media_ms", sa.BigInteger(), nullable=False),
        sa.Column("lease_renewed_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "id"),
        sa.UniqueConstraint("organization_id", "call_id", name="ux_attempts_organization_id_call_id"),
    )
    op.create_index(
        "ix_attempts_live",
        "attempts",
        ["gateway_id"],
        unique=False,
        sqlite_where=sa.text("state != 'ended'"),
        postgresql_where=sa.text("state != 'ended'"),
    )


def _create_call_commands() -> None:
    op.create_table(
        "call_commands",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("arguments", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "id"),
    )
    op.create_index("ix_call_commands_call", "call_commands", ["organization_id", "call_id"], unique=False)


def _create_call_events() -> None:
    op.create_table(
        "call_events",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.Integer(), nullable=False),
        sa.Column("details", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "call_id", "position"),
    )


def _create_calls() -> None:
    op.create_table(
        "calls",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("to_number", sa.Text(), nullable=True),
        sa.Column("from_number", sa.Text(), nullable=True),
        sa.Column("settings", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("variables", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("metadata", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("batch_call_id", sa.Text(), nullable=True),
        sa.Column("contact_id", sa.Text(), nullable=True),
        sa.Column("duration_seconds", sa.Integer(), nullable=True),
        sa.Column("has_recording", sa.Boolean(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=True),
        sa.Column("cost_credits", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_reason", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("sentiment", sa.Text(), nullable=True),
        sa.Column("latency_p50_ms", sa.Integer(), nullable=True),
        sa.Column("latency_p95_ms", sa.Integer(), nullable=True),
        sa.Column("analysis", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("trunk_id", sa.Text(), nullable=True, comment="carries the call; null for phones on this machine"),
        sa.Column("media_quality", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("transfer", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "id"),
        sa.UniqueConstraint("organization_id", "seq", name="ux_calls_organization_id_seq"),
        sa.CheckConstraint("batch_call_id IS NULL OR direction = 'outbound'", name="ck_calls_batch_direction"),
    )
    op.create_index(
        "ix_calls_agent",
        "calls",
        ["organization_id", "agent_id", "seq", "status", "direction", "ended_reason"],
        unique=False,
    )
    op.create_index(
        "ix_calls_batch",
        "calls",
        ["organization_id", "batch_call_id", "seq", "agent_id", "status", "ended_reason"],
        unique=False,
    )
    op.create_index("ix_calls_created", "calls", ["organization_id", "created_at", "seq"], unique=False)
    op.create_index(
        "ix_calls_listing",
        "calls",
        ["organization_id", "seq", "agent_id", "status", "direction", "ended_reason"],
        unique=False,
    )
    op.create_index(
        "ix_calls_live_of_agent",
        "calls",
        ["organization_id", "agent_id"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(
        "ix_calls_live_of_trunk",
        "calls",
        ["organization_id", "trunk_id"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(
        "ix_calls_queued",
        "calls",
        ["created_at"],
        unique=False,
        sqlite_where=sa.text("status = 'queued'"),
        postgresql_where=sa.text("status = 'queued'"),
    )


def _create_idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("request_key", sa.Text(), nullable=False, comment="SHA-256 of endpoint and key"),
        sa.Column("body_hash", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False, comment="the request that works, or worked, on it"),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("resource_id", sa.Text(), nullable=True, comment="what the request has created, committed with it"),
        sa.Column("status", sa.Integer(), nullable=True, comment="null while in flight"),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("organization_id", "request_key"),
    )
    op.create_index("ix_idempotency_keys_started_at", "idempotency_keys", ["started_at"], unique=False)


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("organization_id", sa.Text(), nullable=False, comment="empty: the installation's own"),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False, comment="JSON object"),
        sa.Column("unique_key", sa.Text(), nullable=True, comment="at most one job of the kind has it"),
        sa.Column("interval_ms", sa.BigInteger(), nullable=True, comment="set: runs again this long after it was done"),
        sa.Column("due_at", sa.BigInteger(), nullable=True, comment="null: parked after too many failures"),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False, comment="runs since the last success"),
        sa.Column("lease_id", sa.Text(), nullable=True, comment="the claim that works, or worked, on it"),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "id"),
    )
    op.create_index("ix_jobs_due_at", "jobs", ["due_at"], unique=False)
    op.create_index(
        "ux_jobs_organization_id_kind_unique_key", "jobs", ["organization_id", "kind", "unique_key"], unique=True
    )


def _create_knowledge_bases() -> None:
    op.create_table(
        "knowledge_bases",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False, comment="grows when its vectors change"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "id"),
    )
    op.create_index(
        "ix_knowledge_bases_listing", "knowledge_bases", ["organization_id", "created_at", "id"], unique=False
    )


def _create_knowledge_chunks() -> None:
    op.create_table(
        "knowledge_chunks",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("knowledge_base_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(), nullable=False, comment="the row of the full-text index"),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False, comment="of title and text in order, with single spaces"),
        sa.Column("embedding_model", sa.Text(), nullable=True),
        sa.Column("embedding", sa.LargeBinary(), nullable=True, comment="32-bit floats of length 1, little-endian"),
        sa.PrimaryKeyConstraint("organization_id", "source_id", "position"),
        postgresql_with={"toast_tuple_target": 8160},
    )
    op.create_index(
        "ix_knowledge_chunks_base", "knowledge_chunks", ["organization_id", "knowledge_base_id", "number"], unique=False
    )
    op.create_index("ux_knowledge_chunks_number", "knowledge_chunks", ["number"], unique=True)
    if op.get_bind().dialect.name == "postgresql":
        lexemes = "array_to_tsvector(string_to_array(replace(knowledge_base_id, '_', '') || ' ' || words, ' '))"
        op.create_index(
            "ix_knowledge_chunks_words", "knowledge_chunks", [sa.text(lexemes)],
            postgresql_using="gin", postgresql_with={"fastupdate": "off"},
        )  # fmt: skip
        return
    op.execute(
        "CREATE VIRTUAL TABLE knowledge_words USING fts5(base, words, content='',"
        " tokenize=\"unicode61 remove_diacritics 0 categories 'L* M* N* Co'\")"
    )
    op.execute(
        "CREATE TRIGGER knowledge_words_insert AFTER INSERT ON knowledge_chunks BEGIN"
        " INSERT INTO knowledge_words(rowid, base, words)"
        " VALUES (new.number, replace(new.knowledge_base_id, '_', ''), new.words); END"
    )
    op.execute(
        "CREATE TRIGGER knowledge_words_delete AFTER DELETE ON knowledge_chunks BEGIN"
        " INSERT INTO knowledge_words(knowledge_words, rowid, base, words)"
        " VALUES ('delete', old.number, replace(old.knowledge_base_id, '_', ''), old.words); END"
    )


def _create_knowledge_sources() -> None:
    op.create_table(
        "knowledge_sources",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("knowledge_base_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="document, web or text"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("origin", sa.JSON(), nullable=False, comment="file name and format, or URLs and limits"),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("progress", sa.Double(), nullable=False, comment="0 to 1"),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("warnings", sa.JSON(), nullable=False),
        sa.Column("chunk_count", sa.Integer(), nullable=False),
        sa.Column("embedded_count", sa.Integer(), nullable=False),
        sa.Column("embedding_model", sa.Text(), nullable=True),
        sa.Column("cursor", sa.JSON(none_as_null=True), nullable=True, comment="where the ingestion goes on"),
        sa.Column("run_id", sa.Text(), nullable=True, comment="the run that may write"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "id"),
    )
    op.create_index(
        "ix_knowledge_sources_base",
        "knowledge_sources",
        ["organization_id", "knowledge_base_id", "created_at", "id"],
        unique=False,
    )


def _create_ledger_entries() -> None:
    op.create_table(
        "ledger_entries",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="grant, hold, release, charge or refund"),
        sa.Column("amount", sa.BigInteger(), nullable=False, comment="credits; negative when it takes"),
        sa.Column("call_id", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "id"),
    )
    op.create_index(
        "ix_ledger_entries_organization_id_amount", "ledger_entries", ["organization_id", "amount"], unique=False
    )
    op.create_index(
        "ux_ledger_entries_organization_id_call_id_kind",
        "ledger_entries",
        ["organization_id", "call_id", "kind"],
        unique=True,
        sqlite_where=sa.text("kind IN ('hold', 'release', 'charge')"),
        postgresql_where=sa.text("kind IN ('hold', 'release', 'charge')"),
    )


def _create_organizations() -> None:
    op.create_table(
        "organizations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("call_seq", sa.BigInteger(), server_default="0", nullable=False, comment="seq of the newest call"),
        sa.Column(
            "last_call_at",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="created_at of the newest call; the next one's is no smaller",
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _create_phone_numbers() -> None:
    op.create_table(
        "phone_numbers",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("phone_number", sa.Text(), nullable=False, comment="E.164"),
        sa.Column("friendly_name", sa.Text(), nullable=True),
        sa.Column("inbound_agent_id", sa.Text(), nullable=True, comment="rung by calls to the number"),
        sa.Column("outbound_agent_id", sa.Text(), nullable=True, comment="calls from the number"),
        sa.Column("status", sa.Text(), server_default="active", nullable=False),
        sa.Column("trunk_id", sa.Text(), nullable=True, comment="carries its calls"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "id"),
    )
    op.create_index(
        "ix_phone_numbers_organization_id_inbound_agent_id",
        "phone_numbers",
        ["organization_id", "inbound_agent_id"],
        unique=False,
    )
    op.create_index(
        "ix_phone_numbers_organization_id_outbound_agent_id",
        "phone_numbers",
        ["organization_id", "outbound_agent_id"],
        unique=False,
    )
    op.create_index(
        "ix_phone_numbers_organization_id_trunk_id", "phone_numbers", ["organization_id", "trunk_id"], unique=False
    )
    op.create_index("ux_phone_numbers_phone_number", "phone_numbers", ["phone_number"], unique=True)


def _create_request_windows() -> None:
    op.create_table(
        "request_windows",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("window_at", sa.BigInteger(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "key_id"),
    )


def _create_secrets() -> None:
    op.create_table(
        "secrets",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _create_tools() -> None:
    op.create_table(
        "tools",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("model_tool_name", sa.Text(), nullable=False),
        sa.Column("configuration", sa.JSON(), nullable=False, comment="secrets in it are sealed"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "id"),
    )
    op.create_index("ix_tools_listing", "tools", ["organization_id", "created_at", "id"], unique=False)
    op.create_index(
        "ux_tools_organization_id_model_tool_name", "tools", ["organization_id", "model_tool_name"], unique=True
    )


def _create_trunk_leases() -> None:
    op.create_table(
        "trunk_leases",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("trunk_id", sa.Text(), nullable=False),
        sa.Column("gateway_id", sa.Text(), nullable=False),
        sa.Column("renewed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "trunk_id"),
    )


def _create_trunk_paces() -> None:
    op.create_table(
        "trunk_paces",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("trunk_id", sa.Text(), nullable=False),
        sa.Column("next_dial_at", sa.BigInteger(), nullable=False, comment="milliseconds UTC; no call leaves before"),
        sa.PrimaryKeyConstraint("organization_id", "trunk_id"),
    )


def _create_trunk_statuses() -> None:
    op.create_table(
        "trunk_statuses",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("trunk_id", sa.Text(), nullable=False),
        sa.Column("gateway_id", sa.Text(), nullable=False),
        sa.Column("registration", sa.Text(), nullable=False),
        sa.Column("registration_error", sa.Text(), nullable=True),
        sa.Column("is_reachable", sa.Boolean(), nullable=True),
        sa.Column("round_trip_ms", sa.Double(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("live_calls", sa.Integer(), nullable=False),
        sa.Column("checked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "trunk_id", "gateway_id"),
    )


def _create_trunks() -> None:
    op.create_table(
        "trunks",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False, comment="api or toml"),
        sa.Column("configuration", sa.JSON(), nullable=False),
        sa.Column("password", sa.Text(), nullable=True, comment="sealed"),
        sa.Column("inbound_password", sa.Text(), nullable=True, comment="sealed"),
        sa.Column("tls_private_key", sa.Text(), nullable=True, comment="sealed"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "id"),
    )
    op.create_index("ux_trunks_organization_id_name", "trunks", ["organization_id", "name"], unique=True)


def _create_turns() -> None:
    op.create_table(
        "turns",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("speaker", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("start_ms", sa.Integer(), nullable=False),
        sa.Column("end_ms", sa.Integer(), nullable=False),
        sa.Column("interrupted", sa.Boolean(), nullable=False),
        sa.Column("latency", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("organization_id", "call_id", "position"),
    )


def _create_api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key_hash", sa.Text(), nullable=False, comment="SHA-256 of the key, in hexadecimal"),
        sa.Column("key_hint", sa.Text(), nullable=False, comment="the first characters of the key"),
        sa.Column("allow_list", sa.Text(), server_default="[]", nullable=False, comment="JSON list of networks"),
        sa.Column("requests_per_minute", sa.Integer(), nullable=True, comment="null: the setting's"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
        ),
        sa.PrimaryKeyConstraint("organization_id", "id"),
    )
    op.create_index("ux_api_keys_key_hash", "api_keys", ["key_hash"], unique=True)
    op.create_index(
        "ux_api_keys_organization_id_name",
        "api_keys",
        ["organization_id", "name"],
        unique=True,
        sqlite_where=sa.text("revoked_at IS NULL"),
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
