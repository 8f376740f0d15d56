"""`affect annotate`: what it reads, what it makes of it, and what it writes."""
