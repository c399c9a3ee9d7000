-- Our tables beside Optuna's. They name a study or a trial by its id without a foreign key: Optuna's connections do not
-- enforce foreign keys, so triggers remove our rows with theirs, whoever deletes. Times are microseconds since 1970 (UTC).
-- A NaN is NULL in a REAL column that says so; the infinities are stored as they are.

-- +goose Up
CREATE TABLE study_spec (
    study_id INTEGER PRIMARY KEY,
    spec     TEXT NOT NULL,      -- JSON of study.Spec
    data     TEXT NOT NULL,      -- JSON of study.Data
    created  INTEGER NOT NULL
);

-- What we know of a trial beyond Optuna's row, and the columns by which lists are ordered. class is the index of the
-- state in study.States: 0 complete, 1 pruned, 2 running, 3 waiting, 4 failed. score is the value, negated where more is
-- better, so that a smaller score is a better trial; nan says that there is none.
CREATE TABLE trial_info (
    trial_id  INTEGER PRIMARY KEY,
    study_id  INTEGER NOT NULL,
    number    INTEGER,
    class     INTEGER NOT NULL,
    value     REAL,
    nan       INTEGER NOT NULL DEFAULT 1,
    score     REAL NOT NULL DEFAULT 0,
    reason    TEXT NOT NULL DEFAULT '',
    message   TEXT NOT NULL DEFAULT '',
    epoch     INTEGER NOT NULL DEFAULT 0,  -- of the newest lease
    attempts  INTEGER NOT NULL DEFAULT 0,
    failures  INTEGER NOT NULL DEFAULT 0,
    losses    INTEGER NOT NULL DEFAULT 0,  -- in a row, without a newer checkpoint
    duration  INTEGER,                     -- microseconds of ended attempts
    head      INTEGER NOT NULL DEFAULT 0,  -- ordinal of the attempt at which the visible points end; 0: none
    head_step INTEGER,                     -- its last visible step; NULL: all of them
    sampler   TEXT NOT NULL DEFAULT '',
    seen      INTEGER NOT NULL DEFAULT 0   -- newest event that the sampler saw
);
CREATE INDEX trial_info_number ON trial_info (study_id, number);
CREATE INDEX trial_info_state ON trial_info (study_id, class);
CREATE INDEX trial_info_rank ON trial_info (study_id, class, nan, score);
CREATE INDEX trial_info_value ON trial_info (study_id, value);
CREATE INDEX trial_info_duration ON trial_info (study_id, duration);
CREATE INDEX trial_params_order ON trial_params (param_name, param_value, trial_id);

CREATE TABLE attempt (
    attempt_id   INTEGER PRIMARY KEY AUTOINCREMENT,
    trial_id     INTEGER NOT NULL,
    ordinal      INTEGER NOT NULL,
    epoch        INTEGER NOT NULL,
    host         TEXT NOT NULL,
    device       TEXT NOT NULL,
    start        INTEGER NOT NULL,
    end          INTEGER,
    active       INTEGER NOT NULL,            -- newest sign of life
    state        TEXT NOT NULL,
    reason       TEXT NOT NULL DEFAULT '',
    message      TEXT NOT NULL DEFAULT '',
    resumed_from INTEGER NOT NULL DEFAULT 0,
    resumed_step INTEGER NOT NULL DEFAULT 0,
    last_seq     INTEGER NOT NULL DEFAULT 0,  -- of its newest append
    points       INTEGER NOT NULL DEFAULT 0,  -- appended so far, of all keys
    UNIQUE (trial_id, ordinal)
);
CREATE INDEX attempt_open ON attempt (trial_id) WHERE state = 'running';

