-- A database of schema 1, Optuna's tables alone, as `sqlite3 FILE .dump` prints it.
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('v3.2.0.a');
CREATE TABLE studies (
    study_id   INTEGER NOT NULL PRIMARY KEY,
    study_name VARCHAR(512) NOT NULL
);
INSERT INTO "studies" VALUES(1,'suite');
CREATE TABLE study_directions (
    study_direction_id INTEGER NOT NULL PRIMARY KEY,
    direction          VARCHAR(8) NOT NULL,
    study_id           INTEGER NOT NULL REFERENCES studies (study_id),
    objective          INTEGER NOT NULL,
    UNIQUE (study_id, objective)
);
INSERT INTO "study_directions" VALUES(1,'MINIMIZE',1,0);
CREATE TABLE study_system_attributes (
    study_system_attribute_id INTEGER NOT NULL PRIMARY KEY,
    study_id   INTEGER REFERENCES studies (study_id),
    "key"      VARCHAR(512),
    value_json TEXT,
    UNIQUE (study_id, "key")
);
INSERT INTO "study_system_attributes" VALUES(1,1,'study:metric_names','["val_mse"]');
CREATE TABLE study_user_attributes (
    study_user_attribute_id INTEGER NOT NULL PRIMARY KEY,
    study_id   INTEGER REFERENCES studies (study_id),
    "key"      VARCHAR(512),
    value_json TEXT,
    UNIQUE (study_id, "key")
);
CREATE TABLE sweep_migration (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		version_id INTEGER NOT NULL,
		is_applied INTEGER NOT NULL,
		tstamp TIMESTAMP DEFAULT (datetime('now'))
	);
