//! Text that a template printed, line by line: which line of the template printed it.
//!
//! The likeliest way through the template: literal parts have to fit, blocks may be left out or, if they are
//! loops, be run again, and an action can print several lines.

use super::template::{Kind, Line, Piece, Template};

/// How many pairs of lines are looked at for one text.
const PAIRS: usize = 3_000_000;

/// A line that is in none of the template's costs this much.
const LOST: i32 = -100;

/// No way leads there.
const NEVER: i32 = i32::MIN / 2;

/// Where a line was printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// The line of the template, from 0.
    pub(super) line: usize,
    /// It goes on with what an action of that line began to print.
    pub(super) goes_on: bool,
    /// How often the loops around it had been run before, by their blocks.
    pub(super) rounds: Rounds,
}

/// Loops, by their blocks, the innermost first, and the number of a round of each.
pub(super) type Rounds = Vec<(usize, usize)>;

impl Step {
    /// The round of a loop, and those of the loops around it.
    pub(super) fn round(&self, block: usize) -> Option<(Rounds, usize)> {
        let at = self.rounds.iter().position(|(own, _)| *own == block)?;
        let round = self.rounds.get(at)?.1;
        Some((self.rounds.get(at + 1..).unwrap_or_default().to_vec(), round))
    }

    /// Corrects the round of a loop.
    pub(super) fn set_round(&mut self, block: usize, round: usize) {
        for (own, counted) in &mut self.rounds {
            if *own == block {
                *counted = round;
            }
        }
    }
}

/// For each line of a text the line of the template that printed it. `owner`: the definition that was printed;
/// `None`: the template itself. `pairs`: how much work is left. `None`: it would be more.
pub(super) fn trace(
    template: &Template,
    owner: Option<usize>,
    text: &[&str],
    pairs: &mut usize,
) -> Option<Vec<Option<Step>>> {
    let (from, to) = match owner.and_then(|owner| template.blocks.get(owner)) {
        Some(block) => (block.first, block.last + 1),
        None => (0, template.lines.len()),
    };
    let places = to - from + template.blocks.len() + 1;
    let cost = places.checked_mul(text.len() + 1).filter(|cost| *cost <= PAIRS)?;
    *pairs = pairs.checked_sub(cost)?;
    let graph = Graph::of(template, owner, from, to);
    Some(graph.way(text))
}

/// The lines that can print, and how to get from one to another. Lines are counted from `from` on.
struct Graph<'t> {
    template: &'t Template,
    from: usize,
    /// For each line what it costs to leave it out; `None`: it is part of something else.
    skip: Vec<Option<i32>>,
    /// Jumps: from before a line to before another, in the order of where they start.
    jumps: Vec<(usize, usize, i32)>,
}

/// What is known of a place: the best way there and the state at its end.
#[derive(Clone, Copy)]
struct Place {
    score: i32,
    from: u32,
}

/// Before the first line of the text.
const START: u32 = u32::MAX;

impl<'t> Graph<'t> {
    fn of(template: &'t Template, owner: Option<usize>, from: usize, to: usize) -> Self {
        let skip = (from..to).map(|index| {
            let line = template.lines.get(index)?;
            if line.pieces.is_empty() {
                return Some(0);
            }
            let cost = match () {
                // What stands on both sides of a marker is not in one document.
                () if line.is_marker() => 100 * LOST,
                () if line.is_printed() => -1,
                () => -4,
            };
            (template.owner(index) == owner).then_some(cost)
        });
        let mut jumps = Vec::new();
        for block in &template.blocks {
            let inside = block.first >= from && block.end < to && block.first < block.last;
            if !inside || matches!(block.kind, Kind::Define | Kind::Block) {
                continue;
            }
            let [first, last, end] = [block.first, block.last, block.end].map(|line| line - from);
            jumps.push((first, last, 0));
            if last < end {
                jumps.push((last, end, 0));
            }
            if block.kind == Kind::Range {
                jumps.push((last, first, -1));
            }
        }
        jumps.sort_unstable();
        Self { template, from, skip: skip.collect(), jumps }
    }

