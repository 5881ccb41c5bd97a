"""What happened to leads, kept: who they were, what was scored, what sales said of them."""
