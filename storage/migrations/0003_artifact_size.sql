-- The disk space of a study's files is the sum over distinct contents: this index holds all that it needs.

-- +goose Up
CREATE INDEX artifact_content ON artifact (study_id, digest, size);
