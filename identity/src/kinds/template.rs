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
        let shop_app = "shop/app".parse().unwrap();
        assert_eq!(expand("r/{namespace}/{serviceAccount}", &shop_app), "r/shop/app");
    }
}
