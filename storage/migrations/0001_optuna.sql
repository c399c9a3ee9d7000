-- Optuna's own tables, as its revision v3.2.0.a lays them out, so that Optuna and its dashboard open the file. Every
-- statement leaves what exists alone: a file that Optuna made is taken over as it is.

-- +goose Up
CREATE TABLE IF NOT EXISTS studies (
    study_id   INTEGER NOT NULL PRIMARY KEY,
    study_name VARCHAR(512) NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS ix_studies_study_name ON studies (study_name);

CREATE TABLE IF NOT EXISTS version_info (
    version_info_id INTEGER NOT NULL PRIMARY KEY,
    schema_version  INTEGER,
    library_version VARCHAR(256),
    CHECK (version_info_id = 1)
);
CREATE TABLE IF NOT EXISTS alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO version_info (version_info_id, schema_version, library_version)
    SELECT 1, 12, '4.8.0' WHERE NOT EXISTS (SELECT 1 FROM version_info);
INSERT INTO alembic_version (version_num)
    SELECT 'v3.2.0.a' WHERE NOT EXISTS (SELECT 1 FROM alembic_version);

CREATE TABLE IF NOT EXISTS study_directions (
    study_direction_id INTEGER NOT NULL PRIMARY KEY,
    direction          VARCHAR(8) NOT NULL,
    study_id           INTEGER NOT NULL REFERENCES studies (study_id),
    objective          INTEGER NOT NULL,
    UNIQUE (study_id, objective)
);
CREATE TABLE IF NOT EXISTS study_user_attributes (
    study_user_attribute_id INTEGER NOT NULL PRIMARY KEY,
    study_id   INTEGER REFERENCES studies (study_id),
    "key"      VARCHAR(512),
    value_json TEXT,
    UNIQUE (study_id, "key")
);
CREATE TABLE IF NOT EXISTS study_system_attributes (
    study_system_attribute_id INTEGER NOT NULL PRIMARY KEY,
    study_id   INTEGER REFERENCES studies (study_id),
    "key"      VARCHAR(512),
    value_json TEXT,
    UNIQUE (study_id, "key")
);

CREATE TABLE IF NOT EXISTS trials (
    trial_id          INTEGER NOT NULL PRIMARY KEY,
    number            INTEGER,
    study_id          INTEGER REFERENCES studies (study_id),
    state             VARCHAR(8) NOT NULL,
    datetime_start    DATETIME,
    datetime_complete DATETIME
);
CREATE INDEX IF NOT EXISTS ix_trials_study_id ON trials (study_id);

CREATE TABLE IF NOT EXISTS trial_user_attributes (
    trial_user_attribute_id INTEGER NOT NULL PRIMARY KEY,
    trial_id   INTEGER REFERENCES trials (trial_id),
    "key"      VARCHAR(512),
    value_json TEXT,
    UNIQUE (trial_id, "key")
);
CREATE TABLE IF NOT EXISTS trial_system_attributes (
    trial_system_attribute_id INTEGER NOT NULL PRIMARY KEY,
    trial_id   INTEGER REFERENCES trials (trial_id),
    "key"      VARCHAR(512),
    value_json TEXT,
    UNIQUE (trial_id, "key")
);
CREATE TABLE IF NOT EXISTS trial_params (
    param_id          INTEGER NOT NULL PRIMARY KEY,
    trial_id          INTEGER REFERENCES trials (trial_id),
    param_name        VARCHAR(512),
    param_value       FLOAT,
    distribution_json TEXT,
    UNIQUE (trial_id, param_name)
);
CREATE TABLE IF NOT EXISTS trial_values (
    trial_value_id INTEGER NOT NULL PRIMARY KEY,
    trial_id       INTEGER NOT NULL REFERENCES trials (trial_id),
    objective      INTEGER NOT NULL,
    value          FLOAT,
    value_type     VARCHAR(7) NOT NULL,
    UNIQUE (trial_id, objective)
);
CREATE TABLE IF NOT EXISTS trial_intermediate_values (
    trial_intermediate_value_id INTEGER NOT NULL PRIMARY KEY,
    trial_id                INTEGER NOT NULL REFERENCES trials (trial_id),
    step                    INTEGER NOT NULL,
    intermediate_value      FLOAT,
    intermediate_value_type VARCHAR(7) NOT NULL,
    UNIQUE (trial_id, step)
);
CREATE TABLE IF NOT EXISTS trial_heartbeats (
    trial_heartbeat_id INTEGER NOT NULL PRIMARY KEY,
    trial_id           INTEGER NOT NULL UNIQUE REFERENCES trials (trial_id),
    heartbeat          DATETIME NOT NULL
);
