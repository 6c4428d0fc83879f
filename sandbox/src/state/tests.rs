use super::*;

const TRUST: &str = r#"{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*"}}"#;
const MAY: &str = r#"{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"#;
const ACCOUNT: &str = "111122223333";

fn accounts() -> Accounts {
    let mut accounts = Accounts::default();
    let arn = "arn:aws:iam::111122223333:role/team/app".parse().unwrap();
    let mut role = Role::new(arn, Policy::read(TRUST).unwrap());
    role.policies.insert("may".to_owned(), IdentityPolicy::read(MAY).unwrap());
    role.tags.add("Team", "shop").unwrap();
    accounts.put_role(role).unwrap();
    let provider = Provider::new("https://oidc.example", vec![Audience::sts()]);
    accounts.put_provider(&ACCOUNT.parse().unwrap(), provider);
    accounts
}

fn changes() -> BTreeSet<Change> {
    let (account, name) = (ACCOUNT.to_owned(), "app".to_owned());
    let url = "https://oidc.example".to_owned();
    let gone = Change::Role { account: account.clone(), name: "gone".to_owned() };
    let provider = Change::Provider { account: account.clone(), url };
    [Change::Role { account, name }, provider, gone].into()
}

#[test]
fn what_is_saved_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.json");
    assert_eq!(SavedChanges::read(&file).unwrap(), SavedChanges::default());
    let saved = SavedChanges::of(&accounts(), &changes());
    saved.write(&file).unwrap();
    let read = SavedChanges::read(&file).unwrap();
    assert_eq!(read, saved);
    let mut other = Accounts::default();
    assert_eq!(read.apply(&mut other).unwrap(), changes());
    assert_eq!(SavedChanges::of(&other, &changes()), saved);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn changes_override_the_file_and_keys_come_from_the_file() {
    let saved = SavedChanges::of(&Accounts::default(), &changes());
    let mut file = accounts();
    saved.apply(&mut file).unwrap();
    assert!(file.role_named(ACCOUNT, "app").is_none());
    assert!(file.provider(ACCOUNT, "https://oidc.example").is_none());

    let mut file = accounts();
    let keys = crate::JwkSet::read(r#"{"keys": []}"#).unwrap();
    file.provider_mut(ACCOUNT, "https://oidc.example").unwrap().keys = Some(keys);
    SavedChanges::of(&accounts(), &changes()).apply(&mut file).unwrap();
    assert!(file.provider(ACCOUNT, "https://oidc.example").unwrap().keys.is_some());
}

#[test]
fn an_invalid_state_file_is_an_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "{\"roles\": 1}").unwrap();
    assert!(SavedChanges::read(file.path()).is_err());
}
