//! The tables, the same in SQLite and PostgreSQL. A change is one more step at the end; a step that was released is
//! never edited, as [`sqlx`] compares it with what the database has.

use sqlx::migrate::{Migration, MigrationType, Migrator};
use std::borrow::Cow;

/// Each step's number, name and statements.
const STEPS: [(i64, &str, &str); 4] =
    [(1, "queue", QUEUE), (2, "pages", PAGES), (3, "heads", HEADS), (4, "delivery", DELIVERY)];

/// Times are milliseconds since 1970. What a worker holds has its `owner`. `generation` counts how often a job was
/// asked for, so that whoever ends one knows whether somebody asked again meanwhile.
const QUEUE: &str = "
CREATE TABLE deliveries (
    guid TEXT PRIMARY KEY NOT NULL,
    received BIGINT NOT NULL
);
CREATE INDEX deliveries_by_age ON deliveries (received);

CREATE TABLE jobs (
    key TEXT PRIMARY KEY NOT NULL,
    installation BIGINT NOT NULL,
    repository BIGINT NOT NULL,
    name TEXT NOT NULL,
    task TEXT NOT NULL,
    again BIGINT NOT NULL,
    priority BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    asked BIGINT NOT NULL,
    due BIGINT NOT NULL,
    owner TEXT,
    dead BIGINT NOT NULL,
    error TEXT
);
CREATE INDEX jobs_waiting ON jobs (dead, owner, installation, priority, due);
CREATE INDEX jobs_held ON jobs (owner);

CREATE TABLE replicas (
    id TEXT PRIMARY KEY NOT NULL,
    beat BIGINT NOT NULL
);
";

/// Report pages, and keys that the servers make for themselves. The index has all that forgetting pages asks for, so that
/// their texts are not read for it.
const PAGES: &str = "
CREATE TABLE pages (
    id TEXT PRIMARY KEY NOT NULL,
    made BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    html TEXT NOT NULL
);
CREATE INDEX pages_by_age ON pages (made, id, bytes);

CREATE TABLE secrets (
    name TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
);
";

/// The head that was reviewed last, or is to be, of each job; it `moved` there from another one and its review is not done.
/// And when something was begun that one server does for all.
const HEADS: &str = "
CREATE TABLE heads (
    key TEXT PRIMARY KEY NOT NULL,
    head TEXT NOT NULL,
    moved BIGINT NOT NULL,
    noted BIGINT NOT NULL
);
CREATE INDEX heads_by_age ON heads (noted);

CREATE TABLE rounds (
    name TEXT PRIMARY KEY NOT NULL,
    begun BIGINT NOT NULL
);
";

/// The delivery that asked for a job last; none where none did.
const DELIVERY: &str = "ALTER TABLE jobs ADD COLUMN delivery TEXT;";

/// All steps.
pub fn migrator() -> Migrator {
    let migrations = STEPS.map(|(version, name, sql)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into(), false)
    });
    // A server of one version back may start beside a newer one: steps add, and take nothing away that it uses.
    Migrator {
        migrations: Cow::Owned(migrations.into()),
        ignore_missing: true,
        ..Migrator::DEFAULT
    }
}
