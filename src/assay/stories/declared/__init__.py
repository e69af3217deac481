"""Configuration as code: a file that says what there shall be, and the store made to agree with it.

``format`` says which keys a file has, ``parsing`` reads one into the records of ``wanted``, ``current`` reads what
there is, ``planning`` compares the two into steps, ``rehearsing`` tries the steps on a copy, ``applying`` makes them,
and ``exporting`` writes a file from what there is.
"""
