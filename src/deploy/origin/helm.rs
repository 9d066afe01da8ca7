//! What helm rendered: each line matched back to the line of the template that printed it, and to the values
//! that the template reads there.

use super::Origins;
use super::align::{LOOKS, Sink, align, equal};
use super::charts::{Charts, Place};
use super::part::{is_long, part};
use super::scope::{Meaning, Scope, included};
use super::sources::{Marks, Sources, renumber};
use super::template::{Kind, Line, Template};
use super::trace::{Rounds, Step, trace};
use super::values::{Chart, Found, Key, Values};
use crate::deploy::Release;
use crate::parse::{Node, Value, manifests};
use crate::tree::Files;
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

/// How many pairs of lines are compared for all documents together.
const PAIRS: usize = 30_000_000;

/// What it costs to look for a value, in the same measure.
const LOOKUP: usize = 50;

/// Rounds of a loop that are tried for what was printed.
const ROUNDS: usize = 64;

/// Actions that are looked at to tell whether a round fits.
const SHOWN: usize = 20;

/// How deep helpers are followed that print helpers.
const DEPTH: usize = 4;

/// Finds the sources of what `helm template` made of a release. `files`: those that it was rendered from;
/// `other`: the same on the other side of the change, for what the change touches.
pub fn of_helm(text: &[u8], release: &Release, files: &dyn Files, other: &dyn Files) -> Origins {
    let count = memchr::memchr_iter(b'\n', text).count() + 1;
    let mut sources = Sources::new(files, other);
    let Ok(text) = std::str::from_utf8(text) else { return sources.origins(Marks::new(count)) };
    let values = Values::of(release, &mut sources);
    let mut rendering = Rendering {
        sources,
        values,
        charts: Charts::new(&release.chart),
        templates: BTreeMap::new(),
        helpers: None,
        pairs: PAIRS,
        looks: LOOKS,
        marks: Marks::new(count),
    };
    let lines: Vec<&str> = text.split('\n').collect();
    let mut documents = documents(&lines);
    // A giant takes nothing away from the others.
    documents.sort_by_key(|document| document.lines.len());
    for document in &documents {
        rendering.document(document, &lines);
    }
    rendering.sources.origins(rendering.marks)
}

/// A document that helm rendered.
struct Document<'t> {
    /// The template, as `# Source:` names it.
    source: &'t str,
    /// Its lines, from 0.
    lines: Range<usize>,
    /// How many documents of its kind the template printed before.
    nth: usize,
}

fn documents<'t>(lines: &[&'t str]) -> Vec<Document<'t>> {
    let mut documents: Vec<Document<'t>> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        if line.starts_with("---") {
            documents.push(Document { source: "", lines: index + 1..index + 1, nth: 0 });
        }
        let Some(last) = documents.last_mut() else { continue };
        match line.strip_prefix("# Source: ") {
            Some(source) if last.lines.start == index => {
                (last.source, last.lines) = (source.trim(), index + 1..index + 1);
            }
            _ => last.lines.end = index + 1,
        }
        last.lines.end = last.lines.end.max(last.lines.start);
    }
    documents.retain(|document| !document.source.is_empty() && !document.lines.is_empty());
    let mut seen: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for document in &mut documents {
        let rows = lines.get(document.lines.clone()).unwrap_or_default();
        let kind = rows.iter().find(|row| row.starts_with("kind:")).copied().unwrap_or_default();
        let count = seen.entry((document.source, kind)).or_default();
        document.nth = *count;
        *count += 1;
    }
    documents
}

struct Rendering<'a> {
    sources: Sources<'a>,
    values: Values,
    charts: Charts,
    /// By their paths, with the number of line 0.
    templates: BTreeMap<String, Option<(Rc<Template>, u32)>>,
    /// The files of helpers by their names.
    helpers: Option<BTreeMap<String, String>>,
    /// What may still be done.
    pairs: usize,
    looks: usize,
    marks: Marks,
}