CREATE TABLE metric_key (
    key_id   INTEGER PRIMARY KEY,
    study_id INTEGER NOT NULL,
    name     TEXT NOT NULL,
    UNIQUE (study_id, name)
);
-- The newest points of an attempt, one a row; value is NULL for NaN.
CREATE TABLE metric_tail (
    attempt_id INTEGER NOT NULL,
    key_id     INTEGER NOT NULL,
    ord        INTEGER NOT NULL,  -- order of arrival in the attempt
    step       INTEGER NOT NULL,
    value      REAL,
    time       INTEGER NOT NULL,
    PRIMARY KEY (attempt_id, key_id, ord)
) WITHOUT ROWID;
-- Older points, about 1,000 of one key in a row. low and high are over the points that are numbers, NULL without any.
CREATE TABLE metric_chunk (
    chunk_id   INTEGER PRIMARY KEY,
    attempt_id INTEGER NOT NULL,
    key_id     INTEGER NOT NULL,
    ord        INTEGER NOT NULL,  -- of the first point
    count      INTEGER NOT NULL,
    first_step INTEGER NOT NULL,
    last_step  INTEGER NOT NULL,
    low        REAL,
    high       REAL,
    last       REAL,              -- NULL for NaN
    body       BLOB NOT NULL,
    UNIQUE (attempt_id, key_id, ord)
);
-- What lists show of a trial's metrics: the latest values, those of the best epoch once it has finished. NULL for NaN.
CREATE TABLE trial_latest (
    trial_id INTEGER NOT NULL,
    key_id   INTEGER NOT NULL,
    step     INTEGER NOT NULL,
    value    REAL,
    PRIMARY KEY (trial_id, key_id)
) WITHOUT ROWID;
CREATE INDEX trial_latest_order ON trial_latest (key_id, value, trial_id);

CREATE TABLE artifact (
    artifact_id INTEGER PRIMARY KEY AUTOINCREMENT,
    study_id    INTEGER NOT NULL,
    trial_id    INTEGER NOT NULL,
    attempt_id  INTEGER NOT NULL,
    kind        TEXT NOT NULL,
    name        TEXT NOT NULL,
    media       TEXT NOT NULL,
    step        INTEGER NOT NULL,
    size        INTEGER NOT NULL,
    digest      TEXT NOT NULL,    -- SHA-256, lower-case hex: also the file's place
    created     INTEGER NOT NULL
);
CREATE INDEX artifact_trial ON artifact (trial_id, kind);
CREATE INDEX artifact_study ON artifact (study_id, kind);
CREATE INDEX artifact_digest ON artifact (digest);

CREATE TABLE event (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    study_id INTEGER NOT NULL,
    number   INTEGER NOT NULL,    -- of the trial, -1 when it concerns the study
    kind     TEXT NOT NULL,
    body     TEXT NOT NULL,       -- JSON
    time     INTEGER NOT NULL
);
CREATE INDEX event_study ON event (study_id, seq);

CREATE TABLE request (
    request_id INTEGER PRIMARY KEY AUTOINCREMENT,
    study_id   INTEGER NOT NULL,
    verdict    TEXT NOT NULL,
    time       INTEGER NOT NULL
);
CREATE INDEX request_study ON request (study_id, request_id);

CREATE TABLE export (
    export_id INTEGER PRIMARY KEY AUTOINCREMENT,
    study_id  INTEGER NOT NULL,
    number    INTEGER NOT NULL,
    digest    TEXT NOT NULL,
    path      TEXT NOT NULL,
    metrics   TEXT NOT NULL,      -- JSON
    time      INTEGER NOT NULL
);
CREATE INDEX export_study ON export (study_id, number);

-- Trials that are here already (Optuna made the file).
INSERT INTO trial_info (trial_id, study_id, number, class, duration, value, nan, score)
SELECT t.trial_id, t.study_id, t.number,
       CASE t.state WHEN 'COMPLETE' THEN 0 WHEN 'PRUNED' THEN 1 WHEN 'RUNNING' THEN 2 WHEN 'WAITING' THEN 3 ELSE 4 END,
       CAST(round((julianday(t.datetime_complete) - julianday(t.datetime_start)) * 86400e3) AS INTEGER) * 1000,
       v.number, v.number IS NULL, coalesce(CASE d.direction WHEN 'MAXIMIZE' THEN -v.number ELSE v.number END, 0)
FROM trials t
LEFT JOIN (SELECT trial_id, CASE value_type WHEN 'INF_POS' THEN 9e999 WHEN 'INF_NEG' THEN -9e999 ELSE value END AS number
           FROM trial_values WHERE objective = 0) v ON v.trial_id = t.trial_id
