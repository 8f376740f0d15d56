"""What `affect eval levasa` is made of: LeVAsa's seven tasks, the baselines beside them, and their report."""
