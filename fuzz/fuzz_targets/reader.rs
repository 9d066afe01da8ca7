//! Arbitrary bytes as a manifest: reading ends, and never panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use netpol_review::config::Config;
use netpol_review::parse::parse_both;
use netpol_review::tree::{Content, Tree};
use std::sync::Arc;

fuzz_target!(|bytes: &[u8]| {
    let content = Content::new(bytes);
    let files = ["manifest.yaml", "manifest.json"].map(|path| (Arc::from(path), content.clone()));
    let tree = Tree { files: files.into(), ..Tree::default() };
    let (before, after) = parse_both(&tree, &tree, &Config::default());
    assert_eq!(before.problems, after.problems, "the sides are the same");
});
