//! The catalogue of least-privilege rules: what is wrong with how policies are written, and with what
//! they let through.
//!
//! A rule is one file of `catalogue`: its page, its examples and its check; [`catalogue::RULES`] lists them.
//! A check reads a [`Snapshot`] and answers with [`Draft`]s; what is introduced, shown and ignored is decided
//! here, for all rules alike. The documentation, SARIF's help and the tests come from the same file.
//!
//! A comparison asks only about what the change can have altered ([`Scope`]), so it costs what the change
//! costs and not what the repository does.

mod addresses;
pub mod catalogue;
pub mod confirm;
mod draft;
mod evidence;
mod fold;
pub mod granted;
pub mod grants;
pub mod guardrail;
mod ignore;
mod known;
mod nobody;
pub mod page;
pub mod repair;
mod scope;
mod serves;
mod snapshot;
mod words;

pub use crate::diff::not_public;
pub use draft::{About, Draft};
pub use fold::under_rows;
pub use scope::Scope;
pub use snapshot::{Engine, Matched, Read, Snapshot};

use crate::config::Config;
use crate::model::Cluster;
use crate::reach::{Encoder, Side, World};
use crate::report::{
    Finding, Hides, Ignored, Message, NotEvaluated, Persona, Row, RowRule, Severity,
    Side as ReportSide, Witness,
};
use crate::set::{OverBudget, Set};
use crate::tree::Tree;
use catalogue::RULES;
use guardrail::{Guarded, Unmodelled};
use ignore::Ignores;
use known::Known;
use repair::Repair;
use std::collections::{BTreeMap, BTreeSet};

/// One rule: its page and its check.
pub struct Rule {
    /// Its name everywhere.
    pub id: &'static str,
    /// Its usual level.
    pub severity: Severity,
    /// Who is usually shown it.
    pub persona: Persona,
    /// It is one of the lessons of good policies: everybody is shown what a change introduces of it.
    pub lesson: bool,
    /// What it catches, in one sentence.
    pub catches: &'static str,
    /// Why that matters, what it leaves alone, and where it asks for evidence.
    pub why: &'static str,
    /// What to do.
    pub fix: &'static str,
    /// What it fires on.
    pub bad: Example,
    /// What is close to that and right.
    pub good: Example,
    /// How it is found.
    pub check: Check,
}

/// Manifests that show a rule at work, on the page and in the tests.
pub struct Example {
    /// The side before the change; empty: nothing is there yet.
    pub before: &'static str,
    /// The side after it.
    pub after: &'static str,
    /// The configuration that it needs, without `version`; mostly empty.
    pub configuration: &'static str,
}

impl Example {
    /// An example whose objects are all new.
    pub const fn new(after: &'static str) -> Self {
        Self { before: "", after, configuration: "" }
    }

    /// The same, after this.
    pub const fn after(self, before: &'static str) -> Self {
        Self { before, ..self }
    }
}

/// What the checks answer with.
pub type Drafts = Result<Vec<Draft>, OverBudget>;

