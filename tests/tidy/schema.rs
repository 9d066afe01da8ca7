//! What is made from the sources is fresh: the JSON Schema, and the pages of the rules.

use crate::{read, root};

/// `UPDATE_SCHEMA=1 cargo test --release --test tidy schema` writes it.
#[test]
fn the_published_schema_is_fresh() {
    let path = "docs/netpol-review.schema.json";
    let real = netpol_review::settings::file::schema();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(root().join(path), &real).expect("the schema can be written");
        return;
    }
    assert_eq!(read(path), real, "left: {path}, right: the types; UPDATE_SCHEMA=1 writes it");
}

/// `UPDATE_RULES=1 cargo test --release --test tidy rules` writes it.
#[test]
fn the_pages_of_the_rules_are_fresh() {
    let path = "docs/rules.md";
    let real = netpol_review::rules::page::all();
    if std::env::var_os("UPDATE_RULES").is_some() {
        std::fs::write(root().join(path), &real).expect("the pages can be written");
        return;
    }
    assert_eq!(read(path), real, "left: {path}, right: the rules; UPDATE_RULES=1 writes it");
}
