-- +goose Up
CREATE TABLE IF NOT EXISTS jobs (
    account     text COLLATE "C" NOT NULL,
    kind        text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    body        text NOT NULL,
    created_at  bigint NOT NULL,
    due_at      bigint NOT NULL,
    wishes      bigint NOT NULL,
    node        text COLLATE "C" NOT NULL,
    until_at    bigint NOT NULL,
    claim       bigint NOT NULL,
    attempts    bigint NOT NULL,
    done        bigint NOT NULL,
    total       bigint NOT NULL,
    note        text NOT NULL,
    error       text NOT NULL,
    finished_at bigint NOT NULL,
    expires_at  bigint NOT NULL,
    PRIMARY KEY (account, kind, id)
);
CREATE INDEX IF NOT EXISTS jobs_by_time ON jobs (kind, due_at) WHERE finished_at = 0;
CREATE INDEX IF NOT EXISTS jobs_by_expiry ON jobs (expires_at) WHERE finished_at <> 0;
