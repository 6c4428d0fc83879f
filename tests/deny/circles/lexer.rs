//! Rust source as a list of words and signs, without comments, literals and test code.

/// Splits source text into identifiers, `::` and single signs. A string or character literal becomes `"`.
pub(super) fn tokens(text: &str) -> Vec<String> {
    let text: Vec<char> = text.chars().collect();
    let (mut tokens, mut at) = (Vec::new(), 0);
    while let Some(&c) = text.get(at) {
        let next = text.get(at + 1).copied().unwrap_or(' ');
        if c == '/' && next == '/' {
            at = find(&text, at, '\n');
        } else if c == '/' && next == '*' {
            at = after_block_comment(&text, at);
        } else if let Some(end) = after_literal(&text, at) {
            tokens.push("\"".to_owned());
            at = end;
        } else if c.is_alphanumeric() || c == '_' {
            let end = text[at..].iter().position(|c| !(c.is_alphanumeric() || *c == '_'));
            let end = end.map_or(text.len(), |length| at + length);
            tokens.push(text[at..end].iter().collect());
            at = end;
        } else if c == ':' && next == ':' {
            tokens.push("::".to_owned());
            at += 2;
        } else {
            if !c.is_whitespace() {
                tokens.push(c.to_string());
            }
            at += 1;
        }
    }
    tokens
}

fn find(text: &[char], from: usize, wanted: char) -> usize {
    let found = text[from..].iter().position(|c| *c == wanted);
    found.map_or(text.len(), |length| from + length)
}

fn after_block_comment(text: &[char], start: usize) -> usize {
    let (mut depth, mut at) = (0_usize, start);
    while at + 1 < text.len() {
        match (text[at], text[at + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// The end of the literal that starts at `start`; `None` if there is none. Prefixes (`b`, `r`, `c`) are part of it.
fn after_literal(text: &[char], start: usize) -> Option<usize> {
    let is_word = |at: usize| text.get(at).is_some_and(|c| c.is_alphanumeric() || *c == '_');
    if start > 0 && is_word(start - 1) {
        return None;
    }
    let mut at = start;
    while at < start + 2 && matches!(text.get(at), Some('b' | 'c' | 'r')) {
        at += 1;
    }
    let raw = at > start && text[at - 1] == 'r';
    let hashes = text[at..].iter().take_while(|c| **c == '#').count();
    match text.get(at + hashes)? {
        '"' if raw => Some(after_raw_string(text, at + hashes + 1, hashes)),
        '"' if hashes == 0 => Some(after_quote(text, at + 1, '"')),
        // A lifetime is a quote and a name without a second quote.
        '\'' if hashes == 0
            && (text.get(at + 1) == Some(&'\\') || text.get(at + 2) == Some(&'\'')) =>
        {
            Some(after_quote(text, at + 1, '\''))
        }
        _ => None,
    }
}

fn after_raw_string(text: &[char], from: usize, hashes: usize) -> usize {
    let ends = |at: &usize| {
        text[*at] == '"'
            && text[at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes
    };
    (from..text.len()).find(ends).map_or(text.len(), |at| at + 1 + hashes)
}

fn after_quote(text: &[char], from: usize, quote: char) -> usize {
    let mut at = from;
    while let Some(&c) = text.get(at) {
        at += if c == '\\' { 2 } else { 1 };
        if c == quote {
            break;
        }
    }
    at.min(text.len())
}

/// Removes each item under `#[cfg(test)]`: tests may import from anywhere.
pub(super) fn without_tests(tokens: &[String]) -> Vec<String> {
    const CFG_TEST: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut kept, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        let rest = &tokens[at..];
        if rest.len() >= CFG_TEST.len()
            && rest.iter().zip(CFG_TEST).all(|(one, other)| one == other)
        {
            at += CFG_TEST.len();
            at += item_length(&tokens[at..]);
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// Tokens of the item at the start: up to its `;`, or to the end of its braces. A `use` has both.
fn item_length(tokens: &[String]) -> usize {
    let mut depth = 0_usize;
    let is_use = tokens.iter().take(6).any(|token| token == "use");
    for (at, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
        let ends = token == ";" || (token == "}" && !is_use);
        if depth == 0 && ends {
            return at + 1;
        }
    }
    tokens.len()
}

#[test]
fn comments_literals_and_lifetimes_are_not_words() {
    let text = "/* a /* b */ */ fn f<'a>(x: &'a str) { '\\'' ; b\"c\\\"d\"; r#\"e\"f\"# } // g";
    let wanted = "fn f < ' a > ( x : & ' a str ) { \" ; \" ; \" }";
    assert_eq!(tokens(text).join(" "), wanted);
}

#[test]
fn test_items_are_removed() {
    let text = "a::b; #[cfg(test)] use c::{d, e}; #[cfg(test)] #[x] mod tests { f(); } g";
    assert_eq!(without_tests(&tokens(text)).join(" "), "a :: b ; g");
}
