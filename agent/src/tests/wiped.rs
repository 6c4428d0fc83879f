//! Tokens and credentials are nowhere in the agent's memory after it ends.
#![cfg(target_os = "linux")]

use std::{fs, io::Read as _, io::Seek as _, io::SeekFrom};

use tokio::runtime::Runtime;

use super::full_path::world;
use crate::secret::{WIPING, Wiping};

/// The same as in the daemon.
#[global_allocator]
static ALLOCATOR: Wiping = WIPING;

const CHILD: &str = "PODROLE_TEST_WIPED";

/// A text that is stored inverted, so that a search for it does not find this copy.
struct Masked(Vec<u8>);

impl Masked {
    fn of(text: &[u8]) -> Self {
        Self(text.iter().map(|byte| !byte).collect())
    }

    fn is_at(&self, place: &[u8]) -> bool {
        place.len() >= self.0.len() && place.iter().zip(&self.0).all(|(byte, mask)| *byte == !mask)
    }

    /// How often it occurs in this process's memory.
    fn found(&self) -> usize {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let mut memory = fs::File::open("/proc/self/mem").unwrap();
        let mut found = 0;
        for line in maps.lines().filter(|line| line.contains(" rw-p ")) {
            let (begins, ends) = line.split(' ').next().unwrap().split_once('-').unwrap();
            let [begins, ends] = [begins, ends].map(|at| u64::from_str_radix(at, 16).unwrap());
            memory.seek(SeekFrom::Start(begins)).unwrap();
            let mut content = vec![0; usize::try_from(ends - begins).unwrap()];
            // A mapping may have been removed since.
            if memory.read_exact(&mut content).is_ok() {
                let first = !self.0[0];
                let places = content.iter().enumerate().filter(|(_, byte)| **byte == first);
                found += places.filter(|(at, _)| self.is_at(&content[*at..])).count();
            }
        }
        found
    }
}

/// Other tests hold tokens too, so this one runs in a process of its own.
#[test]
fn no_token_or_key_is_left_in_memory() {
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::wiped::in_the_child_nothing_is_left", "--nocapture"])
        .env(CHILD, "1")
        .output();
    let output = child.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("looked"), "{text} {said}");
}

#[test]
fn in_the_child_nothing_is_left() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let runtime = Runtime::new().unwrap();
    let (signature, key, world) = runtime.block_on(async {
        let world = world().await;
        let token = world.token();
        let (status, body) = world.ask(&token).await;
        assert_eq!(status, 200, "{body}");
        let signature = Masked::of(token.rsplit('.').next().unwrap().as_bytes());
        let key = Masked::of(body["SecretAccessKey"].as_str().unwrap().as_bytes());
        (signature, key, world)
    });
    assert!(signature.found() > 0 && key.found() > 0, "the cache holds them");
    drop((world, runtime));
    assert_eq!((signature.found(), key.found()), (0, 0));
    println!("looked");
}
