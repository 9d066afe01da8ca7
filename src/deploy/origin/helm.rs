//! What helm rendered: each line matched back to the line of the template that printed it, and to the values
//! that the template reads there.

use super::Origins;
use super::align::{Sink, align};
use super::paths::{join, within};
use super::scope::{Meaning, Scope, included};
use super::sources::{Marks, Sources};
use super::template::{Kind, Template};
use super::trace::{Step, trace};
use super::values::{Chart, Found, Key, Values};
use crate::deploy::Release;
use crate::parse::{Field, Node, Value, manifests};
use crate::tree::Files;
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

/// How many pairs of lines are compared for all documents together.
const PAIRS: usize = 30_000_000;

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
        charts: BTreeMap::new(),
        templates: BTreeMap::new(),
        helpers: None,
        root: release.chart.clone(),
        pairs: PAIRS,
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
}

fn documents<'t>(lines: &[&'t str]) -> Vec<Document<'t>> {
    let mut documents: Vec<Document<'t>> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        if line.starts_with("---") {
            documents.push(Document { source: "", lines: index + 1..index + 1 });
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
    documents
}

struct Rendering<'a> {
    sources: Sources<'a>,
    values: Values,
    /// By the path that `# Source:` gives them.
    charts: BTreeMap<String, Option<Rc<Chart>>>,
    /// By their paths, with the number of line 0.
    templates: BTreeMap<String, Option<(Rc<Template>, u32)>>,
    /// The files of helpers by their names.
    helpers: Option<BTreeMap<String, String>>,
    root: String,
    pairs: usize,
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
}

