-- What the trials of a study are held against: principal components, the mean image. They are no trials, so they stand in
-- none of Optuna's tables.

-- +goose Up
CREATE TABLE baseline (
    study_id    INTEGER NOT NULL,
    name        TEXT NOT NULL,
    k           INTEGER NOT NULL,  -- numbers that stand for an image
    metrics     TEXT NOT NULL,     -- JSON
    fingerprint TEXT NOT NULL,     -- of the images
    time        INTEGER NOT NULL,
    PRIMARY KEY (study_id, name)
) WITHOUT ROWID;
-- +goose StatementBegin
CREATE TRIGGER study_baselines_removed AFTER DELETE ON studies BEGIN
    DELETE FROM baseline WHERE study_id = OLD.study_id;
END;
-- +goose StatementEnd
