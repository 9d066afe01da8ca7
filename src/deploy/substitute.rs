//! Provisional.
use std::collections::BTreeMap;
pub fn apply(text: &[u8], _: &BTreeMap<String, String>) -> Result<Vec<u8>, String> {
    Ok(text.to_vec())
}
