-- +goose Up
-- Text sorts by its bytes, as in the other store. Only what the engines that
-- speak this protocol share is used: no sequences, no triggers, no foreign keys.
CREATE TABLE IF NOT EXISTS objects (
    account     text COLLATE "C" NOT NULL,
    kind        text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    parent      text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,
    description text COLLATE "C" NOT NULL,
    owner       text COLLATE "C" NOT NULL,
    version     bigint NOT NULL,
    tag         text COLLATE "C" NOT NULL,
    created_at  bigint NOT NULL,
    created_by  text COLLATE "C" NOT NULL,
    modified_at bigint NOT NULL,
    modified_by text COLLATE "C" NOT NULL,
    body        text NOT NULL,
    PRIMARY KEY (account, kind, id)
);
CREATE INDEX IF NOT EXISTS objects_by_id ON objects (kind, id);
CREATE INDEX IF NOT EXISTS objects_by_birth ON objects (account, kind, created_at, id);
CREATE INDEX IF NOT EXISTS objects_by_name ON objects (account, kind, name, id);
CREATE INDEX IF NOT EXISTS objects_by_parent ON objects (account, kind, parent, created_at, id) WHERE parent <> '';
CREATE INDEX IF NOT EXISTS objects_by_owner ON objects (account, kind, owner, created_at, id) WHERE owner <> '';

CREATE TABLE IF NOT EXISTS keys (
    space   text COLLATE "C" NOT NULL,
    value   text COLLATE "C" NOT NULL,
    account text COLLATE "C" NOT NULL,
    kind    text COLLATE "C" NOT NULL,
    id      text COLLATE "C" NOT NULL,
    PRIMARY KEY (space, value)
);
CREATE INDEX IF NOT EXISTS keys_by_object ON keys (account, kind, id);

CREATE TABLE IF NOT EXISTS heads (
    account    text COLLATE "C" NOT NULL PRIMARY KEY,
    seq        bigint NOT NULL,
    touched_at bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS heads_by_time ON heads (touched_at);

CREATE TABLE IF NOT EXISTS events (
    account     text COLLATE "C" NOT NULL,
    seq         bigint NOT NULL,
    happened_at bigint NOT NULL,
    kind        text COLLATE "C" NOT NULL,
    target      text COLLATE "C" NOT NULL,
    action      text COLLATE "C" NOT NULL,
    body        text NOT NULL,
    PRIMARY KEY (account, seq)
);
CREATE INDEX IF NOT EXISTS events_by_target ON events (account, kind, target, seq);
CREATE INDEX IF NOT EXISTS events_by_time ON events (happened_at);

CREATE TABLE IF NOT EXISTS tokens (
    space      text COLLATE "C" NOT NULL,
    token_key  text COLLATE "C" NOT NULL,
    account    text COLLATE "C" NOT NULL,
    owner      text COLLATE "C" NOT NULL,
    expires_at bigint NOT NULL,
    created_at bigint NOT NULL,
    body       text NOT NULL,
    PRIMARY KEY (space, token_key)
);
CREATE INDEX IF NOT EXISTS tokens_by_owner ON tokens (space, account, owner);
CREATE INDEX IF NOT EXISTS tokens_by_expiry ON tokens (expires_at);

CREATE TABLE IF NOT EXISTS activity (
    account text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    uses    bigint NOT NULL,
    last_at bigint NOT NULL,
    PRIMARY KEY (account, subject)
);
