"""What `affect eval landmarks` is made of: Table II's protocol, its trainings, tables and pictures."""
