"""What stands on the wire: the answers of the server API as Structs, and the functions that make them from records.

Field names, and which of them must be present and not null, follow the contract (§2, §4, §6, §7, §9): official
clients check each answer against their own models.
"""
