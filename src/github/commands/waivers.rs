//! All commands of a pull request, oldest first -> the waivers in force, and what became of each command.

use super::parse::Command;
use crate::settings::{Given, Waiver};
use chrono::{DateTime, NaiveDate, Utc};

/// A command that its author may give, or not.
#[derive(Clone, Debug)]
pub struct Order {
    /// Who wrote it.
    pub by: String,
    /// The page of the comment.
    pub url: String,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// What it says.
    pub command: Command,
    /// Its author may accept what it is about.
    pub allowed: bool,
}

/// What became of a command in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It changes nothing: its author may not, or it only asks.
    Idle,
    /// It is in force, as this waiver, whose fingerprint is as it was written.
    InForce(Waiver),
    /// It was, until it ended.
    Ended(Waiver),
    /// Somebody took it back.
    TakenBack {
        /// Who.
        by: String,
    },
    /// A later one has its place.
    Replaced {
        /// Whose.
        by: String,
    },
    /// It took back so many.
    TookBack(usize),
}

/// What became of each, in their order.
pub fn settle(orders: &[Order], now: DateTime<Utc>) -> Vec<Fate> {
    let mut fates: Vec<Fate> = Vec::with_capacity(orders.len());
    for order in orders {
        let fate = match &order.command {
            Command::Waive { fingerprint, .. } if order.allowed => {
                take(
                    &mut fates,
                    |waiver| waiver.fingerprint == *fingerprint,
                    || Fate::Replaced { by: order.by.clone() },
                );
                waived(order, now)
            }
            // Whoever accepted something can always take it back.
            Command::Unwaive { fingerprint } => {
                let own = |waiver: &Waiver| {
                    let by = waiver.by.as_deref().unwrap_or_default();
                    order.allowed || by.eq_ignore_ascii_case(&order.by)
                };
                let gone = |waiver: &Waiver| same(&waiver.fingerprint, fingerprint) && own(waiver);
                let count = take(&mut fates, gone, || Fate::TakenBack { by: order.by.clone() });
                if count > 0 || order.allowed { Fate::TookBack(count) } else { Fate::Idle }
            }
            _ => Fate::Idle,
        };
        fates.push(fate);
    }
    fates
}

/// Ends the waivers of which this is true, and gives their number.
fn take(fates: &mut [Fate], gone: impl Fn(&Waiver) -> bool, end: impl Fn() -> Fate) -> usize {
    let mut count = 0;
    for fate in fates {
        if let Fate::InForce(waiver) | Fate::Ended(waiver) = fate
            && gone(waiver)
        {
            *fate = end();
            count += 1;
        }
    }
    count
}

/// Of two beginnings of fingerprints, do they name the same?
pub fn same(one: &str, other: &str) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

fn waived(order: &Order, now: DateTime<Utc>) -> Fate {
    let Command::Waive { fingerprint, reason, expires } = &order.command else { return Fate::Idle };
    let (until, day): (Option<DateTime<Utc>>, Option<NaiveDate>) =
        expires.map_or((None, None), |expires| expires.of(order.at));
    let over = until.is_some_and(|end| end <= now) || day.is_some_and(|day| day < now.date_naive());
    let given = Given { url: order.url.clone(), until, lapsed: over, approval: false };
    let waiver = Waiver {
        fingerprint: fingerprint.clone(),
        reason: reason.clone(),
        expires: day,
        by: Some(order.by.clone()),
        line: 0,
        given: Some(given),
    };
    if over { Fate::Ended(waiver) } else { Fate::InForce(waiver) }
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::*;

    const A: &str = "aaaaaaaaaaaa";

    fn orders(lines: &[(&str, &str, bool)]) -> Vec<Order> {
        let orders = lines.iter().zip(0..).map(|((by, line, allowed), minute)| Order {
            by: by.to_string(),
            url: String::new(),
            at: time(&format!("2026-06-01T10:{minute:02}:00Z")),
            command: parse(&format!("/netpol-review {line}")).remove(0).expect("a command"),
            allowed: *allowed,
        });
        orders.collect()
    }

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn settled(lines: &[(&str, &str, bool)], now: &str) -> Vec<String> {
        let fates = settle(&orders(lines), time(now));
        let word = |fate: &Fate| match fate {
            Fate::Idle => "idle".to_string(),
            Fate::InForce(waiver) => format!("in force: {}", waiver.reason),
            Fate::Ended(waiver) => format!("ended {}", waiver.end().unwrap_or_default()),
            Fate::TakenBack { by } => format!("taken back by {by}"),
            Fate::Replaced { by } => format!("replaced by {by}"),
            Fate::TookBack(count) => format!("took back {count}"),
        };
        fates.iter().map(word).collect()
    }

    #[test]
    fn the_last_word_counts() {
        let now = "2026-06-01T12:00:00Z";
        let waive = "waive aaaaaaaaaaaa00000000000000000000 --reason x";
        let long = "waive aaaaaaaaaaaabbbbbbbbbbbbbbbbbbbb --reason y";
        let other = "waive cccccccccccccccccccccccccccccccc --reason z";
        let back = "unwaive aaaaaaaaaaaa";
        for (lines, fates) in [
            (&[("a", waive, true)][..], &["in force: x"][..]),
            (&[("a", waive, false)], &["idle"]),
            (&[("a", waive, true), ("b", back, true)], &["taken back by b", "took back 1"]),
            (&[("a", waive, true), ("b", back, false)], &["in force: x", "idle"]),
            (&[("a", waive, true), ("A", back, false)], &["taken back by A", "took back 1"]),
            (&[("a", back, true), ("a", waive, true)], &["took back 0", "in force: x"]),
            (
                &[("a", waive, true), ("b", back, true), ("a", waive, true)],
                &["taken back by b", "took back 1", "in force: x"],
            ),
            (&[("a", waive, true), ("b", waive, true)], &["replaced by b", "in force: x"]),
            (&[("a", waive, true), ("b", waive, false)], &["in force: x", "idle"]),
            (
                &[("a", long, true), ("a", other, true), ("b", back, true)],
                &["taken back by b", "in force: z", "took back 1"],
            ),
        ] {
            assert_eq!(settled(lines, now), fates, "{lines:?}");
        }
        assert!(same(A, "aaaaaaaaaaaabbbb") && !same(A, "aaaaaaaaaaab"));
    }

    #[test]
    fn ends() {
        let hours = "waive aaaaaaaaaaaa00000000000000000000 --expires 12h --reason x";
        let day = "waive aaaaaaaaaaaa00000000000000000000 --expires 2026-06-02 --reason x";
        for (line, now, fate) in [
            (hours, "2026-06-01T21:59:59Z", "in force: x"),
            (hours, "2026-06-01T22:00:00Z", "ended 2026-06-01 22:00 UTC"),
            (day, "2026-06-02T23:59:59Z", "in force: x"),
            (day, "2026-06-03T00:00:00Z", "ended 2026-06-02"),
        ] {
            assert_eq!(settled(&[("a", line, true)], now), [fate], "{line} at {now}");
        }
    }
}
