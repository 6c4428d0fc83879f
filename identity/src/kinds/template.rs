//! Role ARNs and external IDs with the placeholders `{namespace}` and `{serviceAccount}`.

use crate::ServiceAccountRef;

const NAMESPACE: &str = "{namespace}";
const SERVICE_ACCOUNT: &str = "{serviceAccount}";

/// The text for a ServiceAccount.
pub(super) fn expand(template: &str, service_account: &ServiceAccountRef) -> String {
    // A name has no braces, so the order of the two replacements does not matter.
    let text = template.replace(NAMESPACE, service_account.namespace());
    text.replace(SERVICE_ACCOUNT, service_account.name())
}

/// Namespace and name with which a template gives a text; `None` for one that the template does not mention.
pub(super) fn solve<'a>(template: &str, text: &'a str) -> Option<Solution<'a>> {
    solved(template, text, (None, None))
}

/// The namespace and the name of a ServiceAccount.
type Solution<'a> = (Option<&'a str>, Option<&'a str>);

fn solved<'a>(template: &str, text: &'a str, found: Solution<'a>) -> Option<Solution<'a>> {
    let (namespace, name) = found;
    if let Some(rest) = template.strip_prefix(NAMESPACE) {
        let is_legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let mut beginnings = beginnings(text, namespace, 63, is_legal);
        return beginnings.find_map(|(it, text)| solved(rest, text, (Some(it), name)));
    }
    if let Some(rest) = template.strip_prefix(SERVICE_ACCOUNT) {
        let is_legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b);
        let mut beginnings = beginnings(text, name, 253, is_legal);
        return beginnings.find_map(|(it, text)| solved(rest, text, (namespace, Some(it))));
    }
    match template.chars().next() {
        None => text.is_empty().then_some(found),
        Some(first) => {
            let rest = text.strip_prefix(first)?;
            solved(&template[first.len_utf8()..], rest, found)
        }
    }
}

/// What a placeholder may be at the beginning of a text, each with the rest: what it was before, or any name.
fn beginnings<'a>(
    text: &'a str,
    known: Option<&str>,
    most: usize,
    is_legal: impl Fn(u8) -> bool,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let legal = text.bytes().take(most).take_while(|byte| is_legal(*byte)).count();
    let lengths = match known {
        Some(known) => known.len()..=known.len(),
        None => 1..=legal,
    };
    // Legal bytes are characters, so that each length is the end of one.
    let is_known = move |it: &&str| known.is_none_or(|known| *it == known);
    lengths
        .filter_map(move |length| text.split_at_checked(length))
        .filter(move |(it, _)| is_known(it))
}

/// Whether two ServiceAccounts could give one text: between the two placeholders there are only
/// characters that a namespace may have, so that `c` of `a-b` and `b-c` of `a` are alike.
pub(super) fn is_ambiguous(template: &str) -> bool {
    let between = |first: &str, second: &str| {
        template.split(first).skip(1).any(|after| {
            let between = after.split(second).next().filter(|between| between.len() < after.len());
            between.is_some_and(|text| {
                let may_be_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
                text.bytes().all(may_be_name)
            })
        })
    };
    between(NAMESPACE, SERVICE_ACCOUNT) || between(SERVICE_ACCOUNT, NAMESPACE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_between_the_placeholders_must_separate_them() {
        for (template, ambiguous) in [
            ("arn:aws:iam::111122223333:role/{namespace}-{serviceAccount}", true),
            ("arn:aws:iam::111122223333:role/{namespace}{serviceAccount}", true),
            ("arn:aws:iam::111122223333:role/{serviceAccount}-x-{namespace}", true),
            ("arn:aws:iam::111122223333:role/{namespace}/{serviceAccount}", false),
            ("arn:aws:iam::111122223333:role/{namespace}.{serviceAccount}", false),
            ("arn:aws:iam::111122223333:role/{namespace}_{serviceAccount}-{namespace}", true),
            ("{namespace}", false),
            ("app", false),
        ] {
            assert_eq!(is_ambiguous(template), ambiguous, "{template}");
        }
        let role = "arn:aws:iam::111122223333:role/";
        let solve = |template: &str, text: &str| {
            let (template, text) = (format!("{role}{template}"), format!("{role}{text}"));
            let found = solve(&template, &text)?;
            Some((found.0.map(str::to_owned), found.1.map(str::to_owned)))
        };
        let names = |namespace: &str, name: &str| {
            let named = |it: &str| Some(it.to_owned()).filter(|it| !it.is_empty());
            Some((named(namespace), named(name)))
        };
        for (template, text, expected) in [
            ("app", "app", names("", "")),
            ("app", "apps", None),
            ("{namespace}/{serviceAccount}", "shop/app", names("shop", "app")),
            ("{namespace}/{serviceAccount}", "shop/app.v1", names("shop", "app.v1")),
            ("{namespace}/{serviceAccount}", "shop.eu/app", None),
            ("{namespace}/{serviceAccount}", "shop/", None),
            ("x-{serviceAccount}", "x-app", names("", "app")),
            ("{namespace}/{namespace}", "shop/shop", names("shop", "")),
            ("{namespace}/{namespace}", "shop/stop", None),
            ("{namespace}_x", "Shop_x", None),
            ("{namespace}-x", "a-x-x", names("a-x", "")),
        ] {
            assert_eq!(solve(template, text), expected, "{template} {text}");
        }
        let shop_app = "shop/app".parse().unwrap();
        assert_eq!(expand("r/{namespace}/{serviceAccount}", &shop_app), "r/shop/app");
    }
}
