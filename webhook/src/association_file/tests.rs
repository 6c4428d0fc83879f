//! A list that changes, breaks, moves and goes.

use std::os::unix::fs::symlink;

use podrole_runtime::health::Health;

use super::*;

const GOOD: &str = r#"{"identities":[{"namespace":"shop","serviceAccount":"app"}]}"#;
const OTHER: &str = r#"{"identities":[{"namespace":"shop","serviceAccount":"other"}]}"#;

struct Followed {
    file: File,
    listed: Gate,
}

fn file() -> Followed {
    let file = File {
        path: "list.json".into(),
        last: None,
        latest: Latest::default(),
        metrics: Metrics::default(),
    };
    Followed { file, listed: Health::default().gate("list") }
}

impl Followed {
    fn take(&mut self, text: Result<&str, ErrorKind>) {
        self.file.take(text.map(str::to_owned).map_err(Into::into), &self.listed);
    }

    /// Whether a ServiceAccount is named; `None` before the first good list.
    fn names(&self, account: &str) -> Option<bool> {
        Some(self.file.latest.get()?.find(&account.parse().unwrap()).is_some())
    }
}

#[test]
fn the_last_good_list_survives_a_bad_one() {
    let mut followed = file();
    followed.take(Ok("{"));
    assert_eq!((followed.names("shop/app"), followed.listed.is_open()), (None, false));
    followed.take(Ok(GOOD));
    assert_eq!((followed.names("shop/app"), followed.listed.is_open()), (Some(true), true));
    for bad in
        [Ok("{"), Ok(r#"{"identities":[{"namespace":"A"}]}"#), Err(ErrorKind::PermissionDenied)]
    {
        followed.take(bad);
        assert_eq!(followed.names("shop/app"), Some(true), "{bad:?}");
    }
    followed.take(Ok(OTHER));
    assert_eq!(
        (followed.names("shop/app"), followed.names("shop/other")),
        (Some(false), Some(true))
    );
}

#[test]
fn a_file_that_is_gone_or_empty_names_nobody() {
    for nothing in [Ok(""), Ok(" \n"), Err(ErrorKind::NotFound)] {
        let mut followed = file();
        followed.take(Ok(GOOD));
        followed.take(nothing);
        assert_eq!(followed.names("shop/app"), Some(false), "{nothing:?}");
    }
}

/// The three ways in which a list is changed, each by its content alone.
#[tokio::test(start_paused = true)]
async fn a_swap_of_symlinks_as_the_kubelet_does_it_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (version, text) in [("one", GOOD), ("two", OTHER)] {
        std::fs::create_dir(at(version)).unwrap();
        std::fs::write(at(version).join("list.json"), text).unwrap();
    }
    symlink("one", at("..data")).unwrap();
    symlink("..data/list.json", at("list.json")).unwrap();
    let listed = Health::default().gate("list");
    let shutdown = CancellationToken::new();
    let _end = shutdown.clone().drop_guard();
    let latest = follow(at("list.json"), Metrics::default(), listed.clone(), shutdown);
    let names = |account: &str| latest.get().unwrap().find(&account.parse().unwrap()).is_some();
    assert!(listed.is_open() && names("shop/app"));
    symlink("two", at("..new")).unwrap();
    std::fs::rename(at("..new"), at("..data")).unwrap();
    for _ in 0..100 {
        if names("shop/other") {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("the swap was not seen");
}
