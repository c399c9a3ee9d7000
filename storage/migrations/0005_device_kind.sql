-- Results repeat to the bit on one kind of device only, so an attempt says which kind it ran on, and why it ran on a device
-- that was kept for such trials.

-- +goose Up
ALTER TABLE attempt ADD COLUMN kind TEXT NOT NULL DEFAULT '';
ALTER TABLE attempt ADD COLUMN because TEXT NOT NULL DEFAULT '';