/// A template that printed some lines.
struct Printed<'p> {
    template: Rc<Template>,
    /// The number of its line 0.
    start: u32,
    /// The definition of it that printed.
    owner: Option<usize>,
    /// What it was given.
    given: Meaning,
    chart: &'p Chart,
    /// The document.
    object: Option<&'p Node>,
    /// How many documents of its kind the template printed before.
    nth: usize,
}

impl<'p> Printed<'p> {
    /// Where an expression stands.
    fn scope<'s>(&'s self, line: usize, block: Option<usize>, rounds: &'s Rounds) -> Scope<'s> {
        Scope { template: &self.template, root: &self.given, line, block, rounds }
    }
}

impl Rendering<'_> {
    fn document(&mut self, document: &Document<'_>, lines: &[&str]) {
        let (chart, file) = match self.charts.place(document.source, &mut self.sources) {
            Some(Place::File(chart, file)) => (chart, file),
            // Its lines are those of no file in the repository: all of it stands for them.
            Some(Place::Archive(archive)) => {
                let start = self.sources.number(&archive, 1);
                let lines = document.lines.clone().map(number);
                start
                    .into_iter()
                    .for_each(|start| lines.clone().for_each(|line| self.marks.add(line, start)));
                return;
            }
            None => return,
        };
        let Some((template, start)) = self.template(&file) else { return };
        let rows = lines.get(document.lines.clone()).unwrap_or_default();
        let mut object = manifests(rows.join("\n").as_bytes()).into_iter().flatten().next();
        if let Some(object) = &mut object {
            renumber(object, &|line| line + number(document.lines.start) - 1);
        }
        let printed = Printed {
            template,
            start,
            owner: None,
            given: Meaning::everything(),
            chart: &chart,
            object: object.as_ref(),
            nth: document.nth,
        };
        if !self.lines(&printed, document.lines.clone(), lines, DEPTH) {
            document.lines.clone().for_each(|line| self.marks.add(number(line), start + 1));
        }
        self.conditions(&chart, document.lines.clone());
    }

    /// Says where lines that a template printed come from. False: there are too many.
    fn lines(
        &mut self,
        printed: &Printed<'_>,
        range: Range<usize>,
        lines: &[&str],
        depth: usize,
    ) -> bool {
        let rows = lines.get(range.clone()).unwrap_or_default();
        let Some(mut steps) = trace(&printed.template, printed.owner, rows, &mut self.pairs) else {
            return false;
        };
        self.settle(printed, &mut steps, range.start, lines);
        let mut at = 0;
        while let Some(step) = steps.get(at) {
            // A line and those that go on with what it began.
            let rest = steps.get(at + 1..).unwrap_or_default();
            let on = rest.iter().take_while(|step| step.as_ref().is_some_and(|step| step.goes_on));
            let end = at + 1 + on.count();
            if let Some(step) = step {
                let run = range.start + at..range.start + end;
                self.run(printed, step, run, lines, depth);
            }
            at = end;
        }
        true
    }

    /// What an expression reads, each value as all files have it, the likeliest first.
    fn read(&mut self, chart: &Chart, scope: &Scope<'_>, expression: &str) -> Vec<Vec<Found>> {
        let mut found = Vec::new();
        for path in scope.values(expression) {
            let Some(left) = self.pairs.checked_sub(LOOKUP + expression.len()) else { break };
            self.pairs = left;
            found.push(self.values.find(chart, &path, &mut self.sources));
        }
        found
    }

    /// Loops leave rounds out, and of one that prints documents only one round is seen at a time. So the rounds
    /// of each loop are those whose values were printed.
    fn settle(
        &mut self,
        printed: &Printed<'_>,
        steps: &mut [Option<Step>],
        start: usize,
        lines: &[&str],
    ) {
        let template = printed.template.clone();
        for (index, block) in template.blocks.iter().enumerate() {
            let inside = |step: &Step| step.rounds.iter().any(|(own, _)| *own == index);
            if block.kind != Kind::Range || !steps.iter().flatten().any(inside) {
                continue;
            }
            let body = template.lines.get(block.first..block.last).unwrap_or_default();
            let first = if body.iter().any(Line::is_marker) { printed.nth } else { 0 };
            let mut at = 0;
            // What the loop was in, the round that was counted, and the one that it is.
            let mut before: Option<(Rounds, usize, usize)> = None;
            while let Some(step) = steps.get(at) {
                let Some((around, counted)) = step.as_ref().and_then(|step| step.round(index))
                else {
                    at += 1;
                    continue;
                };
                let same = |step: &Option<Step>| {
                    let round = step.as_ref().map(|step| step.round(index));
                    round.is_none_or(|round| round.as_ref() == Some(&(around.clone(), counted)))
                };
                let rest = steps.get(at..).unwrap_or_default();
                let end = at + rest.iter().take_while(|step| same(step)).count();
                let expected = match &before {
                    Some((other, then, is)) if *other == around => {
                        is + counted.saturating_sub(*then)
                    }
                    _ => counted + first,
                };
                let group = steps.get(at..end).unwrap_or_default();
                let round =
                    self.best_round(printed, (index, expected), group, (start + at, lines), first);
                for step in steps.iter_mut().take(end).skip(at).flatten() {
                    step.set_round(index, round);
                }
                before = Some((around, counted, round));
                at = end;
            }
        }
    }

    /// The round of a loop that printed some lines: the first from the expected one on whose values they show.
    fn best_round(
        &mut self,
        printed: &Printed<'_>,
        (block, expected): (usize, usize),
        group: &[Option<Step>],
        place: (usize, &[&str]),
        wraps: usize,
    ) -> usize {
        let ahead = expected..expected + ROUNDS;
        let behind = if wraps > 0 { 0..expected.min(ROUNDS) } else { 0..0 };
        let mut best = (0, expected);
        for round in ahead.chain(behind) {
            let (score, misses) = self.shown(printed, (block, round), group, place);
            // The one that is expected needs no proof but that nothing speaks against it.
            if misses == 0 && (round == expected || score > 0) {
                return round;
            }
            if score > best.0 {
                best = (score, round);
            }
        }
        best.1
    }

    /// How many values that lines would read in a round of a loop they show, and how many they don't.
    fn shown(
        &mut self,
        printed: &Printed<'_>,
        (block, round): (usize, usize),
        group: &[Option<Step>],
        (start, lines): (usize, &[&str]),
    ) -> (i32, usize) {
        let (mut score, mut misses) = (0, 0);
        let mut left = SHOWN;
        for (index, step) in group.iter().enumerate() {
            let Some(step) = step.as_ref().filter(|step| !step.goes_on) else { continue };
            let Some(line) = printed.template.lines.get(step.line) else { continue };
            let mut step = step.clone();
            step.set_round(block, round);
            let scope = printed.scope(step.line, line.block, &step.rounds);
            for action in line.actions() {
                if left == 0 {
                    return (score, misses);
                }
                left -= 1;
                let found = self.read(printed.chart, &scope, action);
                let Some(row) = lines.get(start + index) else { continue };
                for value in found.iter().map(|layers| layers.first().and_then(Found::node)) {
                    let shows = match value.map(|value| &value.value) {
                        Some(Value::Text(text)) => row.contains(text.as_str()),
                        Some(Value::Number(number)) => row.contains(&number.to_string()),
                        Some(Value::Bool(value)) => row.contains(&value.to_string()),
                        Some(Value::Map(_) | Value::List(_)) => {
                            let on = group.iter().skip(index + 1).flatten();
                            let end = index + 1 + on.take_while(|step| step.goes_on).count();
                            let run = start + index..start + end;
                            let part = part_of(printed.object, &run, line.is_printed());
                            part.zip(value)
                                .is_some_and(|(part, value)| equal(&part, value, &mut self.looks))
                        }
                        // It may have a default.
                        Some(Value::Null) => continue,
                        None => false,
                    };
                    score += if shows { 1 } else { -1 };
                    misses += usize::from(!shows);
                }
            }
        }
        (score, misses)
    }

    /// What one line of a template printed at once.
    fn run(
        &mut self,
        printed: &Printed<'_>,
        step: &Step,
        run: Range<usize>,
        lines: &[&str],
        depth: usize,
    ) {
        let template = printed.template.clone();
        let Some(line) = template.lines.get(step.line) else { return };
        let scope = printed.scope(step.line, line.block, &step.rounds);
        let own = printed.start + number(step.line);
        let actions: Vec<&str> = line.actions().collect();
        let last = actions.last().copied().unwrap_or_default();
        let mut found = Vec::new();
        for action in &actions {
            found.extend(self.read(printed.chart, &scope, action));
        }
        let alone = line.is_printed();
        if !alone {
            self.marks.add(number(run.start), own);
        }
        // What is printed of a value as it stands is what people edit.
        let verbatim = self.verbatim(printed.object, &run, &found, alone);
        run.clone().for_each(|row| self.marks.add(number(row), own));
        if let Some((name, argument)) = included(last)
            && let Some(depth) = depth.checked_sub(1)
        {
            let inner = if alone { run.clone() } else { run.start + 1..run.end };
            self.helper(printed, &name, scope.whole(&argument), (inner, &run), lines, depth);
        }
        // The keys of what stands there line by line say little more, but where the change is at them.
        for value in found.iter().flatten().map(|found| found.line) {
            let all = !verbatim || self.sources.touched(value);
            let rows = run.clone().filter(|_| all);
            rows.for_each(|row| self.marks.add(number(row), value));
        }
        self.around(printed, step, &run);
    }

    /// Lines that a helper printed; of those beside other text, the values that it reads.
    fn helper(
        &mut self,
        printed: &Printed<'_>,
        name: &str,
        given: Meaning,
        (inner, run): (Range<usize>, &Range<usize>),
        lines: &[&str],
        depth: usize,
    ) {
        let Some((template, start)) = self.helpers_file(name) else { return };
        let owner = template.defines.get(name).copied();
        let Printed { chart, object, nth, .. } = *printed;
        let helper = Printed { template, start, owner, given, chart, object, nth };
        if !inner.is_empty() {
            self.lines(&helper, inner, lines, depth);
            return;
        }
        let template = helper.template.clone();
        let Some(block) = owner.and_then(|owner| template.blocks.get(owner)) else { return };
        for index in block.first..=block.last {
            let Some(left) = self.pairs.checked_sub(1) else { return };
            self.pairs = left;
            let Some(line) = template.lines.get(index).filter(|_| template.owner(index) == owner)
            else {
                continue;
            };
            run.clone().for_each(|row| self.marks.add(number(row), start + number(index)));
            let rounds = Rounds::new();
            let scope = helper.scope(index, line.block, &rounds);
            for action in line.actions() {
                let found = self.read(chart, &scope, action);
                let values = found.iter().flatten().map(|found| found.line);
                values.for_each(|value| self.marks.add(number(run.start), value));
            }
        }
    }

    /// Parts of values that were printed as they stand. `alone`: nothing else stands beside them. True: there
    /// are some.
    fn verbatim(
        &mut self,
        object: Option<&Node>,
        run: &Range<usize>,
        found: &[Vec<Found>],
        alone: bool,
    ) -> bool {
        let mut values = found.iter().flatten().filter_map(Found::node);
        let Some(printed) = values.any(is_long).then(|| part_of(object, run, alone)).flatten()
        else {
            return false;
        };
        let mut marking = Marking { marks: &mut self.marks, any: false };
        for values in found {
            for value in values.iter().filter_map(Found::node) {
                if is_long(value) {
                    align(&printed, value, &mut self.looks, &mut marking);
                }
                // Of maps the fields of all files count, of anything else the last file.
                if !matches!(value.value, Value::Map(_)) {
                    break;
                }
            }
        }
        marking.any
    }

    /// What has to be so for a line to be there at all, as far as the change touches it.
    fn around(&mut self, printed: &Printed<'_>, step: &Step, run: &Range<usize>) {
        let template = printed.template.clone();
        let mut lines = Vec::new();
        for (index, block) in template.around(step.line) {
            if matches!(block.kind, Kind::Define | Kind::Block) {
                break;
            }
            let scope = printed.scope(block.first, block.parent, &step.rounds);
            for mut path in scope.values(&block.head) {
                let Some(left) = self.pairs.checked_sub(LOOKUP + block.head.len()) else { return };
                self.pairs = left;
                let found = self.values.find(printed.chart, &path, &mut self.sources);
                lines.extend(found.iter().map(|found| found.line));
                let round = step.rounds.iter().find(|(own, _)| *own == index);
                if let Some((_, round)) = round {
                    path.push(Key::Round(*round));
                    let item = self.values.find(printed.chart, &path, &mut self.sources);
                    lines.splice(0..0, item.iter().map(|found| found.line));
                }
            }
            lines.push(printed.start + number(block.first));
        }
        self.touched(&lines, run);
    }

    /// What has to be so for a chart to be there.
    fn conditions(&mut self, chart: &Chart, run: Range<usize>) {
        let root = Chart::released(&self.charts.root);
        let mut lines = Vec::new();
        for path in &chart.conditions {
            let found = self.values.find(&root, path, &mut self.sources);
            lines.extend(found.iter().map(|found| found.line));
        }
        self.touched(&lines, &run);
    }

    fn touched(&mut self, lines: &[u32], run: &Range<usize>) {
        for line in lines.iter().filter(|line| self.sources.touched(**line)) {
            run.clone().for_each(|index| self.marks.add(number(index), *line));
        }
    }

    fn template(&mut self, path: &str) -> Option<(Rc<Template>, u32)> {
        if let Some(known) = self.templates.get(path) {
            return known.clone();
        }
        let found = self.sources.read(path).and_then(|(content, start)| {
            let text = std::str::from_utf8(content.bytes()).ok()?;
            Some((Rc::new(Template::read(text)), start))
        });
        self.templates.insert(path.to_string(), found.clone());
        found
    }

    /// The file that defines a helper, taken apart. Names are the same in all charts of a release.
    fn helpers_file(&mut self, name: &str) -> Option<(Rc<Template>, u32)> {
        if self.helpers.is_none() {
            let mut helpers = BTreeMap::new();
            let paths = self.sources.below(&self.charts.root);
            for path in paths.iter().filter(|path| format!("/{path}").contains("/templates/")) {
                let Some((content, _)) = self.sources.read(path) else { continue };
                if memchr::memmem::find(content.bytes(), b"define").is_none() {
                    continue;
                }
                let Some((template, _)) = self.template(path) else { continue };
                let names = template.defines.keys().cloned();
                helpers.extend(names.map(|name| (name, path.to_string())));
            }
            self.helpers = Some(helpers);
        }
        let path = self.helpers.as_ref().and_then(|helpers| helpers.get(name).cloned())?;
        self.template(&path)
    }
}

/// Lines of the text count from 0, those of marks from 1.
fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX - 1) + 1
}

/// The part of an object on some lines.
fn part_of(object: Option<&Node>, run: &Range<usize>, alone: bool) -> Option<Node> {
    part(object?, number(run.start), number(run.end) - 1, alone)
}

struct Marking<'m> {
    marks: &'m mut Marks,
    any: bool,
}

impl Sink for Marking<'_> {
    fn same(&mut self, line: u32, source: u32) {
        self.marks.add(line, source);
        self.any = true;
    }

    fn differs(&mut self, _: &[&str], _: u32, _: &Node, _: Option<&Node>) {}
}
