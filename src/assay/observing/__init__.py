"""What an operator sees of a running process from outside: numbers (``meter``) and traces (``tracer``)."""