INSERT INTO "sweep_migration" VALUES(1,0,1,'2026-11-24 06:40:45');
INSERT INTO "sweep_migration" VALUES(2,1,1,'2026-11-24 06:40:45');
CREATE TABLE trial_heartbeats (
    trial_heartbeat_id INTEGER NOT NULL PRIMARY KEY,
    trial_id           INTEGER NOT NULL UNIQUE REFERENCES trials (trial_id),
    heartbeat          DATETIME NOT NULL
);
CREATE TABLE trial_intermediate_values (
    trial_intermediate_value_id INTEGER NOT NULL PRIMARY KEY,
    trial_id                INTEGER NOT NULL REFERENCES trials (trial_id),
    step                    INTEGER NOT NULL,
    intermediate_value      FLOAT,
    intermediate_value_type VARCHAR(7) NOT NULL,
    UNIQUE (trial_id, step)
);
INSERT INTO "trial_intermediate_values" VALUES(1,1,1,1.125,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(2,1,2,0.625,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(3,1,3,4.58333333333333314829e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(4,1,4,0.375,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(5,1,5,0.325,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(6,1,6,2.91666666666666629659e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(7,1,7,2.67857142857142849212e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(8,1,8,0.25,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(9,1,9,2.36111111111111104943e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(10,1,10,0.225,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(11,2,1,NULL,'INF_POS');
INSERT INTO "trial_intermediate_values" VALUES(12,2,2,NULL,'INF_POS');
INSERT INTO "trial_intermediate_values" VALUES(13,2,3,NULL,'INF_POS');
INSERT INTO "trial_intermediate_values" VALUES(14,2,4,NULL,'INF_POS');
INSERT INTO "trial_intermediate_values" VALUES(15,2,5,NULL,'INF_POS');
INSERT INTO "trial_intermediate_values" VALUES(16,2,6,NULL,'INF_POS');
INSERT INTO "trial_intermediate_values" VALUES(17,2,7,NULL,'INF_POS');
INSERT INTO "trial_intermediate_values" VALUES(18,2,8,NULL,'INF_POS');
INSERT INTO "trial_intermediate_values" VALUES(19,2,9,NULL,'INF_POS');
INSERT INTO "trial_intermediate_values" VALUES(20,2,10,NULL,'INF_POS');
INSERT INTO "trial_intermediate_values" VALUES(21,3,1,NULL,'NAN');
INSERT INTO "trial_intermediate_values" VALUES(22,3,2,NULL,'NAN');
INSERT INTO "trial_intermediate_values" VALUES(23,3,3,NULL,'NAN');
INSERT INTO "trial_intermediate_values" VALUES(24,3,4,NULL,'NAN');
INSERT INTO "trial_intermediate_values" VALUES(25,3,5,NULL,'NAN');
INSERT INTO "trial_intermediate_values" VALUES(26,3,6,NULL,'NAN');
INSERT INTO "trial_intermediate_values" VALUES(27,3,7,NULL,'NAN');
INSERT INTO "trial_intermediate_values" VALUES(28,3,8,NULL,'NAN');
INSERT INTO "trial_intermediate_values" VALUES(29,3,9,NULL,'NAN');
INSERT INTO "trial_intermediate_values" VALUES(30,3,10,NULL,'NAN');
INSERT INTO "trial_intermediate_values" VALUES(31,4,1,1.75,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(32,4,2,1.25,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(33,4,3,1.08333333333333325931e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(34,4,4,1.0,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(35,4,5,0.95,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(36,4,6,9.16666666666666629659e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(37,4,7,8.92857142857142793701e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(38,4,8,0.875,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(39,4,9,8.61111111111111160454e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(40,4,10,0.85,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(41,5,1,1.25,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(42,5,2,0.75,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(43,5,3,5.83333333333333259318e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(44,5,4,0.5,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(45,5,5,0.45,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(46,5,6,4.16666666666666629659e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(47,5,7,3.92857142857142849212e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(48,5,8,0.375,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(49,5,9,3.61111111111111104943e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(50,5,10,0.35,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(51,6,1,1.0,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(52,6,2,0.5,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(53,6,3,3.33333333333333314829e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(54,6,4,0.25,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(55,6,5,0.2,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(56,6,6,1.66666666666666657414e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(57,6,7,1.42857142857142849212e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(58,6,8,0.125,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(59,6,9,1.11111111111111104943e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(60,6,10,0.1,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(61,7,1,1.75,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(62,7,2,1.25,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(63,7,3,1.08333333333333325931e+00,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(64,7,4,1.0,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(65,7,5,0.95,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(66,7,6,9.16666666666666629659e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(67,7,7,8.92857142857142793701e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(68,7,8,0.875,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(69,7,9,8.61111111111111160454e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(70,7,10,0.85,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(71,8,1,1.0,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(72,8,2,0.5,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(73,8,3,3.33333333333333314829e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(74,8,4,0.25,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(75,8,5,0.2,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(76,8,6,1.66666666666666657414e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(77,8,7,1.42857142857142849212e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(78,8,8,0.125,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(79,8,9,1.11111111111111104943e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(80,8,10,0.1,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(81,9,1,1.0,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(82,9,2,3.33333333333333314829e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(83,9,3,0.5,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(84,9,4,0.25,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(85,9,5,3.33333333333333314829e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(86,9,6,0.2,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(87,9,7,1.42857142857142849212e-01,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(88,9,8,1.11111111111111104943e-01,'FINITE');
CREATE TABLE trial_params (
    param_id          INTEGER NOT NULL PRIMARY KEY,
    trial_id          INTEGER REFERENCES trials (trial_id),
    param_name        VARCHAR(512),
    param_value       FLOAT,
    distribution_json TEXT,
    UNIQUE (trial_id, param_name)
);
INSERT INTO "trial_params" VALUES(1,1,'lr',6.76458895111228364349e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 1.0, "log": true}}');
INSERT INTO "trial_params" VALUES(2,1,'weight',0.5,'{"name": "FloatDistribution", "attributes": {"step": 0.25, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(3,1,'latent',320.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 64, "low": 64, "high": 512}}');
INSERT INTO "trial_params" VALUES(4,1,'batch',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [32, 64]}}');
INSERT INTO "trial_params" VALUES(5,1,'loss',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["mse", "mae", null, true, 0.5]}}');
INSERT INTO "trial_params" VALUES(6,1,'filters',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["[16,32]", "[8,0.5]"]}}');
INSERT INTO "trial_params" VALUES(7,1,'depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3]}}');
INSERT INTO "trial_params" VALUES(8,2,'lr',6.97494780355435439744e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 1.0, "log": true}}');
INSERT INTO "trial_params" VALUES(9,2,'weight',0.75,'{"name": "FloatDistribution", "attributes": {"step": 0.25, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(10,2,'latent',384.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 64, "low": 64, "high": 512}}');
INSERT INTO "trial_params" VALUES(11,2,'batch',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [32, 64]}}');
INSERT INTO "trial_params" VALUES(12,2,'loss',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["mse", "mae", null, true, 0.5]}}');
INSERT INTO "trial_params" VALUES(13,2,'filters',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["[16,32]", "[8,0.5]"]}}');
INSERT INTO "trial_params" VALUES(14,2,'depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3]}}');
INSERT INTO "trial_params" VALUES(15,3,'lr',7.78406380130185482357e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 1.0, "log": true}}');
INSERT INTO "trial_params" VALUES(16,3,'weight',0.75,'{"name": "FloatDistribution", "attributes": {"step": 0.25, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(17,3,'latent',64.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 64, "low": 64, "high": 512}}');
INSERT INTO "trial_params" VALUES(18,3,'batch',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [32, 64]}}');
INSERT INTO "trial_params" VALUES(19,3,'loss',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["mse", "mae", null, true, 0.5]}}');
INSERT INTO "trial_params" VALUES(20,3,'filters',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["[16,32]", "[8,0.5]"]}}');
INSERT INTO "trial_params" VALUES(21,3,'depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3]}}');
INSERT INTO "trial_params" VALUES(22,4,'lr',3.31951247252683545596e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 1.0, "log": true}}');
INSERT INTO "trial_params" VALUES(23,4,'weight',0.25,'{"name": "FloatDistribution", "attributes": {"step": 0.25, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(24,4,'latent',448.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 64, "low": 64, "high": 512}}');
INSERT INTO "trial_params" VALUES(25,4,'batch',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [32, 64]}}');
INSERT INTO "trial_params" VALUES(26,4,'loss',4.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["mse", "mae", null, true, 0.5]}}');
INSERT INTO "trial_params" VALUES(27,4,'filters',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["[16,32]", "[8,0.5]"]}}');
INSERT INTO "trial_params" VALUES(28,4,'depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3]}}');
INSERT INTO "trial_params" VALUES(29,5,'lr',8.62104074641551698654e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 1.0, "log": true}}');
INSERT INTO "trial_params" VALUES(30,5,'weight',1.0,'{"name": "FloatDistribution", "attributes": {"step": 0.25, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(31,5,'latent',448.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 64, "low": 64, "high": 512}}');
INSERT INTO "trial_params" VALUES(32,5,'batch',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [32, 64]}}');
INSERT INTO "trial_params" VALUES(33,5,'loss',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["mse", "mae", null, true, 0.5]}}');
INSERT INTO "trial_params" VALUES(34,5,'filters',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["[16,32]", "[8,0.5]"]}}');
INSERT INTO "trial_params" VALUES(35,5,'depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3]}}');
INSERT INTO "trial_params" VALUES(36,6,'lr',9.0624199880839140242e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 1.0, "log": true}}');
INSERT INTO "trial_params" VALUES(37,6,'weight',0.25,'{"name": "FloatDistribution", "attributes": {"step": 0.25, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(38,6,'latent',320.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 64, "low": 64, "high": 512}}');
INSERT INTO "trial_params" VALUES(39,6,'batch',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [32, 64]}}');
INSERT INTO "trial_params" VALUES(40,6,'loss',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["mse", "mae", null, true, 0.5]}}');
INSERT INTO "trial_params" VALUES(41,6,'filters',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["[16,32]", "[8,0.5]"]}}');
INSERT INTO "trial_params" VALUES(42,6,'depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3]}}');
INSERT INTO "trial_params" VALUES(43,7,'lr',3.35214400809956181159e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 1.0, "log": true}}');
INSERT INTO "trial_params" VALUES(44,7,'weight',1.0,'{"name": "FloatDistribution", "attributes": {"step": 0.25, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(45,7,'latent',320.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 64, "low": 64, "high": 512}}');
INSERT INTO "trial_params" VALUES(46,7,'batch',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [32, 64]}}');
INSERT INTO "trial_params" VALUES(47,7,'loss',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["mse", "mae", null, true, 0.5]}}');
INSERT INTO "trial_params" VALUES(48,7,'filters',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["[16,32]", "[8,0.5]"]}}');
INSERT INTO "trial_params" VALUES(49,7,'depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3]}}');
INSERT INTO "trial_params" VALUES(50,8,'lr',7.10069206284188347844e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 1.0, "log": true}}');
INSERT INTO "trial_params" VALUES(51,8,'weight',1.0,'{"name": "FloatDistribution", "attributes": {"step": 0.25, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(52,8,'latent',448.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 64, "low": 64, "high": 512}}');
INSERT INTO "trial_params" VALUES(53,8,'batch',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [32, 64]}}');
INSERT INTO "trial_params" VALUES(54,8,'loss',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["mse", "mae", null, true, 0.5]}}');
INSERT INTO "trial_params" VALUES(55,8,'filters',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["[16,32]", "[8,0.5]"]}}');
INSERT INTO "trial_params" VALUES(56,8,'depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3]}}');
INSERT INTO "trial_params" VALUES(57,9,'lr',1.0e-05,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 1e-05, "high": 1.0, "log": true}}');
INSERT INTO "trial_params" VALUES(58,9,'weight',0.0,'{"name": "FloatDistribution", "attributes": {"step": 0.25, "low": 0.0, "high": 1.0, "log": false}}');
INSERT INTO "trial_params" VALUES(59,9,'latent',64.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 64, "low": 64, "high": 512}}');
INSERT INTO "trial_params" VALUES(60,9,'batch',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [32, 64]}}');
INSERT INTO "trial_params" VALUES(61,9,'loss',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["mse", "mae", null, true, 0.5]}}');
INSERT INTO "trial_params" VALUES(62,9,'filters',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": ["[16,32]", "[8,0.5]"]}}');
INSERT INTO "trial_params" VALUES(63,9,'depth',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [3]}}');
CREATE TABLE trial_system_attributes (
    trial_system_attribute_id INTEGER NOT NULL PRIMARY KEY,
    trial_id   INTEGER REFERENCES trials (trial_id),
    "key"      VARCHAR(512),
    value_json TEXT,
    UNIQUE (trial_id, "key")
);
CREATE TABLE trial_user_attributes (
    trial_user_attribute_id INTEGER NOT NULL PRIMARY KEY,
    trial_id   INTEGER REFERENCES trials (trial_id),
    "key"      VARCHAR(512),
    value_json TEXT,
    UNIQUE (trial_id, "key")
);
CREATE TABLE trial_values (
    trial_value_id INTEGER NOT NULL PRIMARY KEY,
    trial_id       INTEGER NOT NULL REFERENCES trials (trial_id),
    objective      INTEGER NOT NULL,
    value          FLOAT,
    value_type     VARCHAR(7) NOT NULL,
    UNIQUE (trial_id, objective)
);
INSERT INTO "trial_values" VALUES(1,1,0,0.125,'FINITE');
INSERT INTO "trial_values" VALUES(2,2,0,NULL,'INF_POS');
INSERT INTO "trial_values" VALUES(3,4,0,0.75,'FINITE');
INSERT INTO "trial_values" VALUES(4,5,0,0.25,'FINITE');
INSERT INTO "trial_values" VALUES(5,7,0,0.75,'FINITE');
INSERT INTO "trial_values" VALUES(6,8,0,0.0,'FINITE');
CREATE TABLE trials (
    trial_id          INTEGER NOT NULL PRIMARY KEY,
    number            INTEGER,
    study_id          INTEGER REFERENCES studies (study_id),
    state             VARCHAR(8) NOT NULL,
    datetime_start    DATETIME,
    datetime_complete DATETIME
);
INSERT INTO "trials" VALUES(1,0,1,'PRUNED','2026-03-01 12:00:00.000000','2026-03-01 12:00:06.000000');
INSERT INTO "trials" VALUES(2,1,1,'COMPLETE','2026-03-01 12:01:00.000000','2026-03-01 12:01:41.000000');
INSERT INTO "trials" VALUES(3,2,1,'FAIL','2026-03-01 12:02:00.000000','2026-03-01 12:02:19.000000');
INSERT INTO "trials" VALUES(4,3,1,'COMPLETE','2026-03-01 12:03:00.000000','2026-03-01 12:03:29.000000');
INSERT INTO "trials" VALUES(5,4,1,'COMPLETE','2026-03-01 12:04:00.000000','2026-03-01 12:04:40.000000');
INSERT INTO "trials" VALUES(6,5,1,'FAIL','2026-03-01 12:05:00.000000','2026-03-01 12:05:20.000000');
INSERT INTO "trials" VALUES(7,6,1,'PRUNED','2026-03-01 12:06:00.000000','2026-03-01 12:06:19.000000');
INSERT INTO "trials" VALUES(8,7,1,'PRUNED','2026-03-01 12:07:00.000000','2026-03-01 12:07:24.000000');
INSERT INTO "trials" VALUES(9,8,1,'RUNNING','2026-03-01 12:00:00.000000',NULL);
CREATE TABLE version_info (
    version_info_id INTEGER NOT NULL PRIMARY KEY,
    schema_version  INTEGER,
    library_version VARCHAR(256),
    CHECK (version_info_id = 1)
);
INSERT INTO "version_info" VALUES(1,12,'4.8.0');
CREATE UNIQUE INDEX ix_studies_study_name ON studies (study_name);
CREATE INDEX ix_trials_study_id ON trials (study_id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('sweep_migration',2);
COMMIT;
