-- +goose Up
-- Objects keep a rowid: rows over 1,000 bytes would spill to overflow pages in
-- a table without one and take three times the room.
CREATE TABLE IF NOT EXISTS objects (
    account     TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    parent      TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    description TEXT    NOT NULL,
    owner       TEXT    NOT NULL,
    version     INTEGER NOT NULL,
    tag         TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    created_by  TEXT    NOT NULL,
    modified_at INTEGER NOT NULL,
    modified_by TEXT    NOT NULL,
    body        TEXT    NOT NULL,
    PRIMARY KEY (account, kind, id)
);
CREATE INDEX IF NOT EXISTS objects_by_id ON objects (kind, id);
CREATE INDEX IF NOT EXISTS objects_by_birth ON objects (account, kind, created_at, id);
CREATE INDEX IF NOT EXISTS objects_by_name ON objects (account, kind, name, id);
CREATE INDEX IF NOT EXISTS objects_by_parent ON objects (account, kind, parent, created_at, id) WHERE parent <> '';
CREATE INDEX IF NOT EXISTS objects_by_owner ON objects (account, kind, owner, created_at, id) WHERE owner <> '';

CREATE TABLE IF NOT EXISTS keys (
    space   TEXT NOT NULL,
    value   TEXT NOT NULL,
    account TEXT NOT NULL,
    kind    TEXT NOT NULL,
    id      TEXT NOT NULL,
    PRIMARY KEY (space, value)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS keys_by_object ON keys (account, kind, id);

CREATE TABLE IF NOT EXISTS heads (
    account    TEXT    NOT NULL PRIMARY KEY,
    seq        INTEGER NOT NULL,
    touched_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS events (
    account     TEXT    NOT NULL,
    seq         INTEGER NOT NULL,
    happened_at INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    target      TEXT    NOT NULL,
    action      TEXT    NOT NULL,
    body        TEXT    NOT NULL,
    PRIMARY KEY (account, seq)
);
CREATE INDEX IF NOT EXISTS events_by_target ON events (account, kind, target, seq);
CREATE INDEX IF NOT EXISTS events_by_time ON events (happened_at);

CREATE TABLE IF NOT EXISTS tokens (
    space      TEXT    NOT NULL,
    token_key  TEXT    NOT NULL,
    account    TEXT    NOT NULL,
    owner      TEXT    NOT NULL,
    expires_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    body       TEXT    NOT NULL,
    PRIMARY KEY (space, token_key)
);
CREATE INDEX IF NOT EXISTS tokens_by_owner ON tokens (space, account, owner);
CREATE INDEX IF NOT EXISTS tokens_by_expiry ON tokens (expires_at);

CREATE TABLE IF NOT EXISTS activity (
    account TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    uses    INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    PRIMARY KEY (account, subject)
) WITHOUT ROWID;
