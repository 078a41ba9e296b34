"""The tables of a journal and the settings of its connections; docs/journal.md describes them.

SQLite lets any type into any column. The checks on types are for journals that somebody else made:
opening one checks them all, so that whoever reads a row can rely on what it is.
"""

from collections.abc import Mapping
from typing import Final

__all__ = ["APPLICATION_ID", "RUNNING_SETTINGS", "SCHEMA", "TYPES", "VERSION"]

APPLICATION_ID: Final = 0x61634664
"""`acFd`: what tells a journal from every other SQLite file."""

VERSION: Final = 1
"""`user_version`; a journal of a later one is refused."""

RUNNING_SETTINGS: Final = (
    "PRAGMA busy_timeout = 5000",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
    "PRAGMA foreign_keys = ON",
)
"""What every connection sets; the writer adds the journal mode and how it syncs."""

TYPES: Final[Mapping[str, str]] = {
    "node": (
        "typeof(port) = 'integer' AND "
        "typeof(host) = 'text' AND "
        "typeof(called) = 'text' AND "
        "typeof(calling) = 'text' AND "
        "typeof(name) = 'text'"
    ),
    "layout": ("typeof(columns) = 'text'"),
    "query": (
        "typeof(ordinal) = 'integer' AND "
        "typeof(place) = 'blob' AND "
        "typeof(range) IN ('text', 'null') AND "
        "typeof(identifier) = 'blob' AND "
        "typeof(model) = 'text' AND "
        "typeof(label) = 'text' AND "
        "typeof(verdict) IN ('text', 'null') AND "
        "typeof(status) IN ('integer', 'null') AND "
        "typeof(attempts) = 'integer' AND "
        "typeof(n) IN ('integer', 'null')"
    ),
    "attempt": (
        "typeof(mono_ms) IN ('real', 'null') AND "
        "typeof(kind) IN ('text', 'null') AND "
        "typeof(error) = 'text' AND "
        "typeof(hint) = 'text'"
    ),
    "response": (
        "typeof(n) = 'integer' AND "
        "typeof(status) = 'integer' AND "
        "typeof(syntax) = 'text' AND "
        "typeof(identifier) IN ('blob', 'null') AND "
        "typeof(blob) IN ('text', 'null')"
    ),
    "coverage": (
        "typeof(dimension) = 'text' AND "
        "typeof(low) IN ('text', 'null') AND "
        "typeof(high) IN ('text', 'null') AND "
        "typeof(rows) = 'integer' AND "
        "typeof(range) = 'text' AND "
        "typeof(reason) = 'text'"
    ),
}
"""What the columns of a table hold, where it is for SQLite to say.

It checks them on opening too, but not for those who only read, so everybody asks for them."""

SCHEMA: Final = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};

CREATE TABLE job (
    id TEXT PRIMARY KEY,
    spec_hash TEXT NOT NULL,
    created REAL NOT NULL,
    version TEXT NOT NULL,
    clean INTEGER NOT NULL CHECK (clean IN (0, 1)),
    split INTEGER CHECK (typeof(split) IN ('integer', 'null'))
);

CREATE TABLE node (
    id INTEGER PRIMARY KEY,
    host TEXT NOT NULL,
    port INTEGER NOT NULL,
    called TEXT NOT NULL,
    calling TEXT NOT NULL,
    name TEXT NOT NULL,
    tls INTEGER NOT NULL CHECK (tls IN (0, 1)),
    state TEXT NOT NULL DEFAULT 'ready',
    since REAL NOT NULL,
    UNIQUE (host, port, called, calling, name),
    CHECK ({TYPES["node"]})
);

CREATE TABLE layout (
    id INTEGER PRIMARY KEY,
    columns TEXT NOT NULL UNIQUE,
    CHECK ({TYPES["layout"]})
);

CREATE TABLE query (
    id INTEGER PRIMARY KEY,
    ordinal INTEGER NOT NULL,
    place BLOB NOT NULL UNIQUE,
    node INTEGER NOT NULL REFERENCES node (id),
    parent INTEGER REFERENCES query (id),
    range TEXT,
    key_hash BLOB NOT NULL UNIQUE,
    model TEXT NOT NULL,
    label TEXT NOT NULL,
    layout INTEGER NOT NULL REFERENCES layout (id),
    identifier BLOB NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending'
        CHECK (state IN ('pending', 'running', 'done', 'failed', 'skipped')),
    attempts INTEGER NOT NULL DEFAULT 0,
    done_attempt INTEGER REFERENCES attempt (id),
    verdict TEXT,
    status INTEGER,
    n INTEGER,
    CHECK ({TYPES["query"]})
);
CREATE INDEX query_to_ask ON query (node, state, place);

CREATE TABLE attempt (
    id INTEGER PRIMARY KEY,
    query INTEGER NOT NULL REFERENCES query (id),
    n INTEGER NOT NULL,
    started REAL NOT NULL,
    mono_ms REAL,
    bytes INTEGER,
    outcome TEXT NOT NULL DEFAULT 'running',
    kind TEXT,
    error TEXT NOT NULL DEFAULT '',
    hint TEXT NOT NULL DEFAULT '',
    UNIQUE (query, n),
    CHECK ({TYPES["attempt"]})
);

CREATE TABLE response (
    query INTEGER NOT NULL REFERENCES query (id),
    attempt INTEGER NOT NULL REFERENCES attempt (id),
    n INTEGER NOT NULL,
    status INTEGER NOT NULL,
    syntax TEXT NOT NULL,
    identifier BLOB,
    blob TEXT,
    sha256 BLOB NOT NULL,
    flags INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (query, attempt, n),
    CHECK ((identifier IS NULL) <> (blob IS NULL)),
    CHECK ({TYPES["response"]})
);

CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    node INTEGER REFERENCES node (id),
    kind TEXT NOT NULL,
    text TEXT NOT NULL
);

CREATE TABLE export (
    name TEXT PRIMARY KEY,
    rows INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    committed REAL NOT NULL
);

CREATE TABLE coverage (
    id INTEGER PRIMARY KEY,
    query INTEGER NOT NULL REFERENCES query (id),
    dimension TEXT NOT NULL,
    low TEXT,
    high TEXT,
    state TEXT NOT NULL CHECK (state IN ('proven', 'assumed', 'open')),
    rows INTEGER NOT NULL,
    range TEXT NOT NULL,
    reason TEXT NOT NULL,
    CHECK ({TYPES["coverage"]})
);
CREATE INDEX coverage_of ON coverage (query);

CREATE VIEW result AS
    SELECT query.place, query.ordinal, query.id AS query, query.node, response.n, response.status,
        response.syntax, response.identifier, response.blob, response.sha256, response.flags
    FROM query JOIN response
        ON response.query = query.id AND response.attempt = query.done_attempt
    WHERE query.state = 'done';

CREATE VIEW partial AS
    SELECT query.place, query.ordinal, query.id AS query, query.node, response.n, response.status,
        response.syntax, response.identifier, response.blob, response.sha256, response.flags
    FROM query JOIN response
        ON response.query = query.id AND response.attempt = query.done_attempt
    WHERE query.state <> 'done';
"""