    fn line(&self, index: usize) -> Option<&'t Line> {
        let own = self.skip.get(index).is_some_and(Option::is_some);
        let line = self.template.lines.get(self.from + index);
        line.filter(|line| own && !line.pieces.is_empty() && !line.is_marker())
    }

    /// The states are two for each line: it begins to print, or it goes on.
    fn way(&self, text: &[&str]) -> Vec<Option<Step>> {
        let lines = self.skip.len();
        let never = Place { score: NEVER, from: START };
        let mut scores = vec![NEVER; 2 * lines + 1];
        // The state before anything was printed.
        let before = 2 * lines;
        if let Some(score) = scores.get_mut(before) {
            *score = 0;
        }
        let mut back: Vec<Vec<u32>> = Vec::with_capacity(text.len());
        let mut places = vec![never; lines + 1];
        for row in text {
            places.fill(never);
            self.leave(&scores, &mut places);
            self.walk(&mut places);
            let mut next = vec![NEVER; scores.len()];
            let mut came = vec![START; scores.len()];
            let score = |state: usize| scores.get(state).copied().unwrap_or(NEVER);
            let mut reach = |state: usize, score: i32, from: u32| {
                if let (Some(next), Some(came)) = (next.get_mut(state), came.get_mut(state)) {
                    (*next, *came) = (score, from);
                }
            };
            for (index, place) in places.iter().enumerate().take(lines) {
                let Some(line) = self.line(index) else { continue };
                if let Some(fit) = fit(line, row).filter(|_| place.score > NEVER) {
                    reach(2 * index, place.score + fit, place.from);
                }
                let (begun, going) = (2 * index, 2 * index + 1);
                let from = if score(begun) >= score(going) { begun } else { going };
                if score(from) > NEVER {
                    reach(going, score(from) + going_on(line, row), from as u32);
                }
            }
            reach(before, score(before) + LOST, before as u32);
            scores = next;
            back.push(came);
        }
        let last = (0..scores.len()).max_by_key(|state| {
            (scores.get(*state).copied().unwrap_or(NEVER), std::cmp::Reverse(*state))
        });
        self.steps(text, &back, last.unwrap_or(before))
    }

    /// From what printed the last line to behind it; from the start to the start of any document.
    fn leave(&self, scores: &[i32], places: &mut [Place]) {
        let lines = self.skip.len();
        let mut offer = |at: usize, score: i32, state: usize| {
            if let Some(place) = places.get_mut(at).filter(|place| place.score < score) {
                *place = Place { score, from: state as u32 };
            }
        };
        for (state, score) in scores.iter().enumerate().take(2 * lines) {
            offer(state / 2 + 1, *score, state);
        }
        if let Some(score) = scores.get(2 * lines) {
            offer(0, *score, 2 * lines);
            for index in 0..lines {
                let line = self.template.lines.get(self.from + index);
                if line.is_some_and(Line::is_marker) {
                    offer(index + 1, *score, 2 * lines);
                }
            }
        }
    }

    /// Leaves lines out and jumps, as long as that is better than what is known.
    fn walk(&self, places: &mut [Place]) {
        // Loops lead back; those inside of others need a round each.
        for _ in 0..3 {
            let mut again = false;
            let mut jumps = self.jumps.iter().peekable();
            for index in 0..places.len() {
                while let Some((from, to, cost)) = jumps.next_if(|jump| jump.0 <= index) {
                    again |= offer(places, *from, *to, *cost) && to < from;
                }
                let cost = self.skip.get(index).copied().flatten().unwrap_or(0);
                offer(places, index, index + 1, cost);
            }
            if !again {
                break;
            }
        }
    }

    fn steps(&self, text: &[&str], back: &[Vec<u32>], last: usize) -> Vec<Option<Step>> {
        let lines = self.skip.len();
        let mut states = Vec::with_capacity(text.len());
        let mut state = last;
        for came in back.iter().rev() {
            states.push(state);
            state = came.get(state).map_or(2 * lines, |from| *from as usize);
        }
        let mut previous: Option<Step> = None;
        let mut steps = Vec::with_capacity(text.len());
        for (state, row) in states.into_iter().rev().zip(text) {
            let (index, goes_on) = (state / 2, state % 2 == 1);
            let Some(line) = self.line(index).filter(|_| state < 2 * lines) else {
                steps.push(None);
                continue;
            };
            let line_index = self.from + index;
            let rounds = match &previous {
                Some(previous) if goes_on => previous.rounds.clone(),
                _ => self.rounds(previous.as_ref(), line_index),
            };
            let step = Step { line: line_index, goes_on, rounds };
            previous = Some(step.clone());
            let lost = goes_on && going_on(line, row) <= LOST;
            steps.push((!lost).then_some(step));
        }
        steps
    }

    /// How often the loops around a line had been run when it printed after another.
    fn rounds(&self, previous: Option<&Step>, line: usize) -> Rounds {
        let mut back = previous.is_some_and(|previous| line <= previous.line);
        let loops = self.template.around(line).filter(|(_, block)| block.kind == Kind::Range);
        loops
            .map(|(index, _)| {
                let before = previous.and_then(|previous| {
                    previous.rounds.iter().find(|(own, _)| *own == index).map(|(_, round)| *round)
                });
                // The innermost loop around both was run again.
                let round =
                    before.map_or(0, |round| round + usize::from(std::mem::take(&mut back)));
                (index, round)
            })
            .collect()
    }
}