/// How a rule is found.
pub enum Check {
    /// By looking at one side. What the other side has not is introduced.
    Side(fn(&Snapshot<'_, '_, '_>) -> Drafts),
    /// By looking at both sides, before and after: all that it finds is introduced, unless the draft says otherwise.
    Change(fn(&Snapshot<'_, '_, '_>, &Snapshot<'_, '_, '_>) -> Drafts),
    /// By looking at a row that opened, of which it says more. The row itself is what was found.
    Row(fn(&mut Opened<'_, '_, '_>) -> Result<Option<Message>, OverBudget>),
    /// By looking at what accepts the findings of the others.
    Acceptances,
    /// By asking about the guardrails of the configuration. The drafts say what counts against the change.
    Guardrail(fn(&mut Guarded<'_, '_, '_>) -> Drafts),
}

/// A row that opened, as rules ask about it.
pub struct Opened<'r, 'w, 'a> {
    /// The engine that found it.
    pub encoder: &'r mut Encoder<'w, 'a>,
    /// Exactly its flows.
    pub flows: Set,
    /// What is told of it.
    pub row: &'r Row,
    /// What is known of the cluster.
    pub config: &'r Config,
}

/// Lets the rules say more of a row that opened. A rule that runs out of room says nothing: the row is told
/// all the same. Each speaks to its readers only.
pub fn annotate(encoder: &mut Encoder<'_, '_>, config: &Config, flows: Set, row: &mut Row) {
    for rule in RULES {
        let settings = config.rules.settings.get(rule.id);
        let Check::Row(check) = rule.check else { continue };
        if settings.is_some_and(|settings| settings.disable) || rule.persona > config.rules.persona
        {
            continue;
        }
        let mut opened = Opened { encoder: &mut *encoder, flows, row, config };
        if let Ok(Some(message)) = check(&mut opened) {
            row.rules.push(RowRule { rule: rule.id, message });
            if let Some(severity) = settings.and_then(|settings| settings.severity) {
                row.severity = row.severity.max(severity);
            }
        }
    }
}

/// What the rules say.
#[derive(Debug, Default)]
pub struct Found {
    /// What is shown, introduced before older, most severe first.
    pub findings: Vec<Finding>,
    /// What is accepted.
    pub ignored: Vec<Ignored>,
    /// Rules that could not be asked.
    pub not_evaluated: Vec<NotEvaluated>,
    /// What would mend a finding, by its fingerprint; not tried yet.
    repairs: BTreeMap<String, Repair>,
}

/// Everything that the rules find in a comparison, of the two sides that were read. Policies of the side after that
/// are not evaluated leave guardrails undecided.
pub fn of_change(
    world: &World<'_>,
    config: &Config,
    sides: [Read<'_>; 2],
    unmodelled: &[Unmodelled],
) -> Found {
    // What was refused is in neither world, so rules are asked even where these are the same.
    let scope = Scope::of(world);
    let [before, after] = sides;
    let trees = [before.tree, after.tree];
    let touched = !scope.is_empty();
    let not_evaluated = Vec::new();
    let mut guarded = Guarded { world, config, compare: true, touched, unmodelled, not_evaluated };
    let engine = Engine::new();
    let before = Snapshot::new(world, Side::Before, config, &scope, &engine, before);
    let after = Snapshot::new(world, Side::After, config, &scope, &engine, after);
    let ignores = Ignores::of([(&before, trees[0]), (&after, trees[1])], config);
    let mut found = find(config, &ignores, |rule| match rule.check {
        Check::Guardrail(check) => Ok(counted(check(&mut guarded)?)),
        Check::Side(check) => {
            let now = check(&after)?;
            // The side before is only asked where there is something to compare.
            let known = if now.is_empty() { Vec::new() } else { check(&before)? };
            let known = Known::of(rule, &known, &now);
            Ok(now.into_iter().map(|draft| (!known.has(&draft), draft)).collect())
        }
        Check::Change(check) => Ok(check(&before, &after)?
            .into_iter()
            .map(|draft| (draft.introduced.unwrap_or(true), draft))
            .collect()),
        Check::Row(_) | Check::Acceptances => Ok(Vec::new()),
    });
    found.not_evaluated.append(&mut guarded.not_evaluated);
    // Nobody is shown how to mend what is older than the change.
    found.offer(trees[1], after.cluster(), config, |finding| finding.introduced);
    found
}

/// Drafts that say themselves what counts against the change; where they don't, it does.
fn counted(drafts: Vec<Draft>) -> Vec<(bool, Draft)> {
    drafts.into_iter().map(|draft| (draft.introduced.unwrap_or(true), draft)).collect()
}

/// Everything that the rules find in one snapshot, of which both sides of the world are.
pub fn of_snapshot(
    world: &World<'_>,
    config: &Config,
    read: Read<'_>,
    unmodelled: &[Unmodelled],
) -> Found {
    let scope = Scope::everything();
    let tree = read.tree;
    let not_evaluated = Vec::new();
    let mut guarded =
        Guarded { world, config, compare: false, touched: true, unmodelled, not_evaluated };
    let engine = Engine::new();
    let snapshot = Snapshot::new(world, Side::After, config, &scope, &engine, read);
    let ignores = Ignores::of([(&snapshot, tree), (&snapshot, tree)], config);
    let mut found = find(config, &ignores, |rule| match rule.check {
        Check::Guardrail(check) => Ok(counted(check(&mut guarded)?)),
        Check::Side(check) => {
            // There is no change that could introduce anything.
            Ok(check(&snapshot)?.into_iter().map(|draft| (false, draft)).collect())
        }
        Check::Change(_) | Check::Row(_) | Check::Acceptances => Ok(Vec::new()),
    });
    found.not_evaluated.append(&mut guarded.not_evaluated);
    found.offer(tree, snapshot.cluster(), config, |_| true);
    found
}

impl Found {
    /// Gives findings their fixes: those that keep what they promise.
    fn offer(
        &mut self,
        tree: &Tree,
        cluster: &Cluster,
        config: &Config,
        wanted: impl Fn(&Finding) -> bool,
    ) {
        let mut tried = 0;
        for finding in self.findings.iter_mut().filter(|finding| wanted(finding)) {
            let Some(repair) = self.repairs.get(&finding.fingerprint) else { continue };
            if tried == config.rules.tried {
                finding.unfixed = Some("more edits than these are not tried at once".into());
                continue;
            }
            tried += 1;
            match repair::try_on(tree, cluster, config, repair) {
                Ok(fix) => finding.fix = Some(fix),
                Err(why) => finding.unfixed = Some(why.into()),
            }
        }
    }
}

/// Asks each rule that is not switched off, and makes findings of the answers.
fn find(
    config: &Config,
    ignores: &Ignores<'_>,
    ask: impl FnMut(&Rule) -> Result<Vec<(bool, Draft)>, OverBudget>,
) -> Found {
    let mut found = Found::default();
    let answers = answers(config, ask, &mut found);
    let mut findings = accepted(config, ignores, answers, &mut found);
    sort(&mut findings);
    found.findings = findings;
    found
}

/// Introduced before older, most severe first.
fn sort(findings: &mut [Finding]) {
    findings.sort_by_cached_key(|finding| {
        let place = &finding.location;
        (
            !finding.introduced,
            std::cmp::Reverse(finding.severity),
            place.file.clone(),
            place.start_line,
            finding.rule,
            finding.fingerprint.clone(),
        )
    });
}

/// Each rule that is not switched off.
fn asked(config: &Config) -> impl Iterator<Item = &'static Rule> {
    RULES.iter().filter(|rule| config.rules.settings.get(rule.id).is_none_or(|own| !own.disable))
}

/// What the rules answer, none twice, each with its rule. What they could not answer is noted.
fn answers(
    config: &Config,
    mut ask: impl FnMut(&Rule) -> Result<Vec<(bool, Draft)>, OverBudget>,
    found: &mut Found,
) -> Vec<(&'static Rule, Finding)> {
    let mut all = Vec::new();
    let mut seen = BTreeSet::new();
    for rule in asked(config) {
        let drafts = match ask(rule) {
            Ok(drafts) => drafts,
            Err(OverBudget) => {
                found.not_evaluated.push(too_large(rule));
                continue;
            }
        };
        for (introduced, mut draft) in drafts {
            if draft.contradicted {
                found.not_evaluated.push(disagreement(rule, &draft));
                continue;
            }
            let repair = draft.repair.take();
            let finding = draft.finding(rule, introduced);
            if let Some(repair) = repair {
                found.repairs.insert(finding.fingerprint.clone(), repair);
            }
            if seen.insert(finding.fingerprint.clone()) {
                all.push((rule, finding));
            }
        }
    }
    all
}

/// What is left of the findings after acceptances, with what is wrong about these, for who is shown it.
fn accepted(
    config: &Config,
    ignores: &Ignores<'_>,
    answers: Vec<(&'static Rule, Finding)>,
    found: &mut Found,
) -> Vec<Finding> {
    let (rules, mut all): (Vec<&Rule>, Vec<Finding>) = answers.into_iter().unzip();
    let by_id: BTreeMap<&str, &Rule> = rules.into_iter().map(|rule| (rule.id, rule)).collect();
    let accepted = ignores.apply(&mut all);
    let mut findings: Vec<Finding> = all
        .into_iter()
        .filter_map(|finding| shown(by_id.get(finding.rule).copied()?, finding, config))
        .collect();
    let own = asked(config).find(|rule| matches!(rule.check, Check::Acceptances));
    for (rule, draft) in own
        .into_iter()
        .flat_map(|rule| ignores.faults(&accepted).into_iter().map(move |draft| (rule, draft)))
    {
        let introduced = !ignores.fault_known(&draft);
        findings.extend(shown(rule, draft.finding(rule, introduced), config));
    }
    found.ignored = accepted.findings;
    findings
}

/// The finding at its level, if the persona is shown it.
fn shown(rule: &Rule, mut finding: Finding, config: &Config) -> Option<Finding> {
    let lesson = rule.lesson && finding.introduced;
    if lesson {
        finding.severity = finding.severity.max(Severity::Low);
    }
    if let Some(severity) = config.rules.settings.get(rule.id).and_then(|own| own.severity) {
        finding.severity = severity;
    }
    (lesson || finding.persona <= config.rules.persona).then_some(finding)
}

/// A finding whose flow the two evaluators see differently is none: one of them is wrong.
fn disagreement(rule: &Rule, draft: &Draft) -> NotEvaluated {
    let flow = draft.witness.as_ref().map_or_else(String::new, |witness| {
        let Witness { from, to, protocol, port, .. } = witness;
        format!(" on {from} -> {to} {protocol}/{port}")
    });
    NotEvaluated {
        side: draft.side,
        file: draft.origin.file.to_string(),
        line: Some(draft.origin.start_line),
        kind: Some("rule".into()),
        name: Some(rule.id.into()),
        reason: format!("the two evaluators disagree{flow}; please report this"),
        hides: Hides::Nothing,
        environments: Vec::new(),
    }
}

fn too_large(rule: &Rule) -> NotEvaluated {
    NotEvaluated {
        side: ReportSide::Both,
        file: String::new(),
        line: None,
        kind: Some("rule".into()),
        name: Some(rule.id.into()),
        reason: "what this rule asks is too large to compute within the limits; split the change, or raise the \
                 node budget"
            .into(),
        hides: Hides::Nothing,
        environments: Vec::new(),
    }
}
