//! `roleARN` accepts what the daemons parse, and nothing else: an ARN that only one of them accepts would be an association
//! that no pod can use, or a role that cannot be associated.

use anyhow::ensure;
use podrole_identity::RoleArn;
use serde_json::json;

use super::{Kind, client};

/// Texts, and whether they are ARNs of a role.
fn texts() -> Vec<(String, bool)> {
    let role = |rest: &str| format!("arn:aws:iam::111122223333:role/{rest}");
    let with_path = |length: usize| role(&format!("{}/app", "p".repeat(length - 1)));
    let name = |length: usize| role(&"n".repeat(length));
    let fixed = [
        ("arn:aws:iam::111122223333:role/app", true),
        ("arn:aws-cn:iam::111122223333:role/app", true),
        ("arn:aws-us-gov:iam::111122223333:role/app", true),
        ("arn:aws-iso-b:iam::000000000000:role/app", true),
        // A partition that does not exist yet.
        ("arn:aws-moon:iam::111122223333:role/app", true),
        ("arn:aws-:iam::111122223333:role/app", false),
        ("arn:aws--cn:iam::111122223333:role/app", false),
        ("arn:aws-CN:iam::111122223333:role/app", false),
        ("arn:aws2:iam::111122223333:role/app", false),
        ("arn:azure:iam::111122223333:role/app", false),
        ("arn::iam::111122223333:role/app", false),
        ("", false),
        ("app", false),
        ("role/app", false),
        ("arm:aws:iam::111122223333:role/app", false),
        ("ARN:aws:iam::111122223333:role/app", false),
        (" arn:aws:iam::111122223333:role/app", false),
        ("arn:aws:iam::111122223333:role/app\n", false),
        ("arn:aws:iam::111122223333:role/app ", false),
        ("arn:aws:iam::111122223333:role/a\nb", false),
        ("arn:aws:iam::111122223333:user/app", false),
        ("arn:aws:iam::111122223333:instance-profile/app", false),
        ("arn:aws:sts::111122223333:assumed-role/app/me", false),
        ("arn:aws:iam:eu-west-1:111122223333:role/app", false),
        ("arn:aws:iam::11112222333:role/app", false),
        ("arn:aws:iam::1111222233334:role/app", false),
        ("arn:aws:iam::11112222333x:role/app", false),
        ("arn:aws:iam::<ACCOUNT_ID>:role/app", false),
        ("arn:aws:iam::111122223333:role", false),
    ];
    let mut texts: Vec<_> = fixed.map(|(text, is_role)| (text.to_owned(), is_role)).into();
    texts.extend([
        (role(""), false),
        (role("team/app"), true),
        (role("a/b/c/app+=,.@_-Z9"), true),
        // IAM permits any visible character in a path, but no empty first part.
        (role("<a>:{b}/app"), true),
        (role("a//app"), true),
        (role("/app"), false),
        (role("team/"), false),
        (role("té/app"), false),
        (role("a b/app"), false),
        (role("a:b"), false),
        (role("app*"), false),
        (name(64), true),
        (name(65), false),
        (with_path(511), true),
        (with_path(512), false),
    ]);
    texts
}

#[tokio::test]
async fn the_schema_and_the_daemons_agree_about_each_arn() -> anyhow::Result<()> {
    let client = client().await?;
    let texts = texts();
    ensure!(texts.len() >= 40, "only {}", texts.len());
    let mut wrong = Vec::new();
    for (text, is_role) in texts {
        let parsed = text.parse::<RoleArn>();
        for field in ["roleARN", "targetRoleARN"] {
            let mut patch = json!({"spec": {field: text}});
            // The other one is of the same partition.
            if let (Ok(role), "targetRoleARN") = (&parsed, field) {
                let other = format!("arn:{}:iam::444455556666:role/first", role.partition());
                patch["spec"]["roleARN"] = other.into();
            }
            let verdict = Kind::Association.verdict(&client, &patch).await?;
            if (verdict.is_ok(), parsed.is_ok()) != (is_role, is_role) {
                wrong.push(format!("{field} {text:?}: {:?}, {parsed:?}", verdict.err()));
            }
        }
    }
    ensure!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}
