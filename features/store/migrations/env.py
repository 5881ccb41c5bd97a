"""How Alembic runs the steps: on the connection that `features.store.schema` hands it."""

from alembic import context

from features.store.drawn import HandoffState

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=HandoffState.metadata,
    render_as_batch=True,
)
context.run_migrations()
