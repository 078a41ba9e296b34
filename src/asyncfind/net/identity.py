"""Who we say we are (PS3.7 Annex D.3.3.2)."""

from typing import Final

__all__ = ["IMPLEMENTATION_CLASS_UID", "IMPLEMENTATION_VERSION_NAME"]

IMPLEMENTATION_CLASS_UID: Final = "2.25.128942382383327134945110265922761888400"
"""A UUID of our own as a UID (PS3.5 Annex B.2); the same for all versions."""

IMPLEMENTATION_VERSION_NAME: Final = "ASYNCFIND_010"
"""At most 16 characters (PS3.7 Table D.3-3)."""
