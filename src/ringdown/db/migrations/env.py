"""Alembic's entry: runs the migrations on the connection that `db.migrate` hands over."""

from alembic import context

from ringdown.db import engine

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=engine.metadata,
    render_as_batch=False,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