/// Is a place better reached from another? Then it is.
fn offer(places: &mut [Place], from: usize, to: usize, cost: i32) -> bool {
    let Some(start) = places.get(from).copied().filter(|start| start.score > NEVER) else {
        return false;
    };
    match places.get_mut(to) {
        Some(place) if place.score < start.score + cost => {
            *place = Place { score: start.score + cost, ..start };
            true
        }
        _ => false,
    }
}

/// How well a line of text fits what a line of a template prints.
fn fit(line: &Line, row: &str) -> Option<i32> {
    let text = row.trim();
    let indent = row.len() - row.trim_start().len();
    let length = |text: &str| i32::try_from(text.trim().len().min(24)).unwrap_or(24);
    let mut literal = 0;
    let mut rest = text;
    let mut open = false;
    let count = line.pieces.len();
    for (index, piece) in line.pieces.iter().enumerate() {
        let Piece::Text(own) = piece else {
            open = true;
            continue;
        };
        literal += length(own);
        rest = match (open, index + 1 == count) {
            (false, true) => return (rest == own).then_some(literal + 4 + same(line, indent)),
            (false, false) => {
                // What follows may be empty, and the space before it goes with it.
                rest.strip_prefix(own.as_str())
                    .or_else(|| (rest == own.trim_end()).then_some(""))?
            }
            (true, true) => rest.strip_suffix(own.as_str())?,
            (true, false) => {
                let at = rest.find(own.as_str())?;
                rest.get(at + own.len()..)?
            }
        };
        open = false;
    }
    if literal > 0 {
        return Some(literal + 2 + same(line, indent));
    }
    match line.indents() {
        Some(wanted) if !text.is_empty() && indent < wanted => None,
        _ => Some(1),
    }
}

fn same(line: &Line, indent: usize) -> i32 {
    if line.indent == indent { 4 } else { 0 }
}

