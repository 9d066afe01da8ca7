//! What kept builds away from the network.

use crate::report::Isolation;

/// What is said of it where it is less than one would think.
pub fn isolation(isolation: Option<Isolation>) -> Option<&'static str> {
    match isolation? {
        Isolation::Proxies => Some(
            "only proxies that point nowhere keep builds from the network: this system allows no network namespaces",
        ),
        // What is the rule, or was asked for, need not be said.
        Isolation::Namespace | Isolation::None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_less_is_said() {
        let said = |what| isolation(what).is_some();
        assert!(said(Some(Isolation::Proxies)));
        assert!(![None, Some(Isolation::Namespace), Some(Isolation::None)].into_iter().any(said));
    }
}