LEFT JOIN study_directions d ON d.study_id = t.study_id AND d.objective = 0;

-- trial_info follows trials and trial_values, whoever writes them.
-- +goose StatementBegin
CREATE TRIGGER trial_added AFTER INSERT ON trials BEGIN
    INSERT OR REPLACE INTO trial_info (trial_id, study_id, number, class)
    VALUES (NEW.trial_id, NEW.study_id, NEW.number,
            CASE NEW.state WHEN 'COMPLETE' THEN 0 WHEN 'PRUNED' THEN 1 WHEN 'RUNNING' THEN 2 WHEN 'WAITING' THEN 3 ELSE 4 END);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER trial_changed AFTER UPDATE ON trials BEGIN
    UPDATE trial_info
    SET number = NEW.number,
        class = CASE NEW.state WHEN 'COMPLETE' THEN 0 WHEN 'PRUNED' THEN 1 WHEN 'RUNNING' THEN 2 WHEN 'WAITING' THEN 3 ELSE 4 END,
        duration = CASE attempts WHEN 0
            THEN CAST(round((julianday(NEW.datetime_complete) - julianday(NEW.datetime_start)) * 86400e3) AS INTEGER) * 1000
            ELSE duration END
    WHERE trial_id = NEW.trial_id;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER trial_valued AFTER INSERT ON trial_values WHEN NEW.objective = 0 BEGIN
    UPDATE trial_info
    SET value = CASE NEW.value_type WHEN 'INF_POS' THEN 9e999 WHEN 'INF_NEG' THEN -9e999 ELSE NEW.value END,
        nan = 0,
        score = (CASE NEW.value_type WHEN 'INF_POS' THEN 9e999 WHEN 'INF_NEG' THEN -9e999 ELSE NEW.value END)
              * (CASE WHEN EXISTS (SELECT 1 FROM study_directions d
                                   WHERE d.study_id = trial_info.study_id AND d.objective = 0 AND d.direction = 'MAXIMIZE')
                 THEN -1.0 ELSE 1.0 END)
    WHERE trial_id = NEW.trial_id;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER trial_revalued AFTER UPDATE ON trial_values WHEN NEW.objective = 0 BEGIN
    UPDATE trial_info
    SET value = CASE NEW.value_type WHEN 'INF_POS' THEN 9e999 WHEN 'INF_NEG' THEN -9e999 ELSE NEW.value END,
        nan = 0,
        score = (CASE NEW.value_type WHEN 'INF_POS' THEN 9e999 WHEN 'INF_NEG' THEN -9e999 ELSE NEW.value END)
              * (CASE WHEN EXISTS (SELECT 1 FROM study_directions d
                                   WHERE d.study_id = trial_info.study_id AND d.objective = 0 AND d.direction = 'MAXIMIZE')
                 THEN -1.0 ELSE 1.0 END)
    WHERE trial_id = NEW.trial_id;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER trial_removed AFTER DELETE ON trials BEGIN
    DELETE FROM metric_tail WHERE attempt_id IN (SELECT attempt_id FROM attempt WHERE trial_id = OLD.trial_id);
    DELETE FROM metric_chunk WHERE attempt_id IN (SELECT attempt_id FROM attempt WHERE trial_id = OLD.trial_id);
    DELETE FROM attempt WHERE trial_id = OLD.trial_id;
    DELETE FROM trial_latest WHERE trial_id = OLD.trial_id;
    DELETE FROM artifact WHERE trial_id = OLD.trial_id;
    DELETE FROM trial_info WHERE trial_id = OLD.trial_id;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER study_removed AFTER DELETE ON studies BEGIN
    DELETE FROM study_spec WHERE study_id = OLD.study_id;
    DELETE FROM metric_key WHERE study_id = OLD.study_id;
    DELETE FROM event WHERE study_id = OLD.study_id;
    DELETE FROM request WHERE study_id = OLD.study_id;
    DELETE FROM export WHERE study_id = OLD.study_id;
END;
-- +goose StatementEnd
