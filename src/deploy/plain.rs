//! Which files a unit of plain manifests is made of.

use super::Plain;
use super::glob::{Glob, Style};
use crate::tree::Files;
use memchr::memmem;
use std::collections::BTreeSet;
use std::sync::Arc;

const SKIP_MARK: &[u8] = b"+argocd:skip-file-rendering";

impl Plain {
    /// The manifest files, in order. Not those in the language jsonnet, which a tool would have to evaluate
    /// ([`Plain::programs`]).
    pub fn files(&self, files: &dyn Files) -> Vec<Arc<str>> {
        let mut chosen = self.chosen(files, &[".yaml", ".yml", ".json"]);
        if self.skip_marked {
            let marked = |path: &Arc<str>| {
                files
                    .read(path)
                    .is_some_and(|content| memmem::find(content.bytes(), SKIP_MARK).is_some())
            };
            chosen.retain(|path| !marked(path));
        }
        chosen.into_iter().collect()
    }

    /// Files that a tool would have to evaluate: jsonnet.
    pub fn programs(&self, files: &dyn Files) -> Vec<Arc<str>> {
        self.chosen(files, &[".jsonnet"]).into_iter().collect()
    }

    fn chosen(&self, files: &dyn Files, endings: &[&str]) -> BTreeSet<Arc<str>> {
        let globs = |patterns: &[String]| {
            patterns.iter().map(|pattern| Glob::new(pattern, Style::Braces)).collect::<Vec<_>>()
        };
        let (include, exclude) = (globs(&self.include), globs(&self.exclude));
        let mut chosen = BTreeSet::new();
        for path in &self.paths {
            if files.is_file(path) {
                chosen.insert(Arc::from(path.as_str()));
                continue;
            }
            let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
            for file in files.below(path) {
                let Some(name) = file.strip_prefix(&prefix) else { continue };
                let counts = endings.iter().any(|ending| name.ends_with(ending))
                    && (self.recurse || !name.contains('/'))
                    && (include.is_empty() || include.iter().any(|glob| glob.matches(name)))
                    && !exclude.iter().any(|glob| glob.matches(name));
                if counts {
                    chosen.insert(file.clone());
                }
            }
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Tree;

    #[test]
    fn directories_and_files() {
        let tree = Tree::from_texts(
            "t",
            [
                ("a/one.yaml", ""),
                ("a/two.json", ""),
                ("a/three.jsonnet", ""),
                ("a/README.md", ""),
                ("a/marked.yml", "# +argocd:skip-file-rendering\n"),
                ("a/sub/four.yaml", ""),
                ("ab/five.yaml", ""),
            ],
        );
        let a = || Plain { paths: vec!["a".into()], ..Plain::default() };
        let strings = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        for (plain, expected) in [
            (a(), vec!["a/marked.yml", "a/one.yaml", "a/two.json"]),
            (Plain { skip_marked: true, ..a() }, vec!["a/one.yaml", "a/two.json"]),
            (
                Plain { recurse: true, skip_marked: true, ..a() },
                vec!["a/one.yaml", "a/sub/four.yaml", "a/two.json"],
            ),
            (
                Plain { recurse: true, include: strings(&["*.yaml"]), ..a() },
                vec!["a/one.yaml", "a/sub/four.yaml"],
            ),
            (
                Plain { recurse: true, exclude: strings(&["{sub/*,*.json,m*}"]), ..a() },
                vec!["a/one.yaml"],
            ),
            (
                Plain { paths: strings(&["ab/five.yaml", "missing"]), ..Plain::default() },
                vec!["ab/five.yaml"],
            ),
        ] {
            let files = plain.files(&tree);
            assert_eq!(files.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), expected);
        }
        assert_eq!(a().programs(&tree), [Arc::from("a/three.jsonnet")]);
        let root = Plain { paths: vec![String::new()], recurse: true, ..Plain::default() };
        assert_eq!(root.files(&tree).len(), 5);
    }
}
