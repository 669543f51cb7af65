"""Fields that an audit event does not carry as such but rules need: one concept a file, each a table of getters."""
