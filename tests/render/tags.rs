//! A strict reader of HTML: what a browser would have to guess fails the test.

/// A tag that opens, with its attributes, in the order of the page.
pub struct Tag {
    pub name: String,
    pub attributes: Vec<(String, String)>,
}

/// Tags that never end.
const VOID: [&str; 3] = ["meta", "br", "!DOCTYPE"];

/// What ends a paragraph, if it stands in one.
const BLOCKS: [&str; 16] = [
    "p", "div", "section", "article", "ul", "dl", "table", "pre", "h1", "h2", "h3", "details",
    "header", "footer", "main", "nav",
];

/// All tags of a page. Panics where one is not closed in the right order, where an attribute is not quoted or there
/// twice, where text has a `<` or `>` that is none of a tag, or an `&` that begins no reference.
pub fn read(page: &str) -> Vec<Tag> {
    let mut tags = Vec::new();
    let mut open: Vec<String> = Vec::new();
    let mut rest = page;
    loop {
        let (text, tag) = match rest.split_once('<') {
            None => break text_only(rest),
            Some(parts) => parts,
        };
        text_only(text);
        let end = close_of(tag);
        let (inside, behind) = (&tag[..end], &tag[end + 1..]);
        rest = behind;
        if let Some(name) = inside.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "</{name}> of another tag");
            continue;
        }
        let tag = parts(inside);
        let allowed = !(BLOCKS.contains(&tag.name.as_str()) && open.iter().any(|name| name == "p"));
        assert!(allowed, "<{}> in a paragraph", tag.name);
        if tag.name == "style" {
            rest = behind.split_once("</style>").expect("a style ends").1;
        } else if !VOID.contains(&tag.name.as_str()) {
            open.push(tag.name.clone());
        }
        tags.push(tag);
    }
    assert!(open.is_empty(), "never closed: {open:?}");
    tags
}

/// Where a tag ends; quotes may hold anything.
fn close_of(tag: &str) -> usize {
    let mut quoted = false;
    for (at, c) in tag.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '>' if !quoted => return at,
            _ => {}
        }
    }
    panic!("a tag does not end: {}", tag.chars().take(80).collect::<String>());
}

fn parts(inside: &str) -> Tag {
    let (name, mut rest) = inside.split_once(' ').unwrap_or((inside, ""));
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '!';
    assert!(!name.is_empty() && name.chars().all(letter), "<{inside}>");
    let mut attributes: Vec<(String, String)> = Vec::new();
    while !rest.is_empty() {
        if name == "!DOCTYPE" {
            attributes.push((rest.to_owned(), String::new()));
            break;
        }
        let (key, value) = rest.split_once("=\"").unwrap_or_else(|| panic!("<{inside}>"));
        let (value, behind) = value.split_once('"').expect("a value ends");
        let plain = |c: char| c.is_ascii_alphabetic() || c == '-';
        assert!(!key.is_empty() && key.chars().all(plain), "attribute {key} of <{inside}>");
        assert!(attributes.iter().all(|(known, _)| known != key), "two times {key} in <{inside}>");
        assert!(!value.contains(['<', '>']), "{key}={value}");
        references(value);
        attributes.push((key.to_owned(), value.to_owned()));
        rest = behind.strip_prefix(' ').unwrap_or(behind);
    }
    Tag { name: name.to_owned(), attributes }
}

fn text_only(text: &str) {
    assert!(!text.contains('>'), "a > in {text}");
    references(text);
}

fn references(text: &str) {
    for part in text.split('&').skip(1) {
        let known = ["amp;", "lt;", "gt;", "quot;", "#39;"];
        assert!(known.iter().any(|end| part.starts_with(end)), "&{part}");
    }
}
