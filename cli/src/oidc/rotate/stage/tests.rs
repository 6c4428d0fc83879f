use super::{super::super::records::KeyRecord, *};

fn at(hours: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + hours * 3600).unwrap()
}

fn server(name: &str, keys: &[&str], signs: &str) -> ServerEvidence {
    let keys = keys.iter().map(|kid| (*kid).to_owned()).collect();
    ServerEvidence { name: name.to_owned(), keys, signs: signs.to_owned() }
}

/// Published keys, each with the hours in which it was published first and found missing.
fn evidence(
    servers: &[ServerEvidence],
    published: &[(&str, i64, Option<i64>)],
    now: i64,
) -> Evidence {
    let record = |(kid, first, last): &(&str, i64, Option<i64>)| KeyRecord {
        kid: (*kid).to_owned(),
        first_seen: at(*first),
        last_seen: last.map(at),
    };
    Evidence {
        servers: servers.to_vec(),
        published: published.iter().map(|(kid, ..)| (*kid).to_owned()).collect(),
        records: Records { keys: published.iter().map(record).collect() },
        switched: None,
        next: None,
        keep: SignedDuration::from_hours(25),
        now: at(now),
    }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|it| (*it).to_owned()).collect()
}

fn check(evidence: &Evidence, expected: &Stage, exit_code: u8) {
    let found = stage(evidence);
    assert_eq!((&found, found.exit_code()), (expected, exit_code));
}

#[test]
fn a_rotation_goes_through_all_stages() {
    let old = "old".to_owned();
    let new = "new".to_owned();
    let (a, b) = (server("a", &["old"], "old"), server("b", &["old"], "old"));
    let published = [("old", -900, None)];
    check(&evidence(&[a.clone(), b.clone()], &published, 0), &Stage::Idle { kid: old.clone() }, 0);

    let a = server("a", &["old", "new"], "old");
    let add = Stage::AddKey { kid: new.clone(), servers: texts(&["b"]) };
    check(&evidence(&[a.clone(), b], &published, 0), &add, 11);

    let b = server("b", &["old", "new"], "old");
    let publish = Stage::Publish { kids: texts(&["new"]) };
    check(&evidence(&[a.clone(), b.clone()], &published, 0), &publish, 11);

    let published = [("old", -900, None), ("new", 0, None)];
    let wait = Stage::WaitForCaches { kid: new.clone(), until: at(1) };
    check(&evidence(&[a.clone(), b.clone()], &published, 0), &wait, 10);
    let switch = Stage::Switch { kid: new.clone(), servers: texts(&["a", "b"]) };
    check(&evidence(&[a, b.clone()], &published, 1), &switch, 11);

    let a = server("a", &["old", "new"], "new");
    let switch = Stage::Switch { kid: new.clone(), servers: texts(&["b"]) };
    check(&evidence(&[a.clone(), b], &published, 2), &switch, 11);

    let b = server("b", &["old", "new"], "new");
    let mut both = evidence(&[a, b.clone()], &published, 3);
    check(&both, &Stage::SwitchUnknown { kid: new.clone() }, 3);
    both.switched = Some(at(3));
    let wait = Stage::WaitForTokens { kids: texts(&["old"]), until: at(3 + 24 + 25) };
    check(&both, &wait, 10);
    both.now = at(52);
    let remove = Stage::RemoveKeys { kids: texts(&["old"]), servers: texts(&["a", "b"]) };
    check(&both, &remove, 11);

    let a = server("a", &["new"], "new");
    both.servers = vec![a.clone(), b];
    let remove = Stage::RemoveKeys { kids: texts(&["old"]), servers: texts(&["b"]) };
    check(&both, &remove, 11);

    let servers = [a, server("b", &["new"], "new")];
    let unpublish = Stage::Unpublish { kids: texts(&["old"]) };
    check(&evidence(&servers, &published, 60), &unpublish, 11);
    let published = [("old", -900, Some(60)), ("new", 0, None)];
    let wait = Stage::WaitForPublication { kids: texts(&["old"]), until: at(85) };
    check(&evidence(&servers, &published, 85), &wait, 10);
    check(&evidence(&servers, &published, 86), &unpublish, 11);
    check(&evidence(&servers, &[("new", 0, None)], 86), &Stage::Idle { kid: new }, 0);
}

#[test]
fn a_key_that_signs_must_be_at_all_api_servers_and_published_first() {
    let servers = [server("a", &["old"], "old"), server("b", &["old", "new"], "new")];
    let published = [("old", 0, None)];
    let add = Stage::AddKey { kid: "new".to_owned(), servers: texts(&["a"]) };
    check(&evidence(&servers, &published, 9), &add, 11);
    let servers = [server("a", &["old", "new"], "old"), server("b", &["new"], "new")];
    let add = Stage::AddKey { kid: "old".to_owned(), servers: texts(&["b"]) };
    check(&evidence(&servers, &published, 9), &add, 11);
    let one = [server("a", &["old"], "old")];
    check(&evidence(&one, &[], 9), &Stage::Publish { kids: texts(&["old"]) }, 11);
}

#[test]
fn keys_of_one_age_need_the_users_word() {
    let servers = [server("a", &["one", "two"], "one")];
    let published = [("one", 0, None), ("two", 0, None)];
    let mut it = evidence(&servers, &published, 9);
    check(&it, &Stage::SwitchUnknown { kid: "one".to_owned() }, 3);
    it.next = Some("two".to_owned());
    let switch = Stage::Switch { kid: "two".to_owned(), servers: texts(&["a"]) };
    check(&it, &switch, 11);
    it.next = Some("three".to_owned());
    check(&it, &Stage::NoSuchKey { kid: "three".to_owned() }, 1);
}

#[test]
fn a_key_without_a_record_is_recorded_before_it_signs() {
    let servers = [server("a", &["old", "new"], "old")];
    let mut it = evidence(&servers, &[("old", 0, None), ("new", 0, None)], 9);
    it.records.keys.retain(|record| record.kid == "old");
    check(&it, &Stage::Publish { kids: texts(&["new"]) }, 11);
}
