-- A database of schema 5 as `sqlite3 FILE .dump` prints it.
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('v3.2.0.a');
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
INSERT INTO "artifact" VALUES(3,1,9,11,'checkpoint','state','',6,1,'dbc1b4c900ffe48d575b5da5c638040125f65db0fe3e24494b76ea986457d986',1772366400000000);
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
    points       INTEGER NOT NULL DEFAULT 0, kind TEXT NOT NULL DEFAULT '', because TEXT NOT NULL DEFAULT '',  -- appended so far, of all keys
    UNIQUE (trial_id, ordinal)
);
INSERT INTO "attempt" VALUES(1,1,1,1,'host','cuda:0',1772366400000000,1772366406000000,1772366400000000,'pruned','','',0,0,1,10,'NVIDIA H100 80GB HBM3, tf32','');
INSERT INTO "attempt" VALUES(2,2,1,1,'host','cpu:0',1772366460000000,1772366501000000,1772366460000000,'complete','','',0,0,1,10,'AVX2','the GPUs have no kernel for entropy');
INSERT INTO "attempt" VALUES(3,3,1,1,'host','cpu:0',1772366520000000,1772366539000000,1772366520000000,'complete','','',0,0,1,10,'','');
INSERT INTO "attempt" VALUES(4,4,1,1,'host','cpu:0',1772366580000000,1772366609000000,1772366580000000,'complete','','',0,0,1,10,'','');
INSERT INTO "attempt" VALUES(5,5,1,1,'host','cpu:0',1772366640000000,1772366680000000,1772366640000000,'complete','','',0,0,1,10,'','');
INSERT INTO "attempt" VALUES(6,6,1,1,'host','cpu:0',1772366700000000,1772366720000000,1772366700000000,'failed','error','no luck',0,0,1,10,'','');
INSERT INTO "attempt" VALUES(7,7,1,1,'host','cpu:0',1772366760000000,1772366779000000,1772366760000000,'pruned','','',0,0,1,10,'','');
INSERT INTO "attempt" VALUES(8,8,1,1,'host','cpu:0',1772366820000000,1772366844000000,1772366820000000,'pruned','','',0,0,1,10,'','');
INSERT INTO "attempt" VALUES(9,9,1,1,'host','cpu:0',1772366400000000,1772366400000000,1772366400000000,'lost','lost','its process ended without a word',0,0,4,4,'','');
INSERT INTO "attempt" VALUES(10,9,2,2,'host','cpu:0',1772366400000000,1772366400000000,1772366400000000,'lost','lost','its process ended without a word',1,2,4,4,'','');
INSERT INTO "attempt" VALUES(11,9,3,3,'host','cpu:0',1772366400000000,NULL,1772366400000000,'running','','',2,4,4,4,'','');
CREATE TABLE baseline (
    study_id    INTEGER NOT NULL,
    name        TEXT NOT NULL,
    k           INTEGER NOT NULL,  -- numbers that stand for an image
    metrics     TEXT NOT NULL,     -- JSON
    fingerprint TEXT NOT NULL,     -- of the images
    time        INTEGER NOT NULL,
    PRIMARY KEY (study_id, name)
) WITHOUT ROWID;
INSERT INTO "baseline" VALUES(1,'mean image',0,'{"val_mse":0.0625,"val_psnr":12.04}','f00d',1790000000000000);
INSERT INTO "baseline" VALUES(1,'pca-64',64,'{"val_mse":0.0084,"val_psnr":"Infinity"}','f00d',1790000000000000);
CREATE TABLE event (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    study_id INTEGER NOT NULL,
    number   INTEGER NOT NULL,    -- of the trial, -1 when it concerns the study
    kind     TEXT NOT NULL,
    body     TEXT NOT NULL,       -- JSON
    time     INTEGER NOT NULL
);
INSERT INTO "event" VALUES(1,1,-1,'created','{"name":"suite"}',1772366400000000);
INSERT INTO "event" VALUES(2,1,0,'proposed','{"sampler":"random","seen":1}',1772366400000000);
INSERT INTO "event" VALUES(3,1,0,'began','{"attempt":1,"device":"cpu:0","host":"host","resumed_from":0,"resumed_step":0}',1772366400000000);
INSERT INTO "event" VALUES(4,1,0,'point','{"step":10,"value":0.225}',1772366400000000);
INSERT INTO "event" VALUES(5,1,0,'finished','{"attempt":"pruned","reason":"","state":"pruned","value":0.125}',1772366406000000);
INSERT INTO "event" VALUES(6,1,1,'proposed','{"sampler":"random","seen":5}',1772366400000000);
INSERT INTO "event" VALUES(7,1,1,'began','{"attempt":1,"device":"cpu:0","host":"host","resumed_from":0,"resumed_step":0}',1772366460000000);
INSERT INTO "event" VALUES(8,1,1,'point','{"step":10,"value":"Infinity"}',1772366460000000);
INSERT INTO "event" VALUES(9,1,1,'finished','{"attempt":"complete","reason":"","state":"complete","value":"Infinity"}',1772366501000000);
INSERT INTO "event" VALUES(10,1,2,'proposed','{"sampler":"random","seen":9}',1772366400000000);
INSERT INTO "event" VALUES(11,1,2,'began','{"attempt":1,"device":"cpu:0","host":"host","resumed_from":0,"resumed_step":0}',1772366520000000);
INSERT INTO "event" VALUES(12,1,2,'point','{"step":10,"value":"NaN"}',1772366520000000);
INSERT INTO "event" VALUES(13,1,2,'finished','{"attempt":"complete","reason":"","state":"complete","value":"NaN"}',1772366539000000);
INSERT INTO "event" VALUES(14,1,3,'proposed','{"sampler":"random","seen":13}',1772366400000000);
INSERT INTO "event" VALUES(15,1,3,'began','{"attempt":1,"device":"cpu:0","host":"host","resumed_from":0,"resumed_step":0}',1772366580000000);
INSERT INTO "event" VALUES(16,1,3,'point','{"step":10,"value":0.85}',1772366580000000);
INSERT INTO "event" VALUES(17,1,3,'finished','{"attempt":"complete","reason":"","state":"complete","value":0.75}',1772366609000000);
INSERT INTO "event" VALUES(18,1,4,'proposed','{"sampler":"random","seen":17}',1772366400000000);
INSERT INTO "event" VALUES(19,1,4,'began','{"attempt":1,"device":"cpu:0","host":"host","resumed_from":0,"resumed_step":0}',1772366640000000);
INSERT INTO "event" VALUES(20,1,4,'point','{"step":10,"value":0.35}',1772366640000000);
INSERT INTO "event" VALUES(21,1,4,'finished','{"attempt":"complete","reason":"","state":"complete","value":0.25}',1772366680000000);
INSERT INTO "event" VALUES(22,1,5,'proposed','{"sampler":"random","seen":21}',1772366400000000);
INSERT INTO "event" VALUES(23,1,5,'began','{"attempt":1,"device":"cpu:0","host":"host","resumed_from":0,"resumed_step":0}',1772366700000000);
INSERT INTO "event" VALUES(24,1,5,'point','{"step":10,"value":0.1}',1772366700000000);
INSERT INTO "event" VALUES(25,1,5,'finished','{"attempt":"failed","reason":"error","state":"failed","value":0}',1772366720000000);
INSERT INTO "event" VALUES(26,1,6,'proposed','{"sampler":"random","seen":25}',1772366400000000);
INSERT INTO "event" VALUES(27,1,6,'began','{"attempt":1,"device":"cpu:0","host":"host","resumed_from":0,"resumed_step":0}',1772366760000000);
INSERT INTO "event" VALUES(28,1,6,'point','{"step":10,"value":0.85}',1772366760000000);
INSERT INTO "event" VALUES(29,1,6,'finished','{"attempt":"pruned","reason":"","state":"pruned","value":0.75}',1772366779000000);
INSERT INTO "event" VALUES(30,1,7,'proposed','{"sampler":"random","seen":29}',1772366400000000);
INSERT INTO "event" VALUES(31,1,7,'began','{"attempt":1,"device":"cpu:0","host":"host","resumed_from":0,"resumed_step":0}',1772366820000000);
INSERT INTO "event" VALUES(32,1,7,'point','{"step":10,"value":0.1}',1772366820000000);
INSERT INTO "event" VALUES(33,1,7,'finished','{"attempt":"pruned","reason":"","state":"pruned","value":0}',1772366844000000);
INSERT INTO "event" VALUES(34,1,8,'proposed','{"sampler":"","seen":33}',1772366400000000);
INSERT INTO "event" VALUES(35,1,8,'began','{"attempt":1,"device":"cpu:0","host":"host","resumed_from":0,"resumed_step":0}',1772366400000000);
INSERT INTO "event" VALUES(36,1,8,'point','{"step":1,"value":1}',1772366400000000);
INSERT INTO "event" VALUES(37,1,8,'point','{"step":2,"value":0.3333333333333333}',1772366400000000);
INSERT INTO "event" VALUES(38,1,8,'committed','{"kinds":["checkpoint"],"step":2}',1772366400000000);
INSERT INTO "event" VALUES(39,1,8,'point','{"step":3,"value":0.2}',1772366400000000);
INSERT INTO "event" VALUES(40,1,8,'point','{"step":4,"value":0.14285714285714285}',1772366400000000);
INSERT INTO "event" VALUES(41,1,8,'requeued','{"attempt":"lost","reason":"lost","state":"waiting"}',1772366400000000);
INSERT INTO "event" VALUES(42,1,8,'began','{"attempt":2,"device":"cpu:0","host":"host","resumed_from":1,"resumed_step":2}',1772366400000000);
INSERT INTO "event" VALUES(43,1,8,'point','{"step":3,"value":0.5}',1772366400000000);
INSERT INTO "event" VALUES(44,1,8,'point','{"step":4,"value":0.25}',1772366400000000);
INSERT INTO "event" VALUES(45,1,8,'committed','{"kinds":["checkpoint"],"step":4}',1772366400000000);
INSERT INTO "event" VALUES(46,1,8,'point','{"step":5,"value":0.16666666666666666}',1772366400000000);
INSERT INTO "event" VALUES(47,1,8,'point','{"step":6,"value":0.125}',1772366400000000);
INSERT INTO "event" VALUES(48,1,8,'requeued','{"attempt":"lost","reason":"lost","state":"waiting"}',1772366400000000);
INSERT INTO "event" VALUES(49,1,8,'began','{"attempt":3,"device":"cpu:0","host":"host","resumed_from":2,"resumed_step":4}',1772366400000000);
INSERT INTO "event" VALUES(50,1,8,'point','{"step":5,"value":0.3333333333333333}',1772366400000000);
INSERT INTO "event" VALUES(51,1,8,'point','{"step":6,"value":0.2}',1772366400000000);
INSERT INTO "event" VALUES(52,1,8,'committed','{"kinds":["checkpoint"],"step":6}',1772366400000000);
INSERT INTO "event" VALUES(53,1,8,'point','{"step":7,"value":0.14285714285714285}',1772366400000000);
INSERT INTO "event" VALUES(54,1,8,'point','{"step":8,"value":0.1111111111111111}',1772366400000000);
INSERT INTO "event" VALUES(55,1,-1,'requested','{"verdict":"pause"}',1772366400000000);
INSERT INTO "event" VALUES(56,1,1,'exported','{"digest":"d","path":"best"}',1772366400000000);
CREATE TABLE export (
    export_id INTEGER PRIMARY KEY AUTOINCREMENT,
    study_id  INTEGER NOT NULL,
    number    INTEGER NOT NULL,
    digest    TEXT NOT NULL,
    path      TEXT NOT NULL,
    metrics   TEXT NOT NULL,      -- JSON
    time      INTEGER NOT NULL
);
INSERT INTO "export" VALUES(1,1,1,'d','best','{"test_mse":0.5}',1772366400000000);
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
INSERT INTO "metric_chunk" VALUES(1,1,1,0,10,1,10,0.225,1.125,0.225,X'010A0200000000000000000080C0F8DAA6FDA506FFBFF8DAA6FDA5060000000000000000000000000000F23F000000000000E43F555555555555DD3F000000000000D83FCDCCCCCCCCCCD43FAAAAAAAAAAAAD23F499224499224D13F000000000000D03F8EE3388EE338CE3FCDCCCCCCCCCCCC3F');
INSERT INTO "metric_chunk" VALUES(2,2,1,0,10,1,10,9e999,9e999,9e999,X'010A0200000000000000000080DC9494A7FDA506FFDB9494A7FDA5060000000000000000000000000000F07F000000000000F07F000000000000F07F000000000000F07F000000000000F07F000000000000F07F000000000000F07F000000000000F07F000000000000F07F000000000000F07F');
INSERT INTO "metric_chunk" VALUES(3,3,1,0,10,1,10,NULL,NULL,NULL,X'010A0200000000000000000080F8B0CDA7FDA506FFF7B0CDA7FDA5060000000000000000010000000000F87F010000000000F87F010000000000F87F010000000000F87F010000000000F87F010000000000F87F010000000000F87F010000000000F87F010000000000F87F010000000000F87F');
INSERT INTO "metric_chunk" VALUES(4,4,1,0,10,1,10,0.85,1.75,0.85,X'010A020000000000000000008094CD86A8FDA506FF93CD86A8FDA5060000000000000000000000000000FC3F000000000000F43F555555555555F13F000000000000F03F666666666666EE3F555555555555ED3F244992244992EC3F000000000000EC3FE4388EE3388EEB3F333333333333EB3F');
INSERT INTO "metric_chunk" VALUES(5,5,1,0,10,1,10,0.35,1.25,0.35,X'010A0200000000000000000080B0E9BFA8FDA506FFAFE9BFA8FDA5060000000000000000000000000000F43F000000000000E83FAAAAAAAAAAAAE23F000000000000E03FCDCCCCCCCCCCDC3FAAAAAAAAAAAADA3F499224499224D93F000000000000D83FC7711CC7711CD73F666666666666D63F');
INSERT INTO "metric_chunk" VALUES(6,6,1,0,10,1,10,0.1,1.0,0.1,X'010A0200000000000000000080CC85F9A8FDA506FFCB85F9A8FDA5060000000000000000000000000000F03F000000000000E03F555555555555D53F000000000000D03F9A9999999999C93F555555555555C53F922449922449C23F000000000000C03F1CC7711CC771BC3F9A9999999999B93F');
INSERT INTO "metric_chunk" VALUES(7,7,1,0,10,1,10,0.85,1.75,0.85,X'010A0200000000000000000080E8A1B2A9FDA506FFE7A1B2A9FDA5060000000000000000000000000000FC3F000000000000F43F555555555555F13F000000000000F03F666666666666EE3F555555555555ED3F244992244992EC3F000000000000EC3FE4388EE3388EEB3F333333333333EB3F');
INSERT INTO "metric_chunk" VALUES(8,8,1,0,10,1,10,0.1,1.0,0.1,X'010A020000000000000000008084BEEBA9FDA506FF83BEEBA9FDA5060000000000000000000000000000F03F000000000000E03F555555555555D53F000000000000D03F9A9999999999C93F555555555555C53F922449922449C23F000000000000C03F1CC7711CC771BC3F9A9999999999B93F');
INSERT INTO "metric_chunk" VALUES(9,9,1,0,4,1,4,1.42857142857142849212e-01,1.0,1.42857142857142849212e-01,X'01040200000080C0F8DAA6FDA506FFBFF8DAA6FDA5060000000000000000F03F555555555555D53F9A9999999999C93F922449922449C23F');
INSERT INTO "metric_chunk" VALUES(10,10,1,0,4,3,6,0.125,0.5,0.125,X'01040603000080C0F8DAA6FDA506FFBFF8DAA6FDA5060000000000000000E03F000000000000D03F555555555555C53F000000000000C03F');
CREATE TABLE metric_key (
    key_id   INTEGER PRIMARY KEY,
    study_id INTEGER NOT NULL,
    name     TEXT NOT NULL,
    UNIQUE (study_id, name)
);
INSERT INTO "metric_key" VALUES(1,1,'val_mse');
INSERT INTO "metric_key" VALUES(2,1,'val_ssim');
CREATE TABLE metric_tail (
    attempt_id INTEGER NOT NULL,
    key_id     INTEGER NOT NULL,
    ord        INTEGER NOT NULL,  -- order of arrival in the attempt
    step       INTEGER NOT NULL,
    value      REAL,
    time       INTEGER NOT NULL,
    PRIMARY KEY (attempt_id, key_id, ord)
) WITHOUT ROWID;
INSERT INTO "metric_tail" VALUES(11,1,0,5,3.33333333333333314829e-01,1772366400000000);
INSERT INTO "metric_tail" VALUES(11,1,1,6,0.2,1772366400000000);
INSERT INTO "metric_tail" VALUES(11,1,2,7,1.42857142857142849212e-01,1772366400000000);
INSERT INTO "metric_tail" VALUES(11,1,3,8,1.11111111111111104943e-01,1772366400000000);
CREATE TABLE request (
    request_id INTEGER PRIMARY KEY AUTOINCREMENT,
    study_id   INTEGER NOT NULL,
    verdict    TEXT NOT NULL,
    time       INTEGER NOT NULL
);
INSERT INTO "request" VALUES(1,1,'pause',1772366400000000);
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
CREATE TABLE study_spec (
    study_id INTEGER PRIMARY KEY,
    spec     TEXT NOT NULL,      -- JSON of study.Spec
    data     TEXT NOT NULL,      -- JSON of study.Data
    created  INTEGER NOT NULL
);
INSERT INTO "study_spec" VALUES(1,'{"name":"suite","method":"random","objective":{"name":"val_mse","direction":"minimize"},"run_cap":10,"space":[{"name":"lr","distribution":{"kind":"float","low":0.00001,"high":1,"log":true}},{"name":"weight","distribution":{"kind":"float","high":1,"step":0.25}},{"name":"latent","distribution":{"kind":"int","low":64,"high":512,"step":64}},{"name":"batch","distribution":{"kind":"categorical","choices":[32,64]}},{"name":"loss","distribution":{"kind":"categorical","choices":["mse","mae",null,true,0.5]}},{"name":"filters","distribution":{"kind":"categorical","choices":[[16,32],[8,0.5]]}},{"name":"depth","distribution":{"kind":"categorical","choices":[3]}}],"trainer":"cae","data":{"names":["shapes"],"train":100,"validation":20},"epochs":10,"seed":0,"pruner":{},"workers":0,"retries":0,"keep_checkpoints":2}','{"name":"shapes","fingerprint":"f00d"}',1772366400000000);
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
INSERT INTO "sweep_migration" VALUES(3,2,1,'2026-11-24 06:40:45');
INSERT INTO "sweep_migration" VALUES(4,3,1,'2026-11-24 06:40:45');
INSERT INTO "sweep_migration" VALUES(5,4,1,'2026-11-24 09:58:07');
INSERT INTO "sweep_migration" VALUES(6,5,1,'2026-11-24 13:40:00');
CREATE TABLE trial_heartbeats (
    trial_heartbeat_id INTEGER NOT NULL PRIMARY KEY,
    trial_id           INTEGER NOT NULL UNIQUE REFERENCES trials (trial_id),
    heartbeat          DATETIME NOT NULL
);
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
INSERT INTO "trial_info" VALUES(1,1,0,1,0.125,0,0.125,'','',1,1,0,0,6000000,1,NULL,'random',1);
INSERT INTO "trial_info" VALUES(2,1,1,0,9e999,0,9e999,'','',1,1,0,0,41000000,1,NULL,'random',5);
INSERT INTO "trial_info" VALUES(3,1,2,0,NULL,1,0.0,'','',1,1,0,0,19000000,1,NULL,'random',9);
INSERT INTO "trial_info" VALUES(4,1,3,0,0.75,0,0.75,'','',1,1,0,0,29000000,1,NULL,'random',13);
INSERT INTO "trial_info" VALUES(5,1,4,0,0.25,0,0.25,'','',1,1,0,0,40000000,1,NULL,'random',17);
INSERT INTO "trial_info" VALUES(6,1,5,4,NULL,1,0.0,'error','no luck',1,1,1,0,20000000,1,NULL,'random',21);
INSERT INTO "trial_info" VALUES(7,1,6,1,0.75,0,0.75,'','',1,1,0,0,19000000,1,NULL,'random',25);
INSERT INTO "trial_info" VALUES(8,1,7,1,0.0,0,0.0,'','',1,1,0,0,24000000,1,NULL,'random',29);
INSERT INTO "trial_info" VALUES(9,1,8,2,NULL,1,0.0,'','',3,3,0,0,0,3,NULL,'',33);
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
CREATE TABLE trial_latest (
    trial_id INTEGER NOT NULL,
    key_id   INTEGER NOT NULL,
    step     INTEGER NOT NULL,
    value    REAL,
    PRIMARY KEY (trial_id, key_id)
) WITHOUT ROWID;
INSERT INTO "trial_latest" VALUES(1,1,0,0.125);
INSERT INTO "trial_latest" VALUES(1,2,0,8.0);
INSERT INTO "trial_latest" VALUES(2,1,0,9e999);
INSERT INTO "trial_latest" VALUES(2,2,0,14.0);
INSERT INTO "trial_latest" VALUES(3,1,0,NULL);
INSERT INTO "trial_latest" VALUES(3,2,0,18.0);
INSERT INTO "trial_latest" VALUES(4,1,0,0.75);
INSERT INTO "trial_latest" VALUES(4,2,0,5.0);
INSERT INTO "trial_latest" VALUES(5,1,0,0.25);
INSERT INTO "trial_latest" VALUES(5,2,0,11.0);
INSERT INTO "trial_latest" VALUES(6,1,10,0.1);
INSERT INTO "trial_latest" VALUES(7,1,0,0.75);
INSERT INTO "trial_latest" VALUES(7,2,0,19.0);
INSERT INTO "trial_latest" VALUES(8,1,0,0.0);
INSERT INTO "trial_latest" VALUES(9,1,8,1.11111111111111104943e-01);
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
CREATE INDEX trial_info_number ON trial_info (study_id, number);
CREATE INDEX trial_info_state ON trial_info (study_id, class);
CREATE INDEX trial_info_rank ON trial_info (study_id, class, nan, score);
CREATE INDEX trial_info_value ON trial_info (study_id, value);
CREATE INDEX trial_info_duration ON trial_info (study_id, duration);
CREATE INDEX trial_params_order ON trial_params (param_name, param_value, trial_id);
CREATE INDEX attempt_open ON attempt (trial_id) WHERE state = 'running';
CREATE INDEX trial_latest_order ON trial_latest (key_id, value, trial_id);
CREATE INDEX artifact_trial ON artifact (trial_id, kind);
CREATE INDEX artifact_study ON artifact (study_id, kind);
CREATE INDEX artifact_digest ON artifact (digest);
CREATE INDEX event_study ON event (study_id, seq);
CREATE INDEX request_study ON request (study_id, request_id);
CREATE INDEX export_study ON export (study_id, number);
CREATE TRIGGER trial_added AFTER INSERT ON trials BEGIN
    INSERT OR REPLACE INTO trial_info (trial_id, study_id, number, class)
    VALUES (NEW.trial_id, NEW.study_id, NEW.number,
            CASE NEW.state WHEN 'COMPLETE' THEN 0 WHEN 'PRUNED' THEN 1 WHEN 'RUNNING' THEN 2 WHEN 'WAITING' THEN 3 ELSE 4 END);
