//! Sets against formulas on every point.

use super::*;
use proptest::prelude::*;

/// A formula over three fields of eight values, evaluated both ways.
#[derive(Clone, Debug)]
enum Formula {
    Range(Level, u32, u32),
    And(Box<Formula>, Box<Formula>),
    Or(Box<Formula>, Box<Formula>),
    Minus(Box<Formula>, Box<Formula>),
}

impl Formula {
    fn build(&self, d: &mut Diagrams) -> Set {
        match self {
            Formula::Range(level, a, b) => {
                let last = if *b == 7 { u32::MAX } else { *b };
                d.node(*level, [(*a, last, Set::FULL)]).unwrap()
            }
            Formula::And(a, b) => {
                let (a, b) = (a.build(d), b.build(d));
                d.and(a, b).unwrap()
            }
            Formula::Or(a, b) => {
                let (a, b) = (a.build(d), b.build(d));
                d.or(a, b).unwrap()
            }
            Formula::Minus(a, b) => {
                let (a, b) = (a.build(d), b.build(d));
                d.minus(a, b).unwrap()
            }
        }
    }

    fn holds(&self, point: [u32; 3]) -> bool {
        match self {
            Formula::Range(level, a, b) => (*a..=*b).contains(&point[*level as usize]),
            Formula::And(a, b) => a.holds(point) && b.holds(point),
            Formula::Or(a, b) => a.holds(point) || b.holds(point),
            Formula::Minus(a, b) => a.holds(point) && !b.holds(point),
        }
    }
}

fn member(d: &Diagrams, mut set: Set, point: [u32; 3]) -> bool {
    while let Some(level) = d.level(set) {
        let value = point[level as usize];
        set = d.edges(set).iter().find(|edge| value <= edge.last).unwrap().child;
    }
    set == Set::FULL
}

fn formulas() -> impl Strategy<Value = Formula> {
    let leaf = (0u32..3, 0u32..8, 0u32..8)
        .prop_map(|(level, a, b)| Formula::Range(level, a.min(b), a.max(b)));
    leaf.prop_recursive(6, 48, 2, |inner| {
        (inner.clone(), inner, 0..3).prop_map(|(a, b, op)| {
            let (a, b) = (Box::new(a), Box::new(b));
            match op {
                0 => Formula::And(a, b),
                1 => Formula::Or(a, b),
                _ => Formula::Minus(a, b),
            }
        })
    })
}

fn points() -> impl Iterator<Item = [u32; 3]> {
    (0..512u32).map(|n| [n / 64, n / 8 % 8, n % 8])
}

proptest! {
    #[test]
    fn operations_mean_what_they_say(formula in formulas()) {
        let mut d = Diagrams::new(10_000);
        let set = formula.build(&mut d);
        for point in points() {
            prop_assert_eq!(member(&d, set, point), formula.holds(point));
        }
    }

    #[test]
    fn equal_sets_have_equal_handles(a in formulas(), b in formulas()) {
        let mut d = Diagrams::new(10_000);
        let (x, y) = (a.build(&mut d), b.build(&mut d));
        prop_assert_eq!(x == y, points().all(|p| a.holds(p) == b.holds(p)));
    }

    #[test]
    fn what_lies_within_may_do_so(a in formulas(), b in formulas()) {
        let mut d = Diagrams::new(10_000);
        let (x, y) = (a.build(&mut d), b.build(&mut d));
        let (both, either) = (d.and(x, y).unwrap(), d.or(x, y).unwrap());
        prop_assert!(d.may_lie_within(both, x) && d.may_lie_within(x, either));
        if !d.may_lie_within(x, y) {
            prop_assert!(!d.minus(x, y).unwrap().is_empty());
        }
        // One point decides where there is nothing in common.
        let rest = d.minus(x, y).unwrap();
        prop_assert_eq!(d.may_lie_within(rest, y), rest.is_empty());
    }

    #[test]
    fn what_is_clearly_apart_has_no_point_in_common(a in formulas(), b in formulas()) {
        let mut d = Diagrams::new(10_000);
        let (x, y) = (a.build(&mut d), b.build(&mut d));
        let both = d.and(x, y).unwrap();
        prop_assert!(both.is_empty() || !d.clearly_apart(x, y));
    }

    #[test]
    fn projection_forgets_the_other_fields(formula in formulas()) {
        let mut d = Diagrams::new(10_000);
        let set = formula.build(&mut d);
        let projected = d.project(set, |level| level == 1).unwrap();
        for value in 0..8 {
            let expected = points().any(|p| p[1] == value && formula.holds(p));
            prop_assert_eq!(member(&d, projected, [0, value, 0]), expected);
        }
    }
}

#[test]
fn a_glance_tells_other_values_apart() {
    let mut d = Diagrams::new(1_000);
    let mut point = |a, b| {
        let inner = d.node(1, [(b, b, Set::FULL)]).unwrap();
        d.node(0, [(a, a, inner)]).unwrap()
    };
    let (one, other, third) = (point(1, 1), point(1, 2), point(2, 1));
    let nodes = d.nodes();
    assert!(d.clearly_apart(one, other) && d.clearly_apart(one, third));
    assert!(!d.clearly_apart(one, one) && !d.clearly_apart(one, Set::FULL));
    assert_eq!(d.nodes(), nodes);
}

#[test]
fn work_is_counted_and_bounded() {
    let mut d = Diagrams::new(1_000);
    let a = d.node(0, [(1, 1, Set::FULL)]).unwrap();
    let b = d.node(1, [(1, 1, Set::FULL)]).unwrap();
    d.limit_steps(OPERATION);
    assert!(d.and(a, b).is_ok());
    assert_eq!((d.or(a, b), d.steps()), (Err(OverBudget), 2 * OPERATION));
    d.limit_steps(OPERATION);
    assert!(d.or(a, b).is_ok());
}

#[test]
fn running_out_is_an_error_and_not_an_answer() {
    let mut d = Diagrams::new(3);
    let a = d.node(1, [(1, 1, Set::FULL)]).unwrap();
    assert_eq!(d.node(0, [(1, 1, a)]), Err(OverBudget));
}