/// How well a line of text goes on with what an action began to print.
fn going_on(line: &Line, row: &str) -> i32 {
    let indent = row.len() - row.trim_start().len();
    match (line.goes_on(), line.indents()) {
        _ if row.trim().is_empty() => 0,
        // A variable can hold anything.
        (false, _) if line.is_printed() => -2,
        (false, _) => LOST,
        (true, Some(wanted)) if indent < wanted => LOST,
        (true, _) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines, from 1, that printed each line of a text; 0 for none, with `+` where an action goes on and
    /// `*` for each round of a loop.
    fn found(template: &str, text: &str) -> Vec<String> {
        let template = Template::read(template);
        let text: Vec<&str> = text.lines().collect();
        let steps = trace(&template, None, &text, &mut usize::MAX.clone()).unwrap();
        let shown = |step: Option<Step>| match step {
            None => "0".to_string(),
            Some(step) => {
                let rounds: usize = step.rounds.iter().map(|(_, round)| round).sum();
                let on = if step.goes_on { "+" } else { "" };
                format!("{}{on}{}", step.line + 1, "*".repeat(rounds))
            }
        };
        steps.into_iter().map(shown).collect()
    }

    #[test]
    fn literal_lines_blocks_and_values() {
        let template = "{{- if .a }}\na: {{ .x }}\n{{- else }}\nb: {{ .x }}\n{{- end }}\nc: {{ .y | quote }}\nd: 1\n";
        assert_eq!(found(template, "a: 7\nc: \"z\"\nd: 1"), ["2", "6", "7"]);
        assert_eq!(found(template, "b: 7\nc: \"z\"\nd: 1"), ["4", "6", "7"]);
        assert_eq!(found(template, "c:\nd: 1\n# what\n"), ["6", "7", "0"]);
        assert_eq!(found(template, "# what\nd: 1"), ["0", "7"]);
    }

    #[test]
    fn loops_run_again() {
        let template = "x:\n{{- range .a }}\n- from:\n  - {{ . }}\n  {{- range .b }}\n  - b: {{ . }}\n  {{- end }}\n{{- end }}\nlast: 1\n";
        let text = "x:\n- from:\n  - a\n  - b: 1\n  - b: 2\n- from:\n  - b\n  - b: 3\nlast: 1";
        assert_eq!(found(template, text), ["1", "3", "4", "6", "6*", "3*", "4*", "6*", "9"]);
    }

    #[test]
    fn actions_print_several_lines() {
        let template = "labels: {{- toYaml .l | nindent 2 }}\nspec:\n  {{- toYaml .s | nindent 2 }}\n  last: 1\n  {{- include \"h\" . | nindent 2 }}\n";
        let text =
            "labels:\n  a: b\n  c: d\nspec:\n  x:\n  - y\n  last: 1\n  z: 1\n  z2: 2\nodd: 1";
        assert_eq!(found(template, text), ["1", "1+", "1+", "2", "3", "3+", "4", "5", "5+", "0"]);
    }

    #[test]
    fn documents_of_a_file_are_told_apart() {
        let template = "kind: A\nname: x\nspec: 1\n---\nkind: A\nname: y\nspec: 1\n{{- range .l }}\n---\nkind: B\nname: {{ . }}\n{{- end }}\n";
        assert_eq!(found(template, "kind: A\nname: x\nspec: 1"), ["1", "2", "3"]);
        assert_eq!(found(template, "kind: A\nname: y\nspec: 1"), ["5", "6", "7"]);
        assert_eq!(found(template, "kind: B\nname: y"), ["10", "11"]);
    }

    #[test]
    fn what_would_take_too_long_is_given_up() {
        let lines = "a: 1\n".repeat(100_000);
        let template = Template::read(&lines);
        let text: Vec<&str> = lines.lines().collect();
        assert_eq!(trace(&template, None, &text, &mut usize::MAX.clone()), None);
        let mut pairs = 10;
        assert_eq!(trace(&template, None, &["a: 1"], &mut pairs), None);
        // As long as it is tried it ends.
        let nested =
            "{{ range .a }}\n".repeat(1_000) + "a: {{ . }}\n" + &"{{ end }}\n".repeat(1_000);
        let steps = trace(&Template::read(&nested), None, &["a: 1"; 100], &mut usize::MAX.clone());
        assert_eq!(steps.unwrap().len(), 100);
    }
}
