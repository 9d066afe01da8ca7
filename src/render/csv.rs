//! CSV of a listing: `source,destination,ports`, quoted as in RFC 4180, with a newline as the end
//! of each record, as tools on the command line expect.
//!
//! It is data: ends are `namespace/name[Kind]` or addresses, unchanged.

use super::untrusted;
use crate::report::ports;
use crate::report::{Endpoint, Listing};

/// One record for each pair that may talk.
pub fn listing(listing: &Listing) -> String {
    let mut out = String::from("source,destination,ports\n");
    for connection in &listing.connections {
        let fields = [
            end(&connection.source),
            end(&connection.destination),
            ports::words(&connection.ports),
        ];
        let fields = fields.map(|field| untrusted::csv(&field));
        out.push_str(&fields.join(","));
        out.push('\n');
    }
    out
}

fn end(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Workload { namespace, name, kind } => format!("{namespace}/{name}[{kind}]"),
        Endpoint::External { cidrs } => cidrs.join(" "),
    }
}
