//! Policy variables: `${aws:PrincipalTag/team}`, `${aws:username, 'default'}`, `${*}`.
//!
//! Source: IAM's reference of policy variables. Only version 2012-10-17 of the language has them.

use super::{context::Context, malformed::MalformedPolicy, pattern::Pattern, version::Version};

/// A text in a policy, with its variables.
#[derive(Clone, Debug)]
pub(super) struct Template {
    written: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// Can contain wildcards.
    Text(String),
    /// `${*}`, `${?}` and `${$}`: the literal character.
    Plain(char),
    Variable {
        key: String,
        default: Option<String>,
    },
}

impl Template {
    /// Parses a text of a policy.
    pub(super) fn read(text: &str, version: Version) -> Result<Self, MalformedPolicy> {
        let parts = match version {
            Version::Old => vec![Part::Text(text.to_owned())],
            Version::Current => parts(text)?,
        };
        Ok(Self { written: text.to_owned(), parts })
    }

    /// The text in the policy.
    pub(super) fn written(&self) -> &str {
        &self.written
    }

    /// Whether the text contains variables.
    pub(super) fn has_variables(&self) -> bool {
        self.parts.iter().any(|part| !matches!(part, Part::Text(_)))
    }

    /// The keys of its variables.
    pub(super) fn keys(&self) -> Vec<String> {
        let keys = self.parts.iter().filter_map(|part| match part {
            Part::Variable { key, .. } => Some(key.clone()),
            Part::Text(_) | Part::Plain(_) => None,
        });
        keys.collect()
    }

    /// The pattern for a request. `None` if a variable without a default has no value, or several. Wildcards
    /// in the request's values are literal, because callers choose some of the values.
    pub(super) fn fill(&self, context: &Context) -> Option<Pattern> {
        let mut pattern = Pattern::default();
        for part in &self.parts {
            match part {
                Part::Text(text) => pattern.push(text),
                Part::Plain(c) => pattern.push_plain(c.encode_utf8(&mut [0; 4])),
                Part::Variable { key, default } => {
                    let value = match context.get(key) {
                        Some([value]) => Some(value),
                        Some([_, ..]) => None,
                        _ => default.as_ref(),
                    };
                    pattern.push_plain(value?);
                }
            }
        }
        Some(pattern)
    }
}

fn parts(text: &str) -> Result<Vec<Part>, MalformedPolicy> {
    let error = || MalformedPolicy::Variable(text.to_owned());
    let (mut parts, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once("${") {
        let (variable, behind) = after.split_once('}').ok_or_else(error)?;
        parts.push(Part::Text(before.to_owned()));
        parts.push(part(variable).ok_or_else(error)?);
        rest = behind;
    }
    parts.push(Part::Text(rest.to_owned()));
    parts.retain(|part| *part != Part::Text(String::new()));
    Ok(parts)
}

/// Parses the part between `${` and `}`.
fn part(variable: &str) -> Option<Part> {
    match variable {
        "*" => return Some(Part::Plain('*')),
        "?" => return Some(Part::Plain('?')),
        "$" => return Some(Part::Plain('$')),
        _ => {}
    }
    let (key, default) = match variable.split_once(',') {
        None => (variable, None),
        Some((key, default)) => {
            let default = default.trim().strip_prefix('\'')?.strip_suffix('\'')?;
            (key, Some(default.to_owned()))
        }
    };
    let key = key.trim();
    let legal = key.contains(':') && !key.contains(['{', '$', '\'', '*', '?']);
    legal.then(|| Part::Variable { key: key.to_owned(), default })
}
