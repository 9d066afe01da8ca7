//! Paths as they are written in kustomizations and in what tools say of them.

/// A path inside a directory, without `.` and, where that can be, `..`.
pub(super) fn join(directory: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in directory.split('/').chain(path.trim().split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The rest of a path below a directory; "" for the directory itself.
pub(super) fn within<'p>(path: &'p str, directory: &str) -> Option<&'p str> {
    if directory.is_empty() {
        return (path != ".." && !path.starts_with("../")).then_some(path);
    }
    match path.strip_prefix(directory)? {
        "" => Some(""),
        rest => rest.strip_prefix('/'),
    }
}

/// The directory that a file is in.
pub(super) fn directory(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_as_directories_are() {
        assert_eq!(join("a/b", "../c/./d.yaml"), "a/c/d.yaml");
        assert_eq!(join("", "../src/a"), "../src/a");
        assert_eq!(join("../src/a", "../../other"), "../other");
        assert_eq!(within("../src/a/b", "../src"), Some("a/b"));
        assert_eq!(within("../src", "../src"), Some(""));
        assert_eq!(within("../srcs/a", "../src"), None);
        assert_eq!(within("../a", ""), None);
        assert_eq!(directory("a/b/c"), "a/b");
    }
}
