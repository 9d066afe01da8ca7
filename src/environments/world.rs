//! The units of one environment -> the tree that is compared.

use super::builder::Builder;
use super::plan::Part;
use crate::deploy::Build;
use crate::source::Loaded;
use crate::tree::{Files, InventoryFile, Rendered, Tree, is_manifest};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the first of two sides of an environment holds, and what could not be built.
pub(super) fn world(
    builder: &Builder<'_>,
    [side, other]: [&Loaded; 2],
    parts: &[&Part],
    name: &str,
) -> Tree {
    let mut tree = Tree { name: format!("{} ({name})", side.tree.name), ..Tree::default() };
    let counts = |file: &&InventoryFile| file.environment.as_deref().is_none_or(|own| own == name);
    tree.inventory = side.tree.inventory.iter().filter(counts).cloned().collect();
    let mut numbers: BTreeMap<Arc<str>, usize> = BTreeMap::new();
    for part in parts {
        if let Build::Plain(_) = part.unit.build {
            as_it_stands(&mut tree, side, part);
            if part.unit.environment.is_none() {
                tree.skipped.clone_from(&side.tree.skipped);
            }
            continue;
        }
        if !part.is_built() {
            // The refusals are said already; what can be read without building is better than nothing.
            as_it_stands(&mut tree, side, part);
            continue;
        }
        match builder.build(part, &side.files(), &other.files()).as_ref() {
            Ok(built) => {
                tree.problems.extend(built.problems.iter().cloned());
                let number = numbers.entry(built.entry.clone()).or_default();
                let path = loop {
                    *number += 1;
                    let path = match *number {
                        1 => format!("{} (built)", built.entry),
                        number => format!("{} (built {number})", built.entry),
                    };
                    if !tree.files.contains_key(path.as_str()) {
                        break path;
                    }
                };
                let path: Arc<str> = path.into();
                tree.files.insert(path.clone(), built.text.clone());
                tree.rendered.insert(path, Arc::new(built.rendered.clone()));
            }
            Err(problem) => {
                tree.problems.push((**problem).clone());
                as_it_stands(&mut tree, side, part);
            }
        }
    }
    // What a link leads to may be read in another world only.
    for link in &mut tree.skipped {
        let of_parts = |path: &Arc<str>| parts.iter().any(|part| part.inputs.files.contains(path));
        let (to, led_to) = (link.leads_to.clone(), side.tree.led_to(link));
        for (path, content) in led_to {
            // What a directory holds is not deployed again for a link to it; a file is, as it stands.
            let to_file = to.as_deref() == Some(&**path);
            if if to_file { !tree.files.contains_key(path) } else { !of_parts(path) } {
                link.holds(content);
            }
        }
    }
    tree
}

fn as_it_stands(tree: &mut Tree, side: &Loaded, part: &Part) {
    let named = matches!(part.unit.build, Build::Plain(_));
    for path in &part.inputs.files {
        // Limits leave out what is deployed by nothing within them.
        let beyond = || (named || is_manifest(path)).then(|| side.files().read(path)).flatten();
        if let Some(content) = side.tree.files.get(path).cloned().or_else(beyond) {
            tree.files.insert(path.clone(), content.clone());
            if let (Build::Plain(_), Some(namespace)) = (&part.unit.build, &part.unit.namespace) {
                let rendered = Rendered::plain(path.clone(), &content, namespace.clone());
                tree.rendered.insert(path.clone(), Arc::new(rendered));
            }
        }
    }
}
