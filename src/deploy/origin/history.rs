//! What an annotation of kustomize says was done to an object.

use super::patches::Files;
use super::paths::join;
use crate::parse::{Node, manifests};

/// The transformers that were run over an object.
#[derive(Debug, Default)]
pub(super) struct History {
    /// In their order, each once.
    pub(super) steps: Vec<Step>,
    /// What they put before names (true) and behind them.
    affixes: Vec<(bool, String)>,
}

/// A transformer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// The file that configures it, as seen from the directory that was built.
    pub(super) file: String,
    /// `PatchTransformer`, for example.
    pub(super) kind: String,
}

impl History {
    /// Reads an annotation.
    pub(super) fn read(text: &str, files: &mut Files<'_>) -> Self {
        let mut history = Self::default();
        for step in manifests(text.as_bytes()).iter().flatten().flat_map(Node::items) {
            let (Some(file), Some(kind)) =
                (step.text_at(&["configuredIn"]), step.text_at(&["configuredBy", "kind"]))
            else {
                continue;
            };
            let step = Step { file: join("", file), kind: kind.to_string() };
            if history.steps.contains(&step) {
                continue;
            }
            let (key, before) = match kind {
                "PrefixTransformer" => ("namePrefix", true),
                _ => ("nameSuffix", false),
            };
            if matches!(kind, "PrefixTransformer" | "SuffixTransformer")
                && let Some(own) = files.kustomization(&step.file)
                && let Some(affix) = own.node.text_at(&[key])
            {
                history.affixes.push((before, affix.to_string()));
            }
            history.steps.push(step);
        }
        history
    }

    /// The names that an object of this first name had on its way.
    pub(super) fn names(&self, first: &str) -> Vec<String> {
        let mut names = vec![first.to_string()];
        for (before, affix) in &self.affixes {
            let last = names.last().map(String::as_str).unwrap_or_default();
            names.push(match before {
                true => format!("{affix}{last}"),
                false => format!("{last}{affix}"),
            });
        }
        names
    }

    /// The first name of an object that has this one at last.
    pub(super) fn first_name<'n>(&self, name: &'n str) -> Option<&'n str> {
        self.affixes.iter().rev().try_fold(name, |name, (before, affix)| match before {
            true => name.strip_prefix(affix.as_str()),
            false => name.strip_suffix(affix.as_str()),
        })
    }
}
