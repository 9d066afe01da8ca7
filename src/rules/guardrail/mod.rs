//! Guardrails of the configuration, asked exactly: what the three rules of them have in common.
//!
//! The flows that a guardrail is about are a set of the symbolic engine, so pods that are not declared are asked
//! about like declared ones. What is told of it has a witness that was replayed on the specification.

mod ends;
mod pair;
mod unknown;

pub use pair::Telling;
pub use unknown::Unmodelled;

use super::Draft;
use crate::config::{Config, Demand, Guardrail, IpBlocksMatchPods};
use crate::model::Origin;
use crate::reach::{Encoder, Reading, Side, World};
use crate::report::{Hides, Message, NotEvaluated, Severity, Side as ReportSide, Witness};
use crate::set::fields::End;
use crate::set::{OverBudget, Set};

type Result<T> = std::result::Result<T, OverBudget>;

/// Everything that a rule is asked about guardrails.
pub struct Guarded<'g, 'w, 'a> {
    /// Both sides.
    pub world: &'w World<'a>,
    /// The guardrails, and what is known of the cluster.
    pub config: &'g Config,
    /// There is a side before to compare with; otherwise both sides are the same.
    pub compare: bool,
    /// Something differs between the sides, or there is nothing to compare with.
    pub touched: bool,
    /// Policies of the side after that are not evaluated.
    pub unmodelled: &'g [Unmodelled],
    /// Guardrails that could not be decided.
    pub not_evaluated: Vec<NotEvaluated>,
}

/// One guardrail that is asked about.
pub struct Asked<'g, 'w, 'a> {
    /// Which.
    pub guardrail: &'g Guardrail,
    /// There is a side before to compare with.
    pub compare: bool,
    /// The engine, in a store of this guardrail's own.
    pub encoder: Encoder<'w, 'a>,
    config: &'g Config,
    unmodelled: &'g [Unmodelled],
    met_blocks: bool,
    drafts: Vec<Draft>,
    not_evaluated: Vec<NotEvaluated>,
}

/// Asks about each guardrail of a kind whose ends are somebody.
pub fn each(
    guarded: &mut Guarded<'_, '_, '_>,
    kind: fn(&Demand) -> bool,
    ask: fn(&mut Asked<'_, '_, '_>) -> Result<()>,
) -> Vec<Draft> {
    let mut drafts = Vec::new();
    let config = guarded.config;
    let asked = config.guardrails.iter().filter(|guardrail| kind(&guardrail.demand));
    // Where nothing differs, only what was there before can be told.
    for guardrail in asked.filter(|guardrail| guarded.touched || guardrail.always()) {
        let mut asked = Asked::new(guarded, guardrail);
        let answer = asked.matches().and_then(|good| if good { ask(&mut asked) } else { Ok(()) });
        if answer.is_err() {
            let reason = "what this guardrail is about is too large to compute within the limits; name fewer, or \
                          raise the node budget";
            let (file, line) = (guardrail.file.to_string(), Some(guardrail.line));
            asked.undecided(file, line, reason.into());
        }
        drafts.append(&mut asked.drafts);
        guarded.not_evaluated.append(&mut asked.not_evaluated);
    }
    drafts
}

impl<'g, 'w, 'a> Asked<'g, 'w, 'a> {
    fn new(guarded: &Guarded<'g, 'w, 'a>, guardrail: &'g Guardrail) -> Self {
        let Guarded { world, config, compare, unmodelled, .. } = *guarded;
        let encoder = Encoder::new(world, Reading::KnownAddresses, config.node_budget);
        Self {
            guardrail,
            compare,
            encoder,
            config,
            unmodelled,
            met_blocks: false,
            drafts: Vec::new(),
            not_evaluated: Vec::new(),
        }
    }

    /// Do blocks match pods of unknown address, as far as the configuration knows?
    fn always(&self) -> bool {
        self.config.ip_blocks_match_pods == IpBlocksMatchPods::Always
    }

    /// Could blocks match pods, and did one play a part so far?
    pub fn in_doubt(&self) -> bool {
        self.met_blocks && self.config.ip_blocks_match_pods == IpBlocksMatchPods::Unknown
    }

    /// The flows of a region that a side allows. `assumed`: where blocks match pods, too, and between pods only.
    pub fn allowed(&mut self, side: Side, region: Set, assumed: bool) -> Result<Set> {
        let any = assumed || self.always();
        self.encoder.set_reading(if any { Reading::AnyAddress } else { Reading::KnownAddresses });
        self.encoder.forget_blocks();
        let allowed = self.encoder.allowed(side, region)?;
        self.met_blocks |= self.encoder.met_blocks();
        if assumed { self.encoder.between_pods(allowed) } else { Ok(allowed) }
    }

    /// Best first: what a reader recognises.
    fn preferred(&mut self) -> Result<[Set; 3]> {
        let outside = self.encoder.outside(End::Source)?;
        let known = self.declared_ends()?;
        Ok([outside, self.encoder.apart(known)?, known])
    }

    fn declared_ends(&mut self) -> Result<Set> {
        let (to, from) = (self.declared(End::Destination)?, self.declared(End::Source)?);
        self.encoder.d.and(to, from)
    }

    /// The flows with a declared workload at this end.
    fn declared(&mut self, end: End) -> Result<Set> {
        match (self.encoder.world.workloads.len() as u32).checked_sub(1) {
            Some(last) => self.encoder.in_slots(end, &[(0, last)]),
            None => Ok(Set::EMPTY),
        }
    }

    /// A sentence that begins with the guardrail's name.
    fn message(&self, words: &'static str) -> Message {
        Message::new("Guardrail ").name(&self.guardrail.id).words(words)
    }

    /// The lines of the configuration.
    fn lines(&self) -> Origin {
        let Guardrail { file, line, .. } = self.guardrail;
        Origin { file: file.clone(), start_line: *line, end_line: *line }
    }

    /// The side that the configuration is read from.
    fn side_of_lines(&self) -> ReportSide {
        if self.compare { ReportSide::Before } else { ReportSide::After }
    }

    /// Something about the configuration, not about a manifest.
    fn tell_of_configuration(
        &mut self,
        subject: String,
        message: Message,
        severity: Severity,
        counts: bool,
    ) {
        let draft = Draft::object(&*self.guardrail.id, &self.lines(), subject, message);
        // Of a side that stands alone everything is told as it is.
        let introduced = Some(counts || !self.compare);
        let draft = Draft { introduced, side: self.side_of_lines(), ..draft };
        self.drafts.push(draft.severity(severity));
    }

    /// Notes that nobody can say whether the guardrail holds.
    fn undecided(&mut self, file: String, line: Option<u32>, reason: String) {
        self.not_evaluated.push(NotEvaluated {
            side: ReportSide::After,
            file,
            line,
            kind: Some("guardrail".into()),
            name: Some(self.guardrail.id.clone()),
            reason,
            hides: if self.compare { Hides::Widening } else { Hides::Flow },
            environments: Vec::new(),
        });
    }

    fn disagree(&mut self, witness: &Witness) {
        let Witness { from, to, protocol, port, .. } = witness;
        let reason = format!(
            "the two evaluators disagree on {from} -> {to} {protocol}/{port}; please report this"
        );
        let (file, line) = (self.guardrail.file.to_string(), Some(self.guardrail.line));
        self.undecided(file, line, reason);
    }
}
