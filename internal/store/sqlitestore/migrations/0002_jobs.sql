-- +goose Up
CREATE TABLE IF NOT EXISTS jobs (
    account     TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    body        TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    due_at      INTEGER NOT NULL,
    wishes      INTEGER NOT NULL,
    node        TEXT    NOT NULL,
    until_at    INTEGER NOT NULL,
    claim       INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    done        INTEGER NOT NULL,
    total       INTEGER NOT NULL,
    note        TEXT    NOT NULL,
    error       TEXT    NOT NULL,
    finished_at INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    PRIMARY KEY (account, kind, id)
);
CREATE INDEX IF NOT EXISTS jobs_by_time ON jobs (kind, due_at) WHERE finished_at = 0;
CREATE INDEX IF NOT EXISTS jobs_by_expiry ON jobs (expires_at) WHERE finished_at <> 0;
