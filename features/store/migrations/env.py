"""How Alembic runs the steps: on the connection that `features.store.schema` hands it."""

from alembic import context

from features.store.tables import Row

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Row.metadata,
    render_as_batch=True,
)
context.run_migrations()