impl Rendering<'_> {
    fn document(&mut self, document: &Document<'_>, lines: &[&str]) {
        let Some((chart, file)) = self.place(document.source) else { return };
        let Some((template, start)) = self.template(&file) else { return };
        let rows = lines.get(document.lines.clone()).unwrap_or_default();
        let mut object = manifests(rows.join("\n").as_bytes()).into_iter().flatten().next();
        let offset = document.lines.start as u32;
        if let Some(object) = &mut object {
            super::sources::renumber(object, &|line| line + offset);
        }
        let printed = Printed {
            template,
            start,
            owner: None,
            given: Meaning::everything(),
            chart: &chart,
            object: object.as_ref(),
        };
        if !self.lines(&printed, document.lines.clone(), lines, DEPTH) {
            document.lines.clone().for_each(|line| self.marks.add(line as u32 + 1, start + 1));
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
        let Some(steps) = trace(&printed.template, printed.owner, rows, &mut self.pairs) else {
            return false;
        };
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
        let scope = Scope {
            template: &template,
            root: &printed.given,
            line: step.line,
            block: line.block,
            rounds: &step.rounds,
        };
        let own = printed.start + step.line as u32 + 1;
        let numbers = || run.clone().map(number);
        let actions: Vec<&str> = line.actions().collect();
        let last = actions.last().copied().unwrap_or_default();
        let mut found = Vec::new();
        for action in &actions {
            for path in scope.values(action) {
                found.push(self.values.find(printed.chart, &path, &mut self.sources));
            }
        }
        // What is printed of a value as it stands is what people edit.
        if line.is_printed() {
            self.verbatim(printed.object, &run, &found, true);
        }
        numbers().for_each(|number| self.marks.add(number, own));
        if !line.is_printed() {
            self.verbatim(printed.object, &run, &found, false);
            let values = found.iter().flatten().map(|found| found.line);
            values.for_each(|value| self.marks.add(run.start as u32 + 1, value));
        }
        if let Some((name, argument)) = included(last)
            && let Some(depth) = depth.checked_sub(1)
        {
            let inner = if line.is_printed() { run.clone() } else { run.start + 1..run.end };
            self.helper(printed, &name, scope.whole(&argument), (inner, &run), lines, depth);
        }
        let values: Vec<u32> = found.iter().flatten().map(|found| found.line).collect();
        numbers().for_each(|number| values.iter().for_each(|value| self.marks.add(number, *value)));
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
        let Printed { chart, object, .. } = *printed;
        let helper = Printed { template, start, owner, given, chart, object };
        if !inner.is_empty() {
            self.lines(&helper, inner, lines, depth);
            return;
        }
        let template = helper.template.clone();
        let Some(block) = owner.and_then(|owner| template.blocks.get(owner)) else { return };
        for line in block.first..=block.last {
            let Some(of_helper) =
                template.lines.get(line).filter(|_| template.owner(line) == owner)
            else {
                continue;
            };
            let root = &helper.given;
            let scope =
                Scope { template: &template, root, line, block: of_helper.block, rounds: &[] };
            for number in run.clone().map(number) {
                self.marks.add(number, start + line as u32 + 1);
            }
            for path in of_helper.actions().flat_map(|action| scope.values(action)) {
                for found in self.values.find(chart, &path, &mut self.sources) {
                    self.marks.add(run.start as u32 + 1, found.line);
                }
            }
        }
    }

    /// Parts of values that were printed as they stand. `alone`: nothing else stands beside them.
    fn verbatim(
        &mut self,
        object: Option<&Node>,
        run: &Range<usize>,
        found: &[Vec<Found>],
        alone: bool,
    ) {
        let (first, last) = (run.start as u32 + 1, run.end as u32);
        let printed = object.and_then(|object| match alone {
            true => inside(object, first, last),
            false => beside(object, first).cloned(),
        });
        let Some(printed) = printed else { return };
        for values in found {
            for value in values.iter().filter_map(Found::node) {
                if matches!(value.value, Value::Map(_) | Value::List(_)) {
                    let mut marking = Marking(&mut self.marks);
                    align(&printed, value, &mut Vec::new(), &mut marking);
                }
                // Of maps the fields of all files count, of anything else the last file.
                if !matches!(value.value, Value::Map(_)) {
                    break;
                }
            }
        }
    }

    /// What has to be so for a line to be there at all, as far as the change touches it.
    fn around(&mut self, printed: &Printed<'_>, step: &Step, run: &Range<usize>) {
        let template = printed.template.clone();
        let mut lines = Vec::new();
        for (index, block) in template.around(step.line) {
            if matches!(block.kind, Kind::Define | Kind::Block) {
                break;
            }
            let scope = Scope {
                template: &template,
                root: &printed.given,
                line: block.first,
                block: block.parent,
                rounds: &step.rounds,
            };
            for mut path in scope.values(&block.head) {
                let found = self.values.find(printed.chart, &path, &mut self.sources);
                lines.extend(found.iter().map(|found| found.line));
                let round = step.rounds.iter().find(|(own, _)| *own == index);
                if let Some((_, round)) = round {
                    path.push(Key::Round(*round));
                    let item = self.values.find(printed.chart, &path, &mut self.sources);
                    lines.splice(0..0, item.iter().map(|found| found.line));
                }
            }
            lines.push(printed.start + block.first as u32 + 1);
        }
        self.touched(&lines, run);
    }

    /// What has to be so for a chart to be there.
    fn conditions(&mut self, chart: &Chart, run: Range<usize>) {
        let root = Chart::released(&self.root);
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

    /// The chart and the file of a template, by what `# Source:` calls it.
    fn place(&mut self, source: &str) -> Option<(Rc<Chart>, String)> {
        let (_, path) = source.split_once('/')?;
        let mut rest = path;
        let mut key = String::new();
        let mut chart = Some(Rc::new(Chart::released(&self.root)));
        while let Some((name, inner)) =
            rest.strip_prefix("charts/").and_then(|inner| inner.split_once('/'))
        {
            key = format!("{key}/{name}");
            chart = match self.charts.get(&key) {
                Some(known) => known.clone(),
                None => {
                    let found = chart.and_then(|chart| self.inner(&chart, name)).map(Rc::new);
                    self.charts.insert(key.clone(), found.clone());
                    found
                }
            };
            rest = inner;
        }
        let chart = chart?;
        let file = join(&chart.directory, rest);
        Some((chart, file))
    }

    /// A chart inside of another, by its name or by the other name that it is given there.
    fn inner(&mut self, outer: &Chart, name: &str) -> Option<Chart> {
        let read = |path: &str, sources: &mut Sources<'_>| {
            sources.documents(path).and_then(|documents| documents.first().cloned())
        };
        let own = read(&join(&outer.directory, "Chart.yaml"), &mut self.sources);
        let requirements = read(&join(&outer.directory, "requirements.yaml"), &mut self.sources);
        let lists = [own, requirements].into_iter().flatten();
        let dependencies: Vec<Node> = lists
            .filter_map(|node| node.get("dependencies").cloned())
            .flat_map(|list| list.items().to_vec())
            .collect();
        let is = |key| move |node: &&Node| node.text_at(&[key]) == Some(name);
        let dependency = dependencies.iter().find(is("alias"));
        let dependency = dependency.or_else(|| dependencies.iter().find(is("name")));
        let real = dependency.and_then(|node| node.text_at(&["name"])).unwrap_or(name);
        let keys = outer.keys.iter().cloned().map(Key::Field);
        let condition = |text: &str| -> Vec<Key> {
            keys.clone().chain(text.trim().split('.').map(|key| Key::Field(key.into()))).collect()
        };
        let conditions = dependency.and_then(|node| node.text_at(&["condition"]));
        let conditions = conditions.into_iter().flat_map(|text| text.split(',')).map(condition);
        let conditions: Vec<_> = conditions.collect();
        let charts = join(&outer.directory, "charts");
        let expected = join(&charts, real);
        let found = match self.sources.read(&join(&expected, "Chart.yaml")) {
            Some(_) => Some(expected),
            // The directory is called something else.
            None => self.sources.below(&charts).iter().find_map(|path| {
                let directory = path.strip_suffix("/Chart.yaml")?;
                let is_direct = within(directory, &charts).is_some_and(|name| !name.contains('/'));
                let node = is_direct.then(|| read(path, &mut self.sources)).flatten()?;
                (node.text_at(&["name"]) == Some(real)).then(|| directory.to_string())
            }),
        };
        Some(outer.inner(found?, name, conditions))
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
            let paths = self.sources.below(&self.root);
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

struct Marking<'m>(&'m mut Marks);

impl Sink for Marking<'_> {
    fn same(&mut self, line: u32, source: u32) {
        self.0.add(line, source);
    }

    fn differs(&mut self, _: &[&str], _: u32, _: &Node, _: Option<&Node>) {}
}

