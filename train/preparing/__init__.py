"""What `affect prepare` is made of: faces found, aligned, and written block by block."""