END;
CREATE TRIGGER trial_changed AFTER UPDATE ON trials BEGIN
    UPDATE trial_info
    SET number = NEW.number,
        class = CASE NEW.state WHEN 'COMPLETE' THEN 0 WHEN 'PRUNED' THEN 1 WHEN 'RUNNING' THEN 2 WHEN 'WAITING' THEN 3 ELSE 4 END,
        duration = CASE attempts WHEN 0
            THEN CAST(round((julianday(NEW.datetime_complete) - julianday(NEW.datetime_start)) * 86400e3) AS INTEGER) * 1000
            ELSE duration END
    WHERE trial_id = NEW.trial_id;
END;
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
CREATE TRIGGER trial_removed AFTER DELETE ON trials BEGIN
    DELETE FROM metric_tail WHERE attempt_id IN (SELECT attempt_id FROM attempt WHERE trial_id = OLD.trial_id);
    DELETE FROM metric_chunk WHERE attempt_id IN (SELECT attempt_id FROM attempt WHERE trial_id = OLD.trial_id);
    DELETE FROM attempt WHERE trial_id = OLD.trial_id;
    DELETE FROM trial_latest WHERE trial_id = OLD.trial_id;
    DELETE FROM artifact WHERE trial_id = OLD.trial_id;
    DELETE FROM trial_info WHERE trial_id = OLD.trial_id;
END;
CREATE TRIGGER study_removed AFTER DELETE ON studies BEGIN
    DELETE FROM study_spec WHERE study_id = OLD.study_id;
    DELETE FROM metric_key WHERE study_id = OLD.study_id;
    DELETE FROM event WHERE study_id = OLD.study_id;
    DELETE FROM request WHERE study_id = OLD.study_id;
    DELETE FROM export WHERE study_id = OLD.study_id;
END;
CREATE INDEX artifact_content ON artifact (study_id, digest, size);
CREATE TRIGGER study_baselines_removed AFTER DELETE ON studies BEGIN
    DELETE FROM baseline WHERE study_id = OLD.study_id;
END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('sweep_migration',6);
INSERT INTO "sqlite_sequence" VALUES('event',56);
INSERT INTO "sqlite_sequence" VALUES('attempt',11);
INSERT INTO "sqlite_sequence" VALUES('artifact',3);
INSERT INTO "sqlite_sequence" VALUES('request',1);
INSERT INTO "sqlite_sequence" VALUES('export',1);
COMMIT;
