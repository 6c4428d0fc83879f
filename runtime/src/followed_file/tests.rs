//! A file that changes, breaks, moves and vanishes.

use std::os::unix::fs::symlink;

use tempfile::TempDir;
use tokio::time::sleep;

use super::*;
use crate::health::Health;

struct Followed {
    folder: TempDir,
    file: Latest<i64>,
    errors: Gauge,
    first_read: Gate,
    _stop: tokio_util::sync::DropGuard,
}

fn parse(text: &str) -> Result<i64, std::num::ParseIntError> {
    if text.is_empty() { Ok(0) } else { text.trim().parse() }
}

/// Follows the file `number`, which `prepare` may have made.
async fn follow(prepare: impl FnOnce(&Path)) -> Followed {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    let (errors, stop) = (Gauge::default(), CancellationToken::new());
    let first_read = Health::default().gate("number");
    let following = Following {
        path: folder.path().join("number"),
        what: "the number",
        parse,
        errors: errors.clone(),
        first_read: first_read.clone(),
    };
    let file = following.start(stop.clone()).await;
    Followed { folder, file, errors, first_read, _stop: stop.drop_guard() }
}

impl Followed {
    fn write(&self, text: &str) {
        std::fs::write(self.folder.path().join("number"), text).unwrap();
    }

    fn current(&self) -> Option<i64> {
        self.file.current().as_deref().copied()
    }

    async fn until(&self, value: i64, errors: i64) {
        for _ in 0..500 {
            if (self.current(), self.errors.get()) == (Some(value), errors) {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("{:?}, {} errors", self.current(), self.errors.get());
    }
}

#[tokio::test]
async fn a_good_file_is_known_at_once_and_the_last_good_content_stays() {
    let followed = follow(|folder| std::fs::write(folder.join("number"), "1").unwrap()).await;
    assert_eq!((followed.current(), followed.first_read.is_open()), (Some(1), true));
    followed.write("2");
    followed.until(2, 0).await;
    for bad in ["x", "{", &"1".repeat(9 * 1024 * 1024)] {
        followed.write(bad);
        followed.until(2, 1).await;
        followed.write("2");
        followed.until(2, 0).await;
    }
    assert!(followed.first_read.is_open(), "a bad edit does not make the daemon unready");
}

#[tokio::test]
async fn a_missing_file_is_an_error_and_an_empty_one_is_not() {
    let followed = follow(|_| {}).await;
    assert_eq!((followed.current(), followed.errors.get()), (None, 1));
    assert!(!followed.first_read.is_open());
    followed.write("1");
    followed.until(1, 0).await;
    std::fs::remove_file(followed.folder.path().join("number")).unwrap();
    followed.until(1, 1).await;
    followed.write("");
    followed.until(0, 0).await;
    std::fs::remove_file(followed.folder.path().join("number")).unwrap();
    std::fs::create_dir(followed.folder.path().join("number")).unwrap();
    followed.until(0, 1).await;
}

#[tokio::test]
async fn a_pipe_without_a_writer_holds_nothing_up() {
    let followed = follow(|folder| {
        let made = std::process::Command::new("mkfifo").arg(folder.join("number")).status();
        assert!(made.unwrap().success());
    })
    .await;
    assert_eq!((followed.current(), followed.errors.get()), (None, 1));
    std::fs::remove_file(followed.folder.path().join("number")).unwrap();
    followed.write("1");
    followed.until(1, 0).await;
}

#[tokio::test]
async fn a_swap_of_symbolic_links_as_the_kubelet_does_it_is_seen() {
    let followed = follow(|folder| {
        for (version, text) in [("one", "1"), ("two", "2")] {
            std::fs::create_dir(folder.join(version)).unwrap();
            std::fs::write(folder.join(version).join("number"), text).unwrap();
        }
        symlink("one", folder.join("..data")).unwrap();
        symlink("..data/number", folder.join("number")).unwrap();
    })
    .await;
    assert_eq!(followed.current(), Some(1));
    let folder = followed.folder.path();
    symlink("two", folder.join("..new")).unwrap();
    std::fs::rename(folder.join("..new"), folder.join("..data")).unwrap();
    followed.until(2, 0).await;
    assert_eq!(followed.file.changes(), 2);
}
