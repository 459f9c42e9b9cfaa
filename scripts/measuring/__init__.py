"""What the scripts beside this folder share: parties as processes, tables, one file for each kind of figure."""
