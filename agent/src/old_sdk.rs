//! SDKs that are too old for the container provider, by their `User-Agent`. Pure.

/// The first versions that read `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`: AWS's table, and what was seen of
/// botocore and of the SDK for JavaScript. A product whose first numbers are not in the list is unknown.
const FIRST: [(&str, &str, [u32; 3]); 10] = [
    ("aws-cli", "the AWS CLI", [2, 15, 0]),
    ("aws-cli", "the AWS CLI", [1, 30, 0]),
    ("boto3", "boto3", [1, 34, 41]),
    ("botocore", "botocore", [1, 34, 41]),
    ("aws-sdk-go", "the SDK for Go", [1, 47, 11]),
    ("aws-sdk-js", "the SDK for JavaScript", [3, 504, 0]),
    ("aws-sdk-nodejs", "the SDK for JavaScript", [2, 1550, 0]),
    ("aws-sdk-java", "the SDK for Java", [2, 21, 30]),
    ("aws-sdk-java", "the SDK for Java", [1, 12, 746]),
    ("aws-sdk-php", "the SDK for PHP", [3, 287, 1]),
];
/// How much of a header is looked at.
const MOST: usize = 256;

/// A sentence about an SDK that is too old; `None` if it is not known to be.
pub(crate) fn too_old(user_agent: &[u8]) -> Option<String> {
    let user_agent = std::str::from_utf8(user_agent.get(..MOST).unwrap_or(user_agent)).ok()?;
    let mut products = user_agent.split_ascii_whitespace().filter_map(product);
    let (name, found, first) = products.find_map(|(product, version)| {
        let mut known = FIRST.iter().filter(|(key, ..)| key.eq_ignore_ascii_case(product));
        let (_, name, first) = known.find(|(_, _, first)| first[0] == version[0])?;
        Some((*name, version, *first))
    })?;
    (found < first).then(|| {
        format!(
            "{name} {} is too old to send it; use {} or later, or the provider web-identity",
            text(found),
            text(first)
        )
    })
}

/// `name/1.2.3`, or `md/name#1.2.3` as newer SDKs write it.
fn product(word: &str) -> Option<(&str, [u32; 3])> {
    let word = word.strip_prefix("md/").unwrap_or(word);
    let (name, version) = word.split_once(['/', '#'])?;
    let mut numbers = version.splitn(3, '.').map(|number| {
        let digits = number.bytes().take_while(u8::is_ascii_digit).count();
        number[..digits].parse::<u32>()
    });
    let mut next = || numbers.next()?.ok();
    Some((name, [next()?, next()?, next().unwrap_or_default()]))
}

fn text([major, minor, patch]: [u32; 3]) -> String {
    format!("{major}.{minor}.{patch}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_sdk_is_named_with_the_first_version_that_works() {
        for (user_agent, first) in [
            ("aws-cli/2.9.19 Python/3.11.2 Linux/6.1 source/x86_64", "use 2.15.0 or later"),
            ("aws-cli/1.29.0 botocore/1.31.0", "use 1.30.0 or later"),
            ("Boto3/1.26.5 md/Botocore#1.29.5 ua/2.0", "boto3 1.26.5 is too old"),
            ("Botocore/1.33.4 Python/3.8", "botocore 1.33.4 is too old"),
            ("aws-sdk-go/1.44.100 (go1.19; linux; amd64)", "use 1.47.11"),
            ("aws-sdk-nodejs/2.1500.0 linux/v18", "use 2.1550.0"),
            ("aws-sdk-js/3.400.0", "use 3.504.0"),
            ("aws-sdk-java/2.20.0 Linux", "use 2.21.30"),
            ("aws-sdk-java/1.12.500 Linux", "use 1.12.746"),
            ("aws-sdk-php/3.200.0", "use 3.287.1"),
        ] {
            let text = too_old(user_agent.as_bytes()).unwrap_or_default();
            assert!(text.contains(first), "{user_agent}: {text}");
        }
    }

    #[test]
    fn new_and_unknown_sdks_are_not_called_old() {
        for user_agent in [
            "",
            "curl/7.0.0",
            "aws-cli/2.15.0",
            "aws-cli/3.0.0",
            "aws-cli/1.44.1 md/Botocore#1.44.1",
            "Boto3/1.44.5 md/Botocore#1.44.5",
            "aws-sdk-go-v2/1.20.0 os/linux",
            "aws-cli/two",
            "aws-cli/",
            "/1.2.3",
            "md/",
        ] {
            assert_eq!(too_old(user_agent.as_bytes()), None, "{user_agent}");
        }
        assert_eq!(too_old(&[0xff; 1000]), None);
        let long = format!("{} aws-cli/2.9.19", "x".repeat(300));
        assert_eq!(too_old(long.as_bytes()), None);
    }
}