/// The largest part of an object that lies within some lines, as a value.
fn inside(node: &Node, first: u32, last: u32) -> Option<Node> {
    let within = |from: u32, to: u32| first <= from && to <= last;
    if within(node.start_line, node.end_line) {
        return Some(node.clone());
    }
    let (items, fields) = (node.items().iter(), node.fields().iter());
    let own_items = items.clone().filter(|item| within(item.start_line, item.end_line));
    let own_fields = fields.clone().filter(|field| within(field.line, field.node.end_line));
    let (own_items, own_fields): (Vec<Node>, Vec<Field>) =
        (own_items.cloned().collect(), own_fields.cloned().collect());
    if !own_items.is_empty() {
        return Some(Node { value: Value::List(own_items), ..*node });
    }
    if !own_fields.is_empty() {
        return Some(Node { value: Value::Map(own_fields), ..*node });
    }
    let mut inner = items.chain(fields.map(|field| &field.node));
    inner
        .find(|node| node.start_line <= last && first <= node.end_line)
        .and_then(|node| inside(node, first, last))
}

/// The value that begins on a line, behind its key or the dash of a list.
fn beside(node: &Node, line: u32) -> Option<&Node> {
    let mut inner = node.items().iter();
    if let Some(item) = inner.clone().find(|item| item.start_line == line) {
        // What is written first behind the dash may be a key.
        return item.fields().iter().find_map(|field| behind(field, line)).or(Some(item));
    }
    let mut fields = node.fields().iter();
    if let Some(value) = fields.clone().find_map(|field| behind(field, line)) {
        return Some(value);
    }
    let around = |node: &&Node| node.start_line <= line && line <= node.end_line;
    let next = inner.find(around).or_else(|| fields.map(|field| &field.node).find(around));
    next.and_then(|node| beside(node, line))
}

fn behind(field: &Field, line: u32) -> Option<&Node> {
    let is_long = matches!(field.node.value, Value::Map(_) | Value::List(_));
    (field.line == line && is_long).then_some(&field.node)
}
